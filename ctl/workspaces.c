/* workspaces.c - sluicectl workspaces list|show: workspaces, who is in them, and what they pay for. No token is shown,
 * sealed or not.
 */
#include <stdio.h>

#include "ctl/page.h"
#include "ctl/query.h"

static const char LIST[] =
    "SELECT w.id, w.name, w.tier, w.owner_id,"
    " (SELECT count(*) FROM sluice.workspace_members m WHERE m.workspace_id = w.id) AS members, w.runs_used,"
    " c.renews_at, w.created_at, w.closed_at"
    " FROM sluice.workspaces w LEFT JOIN sluice.workspace_billing_cycles c ON c.workspace_id = w.id"
    " WHERE $1::text IS NULL OR EXISTS (SELECT FROM sluice.workspace_members m WHERE m.workspace_id = w.id"
    "  AND m.user_id = $1) ORDER BY w.created_at DESC, w.id LIMIT $2::bigint";

static const struct page_part PARTS[] = {
    {"members", "Members", "none",
     "SELECT user_id, role, joined_at FROM sluice.workspace_members WHERE workspace_id::text = lower($1)"
     " ORDER BY joined_at, user_id"},
    {"invites", "Open invitations", "none",
     "SELECT id, email, invited_by, created_at, expires_at, expires_at <= now() AS expired FROM sluice.invites"
     " WHERE workspace_id::text = lower($1) AND accepted_at IS NULL AND revoked_at IS NULL ORDER BY created_at"},
    {"connections", "Connections", "none",
     "SELECT id, provider, shared_by, shared_at, data_key,"
     " jsonb_array_length(catalog) AS teams FROM sluice.connections WHERE workspace_id::text = lower($1)"
     " ORDER BY shared_at, id"},
    {"workflows", "Shared workflows", "none",
     "SELECT workflow_id, shared_by, shared_at FROM sluice.shared_workflows WHERE workspace_id::text = lower($1)"
     " ORDER BY shared_at, workflow_id LIMIT 100"},
    {"runs", "Runs (latest 20)", "none",
     "SELECT started_at, id, workflow_id, user_id, ended_at, end_reason FROM sluice.runs"
     " WHERE workspace_id::text = lower($1) ORDER BY started_at DESC LIMIT 20"},
    {"audit", "Audit (latest 20)", "none",
     "SELECT at, actor, action, user_id, rule, event_id FROM sluice.audit_log WHERE target = 'workspace:' || lower($1)"
     " ORDER BY at DESC, id DESC LIMIT 20"},
};

static const struct page PAGE = {
    .noun = "workspace",
    .record = "SELECT w.id, w.name, w.owner_id, w.tier, w.runs_used, w.runs_since, c.subscription_id,"
              " c.cycle_started_at, c.renews_at, w.created_at, w.updated_at, w.closed_at FROM sluice.workspaces w"
              " LEFT JOIN sluice.workspace_billing_cycles c ON c.workspace_id = w.id WHERE w.id::text = lower($1)",
    .parts = PARTS,
    .part_count = SL_ARRAY_LEN(PARTS),
};

enum ctl_exit workspaces_list(struct ctl *ctl)
{
    struct sl_err err = {0};
    char limit_text[24];
    int64_t limit = 0;
    if (!options_int(&ctl->options, OPTION_LIMIT, 50, 1, 100000, &limit, &err)) {
        (void)ctl_fail(&err);
        return CTL_USAGE;
    }
    (void)snprintf(limit_text, sizeof(limit_text), "%lld", (long long)limit);
    const char *values[] = {ctl->options.values[OPTION_USER], limit_text};
    return query_print(ctl, LIST, values, 2, "no workspaces match", &err) < 0 ? ctl_fail(&err) : CTL_DONE;
}

enum ctl_exit workspaces_show(struct ctl *ctl)
{
    return page_show(ctl, &PAGE, ctl->options.words[2]);
}
