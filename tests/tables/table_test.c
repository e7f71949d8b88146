/* table_test.c - the tables of this folder against the rulebook: every row as written, and every rule hit by one.
 *
 * With --print the rows are printed as the rules decide them, to be read before they are believed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base.h"
#include "tests/tables/table_rows.h"
#include "tests/tables/table_words.h"

#define RULES_MAX 512

static char TABLES[][16] = {
    "subscription", "invoice",   "checkout", "customer", "agent",      "callback", "job",   "job_command",
    "timer",        "workspace", "billing",  "member",   "connection", "run",      "usage",
};

static bool hits[RULES_MAX];
static bool prints;

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

static void print_other(const char *line)
{
    printf("%s\n", line);
}

static bool check_shape(const struct row *row)
{
    bool is_whole = row->cell_count == COLUMN_COUNT;
    if (!is_whole && !(prints && row->cell_count >= 2))
        print_error("line %d: a row has %d columns, this has %zu\n", row->line, COLUMN_COUNT, row->cell_count);
    return is_whole || (prints && row->cell_count >= 2);
}

static void check_table(const char *name)
{
    static struct table_rows rows;
    struct world world;
    struct row row;
    char file_name[64];
    const char *root = getenv("SLUICE_SOURCE_DIR");
    (void)snprintf(file_name, sizeof(file_name), "%s.tbl", name);
    if (!table_rows_open(&rows, root ? root : ".", file_name))
        fail_msg("tests/tables/%s is not there", file_name);
    rows.tell_other = prints ? print_other : NULL;
    world_init(&world);
    int row_count = 0;
    bool all_right = true;
    for (; table_rows_next(&rows, &row); row_count++)
        all_right = check_shape(&row) && check_row(&world, &row) && all_right;
    table_rows_close(&rows);
    world_deinit(&world);
    if (!all_right)
        fail_msg("%s: rows differ from what the rules decide", file_name);
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
