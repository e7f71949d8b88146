/* stripe.c - requests and replies of Stripe's API. */
#include "worker/clouds/stripe.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/json.h"

#define REPLY_BYTES_MAX               ((size_t)1024 * 1024)
#define STRIPE_EVENTS_PER_PAGE        100 /* the most */
#define CLIENT_REFERENCE_ID_BYTES_MAX 200 /* docs.stripe.com/api/checkout/sessions/object */
#define METADATA_VALUE_BYTES_MAX      500 /* docs.stripe.com/api/metadata */

static const struct cloud_setting required[] = {
    {.key = "secret_key", .variable = "STRIPE_SECRET_KEY"},
};

/* Stripe documents no Retry-After and counts no requests for us: a 429 is all that is seen of its limits. */
static void read_limits(const struct sl_http_response *response, int64_t now_ms, struct cloud_limits *ret_limits)
{
    *ret_limits = (struct cloud_limits){.retry_after_ms = cloud_retry_after_ms(response, now_ms)};
}

/* {"error":{"type","code","message","param"}}. The code is the limit's own name on a 429 (Stripe-Rate-Limited-Reason),
 * else Stripe's, else the error's type. Stripe-Should-Retry is what Stripe's own libraries go by before anything else.
 */
static void read_error(const struct sl_http_response *response, struct cloud_error *ret_error)
{
    struct sl_str advice = sl_http_header_of(response, "stripe-should-retry");
    struct sl_str code = sl_http_header_of(response, "stripe-rate-limited-reason");
    *ret_error = (struct cloud_error){.advice = sl_str_is(advice, "true")    ? CLOUD_ADVICE_REPEAT
                                                : sl_str_is(advice, "false") ? CLOUD_ADVICE_GIVE_UP
                                                                             : CLOUD_ADVICE_NONE};
    SL_JSON_AUTO *json = NULL;
    if (sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL)) {
        if (sl_str_empty(code))
            code = sl_json_str(json, "error.code");
        if (sl_str_empty(code))
            code = sl_json_str(json, "error.type");
        cloud_copy(ret_error->message, sizeof(ret_error->message), sl_json_str(json, "error.message"));
    }
    cloud_copy(ret_error->code, sizeof(ret_error->code), code);
}

const struct cloud STRIPE = {
    .id = CLOUD_STRIPE,
    .name = "stripe",
    .section = "cloud stripe",
    .required = required,
    .required_count = SL_ARRAY_LEN(required),
    .read_limits = read_limits,
    .read_error = read_error,
};

/* Ids of Stripe's: letters, digits and underscores. */
static bool id_is_safe(struct sl_str id)
{
    if (id.len == 0 || id.len >= STRIPE_ID_BYTES)
        return false;
    for (size_t i = 0; i < id.len; i++)
        if (id.ptr[i] != '_' && !cloud_id_is_safe((struct sl_str){.ptr = id.ptr + i, .len = 1}, 1, false))
            return false;
    return true;
}

static bool start(struct cloud_request *request, const struct cloud_account *account, struct sl_str key,
                  const char *path, struct sl_err *err)
{
    if (!cloud_request_start(request, account, "POST", err, "%s", path))
        return false;
    cloud_request_idempotency_key(request, key);
    cloud_request_header(request, "Stripe-Version", sl_str_of(account->api_version));
    cloud_request_header(request, "Content-Type", SL_STR("application/x-www-form-urlencoded"));
    return true;
}

bool stripe_create_customer(const struct cloud_account *account, struct sl_str key, struct sl_str email,
                            struct sl_str user_id, struct cloud_request *request, struct sl_err *err)
{
    if (!start(request, account, key, "/v1/customers", err))
        return false;
    if (!sl_str_empty(email))
        cloud_body_form(request, "email", email);
    cloud_body_form(request, "metadata[user_id]", user_id);
    return cloud_request_finish(request, err);
}

bool stripe_open_checkout(const struct cloud_account *account, struct sl_str key,
                          const struct stripe_checkout *checkout, struct cloud_request *request, struct sl_err *err)
{
    if (checkout->user_id.len > METADATA_VALUE_BYTES_MAX)
        return sl_err_set(err, SL_ERR_PERMANENT, "the user's id is too long for Stripe's metadata");
    if (!start(request, account, key, "/v1/checkout/sessions", err))
        return false;
    cloud_body_form(request, "mode", checkout->mode);
    cloud_body_form(request, "line_items[0][price]", checkout->price);
    cloud_body_form(request, "line_items[0][quantity]", SL_STR("1"));
    cloud_body_form(request, "customer", checkout->customer_id);
    if (checkout->user_id.len <= CLIENT_REFERENCE_ID_BYTES_MAX)
        cloud_body_form(request, "client_reference_id", checkout->user_id);
    cloud_body_form(request, "metadata[user_id]", checkout->user_id);
    if (sl_str_is(checkout->mode, "subscription"))
        cloud_body_form(request, "subscription_data[metadata][user_id]", checkout->user_id);
    cloud_body_form(request, "success_url", checkout->success_url);
    if (!sl_str_empty(checkout->cancel_url))
        cloud_body_form(request, "cancel_url", checkout->cancel_url);
    return cloud_request_finish(request, err);
}

