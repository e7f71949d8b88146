/* table_test.c - the tables of this folder against the rulebook: every row as written, and every rule hit by one.
 *
 * A row is "event | facts | outcome | error | rule | changes"; lines that begin with a blank continue it, '#'
 * begins a comment line. With --print the rows are printed as the rules decide them, to be read before they are
 * believed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base.h"
#include "tests/tables/table_words.h"

#define TABLE_BYTES_MAX ((size_t)1024 * 1024)
#define ROW_BYTES_MAX   ((size_t)16 * 1024)
#define RULES_MAX       512

static char TABLES[][16] = {
    "subscription", "invoice", "checkout", "customer", "agent", "callback", "job", "job_command", "timer",
};

static bool hits[RULES_MAX];
static bool prints;

enum column { COLUMN_EVENT, COLUMN_FACTS, COLUMN_OUTCOME, COLUMN_ERROR, COLUMN_RULE, COLUMN_CHANGES, COLUMN_COUNT };

struct row {
    struct sl_str cells[COLUMN_COUNT];
    int line;
};

static void note_hit(const char *rule)
{
    size_t count = 0;
    const struct rule *rules = rulebook_rows(&count);
    assert_true(count <= RULES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rules[i].name, rule) == 0)
            hits[i] = true;
    }
}

/* What the rules make of the row, in its own words. */
static bool decided_row(struct world *world, const struct row *row, struct sl_buf *changes, struct row *ret_actual)
{
    struct sl_str problem = SL_STR_NONE;
    struct input *input = sl_arena_alloc(world->arena, 1, sizeof(*input));
    if (!table_facts(world, row->cells[COLUMN_FACTS], &problem) ||
        !table_event(world, row->cells[COLUMN_EVENT], input, &problem)) {
        print_error("line %d: not understood: %" SL_STR_FMT "\n", row->line, SL_STR_ARG(problem));
        return false;
    }
    facts_check(&world->facts);
    const struct plan *plan = world_decide(world, input);
    note_hit(plan->rule);
    table_changes(world, plan, changes);
    ret_actual->cells[COLUMN_OUTCOME] = sl_str_of(outcome_name(plan->outcome));
    ret_actual->cells[COLUMN_ERROR] = plan->error ? sl_str_of(error_code_name(plan->error)) : SL_STR("-");
    ret_actual->cells[COLUMN_RULE] = sl_str_of(plan->rule);
    ret_actual->cells[COLUMN_CHANGES] = sl_buf_str(changes);
    return true;
}

static void print_row(const char *title, const struct row *row)
{
    print_error("  %s", title);
    for (int i = COLUMN_OUTCOME; i < COLUMN_COUNT; i++)
        print_error(" | %" SL_STR_FMT, SL_STR_ARG(row->cells[i]));
    print_error("\n");
}

static bool check_row(struct world *world, const struct row *row)
{
    struct sl_buf changes;
    sl_buf_init(&changes, ROW_BYTES_MAX);
    struct row actual = *row;
    world_reset(world);
    bool is_right = decided_row(world, row, &changes, &actual);
    if (is_right && prints) {
        printf("%" SL_STR_FMT " | %" SL_STR_FMT "\n    | %" SL_STR_FMT " | %" SL_STR_FMT " | %" SL_STR_FMT
               "\n    | %" SL_STR_FMT "\n",
               SL_STR_ARG(row->cells[COLUMN_EVENT]), SL_STR_ARG(row->cells[COLUMN_FACTS]),
               SL_STR_ARG(actual.cells[COLUMN_OUTCOME]), SL_STR_ARG(actual.cells[COLUMN_ERROR]),
               SL_STR_ARG(actual.cells[COLUMN_RULE]), SL_STR_ARG(actual.cells[COLUMN_CHANGES]));
    } else if (is_right) {
        for (int i = COLUMN_OUTCOME; i < COLUMN_COUNT; i++)
            is_right = is_right && sl_str_equal(row->cells[i], actual.cells[i]);
        if (!is_right) {
            print_error("line %d: %" SL_STR_FMT " | %" SL_STR_FMT "\n", row->line, SL_STR_ARG(row->cells[COLUMN_EVENT]),
                        SL_STR_ARG(row->cells[COLUMN_FACTS]));
            print_row("expected", row);
            print_row("decided ", &actual);
        }
    }
    sl_buf_deinit(&changes);
    return is_right;
}

