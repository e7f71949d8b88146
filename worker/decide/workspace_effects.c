/* workspace_effects.c - see workspace_effects.h. */
#include "worker/decide/workspace_effects.h"

#include "worker/decide/detail.h"
#include "worker/decide/tier.h"

#define SOLO SL_STR("solo")

bool workspace_tier_is_paid(const struct facts *facts, struct sl_str tier)
{
    const struct offer *offer = policy_offer(facts->policy, tier);
    return offer && offer->is_workspace && !sl_str_equal(tier, SOLO);
}

bool workspace_is_subscription(const struct facts *facts, const struct subscription *subscription)
{
    return workspace_tier_is_paid(facts, subscription->tier);
}

static bool grants(const struct facts *facts, const struct subscription *subscription)
{
    return sl_str_equal(subscription->user_id, facts->user.id) && workspace_is_subscription(facts, subscription) &&
           tier_is_granting(subscription);
}

static const struct subscription *planned(const struct plan *plan, struct sl_str id)
{
    for (size_t i = 0; plan && i < plan->subscription_count; i++) {
        if (sl_str_equal(plan->subscriptions[i].id, id))
            return &plan->subscriptions[i];
    }
    return NULL;
}

/* As the plan leaves it; NULL when it is not among the user's. */
static const struct subscription *latest(const struct plan *plan, const struct facts *facts, struct sl_str id)
{
    const struct subscription *version = planned(plan, id);
    version = version ? version : facts_subscription(facts, id);
    return version && sl_str_equal(version->user_id, facts->user.id) ? version : NULL;
}

const struct subscription *workspace_subscription(const struct plan *plan, const struct facts *facts)
{
    for (size_t i = 0; plan && i < plan->subscription_count; i++) {
        if (grants(facts, &plan->subscriptions[i]))
            return &plan->subscriptions[i];
    }
    for (size_t i = 0; i < facts->subscription_count; i++) {
        if (!planned(plan, facts->subscriptions[i].id) && grants(facts, &facts->subscriptions[i]))
            return &facts->subscriptions[i];
    }
    return NULL;
}

static bool is_users(const struct facts *facts, const struct workspace *workspace)
{
    return sl_str_equal(workspace->owner_id, facts->user.id);
}

static void follow(struct plan *plan, const struct workspace *workspace, const struct subscription *version)
{
    bool is_same = sl_str_equal(workspace->tier, version->tier) &&
                   sl_str_equal(workspace->cycle_subscription_id, version->id) &&
                   workspace->cycle_started_at_s == version->current_period_start_s &&
                   workspace->renews_at_s == version->current_period_end_s;
    if (is_same || !version->current_period_start_s || !version->current_period_end_s)
        return;
    struct workspace *copy = plan_workspace(plan, workspace);
    copy->tier = version->tier;
    copy->cycle_subscription_id = version->id;
    copy->cycle_started_at_s = version->current_period_start_s;
    copy->renews_at_s = version->current_period_end_s;
}

/* Nobody pays for it any more. Whose cycle another user's subscription pays is that user's affair. */
static bool is_unpaid(const struct plan *plan, const struct facts *facts, const struct workspace *workspace)
{
    if (workspace->closed_at_ms || sl_str_equal(workspace->tier, SOLO))
        return false;
    if (sl_str_empty(workspace->cycle_subscription_id))
        return is_users(facts, workspace);
    const struct subscription *payer = latest(plan, facts, workspace->cycle_subscription_id);
    return payer && !grants(facts, payer);
}

void workspace_follow_subscription(struct plan *plan, const struct facts *facts, const struct subscription *version)
{
    const struct commons *commons = facts->commons;
    bool pays_for_some = false;
    for (size_t i = 0; i < commons->workspace_count; i++) {
        const struct workspace *workspace = commons->workspaces[i];
        if (workspace->closed_at_ms)
            continue;
        bool pays = sl_str_equal(workspace->cycle_subscription_id, version->id);
        bool adopts = is_users(facts, workspace) && is_unpaid(plan, facts, workspace) &&
                      workspace_tier_is_paid(facts, workspace->tier);
        pays_for_some = pays_for_some || pays;
        if ((pays || adopts) && grants(facts, version))
            follow(plan, workspace, version);
    }
    if (pays_for_some && !workspace_is_subscription(facts, version))
        workspace_downgrade_owned(plan, facts);
}

void workspace_downgrade_owned(struct plan *plan, const struct facts *facts)
{
    const struct commons *commons = facts->commons;
    const struct subscription *other = workspace_subscription(plan, facts);
    for (size_t i = 0; i < commons->workspace_count; i++) {
        const struct workspace *workspace = commons->workspaces[i];
        if (!is_unpaid(plan, facts, workspace))
            continue;
        if (other) { /* of two subscriptions the other one goes on paying */
            follow(plan, workspace, other);
            continue;
        }
        struct workspace *copy = plan_workspace(plan, workspace);
        copy->tier = SOLO;
        copy->cycle_subscription_id = SL_STR_NONE;
        copy->cycle_started_at_s = copy->renews_at_s = 0;
        workspace_purge_connections(plan, facts, workspace->id, SL_STR_NONE);
        plan_audit(plan, "workspace_downgraded", plan_target(plan, "workspace", workspace->id), SL_STR_NONE);
    }
    if (!sl_uuid_is_nil(facts->user.pending_job_id))
        workspace_forget_pending(plan_user(plan, facts));
}

