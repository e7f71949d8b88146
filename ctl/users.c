/* users.c - sluicectl users show ID and usage show ID: what is known of a user, on one page each. */
#include "ctl/page.h"

static const struct page_part PARTS[] = {
    {"subscriptions", "Subscriptions", "none",
     "SELECT id, status, tier, max_agents, max_messages_per_day, price_id, current_period_start, current_period_end,"
     " trial_end, cancel_at, cancel_at_period_end, canceled_at"
     " FROM sluice.subscriptions WHERE user_id = $1 ORDER BY created_at"},
    {"workspaces", "Workspaces", "none",
     "SELECT w.id, w.name, w.tier, m.role, m.joined_at, c.renews_at FROM sluice.workspace_members m"
     " JOIN sluice.workspaces w ON w.id = m.workspace_id"
     " LEFT JOIN sluice.workspace_billing_cycles c ON c.workspace_id = w.id"
     " WHERE m.user_id = $1 ORDER BY m.joined_at"},
    {"timers", "Timers to come", "none",
     "SELECT kind, subject, due_at FROM sluice.timers WHERE user_id = $1 AND decided_at IS NULL"
     " AND cancelled_at IS NULL ORDER BY due_at"},
    {"agents", "Agents", "none",
     "SELECT id, name, backend, region, status, status_reason, server_id, server_ip FROM sluice.agents"
     " WHERE user_id = $1 ORDER BY created_at"},
    {"jobs", "Jobs (latest 20)", "none",
     "SELECT id, kind, status, step, attempt, agent_id, error, created_at FROM sluice.jobs WHERE user_id = $1"
     " ORDER BY seq DESC LIMIT 20"},
    {"events", "Events (latest 20)", "none",
     "SELECT received_at, type, outcome, error_code, rule, id FROM sluice.events WHERE user_id = $1"
     " ORDER BY received_at DESC LIMIT 20"},
    {"audit", "Audit (latest 20)", "none",
     "SELECT at, actor, action, target, rule FROM sluice.audit_log WHERE user_id = $1 ORDER BY at DESC, id DESC"
     " LIMIT 20"},
};

static const struct page PAGE = {
    .noun = "user",
    .record = "SELECT id, email, plan, stripe_customer_id, pending_checkout->>'plan' AS pending_plan,"
              " pending_checkout->>'session_id' AS pending_session, pending_checkout->>'job_id' AS pending_job,"
              " last_error, last_error_at, onboarding_complete, created_at, updated_at FROM sluice.users WHERE id = $1",
    .parts = PARTS,
    .part_count = SL_ARRAY_LEN(PARTS),
};

enum ctl_exit users_show(struct ctl *ctl)
{
    return page_show(ctl, &PAGE, ctl->options.words[2]);
}

static const struct page_part USAGE_PARTS[] = {
    {"days", "Days (latest 31, UTC)", "none",
     "SELECT day, metric, count, told_at FROM sluice.usage_daily WHERE user_id = $1"
     " AND day > (now() AT TIME ZONE 'UTC')::date - 31 ORDER BY day DESC, metric"},
    {"months", "Months", "none",
     "SELECT to_char(day, 'YYYY-MM') AS month, metric, sum(count) AS count, count(told_at) AS days_at_the_limit"
     " FROM sluice.usage_daily WHERE user_id = $1 GROUP BY 1, 2 ORDER BY 1 DESC, 2 LIMIT 48"},
    {"runs", "Runs begun in workspaces (latest 20)", "none",
     "SELECT started_at, workspace_id, workflow_id, id, ended_at, end_reason FROM sluice.runs WHERE user_id = $1"
     " ORDER BY started_at DESC LIMIT 20"},
};

/* The limit in force is the best one that a subscription in good standing grants; -1: none. */
static const struct page USAGE_PAGE = {
    .noun = "user",
    .record = "SELECT u.id, u.plan, coalesce((SELECT CASE WHEN min(s.max_messages_per_day) < 0 THEN -1"
              " ELSE max(s.max_messages_per_day) END FROM sluice.subscriptions s WHERE s.user_id = u.id"
              " AND s.status IN ('active', 'trialing'))::text, 'of the plan') AS messages_per_day,"
              " coalesce((SELECT d.count FROM sluice.usage_daily d WHERE d.user_id = u.id AND d.metric = 'messages'"
              " AND d.day = (now() AT TIME ZONE 'UTC')::date), 0) AS messages_today"
              " FROM sluice.users u WHERE u.id = $1",
    .parts = USAGE_PARTS,
    .part_count = SL_ARRAY_LEN(USAGE_PARTS),
};

enum ctl_exit usage_show(struct ctl *ctl)
{
    return page_show(ctl, &USAGE_PAGE, ctl->options.words[2]);
}
