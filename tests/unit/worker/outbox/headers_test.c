/* Headers survive their way through JSON byte by byte. */
#include "tests/unit/cmocka_all.h"
#include "worker/outbox/headers.h"

static void they_come_back_as_they_went(void **state)
{
    const struct sl_event_header headers[] = {
        {SL_STR("ce_id"), SL_STR("evt_1")},        {SL_STR("empty"), SL_STR("")},
        {SL_STR("quotes"), SL_STR("\"\\\n\x01")},  {SL_STR("umlaut"), SL_STR("\xc3\xbc")},
        {SL_STR("bytes"), SL_STR("\xff\x00\xfe")}, {SL_STR("nul"), SL_STR("a\0b")},
        {SL_STR("ce_id"), SL_STR("again")},
    };
    struct sl_event_header back[SL_EVENT_HEADERS_MAX];
    struct sl_arena *arena = sl_arena_create(65536);
    struct sl_err err = {0};
    struct sl_buf json;
    size_t count = 0;
    (void)state;
    sl_buf_init(&json, 4096);
    assert_true(headers_write(headers, SL_ARRAY_LEN(headers), &json));
    assert_true(headers_read(sl_buf_str(&json), arena, back, &count, &err));
    assert_int_equal(count, SL_ARRAY_LEN(headers));
    for (size_t i = 0; i < count; i++) {
        assert_true(sl_str_equal(back[i].name, headers[i].name));
        assert_true(sl_str_equal(back[i].value, headers[i].value));
    }
    sl_buf_deinit(&json);
    sl_arena_destroy(arena);
}

static void none_are_an_empty_array(void **state)
{
    struct sl_buf json;
    (void)state;
    sl_buf_init(&json, 16);
    assert_true(headers_write(NULL, 0, &json));
    assert_str_is(sl_buf_str(&json), "[]");
    sl_buf_deinit(&json);
}

static void what_does_not_fit_is_said(void **state)
{
    const struct sl_event_header header = {SL_STR("name"), SL_STR("a value that is too long")};
    struct sl_buf json;
    (void)state;
    sl_buf_init(&json, 16);
    assert_false(headers_write(&header, 1, &json));
    sl_buf_deinit(&json);
}

static void other_json_is_refused_and_nothing_returned(void **state)
{
    static const char *const TEXTS[] = {
        "{}",
        "[1]",
        "[[\"a\"]]",
        "[[\"a\",1]]",
        "[[1,\"a\"]]",
        "[[\"a\",{\"base64\":\"*\"}]]",
        "[[\"a\",{}]]",
        "[[\"a\",\"b\",\"c\"]]",
        "[[\"a\",\"b\"]",
        "",
    };
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(TEXTS); i++) {
        struct sl_event_header back[SL_EVENT_HEADERS_MAX];
        struct sl_arena *arena = sl_arena_create(65536);
        struct sl_err err = {0};
        size_t count = 77;
        assert_false(headers_read(sl_str_of(TEXTS[i]), arena, back, &count, &err));
        assert_int_equal(err.error_class, SL_ERR_PERMANENT);
        assert_int_equal(count, 77);
        sl_arena_destroy(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_come_back_as_they_went),
        cmocka_unit_test(none_are_an_empty_array),
        cmocka_unit_test(what_does_not_fit_is_said),
        cmocka_unit_test(other_json_is_refused_and_nothing_returned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
