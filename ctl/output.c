/* output.c - see output.h. Widths are counted in characters (UTF-8 continuation bytes don't count). */
#include "ctl/output.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base.h"

#define CELL_CHARACTERS_MAX 60
#define COLUMNS_MAX         32

static int characters(const char *text)
{
    int count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

static const char *cell(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? "-" : PQgetvalue(result, row, column);
}

/* A line must stay one line: control characters show as blanks. */
static void print_cell(const char *text, int width, int characters_max)
{
    int printed = 0;
    for (; *text; text++) {
        bool starts = ((unsigned char)*text & 0xC0) != 0x80;
        if (starts && printed == characters_max)
            break;
        printed += starts;
        (void)fputc((unsigned char)*text < 0x20 ? ' ' : *text, stdout);
    }
    for (; printed < width; printed++)
        (void)fputc(' ', stdout);
}

void output_table(const PGresult *result, const char *empty_note)
{
    int columns = PQnfields(result);
    int rows = PQntuples(result);
    int widths[COLUMNS_MAX];
    int characters_max = isatty(STDOUT_FILENO) ? CELL_CHARACTERS_MAX : 4096;
    SL_ASSERT(columns <= COLUMNS_MAX);
    if (rows == 0) {
        printf("%s\n", empty_note);
        return;
    }
    for (int c = 0; c < columns; c++) {
        widths[c] = characters(PQfname(result, c));
        for (int r = 0; r < rows; r++) {
            int width = characters(cell(result, r, c));
            width = width > characters_max ? characters_max : width;
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    for (int r = -1; r < rows; r++) {
        for (int c = 0; c < columns; c++) {
            print_cell(r < 0 ? PQfname(result, c) : cell(result, r, c), c + 1 < columns ? widths[c] + 2 : 0,
                       characters_max);
        }
        (void)fputc('\n', stdout);
    }
}

void output_record(const PGresult *result, int row)
{
    int columns = PQnfields(result);
    int width = 0;
    for (int c = 0; c < columns; c++) {
        int length = characters(PQfname(result, c));
        width = length > width ? length : width;
    }
    for (int c = 0; c < columns; c++)
        printf("%-*s  %s\n", width, PQfname(result, c), cell(result, row, c));
}

void output_heading(const char *title)
{
    printf("\n== %s\n", title);
}
