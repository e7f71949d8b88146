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

#endif
