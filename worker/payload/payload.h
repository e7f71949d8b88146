/* payload.h - an event's envelope and body as the typed input of the rules.
 *
 * One reader per family of types (payload.c's table): Stripe's webhooks, GitHub's, the workflow's callbacks, commands
 * and the system's own events. Fields that are missing or of another type read as empty: the rules say what that means.
 * Pure: no I/O, any thread.
 */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include "common/arena.h"
#include "common/event.h"
#include "worker/decide/input.h"

#define PAYLOAD_BODY_BYTES_MAX    ((size_t)2 * 1024 * 1024) /* of a message on the events topic */
#define PAYLOAD_ID_BYTES_MAX      255                       /* a longer user id counts as none; Stripe makes none */
#define PAYLOAD_WORKFLOW_IDS_MAX  1000                      /* of one command, as ingress takes them */
#define PAYLOAD_USAGE_COUNT_MAX   1000000000                /* the same */
#define PAYLOAD_CATALOG_BYTES_MAX ((size_t)256 * 1024)      /* what a connection lists */

/* Fills *ret_input, but for `user_id`, which apply resolves. Strings are made in `arena` or borrowed from the event. An
 * event of a family that nobody knows is INPUT_UNKNOWN, its body unread. PERMANENT when the body can't be read as what
 * its type claims. */
SL_MUST_CHECK bool payload_read(const struct sl_event *event, struct sl_arena *arena, struct input *ret_input,
                                struct sl_err *err);

#endif
