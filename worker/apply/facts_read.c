/* facts_read.c - see facts_read.h. The columns of a statement and the fields of its reader stand in the same order. */
#include "worker/apply/facts_read.h"

const char FACTS_USERS[] =
    "SELECT id, email, plan, stripe_customer_id, email_created_s, invoice_created_s, invoice_rank FROM sluice.users"
    " WHERE id = ANY($1::text[]) ORDER BY id FOR NO KEY UPDATE";
const char FACTS_SUBSCRIPTIONS[] =
    "SELECT id, user_id, customer_id, status, price_id, tier, max_agents, max_messages_per_day, current_period_start,"
    " current_period_end, trial_end, cancel_at, canceled_at, cancel_at_period_end, object_created_s, object_rank,"
    " invoice_created_s, invoice_rank FROM sluice.subscriptions"
    " WHERE user_id = ANY($1::text[]) OR id = ANY($2::text[]) ORDER BY created_at, id";
const char FACTS_AGENTS[] =
    "SELECT id, user_id, name, backend, region, status, status_reason, server_id, server_ip, tailscale_device_id,"
    " tailscale_ip, app_name, frontend_url, backend_url FROM sluice.agents"
    " WHERE (user_id = ANY($1::text[]) AND status <> 'destroyed') OR id = ANY($2::uuid[]"
    /* as an array, so that it is looked up in the index like the rest */
    " || ARRAY(SELECT agent_id FROM sluice.jobs WHERE id = ANY($3::uuid[]) AND agent_id IS NOT NULL))"
    " ORDER BY created_at, id";
/* Locked in id order, as the executor does, so that nobody waits in a circle; read in the order decided afterwards. */
const char FACTS_JOBS[] =
    "SELECT id, user_id, agent_id, kind, status, backend, args, step, run_id, dispatched_run_id, error, cause_event_id,"
    " cause_source, rule, seq, fence, generation, priority, deadline_at, claimed_at, heartbeat_at, ended_at, settled,"
    " cancel_requested FROM sluice.jobs"
    " WHERE (user_id = ANY($1::text[]) AND status IN ('queued', 'running', 'waiting')) OR id = ANY($2::uuid[])"
    " ORDER BY id FOR UPDATE";
const char FACTS_TIMERS[] =
    "SELECT id, user_id, kind, subject, due_at, fired_at IS NOT NULL, cancelled_at IS NOT NULL FROM sluice.timers"
    " WHERE (user_id = ANY($1::text[]) AND fired_at IS NULL AND cancelled_at IS NULL) OR id = ANY($2::uuid[])"
    " ORDER BY id";

/* Walks along a row's columns. */
struct columns {
    const PGresult *result;
    int row;
    int next;
    struct sl_arena *arena;
};

static struct sl_str text(struct columns *at)
{
    struct sl_str value = sl_pg_get_text(at->result, at->row, at->next++);
    return sl_str_empty(value) ? SL_STR_NONE : sl_arena_str(at->arena, value);
}

static int64_t number(struct columns *at)
{
    return sl_pg_get_int(at->result, at->row, at->next++);
}

static bool truth(struct columns *at)
{
    return sl_pg_get_bool(at->result, at->row, at->next++);
}

static struct sl_uuid uuid(struct columns *at)
{
    return sl_pg_get_uuid(at->result, at->row, at->next++);
}

static int64_t at_ms(struct columns *at)
{
    return sl_pg_get_at_ms(at->result, at->row, at->next++);
}

static int64_t at_s(struct columns *at)
{
    return at_ms(at) / 1000;
}

struct user facts_read_user(const PGresult *result, int row, struct sl_arena *arena)
{
    struct columns at = {.result = result, .row = row, .arena = arena};
    struct user user = {0};
    user.id = text(&at);
    user.email = text(&at);
    user.plan = text(&at);
    user.stripe_customer_id = text(&at);
    user.email_created_s = number(&at);
    user.invoice_created_s = number(&at);
    user.invoice_rank = (int)number(&at);
    return user;
}

struct subscription facts_read_subscription(const PGresult *result, int row, struct sl_arena *arena)
{
    struct columns at = {.result = result, .row = row, .arena = arena};
    struct subscription subscription = {.exists = true};
    subscription.id = text(&at);
    subscription.user_id = text(&at);
    subscription.customer_id = text(&at);
    subscription.status = text(&at);
    subscription.price_id = text(&at);
    subscription.tier = text(&at);
    subscription.max_agents = (int)number(&at);
    subscription.max_messages_per_day = (int)number(&at);
    subscription.current_period_start_s = at_s(&at);
    subscription.current_period_end_s = at_s(&at);
    subscription.trial_end_s = at_s(&at);
    subscription.cancel_at_s = at_s(&at);
    subscription.canceled_at_s = at_s(&at);
    subscription.cancel_at_period_end = truth(&at);
    subscription.object_created_s = number(&at);
    subscription.object_rank = (int)number(&at);
    subscription.invoice_created_s = number(&at);
    subscription.invoice_rank = (int)number(&at);
    return subscription;
}

struct agent facts_read_agent(const PGresult *result, int row, struct sl_arena *arena)
{
    struct columns at = {.result = result, .row = row, .arena = arena};
    struct agent agent = {.exists = true};
    agent.id = uuid(&at);
    agent.user_id = text(&at);
    agent.name = text(&at);
    agent.backend = text(&at);
    agent.region = text(&at);
    agent.status = agent_status_parse(text(&at));
    agent.status_reason = text(&at);
    agent.server_id = text(&at);
    agent.server_ip = text(&at);
    agent.tailscale_device_id = text(&at);
    agent.tailscale_ip = text(&at);
    agent.app_name = text(&at);
    agent.frontend_url = text(&at);
    agent.backend_url = text(&at);
    return agent;
}

struct job facts_read_job(const PGresult *result, int row, struct sl_arena *arena)
{
    struct columns at = {.result = result, .row = row, .arena = arena};
    struct job job = {.exists = true};
    job.id = uuid(&at);
    job.user_id = text(&at);
    job.agent_id = uuid(&at);
    job.kind = job_kind_parse(text(&at));
    job.status = job_status_parse(text(&at));
    job.backend = text(&at);
    job.args = text(&at);
    job.step = text(&at);
    job.run_id = text(&at);
    job.dispatched_run_id = text(&at);
    job.error = text(&at);
    job.cause_event_id = text(&at);
    job.cause_source = text(&at);
    job.rule = text(&at);
    job.seq = number(&at);
    job.fence = number(&at);
    job.generation = (int)number(&at);
    job.priority = (int)number(&at);
    job.deadline_at_ms = at_ms(&at);
    job.claimed_at_ms = at_ms(&at);
    job.heartbeat_at_ms = at_ms(&at);
    job.ended_at_ms = at_ms(&at);
    job.settled = truth(&at);
    job.cancel_requested = truth(&at);
    return job;
}

struct timer facts_read_timer(const PGresult *result, int row, struct sl_arena *arena)
{
    struct columns at = {.result = result, .row = row, .arena = arena};
    struct timer timer = {.exists = true};
    timer.id = uuid(&at);
    timer.user_id = text(&at);
    timer.kind = text(&at);
    timer.subject = text(&at);
    timer.due_at_ms = at_ms(&at);
    timer.fired = truth(&at);
    timer.cancelled = truth(&at);
    return timer;
}
