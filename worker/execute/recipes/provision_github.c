/* provision_github.c - has GitHub run the provisioning workflow, which then reports by callbacks.
 *
 * A dispatch is not idempotent, and nothing in its answer can be asked for again. So where one may have happened
 * unheard, its run is looked for by its title first, several times, because the list lags behind; only then is it
 * dispatched again. Should two runs start all the same, the callback lets one of them claim the job.
 */
#include <string.h>

#include "common/fault.h"
#include "worker/clouds/github.h"
#include "worker/execute/recipes/recipes.h"

#define PAGES_MAX     5
#define REFUSALS_MAX  4
#define CLOCK_SKEW_MS 60000 /* between GitHub's clock and Postgres' */

static struct step_result dispatch_prepare(struct recipe_job *job, const struct recipe_settings *settings,
                                           int64_t now_ms, struct cloud_request *request)
{
    (void)now_ms;
    struct github_dispatch dispatch = {.job_id = sl_str_of(job->id_text),
                                       .agent_id = sl_str_of(job->agent_text),
                                       .region = sl_str_of(job->region),
                                       .user_id = sl_str_of(job->user_id),
                                       .without_details = job->found.without_details};
    struct sl_err err = {0};
    bool built = github_dispatch_workflow(&settings->accounts[CLOUD_GITHUB], &dispatch, request, &err);
    return step_call_if(built, &err);
}

static struct step_result dispatch_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                        const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    sl_fault("execute.dispatched");
    github_read_dispatched(response, job->found.run_id);
    return step_waiting();
}

/* A refusal has dispatched nothing. Those for a workflow pushed just now go away by themselves, so it is tried again, a
 * few times. */
static struct step_result dispatch_refused(struct recipe_job *job, const struct recipe_settings *settings,
                                           int64_t now_ms, const struct classification *refusal)
{
    (void)settings;
    (void)now_ms;
    if (!job->found.without_details && strstr(refusal->error.message, "return_run_details")) {
        job->found.without_details = true;
        return step_next("dispatch");
    }
    struct step_result result = step_retry("dispatch", "the workflow was not dispatched: %s", refusal->error.message);
    result.attempts_max = REFUSALS_MAX;
    return result;
}

static struct step_result look_run_prepare(struct recipe_job *job, const struct recipe_settings *settings,
                                           int64_t now_ms, struct cloud_request *request)
{
    (void)now_ms;
    if (job->found.page == 0)
        job->found.page = 1;
    struct sl_err err = {0};
    bool built = github_list_runs(&settings->accounts[CLOUD_GITHUB], job->found.intent_at_ms - CLOCK_SKEW_MS,
                                  (int)job->found.page, request, &err);
    return step_call_if(built, &err);
}

static struct step_result look_run_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                        const struct sl_http_response *response)
{
    (void)now_ms;
    bool found = false;
    bool more = false;
    struct github_run run = {0};
    if (!github_read_found(response, sl_str_of(job->run_title), &found, &run, &more))
        return step_unreadable(NULL);
    /* a run that ended before we first tried belongs to an earlier life of the job */
    if (found && run.completed && run.created_at_ms < job->found.intent_at_ms - CLOCK_SKEW_MS / 10)
        found = false;
    if (found) {
        memcpy(job->found.run_id, run.id, sizeof(run.id));
        return step_waiting();
    }
    if (more && job->found.page < PAGES_MAX) {
        job->found.page++;
        return step_next("look_run");
    }
    job->found.page = 0;
    job->found.looks++;
    if (job->found.looks < settings->looks_max)
        return step_wait_at("look_run", settings->look_ms);
    job->found.looks = 0;
    return step_next_noting("dispatch", "no run is listed: the workflow is dispatched again");
}

static const struct step steps[] = {
    {.name = "dispatch",
     .cloud = CLOUD_GITHUB,
     .mutates = true,
     .look = "look_run",
     .wait_max_ms = MINUTES_MS(10),
     .prepare = dispatch_prepare,
     .done = dispatch_done,
     .refused = dispatch_refused},
    {.name = "look_run",
     .cloud = CLOUD_GITHUB,
     .wait_max_ms = MINUTES_MS(10),
     .prepare = look_run_prepare,
     .done = look_run_done},
};

const struct recipe RECIPE_PROVISION_GITHUB = {.kind = JOB_PROVISION,
                                               .backend = "github-actions",
                                               .home = CLOUD_GITHUB,
                                               .may_cancel = true,
                                               .steps = steps,
                                               .step_count = SL_ARRAY_LEN(steps),
                                               .first = "dispatch"};
