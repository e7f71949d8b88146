/* clock.h - the only place that asks what time it is. Below main, time is an argument.
 *
 * Wall-clock times are Unix milliseconds (`_at_ms`), spans are `_ms`, and spans are measured on the monotonic clock.
 */
#ifndef SL_CLOCK_H
#define SL_CLOCK_H

#include "common/str.h"

int64_t sl_clock_wall_ms(void);
int64_t sl_clock_mono_ms(void);
int64_t sl_clock_mono_us(void);

#define SL_CLOCK_ISO_BYTES 25 /* "2026-11-21T10:00:00.000Z" and NUL */
/* RFC 3339 in UTC with milliseconds; years 1970 to 9999, else clamped. */
void sl_clock_format_iso(int64_t at_ms, char ret_text[SL_CLOCK_ISO_BYTES]);
/* RFC 3339 with "Z" or a numeric offset and any fraction (cut to milliseconds), or Unix seconds as decimal digits;
 * false on anything else, and outside of 1970 to 9999 ("0001-01-01T00:00:00Z", as some APIs write "never"). */
SL_MUST_CHECK bool sl_clock_parse(struct sl_str text, int64_t *ret_at_ms);

#endif
