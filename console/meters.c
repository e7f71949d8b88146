/* meters.c - see meters.h. */
#include "console/meters.h"

void meters_init(struct meters *meters, struct sl_metrics *metrics)
{
    *meters = (struct meters){
        .requests_total = sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_console_requests_total", "route,status",
                                            "Requests answered."),
        .seconds = sl_metrics_family(metrics, SL_METRIC_HISTOGRAM, "sluice_console_request_seconds", "route",
                                     "From a request's arrival to its answer, streams left out."),
        .opened_total = sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_console_streams_opened_total", "from",
                                          "Streams opened: from now, from a cursor, or with a cursor that is lost."),
        .ended_total = sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_console_streams_ended_total", "reason",
                                         "Streams ended."),
        .outcomes_total = sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_console_outcomes_total", "sent",
                                            "Outcomes put into streams: live, or read again for a cursor."),
        .refused_total = sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_console_tokens_refused_total", "cause",
                                           "Tokens that were not taken."),
        .streams =
            sl_metric_plain(sl_metrics_family(metrics, SL_METRIC_GAUGE, "sluice_console_streams", "", "Open streams.")),
        .stream_bytes = sl_metric_plain(sl_metrics_family(metrics, SL_METRIC_GAUGE, "sluice_console_stream_bytes", "",
                                                          "Bytes that wait for readers of streams.")),
        .waiting = sl_metric_plain(sl_metrics_family(metrics, SL_METRIC_GAUGE, "sluice_console_reads_waiting", "",
                                                     "Reads that wait for a session of the pool.")),
        .connections = sl_metric_plain(
            sl_metrics_family(metrics, SL_METRIC_GAUGE, "sluice_console_connections", "", "Open connections.")),
    };
}
