/* connection.c - connection.share and connection.unshare, and what Graph says of a shared one.
 *
 * A connection is its sharer's: nobody else, an admin neither, replaces it or takes it back. Its token comes sealed;
 * the rules never see it. One of Microsoft's is read by a graph job, whose catalog counts if the connection is still
 * the one that was read.
 */
#include "worker/decide/detail.h"
#include "worker/decide/effects.h"
#include "worker/decide/families.h"
#include "worker/decide/workspace_effects.h"

/* Of a workspace: they are loaded, catalogs and all, with whatever touches it. */
#define CONNECTIONS_MAX 200

static const struct connection *named_connection(const struct facts *facts, const struct input *input)
{
    return commons_connection(facts->commons, input->as.workspace.workspace_id, input->as.workspace.connection_id);
}

WHEN(share_without_key)
{
    (void)facts;
    return yes_if(sl_str_empty(input->as.workspace.sealed));
}

THEN(share_without_key)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "no key is configured to seal the connection's token with");
}

WHEN(connection_of_other)
{
    const struct connection *held = named_connection(facts, input);
    return yes_if(held && !sl_str_equal(held->shared_by, facts->user.id));
}

THEN(connection_of_other)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_NOT_CONNECTION_OWNER, "the connection was shared by another member");
}

WHEN(share_over_limit)
{
    size_t count = 0;
    for (size_t i = 0; i < facts->commons->connection_count; i++) {
        const struct connection *row = facts->commons->connections[i];
        count += !row->gone && sl_uuid_equal(row->workspace_id, input->as.workspace.workspace_id);
    }
    return yes_if(count >= CONNECTIONS_MAX && !named_connection(facts, input));
}

THEN(share_over_limit)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "the workspace has as many connections as it may: take one back first");
}

static void share(const struct facts *facts, const struct input *input, struct plan *plan)
{
    const struct input_workspace *command = &input->as.workspace;
    const struct connection *held = named_connection(facts, input);
    struct connection *connection =
        held ? plan_connection(plan, held) : plan_connection_new(plan, command->workspace_id, command->connection_id);
    connection->provider = command->provider;
    connection->shared_by = facts->user.id;
    connection->sealed = command->sealed;
    connection->catalog = SL_STR_NONE; /* the token may be of another account */
    connection->shared_at_ms = input->received_at_ms;
    const struct detail members[] = {{"provider", command->provider}};
    plan_audit(plan, "connection_shared", plan_target_named(plan, "connection", command->connection_id),
               detail_object(plan->arena, members, SL_ARRAY_LEN(members)));
}

THEN(share)
{
    share(facts, input, plan);
    plan_applied(plan, "the connection is shared");
}

WHEN(share_of_microsoft)
{
    static const char *const PROVIDERS[] = {"microsoft", "microsoft-teams", "teams"};
    (void)facts;
    for (size_t i = 0; i < SL_ARRAY_LEN(PROVIDERS); i++) {
        if (sl_str_equal_ignore_case(input->as.workspace.provider, sl_str_of(PROVIDERS[i])))
            return MATCH_YES;
    }
    return MATCH_NO;
}

static struct sl_str id_text(struct plan *plan, struct sl_uuid id)
{
    char text[SL_UUID_TEXT_BYTES];
    sl_uuid_format(id, text);
    return sl_arena_str(plan->arena, sl_str_of(text));
}

THEN(share_and_read)
{
    const struct input_workspace *command = &input->as.workspace;
    share(facts, input, plan);
    const struct detail members[] = {
        {"workspace_id", id_text(plan, command->workspace_id)},
        {"connection_id", command->connection_id},
        {"scope", SL_STR("teams")},
        {"shared_at", detail_number(plan->arena, input->received_at_ms)},
    };
    (void)plan_job_new_plain(plan, facts, JOB_GRAPH, "graph",
                             detail_object(plan->arena, members, SL_ARRAY_LEN(members)));
    plan_applied(plan, "the connection is shared; its teams are being read");
}

WHEN(connection_unknown)
{
    return yes_if(!named_connection(facts, input));
}

THEN(connection_unknown)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_CONNECTION_NOT_FOUND, "the workspace has no such connection");
}

THEN(unshare)
{
    const struct connection *held = named_connection(facts, input);
    plan_connection(plan, held)->gone = true;
    plan_audit(plan, "connection_unshared", plan_target_named(plan, "connection", held->id), SL_STR_NONE);
    plan_applied(plan, "the connection is no longer shared");
}

/* job.succeeded of a graph job */

static const struct job *reported_job(const struct facts *facts, const struct input *input)
{
    return effect_own_job(facts, input->as.job.job_id);
}

WHEN(job_is_graph)
{
    return yes_if(reported_job(facts, input)->kind == JOB_GRAPH);
}

/* The connection that the job read; NULL when it is gone, or was shared anew since. */
static const struct connection *read_connection(const struct facts *facts, const struct plan *plan,
                                                const struct job *job)
{
    struct sl_uuid workspace_id;
    int64_t shared_at_ms = 0;
    if (!sl_uuid_parse(detail_text(plan->arena, job->args, "workspace_id"), &workspace_id) ||
        !sl_str_to_int64(detail_text(plan->arena, job->args, "shared_at"), &shared_at_ms) ||
        !workspace_membership(facts, workspace_id))
        return NULL;
    const struct connection *held =
        commons_connection(facts->commons, workspace_id, detail_text(plan->arena, job->args, "connection_id"));
    bool is_same = held && held->shared_at_ms == shared_at_ms && sl_str_equal(held->shared_by, facts->user.id);
    return is_same ? held : NULL;
}

THEN(graph_succeeded)
{
    const struct job *job = reported_job(facts, input);
    const struct connection *held = read_connection(facts, plan, job);
    plan_move_job(plan, plan_job(plan, job), JOB_SUCCEEDED, SL_STR_NONE);
    if (held)
        plan_connection(plan, held)->catalog = input->as.job.catalog;
    plan_applied(plan, held ? "the connection's teams are known" : "the connection is not shared any more");
}
