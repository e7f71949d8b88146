/* stripe.c - Stripe's events, in both layouts: before 2025-03-31 ("acacia" and older) the period stands on the
 * subscription and the subscription on the invoice; since then ("basil") on the subscription's items and under the
 * invoice's `parent`. Source: docs.stripe.com, API changelog 2025-03-31.basil; which layout a webhook has is its
 * endpoint's api_version.
 */
#include "worker/payload/reader.h"

#define OBJECT "data.object."

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

static bool read_subscription(const struct reader *reader, struct sl_err *err)
{
    static const char *const PRICE[] = {OBJECT "items.data.0.price.id", OBJECT "items.data.0.plan.id", OBJECT "plan.id",
                                        NULL};
    struct input_subscription *subscription = &reader->input->as.subscription;
    *subscription = (struct input_subscription){
        .id = reader_str(reader, OBJECT "id"),
        .status = reader_str(reader, OBJECT "status"),
        .price_id = reader_first(reader, PRICE),
        .current_period_start_s = reader_seconds(reader, OBJECT "items.data.0.current_period_start"),
        .current_period_end_s = reader_seconds(reader, OBJECT "items.data.0.current_period_end"),
        .trial_end_s = reader_seconds(reader, OBJECT "trial_end"),
        .cancel_at_s = reader_seconds(reader, OBJECT "cancel_at"),
        .canceled_at_s = reader_seconds(reader, OBJECT "canceled_at"),
        .cancel_at_period_end = sl_json_bool(reader->body, OBJECT "cancel_at_period_end", false),
    };
    if (!subscription->current_period_start_s)
        subscription->current_period_start_s = reader_seconds(reader, OBJECT "current_period_start");
    if (!subscription->current_period_end_s)
        subscription->current_period_end_s = reader_seconds(reader, OBJECT "current_period_end");
    if (!sl_str_empty(subscription->id) && sl_str_empty(subscription->status))
        return sl_err_set(err, SL_ERR_PERMANENT, "the event's subscription has no status");
    return true;
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
    (void)err;
    *invoice = (struct input_invoice){
        .id = reader_str(reader, OBJECT "id"),
        .hosted_url = reader_str(reader, OBJECT "hosted_invoice_url"),
        .amount_due = sl_json_int(reader->body, OBJECT "amount_due", &amount) ? amount : 0,
        .currency = reader_str(reader, OBJECT "currency"),
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(SUBSCRIPTION) && sl_str_empty(invoice->subscription_id); i++)
        invoice->subscription_id = reader_ref(reader, SUBSCRIPTION[i]);
    return true;
}

static bool read_checkout(const struct reader *reader, struct sl_err *err)
{
    static const char *const AGENT[] = {OBJECT "metadata.agentId", OBJECT "metadata.agent_id", NULL};
    static const char *const USER[] = {OBJECT "metadata.userId", OBJECT "metadata.user_id", NULL};
    struct input_checkout *checkout = &reader->input->as.checkout;
    struct sl_str agent = reader_first(reader, AGENT);
    (void)err;
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
    return true;
}

static const struct {
    enum input_type type;
    bool (*read)(const struct reader *reader, struct sl_err *err);
} objects[] = {
    {INPUT_STRIPE_SUBSCRIPTION_CREATED, read_subscription}, {INPUT_STRIPE_SUBSCRIPTION_UPDATED, read_subscription},
    {INPUT_STRIPE_SUBSCRIPTION_DELETED, read_subscription}, {INPUT_STRIPE_INVOICE_PAID, read_invoice},
    {INPUT_STRIPE_INVOICE_PAYMENT_FAILED, read_invoice},    {INPUT_STRIPE_CHECKOUT_COMPLETED, read_checkout},
    {INPUT_STRIPE_CHECKOUT_ASYNC_SUCCEEDED, read_checkout},
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
    for (size_t i = 0; i < SL_ARRAY_LEN(objects); i++) {
        if (objects[i].type == input->type)
            return objects[i].read(reader, err);
    }
    return true;
}
