/* sequence_test.c - long random histories: events late, twice and out of order, faults everywhere, and the
 * invariants after every one.
 *
 * SLUICE_SEED and SLUICE_HISTORIES choose others; a failure names the seed of its history.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/worker/decide/machine.h"

#define HISTORIES_DEFAULT 1500
#define STEPS             400

static char history_name[64];

static void on_abort(int number)
{
    (void)number;
    size_t len = 0;
    while (history_name[len])
        len++;
    (void)!write(STDERR_FILENO, history_name, len);
}

static long number_of(const char *variable, long otherwise)
{
    const char *text = getenv(variable);
    int64_t value = 0;
    return text && sl_str_to_int64(sl_str_of(text), &value) ? (long)value : otherwise;
}

static void test_histories(void **state)
{
    (void)state;
    static struct machine machine;
    long seed = number_of("SLUICE_SEED", 1);
    long histories = number_of("SLUICE_HISTORIES", HISTORIES_DEFAULT);
    long provisioned = 0, destroyed = 0, instances = 0, expired = 0;
    (void)signal(SIGABRT, on_abort);
    for (long i = 0; i < histories; i++, seed++) {
        (void)snprintf(history_name, sizeof(history_name), "the history's seed: %ld\n", seed);
        machine_init(&machine, draws_of_seed((uint64_t)seed));
        for (int step = 0; step < STEPS; step++)
            machine_step(&machine);
        machine_settle(&machine);
        for (size_t a = 0; a < machine.world.facts.agent_count; a++) {
            const struct agent *agent = &machine.world.facts.agents[a];
            provisioned += agent->status == AGENT_ACTIVE;
            destroyed += agent->status == AGENT_DESTROYED;
            instances += agent->status == AGENT_ACTIVE && !sl_str_empty(agent->subscription_id);
            expired += agent->status == AGENT_DESTROYED && !sl_str_empty(agent->stopped_by);
        }
        machine_deinit(&machine);
    }
    print_message("%ld histories of %d steps up to seed %ld: %ld agents active at the end, %ld of them instances; %ld"
                  " destroyed, %ld of them by a grace period\n",
                  histories, STEPS, seed - 1, provisioned, instances, destroyed, expired);
    /* The model really gets somewhere. */
    assert_true(provisioned > histories / 10);
    assert_true(destroyed > histories / 10);
    assert_true(instances > histories / 10);
    assert_true(expired > histories / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_histories)};
    return cmocka_run_group_tests_name("sequence", tests, NULL, NULL);
}
