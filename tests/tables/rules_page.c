/* rules_page.c - prints docs/rules.md: every event type, its rules in the order tried, and the row of a table that
 * shows each one at work. `rules_page --check FILE` says whether FILE is that page; it runs at the repository's root.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tables/table_rows.h"
#include "worker/decide/rulebook.h"

#define RULES_MAX 512

/* Where a rule's first row stands; line 0: nowhere. */
struct shown {
    char table[32];
    int line;
};

static struct shown shown[RULES_MAX];

static void note_row(const char *table, const struct row *row)
{
    size_t count = 0;
    const struct rule *rules = rulebook_rows(&count);
    SL_ASSERT(count <= RULES_MAX);
    for (size_t i = 0; i < count && row->cell_count == COLUMN_COUNT; i++) {
        if (shown[i].line || !sl_str_is(row->cells[COLUMN_RULE], rules[i].name))
            continue;
        (void)snprintf(shown[i].table, sizeof(shown[i].table), "%s", table);
        shown[i].line = row->line;
    }
}

/* In the order of their names, so that the page is the same everywhere. */
static bool read_tables(void)
{
    static struct table_rows rows;
    glob_t found;
    struct row row;
    if (glob("tests/tables/*.tbl", 0, NULL, &found) != 0)
        return false;
    bool all_read = true;
    for (size_t i = 0; i < found.gl_pathc && all_read; i++) {
        const char *table = strrchr(found.gl_pathv[i], '/') + 1;
        all_read = table_rows_open(&rows, ".", table);
        while (all_read && table_rows_next(&rows, &row))
            note_row(table, &row);
        table_rows_close(&rows);
    }
    globfree(&found);
    return all_read;
}

static void put_rule(FILE *out, const struct rule *rule, const struct shown *where)
{
    fprintf(out, "| `%s` | %s | %s | ", rule->name, rule->condition, rule->effect);
    if (where->line)
        fprintf(out, "[%s:%d](../tests/tables/%s#L%d) |\n", where->table, where->line, where->table, where->line);
    else
        fprintf(out, "– |\n");
}

static void put_type(FILE *out, enum input_type type)
{
    size_t count = 0;
    const struct rule *rules = rulebook_rows(&count);
    if (type == RULE_EVERY_TYPE)
        fprintf(out, "\n## Every event, first\n");
    else if (type == INPUT_UNKNOWN)
        fprintf(out, "\n## Any other type\n");
    else
        fprintf(out, "\n## `%s`\n", input_type_name(type));
    for (size_t i = 0; type != RULE_EVERY_TYPE && type != INPUT_UNKNOWN && input_type_alias(type, i); i++)
        fprintf(out, "%s`%s`", i ? ", " : "\nThe same: ", input_type_alias(type, i));
    if (type != RULE_EVERY_TYPE && type != INPUT_UNKNOWN && input_type_alias(type, 0))
        fprintf(out, "\n");
    fprintf(out, "\n| rule | when | what it does | test |\n|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        if (rules[i].type == type)
            put_rule(out, &rules[i], &shown[i]);
    }
}

static void put_page(FILE *out)
{
    fprintf(out,
            "# The rules\n\n"
            "Of an event's rules the first one whose condition holds decides; the last one always does. The name is "
            "stored on what it decides, and never given again. This page is\nprinted by `rules_page` (in "
            "`tests/tables`) from `worker/decide/rulebook.c` and the tables: `build/<preset>/unit/rules_page > "
            "docs/rules.md`.\n");
    put_type(out, RULE_EVERY_TYPE);
    for (int type = INPUT_UNKNOWN + 1; type < INPUT_TYPE_COUNT; type++)
        put_type(out, (enum input_type)type);
    put_type(out, INPUT_UNKNOWN);
}

/* Line by line, so that what differs can be said. */
static bool is_page(const char *page, const char *path)
{
    char line[4096];
    int number = 0;
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "%s is not there: print it by rules_page\n", path);
        return false;
    }
    bool is_same = true;
    while (is_same && fgets(line, sizeof(line), file)) {
        number++;
        size_t len = strlen(line);
        is_same = strncmp(page, line, len) == 0;
        page += is_same ? len : 0;
    }
    (void)fclose(file);
    is_same = is_same && *page == '\0';
    if (!is_same)
        fprintf(stderr, "%s:%d: the rulebook or its tables say otherwise: print it anew by rules_page\n", path, number);
    return is_same;
}

int main(int argc, char **argv)
{
    char *page = NULL;
    size_t page_bytes = 0;
    if (!read_tables()) {
        fprintf(stderr, "the tables are not there: run this at the root of the repository\n");
        return 2;
    }
    FILE *out = open_memstream(&page, &page_bytes);
    if (!out)
        return 2;
    put_page(out);
    if (fclose(out) != 0)
        return 2;
    bool is_right = true;
    if (argc == 3 && strcmp(argv[1], "--check") == 0)
        is_right = is_page(page, argv[2]);
    else
        (void)fputs(page, stdout);
    free(page);
    return is_right ? 0 : 1;
}
