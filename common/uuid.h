/* uuid.h - RFC 9562 UUIDs: v5 (named: the same names give the same id) and v7 (time-ordered). A value type. */
#ifndef SL_UUID_H
#define SL_UUID_H

#include "common/str.h"

struct sl_uuid {
    uint8_t bytes[16];
};

#define SL_UUID_TEXT_BYTES 37 /* 36 characters and NUL */

SL_MUST_CHECK bool sl_uuid_parse(struct sl_str text, struct sl_uuid *ret_uuid); /* canonical 8-4-4-4-12, either case */
void sl_uuid_format(struct sl_uuid uuid, char ret_text[SL_UUID_TEXT_BYTES]);    /* lower case */
bool sl_uuid_equal(struct sl_uuid a, struct sl_uuid b);
bool sl_uuid_is_nil(struct sl_uuid uuid);
int sl_uuid_compare(struct sl_uuid a, struct sl_uuid b);

/* Name-based (SHA-1) in `space`; `parts` are joined by one NUL byte each, so that ("a","bc") and ("ab","c") differ. */
struct sl_uuid sl_uuid_v5(struct sl_uuid space, const struct sl_str *parts, size_t part_count);
/* `random` is 10 bytes from sl_random_bytes. */
struct sl_uuid sl_uuid_v7(int64_t now_ms, const uint8_t random[10]);

/* The name space of everything that Sluice derives. */
extern const struct sl_uuid SL_UUID_SPACE;

/* The operating system's random source; aborts if there is none. Called in main and in the shells, never in rules. */
void sl_random_bytes(void *memory, size_t bytes);

#endif
