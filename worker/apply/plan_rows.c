/* plan_rows.c - see plan_rows.h.
 *
 * Columns are written by apply alone, but for the executor's share of jobs (step, attempt, run_after, lease_until,
 * worker, result), which a requeue sets to their beginning and nothing else here touches. Rows go in id order where
 * several workers could lock them; jobs in the order decided, for their seq says it.
 */
#include "worker/apply/plan_rows.h"

static const char USERS[] =
    "UPDATE sluice.users u SET email = n.email, plan = n.plan, stripe_customer_id = n.customer_id,"
    " email_created_s = n.email_created_s, invoice_created_s = n.invoice_created_s, invoice_rank = n.invoice_rank,"
    " updated_at = now() FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],"
    " $7::int[]) AS n (id, email, plan, customer_id, email_created_s, invoice_created_s, invoice_rank)"
    " WHERE u.id = n.id";
static const char SUBSCRIPTIONS[] =
    "INSERT INTO sluice.subscriptions AS s (id, user_id, customer_id, status, price_id, tier, max_agents,"
    " max_messages_per_day, current_period_start, current_period_end, trial_end, cancel_at, canceled_at,"
    " cancel_at_period_end, object_created_s, object_rank, invoice_created_s, invoice_rank)"
    " SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[],"
    " $8::int[], $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[],"
    " $14::bool[], $15::bigint[], $16::int[], $17::bigint[], $18::int[])"
    " ON CONFLICT (id) DO UPDATE SET customer_id = excluded.customer_id, status = excluded.status,"
    " price_id = excluded.price_id, tier = excluded.tier, max_agents = excluded.max_agents,"
    " max_messages_per_day = excluded.max_messages_per_day, current_period_start = excluded.current_period_start,"
    " current_period_end = excluded.current_period_end, trial_end = excluded.trial_end,"
    " cancel_at = excluded.cancel_at, canceled_at = excluded.canceled_at,"
    " cancel_at_period_end = excluded.cancel_at_period_end, object_created_s = excluded.object_created_s,"
    " object_rank = excluded.object_rank, invoice_created_s = excluded.invoice_created_s,"
    " invoice_rank = excluded.invoice_rank, updated_at = now() WHERE s.user_id = excluded.user_id";
static const char AGENTS[] =
    "INSERT INTO sluice.agents AS a (id, user_id, name, backend, region, status, status_reason, server_id, server_ip,"
    " tailscale_device_id, tailscale_ip, app_name, frontend_url, backend_url)"
    " SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],"
    " $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[])"
    " ON CONFLICT (id) DO UPDATE SET name = excluded.name, backend = excluded.backend, region = excluded.region,"
    " status = excluded.status, status_reason = excluded.status_reason, server_id = excluded.server_id,"
    " server_ip = excluded.server_ip, tailscale_device_id = excluded.tailscale_device_id,"
    " tailscale_ip = excluded.tailscale_ip, app_name = excluded.app_name, frontend_url = excluded.frontend_url,"
    " backend_url = excluded.backend_url, updated_at = now() WHERE a.user_id = excluded.user_id";
static const char JOBS_CHANGED[] =
    "UPDATE sluice.jobs j SET status = n.status, args = n.args, run_id = n.run_id,"
    " dispatched_run_id = n.dispatched_run_id, error = n.error, fence = n.fence, generation = n.generation,"
    " priority = n.priority, deadline_at = n.deadline_at, claimed_at = n.claimed_at, heartbeat_at = n.heartbeat_at,"
    " ended_at = n.ended_at, settled = n.settled, cancel_requested = n.cancel_requested, updated_at = now(),"
    /* a lease is the running job's */
    " lease_until = CASE WHEN n.status = 'running' THEN j.lease_until END"
    " FROM unnest($1::uuid[], $2::text[], $3::jsonb[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::int[],"
    " $9::int[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::bool[],"
    " $15::bool[]) AS n (id, status, args, run_id, dispatched_run_id, error, fence, generation, priority,"
    " deadline_at, claimed_at, heartbeat_at, ended_at, settled, cancel_requested) WHERE j.id = n.id";
