/* stripe_subscription.c - has a subscription end with its period, or takes that back: one request each, its own look as
 * in stripe_checkout.c.
 */
#include "worker/clouds/stripe.h"
#include "worker/execute/recipes/recipes.h"

static struct step_result change(const struct recipe_job *job, const struct recipe_settings *settings, const char *step,
                                 bool cancel, struct cloud_request *request)
{
    char key[CLOUD_KEY_BYTES];
    struct sl_err err = {0};
    bool built = stripe_cancel_at_period_end(&settings->accounts[CLOUD_STRIPE], stripe_key(job, step, key),
                                             sl_str_of(recipe_arg(job, "subscription_id")), cancel, request, &err);
    return step_call_if(built, &err);
}

static struct step_result cancel_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                         struct cloud_request *request)
{
    (void)now_ms;
    return change(job, settings, "cancel_at_period_end", true, request);
}

static struct step_result cancel_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                      const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    struct stripe_subscription subscription;
    if (!stripe_read_subscription(response, &subscription))
        return step_unreadable("cancel_at_period_end");
    job->found.effective_at = subscription.cancel_at_s > 0 ? subscription.cancel_at_s : subscription.period_end_s;
    return job->found.effective_at > 0 ? step_done() : step_unreadable("cancel_at_period_end");
}

static struct step_result resume_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                         struct cloud_request *request)
{
    (void)now_ms;
    return change(job, settings, "resume", false, request);
}

static struct step_result resume_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                      const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    struct stripe_subscription subscription;
    if (!stripe_read_subscription(response, &subscription))
        return step_unreadable("resume");
    job->found.renews_at = subscription.period_end_s;
    return job->found.renews_at > 0 ? step_done() : step_unreadable("resume");
}

static const struct step cancel_steps[] = {
    {.name = "cancel_at_period_end",
     .cloud = CLOUD_STRIPE,
     .mutates = true,
     .idempotent = true,
     .look = "cancel_at_period_end",
     .wait_max_ms = MINUTES_MS(2),
     .prepare = cancel_prepare,
     .done = cancel_done},
};

static const struct step resume_steps[] = {
    {.name = "resume",
     .cloud = CLOUD_STRIPE,
     .mutates = true,
     .idempotent = true,
     .look = "resume",
     .wait_max_ms = MINUTES_MS(2),
     .prepare = resume_prepare,
     .done = resume_done},
};

const struct recipe RECIPE_STRIPE_CANCEL = {.kind = JOB_STRIPE,
                                            .backend = "stripe",
                                            .op = "cancel_at_period_end",
                                            .home = CLOUD_STRIPE,
                                            .may_cancel = true,
                                            .steps = cancel_steps,
                                            .step_count = SL_ARRAY_LEN(cancel_steps),
                                            .first = "cancel_at_period_end"};

const struct recipe RECIPE_STRIPE_RESUME = {.kind = JOB_STRIPE,
                                            .backend = "stripe",
                                            .op = "resume",
                                            .home = CLOUD_STRIPE,
                                            .may_cancel = true,
                                            .steps = resume_steps,
                                            .step_count = SL_ARRAY_LEN(resume_steps),
                                            .first = "resume"};
