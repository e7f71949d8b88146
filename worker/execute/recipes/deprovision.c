/* deprovision.c - takes an instance away; done means that there is none.
 *
 * Its name is what the provisioner told. Where that answer never came, the list of instances says whether the
 * subscription has one, looked at several times: asking by POST /provision could bring one.
 */
#include <string.h>

#include "worker/execute/recipes/recipes.h"

static struct step_result delete_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                         struct cloud_request *request)
{
    (void)now_ms;
    if (job->found.app_name[0] == '\0')
        return step_next("find_instance");
    struct sl_err err = {0};
    bool built =
        provisioner_deprovision(&settings->accounts[CLOUD_PROVISIONER], sl_str_of(job->found.app_name), request, &err);
    return step_call_if(built, &err);
}

static struct step_result delete_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                      const struct sl_http_response *response)
{
    (void)job;
    (void)settings;
    (void)now_ms;
    (void)response;
    return step_done();
}

static struct step_result delete_refused(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                         const struct classification *refusal)
{
    (void)settings;
    (void)now_ms;
    if (refusal->cause == CAUSE_GONE)
        return step_done();
    return step_refused("the instance %s: %s", job->found.app_name, refusal->error.message);
}

static struct step_result find_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                       struct cloud_request *request)
{
    (void)now_ms;
    if (recipe_arg(job, "subscription_id")[0] == '\0')
        return step_refused("the job names neither an app_name nor a subscription_id, and the agent has no instance");
    struct sl_err err = {0};
    bool built = provisioner_list(&settings->accounts[CLOUD_PROVISIONER], request, &err);
    return step_call_if(built, &err);
}

static struct step_result find_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                    const struct sl_http_response *response)
{
    (void)now_ms;
    bool found = false;
    struct sl_str subscription_id = sl_str_of(recipe_arg(job, "subscription_id"));
    if (!provisioner_read_found(response, subscription_id, &found, job->found.app_name))
        return step_unreadable(NULL);
    if (found)
        return step_next("delete_instance");
    /* It may still be made: the provision whose answer was lost goes on over there. */
    return ++job->found.looks < settings->looks_max ? step_wait_at("find_instance", settings->look_ms) : step_done();
}

static const struct step steps[] = {
    {.name = "delete_instance",
     .cloud = CLOUD_PROVISIONER,
     .mutates = true,
     .idempotent = true,
     .look = "delete_instance",
     .wait_max_ms = MINUTES_MS(10),
     .prepare = delete_prepare,
     .done = delete_done,
     .refused = delete_refused},
    {.name = "find_instance",
     .cloud = CLOUD_PROVISIONER,
     .wait_max_ms = MINUTES_MS(10),
     .prepare = find_prepare,
     .done = find_done},
};

const struct recipe RECIPE_DEPROVISION = {.kind = JOB_DEPROVISION,
                                          .backend = "provisioner",
                                          .home = CLOUD_PROVISIONER,
                                          .steps = steps,
                                          .step_count = SL_ARRAY_LEN(steps),
                                          .first = "delete_instance"};
