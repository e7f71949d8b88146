/* calendar_test.c - UTC's days: known dates, and every day of four centuries in its order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base.h"
#include "worker/decide/calendar.h"

static void test_known_dates(void **state)
{
    (void)state;
    static const struct {
        int64_t day;
        struct calendar_date date;
    } DATES[] = {
        {0, {1970, 1, 1}},      {58, {1970, 2, 28}},    {59, {1970, 3, 1}},        {11016, {2000, 2, 29}},
        {11017, {2000, 3, 1}},  {19782, {2024, 2, 29}}, {20484, {2026, 1, 31}},    {20485, {2026, 2, 1}},
        {47540, {2100, 2, 28}}, {47541, {2100, 3, 1}},  {2932896, {9999, 12, 31}},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(DATES); i++) {
        struct calendar_date date = calendar_date_of(DATES[i].day);
        assert_int_equal(date.year, DATES[i].date.year);
        assert_int_equal(date.month, DATES[i].date.month);
        assert_int_equal(date.day, DATES[i].date.day);
    }
}

static int days_of(int year, int month)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leaps = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return DAYS[month - 1] + (month == 2 && leaps ? 1 : 0);
}

static void test_every_day_follows_the_one_before(void **state)
{
    (void)state;
    struct calendar_date today = {1970, 1, 1};
    for (int64_t day = 0; day < 146097; day++) {
        struct calendar_date date = calendar_date_of(day);
        assert_true(date.year == today.year && date.month == today.month && date.day == today.day);
        if (++today.day > days_of(today.year, today.month)) {
            today.day = 1;
            today.month = today.month % 12 + 1;
            today.year += today.month == 1;
        }
    }
}

static void test_a_month_begins_at_midnight_of_its_first(void **state)
{
    (void)state;
    assert_int_equal(calendar_day(CALENDAR_DAY_MS - 1), 0);
    assert_int_equal(calendar_day(CALENDAR_DAY_MS), 1);
    assert_int_equal(calendar_month_begin_ms(0), 0);
    assert_int_equal(calendar_month_begin_ms(31 * CALENDAR_DAY_MS - 1), 0);
    assert_int_equal(calendar_month_begin_ms(31 * CALENDAR_DAY_MS), 31 * CALENDAR_DAY_MS);
    assert_int_equal(calendar_month_begin_ms(INT64_C(1769860800123)), INT64_C(1767225600000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_dates),
        cmocka_unit_test(test_every_day_follows_the_one_before),
        cmocka_unit_test(test_a_month_begins_at_midnight_of_its_first),
    };
    return cmocka_run_group_tests_name("calendar", tests, NULL, NULL);
}
