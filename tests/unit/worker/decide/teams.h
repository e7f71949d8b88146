/* teams.h - a small model of several people who share workspaces, and of Stripe and the executor round them.
 *
 * Every step is drawn (support/draws.h); events reach the rules late and out of order, each under the facts of
 * its own user and the commons of all, as in a batch. The model remembers which commands wait for an answer.
 */
#ifndef DECIDE_TEAMS_H
#define DECIDE_TEAMS_H

#include "tests/support/draws.h"
#include "tests/support/world.h"

#define TEAMS_USERS     5
#define TEAMS_NOBODY    TEAMS_USERS /* whose facts are of nobody: early access */
#define TEAMS_LOG_MAX   32
#define TEAMS_WAITS_MAX 512

struct teams_event {
    struct input input;
    size_t user;
};

struct teams_wait {
    struct sl_str event_id;
    bool answered;
};

struct teams_counts {
    long upgraded, downgraded, joined, closed, handed_over, removed, answered, over_limit, purged, told, decided;
};

struct teams {
    struct world world;
    struct facts users[TEAMS_USERS + 1];
    struct draws draws;
    int64_t now_ms;
    unsigned events;
    struct teams_event log[TEAMS_LOG_MAX]; /* on the way */
    size_t log_count;
    struct teams_wait waits[TEAMS_WAITS_MAX]; /* commands that a job is to answer */
    size_t wait_count;
    struct teams_counts counts;
};

void teams_init(struct teams *teams, struct draws draws);
void teams_deinit(struct teams *teams);
/* Somebody acts, or an event arrives. Asserts the invariants after it. */
void teams_step(struct teams *teams);
/* All that is on the way arrives, all jobs end. Asserts that everybody who waited was answered, and that who ever had a
 * workspace has one. */
void teams_settle(struct teams *teams);

#endif
