/* tree.c - see tree.h. */
#include "ctl/tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/str.h"

#define TEXT_BYTES_MAX   2048
#define PREFIX_BYTES_MAX 512

static json_t *node_of(const char *kind, const char *at, const char *format, va_list arguments)
{
    char text[TEXT_BYTES_MAX];
    json_t *node = json_object();
    (void)vsnprintf(text, sizeof(text), format, arguments);
    json_t *value = json_string(text);
    (void)json_object_set_new(node, "kind", json_string(kind));
    (void)json_object_set_new(node, "at", at ? json_string(at) : json_null());
    (void)json_object_set_new(node, "text", value ? value : json_string("(a text that was cut within a character)"));
    (void)json_object_set_new(node, "children", json_array());
    return node;
}

json_t *tree_node(const char *kind, const char *at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    json_t *node = node_of(kind, at, format, arguments);
    va_end(arguments);
    return node;
}

void tree_add(json_t *node, json_t *child)
{
    (void)json_array_append_new(json_object_get(node, "children"), child);
}

void tree_note(json_t *node, const char *kind, const char *at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tree_add(node, node_of(kind, at, format, arguments));
    va_end(arguments);
}

/* Unix milliseconds, or 0: it has no time. */
static int64_t at_ms(const json_t *node)
{
    int64_t at = 0;
    const char *text = json_string_value(json_object_get(node, "at"));
    return text && sl_clock_parse(sl_str_of(text), &at) ? at : 0;
}

void tree_sort(json_t *node)
{
    json_t *children = json_object_get(node, "children");
    size_t count = json_array_size(children);
    for (size_t i = 1; i < count; i++) {
        json_t *moved = json_incref(json_array_get(children, i));
        size_t place = i;
        while (place > 0 && at_ms(moved) && at_ms(json_array_get(children, place - 1)) > at_ms(moved))
            place--;
        (void)json_array_remove(children, i);
        (void)json_array_insert_new(children, place, moved);
    }
}

static void print_time(const json_t *node, int64_t begun_ms)
{
    char at[SL_CLOCK_ISO_BYTES];
    int64_t ms = at_ms(node);
    if (!ms) {
        printf("%12s %9s  ", "", "");
        return;
    }
    sl_clock_format_iso(ms, at);
    int64_t since_ms = ms - begun_ms;
    printf("%.12s ", at + 11);
    if (since_ms > -600000 && since_ms < 600000)
        printf("%+8.3fs  ", (double)since_ms / 1000.0);
    else
        printf("%+8lldm  ", (long long)(since_ms / 60000));
}

static void print_node(const json_t *node, int64_t begun_ms, const char *prefix, bool is_last, bool is_root)
{
    char below[PREFIX_BYTES_MAX];
    size_t i;
    json_t *child;
    const json_t *children = json_object_get(node, "children");
    print_time(node, begun_ms);
    printf("%s%s", prefix, is_root ? "" : is_last ? "└─ " : "├─ ");
    for (const char *text = json_string_value(json_object_get(node, "text")); text && *text; text++)
        (void)fputc((unsigned char)*text < 0x20 ? ' ' : *text, stdout);
    (void)fputc('\n', stdout);
    (void)snprintf(below, sizeof(below), "%s%s", prefix, is_root ? "" : is_last ? "   " : "│  ");
    json_array_foreach(children, i, child)
        print_node(child, begun_ms, below, i + 1 == json_array_size(children), false);
}

void tree_print(const json_t *tree)
{
    char at[SL_CLOCK_ISO_BYTES];
    if (at_ms(tree)) {
        sl_clock_format_iso(at_ms(tree), at);
        printf("%s, times in UTC\n", at);
    }
    print_node(tree, at_ms(tree), "", true, true);
}
