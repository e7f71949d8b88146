/* plan_rows.c - see plan_rows.h.
 *
 * Columns are written by apply alone, but for the executor's share of jobs (step, attempt, run_after, lease_until,
 * worker, result), which a requeue sets to their beginning and nothing else here touches. Rows go in id order where
 * several workers could lock them; jobs in the order decided, for their seq says it.
 */
#include "worker/apply/plan_rows.h"

#include <stdio.h>

#include "worker/apply/columns.h"
#include "worker/apply/pending.h"

/* Rows of one user are found again in the order in which they were decided, whatever batches that took: the statement
 * begins behind the user's lock, which now() does not. */
#define ORDER_OF_CREATION "statement_timestamp() + position * interval '1 microsecond'"

static const char USERS[] =
    "UPDATE sluice.users u SET email = n.email, plan = n.plan, stripe_customer_id = n.customer_id,"
    " email_created_s = n.email_created_s, invoice_created_s = n.invoice_created_s, invoice_rank = n.invoice_rank,"
    " pending_checkout = n.pending_checkout, last_error = n.last_error, last_error_at = n.last_error_at,"
    " onboarding_complete = n.onboarding_complete, billing_created_s = n.billing_created_s, updated_at = now()"
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::int[], $8::jsonb[],"
    " $9::text[], $10::timestamptz[], $11::bool[], $12::bigint[]) AS n (id, email, plan, customer_id, email_created_s,"
    " invoice_created_s, invoice_rank, pending_checkout, last_error, last_error_at, onboarding_complete,"
    " billing_created_s) WHERE u.id = n.id";
static const char SUBSCRIPTIONS[] = ROWS_BEGIN
    "INSERT INTO sluice.subscriptions AS s (id, user_id, customer_id, status, price_id, tier, max_agents,"
    " max_messages_per_day, current_period_start, current_period_end, trial_end, cancel_at, canceled_at,"
    " cancel_at_period_end, object_created_s, object_rank, invoice_created_s, invoice_rank, created_at)"
    " SELECT id, user_id, customer_id, status, price_id, tier, max_agents, max_messages_per_day,"
    " current_period_start, current_period_end, trial_end, cancel_at, canceled_at, cancel_at_period_end,"
    " object_created_s, object_rank, invoice_created_s, invoice_rank, " ORDER_OF_CREATION
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[],"
    " $8::int[], $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[],"
    " $14::bool[], $15::bigint[], $16::int[], $17::bigint[], $18::int[]) WITH ORDINALITY AS n (id, user_id,"
    " customer_id, status, price_id, tier, max_agents, max_messages_per_day, current_period_start, current_period_end,"
    " trial_end, cancel_at, canceled_at, cancel_at_period_end, object_created_s, object_rank, invoice_created_s,"
    " invoice_rank, position)"
    " ON CONFLICT (id) DO UPDATE SET customer_id = excluded.customer_id, status = excluded.status,"
    " price_id = excluded.price_id, tier = excluded.tier, max_agents = excluded.max_agents,"
    " max_messages_per_day = excluded.max_messages_per_day, current_period_start = excluded.current_period_start,"
    " current_period_end = excluded.current_period_end, trial_end = excluded.trial_end,"
    " cancel_at = excluded.cancel_at, canceled_at = excluded.canceled_at,"
    " cancel_at_period_end = excluded.cancel_at_period_end, object_created_s = excluded.object_created_s,"
    " object_rank = excluded.object_rank, invoice_created_s = excluded.invoice_created_s,"
    " invoice_rank = excluded.invoice_rank, updated_at = now() WHERE s.user_id = excluded.user_id" ROWS_END;
