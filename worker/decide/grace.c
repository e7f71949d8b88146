/* grace.c - see grace.h. */
#include "worker/decide/grace.h"

#include "worker/decide/effects.h"
#include "worker/decide/instance.h"
#include "worker/decide/tier.h"

struct sl_str grace_subject(const struct facts *facts, struct sl_str subscription_id)
{
    return sl_str_empty(subscription_id) ? facts->user.id : subscription_id;
}

static bool is_users(const struct facts *facts, struct sl_str subject)
{
    return sl_str_equal(subject, facts->user.id);
}

bool grace_is_unpaid(const struct facts *facts, struct sl_str subject)
{
    if (is_users(facts, subject))
        return facts->user.invoice_rank == INVOICE_FAILED;
    const struct subscription *held = facts_subscription(facts, subject);
    return held && sl_str_equal(held->user_id, facts->user.id) && held->invoice_rank == INVOICE_FAILED &&
           !sl_str_is(held->status, "canceled");
}

int64_t grace_begin(struct plan *plan, const struct facts *facts, struct sl_str subject)
{
    const struct policy *policy = facts->policy;
    int64_t now_ms = plan->input->received_at_ms;
    if (grace_is_unpaid(facts, subject)) {
        const struct timer *end = facts_timer(facts, timer_id_of("grace_expired", subject));
        return end && !end->decided && !end->cancelled ? end->due_at_ms : 0;
    }
    int64_t warning_ms = policy->grace_ms - policy->grace_warning_ms;
    if (warning_ms <= 0)
        warning_ms = policy->grace_ms / 7 * 6;
    /* Without any grace there is nothing to warn of, and the end comes with the next look at the timers. */
    if (warning_ms > 0)
        plan_timer_set(plan, facts, "grace_ending", subject, now_ms + warning_ms);
    plan_timer_set(plan, facts, "grace_expired", subject, now_ms + policy->grace_ms);
    return now_ms + policy->grace_ms;
}

void grace_end(struct plan *plan, const struct facts *facts, struct sl_str subject)
{
    plan_timer_cancel(plan, facts, "grace_ending", subject);
    plan_timer_cancel(plan, facts, "grace_expired", subject);
}

/* The subject's own instance; what belongs to no subscription, if no other one is live; and, where the invoice named
 * no subscription, the instances of those that are not. */
static bool is_unpaid_agent(const struct facts *facts, const struct agent *agent, struct sl_str subject)
{
    if (sl_str_equal(agent->subscription_id, subject))
        return true;
    if (sl_str_empty(agent->subscription_id))
        return !tier_has_live(facts, NULL, subject);
    const struct subscription *own = facts_subscription(facts, agent->subscription_id);
    return is_users(facts, subject) && !(own && tier_is_live(own));
}

void grace_expire(struct plan *plan, const struct facts *facts, struct sl_str subject)
{
    for (size_t i = 0; i < facts->agent_count; i++) {
        const struct agent *agent = &facts->agents[i];
        bool is_there = agent->status != AGENT_DRAFT && agent->status != AGENT_DESTROYED;
        if (!is_there || !instance_is_provisioners(agent) || !sl_str_equal(agent->user_id, facts->user.id) ||
            !is_unpaid_agent(facts, agent, subject))
            continue;
        bool is_asked_for = agent->status == AGENT_DESTROYING && sl_str_empty(agent->stopped_by);
        effect_destroy(plan, facts, agent);
        if (!is_asked_for)
            plan_agent(plan, agent)->stopped_by = subject;
    }
}
