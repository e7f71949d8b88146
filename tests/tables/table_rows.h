/* table_rows.h - the rows of a .tbl file, one by one: "event | facts | outcome | error | rule | changes"; lines that
 * begin with a blank continue a row, '#' begins a comment line. */
#ifndef TABLE_ROWS_H
#define TABLE_ROWS_H

#include <stdio.h>

#include "common/str.h"

enum column { COLUMN_EVENT, COLUMN_FACTS, COLUMN_OUTCOME, COLUMN_ERROR, COLUMN_RULE, COLUMN_CHANGES, COLUMN_COUNT };

#define ROW_BYTES_MAX ((size_t)16 * 1024)

struct row {
    struct sl_str cells[COLUMN_COUNT]; /* trimmed; in the reader, until the next row */
    size_t cell_count;                 /* COLUMN_COUNT + 1: there are more */
    int line;                          /* where it begins, from 1 */
};

struct table_rows {
    FILE *file;
    void (*tell_other)(const char *line); /* of each line that is no row's; may be NULL */
    int line_number;
    bool holds_line; /* read already, of the next row */
    char line[4096];
    char text[ROW_BYTES_MAX];
};

/* Opens tests/tables/NAME below `root`. False: it can't be read. */
SL_MUST_CHECK bool table_rows_open(struct table_rows *rows, const char *root, const char *name);
void table_rows_close(struct table_rows *rows);
/* False at the end. */
SL_MUST_CHECK bool table_rows_next(struct table_rows *rows, struct row *ret_row);

#endif
