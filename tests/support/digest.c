/* digest.c - FNV-1a over the members, each with its length, so that no two neighbours run into one another. */
#include "tests/support/digest.h"

static void add_bytes(uint64_t *digest, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        *digest = (*digest ^ ((const unsigned char *)bytes)[i]) * 1099511628211U;
}

static void add_number(uint64_t *digest, int64_t number)
{
    add_bytes(digest, &number, sizeof(number));
}

static void add_text(uint64_t *digest, struct sl_str text)
{
    add_number(digest, (int64_t)text.len);
    add_bytes(digest, text.ptr, text.len);
}

static void add_user(uint64_t *digest, const struct user *user)
{
    add_text(digest, user->id);
    add_text(digest, user->email);
    add_text(digest, user->plan);
    add_text(digest, user->stripe_customer_id);
    add_number(digest, user->email_created_s);
    add_number(digest, user->invoice_created_s);
    add_number(digest, user->invoice_rank);
    add_bytes(digest, user->pending_job_id.bytes, sizeof(user->pending_job_id.bytes));
    add_text(digest, user->pending_session_id);
    add_text(digest, user->pending_plan);
    add_text(digest, user->pending_workspace_name);
    for (size_t i = 0; i < user->pending_workflow_count; i++)
        add_text(digest, user->pending_workflow_ids[i]);
    add_text(digest, user->last_error);
    add_number(digest, user->last_error_at_ms);
    add_number(digest, user->onboarding_complete);
    add_number(digest, user->billing_created_s);
}

static void add_subscription(uint64_t *digest, const struct subscription *row)
{
    const struct sl_str texts[] = {row->id, row->user_id, row->customer_id, row->status, row->price_id, row->tier};
    const int64_t numbers[] = {row->max_agents,           row->max_messages_per_day, row->current_period_start_s,
                               row->current_period_end_s, row->trial_end_s,          row->cancel_at_s,
                               row->canceled_at_s,        row->cancel_at_period_end, row->object_created_s,
                               row->object_rank,          row->invoice_created_s,    row->invoice_rank};
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++)
        add_text(digest, texts[i]);
    for (size_t i = 0; i < SL_ARRAY_LEN(numbers); i++)
        add_number(digest, numbers[i]);
}

static void add_agent(uint64_t *digest, const struct agent *row)
{
    const struct sl_str texts[] = {row->user_id,         row->name,      row->backend,      row->region,
                                   row->status_reason,   row->server_id, row->server_ip,    row->tailscale_device_id,
                                   row->tailscale_ip,    row->app_name,  row->frontend_url, row->backend_url,
                                   row->subscription_id, row->stopped_by};
    add_bytes(digest, row->id.bytes, sizeof(row->id.bytes));
    add_number(digest, row->status);
    add_number(digest, row->memory_limit_mb);
    add_number(digest, (int64_t)(row->cpu_limit * 1000));
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++)
        add_text(digest, texts[i]);
}

static void add_job(uint64_t *digest, const struct job *row)
{
    const struct sl_str texts[] = {
        row->user_id,           row->backend, row->args,           row->step,         row->run_id,
        row->dispatched_run_id, row->error,   row->cause_event_id, row->cause_source, row->rule};
    const int64_t numbers[] = {
        row->kind,     row->status,           row->seq,           row->fence,           row->generation,
        row->priority, row->deadline_at_ms,   row->claimed_at_ms, row->heartbeat_at_ms, row->ended_at_ms,
        row->settled,  row->cancel_requested, row->requeue};
    add_bytes(digest, row->id.bytes, sizeof(row->id.bytes));
    add_bytes(digest, row->agent_id.bytes, sizeof(row->agent_id.bytes));
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++)
        add_text(digest, texts[i]);
    for (size_t i = 0; i < SL_ARRAY_LEN(numbers); i++)
        add_number(digest, numbers[i]);
}

static void add_timer(uint64_t *digest, const struct timer *row)
{
    add_bytes(digest, row->id.bytes, sizeof(row->id.bytes));
    add_text(digest, row->kind);
    add_text(digest, row->subject);
    add_number(digest, row->due_at_ms);
    add_number(digest, row->decided * 2 + row->cancelled);
}

static void add_id(uint64_t *digest, struct sl_uuid id)
{
    add_bytes(digest, id.bytes, sizeof(id.bytes));
}

static void add_places(uint64_t *digest, const struct commons_changes *changes)
{
    for (size_t i = 0; i < changes->workspace_count; i++) {
        const struct workspace *row = changes->workspaces[i];
        const struct sl_str texts[] = {row->name, row->owner_id, row->tier, row->cycle_subscription_id};
        const int64_t numbers[] = {row->runs_used, row->runs_since_ms, row->closed_at_ms, row->cycle_started_at_s,
                                   row->renews_at_s};
        add_id(digest, row->id);
        for (size_t k = 0; k < SL_ARRAY_LEN(texts); k++)
            add_text(digest, texts[k]);
        for (size_t k = 0; k < SL_ARRAY_LEN(numbers); k++)
            add_number(digest, numbers[k]);
    }
    for (size_t i = 0; i < changes->member_count; i++) {
        add_id(digest, changes->members[i]->workspace_id);
        add_text(digest, changes->members[i]->user_id);
        add_number(digest, changes->members[i]->role * 2 + changes->members[i]->gone);
    }
    for (size_t i = 0; i < changes->invite_count; i++) {
        const struct invite *row = changes->invites[i];
        add_id(digest, row->id);
        add_text(digest, row->email);
        add_text(digest, row->token_sha256);
        add_text(digest, row->accepted_by);
        add_number(digest, row->expires_at_ms);
        add_number(digest, row->accepted_at_ms);
        add_number(digest, row->revoked_at_ms);
    }
}

