/* billing.c - what a workspace's plan costs: checkout.start, workspace.plan_change, subscription.resume, and Stripe's
 * reports about the checkout that is pending.
 *
 * A plan changes when the money is there, not before: the command only notes the checkout as pending and lets a job
 * open its session (billing_job.c answers when that ends). Of checkout.session.* the pending session's alone count; a
 * failure also ends what is pending where it names no session. Events older than what was applied change nothing.
 */
#include "worker/decide/detail.h"
#include "worker/decide/email.h"
#include "worker/decide/families.h"
#include "worker/decide/tier.h"
#include "worker/decide/workspace_effects.h"

#define SOLO "solo"

static const struct offer *named_offer(const struct facts *facts, const struct input *input)
{
    return policy_offer(facts->policy, input->as.billing.plan);
}

/* A queued call to Stripe that answers the command; it is given up when the command's wait ends. */
static struct job *queue_call(const struct facts *facts, struct plan *plan, const struct detail *members, size_t count,
                              const char *message)
{
    struct job *job = plan_job_new_plain(plan, facts, JOB_STRIPE, "stripe", detail_object(plan->arena, members, count));
    job->deadline_at_ms = plan->input->received_at_ms + facts->policy->answer_timeout_ms;
    plan_answered_by(plan, job, message);
    return job;
}

static struct job *queue_checkout(const struct facts *facts, const struct input *input, struct plan *plan,
                                  struct sl_str success_url, struct sl_str cancel_url)
{
    const struct detail members[] = {
        {"op", SL_STR("checkout")},
        {"mode", SL_STR("subscription")},
        {"price", named_offer(facts, input)->price_id},
        {"customer", facts->user.stripe_customer_id},
        {"email", email_of_user(facts, input)},
        {"user_id", facts->user.id},
        {"plan", input->as.billing.plan},
        {"success_url", success_url},
        {"cancel_url", cancel_url},
    };
    return queue_call(facts, plan, members, SL_ARRAY_LEN(members), "the checkout is being opened");
}

/* checkout.start */

WHEN(billing_plan_unknown)
{
    return yes_if(!named_offer(facts, input));
}

THEN(billing_plan_unknown)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "no plan of this name is configured");
}

WHEN(checkout_of_workspace)
{
    return yes_if(named_offer(facts, input)->is_workspace);
}

THEN(checkout_of_workspace)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "the plan is a workspace's: it is changed by workspace.plan_change");
}

WHEN(billing_plan_unpriced)
{
    return yes_if(sl_str_empty(named_offer(facts, input)->price_id));
}

THEN(billing_plan_unpriced)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "the plan has no price configured");
}

THEN(checkout_start)
{
    (void)queue_checkout(facts, input, plan, input->as.billing.success_url, input->as.billing.cancel_url);
}

/* workspace.plan_change */

WHEN(billing_tier_unknown)
{
    const struct offer *offer = named_offer(facts, input);
    return yes_if(!offer || !offer->is_workspace);
}

THEN(billing_tier_unknown)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "no workspace plan of this name is configured");
}

WHEN(billing_to_solo)
{
    (void)facts;
    return yes_if(sl_str_is(input->as.billing.plan, SOLO));
}

WHEN(billing_to_solo_subscribed)
{
    return yes_if(sl_str_is(input->as.billing.plan, SOLO) && workspace_subscription(NULL, facts));
}

THEN(billing_schedule_downgrade)
{
    (void)input;
    const struct detail members[] = {
        {"op", SL_STR("cancel_at_period_end")},
        {"subscription_id", workspace_subscription(NULL, facts)->id},
    };
    (void)queue_call(facts, plan, members, SL_ARRAY_LEN(members), "the subscription is being cancelled at its end");
}

THEN(billing_downgrade)
{
    (void)input;
    workspace_downgrade_owned(plan, facts);
    const struct subscription *best = tier_best(facts, NULL); /* for agents */
    struct user *user = plan_user(plan, facts);
    user->plan = best ? best->tier : SL_STR(SOLO);
    user->last_error = SL_STR_NONE;
    user->last_error_at_ms = 0;
    plan_data(plan, SL_STR("{\"success\":true}"));
    plan_applied(plan, "the plan is solo");
}

/* The workspace that an upgrade is for: of those the user owns the oldest, a solo one first. NULL: it makes one. */
static const struct workspace *upgraded_workspace(const struct facts *facts)
{
    const struct workspace *best = NULL;
    for (size_t i = 0; i < facts->commons->workspace_count; i++) {
        const struct workspace *row = facts->commons->workspaces[i];
        if (row->closed_at_ms || !sl_str_equal(row->owner_id, facts->user.id))
            continue;
        bool is_solo = sl_str_is(row->tier, SOLO), best_is_solo = best && sl_str_is(best->tier, SOLO);
        bool is_better = !best || (is_solo && !best_is_solo);
        if (!is_better && is_solo == best_is_solo)
            is_better = row->created_at_ms < best->created_at_ms ||
                        (row->created_at_ms == best->created_at_ms && sl_uuid_compare(row->id, best->id) < 0);
        if (is_better)
            best = row;
    }
    return best;
}

