/* buf.c - growing bytes under a maximum.
 *
 * Invariants (buf_check): 1. len <= len_max; 2. data is NULL, or cap > len and data[len] is NUL.
 */
#include "common/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAP_FIRST 64

static void buf_check(const struct sl_buf *buf)
{
    SL_ASSERT(buf->len <= buf->len_max);
    SL_ASSERT(buf->data == NULL ? buf->len == 0 : buf->cap > buf->len && buf->data[buf->len] == '\0');
}

void sl_buf_init(struct sl_buf *buf, size_t len_max)
{
    SL_ASSERT(len_max < SIZE_MAX / 2);
    *buf = (struct sl_buf){.len_max = len_max};
}

void sl_buf_deinit(struct sl_buf *buf)
{
    free(buf->data);
    *buf = (struct sl_buf){.len_max = buf->len_max};
}

void sl_buf_reset(struct sl_buf *buf)
{
    buf->len = 0;
    buf->overflow = false;
    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}

/* Room for `len` more bytes and the NUL. Once overflowed, refuses until the reset: no text with a hole in it. */
static bool reserve(struct sl_buf *buf, size_t len)
{
    buf_check(buf);
    if (buf->overflow || len > buf->len_max - buf->len) {
        buf->overflow = true;
        return false;
    }
    const size_t needed = buf->len + len + 1;
    if (needed > buf->cap) {
        size_t cap = buf->cap < CAP_FIRST ? CAP_FIRST : buf->cap * 2;
        if (cap > buf->len_max + 1) {
            cap = buf->len_max + 1;
        }
        if (cap < needed) {
            cap = needed;
        }
        buf->data = sl_realloc(buf->data, cap);
        buf->data[buf->len] = '\0';
        buf->cap = cap;
    }
    return true;
}

bool sl_buf_append(struct sl_buf *buf, const void *bytes, size_t len)
{
    SL_ASSERT(len == 0 || bytes != NULL);
    if (!reserve(buf, len)) {
        return false;
    }
    if (len > 0) {
        memcpy(buf->data + buf->len, bytes, len);
        buf->len += len;
        buf->data[buf->len] = '\0';
    }
    return true;
}

bool sl_buf_append_str(struct sl_buf *buf, struct sl_str text)
{
    return sl_buf_append(buf, text.ptr, text.len);
}

bool sl_buf_append_cstr(struct sl_buf *buf, const char *text)
{
    return sl_buf_append_str(buf, sl_str_of(text));
}

bool sl_buf_append_char(struct sl_buf *buf, char byte)
{
    return sl_buf_append(buf, &byte, 1);
}

bool sl_buf_printf(struct sl_buf *buf, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    const int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    /* Negative: longer than INT_MAX, or not printable in this locale. */
    bool fits = len >= 0 && reserve(buf, (size_t)len);
    if (fits) {
        (void)vsnprintf(buf->data + buf->len, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    } else {
        buf->overflow = true;
    }
    va_end(again);
    return fits;
}

struct sl_str sl_buf_str(const struct sl_buf *buf)
{
    return (struct sl_str){.ptr = buf->data, .len = buf->len};
}

char *sl_buf_take(struct sl_buf *buf)
{
    char *data = buf->data != NULL ? buf->data : sl_strdup("");
    *buf = (struct sl_buf){.len_max = buf->len_max};
    return data;
}
