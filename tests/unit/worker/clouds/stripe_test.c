/* Stripe: forms as its API reads them, objects in both layouts, and bodies that no API documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/reply.h"
#include "worker/clouds/stripe.h"

static const struct cloud_account account = {
    .base_url = "http://s", .token = {.ptr = "sk_x", .len = 4}, .api_version = "2026-10-28.endive"};

static struct sl_str header(const struct cloud_request *request, const char *name)
{
    for (size_t i = 0; i < request->http.header_count; i++)
        if (strcmp(request->http.headers[i].name, name) == 0)
            return request->http.headers[i].value;
    return SL_STR_NONE;
}

static void a_customer_is_made_under_a_key(void **state)
{
    (void)state;
    struct cloud_request request;
    cloud_request_init(&request);
    char key[] = "job:step";
    assert_true(
        stripe_create_customer(&account, sl_str_of(key), SL_STR("a+b@c.example"), SL_STR("user_1"), &request, NULL));
    memset(key, 'x', sizeof(key) - 1); /* the request keeps its own copy */
    assert_string_equal(request.http.method, "POST");
    assert_string_equal(request.http.url, "http://s/v1/customers");
    assert_true(sl_str_is(request.http.body, "email=a%2Bb%40c.example&metadata[user_id]=user_1"));
    assert_true(sl_str_is(header(&request, "Authorization"), "Bearer sk_x"));
    assert_true(sl_str_is(header(&request, "Idempotency-Key"), "job:step"));
    assert_true(sl_str_is(header(&request, "Stripe-Version"), "2026-10-28.endive"));
    assert_true(sl_str_is(header(&request, "Content-Type"), "application/x-www-form-urlencoded"));
    assert_true(stripe_create_customer(&account, SL_STR("k"), SL_STR_NONE, SL_STR("u"), &request, NULL));
    assert_true(sl_str_is(request.http.body, "metadata[user_id]=u"));
    cloud_request_deinit(&request);
}

static void a_checkout_names_its_user_everywhere(void **state)
{
    (void)state;
    struct cloud_request request;
    struct stripe_checkout checkout = {.mode = SL_STR("subscription"),
                                       .price = SL_STR("price_1"),
                                       .customer_id = SL_STR("cus_1"),
                                       .user_id = SL_STR("u&1"),
                                       .success_url = SL_STR("https://a.example/?ok=1&s={CHECKOUT_SESSION_ID}"),
                                       .cancel_url = SL_STR("https://a.example/no")};
    cloud_request_init(&request);
    assert_true(stripe_open_checkout(&account, SL_STR("k"), &checkout, &request, NULL));
    assert_string_equal(request.http.url, "http://s/v1/checkout/sessions");
    assert_true(sl_str_is(request.http.body,
                          "mode=subscription&line_items[0][price]=price_1&line_items[0][quantity]=1&customer=cus_1"
                          "&client_reference_id=u%261&metadata[user_id]=u%261"
                          "&subscription_data[metadata][user_id]=u%261"
                          "&success_url=https%3A%2F%2Fa.example%2F%3Fok%3D1%26s%3D%7BCHECKOUT_SESSION_ID%7D"
                          "&cancel_url=https%3A%2F%2Fa.example%2Fno"));
    cloud_request_deinit(&request);
}

static void what_stripe_would_refuse_is_left_out(void **state)
{
    (void)state;
    static char name[502];
    struct cloud_request request;
    struct sl_err err = {0};
    struct stripe_checkout checkout = {
        .mode = SL_STR("payment"), .price = SL_STR("p"), .customer_id = SL_STR("c"), .success_url = SL_STR("s")};
    cloud_request_init(&request);
    memset(name, 'u', 201);
    checkout.user_id = sl_str_of(name);
    assert_true(stripe_open_checkout(&account, SL_STR("k"), &checkout, &request, NULL));
    assert_null(strstr(request.http.body.ptr, "client_reference_id"));
    assert_null(strstr(request.http.body.ptr, "subscription_data"));
    assert_null(strstr(request.http.body.ptr, "cancel_url"));
    assert_non_null(strstr(request.http.body.ptr, "metadata[user_id]=uuu"));
    memset(name, 'u', 501);
    checkout.user_id = sl_str_of(name);
    assert_false(stripe_open_checkout(&account, SL_STR("k"), &checkout, &request, &err));
    assert_int_equal(err.error_class, SL_ERR_PERMANENT);
    cloud_request_deinit(&request);
}

