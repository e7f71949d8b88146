/* facts_read.h - rows of Postgres to the entities of facts, and the statements whose columns they are. Pure but for the
 * arena. */
#ifndef APPLY_FACTS_READ_H
#define APPLY_FACTS_READ_H

#include "common/pg.h"
#include "worker/decide/facts.h"

/* $1: users; $2: ids named by the batch; the agents' $3: ids of jobs whose agents are wanted too. */
extern const char FACTS_USERS[];
extern const char FACTS_SUBSCRIPTIONS[];
extern const char FACTS_AGENTS[];
extern const char FACTS_JOBS[];
extern const char FACTS_TIMERS[];
extern const char FACTS_USAGES[];         /* $1, $2: users and days, pair by pair */
extern const char FACTS_USERS_UNLOCKED[]; /* for who only looks */
extern const char FACTS_JOBS_UNLOCKED[];

struct user facts_read_user(const PGresult *result, int row, struct sl_arena *arena);
struct subscription facts_read_subscription(const PGresult *result, int row, struct sl_arena *arena);
struct agent facts_read_agent(const PGresult *result, int row, struct sl_arena *arena);
struct job facts_read_job(const PGresult *result, int row, struct sl_arena *arena);
struct timer facts_read_timer(const PGresult *result, int row, struct sl_arena *arena);
struct usage facts_read_usage(const PGresult *result, int row, struct sl_arena *arena);

#endif
