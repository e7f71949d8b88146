/* meters.c - the metrics of apply: made once, so that every series is there from the start. */
#include "worker/apply/shell.h"

static struct sl_metric_series *plain(struct sl_metrics *metrics, enum sl_metric_type type, const char *name,
                                      const char *help)
{
    return sl_metric_plain(sl_metrics_family(metrics, type, name, "", help));
}

void meters_init(struct meters *meters, struct sl_metrics *metrics)
{
    *meters = (struct meters){
        .events_total = sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_worker_events_total", "type,outcome",
                                          "Events by what became of them; duplicates count as such"),
        .rules_total = sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_worker_rules_total", "rule",
                                         "Decisions by the rule that made them"),
        .dead_letters_total = sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_worker_dead_letters_total", "stage",
                                                "Dead letters written"),
        .batches_total = plain(metrics, SL_METRIC_COUNTER, "sluice_worker_batches_total", "Batches committed"),
        .batch_events_total =
            plain(metrics, SL_METRIC_COUNTER, "sluice_worker_batch_events_total", "Events of the batches committed"),
        .batch_seconds = plain(metrics, SL_METRIC_HISTOGRAM, "sluice_worker_batch_seconds",
                               "From a batch's first query to its commit"),
        .lag_seconds = plain(metrics, SL_METRIC_HISTOGRAM, "sluice_worker_lag_seconds",
                             "From an event's receipt to the commit of its decision"),
        .fenced_total = plain(metrics, SL_METRIC_COUNTER, "sluice_worker_fenced_total",
                              "Batches refused because their positions had moved"),
        .retried_total = plain(metrics, SL_METRIC_COUNTER, "sluice_worker_batch_retries_total",
                               "Batches tried again after a transient error"),
        .halved_total = plain(metrics, SL_METRIC_COUNTER, "sluice_worker_batch_halvings_total",
                              "Batches halved in search of the event that breaks them"),
        .lost_total = plain(metrics, SL_METRIC_COUNTER, "sluice_worker_lost_events_total",
                            "Events that retention deleted before they were decided"),
        .parked_total = plain(metrics, SL_METRIC_COUNTER, "sluice_worker_parked_total",
                              "Events parked because nobody knows their customer"),
        .released_total = plain(metrics, SL_METRIC_COUNTER, "sluice_worker_parked_released_total",
                                "Parked events published again because their customer became known"),
        .held_total = plain(metrics, SL_METRIC_COUNTER, "sluice_worker_held_total",
                            "Events held behind a dead letter of their user"),
        .reannounced_total = plain(metrics, SL_METRIC_COUNTER, "sluice_worker_reannounced_total",
                                   "Outcomes announced again after an assignment"),
    };
}
