/* update_limits.c - gives an instance the limits of its subscription's plan. They are absolute: the same again does no
 * harm. */
#include "worker/execute/recipes/recipes.h"

static struct step_result update_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                         struct cloud_request *request)
{
    (void)now_ms;
    if (job->found.app_name[0] == '\0')
        return step_refused("the agent has no instance");
    const struct provisioner_limits limits = instance_limits(job);
    struct sl_err err = {0};
    bool built = provisioner_update(&settings->accounts[CLOUD_PROVISIONER], sl_str_of(job->found.app_name),
                                    sl_str_of(recipe_arg(job, "tier")), &limits, request, &err);
    return step_call_if(built, &err);
}

static struct step_result update_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                      const struct sl_http_response *response)
{
    (void)job;
    (void)settings;
    (void)now_ms;
    (void)response;
    return step_done();
}

static struct step_result update_refused(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                         const struct classification *refusal)
{
    (void)settings;
    (void)now_ms;
    if (refusal->cause == CAUSE_GONE)
        return step_refused("the instance %s does not exist any more", job->found.app_name);
    return step_refused("the instance %s: %s", job->found.app_name, refusal->error.message);
}

static const struct step steps[] = {
    {.name = "update",
     .cloud = CLOUD_PROVISIONER,
     .mutates = true,
     .idempotent = true,
     .look = "update",
     .wait_max_ms = MINUTES_MS(10),
     .prepare = update_prepare,
     .done = update_done,
     .refused = update_refused},
};

const struct recipe RECIPE_UPDATE_LIMITS = {.kind = JOB_UPDATE_LIMITS,
                                            .backend = "provisioner",
                                            .home = CLOUD_PROVISIONER,
                                            .may_cancel = true,
                                            .steps = steps,
                                            .step_count = SL_ARRAY_LEN(steps),
                                            .first = "update"};