static void add_things(uint64_t *digest, const struct commons_changes *changes)
{
    for (size_t i = 0; i < changes->connection_count; i++) {
        const struct connection *row = changes->connections[i];
        const struct sl_str texts[] = {row->id, row->provider, row->shared_by, row->sealed, row->catalog};
        add_id(digest, row->workspace_id);
        for (size_t k = 0; k < SL_ARRAY_LEN(texts); k++)
            add_text(digest, texts[k]);
        add_number(digest, row->shared_at_ms * 2 + row->gone);
    }
    for (size_t i = 0; i < changes->shared_workflow_count; i++) {
        add_id(digest, changes->shared_workflows[i]->workspace_id);
        add_text(digest, changes->shared_workflows[i]->workflow_id);
    }
    for (size_t i = 0; i < changes->run_count; i++) {
        const struct run *row = changes->runs[i];
        add_id(digest, row->workspace_id);
        add_text(digest, row->id);
        add_text(digest, row->end_reason);
        add_number(digest, row->ended_at_ms);
    }
    for (size_t i = 0; i < changes->early_access_count; i++)
        add_text(digest, changes->early_accesses[i]->email);
}

static void add_told(uint64_t *digest, const struct plan *plan)
{
    for (size_t i = 0; i < plan->usage_count; i++) {
        add_text(digest, plan->usages[i].metric);
        add_number(digest, plan->usages[i].day);
        add_number(digest, plan->usages[i].count);
        add_number(digest, plan->usages[i].told_at_ms);
    }
    for (size_t i = 0; i < plan->notice_count; i++) {
        add_id(digest, plan->notices[i].id);
        add_text(digest, sl_str_of(plan->notices[i].ce_type));
        add_text(digest, plan->notices[i].user_id);
        add_text(digest, plan->notices[i].body);
    }
    add_text(digest, plan->data);
    add_number(digest, plan->answers_later * 2 + plan->has_answer);
    if (plan->has_answer) {
        const struct answer *answer = &plan->answer;
        const struct sl_str texts[] = {answer->source,   answer->event_id, answer->ce_type,
                                       answer->reply_to, answer->message,  answer->data};
        for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++)
            add_text(digest, texts[i]);
        add_number(digest, answer->outcome);
        add_number(digest, answer->error);
    }
}

static bool changes_commons(const struct commons_changes *changes)
{
    return changes->workspace_count || changes->member_count || changes->invite_count || changes->connection_count ||
           changes->shared_workflow_count || changes->run_count || changes->early_access_count;
}

uint64_t digest_plan(const struct plan *plan)
{
    uint64_t digest = 14695981039346656037U;
    add_text(&digest, sl_str_of(plan->rule));
    add_number(&digest, plan->outcome);
    add_number(&digest, plan->error);
    add_text(&digest, plan->message);
    add_bytes(&digest, plan->agent_id.bytes, sizeof(plan->agent_id.bytes));
    add_number(&digest, plan->user_changed);
    if (plan->user_changed)
        add_user(&digest, &plan->user);
    add_text(&digest, plan->link_customer_id);
    for (size_t i = 0; i < plan->subscription_count; i++)
        add_subscription(&digest, &plan->subscriptions[i]);
    for (size_t i = 0; i < plan->agent_count; i++)
        add_agent(&digest, &plan->agents[i]);
    for (size_t i = 0; i < plan->job_count; i++)
        add_job(&digest, &plan->jobs[i]);
    for (size_t i = 0; i < plan->timer_count; i++)
        add_timer(&digest, &plan->timers[i]);
    for (size_t i = 0; i < plan->audit_count; i++) {
        add_text(&digest, sl_str_of(plan->audits[i].action));
        add_text(&digest, plan->audits[i].target);
        add_text(&digest, plan->audits[i].detail);
    }
    add_places(&digest, &plan->commons);
    add_things(&digest, &plan->commons);
    add_told(&digest, plan);
    add_text(&digest, sl_str_of(plan->dead_letter_cause));
    return digest;
}

bool digest_plan_is_empty(const struct plan *plan)
{
    return !plan->user_changed && sl_str_empty(plan->link_customer_id) && plan->subscription_count == 0 &&
           plan->agent_count == 0 && plan->job_count == 0 && plan->timer_count == 0 && plan->audit_count == 0 &&
           !plan->dead_letter_cause && plan->usage_count == 0 && plan->notice_count == 0 && !plan->has_answer &&
           !changes_commons(&plan->commons);
}