static const char AGENTS[] = ROWS_BEGIN
    "INSERT INTO sluice.agents AS a (id, user_id, name, backend, region, status, status_reason, server_id, server_ip,"
    " tailscale_device_id, tailscale_ip, app_name, frontend_url, backend_url, memory_limit_mb, cpu_limit,"
    " subscription_id, stopped_by, created_at)"
    " SELECT id, user_id, name, backend, region, status, status_reason, server_id, server_ip, tailscale_device_id,"
    " tailscale_ip, app_name, frontend_url, backend_url, nullif(memory_limit_mb, 0), cpu_limit::float8,"
    " subscription_id, stopped_by, " ORDER_OF_CREATION
    " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],"
    " $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::int[],"
    " $16::text[], $17::text[], $18::text[]) WITH ORDINALITY AS n (id, user_id, name, backend, region, status,"
    " status_reason, server_id, server_ip, tailscale_device_id, tailscale_ip, app_name, frontend_url, backend_url,"
    " memory_limit_mb, cpu_limit, subscription_id, stopped_by, position)"
    " ON CONFLICT (id) DO UPDATE SET name = excluded.name, backend = excluded.backend, region = excluded.region,"
    " status = excluded.status, status_reason = excluded.status_reason, server_id = excluded.server_id,"
    " server_ip = excluded.server_ip, tailscale_device_id = excluded.tailscale_device_id,"
    " tailscale_ip = excluded.tailscale_ip, app_name = excluded.app_name, frontend_url = excluded.frontend_url,"
    " backend_url = excluded.backend_url, memory_limit_mb = excluded.memory_limit_mb,"
    " cpu_limit = excluded.cpu_limit, subscription_id = excluded.subscription_id, stopped_by = excluded.stopped_by,"
    " updated_at = now() WHERE a.user_id = excluded.user_id" ROWS_END;
static const char JOBS_CHANGED[] =
    "UPDATE sluice.jobs j SET status = n.status, args = n.args, run_id = n.run_id,"
    " dispatched_run_id = n.dispatched_run_id, error = n.error, fence = n.fence, generation = n.generation,"
    " priority = n.priority, deadline_at = n.deadline_at, claimed_at = n.claimed_at, heartbeat_at = n.heartbeat_at,"
    " ended_at = n.ended_at, settled = n.settled, cancel_requested = n.cancel_requested,"
    " answer_type = n.answer_type, reply_to = n.reply_to, updated_at = now(),"
    /* a lease is the running job's */
    " lease_until = CASE WHEN n.status = 'running' THEN j.lease_until END"
    " FROM unnest($1::uuid[], $2::text[], $3::jsonb[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::int[],"
    " $9::int[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::bool[],"
    " $15::bool[], $16::text[], $17::text[]) AS n (id, status, args, run_id, dispatched_run_id, error, fence,"
    " generation, priority, deadline_at, claimed_at, heartbeat_at, ended_at, settled, cancel_requested, answer_type,"
    " reply_to) WHERE j.id = n.id";
static const char JOBS_QUEUED[] =
    "INSERT INTO sluice.jobs AS j (id, status, args, run_id, dispatched_run_id, error, fence, generation, priority,"
    " deadline_at, claimed_at, heartbeat_at, ended_at, settled, cancel_requested, answer_type, reply_to, user_id,"
    " agent_id, kind, backend, cause_source, cause_event_id, rule, seq)"
    " SELECT id, status, args, run_id, dispatched_run_id, error, fence, generation, priority, deadline_at,"
    " claimed_at, heartbeat_at, ended_at, settled, cancel_requested, answer_type, reply_to, user_id, agent_id, kind,"
    " backend, cause_source, cause_event_id, rule, nextval('sluice.job_seq')"
    " FROM (SELECT * FROM unnest($1::uuid[], $2::text[], $3::jsonb[], $4::text[], $5::text[], $6::text[],"
    " $7::bigint[], $8::int[], $9::int[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[],"
    " $13::timestamptz[], $14::bool[], $15::bool[], $16::text[], $17::text[], $18::text[], $19::uuid[], $20::text[],"
    " $21::text[], $22::text[], $23::text[], $24::text[]) WITH ORDINALITY AS n (id, status, args, run_id,"
    " dispatched_run_id, error, fence, generation, priority, deadline_at, claimed_at, heartbeat_at, ended_at, settled,"
    " cancel_requested, answer_type, reply_to, user_id, agent_id, kind, backend, cause_source, cause_event_id, rule,"
    " position) ORDER BY position) AS ordered"
    " ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, status = excluded.status, args = excluded.args,"
    " run_id = excluded.run_id, dispatched_run_id = excluded.dispatched_run_id, error = excluded.error,"
    " fence = excluded.fence, generation = excluded.generation, priority = excluded.priority,"
    " deadline_at = excluded.deadline_at, claimed_at = excluded.claimed_at, heartbeat_at = excluded.heartbeat_at,"
    " ended_at = excluded.ended_at, settled = excluded.settled, cancel_requested = excluded.cancel_requested,"
    " answer_type = excluded.answer_type, reply_to = excluded.reply_to,"
    " step = NULL, attempt = 0, run_after = now(), lease_until = NULL, worker = NULL,"
    /* since when an e-mail may have gone out is not forgotten: its key is not good for ever */
    " result = jsonb_strip_nulls(jsonb_build_object('doubt_from_ms', j.result->'doubt_from_ms')),"
    " updated_at = now()";
