/* output.h - tables for people, JSON for programs, both to stdout. */
#ifndef CTL_OUTPUT_H
#define CTL_OUTPUT_H

#include <libpq-fe.h>

#include "common/str.h"

/* A text-format result as an aligned table with its column names; NULL prints as "-"; cells are cut at 60 characters
 * unless stdout is no terminal. Rows zero: prints `empty_note`. */
void output_table(const PGresult *result, const char *empty_note);
/* One row, "name  value" a line. */
void output_record(const PGresult *result, int row);
/* "== title" above a part of a longer page. */
void output_heading(const char *title);

#endif
