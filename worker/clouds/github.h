/* github.h - the part of GitHub's REST API that runs a workflow: dispatch, find, look at and cancel its runs.
 *
 * As in hetzner.h: request functions give false only for what can't be sent, reply functions for a body that isn't as
 * documented.
 */
#ifndef CLOUDS_GITHUB_H
#define CLOUDS_GITHUB_H

#include "worker/clouds/cloud.h"

extern const struct cloud GITHUB;

#define GITHUB_ID_BYTES      24
#define GITHUB_RUNS_PER_PAGE 100

struct github_dispatch {
    struct sl_str job_id, agent_id, region, user_id;
    bool without_details; /* don't ask for the run's id: an older server refuses the key */
};

struct github_run {
    char id[GITHUB_ID_BYTES];
    char title[128];
    bool completed;
    char conclusion[32];
    int64_t created_at_ms; /* 0: not said */
};

/* The beginning of every request here: the repository's path, behind it `part` ("/actions/"), and GitHub's headers. For
 * the files of this cloud alone. */
SL_MUST_CHECK bool github_start(struct cloud_request *request, const struct cloud_account *account, const char *method,
                                const char *part, struct sl_err *err);

/* POST …/dispatches: ref, the four inputs of the workflow, return_run_details. */
SL_MUST_CHECK bool github_dispatch_workflow(const struct cloud_account *account, const struct github_dispatch *dispatch,
                                            struct cloud_request *request, struct sl_err *err);
/* Runs by dispatch since a time (whole seconds), newest first; `page` counts from 1. */
SL_MUST_CHECK bool github_list_runs(const struct cloud_account *account, int64_t created_from_ms, int page,
                                    struct cloud_request *request, struct sl_err *err);
SL_MUST_CHECK bool github_get_run(const struct cloud_account *account, struct sl_str run_id,
                                  struct cloud_request *request, struct sl_err *err);
SL_MUST_CHECK bool github_cancel_run(const struct cloud_account *account, struct sl_str run_id,
                                     struct cloud_request *request, struct sl_err *err);

/* The run that a dispatch started, as text; empty when the reply doesn't say (204). */
void github_read_dispatched(const struct sl_http_response *response, char ret_run_id[GITHUB_ID_BYTES]);
/* The newest run of a page with that title, still at work where there is one; *ret_found says whether there is any,
 * *ret_more whether there are further pages. */
SL_MUST_CHECK bool github_read_found(const struct sl_http_response *response, struct sl_str title, bool *ret_found,
                                     struct github_run *ret_run, bool *ret_more);
SL_MUST_CHECK bool github_read_run(const struct sl_http_response *response, struct github_run *ret_run);

/* The repository's webhook and its deliveries (kept for three days; GitHub repeats none by itself). */
struct github_hook {
    char id[GITHUB_ID_BYTES];
    char url[512];
    bool active;
};

struct github_delivery {
    char id[GITHUB_ID_BYTES];
    char guid[64]; /* X-GitHub-Delivery: the same in a redelivery */
    char event[64];
    char status[64];
    int status_code;
    bool redelivery;
    int64_t delivered_at_ms;
};
#define GITHUB_CURSOR_BYTES 256

SL_MUST_CHECK bool github_list_hooks(const struct cloud_account *account, struct cloud_request *request,
                                     struct sl_err *err);
/* A page of deliveries, newest first; `status` is "failure", "success" or NULL for all; `cursor` empty: the newest. */
SL_MUST_CHECK bool github_list_deliveries(const struct cloud_account *account, struct sl_str hook_id,
                                          const char *status, const char *cursor, struct cloud_request *request,
                                          struct sl_err *err);
/* POST …/attempts: asks for one delivery more, under the same GUID. */
SL_MUST_CHECK bool github_redeliver(const struct cloud_account *account, struct sl_str hook_id,
                                    struct sl_str delivery_id, struct cloud_request *request, struct sl_err *err);

SL_MUST_CHECK bool github_read_hooks(const struct sl_http_response *response,
                                     void (*visit)(void *arg, const struct github_hook *hook), void *arg);
/* The cursor is empty behind the last page; visited or not, a page whose next one can't be told is no page. */
SL_MUST_CHECK bool github_read_deliveries(const struct sl_http_response *response,
                                          void (*visit)(void *arg, const struct github_delivery *delivery), void *arg,
                                          char ret_cursor[GITHUB_CURSOR_BYTES]);

#endif
