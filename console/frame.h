/* frame.h - a piece of a stream of server-sent events, as it goes over the wire (HTML Living Standard, 9.2.6
 * "Interpreting an event stream"), shared by the streams that it goes to.
 *
 * Counted without atomics: whoever holds frames does so under one lock (hub.c).
 */
#ifndef CONSOLE_FRAME_H
#define CONSOLE_FRAME_H

#include "console/cursor.h"

struct frame {
    int holders;
    size_t len;
    char text[];
};

/* An event; `data` may have any line ends, `type` loses its control characters. One holder: the caller. */
SL_MUST_CHECK struct frame *frame_event(struct stream_cursor cursor, struct sl_str type, struct sl_str data);
/* No event: sets the id that the client will resume by, and how long it waits before it connects again. */
SL_MUST_CHECK struct frame *frame_start(struct stream_cursor cursor, int retry_ms);
/* A line that clients ignore; `text` has no line end. */
SL_MUST_CHECK struct frame *frame_comment(const char *text);

struct frame *frame_hold(struct frame *frame);
void frame_release(struct frame *frame); /* the last one frees */

#endif
