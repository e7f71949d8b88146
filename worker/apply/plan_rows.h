/* plan_rows.h - the statements that write changed entities, their parameters gathered over all accounts of a batch. */
#ifndef APPLY_PLAN_ROWS_H
#define APPLY_PLAN_ROWS_H

#include "worker/apply/attempt.h"
#include "worker/apply/pipeline.h"

/* Each queues one statement, or nothing when nothing of its kind changed. */
void plan_rows_users(const struct attempt *attempt, struct pipeline *pipeline);
void plan_rows_subscriptions(const struct attempt *attempt, struct pipeline *pipeline);
void plan_rows_agents(const struct attempt *attempt, struct pipeline *pipeline);
void plan_rows_jobs_changed(const struct attempt *attempt, struct pipeline *pipeline);
/* New jobs, and those requeued: both take their place at the end of the order. */
void plan_rows_jobs_queued(const struct attempt *attempt, struct pipeline *pipeline);
void plan_rows_timers(const struct attempt *attempt, struct pipeline *pipeline);

#endif
