/* stream_fuzz.c - any Last-Event-ID: what is taken as a cursor is written again just so; any type and data: the frame
 * is one event, with this id and this data, as a client reads it (HTML Living Standard, 9.2.6).
 *
 * Input: the cursor, up to the first NUL; the type, up to the next; the data.
 */
#include <string.h>

#include "common/buf.h"
#include "console/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct stream_cursor check_cursor(struct sl_str text)
{
    struct stream_cursor cursor = {.partition = 1, .next_offset = 2};
    struct page_cursor page;
    char again[CURSOR_TEXT_BYTES];
    if (stream_cursor_parse(text, &cursor)) {
        SL_ASSERT(cursor.partition >= 0 && cursor.next_offset >= 0);
        stream_cursor_format(cursor, again);
        SL_ASSERT(sl_str_is(text, again));
    }
    if (page_cursor_parse(text, &page))
        SL_ASSERT(page.number >= 0);
    return cursor;
}

/* The data as the client will put it together: every kind of line end is a newline. */
static void normalise(struct sl_str data, struct sl_buf *out)
{
    for (size_t i = 0; i < data.len; i++) {
        bool pair = data.ptr[i] == '\r' && i + 1 < data.len && data.ptr[i + 1] == '\n';
        (void)sl_buf_append_char(out, data.ptr[i] == '\r' ? '\n' : data.ptr[i]);
        i += pair;
    }
}

static void check_frame(struct stream_cursor cursor, struct sl_str type, struct sl_str data)
{
    struct frame *frame = frame_event(cursor, type, data);
    struct sl_str rest = {.ptr = frame->text, .len = frame->len};
    struct sl_buf got;
    struct sl_buf expected;
    size_t ids = 0;
    size_t types = 0;
    size_t lines = 0;
    sl_buf_init(&got, 2 * data.len + 16);
    sl_buf_init(&expected, 2 * data.len + 16);
    SL_ASSERT(!memchr(frame->text, '\r', frame->len));
    while (!sl_str_empty(rest)) {
        struct sl_str line = sl_str_cut(&rest, '\n');
        if (sl_str_empty(line)) {
            SL_ASSERT(sl_str_empty(rest)); /* the event ends once, with the frame */
        } else if (sl_str_starts_with(line, SL_STR("data: "))) {
            if (lines++ > 0)
                (void)sl_buf_append_char(&got, '\n');
            (void)sl_buf_append(&got, line.ptr + 6, line.len - 6);
        } else {
            ids += sl_str_starts_with(line, SL_STR("id: "));
            types += sl_str_starts_with(line, SL_STR("event: "));
        }
    }
    normalise(data, &expected);
    SL_ASSERT(ids == 1 && types == 1 && lines >= 1);
    SL_ASSERT(sl_str_equal(sl_buf_str(&got), sl_buf_str(&expected)));
    sl_buf_deinit(&got);
    sl_buf_deinit(&expected);
    frame_release(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_str rest = {.ptr = (const char *)data, .len = size};
    struct sl_str cursor = sl_str_cut(&rest, '\0');
    struct sl_str type = sl_str_cut(&rest, '\0');
    check_frame(check_cursor(cursor), type, rest);
    return 0;
}
