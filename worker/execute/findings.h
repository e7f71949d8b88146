/* findings.h - what a job's steps found out so far: jobs.result, so that another worker can go on in the middle.
 *
 * A plain value of fixed size; written to and read from the JSON object in that column by one table. Keys that the
 * table doesn't know are dropped.
 */
#ifndef EXECUTE_FINDINGS_H
#define EXECUTE_FINDINGS_H

#include "common/buf.h"
#include "common/err.h"

struct findings {
    char server_id[24];
    char server_ip[48];
    char tailscale_device_id[64];
    char tailscale_ip[48];
    char run_id[24];        /* of the workflow: dispatched, or to be stopped */
    char action_id[24];     /* of Hetzner, under way */
    char intent[32];        /* a changing step that was begun and whose answer isn't known; empty: none */
    int64_t intent_at_ms;   /* Unix time of that intent's first commit */
    int64_t waits_from_ms;  /* Unix time since when the step waits; 0: it doesn't */
    int64_t shutdown_at_ms; /* when the cloud first took the request to shut down */
    int64_t looks;          /* for a run that isn't listed (yet) */
    int64_t page;           /* of a list being read, from 1 */
    int64_t floor;          /* attempts that reading again doesn't forgive */
    char failed[32];        /* the changing step that they belong to */
    char changed[32];       /* the changing step that was done last */
    int64_t deletions;      /* servers and devices deleted by this job */
    bool server_gone, device_gone, run_ended;
    bool without_details; /* GitHub refused return_run_details */
};

/* Appends the JSON object: what is set, and nothing else. False on overflow of `out`. */
SL_MUST_CHECK bool findings_write(const struct findings *findings, struct sl_buf *out);
/* Starts from nothing; empty text is {}. PERMANENT when it is no JSON object; values of a wrong type or size count as
 * absent. */
SL_MUST_CHECK bool findings_read(struct sl_str text, struct findings *ret_findings, struct sl_err *err);
/* The part that a job's outcome tells (server_id, server_ip, tailscale_device_id, tailscale_ip), as a JSON object. */
SL_MUST_CHECK bool findings_write_outcome(const struct findings *findings, struct sl_buf *out);

#endif
