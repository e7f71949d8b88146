/* config_problems.c - adding a row, unless it is there or there is no room. */
#include "common/config_problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

/* Names out of a file, and paths, may hold anything; problems end on a terminal. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7F) {
            *text = '?';
        }
    }
}

static void add(struct config_problems *problems, const char *place, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

static void add(struct config_problems *problems, const char *place, const char *format, va_list arguments)
{
    struct sl_config_problem row = {.place = ""};
    char text[2 * sizeof(row.text)];
    (void)vsnprintf(text, sizeof(text), format, arguments);
    const struct sl_str cut = sl_utf8_cut(sl_str_of(text), sizeof(row.text) - 1);
    memcpy(row.text, cut.ptr, cut.len);
    /* The end of a long path tells more than its beginning, and the line stands there. */
    const size_t place_bytes = strlen(place);
    const size_t skipped = place_bytes < sizeof(row.place) ? 0 : place_bytes - sizeof(row.place) + 1;
    memcpy(row.place, place + skipped, place_bytes - skipped);
    make_printable(row.text);
    make_printable(row.place);
    for (size_t i = 0; i < problems->count; i++) {
        if (strcmp(problems->rows[i].place, row.place) == 0 && strcmp(problems->rows[i].text, row.text) == 0) {
            return;
        }
    }
    if (problems->count < SL_CONFIG_PROBLEMS_MAX) {
        problems->rows[problems->count++] = row;
    }
}

void config_problem_at(struct config_problems *problems, const char *place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(problems, place, format, arguments);
    va_end(arguments);
}

void config_problem_in_file(struct config_problems *problems, const char *path, int line, const char *format, ...)
{
    char place[4096 + 16];
    if (line > 0) {
        (void)snprintf(place, sizeof(place), "%s:%d", path, line);
    } else {
        (void)snprintf(place, sizeof(place), "%s", path);
    }
    va_list arguments;
    va_start(arguments, format);
    add(problems, place, format, arguments);
    va_end(arguments);
}

static int compare(const void *a, const void *b)
{
    const struct sl_config_problem *left = a;
    const struct sl_config_problem *right = b;
    const int order = strverscmp(left->place, right->place); /* line 9 before line 12 */
    return order != 0 ? order : strcmp(left->text, right->text);
}

void config_problems_sort(struct config_problems *problems)
{
    if (problems->count > 1) {
        qsort(problems->rows, problems->count, sizeof(problems->rows[0]), compare);
    }
}
