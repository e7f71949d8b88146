/* kafka.h - what the programs share of librdkafka: configuration from ours, errors by class, envelopes to and from
 * messages.
 *
 * Programs then use librdkafka's own API; nothing is wrapped for its own sake.
 */
#ifndef SL_KAFKA_H
#define SL_KAFKA_H

#include <librdkafka/rdkafka.h>

#include "common/config.h"
#include "common/event.h"

#define SL_TOPIC_EVENTS       "sluice.events.v1"
#define SL_TOPIC_DIRECTORY    "sluice.directory.v1"
#define SL_TOPIC_OUTCOMES     "sluice.outcomes.v1"
#define SL_TOPIC_REPLIES      "sluice.replies.v1"
#define SL_TOPIC_DEAD_LETTERS "sluice.dead-letters.v1"

#define SL_KAFKA_MESSAGE_BYTES_MAX 2097152 /* 2 MiB: of topics and of the producer */

/* Brokers, security and SASL from [kafka] and the KAFKA_* variables, client.id "<program>-<pid>"; librdkafka's log is
 * silent. The caller owns it until a client takes it. PERMANENT when a setting is missing or refused. */
SL_MUST_CHECK rd_kafka_conf_t *sl_kafka_conf_create(const struct sl_config *config, const char *program,
                                                    struct sl_err *err);
/* One property; false names the property and librdkafka's reason. */
SL_MUST_CHECK bool sl_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct sl_err *err);

/* acks=all, enable.idempotence, message.max.bytes, `linger_ms`. Takes `conf` whatever happens. The delivery report
 * callback and its opaque are set on `conf` before. PERMANENT when librdkafka refuses. A message is tried until it is
 * delivered, refused or purged, never ended by time: whoever waits keeps a deadline of its own. */
SL_MUST_CHECK rd_kafka_t *sl_kafka_producer_create(rd_kafka_conf_t *conf, int linger_ms, struct sl_err *err);

/* Fills `err` from a librdkafka code: class RETRY, PERMANENT (message too large, unknown topic, authorisation) or
 * FATAL (the client is dead: make another). `what` is the action that failed, "publishing to …". Gives false. */
bool sl_kafka_err(struct sl_err *err, rd_kafka_resp_err_t code, const char *what);
enum sl_err_class sl_kafka_err_class(rd_kafka_resp_err_t code);

/* Hands `event` to the producer, key = partition_key, timestamp = received_at_ms, `partition` or
 * RD_KAFKA_PARTITION_UA. Everything is copied. `opaque` comes back in the delivery report, exactly once if this gave
 * true. RETRY when the local queue is full. */
SL_MUST_CHECK bool sl_kafka_produce_event(rd_kafka_t *producer, const char *topic, int32_t partition,
                                          const struct sl_event *event, void *opaque, struct sl_err *err);

/* The envelope of a consumed message; strings are borrowed from the message. PERMANENT as sl_event_decode, and with
 * more than 64 headers. */
SL_MUST_CHECK bool sl_kafka_event_of(const rd_kafka_message_t *message, struct sl_event *ret_event, struct sl_err *err);

#endif
