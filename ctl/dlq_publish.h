/* dlq_publish.h - replays of dead letters into the events topic, and their mark in the index.
 *
 * A message goes out again byte for byte, keyed by its user, with the next generation and what is known of its last
 * death; the letter of a job becomes the command that retries the job. What was published and not marked is published
 * once more by the next run, with the same generation or command id: it counts once.
 */
#ifndef CTL_DLQ_PUBLISH_H
#define CTL_DLQ_PUBLISH_H

#include "common/buf.h"
#include "ctl/dlq.h"

struct dlq_publisher;

/* Destroy accepts NULL, and forgets what was not delivered. */
SL_MUST_CHECK struct dlq_publisher *dlq_publisher_create(const struct sl_config *config, struct sl_err *err);
void dlq_publisher_destroy(struct dlq_publisher *publisher);

/* Hands the letter to the producer: its message must be there, unless it is of a job. The letter stays where it is
 * until dlq_publisher_flush. RETRY when the producer's queue is full. */
SL_MUST_CHECK bool dlq_publisher_add(struct dlq_publisher *publisher, const struct dlq_letter *letter, int64_t now_ms,
                                     struct sl_err *err);
/* Serves delivery reports for so long. */
void dlq_publisher_wait(struct dlq_publisher *publisher, int timeout_ms);
/* Waits until all that were added are delivered or have failed, and marks the delivered ones, with an audit each:
 * *ret_delivered of them, whatever else went wrong. */
SL_MUST_CHECK bool dlq_publisher_flush(struct dlq_publisher *publisher, struct ctl *ctl, size_t *ret_delivered,
                                       struct sl_err *err);

/* Closes letters whose events were decided meanwhile, with an audit each. */
SL_MUST_CHECK bool dlq_close_decided(struct ctl *ctl, const struct dlq_letter *letters, size_t count,
                                     size_t *ret_closed, struct sl_err *err);

/* The event of the command that retries a letter's job; `body` is filled, see command.h. */
SL_MUST_CHECK bool dlq_retry_event(const struct dlq_letter *letter, int64_t now_ms, struct sl_buf *body,
                                   struct sl_event *ret_event, struct sl_err *err);

#endif
