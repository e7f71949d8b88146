/* consumer.h - the worker's member of the consumer group, over librdkafka.
 *
 * Kafka says which partitions are ours, Postgres where to go on in them: an assignment is therefore only noted here,
 * and nothing is fetched before consumer_assign gives the positions. With eager assignors every rebalance revokes all
 * first. Belongs to apply's thread; rebalances happen inside consumer_fetch, consumer_hold and consumer_close, and show
 * as a new consumer_epoch.
 */
#ifndef APPLY_CONSUMER_H
#define APPLY_CONSUMER_H

#include "common/admin.h"
#include "common/config.h"
#include "common/kafka.h"
#include "common/metrics.h"
#include "worker/apply/positions.h"

struct consumer;

/* Joins the group of [worker] group for the events topic. Sets readiness part "kafka". */
SL_MUST_CHECK struct consumer *consumer_create(const struct sl_config *config, struct sl_metrics *metrics,
                                               struct sl_readiness *readiness, struct sl_err *err);
/* Leaves the group. Accepts NULL. */
void consumer_close(struct consumer *consumer);

uint32_t consumer_epoch(const struct consumer *consumer);
/* An assignment came, or consumer_reposition was asked for, and positions are missing. */
bool consumer_wants_positions(const struct consumer *consumer);
/* The partitions that want positions, with Kafka's watermarks, in `arena`. One round trip a partition. RETRY when
 * brokers are away. */
SL_MUST_CHECK bool consumer_watermarks(struct consumer *consumer, struct sl_arena *arena,
                                       struct position **ret_positions, size_t *ret_count, struct sl_err *err);
/* Fetching starts at `published` of each. */
SL_MUST_CHECK bool consumer_assign(struct consumer *consumer, const struct position *positions, size_t count,
                                   struct sl_err *err);
/* What was fetched is dropped; consumer_wants_positions from now on. */
void consumer_reposition(struct consumer *consumer);

/* At most `count_max` messages or about `bytes_max` of bodies: waits `wait_ms` for the first one, then takes what is
 * there; when that is many, gathers for `gather_ms` more. The caller destroys the messages. Errors are logged and
 * counted here. */
size_t consumer_fetch(struct consumer *consumer, rd_kafka_message_t **ret_messages, size_t count_max, size_t bytes_max,
                      int wait_ms, int gather_ms);
/* Keeps the membership alive for `wait_ms` without taking messages. */
void consumer_hold(struct consumer *consumer, int wait_ms);

/* Tells the group how far we are: for lag tools, nobody else reads it. Does not wait. */
void consumer_commit(struct consumer *consumer, const struct partitions *partitions);

#endif
