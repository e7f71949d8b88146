/* undo_run.c - the first part of an undoing: a provisioning run that may still be at work is stopped, or it would go on
 * making what is being deleted. It is waited for, but not for ever: the callback refuses whatever it reports
 * afterwards.
 */
#include <string.h>

#include "worker/clouds/github.h"
#include "worker/execute/recipes/undo.h"

#define PAGES_MAX     5
#define CLOCK_SKEW_MS 60000

static struct step_result run_over(struct recipe_job *job)
{
    job->found.run_ended = true;
    return step_next("find_server");
}

struct step_result find_run_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                    struct cloud_request *request)
{
    (void)now_ms;
    if (job->run_title[0] == '\0' || job->found.run_ended)
        return step_next("find_server");
    if (job->found.run_id[0] != '\0')
        return step_next("check_run");
    if (job->found.page == 0)
        job->found.page = 1;
    struct sl_err err = {0};
    bool built = github_list_runs(&settings->accounts[CLOUD_GITHUB], job->run_from_ms - CLOCK_SKEW_MS,
                                  (int)job->found.page, request, &err);
    return step_call_if(built, &err);
}

struct step_result find_run_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                 const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    bool found = false;
    bool more = false;
    struct github_run run = {0};
    if (!github_read_found(response, sl_str_of(job->run_title), &found, &run, &more))
        return step_unreadable(NULL);
    if (!found && more && job->found.page < PAGES_MAX) {
        job->found.page++;
        return step_next("find_run");
    }
    job->found.page = 0;
    if (!found || run.completed)
        return run_over(job);
    memcpy(job->found.run_id, run.id, sizeof(run.id));
    return step_next("cancel_run");
}

/* A run, a workflow or a repository that is gone can't be at work. */
struct step_result run_refused(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                               const struct classification *refusal)
{
    (void)settings;
    (void)now_ms;
    (void)refusal;
    return run_over(job);
}

static struct step_result get_run(const struct recipe_job *job, const struct recipe_settings *settings,
                                  struct cloud_request *request)
{
    struct sl_err err = {0};
    bool built = github_get_run(&settings->accounts[CLOUD_GITHUB], sl_str_of(job->found.run_id), request, &err);
    return step_call_if(built, &err);
}

struct step_result check_run_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                     struct cloud_request *request)
{
    (void)now_ms;
    /* the callback's run id is whatever the workflow sent */
    if (!cloud_id_is_safe(sl_str_of(job->found.run_id), GITHUB_ID_BYTES - 1, true)) {
        job->found.run_id[0] = '\0';
        return step_next("find_run");
    }
    return get_run(job, settings, request);
}

struct step_result check_run_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                  const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    struct github_run run;
    if (!github_read_run(response, &run))
        return step_unreadable(NULL);
    return run.completed ? run_over(job) : step_next("cancel_run");
}

struct step_result cancel_run_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                      struct cloud_request *request)
{
    (void)now_ms;
    struct sl_err err = {0};
    bool built = github_cancel_run(&settings->accounts[CLOUD_GITHUB], sl_str_of(job->found.run_id), request, &err);
    return step_call_if(built, &err);
}

struct step_result cancel_run_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                   const struct sl_http_response *response)
{
    (void)job;
    (void)settings;
    (void)now_ms;
    (void)response;
    return step_next("wait_run");
}

/* 409: it can't be cancelled, because it has ended, or is about to. */
struct step_result cancel_run_refused(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                      const struct classification *refusal)
{
    if (refusal->cause == CAUSE_GONE)
        return run_refused(job, settings, now_ms, refusal);
    return step_next("wait_run");
}

struct step_result wait_run_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                    struct cloud_request *request)
{
    (void)now_ms;
    return get_run(job, settings, request);
}

struct step_result wait_run_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                 const struct sl_http_response *response)
{
    struct github_run run;
    if (!github_read_run(response, &run))
        return step_unreadable(NULL);
    if (run.completed)
        return run_over(job);
    if (job->found.waits_from_ms == 0 || now_ms - job->found.waits_from_ms < settings->run_stop_max_ms)
        return step_wait();
    job->found.run_ended = true;
    return step_next_noting("find_server", "run %s does not end: the undoing goes on without waiting for it", run.id);
}
