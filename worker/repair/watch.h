/* watch.h - the fleet's own look at the clouds: each [worker] reconcile_interval one of the workers lists them and
 * writes down what isn't as the books say. It mends nothing.
 *
 * A thread of its own, because a list takes its time; a session and an HTTP handle of its own.
 */
#ifndef REPAIR_WATCH_H
#define REPAIR_WATCH_H

#include "common/config.h"
#include "common/err.h"
#include "common/metrics.h"

struct watch;

/* Copies what it needs; connects to nothing yet. `metrics` is borrowed for the life of it. */
SL_MUST_CHECK struct watch *watch_create(const struct sl_config *config, struct sl_metrics *metrics,
                                         struct sl_err *err);
SL_MUST_CHECK bool watch_start(struct watch *watch, struct sl_err *err);
/* New credentials and addresses, from the next look on. Any thread. */
SL_MUST_CHECK bool watch_reload(struct watch *watch, const struct sl_config *config, struct sl_err *err);
/* Gives up the look under way. False when that took longer than `timeout_ms`: no watch_destroy then. */
SL_MUST_CHECK bool watch_stop(struct watch *watch, int timeout_ms);
void watch_destroy(struct watch *watch); /* after watch_stop, or instead of watch_start; accepts NULL */

#endif
