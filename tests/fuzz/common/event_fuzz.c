/* event_fuzz.c - any headers of a message as an event's envelope.
 *
 * What is decoded obeys the limits and is text; encoded and decoded again it is the same event; the headers, written as
 * the outbox keeps them, are read back byte for byte, and any other text there is refused or read within the limits.
 *
 * Input: texts, each up to the next NUL: the key, then names and values in turn; a text that opens with '@' chooses one
 * of the known names.
 */
#include "common/event.h"
#include "common/utf8.h"
#include "tests/fuzz/bytes.h"
#include "worker/outbox/headers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECEIVED_MS INT64_C(1763712000000)
#define TEXTS_MAX   (2 * SL_EVENT_HEADERS_MAX + 2)

static const char *const NAMES[] = {
    "ce_specversion", "ce_time",         "content-type", "ce_id",           "ce_source",     "ce_type",
    "ce_subject",     "ce_partitionkey", "traceparent",  "sluice-reply-to", "sluice-replay",
};

static struct sl_str name_of(struct sl_str text)
{
    if (text.len == 2 && text.ptr[0] == '@')
        return sl_str_of(NAMES[(unsigned char)text.ptr[1] % SL_ARRAY_LEN(NAMES)]);
    return text;
}

static void check_same(const struct sl_event *a, const struct sl_event *b)
{
    SL_ASSERT(sl_str_equal(a->id, b->id) && sl_str_equal(a->source, b->source) && sl_str_equal(a->type, b->type));
    SL_ASSERT(sl_str_equal(a->subject, b->subject) && sl_str_equal(a->partition_key, b->partition_key));
    SL_ASSERT(sl_str_equal(a->content_type, b->content_type) && sl_str_equal(a->traceparent, b->traceparent));
    SL_ASSERT(sl_str_equal(a->reply_to, b->reply_to) && sl_str_equal(a->replay, b->replay));
    SL_ASSERT(sl_str_equal(a->data, b->data) && a->received_at_ms == b->received_at_ms);
}

static void check_decoded(const struct sl_event *event, struct sl_arena *arena)
{
    struct sl_event_header headers[SL_EVENT_HEADERS_MAX];
    struct sl_event again;
    struct sl_err err = {0};
    SL_ASSERT(sl_event_check(event, &err));
    SL_ASSERT(event->id.len > 0 && event->id.len <= SL_EVENT_ID_BYTES_MAX && sl_utf8_is_text(event->id));
    SL_ASSERT(event->source.len > 0 && event->type.len > 0 && event->content_type.len > 0);
    SL_ASSERT(event->type.len <= SL_EVENT_ATTRIBUTE_BYTES_MAX && sl_utf8_is_text(event->subject));
    size_t count = sl_event_encode(event, arena, headers);
    SL_ASSERT(count <= SL_EVENT_HEADERS_MAX);
    SL_ASSERT(sl_event_decode(headers, count, event->partition_key, event->data, RECEIVED_MS, &again, &err));
    check_same(event, &again);
    SL_ASSERT(again.time_ms == event->time_ms);
}

static void check_rows(const struct sl_event_header *headers, size_t count, struct sl_arena *arena)
{
    struct sl_event_header again[SL_EVENT_HEADERS_MAX];
    size_t again_count = 0;
    struct sl_err err = {0};
    struct sl_buf out;
    sl_buf_init(&out, HEADERS_JSON_BYTES_MAX);
    SL_ASSERT(headers_write(headers, count, &out));
    SL_ASSERT(headers_read(sl_buf_str(&out), arena, again, &again_count, &err) && again_count == count);
    for (size_t i = 0; i < count; i++) {
        SL_ASSERT(sl_str_equal(again[i].value, headers[i].value));
        SL_ASSERT(sl_str_equal(again[i].name, headers[i].name) || !sl_utf8_is_text(headers[i].name));
    }
    sl_buf_deinit(&out);
}

static void check_any_rows(struct sl_str text, struct sl_arena *arena)
{
    struct sl_event_header headers[SL_EVENT_HEADERS_MAX];
    size_t count = SIZE_MAX;
    struct sl_err err = {0};
    if (headers_read(text, arena, headers, &count, &err)) {
        SL_ASSERT(count <= SL_EVENT_HEADERS_MAX);
        check_rows(headers, count, arena);
    } else {
        SL_ASSERT(err.error_class == SL_ERR_PERMANENT && count == SIZE_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_bytes bytes = {.at = data, .left = size};
    struct sl_str texts[TEXTS_MAX];
    struct sl_event_header headers[SL_EVENT_HEADERS_MAX];
    struct sl_arena *arena = sl_arena_create((size_t)64 << 20);
    size_t text_count = 0;
    size_t count = 0;
    while (bytes.left > 0 && text_count < TEXTS_MAX)
        texts[text_count++] = fuzz_text(&bytes);
    for (size_t i = 1; i + 1 < text_count && count < SL_EVENT_HEADERS_MAX; i += 2)
        headers[count++] = (struct sl_event_header){.name = name_of(texts[i]), .value = texts[i + 1]};
    struct sl_event event;
    struct sl_err err = {0};
    struct sl_str key = text_count > 0 ? texts[0] : SL_STR_NONE;
    if (sl_event_decode(headers, count, key, SL_STR("{}"), RECEIVED_MS, &event, &err))
        check_decoded(&event, arena);
    else
        SL_ASSERT(err.error_class == SL_ERR_PERMANENT && sl_utf8_is_plain(sl_str_of(err.message)));
    check_rows(headers, count, arena);
    check_any_rows(key, arena);
    for (size_t i = 0; i < text_count; i++)
        fuzz_free(texts[i]);
    sl_arena_destroy(arena);
    return 0;
}