static bool owns_workspace_at(const struct facts *facts, struct sl_str tier)
{
    for (size_t i = 0; i < facts->commons->workspace_count; i++) {
        const struct workspace *row = facts->commons->workspaces[i];
        if (!row->closed_at_ms && sl_str_equal(row->owner_id, facts->user.id) && sl_str_equal(row->tier, tier))
            return true;
    }
    return false;
}

static const struct subscription *subscription_to(const struct facts *facts, struct sl_str tier)
{
    const struct subscription *subscription = workspace_subscription(NULL, facts);
    return subscription && sl_str_equal(subscription->tier, tier) ? subscription : NULL;
}

WHEN(billing_already_there)
{
    struct sl_str tier = input->as.billing.plan;
    bool has_plan = sl_str_equal(facts->user.plan, tier) || subscription_to(facts, tier);
    return yes_if(has_plan && owns_workspace_at(facts, tier));
}

THEN(billing_already_there)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "the workspace has this plan already");
}

struct upgrade {
    struct sl_str tier, name;
    const struct sl_str *workflow_ids;
    size_t workflow_count;
};

static void set_cycle(struct plan *plan, const struct facts *facts, struct workspace *workspace)
{
    const struct subscription *payer = workspace_subscription(plan, facts);
    bool is_known = payer && sl_str_equal(payer->tier, workspace->tier) && payer->current_period_start_s &&
                    payer->current_period_end_s;
    workspace->cycle_subscription_id = is_known ? payer->id : SL_STR_NONE;
    workspace->cycle_started_at_s = is_known ? payer->current_period_start_s : 0;
    workspace->renews_at_s = is_known ? payer->current_period_end_s : 0;
}

static void upgrade(struct plan *plan, const struct facts *facts, const struct upgrade *order)
{
    const struct workspace *held = upgraded_workspace(facts);
    struct workspace *workspace = NULL;
    if (held) {
        workspace = plan_workspace(plan, held);
        workspace->tier = order->tier;
        if (!sl_str_empty(order->name))
            workspace->name = order->name;
        plan_audit(plan, "workspace_upgraded", plan_target(plan, "workspace", held->id), SL_STR_NONE);
    } else {
        struct sl_str name = sl_str_empty(order->name) ? SL_STR("Workspace") : order->name;
        workspace = workspace_make(plan, facts, name, order->tier);
    }
    set_cycle(plan, facts, workspace);
    for (size_t i = 0; i < order->workflow_count; i++) {
        if (!sl_str_empty(order->workflow_ids[i]))
            plan_share_workflow(plan, facts->commons, workspace->id, order->workflow_ids[i], facts->user.id);
    }
    struct user *user = plan_user(plan, facts);
    user->plan = order->tier;
    user->onboarding_complete = true;
    user->last_error = SL_STR_NONE;
    user->last_error_at_ms = 0;
    workspace_forget_pending(user);
}

/* Paid for, but without a workspace: the checkout was given up before it was paid after all, or the workspace was left.
 */
WHEN(billing_paid_for)
{
    return yes_if(subscription_to(facts, input->as.billing.plan) != NULL);
}

THEN(billing_upgrade_paid_for)
{
    const struct input_billing *command = &input->as.billing;
    upgrade(plan, facts,
            &(struct upgrade){command->plan, command->workspace_name, command->shared_workflow_ids,
                              command->shared_workflow_count});
    plan_data(plan, SL_STR("{\"success\":true}"));
    plan_applied(plan, "the plan is paid for: the workspace has it");
}

WHEN(billing_without_app)
{
    (void)input;
    return yes_if(sl_str_empty(facts->policy->app_url));
}

THEN(billing_without_app)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "APP_URL is not configured: Stripe could not lead back");
}

