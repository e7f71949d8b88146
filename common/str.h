/* str.h - a borrowed run of bytes: pointer and length, not NUL-terminated, possibly empty.
 *
 * A value type: passed by value, owns nothing. `ptr` may be NULL only when `len` is 0. Absent and empty are the same.
 */
#ifndef SL_STR_H
#define SL_STR_H

#include "common/base.h"

struct sl_str {
    const char *ptr;
    size_t len;
};

#define SL_STR(literal) ((struct sl_str){.ptr = (literal), .len = sizeof(literal) - 1})
#define SL_STR_NONE     ((struct sl_str){.ptr = NULL, .len = 0})

/* printf("%" SL_STR_FMT, SL_STR_ARG(text)) */
#define SL_STR_FMT       ".*s"
#define SL_STR_ARG(text) (int)(text).len, ((text).ptr ? (text).ptr : "")

/* The string that `text` points to, without its NUL; NULL gives the empty one. Borrowed. */
struct sl_str sl_str_of(const char *text);

bool sl_str_equal(struct sl_str a, struct sl_str b);
bool sl_str_equal_ignore_case(struct sl_str a, struct sl_str b); /* ASCII only */
bool sl_str_is(struct sl_str a, const char *text);
bool sl_str_starts_with(struct sl_str a, struct sl_str prefix);
bool sl_str_empty(struct sl_str a);
int sl_str_compare(struct sl_str a, struct sl_str b); /* bytewise, shorter first; <0, 0, >0 */

/* Cuts `*rest` at the first `separator`: gives what stands before it and leaves `*rest` behind it (empty at the end).
 */
struct sl_str sl_str_cut(struct sl_str *rest, char separator);
struct sl_str sl_str_trim(struct sl_str a); /* without leading and trailing blanks and tabs */

/* A decimal integer that fills the whole string, optional leading '-'; false on anything else or overflow. */
SL_MUST_CHECK bool sl_str_to_int64(struct sl_str a, int64_t *ret_value);

#endif
