/* cursor_test.c - of console/cursor.c: what comes back is what went out, and anything else is none. */
#include "tests/unit/web/check.h"

#include "console/cursor.h"

static void a_stream_cursor_comes_back(void **state)
{
    (void)state;
    static const struct stream_cursor cursors[] = {{0, 0}, {11, 42}, {INT32_MAX, INT64_MAX}};
    for (size_t i = 0; i < SL_ARRAY_LEN(cursors); i++) {
        char text[CURSOR_TEXT_BYTES];
        struct stream_cursor back;
        stream_cursor_format(cursors[i], text);
        assert_true(stream_cursor_parse(sl_str_of(text), &back));
        assert_int_equal(back.partition, cursors[i].partition);
        assert_int_equal(back.next_offset, cursors[i].next_offset);
    }
}

static void anything_else_is_no_stream_cursor(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "-",
        "1",
        "1-",
        "-1",
        "1--1",
        "-1-1",
        "01-1",
        "1-01",
        "+1-1",
        " 1-1",
        "1-1 ",
        "1-1-1",
        "a-b",
        "1.1",
        "0x1-1",
        "2147483648-0",
        "0-9223372036854775808",
        "0-99999999999999999999",
        "1-1\n",
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++) {
        struct stream_cursor cursor = {.partition = 77};
        if (stream_cursor_parse(sl_str_of(bad[i]), &cursor))
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(cursor.partition, 77);
    }
}

static void a_page_cursor_is_a_number_and_an_id(void **state)
{
    (void)state;
    struct page_cursor cursor;
    assert_true(page_cursor_parse(SL_STR("1763712000000000.0190c0de-0000-7000-8000-000000000001"), &cursor));
    assert_int_equal(cursor.number, INT64_C(1763712000000000));
    assert_int_equal(cursor.id.bytes[15], 1);
    static const char *const bad[] = {"",
                                      ".",
                                      "1",
                                      "1.",
                                      "1.x",
                                      "-1.0190c0de-0000-7000-8000-000000000001",
                                      "0190c0de-0000-7000-8000-000000000001",
                                      "1.0190c0de-0000-7000-8000-000000000001.2"};
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++) {
        if (page_cursor_parse(sl_str_of(bad[i]), &cursor))
            fail_msg("taken: %s", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_cursor_comes_back),
        cmocka_unit_test(anything_else_is_no_stream_cursor),
        cmocka_unit_test(a_page_cursor_is_a_number_and_an_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
