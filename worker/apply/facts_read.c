/* facts_read.c - see facts_read.h. The columns of a statement and the fields of its reader stand in the same order. */
#include "worker/apply/facts_read.h"

#include <stdlib.h>

#include "worker/apply/pending.h"
#include "worker/apply/row.h"

#define USERS                                                                                                          \
    "SELECT id, email, plan, stripe_customer_id, email_created_s, invoice_created_s, invoice_rank, pending_checkout,"  \
    " last_error, last_error_at, onboarding_complete, billing_created_s FROM sluice.users"                             \
    " WHERE id = ANY($1::text[]) ORDER BY id"
const char FACTS_USERS[] = USERS " FOR NO KEY UPDATE";
const char FACTS_USERS_UNLOCKED[] = USERS;
const char FACTS_SUBSCRIPTIONS[] =
    "SELECT id, user_id, customer_id, status, price_id, tier, max_agents, max_messages_per_day, current_period_start,"
    " current_period_end, trial_end, cancel_at, canceled_at, cancel_at_period_end, object_created_s, object_rank,"
    " invoice_created_s, invoice_rank FROM sluice.subscriptions"
    " WHERE user_id = ANY($1::text[]) OR id = ANY($2::text[]) ORDER BY created_at, id";
const char FACTS_AGENTS[] =
    "SELECT id, user_id, name, backend, region, status, status_reason, server_id, server_ip, tailscale_device_id,"
    " tailscale_ip, app_name, frontend_url, backend_url, memory_limit_mb, cpu_limit::text,"
    " subscription_id, stopped_by FROM sluice.agents"
    " WHERE (user_id = ANY($1::text[]) AND status <> 'destroyed') OR id = ANY($2::uuid[]"
    /* as an array, so that it is looked up in the index like the rest */
    " || ARRAY(SELECT agent_id FROM sluice.jobs WHERE id = ANY($3::uuid[]) AND agent_id IS NOT NULL))"
    " ORDER BY created_at, id";
/* Locked in id order, as the executor does, so that nobody waits in a circle; read in the order decided afterwards. */
#define JOBS                                                                                                           \
    "SELECT id, user_id, agent_id, kind, status, backend, args, step, run_id, dispatched_run_id, error,"               \
    " cause_event_id, cause_source, rule, seq, fence, generation, priority, deadline_at, claimed_at, heartbeat_at,"    \
    " ended_at, settled, cancel_requested, answer_type, reply_to FROM sluice.jobs"                                     \
    " WHERE (user_id = ANY($1::text[]) AND status IN ('queued', 'running', 'waiting')) OR id = ANY($2::uuid[])"        \
    " ORDER BY id"
const char FACTS_JOBS[] = JOBS " FOR UPDATE";
const char FACTS_JOBS_UNLOCKED[] = JOBS;
const char FACTS_TIMERS[] =
    "SELECT id, user_id, kind, subject, due_at, decided_at IS NOT NULL, cancelled_at IS NOT NULL FROM sluice.timers"
    " WHERE (user_id = ANY($1::text[]) AND decided_at IS NULL AND cancelled_at IS NULL) OR id = ANY($2::uuid[])"
    " ORDER BY id";

const char FACTS_USAGES[] = "SELECT u.user_id, (u.day - date '1970-01-01')::bigint, u.metric, u.count, u.told_at"
                            " FROM unnest($1::text[], $2::int[]) AS n (user_id, day) JOIN sluice.usage_daily u"
                            " ON u.user_id = n.user_id AND u.day = date '1970-01-01' + n.day";

struct user facts_read_user(const PGresult *result, int row, struct sl_arena *arena)
{
    struct row at = {.result = result, .row = row, .arena = arena};
    struct user user = {0};
    user.id = row_text(&at);
    user.email = row_text(&at);
    user.plan = row_text(&at);
    user.stripe_customer_id = row_text(&at);
    user.email_created_s = row_int(&at);
    user.invoice_created_s = row_int(&at);
    user.invoice_rank = (int)row_int(&at);
    pending_read(row_text(&at), arena, &user);
    user.last_error = row_text(&at);
    user.last_error_at_ms = row_at_ms(&at);
    user.onboarding_complete = row_bool(&at);
    user.billing_created_s = row_int(&at);
    return user;
}

