/* stripe.c - Stripe's events, in both layouts: before 2025-03-31 ("acacia" and older) the period stands on the
 * subscription and the subscription on the invoice; since then ("basil") on the subscription's items and under the
 * invoice's `parent`. Source: docs.stripe.com, API changelog 2025-03-31.basil; which layout a webhook has is its
 * endpoint's api_version.
 */
#include <stdio.h>

#include "worker/payload/reader.h"

#define OBJECT          "data.object."
#define ITEMS_MAX       20 /* Stripe's own limit of a subscription's items */
#define ITEM_PATH_BYTES 40

static const char *const USER_PATHS[] = {
    OBJECT "metadata.user_id",
    OBJECT "metadata.userId",
    OBJECT "client_reference_id",
    OBJECT "parent.subscription_details.metadata.user_id",
    OBJECT "subscription_details.metadata.user_id",
    NULL,
};
static const char *const EMAIL_PATHS[] = {
    OBJECT "metadata.email",
    OBJECT "customer_details.email",
    OBJECT "customer_email",
    NULL,
};

/* Source: docs.stripe.com, "Upgrades", section "What changes does Stripe consider to be backwards compatible?": ids
 * have up to 255 characters. */
static bool refuse_id(struct sl_err *err, const char *whose)
{
    return sl_err_set(err, SL_ERR_PERMANENT, "the %s's id is longer than %d bytes, or has control characters", whose,
                      PAYLOAD_ID_BYTES_MAX);
}

/* The first item whose price is given says what the subscription is for, and until when; its quantity changes nothing,
 * 0 included: it is still that price. Gives the item's path, the first one's where none has a price. */
static const char *priced_item(const struct reader *reader, struct sl_str *ret_price, char path[ITEM_PATH_BYTES])
{
    static const char *const PRICES[] = {"price", "plan"};
    char price[ITEM_PATH_BYTES + 8];
    size_t count = json_array_size(sl_json_at(reader->body, OBJECT "items.data"));
    for (size_t i = 0; i < count && i < ITEMS_MAX; i++) {
        (void)snprintf(path, ITEM_PATH_BYTES, OBJECT "items.data.%zu", i);
        for (size_t p = 0; p < SL_ARRAY_LEN(PRICES); p++) {
            (void)snprintf(price, sizeof(price), "%s.%s", path, PRICES[p]);
            *ret_price = reader_ref(reader, price);
            if (!sl_str_empty(*ret_price))
                return path;
        }
    }
    *ret_price = reader_ref(reader, OBJECT "plan");
    (void)snprintf(path, ITEM_PATH_BYTES, OBJECT "items.data.0");
    return path;
}

static int64_t item_seconds(const struct reader *reader, const char *item, const char *field)
{
    char path[ITEM_PATH_BYTES + 32];
    (void)snprintf(path, sizeof(path), "%s.%s", item, field);
    int64_t seconds = reader_seconds(reader, path);
    (void)snprintf(path, sizeof(path), OBJECT "%s", field);
    return seconds ? seconds : reader_seconds(reader, path);
}

static bool read_subscription(const struct reader *reader, struct sl_err *err)
{
    struct input_subscription *subscription = &reader->input->as.subscription;
    char path[ITEM_PATH_BYTES];
    struct sl_str price_id;
    const char *item = priced_item(reader, &price_id, path);
    *subscription = (struct input_subscription){
        .id = reader_str(reader, OBJECT "id"),
        .status = reader_str(reader, OBJECT "status"),
        .price_id = price_id,
        .current_period_start_s = item_seconds(reader, item, "current_period_start"),
        .current_period_end_s = item_seconds(reader, item, "current_period_end"),
        .trial_end_s = reader_seconds(reader, OBJECT "trial_end"),
        .cancel_at_s = reader_seconds(reader, OBJECT "cancel_at"),
        .canceled_at_s = reader_seconds(reader, OBJECT "canceled_at"),
        .cancel_at_period_end = sl_json_bool(reader->body, OBJECT "cancel_at_period_end", false),
    };
    if (!sl_str_empty(subscription->id) && sl_str_empty(subscription->status))
        return sl_err_set(err, SL_ERR_PERMANENT, "the event's subscription has no status");
    return reader_is_key(subscription->id) || refuse_id(err, "subscription");
}

