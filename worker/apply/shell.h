/* shell.h - what the parts of apply share: the session, the outbox, the positions, the policy of the moment, the
 * meters.
 *
 * Owned by apply.c's thread and passed down; nothing here is touched by another thread.
 */
#ifndef APPLY_SHELL_H
#define APPLY_SHELL_H

#include "common/metrics.h"
#include "common/pg.h"
#include "common/seal.h"
#include "worker/apply/partitions.h"
#include "worker/decide/facts.h"
#include "worker/outbox/outbox.h"

struct meters {
    struct sl_metric *events_total; /* type, outcome */
    struct sl_metric *rules_total;  /* rule */
    struct sl_metric_series *batches_total;
    struct sl_metric_series *batch_events_total;
    struct sl_metric_series *batch_seconds;
    struct sl_metric_series *lag_seconds; /* received to decided */
    struct sl_metric_series *fenced_total;
    struct sl_metric_series *retried_total;
    struct sl_metric_series *halved_total;
    struct sl_metric_series *lost_total; /* deleted by retention before they were decided */
    struct sl_metric_series *parked_total;
    struct sl_metric_series *released_total;
    struct sl_metric_series *held_total;
    struct sl_metric *dead_letters_total; /* stage */
    struct sl_metric_series *reannounced_total;
};

struct shell {
    struct sl_pg *pg; /* NULL: not connected */
    struct outbox *outbox;
    struct partitions partitions;
    const struct policy *policy;
    const struct sl_seal_ring *ring; /* the data keys, read with the policy */
    const char *worker_id;
    struct meters meters;
};

void meters_init(struct meters *meters, struct sl_metrics *metrics);

#endif