static void a_subscription_ends_with_its_period_or_does_not(void **state)
{
    (void)state;
    struct cloud_request request;
    struct sl_err err = {0};
    cloud_request_init(&request);
    assert_true(stripe_cancel_at_period_end(&account, SL_STR("k"), SL_STR("sub_1A"), true, &request, NULL));
    assert_string_equal(request.http.url, "http://s/v1/subscriptions/sub_1A");
    assert_true(sl_str_is(request.http.body, "cancel_at_period_end=true"));
    assert_true(stripe_cancel_at_period_end(&account, SL_STR("k"), SL_STR("sub_1A"), false, &request, NULL));
    assert_true(sl_str_is(request.http.body, "cancel_at_period_end=false"));
    assert_false(stripe_cancel_at_period_end(&account, SL_STR("k"), SL_STR("sub/../x"), true, &request, &err));
    assert_int_equal(err.error_class, SL_ERR_PERMANENT);
    assert_false(stripe_cancel_at_period_end(&account, SL_STR("k"), SL_STR_NONE, true, &request, &err));
    cloud_request_deinit(&request);
}

static void subscriptions_in_both_layouts(void **state)
{
    (void)state;
    struct stripe_subscription subscription;
    struct sl_http_response basil =
        reply_of(200, NULL,
                 "{\"id\":\"sub_1\",\"cancel_at_period_end\":true,\"cancel_at\":30,\"current_period_end\":99,\"items\":"
                 "{\"data\":["
                 "{\"current_period_end\":20},{\"current_period_end\":10},{\"current_period_end\":null}]}}");
    assert_true(stripe_read_subscription(&basil, &subscription));
    assert_string_equal(subscription.id, "sub_1");
    assert_true(subscription.cancel_at_period_end);
    assert_int_equal(subscription.cancel_at_s, 30);
    assert_int_equal(subscription.period_end_s, 10);
    struct sl_http_response older = reply_of(200, NULL,
                                             "{\"id\":\"sub_1\",\"cancel_at_period_end\":false,\"cancel_at\":null,"
                                             "\"current_period_end\":99,\"items\":{\"data\":[{\"id\":\"si_1\"}]}}");
    assert_true(stripe_read_subscription(&older, &subscription));
    assert_int_equal(subscription.cancel_at_s, 0);
    assert_int_equal(subscription.period_end_s, 99);
}

static void errors_and_advice(void **state)
{
    (void)state;
    struct cloud_error error;
    struct sl_http_response coded = reply_of(
        402, NULL, "{\"error\":{\"type\":\"card_error\",\"code\":\"card_declined\",\"message\":\"Declined.\"}}");
    STRIPE.read_error(&coded, &error);
    assert_string_equal(error.code, "card_declined");
    assert_string_equal(error.message, "Declined.");
    assert_int_equal(error.advice, CLOUD_ADVICE_NONE);
    struct sl_http_response typed = reply_of(400, "stripe-should-retry: false",
                                             "{\"error\":{\"type\":\"idempotency_error\",\"message\":\"Keys\"}}");
    STRIPE.read_error(&typed, &error);
    assert_string_equal(error.code, "idempotency_error");
    assert_int_equal(error.advice, CLOUD_ADVICE_GIVE_UP);
    struct sl_http_response limited =
        reply_of(429, "stripe-rate-limited-reason: resource-specific\nstripe-should-retry: true",
                 "{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"rate_limit\",\"message\":\"Slow\"}}");
    STRIPE.read_error(&limited, &error);
    assert_string_equal(error.code, "resource-specific");
    assert_int_equal(error.advice, CLOUD_ADVICE_REPEAT);
}

static void bodies_that_are_no_replies_are_refused(void **state)
{
    (void)state;
    static const char *const nasty[] = {"",
                                        "null",
                                        "[]",
                                        "{}",
                                        "<html>",
                                        "{\"id\":7,\"url\":\"u\"}",
                                        "{\"id\":\"\",\"url\":\"u\"}",
                                        "{\"id\":\"a/b\",\"url\":\"u\"}",
                                        "{\"id\":null}"};
    for (size_t i = 0; i < SL_ARRAY_LEN(nasty); i++) {
        struct sl_http_response response = reply_of(200, NULL, nasty[i]);
        struct stripe_session session;
        struct stripe_subscription subscription;
        char id[STRIPE_ID_BYTES];
        assert_false(stripe_read_customer(&response, id));
        assert_false(stripe_read_session(&response, &session));
        assert_false(stripe_read_subscription(&response, &subscription));
    }
    struct stripe_session session;
    struct sl_http_response closed = reply_of(200, NULL, "{\"id\":\"cs_1\",\"url\":null}");
    assert_false(stripe_read_session(&closed, &session)); /* a session that is over has no page */
    struct sl_http_response open = reply_of(200, NULL, "{\"id\":\"cs_1\",\"url\":\"https://c.example\"}");
    assert_true(stripe_read_session(&open, &session));
    assert_string_equal(session.url, "https://c.example");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_customer_is_made_under_a_key),
        cmocka_unit_test(a_checkout_names_its_user_everywhere),
        cmocka_unit_test(what_stripe_would_refuse_is_left_out),
        cmocka_unit_test(a_subscription_ends_with_its_period_or_does_not),
        cmocka_unit_test(subscriptions_in_both_layouts),
        cmocka_unit_test(errors_and_advice),
        cmocka_unit_test(bodies_that_are_no_replies_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
