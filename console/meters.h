/* meters.h - what the console counts. Made once, added to by any thread. */
#ifndef CONSOLE_METERS_H
#define CONSOLE_METERS_H

#include "common/metrics.h"

struct meters {
    struct sl_metric *requests_total; /* route, status */
    struct sl_metric *seconds;        /* route */
    struct sl_metric *opened_total;   /* from: now, cursor, lost */
    struct sl_metric *ended_total;    /* reason */
    struct sl_metric *outcomes_total; /* sent: live, catch_up */
    struct sl_metric *refused_total;  /* cause of a token that was not taken */
    struct sl_metric_series *streams;
    struct sl_metric_series *stream_bytes;
    struct sl_metric_series *waiting;
    struct sl_metric_series *connections;
};

void meters_init(struct meters *meters, struct sl_metrics *metrics);

#endif
