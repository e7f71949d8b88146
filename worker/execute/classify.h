/* classify.h - what became of a call: one verdict for each way in which a cloud can answer or fail to.
 *
 * Pure. The rules are a table per cloud (classify.c), first match wins, documented in docs/ from the same table.
 */
#ifndef EXECUTE_CLASSIFY_H
#define EXECUTE_CLASSIFY_H

#include "worker/clouds/cloud.h"

enum verdict {
    VERDICT_DONE = 1, /* it took effect, or the answer is there */
    VERDICT_NOT_DONE, /* it had no effect; the same again, later, may work */
    VERDICT_REFUSED,  /* it had no effect; the same again will fail the same way */
    VERDICT_UNKNOWN,  /* it may have had its effect: look before doing it again */
    VERDICT_COUNT
};

enum cause {
    CAUSE_NONE = 0,
    CAUSE_AUTH,     /* our credentials: no fault of the job */
    CAUSE_RATE,     /* too many requests: no fault of the job */
    CAUSE_QUOTA,    /* the account's allowance of a day or a month is used up: no fault of the job */
    CAUSE_LOCKED,   /* the resource is busy with another action: wait and do it again */
    CAUSE_GONE,     /* there is no such thing */
    CAUSE_CONFLICT, /* it is in a state in which this can't be done */
    CAUSE_CAPACITY, /* the cloud has no room at the moment */
    CAUSE_OUTAGE,   /* the cloud is ill, or can't be reached */
    CAUSE_INVALID,  /* the request, or something the cloud holds, is wrong */
    CAUSE_COUNT
};

struct classification {
    enum verdict verdict;
    enum cause cause;
    int64_t after_ms; /* NOT_DONE: not before so long, by the cloud's word or the kind of failure; 0: back-off alone */
    int attempts_max; /* fewer than the cloud's attempts for this failure; 0: as configured */
    struct cloud_limits limits;
    struct cloud_error error; /* message always filled unless DONE */
};

/* One row of the table, for documentation and tests. */
struct classify_rule {
    enum cloud_id cloud; /* CLOUD_NONE: any */
    int status_min, status_max;
    const char *code;     /* the cloud's own; NULL: any */
    const char *fragment; /* of its message, ASCII case ignored; NULL: any */
    bool spent;           /* only when the headers say that no request is left */
    enum verdict verdict;
    enum cause cause;
    int64_t after_ms;
    int attempts_max;
};
const struct classify_rule *classify_rules(size_t *ret_count);

/* `mutates`: the call changes something; one that only reads is NOT_DONE where a change would be UNKNOWN. `now_ms`:
 * Unix time, for the headers. */
void classify(const struct cloud *cloud, bool mutates, const struct sl_http_response *response, int64_t now_ms,
              struct classification *ret_classification);

const char *verdict_name(enum verdict verdict); /* as in job_calls.verdict */
const char *cause_name(enum cause cause);

#endif
