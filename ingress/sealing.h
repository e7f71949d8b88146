/* sealing.h - a command's secrets, sealed before anything of it is published.
 *
 * In: the checked `data` of a command. Out: the same, each field that the table calls secret replaced by FIELD_sealed,
 * which only the data keys open (common/seal.h), bound to the event. The worker's apply/tokens.c is the other end.
 * Pure; any thread.
 */
#ifndef INGRESS_SEALING_H
#define INGRESS_SEALING_H

#include "common/seal.h"
#include "ingress/commands.h"

/* Has the command anything to seal? */
bool sealing_is_due(const struct command *command);

/* False with UNAVAILABLE in `ret_problem`, and `data` as it was, when there is no key: then nothing may be published.
 * What the sender has put at FIELD_sealed is gone either way. */
SL_MUST_CHECK bool sealing_apply(const struct command *command, const struct sl_seal_ring *ring, struct sl_str source,
                                 struct sl_str event_id, json_t *data, struct problem *ret_problem);

#endif
