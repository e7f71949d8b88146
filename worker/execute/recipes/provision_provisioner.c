/* provision_provisioner.c - brings an instance of a subscription's.
 *
 * One call, which the provisioner takes again for the same subscription: it answers what is there. So an answer that
 * was lost is asked for by the same call.
 */
#include <string.h>

#include "common/fault.h"

#include "worker/execute/recipes/recipes.h"

static struct step_result provision_prepare(struct recipe_job *job, const struct recipe_settings *settings,
                                            int64_t now_ms, struct cloud_request *request)
{
    (void)now_ms;
    const char *account_id = recipe_arg(job, "account_id");
    const struct provisioner_order order = {
        .subscription_id = sl_str_of(recipe_arg(job, "subscription_id")),
        .account_id = sl_str_of(account_id[0] != '\0' ? account_id : job->user_id),
        .tier = sl_str_of(recipe_arg(job, "tier")),
        .limits = instance_limits(job),
    };
    if (sl_str_empty(order.subscription_id) || sl_str_empty(order.tier))
        return step_refused("the job names no subscription_id, or no tier");
    struct sl_err err = {0};
    bool built = provisioner_provision(&settings->accounts[CLOUD_PROVISIONER], &order, request, &err);
    return step_call_if(built, &err);
}

static struct step_result provision_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                         const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    struct provisioner_app app;
    sl_fault("execute.app_provisioned");
    if (!provisioner_read_app(response, &app))
        return step_unreadable("provision");
    memcpy(job->found.app_name, app.name, sizeof(app.name));
    memcpy(job->found.frontend_url, app.frontend_url, sizeof(app.frontend_url));
    memcpy(job->found.backend_url, app.backend_url, sizeof(app.backend_url));
    return step_done();
}

static const struct step steps[] = {
    {.name = "provision",
     .cloud = CLOUD_PROVISIONER,
     .mutates = true,
     .idempotent = true,
     .look = "provision",
     .wait_max_ms = MINUTES_MS(10),
     .prepare = provision_prepare,
     .done = provision_done},
};

const struct recipe RECIPE_PROVISION_PROVISIONER = {.kind = JOB_PROVISION,
                                                    .backend = "provisioner",
                                                    .home = CLOUD_PROVISIONER,
                                                    .may_cancel = true,
                                                    .steps = steps,
                                                    .step_count = SL_ARRAY_LEN(steps),
                                                    .first = "provision"};
