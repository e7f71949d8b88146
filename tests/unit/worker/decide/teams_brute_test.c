/* teams_brute_test.c - long random histories of people who share workspaces, and the invariants after every event.
 *
 * SLUICE_SEED and SLUICE_HISTORIES choose others; a failure names the seed of its history.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/worker/decide/teams.h"

#define HISTORIES_DEFAULT 400
#define STEPS             500

static struct teams teams;
static char history_name[64];

static void on_abort(int number)
{
    (void)number;
    (void)!write(STDERR_FILENO, history_name, strlen(history_name));
}

static long number_of(const char *variable, long otherwise)
{
    const char *text = getenv(variable);
    int64_t value = 0;
    return text && sl_str_to_int64(sl_str_of(text), &value) ? (long)value : otherwise;
}

static void add(struct teams_counts *sum, const struct teams_counts *counts)
{
    long *to = (long *)sum;
    const long *from = (const long *)counts;
    for (size_t i = 0; i < sizeof(*sum) / sizeof(long); i++)
        to[i] += from[i];
}

static void test_histories(void **state)
{
    (void)state;
    long seed = number_of("SLUICE_SEED", 1), histories = number_of("SLUICE_HISTORIES", HISTORIES_DEFAULT);
    struct teams_counts sum = {.decided = 0};
    (void)signal(SIGABRT, on_abort);
    for (long i = 0; i < histories; i++, seed++) {
        (void)snprintf(history_name, sizeof(history_name), "the history's seed: %ld\n", seed);
        teams_init(&teams, draws_of_seed((uint64_t)seed));
        for (int step = 0; step < STEPS; step++)
            teams_step(&teams);
        teams_settle(&teams);
        add(&sum, &teams.counts);
        teams_deinit(&teams);
    }
    print_message("%ld decisions: %ld upgrades, %ld downgrades, %ld joined, %ld closed, %ld handed over, %ld removed, "
                  "%ld answers, %ld over a limit, %ld told of it\n",
                  sum.decided, sum.upgraded, sum.downgraded, sum.joined, sum.closed, sum.handed_over, sum.removed,
                  sum.answered, sum.over_limit, sum.told);
    /* The model really gets somewhere. */
    const long counts[] = {sum.upgraded, sum.downgraded, sum.joined,     sum.closed, sum.handed_over,
                           sum.removed,  sum.answered,   sum.over_limit, sum.purged, sum.told};
    for (size_t i = 0; i < SL_ARRAY_LEN(counts); i++)
        assert_true(counts[i] > histories / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_histories)};
    return cmocka_run_group_tests_name("teams", tests, NULL, NULL);
}
