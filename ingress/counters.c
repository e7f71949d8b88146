/* counters.c - see counters.h. The families as a table, for the reference page reads it too. */
#include "ingress/counters.h"

#include <stdio.h>
#include <stdlib.h>

enum family {
    REQUESTS = 0,
    REFUSED,
    PUBLISHED,
    SECRET_USED,
    SECRET_LAST_USE,
    PUBLISH_SECONDS,
    LATE_REPORTS,
    PRODUCERS_REPLACED,
    REPLIES,
    IN_FLIGHT_REQUESTS,
    IN_FLIGHT_BYTES,
    WAITING,
    CONNECTIONS,
    DIRECTORY_ENTRIES,
    FAMILY_COUNT
};

static const struct {
    const char *name;
    enum sl_metric_type type;
    const char *labels;
    const char *help;
} FAMILIES[FAMILY_COUNT] = {
    [REQUESTS] = {"sluice_ingress_requests_total", SL_METRIC_COUNTER, "source,status",
                  "Requests by source and status; 499 is a client that went away before its request was whole"},
    [REFUSED] = {"sluice_ingress_refused_total", SL_METRIC_COUNTER, "source,cause",
                 "Requests that were not published, by cause"},
    [PUBLISHED] = {"sluice_ingress_published_total", SL_METRIC_COUNTER, "source",
                   "Requests whose event is on all in-sync replicas"},
    [SECRET_USED] = {"sluice_ingress_secret_used_total", SL_METRIC_COUNTER, "source,position",
                     "Verifications by the position of the secret that matched"},
    [SECRET_LAST_USE] = {"sluice_ingress_secret_last_use_timestamp_seconds", SL_METRIC_GAUGE, "source,position",
                         "When a secret last verified something, as Unix time"},
    [PUBLISH_SECONDS] = {"sluice_ingress_publish_seconds", SL_METRIC_HISTOGRAM, "",
                         "From handing an event to the producer to its delivery report"},
    [LATE_REPORTS] = {"sluice_ingress_late_reports_total", SL_METRIC_COUNTER, "result",
                      "Delivery reports that came after the request was answered 503"},
    [PRODUCERS_REPLACED] = {"sluice_ingress_producers_replaced_total", SL_METRIC_COUNTER, "",
                            "Producers given up after a fatal error"},
    [REPLIES] = {"sluice_ingress_replies_total", SL_METRIC_COUNTER, "result",
                 "Waiting requests answered with their outcome or overdue, and replies that nobody waited for"},
    [IN_FLIGHT_REQUESTS] = {"sluice_ingress_in_flight_requests", SL_METRIC_GAUGE, "", "Requests not yet answered"},
    [IN_FLIGHT_BYTES] = {"sluice_ingress_in_flight_bytes", SL_METRIC_GAUGE, "", "Bytes of bodies held in memory"},
    [WAITING] = {"sluice_ingress_waiting_requests", SL_METRIC_GAUGE, "", "Requests that wait for their outcome"},
    [CONNECTIONS] = {"sluice_ingress_connections", SL_METRIC_GAUGE, "", "Open connections"},
    [DIRECTORY_ENTRIES] = {"sluice_ingress_directory_entries", SL_METRIC_GAUGE, "", "Customers whose user is known"},
};

struct counters {
    struct sl_metric *families[FAMILY_COUNT];
};

struct counters *counters_create(struct sl_metrics *metrics)
{
    struct counters *counters = sl_calloc(1, sizeof(*counters));
    for (size_t i = 0; i < FAMILY_COUNT; i++)
        counters->families[i] =
            sl_metrics_family(metrics, FAMILIES[i].type, FAMILIES[i].name, FAMILIES[i].labels, FAMILIES[i].help);
    return counters;
}

void counters_destroy(struct counters *counters)
{
    free(counters);
}

void counters_settle(struct counters *counters, const char *source, int status, const char *cause)
{
    char status_text[12];
    (void)snprintf(status_text, sizeof(status_text), "%d", status);
    /* The parts before the sum, so that a reader in between never sees more requests than ends. */
    if (cause)
        sl_metric_add(sl_metric_with(counters->families[REFUSED], source, cause), 1);
    else
        sl_metric_add(sl_metric_with(counters->families[PUBLISHED], source), 1);
    sl_metric_add(sl_metric_with(counters->families[REQUESTS], source, status_text), 1);
}

void counters_secret_used(struct counters *counters, const char *source, size_t position, int64_t now_s)
{
    char position_text[12];
    (void)snprintf(position_text, sizeof(position_text), "%zu", position % 1000);
    sl_metric_add(sl_metric_with(counters->families[SECRET_USED], source, position_text), 1);
    sl_metric_set(sl_metric_with(counters->families[SECRET_LAST_USE], source, position_text), now_s);
}

void counters_publish_took(struct counters *counters, int64_t took_us)
{
    sl_metric_observe_ms(sl_metric_plain(counters->families[PUBLISH_SECONDS]), (double)took_us / 1000.0);
}

void counters_late_report(struct counters *counters, bool delivered)
{
    sl_metric_add(sl_metric_with(counters->families[LATE_REPORTS], delivered ? "delivered" : "failed"), 1);
}

void counters_producer_replaced(struct counters *counters)
{
    sl_metric_add(sl_metric_plain(counters->families[PRODUCERS_REPLACED]), 1);
}

void counters_reply(struct counters *counters, const char *result)
{
    sl_metric_add(sl_metric_with(counters->families[REPLIES], result), 1);
}

void counters_set_levels(struct counters *counters, const struct counters_levels *levels)
{
    sl_metric_set(sl_metric_plain(counters->families[IN_FLIGHT_REQUESTS]), levels->requests);
    sl_metric_set(sl_metric_plain(counters->families[IN_FLIGHT_BYTES]), levels->bytes);
    sl_metric_set(sl_metric_plain(counters->families[WAITING]), levels->waiting);
    sl_metric_set(sl_metric_plain(counters->families[CONNECTIONS]), levels->connections);
    sl_metric_set(sl_metric_plain(counters->families[DIRECTORY_ENTRIES]), levels->directory_entries);
}