struct subscription facts_read_subscription(const PGresult *result, int row, struct sl_arena *arena)
{
    struct row at = {.result = result, .row = row, .arena = arena};
    struct subscription subscription = {.exists = true};
    subscription.id = row_text(&at);
    subscription.user_id = row_text(&at);
    subscription.customer_id = row_text(&at);
    subscription.status = row_text(&at);
    subscription.price_id = row_text(&at);
    subscription.tier = row_text(&at);
    subscription.max_agents = (int)row_int(&at);
    subscription.max_messages_per_day = (int)row_int(&at);
    subscription.current_period_start_s = row_at_s(&at);
    subscription.current_period_end_s = row_at_s(&at);
    subscription.trial_end_s = row_at_s(&at);
    subscription.cancel_at_s = row_at_s(&at);
    subscription.canceled_at_s = row_at_s(&at);
    subscription.cancel_at_period_end = row_bool(&at);
    subscription.object_created_s = row_int(&at);
    subscription.object_rank = (int)row_int(&at);
    subscription.invoice_created_s = row_int(&at);
    subscription.invoice_rank = (int)row_int(&at);
    return subscription;
}

struct agent facts_read_agent(const PGresult *result, int row, struct sl_arena *arena)
{
    struct row at = {.result = result, .row = row, .arena = arena};
    struct agent agent = {.exists = true};
    agent.id = row_uuid(&at);
    agent.user_id = row_text(&at);
    agent.name = row_text(&at);
    agent.backend = row_text(&at);
    agent.region = row_text(&at);
    agent.status = agent_status_parse(row_text(&at));
    agent.status_reason = row_text(&at);
    agent.server_id = row_text(&at);
    agent.server_ip = row_text(&at);
    agent.tailscale_device_id = row_text(&at);
    agent.tailscale_ip = row_text(&at);
    agent.app_name = row_text(&at);
    agent.frontend_url = row_text(&at);
    agent.backend_url = row_text(&at);
    agent.memory_limit_mb = (int)row_int(&at);
    struct sl_str cpu_limit = row_text(&at);
    agent.cpu_limit =
        !cpu_limit.ptr || !cpu_limit.len ? 0 : strtod(cpu_limit.ptr, NULL); /* exact: the shortest that is it */
    agent.subscription_id = row_text(&at);
    agent.stopped_by = row_text(&at);
    return agent;
}

struct job facts_read_job(const PGresult *result, int row, struct sl_arena *arena)
{
    struct row at = {.result = result, .row = row, .arena = arena};
    struct job job = {.exists = true};
    job.id = row_uuid(&at);
    job.user_id = row_text(&at);
    job.agent_id = row_uuid(&at);
    job.kind = job_kind_parse(row_text(&at));
    job.status = job_status_parse(row_text(&at));
    job.backend = row_text(&at);
    job.args = row_text(&at);
    job.step = row_text(&at);
    job.run_id = row_text(&at);
    job.dispatched_run_id = row_text(&at);
    job.error = row_text(&at);
    job.cause_event_id = row_text(&at);
    job.cause_source = row_text(&at);
    job.rule = row_text(&at);
    job.seq = row_int(&at);
    job.fence = row_int(&at);
    job.generation = (int)row_int(&at);
    job.priority = (int)row_int(&at);
    job.deadline_at_ms = row_at_ms(&at);
    job.claimed_at_ms = row_at_ms(&at);
    job.heartbeat_at_ms = row_at_ms(&at);
    job.ended_at_ms = row_at_ms(&at);
    job.settled = row_bool(&at);
    job.cancel_requested = row_bool(&at);
    job.answer_type = row_text(&at);
    job.reply_to = row_text(&at);
    return job;
}

struct timer facts_read_timer(const PGresult *result, int row, struct sl_arena *arena)
{
    struct row at = {.result = result, .row = row, .arena = arena};
    struct timer timer = {.exists = true};
    timer.id = row_uuid(&at);
    timer.user_id = row_text(&at);
    timer.kind = row_text(&at);
    timer.subject = row_text(&at);
    timer.due_at_ms = row_at_ms(&at);
    timer.decided = row_bool(&at);
    timer.cancelled = row_bool(&at);
    return timer;
}

struct usage facts_read_usage(const PGresult *result, int row, struct sl_arena *arena)
{
    struct row at = {.result = result, .row = row, .arena = arena};
    struct usage usage = {.exists = true};
    usage.user_id = row_text(&at);
    usage.day = (int32_t)row_int(&at);
    usage.metric = row_text(&at);
    usage.count = row_int(&at);
    usage.told_at_ms = row_at_ms(&at);
    return usage;
}
