/* invoice.c - invoice.*: a failed payment stops what runs, keeps its data and begins a grace period; a paid one ends
 * it, and brings back what the failure took, as far as the policy says.
 *
 * The order is kept on the subscription, or on the user where the invoice names none: a failure older than a
 * payment applied before changes nothing, and within one second a payment (2) outranks a failure (1). An invoice
 * may come before its subscription: a row that waits for it holds the order.
 */
#include "worker/decide/detail.h"
#include "worker/decide/effects.h"
#include "worker/decide/email.h"
#include "worker/decide/families.h"
#include "worker/decide/grace.h"
#include "worker/decide/instance.h"
#include "worker/decide/workspace_effects.h"

static int rank_of(enum input_type type)
{
    return type == INPUT_STRIPE_INVOICE_PAID ? INVOICE_PAID : INVOICE_FAILED;
}

static const struct subscription *held_subscription(const struct facts *facts, const struct input *input)
{
    struct sl_str id = input->as.invoice.subscription_id;
    return sl_str_empty(id) ? NULL : facts_subscription(facts, id);
}

WHEN(invoice_foreign)
{
    const struct subscription *held = held_subscription(facts, input);
    return yes_if(held && !sl_str_equal(held->user_id, facts->user.id));
}

THEN(invoice_foreign)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_FORBIDDEN, "the invoice's subscription is another user's");
}

WHEN(invoice_stale)
{
    const struct subscription *held = held_subscription(facts, input);
    int64_t created_s = held ? held->invoice_created_s : 0;
    int rank = held ? held->invoice_rank : 0;
    if (sl_str_empty(input->as.invoice.subscription_id)) {
        created_s = facts->user.invoice_created_s;
        rank = facts->user.invoice_rank;
    }
    bool is_stale = input->created_s < created_s || (input->created_s == created_s && rank_of(input->type) < rank);
    return yes_if(is_stale);
}

THEN(invoice_stale)
{
    (void)facts, (void)input;
    plan_ignored(plan, "a newer invoice was applied before");
}

WHEN(invoice_of_ended)
{
    const struct subscription *held = held_subscription(facts, input);
    return yes_if(held && sl_str_is(held->status, "canceled"));
}

THEN(invoice_of_ended)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the invoice's subscription has ended");
}

static void take_place(const struct facts *facts, const struct input *input, struct plan *plan)
{
    if (sl_str_empty(input->as.invoice.subscription_id)) {
        struct user *user = plan_user(plan, facts);
        user->invoice_created_s = input->created_s;
        user->invoice_rank = rank_of(input->type);
        return;
    }
    struct subscription *version = plan_subscription(plan, facts, input->as.invoice.subscription_id);
    version->invoice_created_s = input->created_s;
    version->invoice_rank = rank_of(input->type);
}

static struct sl_str subject_of(const struct facts *facts, const struct input *input)
{
    return grace_subject(facts, input->as.invoice.subscription_id);
}

/* Stopped by the failure of what is paid now, and by nothing since. */
static bool waits_for(const struct facts *facts, const struct agent *agent, struct sl_str subject)
{
    bool is_stopped = agent->status == AGENT_PAUSED || agent->status == AGENT_STOPPING;
    return is_stopped && sl_str_equal(agent->user_id, facts->user.id) && sl_str_equal(agent->stopped_by, subject);
}

static void resume(const struct facts *facts, const struct input *input, struct plan *plan)
{
    if (!facts->policy->resume_on_payment)
        return;
    for (size_t i = 0; i < facts->agent_count; i++) {
        if (waits_for(facts, &facts->agents[i], subject_of(facts, input)))
            effect_start(plan, facts, &facts->agents[i]);
    }
}

static void settle(const struct facts *facts, const struct input *input, struct plan *plan)
{
    take_place(facts, input, plan);
    grace_end(plan, facts, subject_of(facts, input));
}

WHEN(invoice_returns_instance)
{
    const struct subscription *held = held_subscription(facts, input);
    if (!held)
        return MATCH_NO;
    struct subscription version = *held;
    version.invoice_rank = INVOICE_PAID;
    return yes_if(instance_may_return(facts, &version));
}

THEN(invoice_returns_instance)
{
    settle(facts, input, plan);
    instance_provide(plan, facts, plan_subscription(plan, facts, input->as.invoice.subscription_id));
    resume(facts, input, plan);
    plan_applied(plan, "the payment is noted; the subscription's instance is provisioned anew");
}

WHEN(invoice_resumes)
{
    const struct subscription *held = held_subscription(facts, input);
    bool has_ended = held && sl_str_is(held->status, "canceled");
    bool waits = false;
    for (size_t i = 0; i < facts->agent_count; i++)
        waits = waits || waits_for(facts, &facts->agents[i], subject_of(facts, input));
    return yes_if(facts->policy->resume_on_payment && !has_ended && waits);
}

THEN(invoice_resumes)
{
    settle(facts, input, plan);
    resume(facts, input, plan);
    plan_applied(plan, "the payment is noted; what its failure had stopped is started");
}

THEN(invoice_paid)
{
    settle(facts, input, plan);
    plan_applied(plan, "the payment is noted");
}

static void note_failure(const struct facts *facts, const struct input *input, struct plan *plan)
{
    const struct input_invoice *invoice = &input->as.invoice;
    int64_t ends_at_ms = grace_begin(plan, facts, subject_of(facts, input));
    take_place(facts, input, plan);
    const struct detail members[] = {{"invoice", invoice->id}, {"subscription", invoice->subscription_id}};
    plan_audit(plan, "payment_failed", plan_target_named(plan, "user", facts->user.id),
               detail_object(plan->arena, members, SL_ARRAY_LEN(members)));
    workspace_payment_failed(plan, facts,
                             SL_STR("Your payment could not be completed. Please check your payment method."));
    const struct detail variables[] = {
        {"invoice_url", invoice->hosted_url},
        {"ends_at", detail_time(plan->arena, ends_at_ms / 1000)},
    };
    effect_email(plan, facts, "payment_failed", email_of_user(facts, input), variables, SL_ARRAY_LEN(variables));
}

WHEN(invoice_failure_keeps)
{
    (void)input;
    return yes_if(facts->policy->on_payment_failed == ON_PAYMENT_FAILED_KEEP);
}

THEN(invoice_failed_keeps)
{
    note_failure(facts, input, plan);
    plan_applied(plan, "the failed payment is noted; the user's agents run on");
}

THEN(invoice_failed_stops)
{
    note_failure(facts, input, plan);
    for (size_t i = 0; i < facts->agent_count; i++) {
        const struct agent *agent = &facts->agents[i];
        bool runs = agent->status == AGENT_ACTIVE || agent->status == AGENT_STARTING;
        if (!runs || !sl_str_equal(agent->user_id, facts->user.id))
            continue;
        /* The stop of one that is starting waits for the start: jobs of an agent run in order. */
        effect_stop(plan, facts, agent);
        plan_agent(plan, agent)->stopped_by = subject_of(facts, input);
    }
    plan_applied(plan, "the payment failed; every running agent is stopped, its data kept");
}