static const char TIMERS[] =
    ROWS_BEGIN "INSERT INTO sluice.timers AS t (id, user_id, kind, subject, due_at, decided_at, cancelled_at)"
               " SELECT id, user_id, kind, subject, due_at, CASE WHEN decided THEN $8::timestamptz END,"
               " CASE WHEN cancelled THEN $8::timestamptz END"
               " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bool[], $7::bool[])"
               " AS n (id, user_id, kind, subject, due_at, decided, cancelled) ORDER BY id"
               " ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at, cancelled_at = excluded.cancelled_at,"
               " decided_at = excluded.decided_at, fired_at = CASE WHEN excluded.decided_at IS NULL"
               " AND excluded.cancelled_at IS NULL THEN NULL ELSE t.fired_at END"
               " WHERE t.user_id = excluded.user_id" ROWS_END;
static const char USAGES[] =
    "INSERT INTO sluice.usage_daily (user_id, day, metric, count, told_at)"
    " SELECT user_id, date '1970-01-01' + day, metric, count, told_at"
    " FROM unnest($1::text[], $2::int[], $3::text[], $4::bigint[], $5::timestamptz[])"
    " AS n (user_id, day, metric, count, told_at)"
    " ON CONFLICT (user_id, day, metric) DO UPDATE SET count = excluded.count, told_at = excluded.told_at";

void plan_rows_users(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct columns columns;
    columns_init(&columns, attempt->arena, "ttttiinjtwbi");
    for (size_t i = 0; i < attempt->users.count; i++) {
        const struct user *user = &attempt->accounts[i].facts.user;
        if (!user->changed)
            continue;
        columns_text(&columns, user->id);
        columns_text_or_null(&columns, user->email);
        columns_text(&columns, user->plan);
        columns_text_or_null(&columns, user->stripe_customer_id);
        columns_int(&columns, user->email_created_s);
        columns_int(&columns, user->invoice_created_s);
        columns_int(&columns, user->invoice_rank);
        columns_text_or_null(&columns, pending_write(user, attempt->arena));
        columns_text_or_null(&columns, user->last_error);
        columns_at_ms(&columns, user->last_error_at_ms);
        columns_bool(&columns, user->onboarding_complete);
        columns_int(&columns, user->billing_created_s);
    }
    (void)columns_queue(&columns, USERS, pipeline);
}

static void subscription_row(struct columns *columns, const struct subscription *subscription)
{
    columns_text(columns, subscription->id);
    columns_text(columns, subscription->user_id);
    columns_text_or_null(columns, subscription->customer_id);
    columns_text(columns, subscription->status);
    columns_text_or_null(columns, subscription->price_id);
    columns_text(columns, subscription->tier);
    columns_int(columns, subscription->max_agents);
    columns_int(columns, subscription->max_messages_per_day);
    columns_at_s(columns, subscription->current_period_start_s);
    columns_at_s(columns, subscription->current_period_end_s);
    columns_at_s(columns, subscription->trial_end_s);
    columns_at_s(columns, subscription->cancel_at_s);
    columns_at_s(columns, subscription->canceled_at_s);
    columns_bool(columns, subscription->cancel_at_period_end);
    columns_int(columns, subscription->object_created_s);
    columns_int(columns, subscription->object_rank);
    columns_int(columns, subscription->invoice_created_s);
    columns_int(columns, subscription->invoice_rank);
}

