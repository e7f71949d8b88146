/* headers.c - see headers.h. Linear search: a request has a dozen fields. */
#include "web/headers.h"

bool headers_add(struct headers *headers, struct sl_str name, struct sl_str value)
{
    if (headers->count == HEADERS_MAX)
        return false;
    headers->items[headers->count++] = (struct header){.name = name, .value = value};
    return true;
}

size_t headers_count(const struct headers *headers, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < headers->count; i++)
        count += sl_str_equal_ignore_case(headers->items[i].name, sl_str_of(name));
    return count;
}

struct sl_str headers_get(const struct headers *headers, const char *name)
{
    for (size_t i = 0; i < headers->count; i++) {
        if (sl_str_equal_ignore_case(headers->items[i].name, sl_str_of(name)))
            return sl_str_trim(headers->items[i].value);
    }
    return SL_STR_NONE;
}

bool headers_has(const struct headers *headers, const char *name)
{
    return headers_count(headers, name) > 0;
}

bool headers_value_is_plain(struct sl_str value, size_t len_max, bool blanks)
{
    if (value.len == 0 || value.len > len_max)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.ptr[i];
        if (byte > 0x7e || byte < (blanks ? 0x20 : 0x21))
            return false;
    }
    return true;
}
