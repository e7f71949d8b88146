/* clock.c - reading the clocks, and RFC 3339. */
#include "common/clock.h"

#include <stdio.h>
#include <time.h>

#define MS_PER_S      1000
#define S_PER_DAY     86400
#define AT_S_MAX      253402300799 /* 9999-12-31T23:59:59Z */
#define DATE_TIME_LEN 19           /* "2026-11-21T10:00:00" */

static struct timespec read_clock(clockid_t id)
{
    struct timespec now;
    SL_ASSERT(clock_gettime(id, &now) == 0);
    return now;
}

int64_t sl_clock_wall_ms(void)
{
    const struct timespec now = read_clock(CLOCK_REALTIME);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / 1000000;
}

int64_t sl_clock_mono_us(void)
{
    const struct timespec now = read_clock(CLOCK_MONOTONIC);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t sl_clock_mono_ms(void)
{
    return sl_clock_mono_us() / 1000;
}

void sl_clock_format_iso(int64_t at_ms, char ret_text[SL_CLOCK_ISO_BYTES])
{
    const int64_t last_ms = (int64_t)AT_S_MAX * MS_PER_S + MS_PER_S - 1;
    const int64_t clamped_ms = at_ms < 0 ? 0 : at_ms > last_ms ? last_ms : at_ms;
    const time_t at_s = (time_t)(clamped_ms / MS_PER_S);
    struct tm utc;
    SL_ASSERT(gmtime_r(&at_s, &utc) != NULL);
    char second[DATE_TIME_LEN + 1];
    SL_ASSERT(strftime(second, sizeof(second), "%Y-%m-%dT%H:%M:%S", &utc) == DATE_TIME_LEN);
    (void)snprintf(ret_text, SL_CLOCK_ISO_BYTES, "%s.%03dZ", second, (int)(clamped_ms % MS_PER_S));
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar, counted from March so that the leap day comes last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    const int64_t shifted_year = month > 2 ? year : year - 1;
    const int64_t shifted_month = month > 2 ? month - 3 : month + 9;
    const int64_t day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    const int64_t days_before = shifted_year * 365 + shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    return days_before + day_of_year - 719468;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int8_t DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : DAYS[month - 1];
}

/* Exactly `digits` decimal digits at the beginning of `*rest`, then `follower` unless that is NUL. */
static bool take_number(struct sl_str *rest, size_t digits, char follower, int64_t *ret_value)
{
    const size_t needed = digits + (follower != '\0' ? 1 : 0);
    if (rest->len < needed || (follower != '\0' && rest->ptr[digits] != follower)) {
        return false;
    }
    int64_t value = 0;
    for (size_t i = 0; i < digits; i++) {
        if (rest->ptr[i] < '0' || rest->ptr[i] > '9') {
            return false;
        }
        value = value * 10 + (rest->ptr[i] - '0');
    }
    *rest = (struct sl_str){.ptr = rest->ptr + needed, .len = rest->len - needed};
    *ret_value = value;
    return true;
}

static bool take_date(struct sl_str *rest, int64_t *ret_days)
{
    int64_t year, month, day;
    if (!take_number(rest, 4, '-', &year) || !take_number(rest, 2, '-', &month) || !take_number(rest, 2, '\0', &day)) {
        return false;
    }
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) {
        return false;
    }
    *ret_days = days_of(year, month, day);
    return true;
}

/* ".123456": milliseconds, what is finer is cut off. Absent is 0. */
static bool take_fraction(struct sl_str *rest, int64_t *ret_ms)
{
    int64_t ms = 0;
    if (rest->len > 0 && rest->ptr[0] == '.') {
        size_t i = 1;
        for (int64_t weight = 100; i < rest->len && rest->ptr[i] >= '0' && rest->ptr[i] <= '9'; i++, weight /= 10) {
            ms += (rest->ptr[i] - '0') * weight;
        }
        if (i == 1) {
            return false;
        }
        *rest = (struct sl_str){.ptr = rest->ptr + i, .len = rest->len - i};
    }
    *ret_ms = ms;
    return true;
}

/* "Z" or "+02:00", and nothing behind it. */
static bool take_offset(struct sl_str *rest, int64_t *ret_s)
{
    if (rest->len == 1 && (rest->ptr[0] == 'Z' || rest->ptr[0] == 'z')) {
        *ret_s = 0;
        return true;
    }
    if (rest->len == 0 || (rest->ptr[0] != '+' && rest->ptr[0] != '-')) {
        return false;
    }
    const int64_t sign = rest->ptr[0] == '-' ? -1 : 1;
    *rest = (struct sl_str){.ptr = rest->ptr + 1, .len = rest->len - 1};
    int64_t hours, minutes;
    if (!take_number(rest, 2, ':', &hours) || !take_number(rest, 2, '\0', &minutes) || rest->len != 0) {
        return false;
    }
    if (hours > 23 || minutes > 59) {
        return false;
    }
    *ret_s = sign * (hours * 3600 + minutes * 60);
    return true;
}

static bool parse_rfc3339(struct sl_str rest, int64_t *ret_at_ms)
{
    int64_t days, hours, minutes, seconds, ms, offset_s;
    if (!take_date(&rest, &days) || rest.len == 0) {
        return false;
    }
    if (rest.ptr[0] != 'T' && rest.ptr[0] != 't' && rest.ptr[0] != ' ') {
        return false;
    }
    rest = (struct sl_str){.ptr = rest.ptr + 1, .len = rest.len - 1};
    if (!take_number(&rest, 2, ':', &hours) || !take_number(&rest, 2, ':', &minutes) ||
        !take_number(&rest, 2, '\0', &seconds) || !take_fraction(&rest, &ms) || !take_offset(&rest, &offset_s)) {
        return false;
    }
    /* 60 is a leap second: the first of the next minute, as Unix time has it. */
    if (hours > 23 || minutes > 59 || seconds > 60) {
        return false;
    }
    const int64_t at_s = days * S_PER_DAY + hours * 3600 + minutes * 60 + seconds - offset_s;
    if (at_s < 0 || at_s > AT_S_MAX) {
        return false;
    }
    *ret_at_ms = at_s * MS_PER_S + ms;
    return true;
}

bool sl_clock_parse(struct sl_str text, int64_t *ret_at_ms)
{
    int64_t at_s;
    if (text.len > 0 && text.ptr[0] != '-' && sl_str_to_int64(text, &at_s)) {
        if (at_s > AT_S_MAX) {
            return false;
        }
        *ret_at_ms = at_s * MS_PER_S;
        return true;
    }
    return parse_rfc3339(text, ret_at_ms);
}
