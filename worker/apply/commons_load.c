/* commons_load.c - see commons_load.h. */
#include "worker/apply/commons_load.h"

#include "worker/apply/commons_read.h"
#include "worker/apply/resolve.h"

/* What the batch's events name, by way of which workspaces are found. */
struct names {
    struct sl_pg_array *users, *workspaces, *tokens, *subscriptions, *runs, *addresses;
    bool has_readers;        /* of workspaces */
    int64_t stale_before_ms; /* runs begun before it are wanted; 0: none are */
};

static struct names names_create(struct sl_arena *arena)
{
    return (struct names){
        .users = sl_pg_array_create(arena, SL_PG_TEXT),
        .workspaces = sl_pg_array_create(arena, SL_PG_UUID),
        .tokens = sl_pg_array_create(arena, SL_PG_BYTEA),
        .subscriptions = sl_pg_array_create(arena, SL_PG_TEXT),
        .runs = sl_pg_array_create(arena, SL_PG_TEXT),
        .addresses = sl_pg_array_create(arena, SL_PG_TEXT),
    };
}

static void add_text(struct sl_pg_array *array, struct sl_str text)
{
    if (!sl_str_empty(text))
        sl_pg_array_text(array, text);
}

static void add_names(struct names *names, const struct attempt *attempt, const struct input *input)
{
    struct sl_uuid workspace_id = resolve_workspace_id(input);
    names->has_readers = true;
    add_text(names->users, resolve_user(attempt, input));
    add_text(names->tokens, resolve_token_sha256(input));
    add_text(names->subscriptions, resolve_subscription_id(input));
    add_text(names->runs, resolve_run_id(input));
    if (!sl_uuid_is_nil(workspace_id))
        sl_pg_array_uuid(names->workspaces, workspace_id);
}

static void add_stale(struct names *names, const struct attempt *attempt, const struct input *input)
{
    int64_t older_ms = input->as.purge.older_than_ms;
    older_ms = older_ms ? older_ms : attempt->shell->policy->stale_run_ms;
    if (input->received_at_ms - older_ms > names->stale_before_ms)
        names->stale_before_ms = input->received_at_ms - older_ms;
}

static struct names names_of(const struct attempt *attempt)
{
    struct names names = names_create(attempt->arena);
    for (size_t i = 0; i < attempt->count; i++) {
        const struct input *input = &attempt->items[i]->input;
        unsigned reads = attempt->items[i]->has_input ? resolve_reads(input) : 0;
        if (reads & READS_WORKSPACES)
            add_names(&names, attempt, input);
        if (reads & READS_STALE_RUNS)
            add_stale(&names, attempt, input);
        if (reads & READS_EARLY_ACCESS)
            add_text(names.addresses, resolve_early_access(input));
    }
    return names;
}

static void queue_workspaces(const struct names *names, bool only_looks, struct sl_arena *arena,
                             struct pipeline *pipeline, struct commons_queries *queries)
{
    struct sl_pg_params params;
    sl_pg_params_init(&params, arena);
    sl_pg_array(&params, names->users);
    sl_pg_array(&params, names->workspaces);
    sl_pg_array(&params, names->tokens);
    sl_pg_array(&params, names->subscriptions);
    if (!only_looks)
        (void)pipeline_add(pipeline, COMMONS_LOCK, &params);
    queries->workspaces = pipeline_add(pipeline, COMMONS_WORKSPACES, &params);
    queries->members = pipeline_add(pipeline, COMMONS_MEMBERS, &params);
    queries->invites = pipeline_add(pipeline, COMMONS_INVITES, &params);
    queries->connections = pipeline_add(pipeline, COMMONS_CONNECTIONS, &params);
    queries->shared_workflows = pipeline_add(pipeline, COMMONS_SHARED_WORKFLOWS, &params);
    if (!sl_pg_array_count(names->runs))
        return;
    sl_pg_array(&params, names->runs);
    queries->runs = pipeline_add(pipeline, only_looks ? COMMONS_RUNS_UNLOCKED : COMMONS_RUNS, &params);
}

struct commons_queries commons_load_queue(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct commons_queries queries = {-1, -1, -1, -1, -1, -1, -1, -1};
    struct names names = names_of(attempt);
    struct sl_pg_params params;
    if (names.has_readers)
        queue_workspaces(&names, attempt->only_looks, attempt->arena, pipeline, &queries);
    if (names.stale_before_ms) {
        sl_pg_params_init(&params, attempt->arena);
        sl_pg_at_ms(&params, names.stale_before_ms);
        sl_pg_int8(&params, COMMONS_STALE_RUNS_MAX);
        queries.stale_runs =
            pipeline_add(pipeline, attempt->only_looks ? COMMONS_STALE_RUNS_UNLOCKED : COMMONS_STALE_RUNS, &params);
    }
    if (sl_pg_array_count(names.addresses)) {
        sl_pg_params_init(&params, attempt->arena);
        sl_pg_array(&params, names.addresses);
        queries.early_accesses = pipeline_add(pipeline, COMMONS_EARLY_ACCESS, &params);
    }
    return queries;
}

/* Reads each row of a result into the commons. `take` is add where another result may have it too, else load. */
#define READ_ROWS(noun, index, take)                                                                                   \
    do {                                                                                                               \
        const PGresult *result = pipeline_result(pipeline, (index));                                                   \
        for (int row = 0; result && row < PQntuples(result); row++) {                                                  \
            const struct noun read = commons_read_##noun(result, row, attempt->arena);                                 \
            commons_##take##_##noun(&attempt->commons, &read, attempt->arena);                                         \
        }                                                                                                              \
    } while (0)

void commons_load_read(struct attempt *attempt, const struct pipeline *pipeline, const struct commons_queries *queries)
{
    READ_ROWS(workspace, queries->workspaces, load);
    READ_ROWS(member, queries->members, load);
    READ_ROWS(invite, queries->invites, load);
    READ_ROWS(connection, queries->connections, load);
    READ_ROWS(shared_workflow, queries->shared_workflows, load);
    READ_ROWS(run, queries->runs, load);
    READ_ROWS(run, queries->stale_runs, add);
    READ_ROWS(early_access, queries->early_accesses, load);
}
