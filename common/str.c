/* str.c - borrowed strings: comparing, cutting, reading a number. */
#include "common/str.h"

#include <string.h>

struct sl_str sl_str_of(const char *text)
{
    return text == NULL ? SL_STR_NONE : (struct sl_str){.ptr = text, .len = strlen(text)};
}

bool sl_str_equal(struct sl_str a, struct sl_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Not tolower(): that one asks the locale. */
static unsigned char ascii_lower(char byte)
{
    const unsigned char value = (unsigned char)byte;
    return value >= 'A' && value <= 'Z' ? (unsigned char)(value + ('a' - 'A')) : value;
}

bool sl_str_equal_ignore_case(struct sl_str a, struct sl_str b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool sl_str_is(struct sl_str a, const char *text)
{
    return sl_str_equal(a, sl_str_of(text));
}

bool sl_str_starts_with(struct sl_str a, struct sl_str prefix)
{
    return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.ptr, prefix.ptr, prefix.len) == 0);
}

bool sl_str_empty(struct sl_str a)
{
    return a.len == 0;
}

int sl_str_compare(struct sl_str a, struct sl_str b)
{
    const size_t common = a.len < b.len ? a.len : b.len;
    const int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, common);
    if (order != 0) {
        return order;
    }
    return (a.len > b.len) - (a.len < b.len);
}

struct sl_str sl_str_cut(struct sl_str *rest, char separator)
{
    const struct sl_str whole = *rest;
    const char *found = whole.len == 0 ? NULL : memchr(whole.ptr, separator, whole.len);
    if (found == NULL) {
        *rest = SL_STR_NONE;
        return whole;
    }
    const size_t before = (size_t)(found - whole.ptr);
    *rest = (struct sl_str){.ptr = found + 1, .len = whole.len - before - 1};
    return (struct sl_str){.ptr = whole.ptr, .len = before};
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

struct sl_str sl_str_trim(struct sl_str a)
{
    while (a.len > 0 && is_blank(a.ptr[0])) {
        a.ptr++;
        a.len--;
    }
    while (a.len > 0 && is_blank(a.ptr[a.len - 1])) {
        a.len--;
    }
    return a;
}

bool sl_str_to_int64(struct sl_str a, int64_t *ret_value)
{
    const bool negative = a.len > 0 && a.ptr[0] == '-';
    size_t i = negative ? 1 : 0;
    if (i == a.len) {
        return false;
    }
    /* Counted downwards: the negative range is the larger one by one. */
    int64_t value = 0;
    for (; i < a.len; i++) {
        if (a.ptr[i] < '0' || a.ptr[i] > '9') {
            return false;
        }
        const int64_t digit = a.ptr[i] - '0';
        if (value < (INT64_MIN + digit) / 10) {
            return false;
        }
        value = value * 10 - digit;
    }
    if (!negative && value == INT64_MIN) {
        return false;
    }
    *ret_value = negative ? value : -value;
    return true;
}
