/* digest.c - see digest.h. FNV-1a over the fields in the order of the structs; a text goes in with its length, so that
 * two neighbours can't be taken for one. */
#include "worker/apply/digest.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "worker/apply/owners.h"

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

/* By what they say: one of them may be Postgres' way of writing it, the other a rule's. */
static bool is_same_json(struct sl_str left, struct sl_str right)
{
    SL_JSON_AUTO *a = NULL;
    SL_JSON_AUTO *b = NULL;
    if (sl_str_equal(left, right))
        return true;
    return sl_json_parse(left, 0, &a, NULL) && sl_json_parse(right, 0, &b, NULL) && json_equal(a, b);
}

static void add_uuid(uint64_t *digest, struct sl_uuid id)
{
    add_bytes(digest, id.bytes, sizeof(id.bytes));
}

/* What is other than it was; all of a new row. A field goes in with its place, for others may be missing. */
static void add_texts(uint64_t *digest, const struct sl_str *now, const struct sl_str *was, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (was && sl_str_equal(now[i], was[i]))
            continue;
        add_int(digest, (int64_t)i);
        add_str(digest, now[i]);
    }
}

static void add_numbers(uint64_t *digest, const int64_t *now, const int64_t *was, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (was && now[i] == was[i])
            continue;
        add_int(digest, (int64_t)i);
        add_int(digest, now[i]);
    }
}

/* The fields of a row, in an order that is for good: digests are compared over years. */
#define FIELDS_MAX 16
struct fields {
    struct sl_str texts[FIELDS_MAX];
    int64_t numbers[FIELDS_MAX];
};

static void add_fields(uint64_t *digest, const struct fields *now, const struct fields *was)
{
    add_texts(digest, now->texts, was ? was->texts : NULL, FIELDS_MAX);
    add_numbers(digest, now->numbers, was ? was->numbers : NULL, FIELDS_MAX);
}

static struct fields fields_of_user(const struct user *user)
{
    return (struct fields){
        .texts = {user->id, user->email, user->plan, user->stripe_customer_id, user->pending_session_id,
                  user->pending_plan, user->pending_workspace_name, user->last_error,
                  owners_key(&user->pending_job_id)},
        .numbers = {user->last_error_at_ms, user->onboarding_complete, user->email_created_s, user->invoice_created_s,
                    user->invoice_rank, user->billing_created_s, (int64_t)user->pending_workflow_count},
    };
}

static struct fields fields_of_subscription(const struct subscription *row)
{
    return (struct fields){
        .texts = {row->id, row->user_id, row->customer_id, row->status, row->price_id, row->tier},
        .numbers = {row->max_agents, row->max_messages_per_day, row->current_period_start_s, row->current_period_end_s,
                    row->trial_end_s, row->cancel_at_s, row->canceled_at_s, row->cancel_at_period_end,
                    row->object_created_s, row->object_rank, row->invoice_created_s, row->invoice_rank},
    };
}

static struct fields fields_of_agent(const struct agent *row)
{
    int64_t cpu_limit;
    memcpy(&cpu_limit, &row->cpu_limit, sizeof(cpu_limit));
    return (struct fields){
        .texts = {row->user_id, row->name, row->backend, row->region, row->server_id, row->server_ip,
                  row->status_reason, row->tailscale_device_id, row->tailscale_ip, row->app_name, row->frontend_url,
                  row->backend_url, row->stopped_by, row->subscription_id},
        .numbers = {row->status, row->memory_limit_mb, cpu_limit},
    };
}

static struct fields fields_of_job(const struct job *row)
{
    return (struct fields){
        .texts = {row->user_id, row->backend, row->run_id, row->dispatched_run_id, row->rule, row->answer_type,
                  job_status_is_open(row->status) ? SL_STR_NONE : row->error, owners_key(&row->agent_id)},
        .numbers = {row->kind, row->status, row->generation, row->priority, row->deadline_at_ms, row->claimed_at_ms,
                    row->heartbeat_at_ms, row->ended_at_ms, row->cancel_requested, row->seq == JOB_SEQ_REQUEUE},
    };
}

static void add_user(uint64_t *digest, const struct facts *facts, const struct user *user)
{
    const struct fields now = fields_of_user(user);
    const struct fields was = fields_of_user(&facts->user);
    add_fields(digest, &now, &was);
    for (size_t i = 0; i < user->pending_workflow_count; i++)
        add_str(digest, user->pending_workflow_ids[i]);
}

static void add_subscription(uint64_t *digest, const struct facts *facts, const struct subscription *row)
{
    const struct subscription *before = facts_subscription(facts, row->id);
    const struct fields now = fields_of_subscription(row);
    const struct fields was = before ? fields_of_subscription(before) : (struct fields){0};
    add_str(digest, row->id);
    add_fields(digest, &now, before ? &was : NULL);
}

static void add_agent(uint64_t *digest, const struct facts *facts, const struct agent *row)
{
    const struct agent *before = facts_agent(facts, row->id);
    const struct fields now = fields_of_agent(row);
    const struct fields was = before ? fields_of_agent(before) : (struct fields){0};
    add_uuid(digest, row->id);
    add_fields(digest, &now, before ? &was : NULL);
}

static void add_job(uint64_t *digest, const struct facts *facts, const struct job *row)
{
    const struct job *before = facts_job(facts, row->id);
    const struct fields now = fields_of_job(row);
    const struct fields was = before ? fields_of_job(before) : (struct fields){0};
    add_uuid(digest, row->id);
    add_fields(digest, &now, before ? &was : NULL);
    if (!before || !is_same_json(before->args, row->args))
        add_json(digest, row->args);
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

int64_t digest_of_plan(const struct facts *facts, const struct plan *plan)
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
        add_user(&digest, facts, &plan->user);
    for (size_t i = 0; i < plan->subscription_count; i++)
        add_subscription(&digest, facts, &plan->subscriptions[i]);
    for (size_t i = 0; i < plan->agent_count; i++)
        add_agent(&digest, facts, &plan->agents[i]);
    for (size_t i = 0; i < plan->job_count; i++)
        add_job(&digest, facts, &plan->jobs[i]);
    add_timers_and_usages(&digest, plan);
    add_commons(&digest, &plan->commons);
    add_words(&digest, plan);
    int64_t value;
    memcpy(&value, &digest, sizeof(value));
    return value;
}
