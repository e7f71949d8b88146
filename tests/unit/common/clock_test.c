/* clock_test.c - times to text and back, and what is no time. */
#include "tests/unit/cmocka_all.h"

#include <time.h>

#include "common/clock.h"

static void clocks_go_forward_and_agree(void **state)
{
    (void)state;
    const int64_t before_ms = sl_clock_mono_ms();
    const int64_t before_us = sl_clock_mono_us();
    assert_true(sl_clock_mono_us() >= before_us);
    assert_true(before_us / 1000 >= before_ms);
    assert_true(sl_clock_wall_ms() / 1000 >= time(NULL) - 1);
}

static void formatting(void **state)
{
    (void)state;
    static const struct {
        int64_t at_ms;
        const char *text;
    } CASES[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1, "1970-01-01T00:00:00.001Z"},
        {951782399999, "2000-02-28T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {1795255200000, "2026-11-21T10:00:00.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {253402300800000, "9999-12-31T23:59:59.999Z"}, /* clamped */
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {-1, "1970-01-01T00:00:00.000Z"},
        {INT64_MIN, "1970-01-01T00:00:00.000Z"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(CASES); i++) {
        char text[SL_CLOCK_ISO_BYTES];
        sl_clock_format_iso(CASES[i].at_ms, text);
        assert_string_equal(text, CASES[i].text);
    }
}

static void parsing(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t at_ms; /* -1: refused */
    } CASES[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-21T10:00:00Z", 1795255200000},
        {"2026-11-21t10:00:00.5z", 1795255200500},
        {"2026-11-21 10:00:00.123456789Z", 1795255200123},
        {"2026-11-21T12:30:00+02:30", 1795255200000},
        {"2026-11-21T02:00:00.250-08:00", 1795255200250},
        {"2024-02-29T00:00:00Z", 1709164800000},
        {"1998-12-31T23:59:60Z", 915148800000}, /* a leap second */
        {"9999-12-31T23:59:59.999Z", 253402300799999},
        {"1795255200", 1795255200000},
        {"0", 0},
        {"253402300799", 253402300799000},
        {"253402300800", -1},
        {"99999999999999999999", -1},
        {"-1", -1},
        {"1795255200.5", -1},
        {"", -1},
        {"now", -1},
        {"0001-01-01T00:00:00Z", -1}, /* how Go writes "never" */
        {"1969-12-31T23:59:59Z", -1},
        {"1970-01-01T00:00:00+00:01", -1},
        {"9999-12-31T23:59:59-00:01", -1},
        {"2023-02-29T00:00:00Z", -1},
        {"1900-02-29T00:00:00Z", -1},
        {"2026-13-01T00:00:00Z", -1},
        {"2026-00-01T00:00:00Z", -1},
        {"2026-04-31T00:00:00Z", -1},
        {"2026-11-00T00:00:00Z", -1},
        {"2026-11-21T24:00:00Z", -1},
        {"2026-11-21T10:60:00Z", -1},
        {"2026-11-21T10:00:61Z", -1},
        {"2026-11-21T10:00:00", -1}, /* no offset: whose time? */
        {"2026-11-21T10:00:00.Z", -1},
        {"2026-11-21T10:00:00Zx", -1},
        {"2026-11-21T10:00:00+0230", -1},
        {"2026-11-21T10:00:00+24:00", -1},
        {"2026-11-21T10:00:00+02:60", -1},
        {"2026-11-21T10:00:00+02:3", -1},
        {"2026-11-21T10:00:00+02:300", -1},
        {"2026-11-21", -1},
        {"2026-11-21T", -1},
        {"2026-11-21X10:00:00Z", -1},
        {"26-11-21T10:00:00Z", -1},
        {"2026-11-21T1a:00:00Z", -1},
        {" 2026-11-21T10:00:00Z", -1},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(CASES); i++) {
        int64_t at_ms = -1;
        const bool good = sl_clock_parse(sl_str_of(CASES[i].text), &at_ms);
        if (good != (CASES[i].at_ms >= 0) || at_ms != CASES[i].at_ms) {
            fail_msg("\"%s\" gives %lld", CASES[i].text, (long long)at_ms);
        }
    }
}

static void what_is_formatted_is_parsed_to_the_same(void **state)
{
    (void)state;
    for (int64_t at_ms = 0; at_ms < 253402300800000; at_ms += 39916801001) { /* some 6,000 times over all years */
        char text[SL_CLOCK_ISO_BYTES];
        sl_clock_format_iso(at_ms, text);
        int64_t again_ms = -1;
        assert_true(sl_clock_parse(sl_str_of(text), &again_ms));
        assert_int_equal(again_ms, at_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_go_forward_and_agree),
        cmocka_unit_test(formatting),
        cmocka_unit_test(parsing),
        cmocka_unit_test(what_is_formatted_is_parsed_to_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
