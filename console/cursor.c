/* cursor.c - see cursor.h. */
#include "console/cursor.h"

#include <inttypes.h>
#include <stdio.h>

#define NUMBER_DIGITS_MAX 19

/* Digits alone, as they are written: no sign, no zero in front. */
static bool parse_number(struct sl_str text, int64_t *ret_number)
{
    if (sl_str_empty(text) || text.len > NUMBER_DIGITS_MAX || text.ptr[0] < '0' || text.ptr[0] > '9' ||
        (text.len > 1 && text.ptr[0] == '0'))
        return false;
    return sl_str_to_int64(text, ret_number);
}

void stream_cursor_format(struct stream_cursor cursor, char ret_text[CURSOR_TEXT_BYTES])
{
    (void)snprintf(ret_text, CURSOR_TEXT_BYTES, "%" PRId32 "-%" PRId64, cursor.partition, cursor.next_offset);
}

bool stream_cursor_parse(struct sl_str text, struct stream_cursor *ret_cursor)
{
    struct sl_str rest = text;
    struct sl_str head = sl_str_cut(&rest, '-');
    int64_t partition;
    int64_t offset;
    if (!parse_number(head, &partition) || partition > INT32_MAX || !parse_number(rest, &offset))
        return false;
    *ret_cursor = (struct stream_cursor){.partition = (int32_t)partition, .next_offset = offset};
    return true;
}

bool page_cursor_parse(struct sl_str text, struct page_cursor *ret_cursor)
{
    struct sl_str rest = text;
    struct sl_str head = sl_str_cut(&rest, '.');
    struct page_cursor cursor;
    if (!parse_number(head, &cursor.number) || !sl_uuid_parse(rest, &cursor.id))
        return false;
    *ret_cursor = cursor;
    return true;
}