static const char JOBS_QUEUED[] =
    "INSERT INTO sluice.jobs AS j (id, status, args, run_id, dispatched_run_id, error, fence, generation, priority,"
    " deadline_at, claimed_at, heartbeat_at, ended_at, settled, cancel_requested, user_id, agent_id, kind, backend,"
    " cause_source, cause_event_id, rule, seq)"
    " SELECT id, status, args, run_id, dispatched_run_id, error, fence, generation, priority, deadline_at,"
    " claimed_at, heartbeat_at, ended_at, settled, cancel_requested, user_id, agent_id, kind, backend, cause_source,"
    " cause_event_id, rule, nextval('sluice.job_seq')"
    " FROM (SELECT * FROM unnest($1::uuid[], $2::text[], $3::jsonb[], $4::text[], $5::text[], $6::text[],"
    " $7::bigint[], $8::int[], $9::int[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[],"
    " $13::timestamptz[], $14::bool[], $15::bool[], $16::text[], $17::uuid[], $18::text[], $19::text[], $20::text[],"
    " $21::text[], $22::text[]) WITH ORDINALITY AS n (id, status, args, run_id, dispatched_run_id, error, fence,"
    " generation, priority, deadline_at, claimed_at, heartbeat_at, ended_at, settled, cancel_requested, user_id,"
    " agent_id, kind, backend, cause_source, cause_event_id, rule, position) ORDER BY position) AS ordered"
    " ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, status = excluded.status, args = excluded.args,"
    " run_id = excluded.run_id, dispatched_run_id = excluded.dispatched_run_id, error = excluded.error,"
    " fence = excluded.fence, generation = excluded.generation, priority = excluded.priority,"
    " deadline_at = excluded.deadline_at, claimed_at = excluded.claimed_at, heartbeat_at = excluded.heartbeat_at,"
    " ended_at = excluded.ended_at, settled = excluded.settled, cancel_requested = excluded.cancel_requested,"
    " step = NULL, attempt = 0, run_after = now(), lease_until = NULL, worker = NULL, result = '{}',"
    " updated_at = now()";
static const char TIMERS[] =
    "INSERT INTO sluice.timers AS t (id, user_id, kind, subject, due_at, fired_at, cancelled_at)"
    " SELECT id, user_id, kind, subject, due_at, CASE WHEN fired THEN $8::timestamptz END,"
    " CASE WHEN cancelled THEN $8::timestamptz END"
    " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bool[], $7::bool[])"
    " AS n (id, user_id, kind, subject, due_at, fired, cancelled) ORDER BY id"
    " ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at, cancelled_at = excluded.cancelled_at,"
    " fired_at = CASE WHEN excluded.fired_at IS NULL THEN NULL ELSE coalesce(t.fired_at, excluded.fired_at) END"
    " WHERE t.user_id = excluded.user_id";

/* The columns of one statement, in the order of its parameters. */
#define COLUMNS_MAX 24
struct columns {
    struct sl_pg_array *arrays[COLUMNS_MAX];
    size_t count;
    size_t next; /* the row under way: which column comes */
    size_t rows;
};

/* `types`: a letter a column: t text, i int8, n int4, b bool, u uuid, j jsonb, w timestamptz. */
static void columns_init(struct columns *columns, struct sl_arena *arena, const char *types)
{
    *columns = (struct columns){0};
    for (; *types; types++) {
        enum sl_pg_type type = *types == 't'   ? SL_PG_TEXT
                               : *types == 'i' ? SL_PG_INT8
                               : *types == 'n' ? SL_PG_INT4
                               : *types == 'b' ? SL_PG_BOOL
                               : *types == 'u' ? SL_PG_UUID
                               : *types == 'j' ? SL_PG_JSONB
                                               : SL_PG_TIMESTAMPTZ;
        SL_ASSERT(columns->count < COLUMNS_MAX);
        columns->arrays[columns->count++] = sl_pg_array_create(arena, type);
    }
}

static struct sl_pg_array *next(struct columns *columns)
{
    struct sl_pg_array *array = columns->arrays[columns->next++];
    if (columns->next == columns->count) {
        columns->next = 0;
        columns->rows++;
    }
    return array;
}

static void text(struct columns *columns, struct sl_str value)
{
    sl_pg_array_text(next(columns), value);
}

static void text_or_null(struct columns *columns, struct sl_str value)
{
    sl_pg_array_text_or_null(next(columns), value);
}

static void number(struct columns *columns, int64_t value)
{
    sl_pg_array_int(next(columns), value);
}

static void truth(struct columns *columns, bool value)
{
    sl_pg_array_bool(next(columns), value);
}

static void at_ms(struct columns *columns, int64_t value)
{
    sl_pg_array_at_ms_or_null(next(columns), value);
}

static void at_s(struct columns *columns, int64_t value)
{
    at_ms(columns, value * 1000);
}

static void queue(const struct columns *columns, const struct attempt *attempt, const char *sql,
                  struct pipeline *pipeline, bool with_now)
{
    struct sl_pg_params params;
    if (!columns->rows)
        return;
    SL_ASSERT(columns->next == 0);
    sl_pg_params_init(&params, attempt->arena);
    for (size_t i = 0; i < columns->count; i++)
        sl_pg_array(&params, columns->arrays[i]);
    if (with_now)
        sl_pg_at_ms(&params, attempt->now_ms);
    (void)pipeline_add(pipeline, sql, &params);
}

void plan_rows_users(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct columns columns;
    columns_init(&columns, attempt->arena, "ttttiin");
    for (size_t i = 0; i < attempt->users.count; i++) {
        const struct user *user = &attempt->accounts[i].facts.user;
        if (!user->changed)
            continue;
        text(&columns, user->id);
        text_or_null(&columns, user->email);
        text(&columns, user->plan);
        text_or_null(&columns, user->stripe_customer_id);
        number(&columns, user->email_created_s);
        number(&columns, user->invoice_created_s);
        number(&columns, user->invoice_rank);
    }
    queue(&columns, attempt, USERS, pipeline, false);
}

