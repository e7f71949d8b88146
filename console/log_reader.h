/* log_reader.h - a consumer of sluice.outcomes.v1 that is assigned by hand and belongs to no group, for the tail and
 * the catch-up readers alike. */
#ifndef CONSOLE_LOG_READER_H
#define CONSOLE_LOG_READER_H

#include "common/kafka.h"

#define LOG_READER_WAIT_MS 3000 /* for a broker's answer */

/* `on_error` may be NULL and is called with `opaque` by the thread that polls. PERMANENT when the configuration is
 * refused. */
SL_MUST_CHECK rd_kafka_t *log_reader_create(const struct sl_config *config,
                                            void (*on_error)(rd_kafka_t *, int, const char *, void *), void *opaque,
                                            struct sl_err *err);
/* What was fetched and not yet polled is taken first: a consumer doesn't end while messages of its are out. NULL is
 * fine. */
void log_reader_destroy(rd_kafka_t *consumer);

/* The topic's partitions. RETRY: no broker answers, or the topic is not there. */
SL_MUST_CHECK bool log_reader_partitions(rd_kafka_t *consumer, int32_t *ret_count, struct sl_err *err);
/* What a partition holds: offsets `*ret_low` up to `*ret_high`, without the latter. RETRY. */
SL_MUST_CHECK bool log_reader_bounds(rd_kafka_t *consumer, int32_t partition, int64_t *ret_low, int64_t *ret_high,
                                     struct sl_err *err);

/* Whose outcome a message is, and of what type; false: it is none. Borrowed from the message. */
SL_MUST_CHECK bool log_reader_outcome(const rd_kafka_message_t *message, struct sl_str *ret_user_id,
                                      struct sl_str *ret_type, struct sl_str *ret_data);

/* The partition of a user's outcomes: the workers' producers take librdkafka's default, a CRC-32 of the key
 * (librdkafka, CONFIGURATION.md, `partitioner`). */
int32_t log_reader_partition_of(struct sl_str user_id, int32_t partition_count);

#endif
