/* plan_rows.h - the statements that write changed entities, their parameters gathered over all accounts of a batch. */
#ifndef APPLY_PLAN_ROWS_H
#define APPLY_PLAN_ROWS_H

#include "worker/apply/attempt.h"
#include "worker/apply/pipeline.h"

/* Rows that must be written: a statement that ends so fails the whole transaction, as a unique violation does, unless
 * as many rows were written as its first parameter names. Another's row, made meanwhile, is left alone by ON CONFLICT,
 * and the next look finds it there. */
#define ROWS_BEGIN "WITH written AS ("
#define ROWS_END   " RETURNING 1) SELECT sluice.all_written((SELECT count(*) FROM written), cardinality($1))"

/* Each queues one statement (two for changed jobs), or nothing when nothing of its kind changed. */
void plan_rows_users(const struct attempt *attempt, struct pipeline *pipeline);
void plan_rows_subscriptions(const struct attempt *attempt, struct pipeline *pipeline);
void plan_rows_agents(const struct attempt *attempt, struct pipeline *pipeline);
void plan_rows_jobs_changed(const struct attempt *attempt, struct pipeline *pipeline);
/* New jobs, and those requeued: both take their place at the end of the order. */
void plan_rows_jobs_queued(const struct attempt *attempt, struct pipeline *pipeline);
void plan_rows_timers(const struct attempt *attempt, struct pipeline *pipeline);
void plan_rows_usages(const struct attempt *attempt, struct pipeline *pipeline);

#endif
