/* str_test.c - slices: comparison, cutting, numbers. */
#include "tests/unit/cmocka_all.h"

#include "common/str.h"

static void absent_and_empty_are_the_same(void **state)
{
    (void)state;
    assert_true(sl_str_empty(SL_STR_NONE));
    assert_true(sl_str_empty(sl_str_of(NULL)));
    assert_true(sl_str_equal(SL_STR_NONE, SL_STR("")));
    assert_true(sl_str_is(SL_STR_NONE, ""));
    assert_true(sl_str_is(SL_STR_NONE, NULL));
    assert_int_equal(sl_str_compare(SL_STR_NONE, SL_STR("")), 0);
    assert_true(sl_str_starts_with(SL_STR_NONE, SL_STR_NONE));
    assert_false(sl_str_empty(SL_STR(" ")));
}

static void equality_is_of_bytes(void **state)
{
    (void)state;
    assert_true(sl_str_equal(SL_STR("a\0b"), SL_STR("a\0b")));
    assert_false(sl_str_equal(SL_STR("a\0b"), SL_STR("a\0c")));
    assert_false(sl_str_equal(SL_STR("ab"), SL_STR("abc")));
    assert_false(sl_str_is(SL_STR("a\0b"), "a"));
}

static void case_is_ignored_in_ascii_only(void **state)
{
    (void)state;
    assert_true(sl_str_equal_ignore_case(SL_STR("Content-TYPE"), SL_STR("content-type")));
    assert_false(sl_str_equal_ignore_case(SL_STR("\xC3\x84"), SL_STR("\xC3\xA4"))); /* Ä, ä */
    assert_false(sl_str_equal_ignore_case(SL_STR("@["), SL_STR("`{")));             /* beside the letters */
    assert_false(sl_str_equal_ignore_case(SL_STR("ab"), SL_STR("abc")));
}

static void order_is_bytewise_and_the_shorter_first(void **state)
{
    (void)state;
    assert_true(sl_str_compare(SL_STR("a"), SL_STR("b")) < 0);
    assert_true(sl_str_compare(SL_STR("ab"), SL_STR("a")) > 0);
    assert_true(sl_str_compare(SL_STR("\xFF"), SL_STR("a")) > 0); /* bytes are unsigned */
    assert_int_equal(sl_str_compare(SL_STR("ab"), SL_STR("ab")), 0);
}

static void prefixes(void **state)
{
    (void)state;
    assert_true(sl_str_starts_with(SL_STR("whsec_abc"), SL_STR("whsec_")));
    assert_true(sl_str_starts_with(SL_STR("whsec_"), SL_STR("whsec_")));
    assert_false(sl_str_starts_with(SL_STR("whse"), SL_STR("whsec_")));
}

static void cutting_gives_each_part_and_ends(void **state)
{
    (void)state;
    struct sl_str rest = SL_STR("a,,bc");
    assert_str_is(sl_str_cut(&rest, ','), "a");
    assert_str_is(sl_str_cut(&rest, ','), "");
    assert_str_is(rest, "bc");
    assert_str_is(sl_str_cut(&rest, ','), "bc");
    assert_true(sl_str_empty(rest));
    assert_str_is(sl_str_cut(&rest, ','), "");

    rest = SL_STR("end,");
    assert_str_is(sl_str_cut(&rest, ','), "end");
    assert_true(sl_str_empty(rest));
}

static void trimming_takes_blanks_and_tabs(void **state)
{
    (void)state;
    assert_str_is(sl_str_trim(SL_STR(" \t a b\t ")), "a b");
    assert_str_is(sl_str_trim(SL_STR(" \t ")), "");
    assert_str_is(sl_str_trim(SL_STR("\na")), "\na");
    assert_str_is(sl_str_trim(SL_STR_NONE), "");
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } CASES[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"007", true, 7},
        {"-12", true, -12},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"99999999999999999999999", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1.0", false, 0},
        {"0x1", false, 0},
        {"--1", false, 0},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(CASES); i++) {
        int64_t value = 77;
        assert_int_equal(sl_str_to_int64(sl_str_of(CASES[i].text), &value), CASES[i].good);
        assert_int_equal(value, CASES[i].good ? CASES[i].value : 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_and_empty_are_the_same),
        cmocka_unit_test(equality_is_of_bytes),
        cmocka_unit_test(case_is_ignored_in_ascii_only),
        cmocka_unit_test(order_is_bytewise_and_the_shorter_first),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(cutting_gives_each_part_and_ends),
        cmocka_unit_test(trimming_takes_blanks_and_tabs),
        cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
