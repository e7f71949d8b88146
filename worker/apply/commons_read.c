/* commons_read.c - see commons_read.h. The columns of a statement and the fields of its reader stand in the same order.
 *
 * The workspaces are found anew by each statement. That is the same set each time, or a smaller one: who comes into a
 * workspace, or begins to pay for it, does so under the lock on his user, which this transaction holds; and who leaves
 * under the lock on the workspace. They are an array, so that each table is looked up in its index: a subquery within
 * an OR would be asked for every row there is.
 */
#include "worker/apply/commons_read.h"

#include "worker/apply/row.h"

#define REACHED                                                                                                        \
    "= ANY(ARRAY(SELECT workspace_id FROM sluice.workspace_members WHERE user_id = ANY($1::text[])"                    \
    " UNION SELECT unnest($2::uuid[])"                                                                                 \
    " UNION SELECT workspace_id FROM sluice.invites WHERE token_sha256 = ANY($3::bytea[])"                             \
    " UNION SELECT workspace_id FROM sluice.workspace_billing_cycles WHERE subscription_id = ANY($4::text[]"           \
    " || ARRAY(SELECT id FROM sluice.subscriptions WHERE user_id = ANY($1::text[])))))"

const char COMMONS_LOCK[] = "SELECT id FROM sluice.workspaces WHERE id " REACHED " ORDER BY id FOR NO KEY UPDATE";
/* Not at once with the lock: the cycle would be read as it was before the wait for it. */
const char COMMONS_WORKSPACES[] =
    "SELECT w.id, w.name, w.owner_id, w.tier, w.runs_used, w.runs_since, w.created_at, w.closed_at, c.subscription_id,"
    " c.cycle_started_at, c.renews_at FROM sluice.workspaces w"
    " LEFT JOIN sluice.workspace_billing_cycles c ON c.workspace_id = w.id"
    " WHERE w.id " REACHED " ORDER BY w.id";
const char COMMONS_MEMBERS[] = "SELECT workspace_id, user_id, role, joined_at FROM sluice.workspace_members"
                               " WHERE workspace_id " REACHED " ORDER BY workspace_id, joined_at, user_id";
const char COMMONS_INVITES[] =
    "SELECT id, workspace_id, email, token_sha256, invited_by, created_at, expires_at, accepted_at, revoked_at,"
    " accepted_by FROM sluice.invites WHERE (accepted_at IS NULL AND revoked_at IS NULL AND workspace_id " REACHED
    ") OR token_sha256 = ANY($3::bytea[]) ORDER BY created_at, id";
const char COMMONS_CONNECTIONS[] = "SELECT workspace_id, id, provider, shared_by, sealed, catalog, shared_at"
                                   " FROM sluice.connections WHERE workspace_id " REACHED " ORDER BY workspace_id, id";
const char COMMONS_SHARED_WORKFLOWS[] =
    "SELECT workspace_id, workflow_id, shared_by, shared_at FROM sluice.shared_workflows"
    " WHERE workspace_id " REACHED " ORDER BY workspace_id, workflow_id";
#define RUN_COLUMNS "SELECT workspace_id, id, workflow_id, user_id, started_at, ended_at, end_reason FROM sluice.runs"
#define RUNS        RUN_COLUMNS " WHERE id = ANY($5::text[]) AND workspace_id " REACHED " ORDER BY workspace_id, id"
#define STALE_RUNS  RUN_COLUMNS " WHERE ended_at IS NULL AND started_at < $1 ORDER BY started_at LIMIT $2"
const char COMMONS_RUNS[] = RUNS " FOR NO KEY UPDATE";
const char COMMONS_RUNS_UNLOCKED[] = RUNS;
const char COMMONS_STALE_RUNS[] = STALE_RUNS " FOR NO KEY UPDATE SKIP LOCKED";
const char COMMONS_STALE_RUNS_UNLOCKED[] = STALE_RUNS;
const char COMMONS_EARLY_ACCESS[] =
    "SELECT email, joined_at FROM sluice.early_access WHERE email = ANY($1::text[]) ORDER BY email";

