/* apply.h - decides events: consumes the log, decides each event once in one Postgres transaction with its position,
 * and tells what became of it. One thread, which owns a consumer, a session and an outbox.
 */
#ifndef APPLY_H
#define APPLY_H

#include "common/admin.h"
#include "common/config.h"
#include "common/metrics.h"

struct apply;

struct apply_options {
    const struct sl_config *config; /* copied what is needed */
    struct sl_metrics *metrics;     /* borrowed, like the readiness, for the life of the apply */
    struct sl_readiness *readiness; /* parts "kafka" and "postgres" */
    const char *worker_id;          /* borrowed */
    void (*wake)(void *arg);        /* called by apply's thread after a commit that may have left jobs to do */
    void *wake_arg;
};

/* Connects to nothing yet. NULL when a setting makes no sense or a client can't be made. */
SL_MUST_CHECK struct apply *apply_create(const struct apply_options *options, struct sl_err *err);
/* Starts the thread. Called once. */
SL_MUST_CHECK bool apply_start(struct apply *apply, struct sl_err *err);

/* New policies and plans from the next batch on. Any thread. False: they make no sense, the old ones stay. */
SL_MUST_CHECK bool apply_reload(struct apply *apply, const struct sl_config *config, struct sl_err *err);

/* Takes no more messages, finishes the batch, flushes what is to be told, leaves the group and ends the thread. False
 * when that took longer than `timeout_ms`: the thread still runs then, and the process has to end without
 * apply_destroy. */
SL_MUST_CHECK bool apply_stop(struct apply *apply, int timeout_ms);
void apply_destroy(struct apply *apply); /* after apply_stop, or instead of apply_start; accepts NULL */

#endif
