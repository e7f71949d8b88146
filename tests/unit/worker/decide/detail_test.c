/* detail_test.c - flat JSON objects: written, and read again, also as Postgres would print them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/decide/detail.h"

#define ARENA_BYTES_MAX ((size_t)1024 * 1024)

static struct sl_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = sl_arena_create(ARENA_BYTES_MAX);
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    sl_arena_destroy(arena);
    return 0;
}

static void assert_member(const char *object, const char *name, const char *value)
{
    struct sl_str text = detail_text(arena, sl_str_of(object), name);
    assert_true(sl_str_is(text, value));
}

static void test_members_are_read(void **state)
{
    (void)state;
    assert_member("{\"op\":\"checkout\",\"price\":\"p\"}", "op", "checkout");
    assert_member("{\"op\":\"checkout\",\"price\":\"p\"}", "price", "p");
    assert_member("{\"op\":\"checkout\"}", "price", "");
    assert_member(" { \"a\" : 12 , \"b\" : null, \"op\" : \"x y\" } ", "op", "x y");
    assert_member("{\"a\": 12, \"op\": \"x\"}", "a", "");
    assert_member("{\"value\":\"op\",\"op\":\"x\"}", "op", "x");
}

static void test_escapes_are_undone(void **state)
{
    (void)state;
    assert_member("{\"a\":\"x\\\"y\\\\z\\/\"}", "a", "x\"y\\z/");
    assert_member("{\"a\":\"\\b\\f\\n\\r\\t\"}", "a", "\b\f\n\r\t");
    assert_member("{\"a\":\"\\u0041\\u00e9\\u20AC\"}", "a", "A\xc3\xa9\xe2\x82\xac");
    assert_member("{\"a\":\"\\ud83d\\ude00!\"}", "a", "\xf0\x9f\x98\x80!");
    assert_member("{\"a\":\"\\ud83d!\\udc00\"}", "a", "\xef\xbf\xbd!\xef\xbf\xbd");
    assert_member("{\"a\\\"\":\"x\",\"b\":\"y\"}", "b", "y");
}

static void test_what_is_no_flat_object_has_no_members(void **state)
{
    (void)state;
    static const char *const OBJECTS[] = {
        "",
        "{}",
        "[]",
        "{",
        "{\"op\"",
        "{\"op\":",
        "{\"op\":}",
        "{\"op\":\"x",
        "{\"op\":\"x\\\"",
        "{\"a\":{\"op\":\"x\"}}",
        "{\"a\":[1],\"op\":\"x\"}",
        "{op:\"x\"}",
        "null",
        "\"op\"",
        "{\"a\":\"\\",
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(OBJECTS); i++)
        assert_member(OBJECTS[i], "op", "");
}

/* Whatever bytes a value has: they come back, but for U+0000, which Postgres can't hold. */
static void test_what_is_written_is_read_again(void **state)
{
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        const char value[] = {'x', (char)byte, 'y'};
        const struct detail members[] = {
            {"first", SL_STR("1")},
            {"op", {.ptr = value, .len = sizeof(value)}},
            {"empty", SL_STR_NONE},
        };
        struct sl_str object = detail_object(arena, members, SL_ARRAY_LEN(members));
        assert_true(sl_str_equal(detail_text(arena, object, "op"), members[1].value));
        assert_true(sl_str_is(detail_text(arena, object, "first"), "1"));
        assert_true(sl_str_empty(detail_text(arena, object, "empty")));
    }
}

static void test_times_end_with_the_year_9999(void **state)
{
    (void)state;
    assert_true(sl_str_is(detail_time(arena, INT64_C(253402300799)), "9999-12-31T23:59:59Z"));
    assert_true(sl_str_empty(detail_time(arena, INT64_C(253402300800))));
    assert_true(sl_str_empty(detail_time(arena, INT64_MAX)));
    assert_true(sl_str_empty(detail_time(arena, 0)));
    assert_true(sl_str_empty(detail_time(arena, INT64_MIN)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_are_read),
        cmocka_unit_test(test_escapes_are_undone),
        cmocka_unit_test(test_what_is_no_flat_object_has_no_members),
        cmocka_unit_test(test_what_is_written_is_read_again),
        cmocka_unit_test(test_times_end_with_the_year_9999),
    };
    return cmocka_run_group_tests_name("detail", tests, set_up, tear_down);
}
