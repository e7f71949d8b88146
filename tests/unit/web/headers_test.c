/* headers_test.c - of web/headers.c. */
#include "tests/unit/web/check.h"

#include "web/headers.h"

static void names_ignore_case_and_the_first_counts(void **state)
{
    (void)state;
    struct headers headers = {.count = 0};
    assert_true(headers_add(&headers, SL_STR("X-One"), SL_STR(" a ")));
    assert_true(headers_add(&headers, SL_STR("x-one"), SL_STR("b")));
    assert_int_equal(headers_count(&headers, "x-ONE"), 2);
    assert_str(headers_get(&headers, "X-ONE"), "a");
    assert_str(headers_get(&headers, "x-two"), "");
    assert_false(headers_has(&headers, "x-two"));
}

static void a_full_table_refuses(void **state)
{
    (void)state;
    struct headers headers = {.count = 0};
    for (size_t i = 0; i < HEADERS_MAX; i++)
        assert_true(headers_add(&headers, SL_STR("a"), SL_STR("b")));
    assert_false(headers_add(&headers, SL_STR("a"), SL_STR("b")));
    assert_int_equal(headers_count(&headers, "a"), HEADERS_MAX);
}

static void plain_values_are_visible_ascii(void **state)
{
    (void)state;
    assert_true(headers_value_is_plain(SL_STR("evt_1"), 5, false));
    assert_false(headers_value_is_plain(SL_STR("evt_1"), 4, false));
    assert_false(headers_value_is_plain(SL_STR(""), 4, false));
    assert_false(headers_value_is_plain(SL_STR("a b"), 4, false));
    assert_true(headers_value_is_plain(SL_STR("a b"), 4, true));
    assert_false(headers_value_is_plain(SL_STR("a\nb"), 4, true));
    assert_false(headers_value_is_plain(SL_STR("\xc3\xa9"), 4, true));
    assert_false(headers_value_is_plain(SL_STR("a\x7f"), 4, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_ignore_case_and_the_first_counts),
        cmocka_unit_test(a_full_table_refuses),
        cmocka_unit_test(plain_values_are_visible_ascii),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
