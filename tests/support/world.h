/* world.h - facts of one user for tests of the rules: a policy with the default plans, and rows added one by one.
 *
 * Agents and jobs are named by a capital letter: world_id('A') is its id, world_letter gives the letter back.
 * Everything lives in the world's arena.
 */
#ifndef SUPPORT_WORLD_H
#define SUPPORT_WORLD_H

#include "worker/decide/rulebook.h"

#define WORLD_USER  "u-1"
#define WORLD_OTHER "u-2"

struct world {
    struct sl_arena *arena;
    struct offer offers[5]; /* starter 3 agents, professional 10, enterprise unlimited; solo 1 member and 50 runs,
                               workspace 10 and 1000; price_<name> each but for solo. The first three bring an
                               instance of the provisioner */
    struct policy policy;   /* as the contract's defaults */
    struct facts facts;     /* the user WORLD_USER, nothing else */
    struct commons commons; /* the facts', empty */
    int64_t seq;            /* of the last job added */
};

void world_init(struct world *world);
void world_deinit(struct world *world);
void world_reset(struct world *world); /* back to what world_init gives */

struct sl_uuid world_id(char letter);
char world_letter(struct sl_uuid id); /* '?' for any other id */

/* Borrowed; valid until the next row of the same kind is added. */
struct subscription *world_subscription(struct world *world, struct sl_str id, struct sl_str status);
struct agent *world_agent(struct world *world, char letter, enum agent_status status);
struct job *world_job(struct world *world, char letter, enum job_kind kind, enum job_status status, char agent_letter);
struct timer *world_timer(struct world *world, const char *kind, char job_letter, int64_t due_at_ms);
struct timer *world_timer_of(struct world *world, const char *kind, struct sl_str subject, int64_t due_at_ms);

/* An event for the user at `received_at_ms`, named by the event's id. */
struct input world_input(enum input_type type, struct sl_str event_id, int64_t received_at_ms);
struct plan *world_decide(struct world *world, const struct input *input);

#endif
