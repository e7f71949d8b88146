/* detail.h - small JSON objects made of text members: a job's args, an audit's detail. Pure; any thread. */
#ifndef DECIDE_DETAIL_H
#define DECIDE_DETAIL_H

#include "common/arena.h"

struct detail {
    const char *name; /* static, needs no escaping */
    struct sl_str value;
};

/* {"name":"value",…} in the arena, without the members whose value is empty; the empty string when nothing is left.
 * Values are escaped as RFC 8259 wants; U+0000, which jsonb can't hold, becomes U+FFFD. */
struct sl_str detail_object(struct sl_arena *arena, const struct detail *members, size_t member_count);

/* The text member `name` of a flat JSON object, unescaped, in the arena where it has escapes, else borrowed; the empty
 * string when it is missing or no text. Reads what detail_object writes and what Postgres makes of it (jsonb). */
struct sl_str detail_text(struct sl_arena *arena, struct sl_str object, const char *name);

/* "2026-01-31T12:00:00Z" of Unix seconds, in the arena; the empty string for 0 and before, or past the year 9999. */
struct sl_str detail_time(struct sl_arena *arena, int64_t at_s);
struct sl_str detail_number(struct sl_arena *arena, int64_t number); /* its decimal text */

#endif
