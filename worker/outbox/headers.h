/* headers.h - a message's headers as JSON, the way the outbox table and the tables of parked and held events keep them:
 * [["name","value"], …], where a value that is no text is {"base64":"…"}. Pure, any thread.
 */
#ifndef OUTBOX_HEADERS_H
#define OUTBOX_HEADERS_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/event.h"

#define HEADERS_JSON_BYTES_MAX ((size_t)16 * 1024 * 1024) /* a message full of control characters, escaped */

/* Appends the JSON to `out`. A name that is no text is written with its bad bytes dropped. False when `out` overflowed.
 */
SL_MUST_CHECK bool headers_write(const struct sl_event_header *headers, size_t count, struct sl_buf *out);

/* The reverse; strings are made in `arena`, at most SL_EVENT_HEADERS_MAX of them are given. PERMANENT when it isn't
 * such JSON. */
SL_MUST_CHECK bool headers_read(struct sl_str json, struct sl_arena *arena,
                                struct sl_event_header ret_headers[SL_EVENT_HEADERS_MAX], size_t *ret_count,
                                struct sl_err *err);

#endif
