/* digest.c - see digest.h. FNV-1a over the fields in the order of the structs; a text goes in with its length, so that
 * two neighbours can't be taken for one. */
#include "worker/apply/digest.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"

#define DIGEST_BEGIN UINT64_C(14695981039346656037)

static void add_bytes(uint64_t *digest, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < count; i++)
        *digest = (*digest ^ at[i]) * UINT64_C(1099511628211);
}

static void add_int(uint64_t *digest, int64_t value)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)((uint64_t)value >> (8 * i));
    add_bytes(digest, bytes, sizeof(bytes));
}

static void add_str(uint64_t *digest, struct sl_str text)
{
    add_int(digest, (int64_t)text.len);
    add_bytes(digest, text.ptr, text.len);
}

/* The same for every way to write the document: what Postgres gives back of a jsonb is not the text that it was given.
 */
static void add_json(uint64_t *digest, struct sl_str text)
{
    SL_JSON_AUTO *json = NULL;
    bool is_json = sl_json_parse(sl_str_empty(text) ? SL_STR("{}") : text, 0, &json, NULL);
    char *canonical = is_json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    add_str(digest, canonical ? sl_str_of(canonical) : text);
    free(canonical);
}

static void add_uuid(uint64_t *digest, struct sl_uuid id)
{
    add_bytes(digest, id.bytes, sizeof(id.bytes));
}

static void add_user(uint64_t *digest, const struct user *user)
{
    const struct sl_str texts[] = {user->id,
                                   user->email,
                                   user->plan,
                                   user->stripe_customer_id,
                                   user->pending_session_id,
                                   user->pending_plan,
                                   user->pending_workspace_name,
                                   user->last_error};
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++)
        add_str(digest, texts[i]);
    for (size_t i = 0; i < user->pending_workflow_count; i++)
        add_str(digest, user->pending_workflow_ids[i]);
    add_uuid(digest, user->pending_job_id);
    add_int(digest, user->last_error_at_ms);
    add_int(digest, user->onboarding_complete);
    add_int(digest, user->email_created_s);
    add_int(digest, user->invoice_created_s);
    add_int(digest, user->invoice_rank);
    add_int(digest, user->billing_created_s);
}

static void add_subscription(uint64_t *digest, const struct subscription *row)
{
    const struct sl_str texts[] = {row->id, row->user_id, row->customer_id, row->status, row->price_id, row->tier};
    const int64_t numbers[] = {row->max_agents,           row->max_messages_per_day, row->current_period_start_s,
                               row->current_period_end_s, row->trial_end_s,          row->cancel_at_s,
                               row->canceled_at_s,        row->cancel_at_period_end, row->object_created_s,
                               row->object_rank,          row->invoice_created_s,    row->invoice_rank};
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++)
        add_str(digest, texts[i]);
    for (size_t i = 0; i < SL_ARRAY_LEN(numbers); i++)
        add_int(digest, numbers[i]);
}

static void add_agent(uint64_t *digest, const struct agent *row)
{
    const struct sl_str texts[] = {row->user_id,      row->name,           row->backend,       row->region,
                                   row->server_id,    row->server_ip,      row->status_reason, row->tailscale_device_id,
                                   row->tailscale_ip, row->app_name,       row->frontend_url,  row->backend_url,
                                   row->stopped_by,   row->subscription_id};
    int64_t cpu_limit;
    memcpy(&cpu_limit, &row->cpu_limit, sizeof(cpu_limit));
    add_uuid(digest, row->id);
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++)
        add_str(digest, texts[i]);
    add_int(digest, row->status);
    add_int(digest, row->memory_limit_mb);
    add_int(digest, cpu_limit);
}

static void add_job(uint64_t *digest, const struct job *row)
{
    const struct sl_str texts[] = {row->user_id,
                                   row->backend,
                                   row->run_id,
                                   row->dispatched_run_id,
                                   row->rule,
                                   row->answer_type,
                                   job_status_is_open(row->status) ? SL_STR_NONE : row->error};
    const int64_t numbers[] = {
        row->kind,          row->status,          row->generation,  row->priority,         row->deadline_at_ms,
        row->claimed_at_ms, row->heartbeat_at_ms, row->ended_at_ms, row->cancel_requested, row->seq == JOB_SEQ_REQUEUE};
    add_uuid(digest, row->id);
    add_uuid(digest, row->agent_id);
    add_json(digest, row->args);
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++)
        add_str(digest, texts[i]);
    for (size_t i = 0; i < SL_ARRAY_LEN(numbers); i++)
        add_int(digest, numbers[i]);
}

static void add_timers_and_usages(uint64_t *digest, const struct plan *plan)
{
    for (size_t i = 0; i < plan->timer_count; i++) {
        add_uuid(digest, plan->timers[i].id);
        add_int(digest, plan->timers[i].due_at_ms);
        add_int(digest, plan->timers[i].cancelled);
    }
    for (size_t i = 0; i < plan->usage_count; i++) {
        add_int(digest, plan->usages[i].day);
        add_str(digest, plan->usages[i].metric);
        add_int(digest, plan->usages[i].count);
        add_int(digest, plan->usages[i].told_at_ms);
    }
}

