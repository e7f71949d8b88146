/* calendar.h - days and months of UTC, by arithmetic alone: the rules have no clock and no time zone. */
#ifndef DECIDE_CALENDAR_H
#define DECIDE_CALENDAR_H

#include <stdint.h>

#define CALENDAR_DAY_MS INT64_C(86400000)

struct calendar_date {
    int year, month, day; /* 1-12, 1-31 */
};

int32_t calendar_day(int64_t at_ms);                /* days since 1970-01-01; from 1970 on */
struct calendar_date calendar_date_of(int64_t day); /* proleptic Gregorian */
int64_t calendar_month_begin_ms(int64_t at_ms);     /* the first day's midnight of the month that holds it */

#endif
