/* The golden envelopes of proto/vectors/envelopes.json, and what a table can't say. */
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/event.h"
#include "common/json.h"

static struct sl_event sample(void)
{
    return (struct sl_event){
        .id = SL_STR("evt_1"),
        .source = SL_STR("/webhooks/stripe"),
        .type = SL_STR("stripe.invoice.paid"),
        .subject = SL_STR("in_1"),
        .partition_key = SL_STR("user-1"),
        .content_type = SL_STR("application/json"),
        .traceparent = SL_STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        .reply_to = SL_STR("3/00112233-4455-6677-8899-aabbccddeeff"),
        .replay = SL_STR("1"),
        .data = SL_STR("{}"),
        .time_ms = 1795255200123,
        .received_at_ms = 1795255201000,
    };
}

static void assert_events_equal(const struct sl_event *a, const struct sl_event *b)
{
    assert_true(sl_str_equal(a->id, b->id));
    assert_true(sl_str_equal(a->source, b->source));
    assert_true(sl_str_equal(a->type, b->type));
    assert_true(sl_str_equal(a->subject, b->subject));
    assert_true(sl_str_equal(a->partition_key, b->partition_key));
    assert_true(sl_str_equal(a->content_type, b->content_type));
    assert_true(sl_str_equal(a->traceparent, b->traceparent));
    assert_true(sl_str_equal(a->reply_to, b->reply_to));
    assert_true(sl_str_equal(a->replay, b->replay));
    assert_true(sl_str_equal(a->data, b->data));
    assert_int_equal(a->time_ms, b->time_ms);
    assert_int_equal(a->received_at_ms, b->received_at_ms);
}

static void what_is_encoded_is_decoded_to_the_same(void **state)
{
    (void)state;
    struct sl_arena *arena = sl_arena_create(4096);
    struct sl_event_header headers[SL_EVENT_HEADERS_MAX];
    struct sl_event full = sample();
    struct sl_event sparse = {.id = full.id,
                              .source = full.source,
                              .type = full.type,
                              .partition_key = SL_STR("k"),
                              .content_type = full.content_type,
                              .data = full.data};
    const struct sl_event *const events[] = {&full, &sparse};
    const size_t header_counts[] = {11, 7};
    for (size_t i = 0; i < SL_ARRAY_LEN(events); i++) {
        const size_t count = sl_event_encode(events[i], arena, headers);
        assert_int_equal(count, header_counts[i]);
        struct sl_event again;
        assert_true(sl_event_decode(headers, count, events[i]->partition_key, events[i]->data,
                                    events[i]->received_at_ms, &again, NULL));
        assert_events_equal(events[i], &again);
    }
    sl_arena_destroy(arena);
}

static void the_order_of_headers_is_fixed(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"ce_specversion", "ce_time",         "content-type", "ce_id",
                                        "ce_source",      "ce_type",         "ce_subject",   "ce_partitionkey",
                                        "traceparent",    "sluice-reply-to", "sluice-replay"};
    struct sl_arena *arena = sl_arena_create(4096);
    struct sl_event_header headers[SL_EVENT_HEADERS_MAX];
    const struct sl_event event = sample();
    assert_int_equal(sl_event_encode(&event, arena, headers), SL_ARRAY_LEN(NAMES));
    for (size_t i = 0; i < SL_ARRAY_LEN(NAMES); i++) {
        assert_str_is(headers[i].name, NAMES[i]);
    }
    assert_str_is(headers[0].value, "1.0");
    assert_str_is(headers[1].value, "2026-11-21T10:00:00.123Z");
    sl_arena_destroy(arena);
}

static void attributes_have_limits(void **state)
{
    (void)state;
    char text[1000];
    memset(text, 'a', sizeof(text));
    struct sl_event event = sample();
    struct sl_err err;
    assert_true(sl_event_check(&event, &err));

    event.id = (struct sl_str){.ptr = text, .len = SL_EVENT_ID_BYTES_MAX};
    assert_true(sl_event_check(&event, &err));
    event.id.len++;
    assert_false(sl_event_check(&event, &err));
    assert_int_equal(err.error_class, SL_ERR_PERMANENT);
    assert_string_equal(err.message, "ce_id of the event is longer than 600 bytes");

    struct sl_str *const others[] = {&event.source,      &event.type,     &event.subject, &event.partition_key,
                                     &event.traceparent, &event.reply_to, &event.replay,  &event.content_type};
    for (size_t i = 0; i < SL_ARRAY_LEN(others); i++) {
        event = sample();
        *others[i] = (struct sl_str){.ptr = text, .len = SL_EVENT_ATTRIBUTE_BYTES_MAX};
        assert_true(sl_event_check(&event, &err));
        others[i]->len++;
        assert_false(sl_event_check(&event, &err));
        *others[i] = SL_STR("\xFF");
        assert_false(sl_event_check(&event, &err));
        *others[i] = SL_STR("a\0b");
        assert_false(sl_event_check(&event, &err));
    }
}

static size_t read_headers(const json_t *list, struct sl_event_header ret_headers[SL_EVENT_HEADERS_MAX])
{
    const size_t count = json_array_size(list);
    assert_true(count <= SL_EVENT_HEADERS_MAX);
    for (size_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(list, i);
        ret_headers[i] = (struct sl_event_header){sl_json_str(pair, "0"), sl_json_str(pair, "1")};
    }
    return count;
}

static void check_envelope(const json_t *row)
{
    const char *name = json_string_value(sl_json_at(row, "name"));
    struct sl_event_header headers[SL_EVENT_HEADERS_MAX];
    const size_t count = read_headers(sl_json_at(row, "headers"), headers);
    int64_t timestamp_ms = 0;
    assert_true(sl_json_int(row, "timestamp_ms", &timestamp_ms));
    struct sl_event event;
    struct sl_err err;
    const bool good =
        sl_event_decode(headers, count, sl_json_str(row, "key"), sl_json_str(row, "value"), timestamp_ms, &event, &err);
    if (good != sl_str_is(sl_json_str(row, "expect"), "ok")) {
        fail_msg("%s: %s", name, good ? "accepted" : err.message);
    }
    if (!good) {
        assert_int_equal(err.error_class, SL_ERR_PERMANENT);
        if (strstr(err.message, json_string_value(sl_json_at(row, "message"))) == NULL) {
            fail_msg("%s: %s", name, err.message);
        }
        return;
    }
    const json_t *expected = sl_json_at(row, "event");
    assert_true(sl_str_equal(event.id, sl_json_str(expected, "id")));
    assert_true(sl_str_equal(event.source, sl_json_str(expected, "source")));
    assert_true(sl_str_equal(event.type, sl_json_str(expected, "type")));
    assert_true(sl_str_equal(event.subject, sl_json_str(expected, "subject")));
    assert_true(sl_str_equal(event.partition_key, sl_json_str(expected, "partition_key")));
    assert_true(sl_str_equal(event.content_type, sl_json_str(expected, "content_type")));
    char time[SL_CLOCK_ISO_BYTES];
    sl_clock_format_iso(event.time_ms, time);
    assert_str_is(sl_json_str(expected, "time"), time);
}

static void the_golden_envelopes(void **state)
{
    (void)state;
    SL_JSON_AUTO *rows = json_load_file("proto/vectors/envelopes.json", 0, NULL);
    assert_non_null(rows);
    assert_true(json_array_size(rows) >= 20);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        check_envelope(json_array_get(rows, i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_is_decoded_to_the_same),
        cmocka_unit_test(the_order_of_headers_is_fixed),
        cmocka_unit_test(attributes_have_limits),
        cmocka_unit_test(the_golden_envelopes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