static void add_workspaces(uint64_t *digest, const struct commons_changes *changes)
{
    for (size_t i = 0; i < changes->workspace_count; i++) {
        const struct workspace *row = changes->workspaces[i];
        const int64_t numbers[] = {row->runs_used,    row->runs_since_ms,      row->created_at_ms,
                                   row->closed_at_ms, row->cycle_started_at_s, row->renews_at_s};
        add_uuid(digest, row->id);
        add_str(digest, row->name);
        add_str(digest, row->owner_id);
        add_str(digest, row->tier);
        add_str(digest, row->cycle_subscription_id);
        for (size_t n = 0; n < SL_ARRAY_LEN(numbers); n++)
            add_int(digest, numbers[n]);
    }
    for (size_t i = 0; i < changes->member_count; i++) {
        const struct member *row = changes->members[i];
        add_uuid(digest, row->workspace_id);
        add_str(digest, row->user_id);
        add_int(digest, row->role);
        add_int(digest, row->joined_at_ms);
        add_int(digest, row->gone);
    }
    for (size_t i = 0; i < changes->invite_count; i++) {
        const struct invite *row = changes->invites[i];
        add_uuid(digest, row->id);
        add_uuid(digest, row->workspace_id);
        add_str(digest, row->email);
        add_int(digest, row->expires_at_ms);
        add_int(digest, row->accepted_at_ms);
        add_int(digest, row->revoked_at_ms);
        add_str(digest, row->accepted_by);
    }
}

/* In any order: that of runs which began in the same millisecond means nothing. */
static void add_runs(uint64_t *digest, const struct commons_changes *changes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < changes->run_count; i++) {
        const struct run *row = changes->runs[i];
        uint64_t one = DIGEST_BEGIN;
        add_uuid(&one, row->workspace_id);
        add_str(&one, row->id);
        add_str(&one, row->workflow_id);
        add_str(&one, row->user_id);
        add_int(&one, row->started_at_ms);
        add_int(&one, row->ended_at_ms);
        add_str(&one, row->end_reason);
        sum += one;
    }
    add_int(digest, (int64_t)sum);
}

static void add_commons(uint64_t *digest, const struct commons_changes *changes)
{
    add_workspaces(digest, changes);
    for (size_t i = 0; i < changes->connection_count; i++) {
        const struct connection *row = changes->connections[i];
        add_uuid(digest, row->workspace_id);
        add_str(digest, row->id);
        add_str(digest, row->provider);
        add_str(digest, row->shared_by);
        add_json(digest, row->catalog);
        add_int(digest, row->gone);
    }
    for (size_t i = 0; i < changes->shared_workflow_count; i++) {
        add_uuid(digest, changes->shared_workflows[i]->workspace_id);
        add_str(digest, changes->shared_workflows[i]->workflow_id);
        add_str(digest, changes->shared_workflows[i]->shared_by);
    }
    add_runs(digest, changes);
    for (size_t i = 0; i < changes->early_access_count; i++)
        add_str(digest, changes->early_accesses[i]->email);
}

static void add_words(uint64_t *digest, const struct plan *plan)
{
    for (size_t i = 0; i < plan->notice_count; i++) {
        add_str(digest, sl_str_of(plan->notices[i].ce_type));
        add_str(digest, plan->notices[i].user_id);
        add_str(digest, plan->notices[i].body);
    }
    for (size_t i = 0; i < plan->audit_count; i++) {
        add_str(digest, sl_str_of(plan->audits[i].action));
        add_str(digest, plan->audits[i].target);
        add_str(digest, plan->audits[i].detail);
    }
    if (plan->has_answer) {
        add_str(digest, plan->answer.event_id);
        add_int(digest, plan->answer.outcome);
        add_int(digest, plan->answer.error);
        add_str(digest, plan->answer.message);
        add_str(digest, plan->answer.data);
    }
    add_str(digest, sl_str_of(plan->dead_letter_cause ? plan->dead_letter_cause : ""));
}

int64_t digest_of_plan(const struct plan *plan)
{
    uint64_t digest = DIGEST_BEGIN;
    add_str(&digest, sl_str_of(plan->rule));
    add_str(&digest, sl_str_of(outcome_name(plan->outcome)));
    add_str(&digest, plan->error ? sl_str_of(error_code_name(plan->error)) : SL_STR_NONE);
    add_str(&digest, plan->message);
    add_str(&digest, plan->data);
    add_uuid(&digest, plan->agent_id);
    add_str(&digest, plan->link_customer_id);
    if (plan->user_changed)
        add_user(&digest, &plan->user);
    for (size_t i = 0; i < plan->subscription_count; i++)
        add_subscription(&digest, &plan->subscriptions[i]);
    for (size_t i = 0; i < plan->agent_count; i++)
        add_agent(&digest, &plan->agents[i]);
    for (size_t i = 0; i < plan->job_count; i++)
        add_job(&digest, &plan->jobs[i]);
    add_timers_and_usages(&digest, plan);
    add_commons(&digest, &plan->commons);
    add_words(&digest, plan);
    int64_t value;
    memcpy(&value, &digest, sizeof(value));
    return value;
}
