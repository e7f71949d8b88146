/* subscription.c - customer.subscription.*: keeps subscriptions and the user's plan; the end of the last one
 * destroys the agents.
 *
 * Stripe sends late, twice and out of order: the event with the newest `created` wins; within one second created
 * (1) < updated (2) < deleted (3), and of two with the same rank the later in the partition. Deleted is final for
 * the id.
 */
#include "worker/decide/detail.h"
#include "worker/decide/effects.h"
#include "worker/decide/families.h"

enum rank { RANK_CREATED = 1, RANK_UPDATED, RANK_DELETED };

static int rank_of(enum input_type type)
{
    if (type == INPUT_STRIPE_SUBSCRIPTION_DELETED)
        return RANK_DELETED;
    return type == INPUT_STRIPE_SUBSCRIPTION_CREATED ? RANK_CREATED : RANK_UPDATED;
}

WHEN(subscription_unnamed)
{
    (void)facts;
    return yes_if(sl_str_empty(input->as.subscription.id));
}

THEN(subscription_unnamed)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the event names no subscription");
}

WHEN(subscription_foreign)
{
    const struct subscription *held = facts_subscription(facts, input->as.subscription.id);
    return yes_if(held && !sl_str_equal(held->user_id, facts->user.id));
}

THEN(subscription_foreign)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_FORBIDDEN, "the subscription is another user's");
}

WHEN(subscription_ended)
{
    const struct subscription *held = facts_subscription(facts, input->as.subscription.id);
    return yes_if(held && held->object_rank == RANK_DELETED);
}

THEN(subscription_ended)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the subscription was deleted before: that is final");
}

WHEN(subscription_stale)
{
    const struct subscription *held = facts_subscription(facts, input->as.subscription.id);
    if (!held || input->created_s > held->object_created_s)
        return MATCH_NO;
    if (input->created_s < held->object_created_s)
        return MATCH_YES;
    return yes_if(rank_of(input->type) < held->object_rank);
}

THEN(subscription_stale)
{
    (void)facts, (void)input;
    plan_ignored(plan, "a newer event of the subscription was applied before");
}

static bool is_status_one_of(struct sl_str status, const char *const *statuses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (sl_str_is(status, statuses[i]))
            return true;
    }
    return false;
}

static bool is_larger(int a, int b)
{
    return a != b && (a < 0 || (b >= 0 && a > b));
}

/* More agents, then more messages, then more memory: -1 is unlimited. */
static bool grants_more(const struct facts *facts, const struct subscription *a, const struct subscription *b)
{
    if (a->max_agents != b->max_agents)
        return is_larger(a->max_agents, b->max_agents);
    if (a->max_messages_per_day != b->max_messages_per_day)
        return is_larger(a->max_messages_per_day, b->max_messages_per_day);
    int a_mb = policy_offer_of_price(facts->policy, a->price_id)->memory_mb;
    int b_mb = policy_offer_of_price(facts->policy, b->price_id)->memory_mb;
    return a_mb != b_mb ? is_larger(a_mb, b_mb) : sl_str_compare(a->id, b->id) < 0;
}

/* users.plan: the tier of the best subscription that is paid for, or is still being collected; `version` replaces
 * what is held of it. */
static void choose_plan(struct plan *plan, const struct facts *facts, const struct subscription *version)
{
    static const char *const GRANTING[] = {"active", "trialing", "past_due"};
    const struct subscription *best = NULL;
    if (is_status_one_of(version->status, GRANTING, SL_ARRAY_LEN(GRANTING)))
        best = version;
    for (size_t i = 0; i < facts->subscription_count; i++) {
        const struct subscription *other = &facts->subscriptions[i];
        if (sl_str_equal(other->id, version->id) || !sl_str_equal(other->user_id, facts->user.id) ||
            !is_status_one_of(other->status, GRANTING, SL_ARRAY_LEN(GRANTING)))
            continue;
        if (!best || grants_more(facts, other, best))
            best = other;
    }
    struct sl_str tier = best ? best->tier : SL_STR("free");
    if (!sl_str_equal(tier, facts->user.plan))
        plan_user(plan, facts)->plan = tier;
}

/* What the object says now. A member that the event lacks leaves what was held. */
static struct subscription *apply_object(const struct facts *facts, const struct input *input, struct plan *plan)
{
    const struct input_subscription *object = &input->as.subscription;
    struct subscription *version = plan_subscription(plan, facts, object->id);
    if (!sl_str_empty(input->customer_id))
        version->customer_id = input->customer_id;
    if (!sl_str_empty(object->status))
        version->status = object->status;
    if (!sl_str_empty(object->price_id))
        version->price_id = object->price_id;
    const struct offer *offer = policy_offer_of_price(facts->policy, version->price_id);
    version->tier = offer->name;
    version->max_agents = offer->max_agents;
    version->max_messages_per_day = offer->max_messages_per_day;
    if (object->current_period_start_s)
        version->current_period_start_s = object->current_period_start_s;
    if (object->current_period_end_s)
        version->current_period_end_s = object->current_period_end_s;
    version->trial_end_s = object->trial_end_s;
    version->cancel_at_s = object->cancel_at_s;
    version->canceled_at_s = object->canceled_at_s;
    version->cancel_at_period_end = object->cancel_at_period_end;
    version->object_created_s = input->created_s;
    version->object_rank = rank_of(input->type);
    return version;
}

static void note_change(const struct facts *facts, struct plan *plan, const struct subscription *version)
{
    const struct subscription *held = facts_subscription(facts, version->id);
    const struct detail members[] = {
        {"from", held ? held->status : SL_STR("none")},
        {"to", version->status},
        {"tier", version->tier},
    };
    plan_audit(plan, "subscription_changed", plan_target_named(plan, "subscription", version->id),
               detail_object(plan->arena, members, SL_ARRAY_LEN(members)));
    choose_plan(plan, facts, version);
}

THEN(subscription_applies)
{
    note_change(facts, plan, apply_object(facts, input, plan));
    plan_applied(plan, "the subscription is as the event says");
}

WHEN(subscription_deletion_destroys)
{
    static const char *const LIVE[] = {"active", "trialing"};
    if (facts->policy->on_subscription_deleted != ON_SUBSCRIPTION_DELETED_DESTROY)
        return MATCH_NO;
    for (size_t i = 0; i < facts->subscription_count; i++) {
        const struct subscription *other = &facts->subscriptions[i];
        if (!sl_str_equal(other->id, input->as.subscription.id) && sl_str_equal(other->user_id, facts->user.id) &&
            is_status_one_of(other->status, LIVE, SL_ARRAY_LEN(LIVE)))
            return MATCH_NO;
    }
    return MATCH_YES;
}

static void end_subscription(const struct facts *facts, const struct input *input, struct plan *plan)
{
    struct subscription *version = apply_object(facts, input, plan);
    version->status = SL_STR("canceled");
    if (!version->canceled_at_s)
        version->canceled_at_s = input->created_s;
    note_change(facts, plan, version);
}

THEN(subscription_deleted_destroys)
{
    end_subscription(facts, input, plan);
    for (size_t i = 0; i < facts->agent_count; i++) {
        const struct agent *agent = &facts->agents[i];
        if (agent->status != AGENT_DESTROYED && sl_str_equal(agent->user_id, facts->user.id))
            effect_destroy(plan, facts, agent);
    }
    plan_applied(plan, "the subscription has ended; every agent of the user is destroyed");
}

THEN(subscription_deleted_keeps)
{
    end_subscription(facts, input, plan);
    plan_applied(plan, "the subscription has ended; the user's agents stay");
}
