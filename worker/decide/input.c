/* input.c - the names of what happened. Several of Stripe's types mean the same to the rules; the first name of a
 * type is its canonical one. */
#include "worker/decide/input.h"

enum family { FAMILY_OTHER = 0, FAMILY_STRIPE, FAMILY_COMMAND };

struct type_name {
    const char *ce_type;
    enum input_type type;
    enum family family;
};

static const struct type_name TYPE_NAMES[] = {
    {"stripe.customer.subscription.created", INPUT_STRIPE_SUBSCRIPTION_CREATED, FAMILY_STRIPE},
    {"stripe.customer.subscription.updated", INPUT_STRIPE_SUBSCRIPTION_UPDATED, FAMILY_STRIPE},
    {"stripe.customer.subscription.paused", INPUT_STRIPE_SUBSCRIPTION_UPDATED, FAMILY_STRIPE},
    {"stripe.customer.subscription.resumed", INPUT_STRIPE_SUBSCRIPTION_UPDATED, FAMILY_STRIPE},
    {"stripe.customer.subscription.trial_will_end", INPUT_STRIPE_SUBSCRIPTION_UPDATED, FAMILY_STRIPE},
    {"stripe.customer.subscription.pending_update_applied", INPUT_STRIPE_SUBSCRIPTION_UPDATED, FAMILY_STRIPE},
    {"stripe.customer.subscription.pending_update_expired", INPUT_STRIPE_SUBSCRIPTION_UPDATED, FAMILY_STRIPE},
    {"stripe.customer.subscription.deleted", INPUT_STRIPE_SUBSCRIPTION_DELETED, FAMILY_STRIPE},
    {"stripe.invoice.paid", INPUT_STRIPE_INVOICE_PAID, FAMILY_STRIPE},
    {"stripe.invoice.payment_succeeded", INPUT_STRIPE_INVOICE_PAID, FAMILY_STRIPE},
    {"stripe.invoice.payment_failed", INPUT_STRIPE_INVOICE_PAYMENT_FAILED, FAMILY_STRIPE},
    {"stripe.checkout.session.completed", INPUT_STRIPE_CHECKOUT_COMPLETED, FAMILY_STRIPE},
    {"stripe.checkout.session.async_payment_succeeded", INPUT_STRIPE_CHECKOUT_ASYNC_SUCCEEDED, FAMILY_STRIPE},
    {"stripe.customer.created", INPUT_STRIPE_CUSTOMER, FAMILY_STRIPE},
    {"stripe.customer.updated", INPUT_STRIPE_CUSTOMER, FAMILY_STRIPE},
    {"command.agent.create", INPUT_AGENT_CREATE, FAMILY_COMMAND},
    {"command.agent.provision", INPUT_AGENT_PROVISION, FAMILY_COMMAND},
    {"command.agent.start", INPUT_AGENT_START, FAMILY_COMMAND},
    {"command.agent.stop", INPUT_AGENT_STOP, FAMILY_COMMAND},
    {"command.agent.destroy", INPUT_AGENT_DESTROY, FAMILY_COMMAND},
    {"command.job.retry", INPUT_JOB_RETRY, FAMILY_COMMAND},
    {"command.job.cancel", INPUT_JOB_CANCEL, FAMILY_COMMAND},
    {"callback.claimed", INPUT_CALLBACK_CLAIMED, FAMILY_OTHER},
    {"callback.heartbeat", INPUT_CALLBACK_HEARTBEAT, FAMILY_OTHER},
    {"callback.completed", INPUT_CALLBACK_COMPLETED, FAMILY_OTHER},
    {"callback.failed", INPUT_CALLBACK_FAILED, FAMILY_OTHER},
    {"github.workflow_run", INPUT_WORKFLOW_RUN, FAMILY_OTHER},
    {"job.dispatched", INPUT_JOB_DISPATCHED, FAMILY_OTHER},
    {"job.succeeded", INPUT_JOB_SUCCEEDED, FAMILY_OTHER},
    {"job.failed", INPUT_JOB_FAILED, FAMILY_OTHER},
    {"job.cancelled", INPUT_JOB_CANCELLED, FAMILY_OTHER},
    {"timer.heartbeat_missed", INPUT_TIMER_HEARTBEAT_MISSED, FAMILY_OTHER},
    {"timer.provision_timeout", INPUT_TIMER_PROVISION_TIMEOUT, FAMILY_OTHER},
};

enum input_type input_type_of(struct sl_str ce_type)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(TYPE_NAMES); i++) {
        if (sl_str_is(ce_type, TYPE_NAMES[i].ce_type))
            return TYPE_NAMES[i].type;
    }
    return INPUT_UNKNOWN;
}

static const struct type_name *name_of(enum input_type type)
{
    SL_ASSERT(type < INPUT_TYPE_COUNT);
    for (size_t i = 0; i < SL_ARRAY_LEN(TYPE_NAMES); i++) {
        if (TYPE_NAMES[i].type == type)
            return &TYPE_NAMES[i];
    }
    return NULL;
}

const char *input_type_name(enum input_type type)
{
    const struct type_name *name = name_of(type);
    return name ? name->ce_type : "unknown";
}

bool input_type_is_command(enum input_type type)
{
    const struct type_name *name = name_of(type);
    return name && name->family == FAMILY_COMMAND;
}

bool input_type_is_stripe(enum input_type type)
{
    const struct type_name *name = name_of(type);
    return name && name->family == FAMILY_STRIPE;
}
