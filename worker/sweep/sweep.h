/* sweep.h - what falls due or was left lying: timers, lost leases, outbox rows that nobody published, held events that
 * may go on.
 *
 * Any worker may do any of it, and each piece is done once: by row locks that others skip, or by an advisory lock. One
 * thread, with a session and an outbox of its own.
 */
#ifndef SWEEP_H
#define SWEEP_H

#include "common/config.h"
#include "common/err.h"
#include "common/metrics.h"

struct sweep;

struct sweep_options {
    const struct sl_config *config; /* copied what is needed */
    struct sl_metrics *metrics;     /* borrowed for the life of the sweep */
    const char *worker_id;          /* borrowed */
    int64_t started_at_ms;          /* of the process, for its row in sluice.workers */
    void (*wake)(void *arg);        /* called by the sweep's thread when it has put jobs back into the queue */
    void *wake_arg;
};

/* Connects to nothing yet. */
SL_MUST_CHECK struct sweep *sweep_create(const struct sweep_options *options, struct sl_err *err);
SL_MUST_CHECK bool sweep_start(struct sweep *sweep, struct sl_err *err);
/* Ends the thread after the piece under way, flushes. False when that took longer than `timeout_ms`: no sweep_destroy
 * then. */
SL_MUST_CHECK bool sweep_stop(struct sweep *sweep, int timeout_ms);
void sweep_destroy(struct sweep *sweep); /* after sweep_stop, or instead of sweep_start; accepts NULL */

#endif
