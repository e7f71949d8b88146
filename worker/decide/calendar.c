/* calendar.c - see calendar.h. */
#include "worker/decide/calendar.h"

#include "common/base.h"

/* From 0000-03-01, where an era of 400 years begins, to 1970-01-01; days of such an era. */
#define DAYS_FROM_MARCH 719468
#define DAYS_AN_ERA     146097

int32_t calendar_day(int64_t at_ms)
{
    SL_ASSERT(at_ms >= 0 && at_ms / CALENDAR_DAY_MS <= INT32_MAX);
    return (int32_t)(at_ms / CALENDAR_DAY_MS);
}

/* Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days: years begin in March. */
struct calendar_date calendar_date_of(int64_t day)
{
    SL_ASSERT(day >= 0);
    int64_t days = day + DAYS_FROM_MARCH;
    int64_t era = days / DAYS_AN_ERA, day_of_era = days % DAYS_AN_ERA;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
    return (struct calendar_date){
        .year = (int)(era * 400 + year_of_era + (month <= 2)),
        .month = (int)month,
        .day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1),
    };
}

int64_t calendar_month_begin_ms(int64_t at_ms)
{
    int32_t day = calendar_day(at_ms);
    return (day - calendar_date_of(day).day + 1) * CALENDAR_DAY_MS;
}
