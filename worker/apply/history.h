/* history.h - the log decided again, by this build's rules, over accounts in memory: nothing is read from Postgres and
 * nothing written.
 *
 * The owner feeds events in the order in which they were decided (events.decided_no), each once, and is given the plan;
 * the plan's changes are what the next event is decided over. Events that were held or dead are not fed until the copy
 * that was decided comes. What the log can't tell, the executor's columns of jobs, comes with each event (seen.h).
 * Memory is that of all users' states, ended jobs and agents included, and one event's on top. One thread.
 */
#ifndef APPLY_HISTORY_H
#define APPLY_HISTORY_H

#include "worker/apply/item.h"
#include "worker/decide/plan.h"

struct history;

/* `policy` is borrowed for as long as the history lasts. */
SL_MUST_CHECK struct history *history_create(const struct policy *policy);
void history_destroy(struct history *history); /* accepts NULL */

/* What is known of the decision made then. */
struct history_then {
    int64_t decided_at_ms;
    int64_t batch;      /* of the transaction; any number that differs from that of the one before */
    struct sl_str seen; /* JSON, see seen.h; empty: nothing of note */
};

/* What is decided now; good until the next call. */
struct history_now {
    const struct plan *plan;
    int64_t effects;       /* its digest, see digest.h */
    struct sl_str user_id; /* whose event it is; empty: nobody's */
};

/* Decides an item that has an input. PERMANENT when `then->seen` can't be read. */
SL_MUST_CHECK bool history_decide(struct history *history, const struct item *item, const struct history_then *then,
                                  struct history_now *ret_now, struct sl_err *err);

size_t history_user_count(const struct history *history);

#endif
