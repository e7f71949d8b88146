/* stripe_checkout.c - opens a page of Stripe's where the user pays for a plan; makes the user's customer first where
 * there is none.
 *
 * Each step is its own look: under the job's key, with a body made of the job's args and what was found before, Stripe
 * answers a request that it had taken already with its first answer.
 */
#include <string.h>

#include "common/fault.h"
#include "worker/clouds/stripe.h"
#include "worker/execute/recipes/recipes.h"

struct sl_str stripe_key(const struct recipe_job *job, const char *step, char storage[CLOUD_KEY_BYTES])
{
    int length = snprintf(storage, CLOUD_KEY_BYTES, "%s:%s", job->id_text, step);
    SL_ASSERT(length > 0 && length < CLOUD_KEY_BYTES);
    return sl_str_of(storage);
}

static struct step_result customer_prepare(struct recipe_job *job, const struct recipe_settings *settings,
                                           int64_t now_ms, struct cloud_request *request)
{
    (void)now_ms;
    struct findings *found = &job->found;
    struct sl_str customer = sl_str_of(recipe_arg(job, "customer"));
    if (found->customer_id[0] == '\0' && customer.len > 0) {
        if (customer.len >= sizeof(found->customer_id))
            return step_refused("the customer's id is too long");
        cloud_copy(found->customer_id, sizeof(found->customer_id), customer);
    }
    if (found->customer_id[0] != '\0')
        return step_next("open_checkout");
    char key[CLOUD_KEY_BYTES];
    struct sl_err err = {0};
    bool built = stripe_create_customer(&settings->accounts[CLOUD_STRIPE], stripe_key(job, "create_customer", key),
                                        sl_str_of(recipe_arg(job, "email")), sl_str_of(recipe_arg(job, "user_id")),
                                        request, &err);
    return step_call_if(built, &err);
}

static struct step_result customer_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                        const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    sl_fault("execute.customer_created");
    if (!stripe_read_customer(response, job->found.customer_id))
        return step_unreadable("create_customer");
    return step_next("open_checkout");
}

static struct step_result checkout_prepare(struct recipe_job *job, const struct recipe_settings *settings,
                                           int64_t now_ms, struct cloud_request *request)
{
    (void)now_ms;
    struct stripe_checkout checkout = {.mode = sl_str_of(recipe_arg(job, "mode")),
                                       .price = sl_str_of(recipe_arg(job, "price")),
                                       .customer_id = sl_str_of(job->found.customer_id),
                                       .user_id = sl_str_of(recipe_arg(job, "user_id")),
                                       .success_url = sl_str_of(recipe_arg(job, "success_url")),
                                       .cancel_url = sl_str_of(recipe_arg(job, "cancel_url"))};
    if (sl_str_empty(checkout.mode))
        checkout.mode = SL_STR("subscription");
    char key[CLOUD_KEY_BYTES];
    struct sl_err err = {0};
    bool built = stripe_open_checkout(&settings->accounts[CLOUD_STRIPE], stripe_key(job, "open_checkout", key),
                                      &checkout, request, &err);
    return step_call_if(built, &err);
}

static struct step_result checkout_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                        const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    struct stripe_session session;
    sl_fault("execute.checkout_opened");
    if (!stripe_read_session(response, &session))
        return step_unreadable("open_checkout");
    memcpy(job->found.session_id, session.id, sizeof(session.id));
    findings_set_long(&job->found.checkout_url, sl_str_of(session.url));
    return step_done();
}

static const struct step steps[] = {
    {.name = "create_customer",
     .cloud = CLOUD_STRIPE,
     .mutates = true,
     .idempotent = true,
     .look = "create_customer",
     .wait_max_ms = MINUTES_MS(2),
     .prepare = customer_prepare,
     .done = customer_done},
    {.name = "open_checkout",
     .cloud = CLOUD_STRIPE,
     .mutates = true,
     .idempotent = true,
     .look = "open_checkout",
     .wait_max_ms = MINUTES_MS(2),
     .prepare = checkout_prepare,
     .done = checkout_done},
};

const struct recipe RECIPE_STRIPE_CHECKOUT = {.kind = JOB_STRIPE,
                                              .backend = "stripe",
                                              .op = "checkout",
                                              .home = CLOUD_STRIPE,
                                              .may_cancel = true,
                                              .steps = steps,
                                              .step_count = SL_ARRAY_LEN(steps),
                                              .first = "create_customer"};