THEN(billing_open_checkout)
{
    const struct input_billing *command = &input->as.billing;
    static const char FORMAT[] = "%" SL_STR_FMT "/workspaces/billing?checkout=%s";
    struct sl_str app_url = facts->policy->app_url;
    struct sl_str success_url = sl_arena_printf(plan->arena, FORMAT, SL_STR_ARG(app_url), "success");
    struct sl_str cancel_url = sl_arena_printf(plan->arena, FORMAT, SL_STR_ARG(app_url), "cancelled");
    const struct job *job = queue_checkout(facts, input, plan, success_url, cancel_url);
    struct user *user = plan_user(plan, facts);
    user->pending_job_id = job->id;
    user->pending_session_id = SL_STR_NONE;
    user->pending_plan = command->plan;
    user->pending_workspace_name = command->workspace_name;
    user->pending_workflow_ids = command->shared_workflow_ids;
    user->pending_workflow_count = command->shared_workflow_count;
    user->last_error = SL_STR_NONE;
    user->last_error_at_ms = 0;
}

/* subscription.resume */

static const struct subscription *resumable(const struct facts *facts)
{
    const struct subscription *best = NULL;
    for (size_t i = 0; i < facts->subscription_count; i++) {
        const struct subscription *row = &facts->subscriptions[i];
        bool has_ended = sl_str_is(row->status, "canceled") || sl_str_is(row->status, "incomplete_expired");
        if (has_ended || !row->cancel_at_period_end || !sl_str_equal(row->user_id, facts->user.id))
            continue;
        if (!best || (workspace_is_subscription(facts, row) && !workspace_is_subscription(facts, best)))
            best = row;
    }
    return best;
}

WHEN(resume_nothing)
{
    (void)input;
    return yes_if(!resumable(facts));
}

THEN(resume_nothing)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "no subscription is about to be cancelled");
}

THEN(resume)
{
    (void)input;
    const struct subscription *subscription = resumable(facts);
    SL_ASSERT(subscription); /* or an earlier row would have refused */
    const struct detail members[] = {{"op", SL_STR("resume")}, {"subscription_id", subscription->id}};
    (void)queue_call(facts, plan, members, SL_ARRAY_LEN(members), "the subscription is being resumed");
}

/* checkout.session.* without an agent, and payment_intent.payment_failed */

static bool names_no_agent(const struct input *input)
{
    return sl_uuid_is_nil(input->as.checkout.agent_id) && !input->as.checkout.agent_id_malformed;
}

static bool is_pending(const struct facts *facts, const struct input *input)
{
    return !sl_str_empty(input->as.checkout.session_id) && !sl_uuid_is_nil(facts->user.pending_job_id) &&
           sl_str_equal(input->as.checkout.session_id, facts->user.pending_session_id);
}

static bool is_older(const struct facts *facts, const struct input *input)
{
    return input->created_s < facts->user.billing_created_s;
}

WHEN(session_stale)
{
    return yes_if(names_no_agent(input) && is_pending(facts, input) && is_older(facts, input));
}

THEN(billing_stale)
{
    (void)facts, (void)input;
    plan_ignored(plan, "a newer event of the workspace's billing was applied before");
}

WHEN(session_pending)
{
    return yes_if(names_no_agent(input) && is_pending(facts, input));
}

THEN(session_completes)
{
    const struct user *user = &facts->user;
    upgrade(plan, facts,
            &(struct upgrade){user->pending_plan, user->pending_workspace_name, user->pending_workflow_ids,
                              user->pending_workflow_count});
    plan_user(plan, facts)->billing_created_s = input->created_s;
    plan_applied(plan, "the checkout is paid: the workspace has its plan");
}

WHEN(session_not_pending)
{
    return yes_if(names_no_agent(input) && !is_pending(facts, input));
}

WHEN(failed_session_not_pending)
{
    return yes_if(!is_pending(facts, input));
}

THEN(session_not_pending)
{
    (void)facts, (void)input;
    plan_ignored(plan, "no checkout with this session is pending");
}

WHEN(billing_stale)
{
    return yes_if(is_older(facts, input));
}

THEN(session_failed)
{
    (void)input;
    workspace_payment_failed(plan, facts, SL_STR("Your payment could not be completed. Please try again."));
    plan_applied(plan, "the payment failed; nothing is pending any more");
}

THEN(session_expired)
{
    (void)input;
    workspace_payment_failed(plan, facts, SL_STR("Your checkout has expired. Please start it again."));
    plan_applied(plan, "the checkout has expired; nothing is pending any more");
}

WHEN(payment_of_nothing)
{
    (void)input;
    return yes_if(!workspace_is_billed(facts));
}

THEN(payment_of_nothing)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the payment was for no workspace");
}

THEN(payment_failed)
{
    static const char FORMAT[] = "Your payment could not be completed. %" SL_STR_FMT;
    struct sl_str reason = input->as.payment.reason;
    struct sl_str advice = sl_str_empty(reason) ? SL_STR("Please try again.") : reason;
    workspace_payment_failed(plan, facts, sl_arena_printf(plan->arena, FORMAT, SL_STR_ARG(advice)));
    plan_applied(plan, "the payment failed; nothing is pending any more");
}
