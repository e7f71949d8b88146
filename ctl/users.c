/* users.c - sluicectl users show ID: what is known of a user, on one page. */
#include "ctl/page.h"

static const struct page_part PARTS[] = {
    {"subscriptions", "Subscriptions", "none",
     "SELECT id, status, tier, max_agents, price_id, current_period_end, cancel_at_period_end, canceled_at"
     " FROM sluice.subscriptions WHERE user_id = $1 ORDER BY created_at"},
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
    .record = "SELECT id, email, plan, stripe_customer_id, last_error, last_error_at, onboarding_complete, created_at,"
              " updated_at FROM sluice.users WHERE id = $1",
    .parts = PARTS,
    .part_count = SL_ARRAY_LEN(PARTS),
};

enum ctl_exit users_show(struct ctl *ctl)
{
    return page_show(ctl, &PAGE, ctl->options.words[2]);
}
