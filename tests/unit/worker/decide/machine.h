/* machine.h - a small model of all that surrounds the rules: executor, workflow runs, clouds, timers, and the log
 * of events between them.
 *
 * Every step is drawn (support/draws.h). Events reach the rules late, twice and out of order, as they do in
 * life; the executor obeys the order and exclusion of the real one, and loses leases. The model knows which agents
 * have a server or an app in a cloud.
 */
#ifndef DECIDE_MACHINE_H
#define DECIDE_MACHINE_H

#include "tests/support/draws.h"
#include "tests/support/world.h"

#define MACHINE_AGENTS        4 /* made by command or checkout: 'A' to 'D' */
#define MACHINE_SUBSCRIPTIONS 6 /* each brings an instance at most */
#define MACHINE_PLACES        (MACHINE_AGENTS + MACHINE_SUBSCRIPTIONS + 1)
#define MACHINE_LOG_MAX       64
#define MACHINE_RUNS_MAX      64
#define MACHINE_HISTORY       32

/* Where an agent's server or app is, if it has one. */
struct place {
    struct sl_uuid agent_id;
    bool is_taken;
};

struct dispatched_run {
    struct sl_str id;
    struct sl_uuid job_id, agent_id;
    bool works, claimed; /* still working; was granted its job */
};

struct machine {
    struct world world;
    struct draws draws;
    int64_t now_ms;
    unsigned events;
    struct input log[MACHINE_LOG_MAX]; /* on the way */
    size_t log_count;
    struct input history[MACHINE_HISTORY]; /* decided before, to come again */
    size_t history_count;
    struct dispatched_run runs[MACHINE_RUNS_MAX];
    size_t run_count;
    struct place places[MACHINE_PLACES];
    size_t place_count;
};

void machine_init(struct machine *machine, struct draws draws);
void machine_deinit(struct machine *machine);
/* One thing happens: a person, Stripe, the executor, a run, a timer, or an event arrives. Asserts the invariants
 * after it. */
void machine_step(struct machine *machine);
/* Nothing more from outside; all that is under way ends. Asserts that nothing stays behind. */
void machine_settle(struct machine *machine);

#endif
