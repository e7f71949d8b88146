/* counters.h - what ingress tells of itself: the families of metrics, and the few ways to move them.
 *
 * The sum that must hold for each source: requests = published + refused, whatever the cause. Every request that finds
 * a source is settled exactly once (counters_settle); one that finds none counts under source "none". Any thread.
 */
#ifndef INGRESS_COUNTERS_H
#define INGRESS_COUNTERS_H

#include "common/metrics.h"

struct counters;

SL_MUST_CHECK struct counters *counters_create(struct sl_metrics *metrics);
void counters_destroy(struct counters *counters); /* the registry keeps its families; accepts NULL */

/* One request's end. `cause` NULL: it was published. Else a word in lower case, such as "no_match" or "too_large". */
void counters_settle(struct counters *counters, const char *source, int status, const char *cause);
/* A secret has verified something: by position, never by value. */
void counters_secret_used(struct counters *counters, const char *source, size_t position, int64_t now_s);
void counters_publish_took(struct counters *counters, int64_t took_us);
/* A delivery report for a request that was answered 503 already. */
void counters_late_report(struct counters *counters, bool delivered);
void counters_producer_replaced(struct counters *counters);
void counters_reply(struct counters *counters, const char *result); /* "answered", "overdue", "stray" */

struct counters_levels {
    int64_t requests, bytes, waiting, connections, directory_entries;
};
void counters_set_levels(struct counters *counters, const struct counters_levels *levels);

#endif
