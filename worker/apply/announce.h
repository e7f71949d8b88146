/* announce.h - tells the world what became of events: the outcomes topic, and who waits for the answer.
 *
 * An outcome derives from its events row, so it has no copy in the outbox: it is produced after the commit, and a
 * partition's `published` moves over it when Kafka has it. What a crash leaves untold is told again from the rows at
 * the next assignment (announce_again).
 */
#ifndef APPLY_ANNOUNCE_H
#define APPLY_ANNOUNCE_H

#include "worker/apply/attempt.h"

/* After a commit: enters every message of the attempt into its partition's flying outcomes, and produces. */
void announce(struct attempt *attempt);

/* The outcomes of messages below `next`, from their rows. RETRY when Postgres is away; nothing is announced then. */
SL_MUST_CHECK bool announce_again(struct shell *shell, struct sl_arena *arena, struct item *const *items, size_t count,
                                  struct sl_err *err);

/* "<partition>/<correlation id>" of sluice-reply-to; false when it is neither. Pure. */
SL_MUST_CHECK bool announce_parse_reply_to(struct sl_str reply_to, int32_t *ret_partition, struct sl_str *ret_id);

#endif
