/* utf8.c - well-formed UTF-8 by the table of RFC 3629, section 4. */
#include "common/utf8.h"

#include <string.h>

/* The lead byte fixes the length, and what the second byte may be; the others are 80..BF. */
struct form {
    unsigned char lead_first, lead_last;
    unsigned char second_first, second_last;
    size_t bytes;
};

static const struct form FORMS[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3},
    {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

static bool is_tail(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

static size_t bytes_of_form(const struct form *form, const char *at, size_t left)
{
    const unsigned char second = left > 1 ? (unsigned char)at[1] : 0;
    if (left < form->bytes || second < form->second_first || second > form->second_last) {
        return 0;
    }
    for (size_t i = 2; i < form->bytes; i++) {
        if (!is_tail(at[i])) {
            return 0;
        }
    }
    return form->bytes;
}

size_t sl_utf8_bytes_at(struct sl_str text, size_t index)
{
    if (index >= text.len) {
        return 0;
    }
    const unsigned char lead = (unsigned char)text.ptr[index];
    if (lead < 0x80) {
        return 1;
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(FORMS); i++) {
        if (lead >= FORMS[i].lead_first && lead <= FORMS[i].lead_last) {
            return bytes_of_form(&FORMS[i], text.ptr + index, text.len - index);
        }
    }
    return 0;
}

uint32_t sl_utf8_code_at(struct sl_str text, size_t index)
{
    static const uint32_t LEAD_BITS[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    const size_t bytes = sl_utf8_bytes_at(text, index);
    SL_ASSERT(bytes > 0 && bytes < SL_ARRAY_LEN(LEAD_BITS));
    uint32_t code = (unsigned char)text.ptr[index] & LEAD_BITS[bytes];
    for (size_t i = 1; i < bytes; i++) {
        code = code << 6 | ((unsigned char)text.ptr[index + i] & 0x3F);
    }
    return code;
}

bool sl_utf8_is_valid(struct sl_str text)
{
    for (size_t i = 0; i < text.len;) {
        const size_t bytes = sl_utf8_bytes_at(text, i);
        if (bytes == 0) {
            return false;
        }
        i += bytes;
    }
    return true;
}

bool sl_utf8_is_text(struct sl_str text)
{
    return sl_utf8_is_valid(text) && (text.len == 0 || memchr(text.ptr, '\0', text.len) == NULL);
}

bool sl_utf8_is_plain(struct sl_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7F) {
            return false;
        }
    }
    return sl_utf8_is_valid(text);
}

struct sl_str sl_utf8_cut(struct sl_str text, size_t bytes_max)
{
    if (text.len <= bytes_max) {
        return text;
    }
    /* A character has three tail bytes at most; more of them is not UTF-8, and any place is as good as another. */
    size_t len = bytes_max;
    for (size_t back = 0; back < 3 && len > 0 && is_tail(text.ptr[len]); back++) {
        len--;
    }
    if (is_tail(text.ptr[len])) {
        len = bytes_max;
    }
    return (struct sl_str){.ptr = text.ptr, .len = len};
}
