/* detail.c - see detail.h. Two passes of one writer: the first counts, the second writes. */
#include "worker/decide/detail.h"

#include <string.h>

/* `text` NULL: only counts. */
struct writer {
    char *text;
    size_t len;
};

static void put(struct writer *writer, const char *bytes, size_t len)
{
    if (writer->text)
        memcpy(writer->text + writer->len, bytes, len);
    writer->len += len;
}

static void put_escaped(struct writer *writer, struct sl_str value)
{
    static const char HEX[] = "0123456789abcdef";
    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.ptr[i];
        if (byte == '"' || byte == '\\') {
            put(writer, "\\", 1);
            put(writer, &value.ptr[i], 1);
        } else if (byte == 0) {
            put(writer, "\\ufffd", 6);
        } else if (byte < 0x20) {
            const char escape[6] = {'\\', 'u', '0', '0', HEX[byte >> 4], HEX[byte & 15]};
            put(writer, escape, sizeof(escape));
        } else {
            put(writer, &value.ptr[i], 1);
        }
    }
}

static void put_object(struct writer *writer, const struct detail *members, size_t member_count)
{
    const char *before = "{\"";
    for (size_t i = 0; i < member_count; i++) {
        if (sl_str_empty(members[i].value))
            continue;
        put(writer, before, strlen(before));
        put(writer, members[i].name, strlen(members[i].name));
        put(writer, "\":\"", 3);
        put_escaped(writer, members[i].value);
        put(writer, "\"", 1);
        before = ",\"";
    }
    if (writer->len)
        put(writer, "}", 1);
}

struct sl_str detail_object(struct sl_arena *arena, const struct detail *members, size_t member_count)
{
    struct writer counter = {.text = NULL};
    put_object(&counter, members, member_count);
    if (counter.len == 0)
        return SL_STR_NONE;
    struct writer writer = {.text = sl_arena_alloc(arena, counter.len + 1, 1)};
    put_object(&writer, members, member_count);
    return (struct sl_str){.ptr = writer.text, .len = writer.len};
}
