/* commons_load.h - what several users share, for the events of a batch whose rules read it: part of facts_load's one
 * round trip, and no statement at all where no event reads any of it. */
#ifndef APPLY_COMMONS_LOAD_H
#define APPLY_COMMONS_LOAD_H

#include "worker/apply/attempt.h"
#include "worker/apply/pipeline.h"

#define COMMONS_STALE_RUNS_MAX 5000 /* that one batch looks at */

/* Indices of the results, or -1. */
struct commons_queries {
    int workspaces, members, invites, connections, shared_workflows, runs, stale_runs, early_accesses;
};

/* Queues the statements, behind those that lock users and jobs: workspaces are locked after them, in id order. */
struct commons_queries commons_load_queue(const struct attempt *attempt, struct pipeline *pipeline);
/* Fills attempt->commons. */
void commons_load_read(struct attempt *attempt, const struct pipeline *pipeline, const struct commons_queries *queries);

#endif