static bool check_text(struct world *world, char *text, int line, int *row_count)
{
    struct sl_str rest = sl_str_of(text);
    struct row row = {.line = line};
    size_t count = 0;
    for (; count < COLUMN_COUNT && !sl_str_empty(rest); count++)
        row.cells[count] = sl_str_trim(sl_str_cut(&rest, '|'));
    bool is_whole = count == COLUMN_COUNT && sl_str_empty(rest);
    if (!is_whole && !(prints && count >= 2)) {
        print_error("line %d: a row has %d columns, this has %zu\n", line, COLUMN_COUNT, count);
        return false;
    }
    (*row_count)++;
    return check_row(world, &row);
}

/* Puts continuation lines behind their row; a row at a time goes to check_text. */
static bool check_lines(struct world *world, FILE *file, int *row_count)
{
    static char row[ROW_BYTES_MAX];
    char line[4096];
    int line_number = 0, row_line = 0;
    bool all_right = true;
    row[0] = '\0';
    while (fgets(line, sizeof(line), file)) {
        line_number++;
        line[strcspn(line, "\n")] = '\0';
        bool continues = line[0] == ' ';
        if ((!continues || line[0] == '\0') && row[0]) {
            all_right = check_text(world, row, row_line, row_count) && all_right;
            row[0] = '\0';
        }
        if (line[0] == '#' || line[0] == '\0') {
            if (prints)
                printf("%s\n", line);
            continue;
        }
        if (!continues)
            row_line = line_number;
        const char *words = line + strspn(line, " ");
        assert_true(strlen(row) + strlen(words) + 2 < sizeof(row));
        if (continues)
            memcpy(row + strlen(row), " ", 2);
        memcpy(row + strlen(row), words, strlen(words) + 1);
    }
    if (row[0])
        all_right = check_text(world, row, row_line, row_count) && all_right;
    return all_right;
}

static void check_table(const char *name)
{
    struct world world;
    world_init(&world);
    char path[256];
    const char *root = getenv("SLUICE_SOURCE_DIR");
    (void)snprintf(path, sizeof(path), "%s/tests/tables/%s.tbl", root ? root : ".", name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s is not there", path);
    int row_count = 0;
    bool all_right = check_lines(&world, file, &row_count);
    (void)fclose(file);
    world_deinit(&world);
    if (!all_right)
        fail_msg("%s: rows differ from what the rules decide", path);
    assert_true(row_count > 0);
}

static void test_table(void **state)
{
    check_table(*state);
}

static void test_every_rule_is_hit(void **state)
{
    (void)state;
    size_t count = 0;
    int missed = 0;
    const struct rule *rules = rulebook_rows(&count);
    for (size_t i = 0; i < count; i++) {
        if (!hits[i]) {
            print_error("no row of the tables is decided by %s\n", rules[i].name);
            missed++;
        }
    }
    assert_int_equal(missed, 0);
}

int main(int argc, char **argv)
{
    prints = argc > 2 && strcmp(argv[1], "--print") == 0;
    if (prints) {
        check_table(argv[2]);
        return 0;
    }
    struct CMUnitTest tests[SL_ARRAY_LEN(TABLES) + 1];
    for (size_t i = 0; i < SL_ARRAY_LEN(TABLES); i++)
        tests[i] = (struct CMUnitTest){.name = TABLES[i], .test_func = test_table, .initial_state = TABLES[i]};
    tests[SL_ARRAY_LEN(TABLES)] = (struct CMUnitTest)cmocka_unit_test(test_every_rule_is_hit);
    return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
