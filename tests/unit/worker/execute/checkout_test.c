/* Checkouts, cancellations and resumptions at Stripe, played against literal replies: the same body each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/scene.h"
#include "worker/execute/recipes/recipes.h"

#define CUSTOMER "POST /v1/customers\nemail=a%40b.example&metadata[user_id]=u1"
#define CHECKOUT(customer)                                                                                             \
    "POST "                                                                                                            \
    "/v1/checkout/"                                                                                                    \
    "sessions\nmode=subscription&line_items[0][price]=price_1&line_items[0][quantity]=1&customer=" customer            \
    "&client_reference_id=u1&metadata[user_id]=u1&subscription_data[metadata][user_id]=u1"                             \
    "&success_url=https%3A%2F%2Fs&cancel_url=https%3A%2F%2Fc"
#define CANCEL    "POST /v1/subscriptions/sub_1\ncancel_at_period_end=true"
#define RESUME    "POST /v1/subscriptions/sub_1\ncancel_at_period_end=false"
#define MADE      "{\"id\":\"cus_9\",\"object\":\"customer\"}"
#define OPENED    "{\"id\":\"cs_1\",\"url\":\"https://pay.example/cs_1\"}"
#define IN_USE    "{\"error\":{\"type\":\"idempotency_error\",\"code\":\"idempotency_key_in_use\",\"message\":\"b\"}}"
#define LOCKED    "{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"lock_timeout\",\"message\":\"locked\"}}"
#define NO_PRICE  "{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"No such price: 'price_1'\"}}"
#define OTHER_KEY "{\"error\":{\"type\":\"idempotency_error\",\"message\":\"Keys for idempotent requests\"}}"
#define ENDED     "{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"A canceled subscription\"}}"

#define PLAY(of, job_of, how_it_ends, error_of, ...)                                                                   \
    scene_play(&(struct scene){.recipe = &(of),                                                                        \
                               .job = (job_of),                                                                        \
                               .acts = (const struct act[]){__VA_ARGS__},                                              \
                               .act_count = sizeof((const struct act[]){__VA_ARGS__}) / sizeof(struct act),            \
                               .end = (how_it_ends),                                                                   \
                               .error = (error_of)})

static struct recipe_job job_with(const char *args)
{
    struct recipe_job job = scene_job(false, false);
    SL_JSON_AUTO *json = NULL;
    assert_true(sl_json_parse(sl_str_of(args), 0, &json, NULL));
    assert_true(args_read(json, &job.args, NULL));
    return job;
}

static struct recipe_job checkout_job(bool with_customer)
{
    return job_with(with_customer ? "{\"op\":\"checkout\",\"mode\":\"subscription\",\"price\":\"price_1\",\"email\":"
                                    "\"a@b.example\",\"user_id\":\"u1\",\"customer\":\"cus_1\",\"success_url\":"
                                    "\"https://s\",\"cancel_url\":\"https://c\"}"
                                  : "{\"op\":\"checkout\",\"price\":\"price_1\",\"email\":\"a@b.example\",\"user_id\":"
                                    "\"u1\",\"success_url\":\"https://s\",\"cancel_url\":\"https://c\"}");
}

static struct recipe_job subscription_job(void)
{
    return job_with("{\"subscription_id\":\"sub_1\"}");
}

static void a_known_customer_goes_straight_to_the_checkout(void **state)
{
    (void)state;
    struct recipe_job job = PLAY(RECIPE_STRIPE_CHECKOUT, checkout_job(true), STEP_DONE, NULL,
                                 {"open_checkout", CHECKOUT("cus_1"), 200, OPENED, 0});
    assert_string_equal(job.found.customer_id, "cus_1");
    assert_string_equal(job.found.session_id, "cs_1");
    assert_string_equal(job.found.checkout_url, "https://pay.example/cs_1");
    assert_string_equal(job.found.intent, "");
    recipe_job_deinit(&job);
}

static void a_customer_is_made_first(void **state)
{
    (void)state;
    struct recipe_job job =
        PLAY(RECIPE_STRIPE_CHECKOUT, checkout_job(false), STEP_DONE, NULL, {"create_customer", CUSTOMER, 200, MADE, 0},
             {"open_checkout", CHECKOUT("cus_9"), 200, OPENED, 0});
    assert_string_equal(job.found.customer_id, "cus_9");
    recipe_job_deinit(&job);
}

static void what_was_lost_is_sent_again_as_it_was(void **state)
{
    (void)state;
    struct recipe_job job = PLAY(
        RECIPE_STRIPE_CHECKOUT, checkout_job(false), STEP_DONE, NULL, {"create_customer", CUSTOMER, 0, NULL, 0},
        {"create_customer", CUSTOMER, 409, IN_USE, 100}, {"create_customer", CUSTOMER, -1, NULL, 500},
        {"create_customer", CUSTOMER, 200, MADE, 0}, {"open_checkout", CHECKOUT("cus_9"), 502, "<html>", 0},
        {"open_checkout", CHECKOUT("cus_9"), 429, LOCKED, 0}, {"open_checkout", CHECKOUT("cus_9"), 200, "{\"id\":", 0},
        {"open_checkout", CHECKOUT("cus_9"), 200, OPENED, 0});
    assert_string_equal(job.found.session_id, "cs_1");
    recipe_job_deinit(&job);
}

static void a_refusal_ends_with_stripes_words(void **state)
{
    (void)state;
    struct recipe_job job = PLAY(RECIPE_STRIPE_CHECKOUT, checkout_job(true), STEP_REFUSED, "No such price: 'price_1'",
                                 {"open_checkout", CHECKOUT("cus_1"), 400, NO_PRICE, 0});
    recipe_job_deinit(&job);
    job = PLAY(RECIPE_STRIPE_CHECKOUT, checkout_job(false), STEP_REFUSED, "Keys for idempotent requests",
               {"create_customer", CUSTOMER, 400, OTHER_KEY, 0});
    recipe_job_deinit(&job);
}

static void answers_that_are_always_lost_end_in_failure(void **state)
{
    (void)state;
    const struct act acts[] = {{"open_checkout", CHECKOUT("cus_1"), 0, NULL, 0},
                               {"open_checkout", CHECKOUT("cus_1"), 500, "", 0}};
    struct scene scene = {.recipe = &RECIPE_STRIPE_CHECKOUT,
                          .job = checkout_job(true),
                          .acts = acts,
                          .act_count = 2,
                          .end = STEP_RETRY,
                          .attempts_max = 2};
    struct recipe_job job = scene_play(&scene);
    assert_string_equal(job.found.intent, "open_checkout");
    recipe_job_deinit(&job);
}

static void a_lock_that_stays_is_a_failed_attempt(void **state)
{
    (void)state;
    const struct act acts[] = {{"resume", RESUME, 429, LOCKED, 0}, {"resume", RESUME, 429, LOCKED, 120001}};
    struct scene scene = {.recipe = &RECIPE_STRIPE_RESUME,
                          .job = subscription_job(),
                          .acts = acts,
                          .act_count = 2,
                          .end = STEP_RETRY,
                          .error = "waited for too long",
                          .attempts_max = 1};
    struct recipe_job job = scene_play(&scene);
    recipe_job_deinit(&job);
}

static void a_cancellation_says_when_it_takes_effect(void **state)
{
    (void)state;
    struct recipe_job job =
        PLAY(RECIPE_STRIPE_CANCEL, subscription_job(), STEP_DONE, NULL, {"cancel_at_period_end", CANCEL, 0, NULL, 0},
             {"cancel_at_period_end", CANCEL, 200,
              "{\"id\":\"sub_1\",\"cancel_at_period_end\":true,\"cancel_at\":77,\"items\":{\"data\":[]}}", 0});
    assert_int_equal(job.found.effective_at, 77);
    recipe_job_deinit(&job);
    job = PLAY(RECIPE_STRIPE_CANCEL, subscription_job(), STEP_DONE, NULL,
               {"cancel_at_period_end", CANCEL, 200, "{\"id\":\"sub_1\",\"current_period_end\":88}", 0});
    assert_int_equal(job.found.effective_at, 88);
    recipe_job_deinit(&job);
    job = PLAY(RECIPE_STRIPE_CANCEL, subscription_job(), STEP_REFUSED, "A canceled subscription",
               {"cancel_at_period_end", CANCEL, 400, ENDED, 0});
    recipe_job_deinit(&job);
}

static void a_resumption_says_when_it_renews(void **state)
{
    (void)state;
    struct recipe_job job = PLAY(
        RECIPE_STRIPE_RESUME, subscription_job(), STEP_DONE, NULL, {"resume", RESUME, 200, "{\"id\":\"sub_1\"}", 0},
        {"resume", RESUME, 200, "{\"id\":\"sub_1\",\"items\":{\"data\":[{\"current_period_end\":99}]}}", 0});
    assert_int_equal(job.found.renews_at, 99);
    recipe_job_deinit(&job);
}

static void no_subscription_is_no_call(void **state)
{
    (void)state;
    struct scene none = {
        .recipe = &RECIPE_STRIPE_CANCEL, .job = job_with("{}"), .end = STEP_REFUSED, .error = "no id of a Stripe"};
    struct recipe_job job = scene_play(&none);
    recipe_job_deinit(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_customer_goes_straight_to_the_checkout),
        cmocka_unit_test(a_customer_is_made_first),
        cmocka_unit_test(what_was_lost_is_sent_again_as_it_was),
        cmocka_unit_test(a_refusal_ends_with_stripes_words),
        cmocka_unit_test(answers_that_are_always_lost_end_in_failure),
        cmocka_unit_test(a_lock_that_stays_is_a_failed_attempt),
        cmocka_unit_test(a_cancellation_says_when_it_takes_effect),
        cmocka_unit_test(a_resumption_says_when_it_renews),
        cmocka_unit_test(no_subscription_is_no_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