struct workspace commons_read_workspace(const PGresult *result, int row, struct sl_arena *arena)
{
    struct row at = {.result = result, .row = row, .arena = arena};
    struct workspace workspace = {.exists = true};
    workspace.id = row_uuid(&at);
    workspace.name = row_text(&at);
    workspace.owner_id = row_text(&at);
    workspace.tier = row_text(&at);
    workspace.runs_used = (int)row_int(&at);
    workspace.runs_since_ms = row_at_ms(&at);
    workspace.created_at_ms = row_at_ms(&at);
    workspace.closed_at_ms = row_at_ms(&at);
    workspace.cycle_subscription_id = row_text(&at);
    workspace.cycle_started_at_s = row_at_s(&at);
    workspace.renews_at_s = row_at_s(&at);
    return workspace;
}

struct member commons_read_member(const PGresult *result, int row, struct sl_arena *arena)
{
    struct row at = {.result = result, .row = row, .arena = arena};
    struct member member = {.exists = true};
    member.workspace_id = row_uuid(&at);
    member.user_id = row_text(&at);
    member.role = member_role_parse(row_text(&at));
    member.joined_at_ms = row_at_ms(&at);
    return member;
}

struct invite commons_read_invite(const PGresult *result, int row, struct sl_arena *arena)
{
    struct row at = {.result = result, .row = row, .arena = arena};
    struct invite invite = {.exists = true};
    invite.id = row_uuid(&at);
    invite.workspace_id = row_uuid(&at);
    invite.email = row_text(&at);
    invite.token_sha256 = row_text(&at);
    invite.invited_by = row_text(&at);
    invite.created_at_ms = row_at_ms(&at);
    invite.expires_at_ms = row_at_ms(&at);
    invite.accepted_at_ms = row_at_ms(&at);
    invite.revoked_at_ms = row_at_ms(&at);
    invite.accepted_by = row_text(&at);
    return invite;
}

struct connection commons_read_connection(const PGresult *result, int row, struct sl_arena *arena)
{
    struct row at = {.result = result, .row = row, .arena = arena};
    struct connection connection = {.exists = true};
    connection.workspace_id = row_uuid(&at);
    connection.id = row_text(&at);
    connection.provider = row_text(&at);
    connection.shared_by = row_text(&at);
    connection.sealed = row_text(&at);
    connection.catalog = row_text(&at);
    connection.shared_at_ms = row_at_ms(&at);
    return connection;
}

struct shared_workflow commons_read_shared_workflow(const PGresult *result, int row, struct sl_arena *arena)
{
    struct row at = {.result = result, .row = row, .arena = arena};
    struct shared_workflow shared = {.exists = true};
    shared.workspace_id = row_uuid(&at);
    shared.workflow_id = row_text(&at);
    shared.shared_by = row_text(&at);
    shared.shared_at_ms = row_at_ms(&at);
    return shared;
}

struct run commons_read_run(const PGresult *result, int row, struct sl_arena *arena)
{
    struct row at = {.result = result, .row = row, .arena = arena};
    struct run run = {.exists = true};
    run.workspace_id = row_uuid(&at);
    run.id = row_text(&at);
    run.workflow_id = row_text(&at);
    run.user_id = row_text(&at);
    run.started_at_ms = row_at_ms(&at);
    run.ended_at_ms = row_at_ms(&at);
    run.end_reason = row_text(&at);
    return run;
}

struct early_access commons_read_early_access(const PGresult *result, int row, struct sl_arena *arena)
{
    struct row at = {.result = result, .row = row, .arena = arena};
    struct early_access early = {.exists = true};
    early.email = row_text(&at);
    early.joined_at_ms = row_at_ms(&at);
    return early;
}
