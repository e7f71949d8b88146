/* table_rows.c - see table_rows.h. */
#include "tests/tables/table_rows.h"

#include <string.h>

bool table_rows_open(struct table_rows *rows, const char *root, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/tests/tables/%s", root, name);
    *rows = (struct table_rows){.file = fopen(path, "r")};
    return rows->file != NULL;
}

void table_rows_close(struct table_rows *rows)
{
    if (rows->file)
        (void)fclose(rows->file);
    rows->file = NULL;
}

static void add_line(struct table_rows *rows)
{
    const char *words = rows->line + strspn(rows->line, " ");
    size_t len = strlen(rows->text);
    SL_ASSERT(len + strlen(words) + 2 < sizeof(rows->text));
    if (len)
        rows->text[len++] = ' ';
    memcpy(rows->text + len, words, strlen(words) + 1);
}

static void cut(const struct table_rows *rows, struct row *row)
{
    struct sl_str rest = sl_str_of(rows->text);
    while (row->cell_count < COLUMN_COUNT && !sl_str_empty(rest))
        row->cells[row->cell_count++] = sl_str_trim(sl_str_cut(&rest, '|'));
    if (!sl_str_empty(rest))
        row->cell_count++;
}

bool table_rows_next(struct table_rows *rows, struct row *ret_row)
{
    struct row row = {.line = 0};
    rows->text[0] = '\0';
    while (rows->holds_line || fgets(rows->line, sizeof(rows->line), rows->file)) {
        rows->line_number += !rows->holds_line;
        rows->holds_line = false;
        rows->line[strcspn(rows->line, "\n")] = '\0';
        if (rows->text[0] && rows->line[0] != ' ') {
            rows->holds_line = true;
            break;
        }
        if (rows->line[0] == '#' || rows->line[0] == '\0') {
            if (rows->tell_other)
                rows->tell_other(rows->line);
            continue;
        }
        if (!rows->text[0])
            row.line = rows->line_number;
        add_line(rows);
    }
    if (!rows->text[0])
        return false;
    cut(rows, &row);
    *ret_row = row;
    return true;
}
