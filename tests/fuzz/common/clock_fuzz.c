/* clock_fuzz.c - any text as a time, and any number as one.
 *
 * What is taken as a time lies between 1970 and 9999 and is written so that it is read again as the same; what is
 * written for a number is that number, clamped; a date, a time and an offset mean what the C library's timegm makes of
 * them.
 *
 * Input: 8 bytes, a number of milliseconds; 6 bytes, fields of a date; the text.
 */
#include <stdio.h>
#include <time.h>

#include "common/clock.h"
#include "tests/fuzz/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LAST_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

static void check_text(struct sl_str text)
{
    int64_t at_ms = -1;
    int64_t again_ms = -1;
    char iso[SL_CLOCK_ISO_BYTES];
    if (!sl_clock_parse(text, &at_ms)) {
        SL_ASSERT(at_ms == -1);
        return;
    }
    SL_ASSERT(at_ms >= 0 && at_ms <= LAST_MS);
    sl_clock_format_iso(at_ms, iso);
    SL_ASSERT(sl_clock_parse(sl_str_of(iso), &again_ms) && again_ms == at_ms);
}

static void check_number(int64_t at_ms)
{
    int64_t again_ms = -1;
    char iso[SL_CLOCK_ISO_BYTES];
    sl_clock_format_iso(at_ms, iso);
    SL_ASSERT(strlen(iso) == SL_CLOCK_ISO_BYTES - 1);
    SL_ASSERT(sl_clock_parse(sl_str_of(iso), &again_ms));
    SL_ASSERT(again_ms == (at_ms < 0 ? 0 : at_ms > LAST_MS ? LAST_MS : at_ms));
}

/* timegm takes the 31st of June for the 1st of July: then the two must differ. */
static void check_fields(struct fuzz_bytes *bytes)
{
    struct tm fields = {.tm_year = (int)(fuzz_byte(bytes) * 32 + fuzz_byte(bytes)) % 8200 - 100,
                        .tm_mon = (int)(fuzz_byte(bytes) % 13),
                        .tm_mday = (int)(fuzz_byte(bytes) % 33),
                        .tm_hour = (int)(fuzz_byte(bytes) % 25),
                        .tm_min = (int)(fuzz_byte(bytes) % 61)};
    int hours = (int)(fuzz_byte(bytes) % 24);
    char text[80];
    (void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d-%02d:30", fields.tm_year + 1900,
                   fields.tm_mon + 1, fields.tm_mday, fields.tm_hour, fields.tm_min, fields.tm_sec, hours);
    struct tm normal = fields;
    int64_t at_s = timegm(&normal);
    bool is_date = normal.tm_year == fields.tm_year && normal.tm_mon == fields.tm_mon &&
                   normal.tm_mday == fields.tm_mday && normal.tm_hour == fields.tm_hour &&
                   normal.tm_min == fields.tm_min;
    at_s += (int64_t)hours * 3600 + 1800;
    int64_t got_ms = -1;
    bool taken = sl_clock_parse(sl_str_of(text), &got_ms);
    SL_ASSERT(taken == (is_date && at_s >= 0 && at_s <= LAST_MS / 1000));
    SL_ASSERT(!taken || got_ms == at_s * 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_bytes bytes = {.at = data, .left = size};
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | fuzz_byte(&bytes);
    check_number((int64_t)number);
    check_number((int64_t)(number >> 16));
    check_fields(&bytes);
    struct sl_str text = fuzz_rest(&bytes);
    check_text(text);
    fuzz_free(text);
    return 0;
}
