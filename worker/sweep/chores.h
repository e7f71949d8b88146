/* chores.h - the pieces of the sweep, one a file, and what they share. Private to sweep/; all of it belongs to the
 * sweep's thread. */
#ifndef SWEEP_CHORES_H
#define SWEEP_CHORES_H

#include "common/metrics.h"
#include "common/pg.h"
#include "worker/outbox/outbox.h"

struct sweeper {
    struct sl_pg *pg;
    struct outbox *outbox;
    struct sl_arena *arena; /* reset before each chore */
    const char *worker_id;
    int64_t started_at_ms;
    void (*wake)(void *arg);
    void *wake_arg;
    bool is_outbox_leader; /* holds the advisory lock of left-over rows, for as long as the session lives */
    int64_t outbox_cursor; /* rows up to here were looked at in this round */
    struct sl_metric_series *timers_total;
    struct sl_metric_series *leases_total;
    struct sl_metric_series *leftovers_total;
    struct sl_metric_series *held_total;
};

/* Each does its share of work in transactions of its own; false: nothing of the last one happened. *ret_more: the limit
 * was reached, there is more to do. */
SL_MUST_CHECK bool timers_fire(struct sweeper *sweeper, bool *ret_more, struct sl_err *err);
SL_MUST_CHECK bool leases_reclaim(struct sweeper *sweeper, bool *ret_more, struct sl_err *err);
SL_MUST_CHECK bool leftovers_publish(struct sweeper *sweeper, bool *ret_more, struct sl_err *err);
SL_MUST_CHECK bool held_release(struct sweeper *sweeper, bool *ret_more, struct sl_err *err);
SL_MUST_CHECK bool presence_note(struct sweeper *sweeper, bool *ret_more, struct sl_err *err);
SL_MUST_CHECK bool retention_keep(struct sweeper *sweeper, bool *ret_more, struct sl_err *err);

/* Ends the transaction under way: the outbox's statements and COMMIT, in one flush; then what was staged is produced.
 */
SL_MUST_CHECK bool chores_commit(struct sweeper *sweeper, struct sl_err *err);

#endif