void plan_rows_subscriptions(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct columns columns;
    columns_init(&columns, attempt->arena, "ttttttnnwwwwwbinin");
    for (size_t i = 0; i < attempt->users.count; i++) {
        const struct facts *facts = &attempt->accounts[i].facts;
        for (size_t s = 0; s < facts->subscription_count; s++) {
            if (facts->subscriptions[s].changed)
                subscription_row(&columns, &facts->subscriptions[s]);
        }
    }
    (void)columns_queue(&columns, SUBSCRIPTIONS, pipeline);
}

/* Exactly this number; empty for 0. */
static struct sl_str decimal(struct sl_arena *arena, double number)
{
    return number > 0 ? sl_arena_printf(arena, "%.17g", number) : SL_STR_NONE;
}

static void agent_row(struct columns *columns, const struct agent *agent)
{
    columns_uuid(columns, agent->id);
    columns_text(columns, agent->user_id);
    columns_text(columns, agent->name);
    columns_text(columns, agent->backend);
    columns_text(columns, agent->region);
    columns_text(columns, sl_str_of(agent_status_name(agent->status)));
    columns_text_or_null(columns, agent->status_reason);
    columns_text_or_null(columns, agent->server_id);
    columns_text_or_null(columns, agent->server_ip);
    columns_text_or_null(columns, agent->tailscale_device_id);
    columns_text_or_null(columns, agent->tailscale_ip);
    columns_text_or_null(columns, agent->app_name);
    columns_text_or_null(columns, agent->frontend_url);
    columns_text_or_null(columns, agent->backend_url);
    columns_int(columns, agent->memory_limit_mb);
    columns_text_or_null(columns, decimal(columns->arena, agent->cpu_limit));
    columns_text_or_null(columns, agent->subscription_id);
    columns_text_or_null(columns, agent->stopped_by);
}

void plan_rows_agents(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct columns columns;
    columns_init(&columns, attempt->arena, "utttttttttttttnttt");
    for (size_t i = 0; i < attempt->users.count; i++) {
        const struct facts *facts = &attempt->accounts[i].facts;
        for (size_t a = 0; a < facts->agent_count; a++) {
            if (facts->agents[a].changed)
                agent_row(&columns, &facts->agents[a]);
        }
    }
    (void)columns_queue(&columns, AGENTS, pipeline);
}

/* What both statements about jobs write. */
static void job_row(struct columns *columns, const struct job *job)
{
    columns_uuid(columns, job->id);
    columns_text(columns, sl_str_of(job_status_name(job->status)));
    columns_text(columns, sl_str_empty(job->args) ? SL_STR("{}") : job->args);
    columns_text_or_null(columns, job->run_id);
    columns_text_or_null(columns, job->dispatched_run_id);
    columns_text_or_null(columns, job->error);
    columns_int(columns, job->fence);
    columns_int(columns, job->generation);
    columns_int(columns, job->priority);
    columns_at_ms(columns, job->deadline_at_ms);
    columns_at_ms(columns, job->claimed_at_ms);
    columns_at_ms(columns, job->heartbeat_at_ms);
    columns_at_ms(columns, job->ended_at_ms);
    columns_bool(columns, job->settled);
    columns_bool(columns, job->cancel_requested);
    columns_text_or_null(columns, job->answer_type);
    columns_text_or_null(columns, job->reply_to);
}

static void queued_job_row(struct columns *columns, const struct job *job)
{
    job_row(columns, job);
    columns_text(columns, job->user_id);
    columns_uuid_or_null(columns, job->agent_id);
    columns_text(columns, sl_str_of(job_kind_name(job->kind)));
    columns_text(columns, job->backend);
    columns_text_or_null(columns, job->cause_source);
    columns_text_or_null(columns, job->cause_event_id);
    columns_text_or_null(columns, job->rule);
}

