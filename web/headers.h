/* headers.h - the header fields of one request: a small table of borrowed names and values.
 *
 * Filled by server.c, read by everything that judges a request. Names compare without regard to ASCII case (RFC
 * 9110, 5.1). A plain value; the strings belong to whoever filled it.
 */
#ifndef WEB_HEADERS_H
#define WEB_HEADERS_H

#include "common/str.h"

#define HEADERS_MAX 64

struct header {
    struct sl_str name;
    struct sl_str value;
};

struct headers {
    struct header items[HEADERS_MAX];
    size_t count;
};

/* False when the table is full. */
SL_MUST_CHECK bool headers_add(struct headers *headers, struct sl_str name, struct sl_str value);
/* How often the field was sent as a line of its own. */
size_t headers_count(const struct headers *headers, const char *name);
/* The first one's value, without blanks around it; empty when absent. */
struct sl_str headers_get(const struct headers *headers, const char *name);
bool headers_has(const struct headers *headers, const char *name);

/* 1 to `len_max` bytes of visible ASCII, blanks inside allowed where `blanks` says so: what may go on as an id. */
bool headers_value_is_plain(struct sl_str value, size_t len_max, bool blanks);

#endif
