/* cursor.h - where a reader goes on: in a stream, and in a list. Opaque to clients, so that both may change. Pure.
 */
#ifndef CONSOLE_CURSOR_H
#define CONSOLE_CURSOR_H

#include "common/uuid.h"

#define CURSOR_TEXT_BYTES 64

/* Of a stream: the `id:` of an event, and what comes back as Last-Event-ID. Written "PARTITION-OFFSET". */
struct stream_cursor {
    int32_t partition;
    int64_t next_offset; /* the first one not seen yet */
};

void stream_cursor_format(struct stream_cursor cursor, char ret_text[CURSOR_TEXT_BYTES]);
SL_MUST_CHECK bool stream_cursor_parse(struct sl_str text, struct stream_cursor *ret_cursor);

/* Of a list: the last row shown, by the number and the id that the list is ordered by. Written "NUMBER.UUID". */
struct page_cursor {
    int64_t number;
    struct sl_uuid id;
};

SL_MUST_CHECK bool page_cursor_parse(struct sl_str text, struct page_cursor *ret_cursor);

#endif