static void subscription_row(struct columns *columns, const struct subscription *subscription)
{
    text(columns, subscription->id);
    text(columns, subscription->user_id);
    text_or_null(columns, subscription->customer_id);
    text(columns, subscription->status);
    text_or_null(columns, subscription->price_id);
    text(columns, subscription->tier);
    number(columns, subscription->max_agents);
    number(columns, subscription->max_messages_per_day);
    at_s(columns, subscription->current_period_start_s);
    at_s(columns, subscription->current_period_end_s);
    at_s(columns, subscription->trial_end_s);
    at_s(columns, subscription->cancel_at_s);
    at_s(columns, subscription->canceled_at_s);
    truth(columns, subscription->cancel_at_period_end);
    number(columns, subscription->object_created_s);
    number(columns, subscription->object_rank);
    number(columns, subscription->invoice_created_s);
    number(columns, subscription->invoice_rank);
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
    queue(&columns, attempt, SUBSCRIPTIONS, pipeline, false);
}

static void agent_row(struct columns *columns, const struct agent *agent)
{
    sl_pg_array_uuid(next(columns), agent->id);
    text(columns, agent->user_id);
    text(columns, agent->name);
    text(columns, agent->backend);
    text(columns, agent->region);
    text(columns, sl_str_of(agent_status_name(agent->status)));
    text_or_null(columns, agent->status_reason);
    text_or_null(columns, agent->server_id);
    text_or_null(columns, agent->server_ip);
    text_or_null(columns, agent->tailscale_device_id);
    text_or_null(columns, agent->tailscale_ip);
    text_or_null(columns, agent->app_name);
    text_or_null(columns, agent->frontend_url);
    text_or_null(columns, agent->backend_url);
}

void plan_rows_agents(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct columns columns;
    columns_init(&columns, attempt->arena, "uttttttttttttt");
    for (size_t i = 0; i < attempt->users.count; i++) {
        const struct facts *facts = &attempt->accounts[i].facts;
        for (size_t a = 0; a < facts->agent_count; a++) {
            if (facts->agents[a].changed)
                agent_row(&columns, &facts->agents[a]);
        }
    }
    queue(&columns, attempt, AGENTS, pipeline, false);
}

/* What both statements about jobs write. */
static void job_row(struct columns *columns, const struct job *job)
{
    sl_pg_array_uuid(next(columns), job->id);
    text(columns, sl_str_of(job_status_name(job->status)));
    text(columns, sl_str_empty(job->args) ? SL_STR("{}") : job->args);
    text_or_null(columns, job->run_id);
    text_or_null(columns, job->dispatched_run_id);
    text_or_null(columns, job->error);
    number(columns, job->fence);
    number(columns, job->generation);
    number(columns, job->priority);
    at_ms(columns, job->deadline_at_ms);
    at_ms(columns, job->claimed_at_ms);
    at_ms(columns, job->heartbeat_at_ms);
    at_ms(columns, job->ended_at_ms);
    truth(columns, job->settled);
    truth(columns, job->cancel_requested);
}

static void queued_job_row(struct columns *columns, const struct job *job)
{
    job_row(columns, job);
    text(columns, job->user_id);
    sl_pg_array_uuid_or_null(next(columns), job->agent_id);
    text(columns, sl_str_of(job_kind_name(job->kind)));
    text(columns, job->backend);
    text_or_null(columns, job->cause_source);
    text_or_null(columns, job->cause_event_id);
    text_or_null(columns, job->rule);
}

static bool takes_new_place(const struct job *job)
{
    return !job->exists || job->requeue;
}

void plan_rows_jobs_changed(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct columns columns;
    columns_init(&columns, attempt->arena, "utjtttinnwwwwbb");
    for (size_t i = 0; i < attempt->users.count; i++) {
        const struct facts *facts = &attempt->accounts[i].facts;
        for (size_t j = 0; j < facts->job_count; j++) {
            if (facts->jobs[j].changed && !takes_new_place(&facts->jobs[j]))
                job_row(&columns, &facts->jobs[j]);
        }
    }
    queue(&columns, attempt, JOBS_CHANGED, pipeline, false);
}

void plan_rows_jobs_queued(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct columns columns;
    columns_init(&columns, attempt->arena, "utjtttinnwwwwbbtuttttt");
    for (size_t i = 0; i < attempt->users.count; i++) {
        const struct facts *facts = &attempt->accounts[i].facts;
        for (size_t j = 0; j < facts->job_count; j++) {
            if (facts->jobs[j].changed && takes_new_place(&facts->jobs[j]))
                queued_job_row(&columns, &facts->jobs[j]);
        }
    }
    queue(&columns, attempt, JOBS_QUEUED, pipeline, false);
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
            sl_pg_array_uuid(next(&columns), timer->id);
            text(&columns, timer->user_id);
            text(&columns, timer->kind);
            text(&columns, timer->subject);
            at_ms(&columns, timer_due_at_ms(attempt, timer));
            truth(&columns, timer->fired);
            truth(&columns, timer->cancelled);
        }
    }
    queue(&columns, attempt, TIMERS, pipeline, true);
}
