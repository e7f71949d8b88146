/* commons_rows.c - see commons_rows.h.
 *
 * All but early_access is written under the lock on its workspace. Rows that are gone are deleted, unless this batch
 * made them.
 */
#include "worker/apply/commons_rows.h"

#include "worker/apply/columns.h"
#include "worker/apply/plan_rows.h"

static const char WORKSPACES[] =
    "INSERT INTO sluice.workspaces (id, name, owner_id, tier, runs_used, runs_since, created_at, closed_at)"
    " SELECT id, name, owner_id, tier, runs_used, runs_since, created_at, closed_at"
    " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::timestamptz[], $7::timestamptz[],"
    " $8::timestamptz[]) AS n (id, name, owner_id, tier, runs_used, runs_since, created_at, closed_at)"
    " ON CONFLICT (id) DO UPDATE SET name = excluded.name, owner_id = excluded.owner_id, tier = excluded.tier,"
    " runs_used = excluded.runs_used, runs_since = excluded.runs_since, closed_at = excluded.closed_at,"
    " updated_at = now()";
static const char CYCLES_GONE[] = "DELETE FROM sluice.workspace_billing_cycles WHERE workspace_id = ANY($1::uuid[])";
static const char CYCLES[] =
    "INSERT INTO sluice.workspace_billing_cycles (workspace_id, subscription_id, cycle_started_at, renews_at)"
    " SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[])"
    " ON CONFLICT (workspace_id) DO UPDATE SET subscription_id = excluded.subscription_id,"
    " cycle_started_at = excluded.cycle_started_at, renews_at = excluded.renews_at, updated_at = now()";
static const char MEMBERS_GONE[] =
    "DELETE FROM sluice.workspace_members m USING unnest($1::uuid[], $2::text[]) AS g (workspace_id, user_id)"
    " WHERE m.workspace_id = g.workspace_id AND m.user_id = g.user_id";
static const char MEMBERS[] =
    "INSERT INTO sluice.workspace_members (workspace_id, user_id, role, joined_at)"
    " SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])"
    " ON CONFLICT (workspace_id, user_id) DO UPDATE SET role = excluded.role, joined_at = excluded.joined_at";
static const char INVITES[] =
    "INSERT INTO sluice.invites (id, workspace_id, email, token_sha256, invited_by, created_at, expires_at, "
    "accepted_at,"
    " revoked_at, accepted_by) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::text[],"
    " $6::timestamptz[], $7::timestamptz[], $8::timestamptz[], $9::timestamptz[], $10::text[])"
    " ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at, accepted_at = excluded.accepted_at,"
    " revoked_at = excluded.revoked_at, accepted_by = excluded.accepted_by";
static const char CONNECTIONS_GONE[] =
    "DELETE FROM sluice.connections c USING unnest($1::uuid[], $2::text[]) AS g (workspace_id, id)"
    " WHERE c.workspace_id = g.workspace_id AND c.id = g.id";
static const char CONNECTIONS[] =
    "INSERT INTO sluice.connections (workspace_id, id, provider, shared_by, sealed, catalog, shared_at)"
    " SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::timestamptz[])"
    " ON CONFLICT (workspace_id, id) DO UPDATE SET provider = excluded.provider, shared_by = excluded.shared_by,"
    " sealed = excluded.sealed, catalog = excluded.catalog, shared_at = excluded.shared_at, updated_at = now()";
static const char SHARED_WORKFLOWS[] =
    "INSERT INTO sluice.shared_workflows (workspace_id, workflow_id, shared_by, shared_at)"
    " SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])"
    " ON CONFLICT (workspace_id, workflow_id) DO UPDATE SET shared_by = excluded.shared_by,"
    " shared_at = excluded.shared_at";
static const char RUNS[] =
    "INSERT INTO sluice.runs (workspace_id, id, workflow_id, user_id, started_at, ended_at, end_reason)"
    " SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[],"
    " $7::text[]) ON CONFLICT (workspace_id, id) DO UPDATE SET workflow_id = excluded.workflow_id,"
    " user_id = excluded.user_id, started_at = excluded.started_at, ended_at = excluded.ended_at,"
    " end_reason = excluded.end_reason";
/* No lock stands for an address: the first to write it has it. In order, so that nobody waits in a circle. */
static const char EARLY_ACCESSES[] = ROWS_BEGIN
    "INSERT INTO sluice.early_access (email, joined_at)"
    " SELECT email, joined_at FROM unnest($1::text[], $2::timestamptz[]) AS n (email, joined_at) ORDER BY email"
    " ON CONFLICT DO NOTHING" ROWS_END;

static void queue_workspaces(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct columns columns;
    columns_init(&columns, attempt->arena, "utttnwww");
    for (size_t i = 0; i < attempt->commons.workspace_count; i++) {
        const struct workspace *workspace = attempt->commons.workspaces[i];
        if (!workspace->changed)
            continue;
        columns_uuid(&columns, workspace->id);
        columns_text(&columns, workspace->name);
        columns_text(&columns, workspace->owner_id);
        columns_text(&columns, workspace->tier);
        columns_int(&columns, workspace->runs_used);
        columns_at_ms(&columns, workspace->runs_since_ms);
        columns_at_ms(&columns, workspace->created_at_ms);
        columns_at_ms(&columns, workspace->closed_at_ms);
    }
    (void)columns_queue(&columns, WORKSPACES, pipeline);
}

