/* template.c - one pass over a text, line by line. */
#include "worker/execute/template.h"

#include <string.h>

#include "common/utf8.h"

#define NAME_BYTES 64

static size_t find(struct sl_str text, const char *mark)
{
    const char *at = text.len > 0 ? memmem(text.ptr, text.len, mark, strlen(mark)) : NULL;
    return at ? (size_t)(at - text.ptr) : text.len;
}

static struct sl_str behind(struct sl_str text, size_t len)
{
    return len < text.len ? (struct sl_str){.ptr = text.ptr + len, .len = text.len - len} : SL_STR_NONE;
}

/* Cuts `*rest` behind its first placeholder: what stands before it, and its name; false when there is none (more). */
static bool next_placeholder(struct sl_str *rest, struct sl_str *ret_before, struct sl_str *ret_name)
{
    size_t begin = find(*rest, "{{");
    struct sl_str inside = behind(*rest, begin + 2);
    size_t end = find(inside, "}}");
    if (begin == rest->len || end == inside.len)
        return false;
    *ret_before = (struct sl_str){.ptr = rest->ptr, .len = begin};
    *ret_name = (struct sl_str){.ptr = inside.ptr, .len = end};
    *rest = behind(inside, end + 2);
    return true;
}

static bool is_known(struct sl_str name, const char *const *names, size_t name_count)
{
    for (size_t i = 0; i < name_count; i++)
        if (sl_str_is(name, names[i]))
            return true;
    return false;
}

static bool check_line(struct sl_str line, int number, const char *const *names, size_t name_count, struct sl_err *err)
{
    struct sl_str before;
    struct sl_str name;
    while (next_placeholder(&line, &before, &name))
        if (!is_known(name, names, name_count))
            return sl_err_set(err, SL_ERR_PERMANENT, "line %d: there is no value for {{%.*s}} here", number,
                              name.len < NAME_BYTES ? (int)name.len : NAME_BYTES, name.ptr);
    if (find(line, "{{") < line.len)
        return sl_err_set(err, SL_ERR_PERMANENT, "line %d: a placeholder is not closed", number);
    return true;
}

bool template_check(struct sl_str text, enum template_kind kind, const char *const *names, size_t name_count,
                    struct sl_err *err)
{
    struct sl_str rest = text;
    int number = 0;
    if (!sl_utf8_is_valid(text))
        return sl_err_set(err, SL_ERR_PERMANENT, "it is no UTF-8");
    while (rest.len > 0) {
        struct sl_str line = sl_str_cut(&rest, '\n');
        if (!check_line(line, ++number, names, name_count, err))
            return false;
        if (kind == TEMPLATE_SUBJECT && sl_str_empty(sl_str_trim(line)))
            return sl_err_set(err, SL_ERR_PERMANENT, "line %d: a subject is not empty", number);
    }
    if (number == 0 || (kind == TEMPLATE_SUBJECT && number > 1))
        return sl_err_set(err, SL_ERR_PERMANENT, number == 0 ? "it is empty" : "a subject is one line");
    return true;
}

static const char *value_of(const struct args *values, struct sl_str name)
{
    char text[NAME_BYTES];
    if (name.len >= sizeof(text))
        return "";
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    return args_text(values, text);
}

static void write_html(struct sl_buf *out, char byte)
{
    static const struct {
        char byte;
        const char *text;
    } escapes[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    for (size_t i = 0; i < SL_ARRAY_LEN(escapes); i++) {
        if (escapes[i].byte == byte) {
            sl_buf_append_cstr(out, escapes[i].text);
            return;
        }
    }
    sl_buf_append_char(out, byte);
}

static void write_value(struct sl_buf *out, enum template_kind kind, const char *value)
{
    for (; *value != '\0'; value++) {
        unsigned char byte = (unsigned char)*value;
        char plain = byte < 0x20 || byte == 0x7f ? ' ' : *value;
        if (kind == TEMPLATE_HTML)
            write_html(out, plain);
        else
            sl_buf_append_char(out, plain);
    }
}

/* Nothing but placeholders, and not one of them has a value. */
static bool says_nothing(struct sl_str line, const struct args *values)
{
    struct sl_str before;
    struct sl_str name;
    bool any = false;
    while (next_placeholder(&line, &before, &name)) {
        if (!sl_str_empty(sl_str_trim(before)) || value_of(values, name)[0] != '\0')
            return false;
        any = true;
    }
    return any && sl_str_empty(sl_str_trim(line));
}

static void render_line(struct sl_str line, enum template_kind kind, const struct args *values, struct sl_buf *out)
{
    struct sl_str before;
    struct sl_str name;
    while (next_placeholder(&line, &before, &name)) {
        sl_buf_append_str(out, before);
        write_value(out, kind, value_of(values, name));
    }
    sl_buf_append_str(out, line);
}

bool template_render(struct sl_str text, enum template_kind kind, const struct args *values, struct sl_buf *out)
{
    struct sl_str rest = text;
    while (rest.len > 0) {
        struct sl_str line = sl_str_cut(&rest, '\n');
        if (says_nothing(line, values))
            continue;
        render_line(line, kind, values, out);
        if (kind == TEMPLATE_SUBJECT)
            break;
        sl_buf_append_char(out, '\n');
    }
    return !out->overflow;
}
