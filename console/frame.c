/* frame.c - see frame.h. */
#include "console/frame.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/kafka.h"

/* Every byte of the data may be a line end, which costs "data: " more. */
#define FRAME_BYTES_MAX ((size_t)8 * SL_KAFKA_MESSAGE_BYTES_MAX)

static struct frame *taken(struct sl_buf *text)
{
    SL_ASSERT(!text->overflow);
    struct frame *frame = sl_malloc(sizeof(*frame) + text->len);
    frame->holders = 1;
    frame->len = text->len;
    memcpy(frame->text, text->data, text->len);
    sl_buf_deinit(text);
    return frame;
}

static void append_type(struct sl_buf *text, struct sl_str type)
{
    (void)sl_buf_append_cstr(text, "event: ");
    for (size_t i = 0; i < type.len; i++) {
        if ((unsigned char)type.ptr[i] >= 0x20 && type.ptr[i] != 0x7f)
            (void)sl_buf_append_char(text, type.ptr[i]);
    }
    (void)sl_buf_append_char(text, '\n');
}

/* A line end inside of the data begins another data line: the client puts a newline in its place. */
static void append_data(struct sl_buf *text, struct sl_str data)
{
    (void)sl_buf_append_cstr(text, "data: ");
    size_t from = 0;
    for (size_t i = 0; i < data.len; i++) {
        if (data.ptr[i] != '\n' && data.ptr[i] != '\r')
            continue;
        (void)sl_buf_append(text, data.ptr + from, i - from);
        (void)sl_buf_append_cstr(text, "\ndata: ");
        if (data.ptr[i] == '\r' && i + 1 < data.len && data.ptr[i + 1] == '\n')
            i++;
        from = i + 1;
    }
    if (from < data.len)
        (void)sl_buf_append(text, data.ptr + from, data.len - from);
    (void)sl_buf_append_char(text, '\n');
}

struct frame *frame_event(struct stream_cursor cursor, struct sl_str type, struct sl_str data)
{
    struct sl_buf text;
    char id[CURSOR_TEXT_BYTES];
    sl_buf_init(&text, FRAME_BYTES_MAX);
    stream_cursor_format(cursor, id);
    (void)sl_buf_printf(&text, "id: %s\n", id);
    append_type(&text, type);
    append_data(&text, data);
    (void)sl_buf_append_char(&text, '\n');
    return taken(&text);
}

struct frame *frame_start(struct stream_cursor cursor, int retry_ms)
{
    struct sl_buf text;
    char id[CURSOR_TEXT_BYTES];
    sl_buf_init(&text, FRAME_BYTES_MAX);
    stream_cursor_format(cursor, id);
    (void)sl_buf_printf(&text, "retry: %d\nid: %s\n\n", retry_ms, id);
    return taken(&text);
}

struct frame *frame_comment(const char *words)
{
    struct sl_buf text;
    sl_buf_init(&text, FRAME_BYTES_MAX);
    (void)sl_buf_printf(&text, ": %s\n\n", words);
    return taken(&text);
}

struct frame *frame_hold(struct frame *frame)
{
    frame->holders++;
    return frame;
}

void frame_release(struct frame *frame)
{
    SL_ASSERT(frame->holders > 0);
    if (--frame->holders == 0)
        free(frame);
}