static void queue_cycles(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct columns gone, columns;
    columns_init(&gone, attempt->arena, "u");
    columns_init(&columns, attempt->arena, "utww");
    for (size_t i = 0; i < attempt->commons.workspace_count; i++) {
        const struct workspace *workspace = attempt->commons.workspaces[i];
        if (!workspace->changed)
            continue;
        if (sl_str_empty(workspace->cycle_subscription_id)) {
            if (workspace->exists)
                columns_uuid(&gone, workspace->id);
            continue;
        }
        columns_uuid(&columns, workspace->id);
        columns_text(&columns, workspace->cycle_subscription_id);
        columns_at_s(&columns, workspace->cycle_started_at_s);
        columns_at_s(&columns, workspace->renews_at_s);
    }
    (void)columns_queue(&gone, CYCLES_GONE, pipeline);
    (void)columns_queue(&columns, CYCLES, pipeline);
}

static void queue_members(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct columns gone, columns;
    columns_init(&gone, attempt->arena, "ut");
    columns_init(&columns, attempt->arena, "uttw");
    for (size_t i = 0; i < attempt->commons.member_count; i++) {
        const struct member *member = attempt->commons.members[i];
        if (!member->changed || (member->gone && !member->exists))
            continue;
        columns_uuid(member->gone ? &gone : &columns, member->workspace_id);
        columns_text(member->gone ? &gone : &columns, member->user_id);
        if (member->gone)
            continue;
        columns_text(&columns, sl_str_of(member_role_name(member->role)));
        columns_at_ms(&columns, member->joined_at_ms);
    }
    (void)columns_queue(&gone, MEMBERS_GONE, pipeline);
    (void)columns_queue(&columns, MEMBERS, pipeline);
}

static void queue_invites(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct columns columns;
    columns_init(&columns, attempt->arena, "uutytwwwwt");
    for (size_t i = 0; i < attempt->commons.invite_count; i++) {
        const struct invite *invite = attempt->commons.invites[i];
        if (!invite->changed)
            continue;
        columns_uuid(&columns, invite->id);
        columns_uuid(&columns, invite->workspace_id);
        columns_text(&columns, invite->email);
        columns_text(&columns, invite->token_sha256);
        columns_text(&columns, invite->invited_by);
        columns_at_ms(&columns, invite->created_at_ms);
        columns_at_ms(&columns, invite->expires_at_ms);
        columns_at_ms(&columns, invite->accepted_at_ms);
        columns_at_ms(&columns, invite->revoked_at_ms);
        columns_text_or_null(&columns, invite->accepted_by);
    }
    (void)columns_queue(&columns, INVITES, pipeline);
}

static void queue_connections(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct columns gone, columns;
    columns_init(&gone, attempt->arena, "ut");
    columns_init(&columns, attempt->arena, "uttttjw");
    for (size_t i = 0; i < attempt->commons.connection_count; i++) {
        const struct connection *connection = attempt->commons.connections[i];
        if (!connection->changed || (connection->gone && !connection->exists))
            continue;
        columns_uuid(connection->gone ? &gone : &columns, connection->workspace_id);
        columns_text(connection->gone ? &gone : &columns, connection->id);
        if (connection->gone)
            continue;
        columns_text(&columns, connection->provider);
        columns_text(&columns, connection->shared_by);
        columns_text(&columns, connection->sealed);
        columns_text_or_null(&columns, connection->catalog);
        columns_at_ms(&columns, connection->shared_at_ms);
    }
    (void)columns_queue(&gone, CONNECTIONS_GONE, pipeline);
    (void)columns_queue(&columns, CONNECTIONS, pipeline);
}

static void queue_shared_workflows(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct columns columns;
    columns_init(&columns, attempt->arena, "uttw");
    for (size_t i = 0; i < attempt->commons.shared_workflow_count; i++) {
        const struct shared_workflow *shared = attempt->commons.shared_workflows[i];
        if (!shared->changed)
            continue;
        columns_uuid(&columns, shared->workspace_id);
        columns_text(&columns, shared->workflow_id);
        columns_text(&columns, shared->shared_by);
        columns_at_ms(&columns, shared->shared_at_ms);
    }
    (void)columns_queue(&columns, SHARED_WORKFLOWS, pipeline);
}

static void queue_runs(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct columns columns;
    columns_init(&columns, attempt->arena, "utttwwt");
    for (size_t i = 0; i < attempt->commons.run_count; i++) {
        const struct run *run = attempt->commons.runs[i];
        if (!run->changed)
            continue;
        columns_uuid(&columns, run->workspace_id);
        columns_text(&columns, run->id);
        columns_text(&columns, run->workflow_id);
        columns_text(&columns, run->user_id);
        columns_at_ms(&columns, run->started_at_ms);
        columns_at_ms(&columns, run->ended_at_ms);
        columns_text_or_null(&columns, run->end_reason);
    }
    (void)columns_queue(&columns, RUNS, pipeline);
}

static void queue_early_accesses(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct columns columns;
    columns_init(&columns, attempt->arena, "tw");
    for (size_t i = 0; i < attempt->commons.early_access_count; i++) {
        const struct early_access *early = attempt->commons.early_accesses[i];
        if (!early->changed || early->exists)
            continue;
        columns_text(&columns, early->email);
        columns_at_ms(&columns, early->joined_at_ms);
    }
    (void)columns_queue(&columns, EARLY_ACCESSES, pipeline);
}

void commons_rows_queue(const struct attempt *attempt, struct pipeline *pipeline)
{
    queue_workspaces(attempt, pipeline);
    queue_cycles(attempt, pipeline);
    queue_members(attempt, pipeline);
    queue_invites(attempt, pipeline);
    queue_connections(attempt, pipeline);
    queue_shared_workflows(attempt, pipeline);
    queue_runs(attempt, pipeline);
    queue_early_accesses(attempt, pipeline);
}
