/* buf.h - a growing run of bytes with a compulsory maximum.
 *
 * Appending past the maximum sets `overflow` and keeps what was there; nothing more is taken until the reset. So
 * callers append freely and check once at the end.
 */
#ifndef SL_BUF_H
#define SL_BUF_H

#include "common/str.h"

struct sl_buf {
    char *data; /* NUL-terminated whenever not NULL */
    size_t len;
    size_t cap;
    size_t len_max;
    bool overflow;
};

void sl_buf_init(struct sl_buf *buf, size_t len_max);
void sl_buf_deinit(struct sl_buf *buf); /* idempotent; may be initialised again */
void sl_buf_reset(struct sl_buf *buf);  /* empty again, memory kept */

/* Each gives false, and sets overflow, when the maximum would be passed. */
bool sl_buf_append(struct sl_buf *buf, const void *bytes, size_t len);
bool sl_buf_append_str(struct sl_buf *buf, struct sl_str text);
bool sl_buf_append_cstr(struct sl_buf *buf, const char *text);
bool sl_buf_append_char(struct sl_buf *buf, char byte);
bool sl_buf_printf(struct sl_buf *buf, const char *format, ...) SL_PRINTF(2, 3);

struct sl_str sl_buf_str(const struct sl_buf *buf); /* borrowed until the next change */
char *sl_buf_take(struct sl_buf *buf);              /* caller frees with free(); the buffer is empty again */

#endif