bool stripe_cancel_at_period_end(const struct cloud_account *account, struct sl_str key, struct sl_str subscription_id,
                                 bool cancel, struct cloud_request *request, struct sl_err *err)
{
    char path[STRIPE_ID_BYTES + 32];
    if (!id_is_safe(subscription_id)) {
        char text[40];
        cloud_copy(text, sizeof(text), subscription_id);
        return sl_err_set(err, SL_ERR_PERMANENT, "\"%s\" is no id of a Stripe subscription", text);
    }
    (void)snprintf(path, sizeof(path), "/v1/subscriptions/%" SL_STR_FMT, SL_STR_ARG(subscription_id));
    if (!start(request, account, key, path, err))
        return false;
    cloud_body_form(request, "cancel_at_period_end", cancel ? SL_STR("true") : SL_STR("false"));
    return cloud_request_finish(request, err);
}

static bool read_id(const json_t *json, char ret_id[STRIPE_ID_BYTES])
{
    struct sl_str id = sl_json_str(json, "id");
    if (!id_is_safe(id))
        return false;
    cloud_copy(ret_id, STRIPE_ID_BYTES, id);
    return true;
}

bool stripe_read_customer(const struct sl_http_response *response, char ret_id[STRIPE_ID_BYTES])
{
    SL_JSON_AUTO *json = NULL;
    return sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL) && read_id(json, ret_id);
}

bool stripe_read_session(const struct sl_http_response *response, struct stripe_session *ret_session)
{
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL))
        return false;
    struct sl_str url = sl_json_str(json, "url");
    if (url.len == 0 || url.len >= sizeof(ret_session->url) || !read_id(json, ret_session->id))
        return false;
    cloud_copy(ret_session->url, sizeof(ret_session->url), url);
    return true;
}

static int64_t seconds(const json_t *json, const char *path)
{
    int64_t value = 0;
    return sl_json_int(json, path, &value) && value > 0 ? value : 0;
}

/* What ends first is what the customer would be asked to pay for first. */
static int64_t items_period_end_s(const json_t *json)
{
    const json_t *items = sl_json_at(json, "items.data");
    int64_t earliest_s = 0;
    for (size_t i = 0; i < json_array_size(items); i++) {
        int64_t end_s = seconds(json_array_get(items, i), "current_period_end");
        if (end_s > 0 && (earliest_s == 0 || end_s < earliest_s))
            earliest_s = end_s;
    }
    return earliest_s;
}

bool stripe_read_subscription(const struct sl_http_response *response, struct stripe_subscription *ret_subscription)
{
    SL_JSON_AUTO *json = NULL;
    struct stripe_subscription subscription = {.cancel_at_s = 0};
    if (!sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL) || !read_id(json, subscription.id))
        return false;
    subscription.cancel_at_period_end = sl_json_bool(json, "cancel_at_period_end", false);
    subscription.cancel_at_s = seconds(json, "cancel_at");
    subscription.period_end_s = items_period_end_s(json);
    if (subscription.period_end_s == 0)
        subscription.period_end_s = seconds(json, "current_period_end");
    *ret_subscription = subscription;
    return true;
}

bool stripe_list_events(const struct cloud_account *account, int64_t since_s, int64_t until_s, bool undelivered,
                        struct sl_str after, struct cloud_request *request, struct sl_err *err)
{
    if (!cloud_request_start(request, account, "GET", err, "/v1/events?limit=%d&created[gte]=%" PRId64,
                             STRIPE_EVENTS_PER_PAGE, since_s))
        return false;
    if (until_s > 0)
        sl_buf_printf(&request->url, "&created[lte]=%" PRId64, until_s);
    if (undelivered)
        cloud_request_plain(request, "&delivery_success=false");
    if (!sl_str_empty(after)) {
        cloud_request_plain(request, "&starting_after=");
        cloud_request_encoded(request, after);
    }
    cloud_request_header(request, "Stripe-Version", sl_str_of(account->api_version));
    return cloud_request_finish(request, err);
}

bool stripe_read_events(const struct sl_http_response *response, void (*visit)(void *arg, const json_t *event),
                        void *arg, bool *ret_more)
{
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(response->body, SL_HTTP_RESPONSE_BYTES_MAX, &json, NULL))
        return false;
    const json_t *events = sl_json_at(json, "data");
    if (!json_is_array(events))
        return false;
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *event = json_array_get(events, i);
        if (!json_is_object(event) || sl_str_empty(sl_json_str(event, "id")))
            return false;
        visit(arg, event);
    }
    *ret_more = sl_json_bool(json, "has_more", false);
    return true;
}
