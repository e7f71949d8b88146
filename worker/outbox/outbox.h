/* outbox.h - messages that a transaction decided, brought into Kafka whatever happens after its commit.
 *
 * In the transaction: rows are inserted, and rows of earlier messages that Kafka has confirmed are deleted. After the
 * commit: the same messages are produced from memory. What a crash leaves behind is published by any worker's sweep;
 * consumers dedupe on ce_id. Each thread has an outbox of its own, with a producer of its own; nothing here is shared.
 * Order of calls: outbox_add_* … → outbox_queue → (commit) → outbox_committed, or outbox_rolled_back.
 */
#ifndef OUTBOX_H
#define OUTBOX_H

#include "common/config.h"
#include "common/event.h"
#include "common/kafka.h"
#include "common/metrics.h"
#include "common/pg.h"

#define OUTBOX_STAGED_MAX 8192  /* messages of one transaction */
#define OUTBOX_FLYING_MAX 65536 /* produced, not yet confirmed; beyond it outbox_is_full */

struct outbox;

/* `owner` names the thread in metrics and in the client id: "apply", "execute", "sweep". */
SL_MUST_CHECK struct outbox *outbox_create(const struct sl_config *config, struct sl_metrics *metrics,
                                           const char *owner, struct sl_err *err);
/* Flushes for `timeout_ms` at most; rows not confirmed stay in Postgres. Accepts NULL. */
void outbox_destroy(struct outbox *outbox, int timeout_ms);

/* Stages a message for the transaction under way. Copied. */
void outbox_add_event(struct outbox *outbox, const char *topic, const struct sl_event *event);
/* `value` NULL: a tombstone. */
void outbox_add_message(struct outbox *outbox, const char *topic, struct sl_str key,
                        const struct sl_event_header *headers, size_t header_count, const struct sl_str *value);

/* Queues at most two statements into `pg`'s pipeline: the DELETE of confirmed rows, then the INSERT of staged ones.
 * Gives how many (0, 1, 2), or -1 with `err`. The last result, if anything was staged, goes to outbox_committed. */
SL_MUST_CHECK int outbox_queue(struct outbox *outbox, struct sl_pg *pg, struct sl_arena *arena, struct sl_err *err);
bool outbox_has_staged(const struct outbox *outbox);
bool outbox_has_confirmed(const struct outbox *outbox);

/* After the commit: produces what was staged, with the row ids of the INSERT's result (NULL when nothing was staged).
 */
void outbox_committed(struct outbox *outbox, const PGresult *insert_result);
void outbox_rolled_back(struct outbox *outbox);

/* A row that stands in the table already (left over, or inserted by SQL): produced now, deleted like any other once
 * confirmed. `headers_json` as in the table. RETRY when there is no room or no producer now, PERMANENT when the row
 * itself can't be produced: those behind it may go on. */
SL_MUST_CHECK bool outbox_adopt(struct outbox *outbox, int64_t row_id, struct sl_str topic, struct sl_str key,
                                struct sl_str headers_json, const struct sl_str *value, struct sl_err *err);

/* Messages without a row (outcomes, replies): `confirmed(arg, ok)` is called from outbox_poll once per message that was
 * taken, NULL for nobody. False: the local queue is full. */
typedef void outbox_confirmed(void *arg, bool ok);
SL_MUST_CHECK bool outbox_produce(struct outbox *outbox, const char *topic, int32_t partition, struct sl_str key,
                                  const struct sl_event_header *headers, size_t header_count, struct sl_str value,
                                  outbox_confirmed *confirmed, void *arg);

/* Serves delivery reports; makes a new producer after a fatal error (unconfirmed rows are adopted again by the sweep).
 */
void outbox_poll(struct outbox *outbox, int timeout_ms);
bool outbox_is_full(const struct outbox *outbox);
size_t outbox_in_flight(const struct outbox *outbox);

#endif
