/* invoice.c - invoice.*: a failed payment stops what runs and keeps its data; a paid one only takes its place in
 * the order.
 *
 * The order is kept on the subscription, or on the user where the invoice names none: a failure older than a
 * payment applied before changes nothing, and within one second a payment (2) outranks a failure (1). An invoice
 * may come before its subscription: a row that waits for it holds the order.
 */
#include "worker/decide/detail.h"
#include "worker/decide/effects.h"
#include "worker/decide/families.h"

enum rank { RANK_FAILED = 1, RANK_PAID };

static int rank_of(enum input_type type)
{
    return type == INPUT_STRIPE_INVOICE_PAID ? RANK_PAID : RANK_FAILED;
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

THEN(invoice_paid)
{
    take_place(facts, input, plan);
    plan_applied(plan, "the payment is noted");
}

static void note_failure(const struct facts *facts, const struct input *input, struct plan *plan)
{
    take_place(facts, input, plan);
    const struct detail members[] = {
        {"invoice", input->as.invoice.id},
        {"subscription", input->as.invoice.subscription_id},
    };
    plan_audit(plan, "payment_failed", plan_target_named(plan, "user", facts->user.id),
               detail_object(plan->arena, members, SL_ARRAY_LEN(members)));
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
        /* The stop of one that is starting waits for the start: jobs of an agent run in order. */
        if (runs && sl_str_equal(agent->user_id, facts->user.id))
            effect_stop(plan, facts, agent);
    }
    plan_applied(plan, "the payment failed; every running agent is stopped, its data kept");
}
