/* publish.h - Kafka for sluicectl: a producer, one event published, one message fetched by its position. */
#ifndef CTL_PUBLISH_H
#define CTL_PUBLISH_H

#include "common/event.h"
#include "common/kafka.h"

/* Destroy with rd_kafka_destroy. */
SL_MUST_CHECK rd_kafka_t *publish_producer(const struct sl_config *config, struct sl_err *err);

/* A consumer of no group's, with nothing assigned: a partition's end is a message with an error, an offset that is not
 * there another. Destroy with rd_kafka_destroy. */
SL_MUST_CHECK rd_kafka_t *publish_consumer(const struct sl_config *config, struct sl_err *err);

/* Publishes to the events topic and waits for the delivery report. RETRY when Kafka can't take it. */
SL_MUST_CHECK bool publish_event(const struct sl_config *config, const struct sl_event *event, struct sl_err *err);

/* The message at the position; the caller destroys it with rd_kafka_message_destroy and then *ret_consumer with
 * rd_kafka_destroy. PERMANENT when retention has deleted it. */
SL_MUST_CHECK bool publish_fetch(const struct sl_config *config, const char *topic, int32_t partition, int64_t offset,
                                 rd_kafka_t **ret_consumer, rd_kafka_message_t **ret_message, struct sl_err *err);

#endif
