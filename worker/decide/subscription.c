/* subscription.c - customer.subscription.*: keeps subscriptions, the user's plan and what it brings: an instance, its
 * limits, the workspaces' cycle. The end of one ends its instance, the end of the last one destroys the agents.
 *
 * Stripe sends late, twice and out of order: the event with the newest `created` wins; within one second created
 * (1) < updated (2) < deleted (3), and of two with the same rank the later in the partition. Deleted is final for
 * the id.
 */
#include "worker/decide/detail.h"
#include "worker/decide/effects.h"
#include "worker/decide/email.h"
#include "worker/decide/families.h"
#include "worker/decide/grace.h"
#include "worker/decide/instance.h"
#include "worker/decide/tier.h"
#include "worker/decide/workspace_effects.h"

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

/* The user owns a workspace, of a tier of workspaces: he stays in their world. */
static bool owns_workspace(const struct facts *facts)
{
    const struct commons *commons = facts->commons;
    for (size_t i = 0; i < commons->workspace_count; i++) {
        const struct workspace *workspace = commons->workspaces[i];
        if (!workspace->closed_at_ms && sl_str_equal(workspace->owner_id, facts->user.id))
            return true;
    }
    return false;
}

/* users.plan: the tier of the best subscription that is paid for, or is still being collected; without one, who has or
 * had a workspace is solo. */
static void choose_plan(struct plan *plan, const struct facts *facts, const struct subscription *version)
{
    const struct subscription *best = tier_best(facts, version);
    bool has_ended = !tier_is_granting(version) && !sl_str_starts_with(version->status, SL_STR("incomplete"));
    const struct subscription *held = facts_subscription(facts, version->id);
    bool was_workspaces =
        has_ended && (workspace_is_subscription(facts, version) || (held && workspace_is_subscription(facts, held)));
    struct sl_str tier = was_workspaces || owns_workspace(facts) ? SL_STR("solo") : SL_STR("free");
    if (best)
        tier = best->tier;
    if (!sl_str_equal(tier, facts->user.plan))
        plan_user(plan, facts)->plan = tier;
}

/* What the object says now. A member that the event lacks leaves what was held. */
static void take_object(const struct facts *facts, const struct input *input, struct subscription *version)
{
    const struct input_subscription *object = &input->as.subscription;
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
}

/* For conditions, which have no plan yet. */
static struct subscription version_of(const struct facts *facts, const struct input *input)
{
    const struct subscription *held = facts_subscription(facts, input->as.subscription.id);
    struct subscription version = {.id = input->as.subscription.id, .user_id = facts->user.id};
    version.status = SL_STR("incomplete");
    if (held)
        version = *held;
    take_object(facts, input, &version);
    return version;
}

static struct subscription *apply_object(const struct facts *facts, const struct input *input, struct plan *plan)
{
    struct subscription *version = plan_subscription(plan, facts, input->as.subscription.id);
    take_object(facts, input, version);
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

/* The number of agents allowed has changed, and more are there: nothing is destroyed, but the user is told. */
static bool exceeds_limit(const struct facts *facts, const struct subscription *version)
{
    int before = tier_agents_max(facts, NULL);
    int after = tier_agents_max(facts, version);
    int count = tier_agents_counted(facts, NULL) + (instance_is_missing(facts, version) ? 1 : 0);
    return tier_has_live(facts, version, SL_STR_NONE) && after != before && after >= 0 && count > after;
}

static void tell_limit(const struct facts *facts, const struct input *input, struct plan *plan,
                       const struct subscription *version)
{
    const struct detail members[] = {
        {"what", SL_STR("agents")},
        {"limit", detail_number(plan->arena, tier_agents_max(facts, version))},
    };
    effect_email(plan, facts, "limit_reached", email_of_user(facts, input), members, SL_ARRAY_LEN(members));
}

static struct subscription *follow(const struct facts *facts, const struct input *input, struct plan *plan)
{
    struct subscription *version = apply_object(facts, input, plan);
    note_change(facts, plan, version);
    workspace_follow_subscription(plan, facts, version);
    instance_follow_limits(plan, facts, version);
    return version;
}

WHEN(subscription_brings_instance)
{
    struct subscription version = version_of(facts, input);
    return yes_if(instance_is_missing(facts, &version) || instance_may_return(facts, &version));
}

THEN(subscription_brings_instance)
{
    const struct subscription *version = follow(facts, input, plan);
    instance_provide(plan, facts, version);
    if (exceeds_limit(facts, version))
        tell_limit(facts, input, plan, version);
    plan_applied(plan, "the subscription is as the event says; its instance is provisioned");
}

WHEN(subscription_exceeds_limit)
{
    struct subscription version = version_of(facts, input);
    return yes_if(exceeds_limit(facts, &version));
}

THEN(subscription_exceeds_limit)
{
    tell_limit(facts, input, plan, follow(facts, input, plan));
    plan_applied(plan, "the subscription is as the event says; the user has more agents than it allows: they stay, "
                       "new ones are refused");
}

THEN(subscription_applies)
{
    (void)follow(facts, input, plan);
    plan_applied(plan, "the subscription is as the event says");
}

WHEN(subscription_deletion_destroys)
{
    bool destroys = facts->policy->on_subscription_deleted == ON_SUBSCRIPTION_DELETED_DESTROY;
    return yes_if(destroys && !tier_has_live(facts, NULL, input->as.subscription.id));
}

static const struct subscription *end_subscription(const struct facts *facts, const struct input *input,
                                                   struct plan *plan)
{
    struct subscription *version = apply_object(facts, input, plan);
    version->status = SL_STR("canceled");
    if (!version->canceled_at_s)
        version->canceled_at_s = input->created_s;
    note_change(facts, plan, version);
    grace_end(plan, facts, version->id);
    if (workspace_is_subscription(facts, version))
        workspace_downgrade_owned(plan, facts);
    effect_email(plan, facts, "cancelled", email_of_user(facts, input), NULL, 0);
    return version;
}

/* The instance of the subscription, or every agent of the user (`version` NULL). */
static void destroy_agents(const struct facts *facts, struct plan *plan, const struct subscription *version)
{
    for (size_t i = 0; i < facts->agent_count; i++) {
        const struct agent *agent = &facts->agents[i];
        bool is_meant = !version || sl_str_equal(agent->subscription_id, version->id);
        if (is_meant && agent->status != AGENT_DESTROYED && sl_str_equal(agent->user_id, facts->user.id))
            effect_destroy(plan, facts, agent);
    }
}

THEN(subscription_deleted_destroys)
{
    (void)end_subscription(facts, input, plan);
    destroy_agents(facts, plan, NULL);
    plan_applied(plan, "the subscription has ended; every agent of the user is destroyed");
}

THEN(subscription_deleted_keeps)
{
    const struct subscription *version = end_subscription(facts, input, plan);
    destroy_agents(facts, plan, version);
    instance_follow_limits(plan, facts, version);
    plan_applied(plan, "the subscription has ended, and its instance with it; other agents of the user stay");
}