void workspace_forget_pending(struct user *user)
{
    user->pending_job_id = (struct sl_uuid){.bytes = {0}};
    user->pending_session_id = SL_STR_NONE;
    user->pending_plan = SL_STR_NONE;
    user->pending_workspace_name = SL_STR_NONE;
    user->pending_workflow_ids = NULL;
    user->pending_workflow_count = 0;
}

bool workspace_is_billed(const struct facts *facts)
{
    return !sl_uuid_is_nil(facts->user.pending_job_id) || workspace_tier_is_paid(facts, facts->user.plan);
}

static bool is_of_other_subscription(const struct facts *facts, const struct input *input)
{
    if (input->type != INPUT_STRIPE_INVOICE_PAYMENT_FAILED)
        return false;
    const struct subscription *held = facts_subscription(facts, input->as.invoice.subscription_id);
    /* One that is not known yet may be the checkout's: invoices come before their subscriptions. */
    return held && held->object_rank > 0 && !workspace_is_subscription(facts, held);
}

void workspace_payment_failed(struct plan *plan, const struct facts *facts, struct sl_str message)
{
    const struct input *input = plan->input;
    if (!workspace_is_billed(facts) || input->created_s < facts->user.billing_created_s ||
        is_of_other_subscription(facts, input))
        return;
    struct user *user = plan_user(plan, facts);
    workspace_forget_pending(user);
    user->last_error = message;
    user->last_error_at_ms = input->received_at_ms;
    user->billing_created_s = input->created_s;
    if (workspace_tier_is_paid(facts, user->plan) && !workspace_subscription(plan, facts))
        user->plan = SOLO;
    plan_audit(plan, "workspace_payment_failed", plan_target_named(plan, "user", facts->user.id), SL_STR_NONE);
}

const struct member *workspace_membership(const struct facts *facts, struct sl_uuid workspace_id)
{
    if (!commons_workspace(facts->commons, workspace_id))
        return NULL;
    return commons_member(facts->commons, workspace_id, facts->user.id);
}

size_t workspace_count(const struct facts *facts, struct sl_uuid except)
{
    size_t count = 0;
    for (size_t i = 0; i < facts->commons->member_count; i++) {
        const struct member *member = facts->commons->members[i];
        count += !member->gone && sl_str_equal(member->user_id, facts->user.id) &&
                 !sl_uuid_equal(member->workspace_id, except) &&
                 commons_workspace(facts->commons, member->workspace_id) != NULL;
    }
    return count;
}

size_t workspace_member_count(const struct facts *facts, struct sl_uuid workspace_id)
{
    size_t count = 0;
    for (size_t i = 0; i < facts->commons->member_count; i++) {
        const struct member *member = facts->commons->members[i];
        count += !member->gone && sl_uuid_equal(member->workspace_id, workspace_id);
    }
    return count;
}

struct workspace *workspace_make(struct plan *plan, const struct facts *facts, struct sl_str name, struct sl_str tier)
{
    struct workspace *workspace = plan_workspace_new(plan, plan_derive_id(plan));
    workspace->name = name;
    workspace->owner_id = facts->user.id;
    workspace->tier = tier;
    (void)plan_member_new(plan, workspace->id, facts->user.id, ROLE_OWNER);
    plan_audit(plan, "workspace_created", plan_target(plan, "workspace", workspace->id), SL_STR_NONE);
    return workspace;
}

struct workspace *workspace_make_personal(struct plan *plan, const struct facts *facts)
{
    return workspace_make(plan, facts, SL_STR("Personal"), SOLO);
}

void workspace_purge_connections(struct plan *plan, const struct facts *facts, struct sl_uuid workspace_id,
                                 struct sl_str shared_by)
{
    for (size_t i = 0; i < facts->commons->connection_count; i++) {
        const struct connection *connection = facts->commons->connections[i];
        bool is_meant = !connection->gone && sl_uuid_equal(connection->workspace_id, workspace_id) &&
                        (sl_str_empty(shared_by) || sl_str_equal(connection->shared_by, shared_by));
        struct connection *copy = is_meant ? plan_connection(plan, connection) : NULL;
        if (!copy || copy->gone)
            continue;
        copy->gone = true;
        plan_audit(plan, "connection_purged", plan_target_named(plan, "connection", connection->id), SL_STR_NONE);
    }
}

void workspace_remove_member(struct plan *plan, const struct facts *facts, const struct member *member)
{
    plan_member(plan, member)->gone = true;
    workspace_purge_connections(plan, facts, member->workspace_id, member->user_id);
}
