/* plan_commit.h - writes what was decided: one set-based statement a table, the positions and COMMIT, in one flush. */
#ifndef APPLY_PLAN_COMMIT_H
#define APPLY_PLAN_COMMIT_H

#include "worker/apply/attempt.h"
#include "worker/apply/positions.h"

/* Ends the transaction. On success what was staged is on its way, the partitions' `next` moved and `attempt->released`
 * is set. On failure the transaction is rolled back and nothing has changed in memory. */
SL_MUST_CHECK bool plan_commit(struct attempt *attempt, struct sl_err *err);

/* The moves of the partitions of items [0, count), from where they stand in memory; gives how many, in `ret_moves` with
 * room for `count`. */
size_t plan_commit_moves(struct shell *shell, struct item *const *items, size_t count, struct position_move *ret_moves);
/* After a commit: they stand there now. */
void plan_commit_moved(struct shell *shell, const struct position_move *moves, size_t count);

#endif
