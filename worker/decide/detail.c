/* detail.c - see detail.h. Two passes of one writer: the first counts, the second writes. The reader knows flat objects
 * alone. */
#include "worker/decide/detail.h"

#include <string.h>

#include "worker/decide/calendar.h"

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

struct reader {
    struct sl_str rest;
};

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static char next_byte(struct reader *reader)
{
    while (reader->rest.len && is_blank(reader->rest.ptr[0]))
        reader->rest = (struct sl_str){.ptr = reader->rest.ptr + 1, .len = reader->rest.len - 1};
    return reader->rest.len ? reader->rest.ptr[0] : '\0';
}

static bool take(struct reader *reader, char byte)
{
    if (byte == '\0' || next_byte(reader) != byte)
        return false;
    reader->rest = (struct sl_str){.ptr = reader->rest.ptr + 1, .len = reader->rest.len - 1};
    return true;
}

/* What stands between the quotes, escapes and all. */
static bool take_text(struct reader *reader, struct sl_str *ret_raw)
{
    if (!take(reader, '"'))
        return false;
    struct sl_str rest = reader->rest;
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.ptr[i] == '"') {
            *ret_raw = (struct sl_str){.ptr = rest.ptr, .len = i};
            reader->rest = (struct sl_str){.ptr = rest.ptr + i + 1, .len = rest.len - i - 1};
            return true;
        }
        i += rest.ptr[i] == '\\';
    }
    return false;
}

static bool hex4(struct sl_str text, unsigned *ret_value)
{
    unsigned value = 0;
    for (size_t i = 0; i < 4; i++) {
        char byte = i < text.len ? text.ptr[i] : '\0';
        if (byte >= '0' && byte <= '9')
            value = value * 16 + (unsigned)(byte - '0');
        else if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f')
            value = value * 16 + (unsigned)((byte | 0x20) - 'a') + 10;
        else
            return false;
    }
    *ret_value = value;
    return true;
}

/* RFC 3629; a half surrogate becomes U+FFFD. */
static void put_code_point(struct writer *writer, unsigned code)
{
    if (code >= 0xd800 && code < 0xe000)
        code = 0xfffd;
    const char two[] = {(char)(0xc0 | code >> 6), (char)(0x80 | (code & 63))};
    const char three[] = {(char)(0xe0 | code >> 12), (char)(0x80 | (code >> 6 & 63)), (char)(0x80 | (code & 63))};
    const char four[] = {(char)(0xf0 | code >> 18), (char)(0x80 | (code >> 12 & 63)), (char)(0x80 | (code >> 6 & 63)),
                         (char)(0x80 | (code & 63))};
    const char one = (char)code;
    if (code < 0x80)
        put(writer, &one, 1);
    else if (code < 0x800)
        put(writer, two, sizeof(two));
    else if (code < 0x10000)
        put(writer, three, sizeof(three));
    else
        put(writer, four, sizeof(four));
}

static struct sl_str behind(struct sl_str text, size_t bytes)
{
    bytes = bytes < text.len ? bytes : text.len;
    return (struct sl_str){.ptr = text.ptr + bytes, .len = text.len - bytes};
}

/* One escape, `raw` at its backslash; gives what follows it. */
static struct sl_str unescape_one(struct writer *writer, struct sl_str raw)
{
    static const char NAMED[] = "bfnrt", MEANT[] = "\b\f\n\r\t";
    unsigned code = 0, low = 0;
    char byte = raw.len > 1 ? raw.ptr[1] : '\\';
    if (byte == 'u' && hex4(behind(raw, 2), &code)) {
        raw = behind(raw, 6);
        bool is_pair = code >= 0xd800 && code < 0xdc00 && raw.len >= 6 && raw.ptr[0] == '\\' && raw.ptr[1] == 'u' &&
                       hex4(behind(raw, 2), &low) && low >= 0xdc00 && low < 0xe000;
        put_code_point(writer, is_pair ? 0x10000 + (code - 0xd800) * 0x400 + (low - 0xdc00) : code);
        return is_pair ? behind(raw, 6) : raw;
    }
    const char *named = memchr(NAMED, byte, sizeof(NAMED) - 1);
    put(writer, named ? &MEANT[named - NAMED] : &byte, 1);
    return behind(raw, 2);
}

static struct sl_str unescaped(struct sl_arena *arena, struct sl_str raw)
{
    if (!raw.len || !memchr(raw.ptr, '\\', raw.len))
        return raw;
    struct writer writer = {.text = sl_arena_alloc(arena, raw.len + 1, 1)}; /* escapes only shrink */
    while (raw.len) {
        if (raw.ptr[0] == '\\') {
            raw = unescape_one(&writer, raw);
        } else {
            put(&writer, raw.ptr, 1);
            raw = behind(raw, 1);
        }
    }
    return (struct sl_str){.ptr = writer.text, .len = writer.len};
}

/* A number or a word; an object or array ends the reading: there are none in what is read here. */
static bool skip_scalar(struct reader *reader)
{
    size_t len = 0;
    if (next_byte(reader) == '{' || next_byte(reader) == '[')
        return false;
    while (len < reader->rest.len && reader->rest.ptr[len] != ',' && reader->rest.ptr[len] != '}')
        len++;
    reader->rest = behind(reader->rest, len);
    return len > 0;
}

struct sl_str detail_text(struct sl_arena *arena, struct sl_str object, const char *name)
{
    struct reader reader = {.rest = object};
    struct sl_str key = SL_STR_NONE, value = SL_STR_NONE;
    if (!take(&reader, '{'))
        return SL_STR_NONE;
    do {
        if (!take_text(&reader, &key) || !take(&reader, ':'))
            return SL_STR_NONE;
        bool is_text = next_byte(&reader) == '"';
        if (is_text ? !take_text(&reader, &value) : !skip_scalar(&reader))
            return SL_STR_NONE;
        if (sl_str_is(key, name))
            return is_text ? unescaped(arena, value) : SL_STR_NONE;
    } while (take(&reader, ','));
    return SL_STR_NONE;
}

#define SECONDS_A_DAY 86400
#define TIME_MAX_S    INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

struct sl_str detail_time(struct sl_arena *arena, int64_t at_s)
{
    if (at_s <= 0 || at_s > TIME_MAX_S)
        return SL_STR_NONE;
    struct calendar_date date = calendar_date_of(at_s / SECONDS_A_DAY);
    int second = (int)(at_s % SECONDS_A_DAY);
    return sl_arena_printf(arena, "%04d-%02d-%02dT%02d:%02d:%02dZ", date.year, date.month, date.day, second / 3600,
                           second / 60 % 60, second % 60);
}

struct sl_str detail_number(struct sl_arena *arena, int64_t number)
{
    return sl_arena_printf(arena, "%lld", (long long)number);
}