static bool read_invoice(const struct reader *reader, struct sl_err *err)
{
    static const char *const SUBSCRIPTION[] = {
        OBJECT "parent.subscription_details.subscription",
        OBJECT "subscription",
        OBJECT "lines.data.0.parent.subscription_item_details.subscription",
        OBJECT "lines.data.0.subscription",
    };
    struct input_invoice *invoice = &reader->input->as.invoice;
    int64_t amount = 0;
    *invoice = (struct input_invoice){
        .id = reader_str(reader, OBJECT "id"),
        .hosted_url = reader_str(reader, OBJECT "hosted_invoice_url"),
        .amount_due = sl_json_int(reader->body, OBJECT "amount_due", &amount) ? amount : 0,
        .currency = reader_str(reader, OBJECT "currency"),
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(SUBSCRIPTION) && sl_str_empty(invoice->subscription_id); i++)
        invoice->subscription_id = reader_ref(reader, SUBSCRIPTION[i]);
    return reader_is_key(invoice->subscription_id) || refuse_id(err, "subscription");
}

static bool read_checkout(const struct reader *reader, struct sl_err *err)
{
    static const char *const AGENT[] = {OBJECT "metadata.agentId", OBJECT "metadata.agent_id", NULL};
    static const char *const USER[] = {OBJECT "metadata.userId", OBJECT "metadata.user_id", NULL};
    struct input_checkout *checkout = &reader->input->as.checkout;
    struct sl_str agent = reader_first(reader, AGENT);
    *checkout = (struct input_checkout){
        .session_id = reader_str(reader, OBJECT "id"),
        .payment_status = reader_str(reader, OBJECT "payment_status"),
        .subscription_id = reader_ref(reader, OBJECT "subscription"),
        .names_user = !sl_str_empty(reader_user(reader, USER)),
        .region = reader_str(reader, OBJECT "metadata.region"),
    };
    if (!sl_str_empty(agent) && !sl_uuid_parse(agent, &checkout->agent_id)) {
        checkout->agent_id = (struct sl_uuid){0};
        checkout->agent_id_malformed = true;
    }
    return reader_is_key(checkout->subscription_id) || refuse_id(err, "subscription");
}

static bool read_payment(const struct reader *reader, struct sl_err *err)
{
    (void)err;
    reader->input->as.payment = (struct input_payment){
        .id = reader_str(reader, OBJECT "id"),
        .reason = reader_str(reader, OBJECT "last_payment_error.message"),
    };
    return true;
}

static const struct {
    enum input_type type;
    bool (*read)(const struct reader *reader, struct sl_err *err);
} objects[] = {
    {INPUT_STRIPE_SUBSCRIPTION_CREATED, read_subscription}, {INPUT_STRIPE_SUBSCRIPTION_UPDATED, read_subscription},
    {INPUT_STRIPE_SUBSCRIPTION_DELETED, read_subscription}, {INPUT_STRIPE_INVOICE_PAID, read_invoice},
    {INPUT_STRIPE_INVOICE_PAYMENT_FAILED, read_invoice},    {INPUT_STRIPE_CHECKOUT_COMPLETED, read_checkout},
    {INPUT_STRIPE_CHECKOUT_ASYNC_SUCCEEDED, read_checkout}, {INPUT_STRIPE_CHECKOUT_ASYNC_FAILED, read_checkout},
    {INPUT_STRIPE_CHECKOUT_EXPIRED, read_checkout},         {INPUT_STRIPE_PAYMENT_INTENT_FAILED, read_payment},
};

bool stripe_read(const struct reader *reader, struct sl_err *err)
{
    struct input *input = reader->input;
    bool is_customer = sl_str_is(sl_json_str(reader->body, OBJECT "object"), "customer");
    input->created_s = reader_seconds(reader, "created");
    input->user_named = reader_user(reader, USER_PATHS);
    input->customer_id = is_customer ? reader_str(reader, OBJECT "id") : reader_ref(reader, OBJECT "customer");
    input->email = reader_first(reader, EMAIL_PATHS);
    if (sl_str_empty(input->email) && is_customer)
        input->email = reader_str(reader, OBJECT "email");
    if (!reader_is_key(input->customer_id))
        return refuse_id(err, "customer");
    for (size_t i = 0; i < SL_ARRAY_LEN(objects); i++) {
        if (objects[i].type == input->type)
            return objects[i].read(reader, err);
    }
    return true;
}
