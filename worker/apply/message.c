/* message.c - see message.h. */
#include "worker/apply/message.h"

#include "worker/outbox/headers.h"

size_t message_headers(const rd_kafka_message_t *message, struct sl_event_header *ret_headers, size_t headers_max)
{
    rd_kafka_headers_t *headers = NULL;
    size_t count = 0;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    while (count < headers_max) {
        const char *name = NULL;
        const void *value = NULL;
        size_t bytes = 0;
        if (rd_kafka_header_get_all(headers, count, &name, &value, &bytes) != RD_KAFKA_RESP_ERR_NO_ERROR)
            break;
        ret_headers[count++] =
            (struct sl_event_header){.name = sl_str_of(name), .value = {.ptr = value, .len = value ? bytes : 0}};
    }
    return count;
}

struct sl_str message_headers_json(const rd_kafka_message_t *message, struct sl_arena *arena)
{
    struct sl_event_header headers[SL_EVENT_HEADERS_MAX];
    struct sl_buf json;
    size_t count = message_headers(message, headers, SL_EVENT_HEADERS_MAX);
    sl_buf_init(&json, HEADERS_JSON_BYTES_MAX);
    bool ok = headers_write(headers, count, &json);
    struct sl_str text = ok ? sl_arena_str(arena, sl_buf_str(&json)) : SL_STR("[]");
    sl_buf_deinit(&json);
    return text;
}

struct sl_str message_key(const rd_kafka_message_t *message)
{
    return (struct sl_str){.ptr = message->key, .len = message->key ? message->key_len : 0};
}

struct sl_str message_value(const rd_kafka_message_t *message)
{
    return (struct sl_str){.ptr = message->payload, .len = message->payload ? message->len : 0};
}
