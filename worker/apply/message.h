/* message.h - a Kafka message's parts, as stored and forwarded whole. */
#ifndef APPLY_MESSAGE_H
#define APPLY_MESSAGE_H

#include "common/arena.h"
#include "common/event.h"
#include "common/kafka.h"

/* Its headers, in their order, borrowed from the message; those beyond `headers_max` are left out. */
size_t message_headers(const rd_kafka_message_t *message, struct sl_event_header *ret_headers, size_t headers_max);
/* The same as the JSON of the outbox, in `arena`. */
struct sl_str message_headers_json(const rd_kafka_message_t *message, struct sl_arena *arena);
struct sl_str message_key(const rd_kafka_message_t *message);
struct sl_str message_value(const rd_kafka_message_t *message);

#endif
