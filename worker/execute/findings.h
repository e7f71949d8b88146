/* findings.h - what a job's steps found out so far: jobs.result, so that another worker can go on in the middle.
 *
 * Written to and read from the JSON object in that column by one table; keys that the table doesn't know are dropped.
 * Of fixed size but for what few jobs have and is long: that is on the heap, NULL for all others. Owned by the job.
 */
#ifndef EXECUTE_FINDINGS_H
#define EXECUTE_FINDINGS_H

#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"

#define FINDINGS_LONG_BYTES_MAX    4096                 /* of one long text, its NUL included */
#define FINDINGS_CATALOG_BYTES_MAX ((int64_t)64 * 1024) /* as compact JSON */
#define FINDINGS_JSON_BYTES_MAX    ((size_t)192 * 1024) /* all of it, however its texts are escaped */

struct findings {
    char server_id[24];
    char server_ip[48];
    char tailscale_device_id[64];
    char tailscale_ip[48];
    char app_name[64]; /* the provisioner's instance, and where it can be reached */
    char frontend_url[256];
    char backend_url[256];
    char run_id[24];           /* of the workflow: dispatched, or to be stopped */
    char action_id[24];        /* of Hetzner, under way */
    char intent[32];           /* a changing step that was begun and whose answer isn't known; empty: none */
    int64_t intent_at_ms;      /* Unix time of that intent's first commit */
    int64_t waits_from_ms;     /* Unix time since when the step waits; 0: it doesn't */
    int64_t shutdown_at_ms;    /* when the cloud first took the request to shut down */
    int64_t looks;             /* for a run, or an instance, that isn't listed (yet) */
    int64_t page;              /* of a list being read, from 1 */
    int64_t floor;             /* attempts that reading again doesn't forgive */
    char failed[32];           /* the changing step that they belong to */
    char changed[32];          /* the changing step that was done last */
    int64_t doubt_from_ms;     /* Unix time since when an idempotent step may have taken effect unheard; 0: it can't */
    int64_t closed_from_ms;    /* Unix time since when the cloud of a step that can be given up can't be called */
    int64_t began_ms;          /* Unix time of a provision's first step */
    int64_t place;             /* of the region's locations, the one that is tried */
    char tailscale_key_id[64]; /* of the auth key that the server got */
    int64_t deletions;         /* servers and devices deleted by this job */
    bool server_gone, device_gone, run_ended;
    bool without_details; /* GitHub refused return_run_details */
    char session_id[256]; /* of a Stripe checkout */
    char customer_id[256];
    char *checkout_url;   /* heap */
    int64_t effective_at; /* when a cancelled subscription ends, Unix seconds */
    int64_t renews_at;    /* when a resumed one is paid next, Unix seconds */
    json_t *catalog; /* heap: an array of {"id","name","channels":[{"id","name"}]}; "cut": true where a team has more */
    int64_t catalog_bytes; /* of that, counted as it grows */
    int64_t team;          /* the one being read: its place in the catalog, from 0 */
    bool catalog_cut;      /* something was left out for its limits */
    char *link;            /* heap: to the next page of the list being read */
};

/* Frees what is on the heap; idempotent. */
void findings_deinit(struct findings *findings);
/* Sets one of the long texts, cut at FINDINGS_LONG_BYTES_MAX; empty frees it. */
void findings_set_long(char **text, struct sl_str value);

/* Appends the JSON object: what is set, and nothing else. False on overflow of `out`. */
SL_MUST_CHECK bool findings_write(const struct findings *findings, struct sl_buf *out);
/* Starts from nothing, and *ret_findings is the caller's to deinit; empty text is {}. PERMANENT when it is no JSON
 * object; values of a wrong type or size count as absent. */
SL_MUST_CHECK bool findings_read(struct sl_str text, struct findings *ret_findings, struct sl_err *err);
/* Whether nothing was found yet: at most the intent of `step` is there, as a claim records it. */
bool findings_is_intent_alone(const struct findings *findings, const char *step);
/* The part that a job's outcome tells (addresses of an instance, what Stripe answered, a catalog), as a JSON object. */
SL_MUST_CHECK bool findings_write_outcome(const struct findings *findings, struct sl_buf *out);

#endif
