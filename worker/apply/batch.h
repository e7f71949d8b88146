/* batch.h - messages taken from the consumer, decoded, and brought through their transactions in order.
 *
 * A batch is a work list: batch_collect fills it, batch_work goes on with it until it is empty or has to wait. Belongs
 * to apply's thread; the messages and the decoded items are the batch's.
 */
#ifndef APPLY_BATCH_H
#define APPLY_BATCH_H

#include "worker/apply/attempt.h"

struct batch;

/* Room for `count_max` messages a batch. */
SL_MUST_CHECK struct batch *batch_create(size_t count_max);
void batch_destroy(struct batch *batch); /* accepts NULL */

/* Takes the messages over. Gives false when they don't join what was read before (a gap in the log that a new look may
 * close): nothing is taken then, and positions have to be read anew. A message seen before is dropped. */
SL_MUST_CHECK bool batch_collect(struct batch *batch, struct shell *shell, rd_kafka_message_t **messages, size_t count);
bool batch_is_empty(const struct batch *batch);
/* Forgets what is left: the partitions are another's now, or read anew. */
void batch_drop(struct batch *batch);

enum batch_end {
    BATCH_DONE = 1, /* empty */
    BATCH_RETRY,    /* `err` says why: later again */
    BATCH_FENCED,   /* positions have moved: drop the batch, read them anew */
};
/* `wall_ms` is asked for the time of each decision. `ret_progress`: something was committed. */
SL_MUST_CHECK enum batch_end batch_work(struct batch *batch, struct shell *shell, int64_t (*wall_ms)(void),
                                        bool *ret_progress, struct sl_err *err);

#endif
