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
    const struct sl_str texts[] = {row->user_id,       row->name,      row->backend,      row->region,
                                   row->status_reason, row->server_id, row->server_ip,    row->tailscale_device_id,
                                   row->tailscale_ip,  row->app_name,  row->frontend_url, row->backend_url};
    add_bytes(digest, row->id.bytes, sizeof(row->id.bytes));
    add_number(digest, row->status);
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
    add_number(digest, row->fired * 2 + row->cancelled);
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
    add_text(&digest, sl_str_of(plan->dead_letter_cause));
    return digest;
}

bool digest_plan_is_empty(const struct plan *plan)
{
    return !plan->user_changed && sl_str_empty(plan->link_customer_id) && plan->subscription_count == 0 &&
           plan->agent_count == 0 && plan->job_count == 0 && plan->timer_count == 0 && plan->audit_count == 0 &&
           !plan->dead_letter_cause;
}
