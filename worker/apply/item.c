/* item.c - see item.h. */
#include "worker/apply/item.h"

#include "common/sign.h"
#include "common/utf8.h"
#include "worker/apply/tokens.h"
#include "worker/payload/payload.h"

/* The attributes go into text columns, and into headers again. */
static bool is_text(const struct sl_event *event)
{
    return sl_utf8_is_text(event->id) && sl_utf8_is_text(event->source) && sl_utf8_is_text(event->type) &&
           sl_utf8_is_text(event->subject) && sl_utf8_is_text(event->partition_key);
}

struct sl_str item_header(const struct item *item, const char *name)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t bytes = 0;
    if (rd_kafka_message_headers(item->message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, name, &value, &bytes) != RD_KAFKA_RESP_ERR_NO_ERROR || !value)
        return SL_STR_NONE;
    return (struct sl_str){.ptr = value, .len = bytes};
}

static void read_event(struct item *item, struct sl_arena *arena, const struct sl_seal_ring *ring)
{
    struct sl_err err = {0};
    int64_t generation = 0;
    if (!is_text(&item->event)) {
        item->event = (struct sl_event){0};
        item->unreadable = "an attribute of the envelope is no UTF-8 text";
        return;
    }
    item->has_event = true;
    sl_sign_sha256(item->event.data, item->sha256);
    if (!sl_str_empty(item->event.replay) && sl_str_to_int64(item->event.replay, &generation) && generation > 0 &&
        generation <= ITEM_GENERATION_MAX)
        item->generation = (int)generation;
    item->has_input = payload_read(&item->event, arena, &item->input, &err);
    if (!item->has_input) {
        item->input = (struct input){0};
        item->unreadable = sl_arena_cstr(arena, sl_str_of(err.message));
        return;
    }
    tokens_prepare(ring, arena, &item->input);
}

struct item *item_decode(struct sl_arena *arena, const struct sl_seal_ring *ring, const rd_kafka_message_t *message)
{
    struct sl_err err = {0};
    struct item *item = sl_arena_alloc(arena, 1, sizeof(*item));
    item->message = message;
    if (sl_kafka_event_of(message, &item->event, &err)) {
        read_event(item, arena, ring);
    } else {
        item->event = (struct sl_event){0};
        item->unreadable = sl_arena_cstr(arena, sl_str_of(err.message));
    }
    if (!item->has_event || item->generation) {
        struct sl_uuid id;
        if (sl_uuid_parse(item_header(item, ITEM_HEADER_LETTER), &id))
            item->letter_id = id;
    }
    return item;
}

struct item *item_of_event(struct sl_arena *arena, const struct sl_seal_ring *ring, const struct sl_event *event)
{
    struct item *item = sl_arena_alloc(arena, 1, sizeof(*item));
    item->event = *event;
    read_event(item, arena, ring);
    return item;
}
