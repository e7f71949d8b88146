/* input.c - the names of what happened. Several of Stripe's types mean the same to the rules; the first name of a
 * type is its canonical one. */
#include "worker/decide/input.h"

enum family { FAMILY_OTHER = 0, FAMILY_STRIPE, FAMILY_COMMAND, FAMILY_TIMER };

struct type_name {
    const char *ce_type;
    enum input_type type;
    enum family family;
    unsigned reads; /* of enum input_reads; that of the canonical name counts */
};

static const struct type_name TYPE_NAMES[] = {
    {"stripe.customer.subscription.created", INPUT_STRIPE_SUBSCRIPTION_CREATED, FAMILY_STRIPE, READS_WORKSPACES},
    {"stripe.customer.subscription.updated", INPUT_STRIPE_SUBSCRIPTION_UPDATED, FAMILY_STRIPE, READS_WORKSPACES},
    {"stripe.customer.subscription.paused", INPUT_STRIPE_SUBSCRIPTION_UPDATED, FAMILY_STRIPE, 0},
    {"stripe.customer.subscription.resumed", INPUT_STRIPE_SUBSCRIPTION_UPDATED, FAMILY_STRIPE, 0},
    {"stripe.customer.subscription.trial_will_end", INPUT_STRIPE_SUBSCRIPTION_UPDATED, FAMILY_STRIPE, 0},
    {"stripe.customer.subscription.pending_update_applied", INPUT_STRIPE_SUBSCRIPTION_UPDATED, FAMILY_STRIPE, 0},
    {"stripe.customer.subscription.pending_update_expired", INPUT_STRIPE_SUBSCRIPTION_UPDATED, FAMILY_STRIPE, 0},
    {"stripe.customer.subscription.deleted", INPUT_STRIPE_SUBSCRIPTION_DELETED, FAMILY_STRIPE, READS_WORKSPACES},
    {"stripe.invoice.paid", INPUT_STRIPE_INVOICE_PAID, FAMILY_STRIPE, 0},
    {"stripe.invoice.payment_succeeded", INPUT_STRIPE_INVOICE_PAID, FAMILY_STRIPE, 0},
    {"stripe.invoice.payment_failed", INPUT_STRIPE_INVOICE_PAYMENT_FAILED, FAMILY_STRIPE, READS_WORKSPACES},
    {"stripe.checkout.session.completed", INPUT_STRIPE_CHECKOUT_COMPLETED, FAMILY_STRIPE, READS_WORKSPACES},
    {"stripe.checkout.session.async_payment_succeeded", INPUT_STRIPE_CHECKOUT_ASYNC_SUCCEEDED, FAMILY_STRIPE,
     READS_WORKSPACES},
    {"stripe.checkout.session.async_payment_failed", INPUT_STRIPE_CHECKOUT_ASYNC_FAILED, FAMILY_STRIPE,
     READS_WORKSPACES},
    {"stripe.checkout.session.expired", INPUT_STRIPE_CHECKOUT_EXPIRED, FAMILY_STRIPE, READS_WORKSPACES},
    {"stripe.payment_intent.payment_failed", INPUT_STRIPE_PAYMENT_INTENT_FAILED, FAMILY_STRIPE, READS_WORKSPACES},
    {"stripe.customer.created", INPUT_STRIPE_CUSTOMER, FAMILY_STRIPE, 0},
    {"stripe.customer.updated", INPUT_STRIPE_CUSTOMER, FAMILY_STRIPE, 0},
    {"command.agent.create", INPUT_AGENT_CREATE, FAMILY_COMMAND, 0},
    {"command.agent.provision", INPUT_AGENT_PROVISION, FAMILY_COMMAND, 0},
    {"command.agent.start", INPUT_AGENT_START, FAMILY_COMMAND, 0},
    {"command.agent.stop", INPUT_AGENT_STOP, FAMILY_COMMAND, 0},
    {"command.agent.destroy", INPUT_AGENT_DESTROY, FAMILY_COMMAND, 0},
    {"command.agent.repair", INPUT_AGENT_REPAIR, FAMILY_COMMAND, 0},
    {"command.job.retry", INPUT_JOB_RETRY, FAMILY_COMMAND, 0},
    {"command.job.cancel", INPUT_JOB_CANCEL, FAMILY_COMMAND, 0},
    {"command.checkout.start", INPUT_CHECKOUT_START, FAMILY_COMMAND, 0},
    {"command.workspace.plan_change", INPUT_WORKSPACE_PLAN_CHANGE, FAMILY_COMMAND, READS_WORKSPACES},
    {"command.subscription.resume", INPUT_SUBSCRIPTION_RESUME, FAMILY_COMMAND, READS_WORKSPACES},
    {"command.workspace.invite", INPUT_WORKSPACE_INVITE, FAMILY_COMMAND, READS_WORKSPACES},
    {"command.invite.accept", INPUT_INVITE_ACCEPT, FAMILY_COMMAND, READS_WORKSPACES},
    {"command.workspace.leave", INPUT_WORKSPACE_LEAVE, FAMILY_COMMAND, READS_WORKSPACES},
    {"command.workspace.revoke", INPUT_WORKSPACE_REVOKE, FAMILY_COMMAND, READS_WORKSPACES},
    {"command.connection.share", INPUT_CONNECTION_SHARE, FAMILY_COMMAND, READS_WORKSPACES},
    {"command.connection.unshare", INPUT_CONNECTION_UNSHARE, FAMILY_COMMAND, READS_WORKSPACES},
    {"command.run.start", INPUT_RUN_START, FAMILY_COMMAND, READS_WORKSPACES},
    {"command.run.finish", INPUT_RUN_FINISH, FAMILY_COMMAND, READS_WORKSPACES},
    {"command.usage.record", INPUT_USAGE_RECORD, FAMILY_COMMAND, READS_USAGE},
    {"command.early_access.join", INPUT_EARLY_ACCESS_JOIN, FAMILY_COMMAND, READS_EARLY_ACCESS},
    {"command.admin.purge_stale_runs", INPUT_PURGE_STALE_RUNS, FAMILY_COMMAND, READS_STALE_RUNS},
    {"callback.claimed", INPUT_CALLBACK_CLAIMED, FAMILY_OTHER, 0},
    {"callback.heartbeat", INPUT_CALLBACK_HEARTBEAT, FAMILY_OTHER, 0},
    {"callback.completed", INPUT_CALLBACK_COMPLETED, FAMILY_OTHER, 0},
    {"callback.failed", INPUT_CALLBACK_FAILED, FAMILY_OTHER, 0},
    {"github.workflow_run", INPUT_WORKFLOW_RUN, FAMILY_OTHER, 0},
    {"job.dispatched", INPUT_JOB_DISPATCHED, FAMILY_OTHER, 0},
    {"job.succeeded", INPUT_JOB_SUCCEEDED, FAMILY_OTHER, READS_WORKSPACES}, /* a connection's catalog */
    {"job.failed", INPUT_JOB_FAILED, FAMILY_OTHER, 0},
    {"job.cancelled", INPUT_JOB_CANCELLED, FAMILY_OTHER, 0},
    {"timer.heartbeat_missed", INPUT_TIMER_HEARTBEAT_MISSED, FAMILY_TIMER, 0},
    {"timer.provision_timeout", INPUT_TIMER_PROVISION_TIMEOUT, FAMILY_TIMER, 0},
    {"timer.grace_ending", INPUT_TIMER_GRACE_ENDING, FAMILY_TIMER, 0},
    {"timer.grace_expired", INPUT_TIMER_GRACE_EXPIRED, FAMILY_TIMER, 0},
    {"member.removed", INPUT_MEMBER_REMOVED, FAMILY_OTHER, READS_WORKSPACES},
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

const char *input_type_alias(enum input_type type, size_t index)
{
    const struct type_name *canonical = name_of(type);
    for (const struct type_name *name = TYPE_NAMES; name < TYPE_NAMES + SL_ARRAY_LEN(TYPE_NAMES); name++) {
        if (name->type == type && name != canonical && index-- == 0)
            return name->ce_type;
    }
    return NULL;
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

bool input_type_is_timer(enum input_type type)
{
    const struct type_name *name = name_of(type);
    return name && name->family == FAMILY_TIMER;
}

unsigned input_type_reads(enum input_type type)
{
    const struct type_name *name = name_of(type);
    return name ? name->reads : 0;
}
