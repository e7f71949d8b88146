/* agents.c - sluicectl agents show ID: an agent, its jobs, their calls to clouds, and who did what. */
#include "ctl/page.h"

static const struct page_part PARTS[] = {
    {"jobs", "Jobs", "none",
     "SELECT seq, id, kind, status, step, attempt, run_id, rule, error, created_at, ended_at FROM sluice.jobs"
     " WHERE agent_id::text = lower($1) ORDER BY seq"},
    {"calls", "Calls to clouds (latest 40)", "none",
     "SELECT at, kind, c.step, cloud, method, path, c.status, verdict, took_ms, c.error FROM sluice.job_calls c"
     " JOIN sluice.jobs j ON j.id = c.job_id WHERE j.agent_id::text = lower($1) ORDER BY c.id DESC LIMIT 40"},
    {"audit", "Audit", "none",
     "SELECT at, actor, action, rule, event_id FROM sluice.audit_log WHERE target = 'agent:' || lower($1)"
     " ORDER BY at, id"},
};

static const struct page PAGE = {
    .noun = "agent",
    .record = "SELECT id, user_id, name, backend, region, status, status_reason, server_id, server_ip,"
              " tailscale_device_id, tailscale_ip, app_name, frontend_url, backend_url, created_at, updated_at"
              " FROM sluice.agents WHERE id::text = lower($1)",
    .parts = PARTS,
    .part_count = SL_ARRAY_LEN(PARTS),
};

enum ctl_exit agents_show(struct ctl *ctl)
{
    return page_show(ctl, &PAGE, ctl->options.words[2]);
}