static bool takes_new_place(const struct job *job)
{
    return !job->exists || job->requeue;
}

static bool is_under_way(const struct job *job)
{
    return job->status == JOB_RUNNING || job->status == JOB_WAITING;
}

static void queue_changed(const struct attempt *attempt, bool under_way, struct pipeline *pipeline)
{
    struct columns columns;
    columns_init(&columns, attempt->arena, "utjtttinnwwwwbbtt");
    for (size_t i = 0; i < attempt->users.count; i++) {
        const struct facts *facts = &attempt->accounts[i].facts;
        for (size_t j = 0; j < facts->job_count; j++) {
            const struct job *job = &facts->jobs[j];
            if (job->changed && !takes_new_place(job) && is_under_way(job) == under_way)
                job_row(&columns, job);
        }
    }
    (void)columns_queue(&columns, JOBS_CHANGED, pipeline);
}

/* Those that end make room under the indexes that let one job of an agent, and one provision of a user, be under way:
 * they go first. */
void plan_rows_jobs_changed(const struct attempt *attempt, struct pipeline *pipeline)
{
    queue_changed(attempt, false, pipeline);
    queue_changed(attempt, true, pipeline);
}

void plan_rows_jobs_queued(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct columns columns;
    columns_init(&columns, attempt->arena, "utjtttinnwwwwbbtttuttttt");
    for (size_t i = 0; i < attempt->users.count; i++) {
        const struct facts *facts = &attempt->accounts[i].facts;
        for (size_t j = 0; j < facts->job_count; j++) {
            if (facts->jobs[j].changed && takes_new_place(&facts->jobs[j]))
                queued_job_row(&columns, &facts->jobs[j]);
        }
    }
    (void)columns_queue(&columns, JOBS_QUEUED, pipeline);
}

/* A span that somebody else has to keep (a run that beats) begins when he is told so: an event that had to wait for its
 * decision, say while all workers were away, must not come with a timer that has run out already. */
static int64_t timer_due_at_ms(const struct attempt *attempt, const struct timer *timer)
{
    int64_t late_ms = timer->set_at_ms ? attempt->now_ms - timer->set_at_ms : 0;
    return timer->due_at_ms + (late_ms > 0 ? late_ms : 0);
}

void plan_rows_timers(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct columns columns;
    columns_init(&columns, attempt->arena, "utttwbb");
    for (size_t i = 0; i < attempt->users.count; i++) {
        const struct facts *facts = &attempt->accounts[i].facts;
        for (size_t t = 0; t < facts->timer_count; t++) {
            const struct timer *timer = &facts->timers[t];
            if (!timer->changed)
                continue;
            columns_uuid(&columns, timer->id);
            columns_text(&columns, timer->user_id);
            columns_text(&columns, timer->kind);
            columns_text(&columns, timer->subject);
            columns_at_ms(&columns, timer_due_at_ms(attempt, timer));
            columns_bool(&columns, timer->decided);
            columns_bool(&columns, timer->cancelled);
        }
    }
    (void)columns_queue_at(&columns, TIMERS, attempt->now_ms, pipeline);
}

void plan_rows_usages(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct columns columns;
    columns_init(&columns, attempt->arena, "tntiw");
    for (size_t i = 0; i < attempt->users.count; i++) {
        const struct facts *facts = &attempt->accounts[i].facts;
        for (size_t u = 0; u < facts->usage_count; u++) {
            const struct usage *usage = &facts->usages[u];
            if (!usage->changed)
                continue;
            columns_text(&columns, usage->user_id);
            columns_int(&columns, usage->day);
            columns_text(&columns, usage->metric);
            columns_int(&columns, usage->count);
            columns_at_ms(&columns, usage->told_at_ms);
        }
    }
    (void)columns_queue(&columns, USAGES, pipeline);
}
