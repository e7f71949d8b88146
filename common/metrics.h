/* metrics.h - counters, gauges and histograms, as Prometheus reads them.
 *
 * A registry belongs to a program and is passed down. A family is made once at start; a series (its label values) is
 * found under a lock and may be kept: adding to a series is one atomic operation, any thread. Series are bounded by
 * SL_METRICS_SERIES_MAX a family; beyond it they fall into one whose labels are "other".
 */
#ifndef SL_METRICS_H
#define SL_METRICS_H

#include "common/buf.h"

#define SL_METRICS_SERIES_MAX 512

enum sl_metric_type { SL_METRIC_COUNTER = 1, SL_METRIC_GAUGE, SL_METRIC_HISTOGRAM };

struct sl_metrics;       /* the registry */
struct sl_metric;        /* a family */
struct sl_metric_series; /* one line */

SL_MUST_CHECK struct sl_metrics *sl_metrics_create(void);
void sl_metrics_destroy(struct sl_metrics *metrics);

/* `name` as "sluice_ingress_requests_total"; `labels` as "source,status" or "". Histograms are in seconds, with buckets
 * from 0.0005 to 60. The same name again gives the same family. Lives as long as the registry. */
struct sl_metric *sl_metrics_family(struct sl_metrics *metrics, enum sl_metric_type type, const char *name,
                                    const char *labels, const char *help);

/* As many values as the family has labels, each a C string. */
struct sl_metric_series *sl_metric_series_at(struct sl_metric *family, const char *const *values, size_t value_count);
#define sl_metric_with(family, ...)                                                                                    \
    sl_metric_series_at((family), (const char *const[]){__VA_ARGS__},                                                  \
                        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
#define sl_metric_plain(family) sl_metric_series_at((family), NULL, 0)

void sl_metric_add(struct sl_metric_series *series, int64_t count);    /* counters: count >= 0 */
void sl_metric_set(struct sl_metric_series *series, int64_t value);    /* gauges */
void sl_metric_observe_ms(struct sl_metric_series *series, double ms); /* histograms */
int64_t sl_metric_value(const struct sl_metric_series *series);        /* histograms: the number of observations */

/* The whole registry in the text exposition format. False when `out` overflowed. */
SL_MUST_CHECK bool sl_metrics_render(struct sl_metrics *metrics, struct sl_buf *out);

#endif
