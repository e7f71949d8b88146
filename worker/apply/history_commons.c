/* history_commons.c - see history_commons.h. Rows stand in the order in which commons_read.c's statements give them. */
#include "worker/apply/history_commons.h"

#include <stdlib.h>
#include <string.h>

#include "worker/apply/commons_load.h"
#include "worker/apply/owners.h"
#include "worker/apply/resolve.h"

/* The workspaces that something leads to, or once led to. */
struct space_index {
    struct row_list spaces; /* struct shared_space */
    struct sl_str key;
    char text[];
};

static void index_add(struct table *table, struct sl_str key, struct shared_space *space)
{
    struct space_index *index = table_get(table, key);
    if (!index) {
        index = sl_calloc(1, sizeof(*index) + key.len);
        memcpy(index->text, key.ptr, key.len);
        index->key = (struct sl_str){.ptr = index->text, .len = key.len};
        table_put(table, index->key, index);
    }
    for (size_t i = 0; i < index->spaces.count; i++) {
        if (index->spaces.items[i] == space)
            return;
    }
    row_list_add(&index->spaces, space);
}

/* Loading. */

/* The workspaces that an event reaches, each once. */
struct reach {
    struct shared_space **spaces;
    size_t count, cap;
    struct sl_arena *arena;
};

static void reach_add(struct reach *reach, struct shared_space *space)
{
    for (size_t i = 0; i < reach->count; i++) {
        if (reach->spaces[i] == space)
            return;
    }
    if (reach->count == reach->cap) {
        reach->cap = reach->cap ? reach->cap * 2 : 8;
        struct shared_space **grown = sl_arena_alloc(reach->arena, reach->cap, sizeof(*grown));
        if (reach->count)
            memcpy(grown, reach->spaces, reach->count * sizeof(*grown));
        reach->spaces = grown;
    }
    reach->spaces[reach->count++] = space;
}

static bool has_member(const struct shared_space *space, struct sl_str user_id)
{
    for (size_t i = 0; i < space->members.count; i++) {
        if (sl_str_equal(((const struct member *)space->members.items[i])->user_id, user_id))
            return true;
    }
    return false;
}

static void reach_by_member(struct reach *reach, const struct history_commons *store, struct sl_str user_id)
{
    const struct space_index *index = sl_str_empty(user_id) ? NULL : table_get(&store->of_users, user_id);
    for (size_t i = 0; index && i < index->spaces.count; i++) {
        if (has_member(index->spaces.items[i], user_id))
            reach_add(reach, index->spaces.items[i]);
    }
}

static void reach_by_payer(struct reach *reach, const struct history_commons *store, struct sl_str subscription_id)
{
    const struct space_index *index =
        sl_str_empty(subscription_id) ? NULL : table_get(&store->of_payers, subscription_id);
    for (size_t i = 0; index && i < index->spaces.count; i++) {
        struct shared_space *space = index->spaces.items[i];
        if (sl_str_equal(space->workspace->cycle_subscription_id, subscription_id))
            reach_add(reach, space);
    }
}

static void reach_by_id(struct reach *reach, const struct history_commons *store, struct sl_uuid id)
{
    struct shared_space *space = table_get(&store->spaces, owners_key(&id));
    if (space)
        reach_add(reach, space);
}

static int by_id(const void *a, const void *b)
{
    const struct shared_space *first = *(struct shared_space *const *)a;
    const struct shared_space *second = *(struct shared_space *const *)b;
    return sl_uuid_compare(first->workspace->id, second->workspace->id);
}

static int by_joining(const void *a, const void *b)
{
    const struct member *first = *(struct member *const *)a;
    const struct member *second = *(struct member *const *)b;
    int order = sl_uuid_compare(first->workspace_id, second->workspace_id);
    if (!order)
        order = (first->joined_at_ms > second->joined_at_ms) - (first->joined_at_ms < second->joined_at_ms);
    return order ? order : sl_str_compare(first->user_id, second->user_id);
}

static int by_making(const void *a, const void *b)
{
    const struct invite *first = *(struct invite *const *)a;
    const struct invite *second = *(struct invite *const *)b;
    int order = (first->created_at_ms > second->created_at_ms) - (first->created_at_ms < second->created_at_ms);
    return order ? order : sl_uuid_compare(first->id, second->id);
}

static int by_connection(const void *a, const void *b)
{
    const struct connection *first = *(struct connection *const *)a;
    const struct connection *second = *(struct connection *const *)b;
    int order = sl_uuid_compare(first->workspace_id, second->workspace_id);
    return order ? order : sl_str_compare(first->id, second->id);
}

static int by_beginning(const void *a, const void *b)
{
    const struct run *first = *(struct run *const *)a;
    const struct run *second = *(struct run *const *)b;
    return (first->started_at_ms > second->started_at_ms) - (first->started_at_ms < second->started_at_ms);
}

#define TAKE_ALL(noun, list)                                                                                           \
    for (size_t i = 0; i < (list).count; i++)                                                                          \
    commons_load_##noun(commons, (const struct noun *)(list).items[i], arena)

static void take_space(struct commons *commons, const struct shared_space *space, struct sl_arena *arena)
{
    commons_load_workspace(commons, space->workspace, arena);
    TAKE_ALL(member, space->members);
    TAKE_ALL(invite, space->invites);
    TAKE_ALL(connection, space->connections);
    TAKE_ALL(shared_workflow, space->workflows);
}

static void take_spaces(const struct history_commons *store, const struct input *input, struct commons *commons,
                        struct reach *reach)
{
    struct sl_str token = resolve_token_sha256(input);
    struct sl_str run_id = resolve_run_id(input);
    const struct invite *invite = sl_str_empty(token) ? NULL : table_get(&store->invites, token);
    if (invite)
        reach_by_id(reach, store, invite->workspace_id);
    if (reach->count)
        qsort(reach->spaces, reach->count, sizeof(*reach->spaces), by_id);
    for (size_t i = 0; i < reach->count; i++) {
        take_space(commons, reach->spaces[i], reach->arena);
        const struct run *run = sl_str_empty(run_id) ? NULL : table_get(&reach->spaces[i]->runs, run_id);
        if (run)
            commons_load_run(commons, run, reach->arena);
    }
    if (invite)
        commons_add_invite(commons, invite, reach->arena);
    if (commons->member_count)
        qsort(commons->members, commons->member_count, sizeof(struct member *), by_joining);
    if (commons->invite_count)
        qsort(commons->invites, commons->invite_count, sizeof(struct invite *), by_making);
    if (commons->connection_count)
        qsort(commons->connections, commons->connection_count, sizeof(struct connection *), by_connection);
}

static void take_stale(const struct history_commons *store, const struct input *input, const struct policy *policy,
                       struct commons *commons, struct sl_arena *arena)
{
    int64_t older_ms = input->as.purge.older_than_ms ? input->as.purge.older_than_ms : policy->stale_run_ms;
    size_t count = 0;
    struct run **stale = sl_arena_alloc(arena, store->open_runs.count + 1, sizeof(*stale));
    for (size_t i = 0; i < store->open_runs.count; i++) {
        struct run *run = store->open_runs.items[i];
        if (run->started_at_ms < input->received_at_ms - older_ms)
            stale[count++] = run;
    }
    if (count)
        qsort(stale, count, sizeof(*stale), by_beginning);
    for (size_t i = 0; i < count && i < COMMONS_STALE_RUNS_MAX; i++)
        commons_load_run(commons, stale[i], arena);
}

void history_commons_load(const struct history_commons *store, const struct input *input, unsigned reads,
                          const struct policy *policy, const struct row_list *subscriptions,
                          struct commons *ret_commons, struct sl_arena *arena)
{
    struct reach reach = {.arena = arena};
    *ret_commons = (struct commons){0};
    if (reads & READS_WORKSPACES) {
        reach_by_member(&reach, store, input->user_id);
        reach_by_id(&reach, store, resolve_workspace_id(input));
        reach_by_payer(&reach, store, resolve_subscription_id(input));
        for (size_t i = 0; subscriptions && i < subscriptions->count; i++)
            reach_by_payer(&reach, store, ((const struct subscription *)subscriptions->items[i])->id);
        take_spaces(store, input, ret_commons, &reach);
    }
    if (reads & READS_STALE_RUNS)
        take_stale(store, input, policy, ret_commons, arena);
    struct sl_str address = resolve_early_access(input);
    const struct early_access *early = sl_str_empty(address) ? NULL : table_get(&store->early_accesses, address);
    if ((reads & READS_EARLY_ACCESS) && early)
        commons_load_early_access(ret_commons, early, arena);
}

/* Keeping. */

static struct shared_space *space_of(struct history_commons *store, struct sl_uuid id)
{
    return table_get(&store->spaces, owners_key(&id));
}

static void keep_workspace(struct history_commons *store, const struct workspace *row)
{
    struct shared_space *space = space_of(store, row->id);
    struct workspace *kept = row_keep(ROW_WORKSPACE, row);
    kept->changed = false;
    if (space) {
        row_list_add(&store->trash, space->workspace);
    } else {
        space = sl_calloc(1, sizeof(*space));
    }
    space->workspace = kept;
    table_put(&store->spaces, owners_key(&kept->id), space);
    if (!sl_str_empty(kept->cycle_subscription_id))
        index_add(&store->of_payers, kept->cycle_subscription_id, space);
}

/* Puts a new version of a row into its list, or takes it out; `is_same` finds the one before. */
static void *renew(struct history_commons *store, struct row_list *list, enum row_kind kind, const void *row, bool gone,
                   bool (*is_same)(const void *a, const void *b))
{
    void *before = NULL;
    for (size_t i = 0; i < list->count && !before; i++)
        before = is_same(list->items[i], row) ? list->items[i] : NULL;
    void *kept = gone ? NULL : row_keep(kind, row);
    if (kept)
        row_list_replace(list, before, kept);
    else if (before)
        row_list_remove(list, before);
    if (before)
        row_list_add(&store->trash, before);
    return kept;
}

static bool is_same_member(const void *a, const void *b)
{
    return sl_str_equal(((const struct member *)a)->user_id, ((const struct member *)b)->user_id);
}

static bool is_same_connection(const void *a, const void *b)
{
    return sl_str_equal(((const struct connection *)a)->id, ((const struct connection *)b)->id);
}

static bool is_same_workflow(const void *a, const void *b)
{
    return sl_str_equal(((const struct shared_workflow *)a)->workflow_id,
                        ((const struct shared_workflow *)b)->workflow_id);
}

static void keep_member(struct history_commons *store, const struct member *row)
{
    struct shared_space *space = space_of(store, row->workspace_id);
    struct member *kept = renew(store, &space->members, ROW_MEMBER, row, row->gone, is_same_member);
    if (!kept)
        return;
    kept->changed = false;
    index_add(&store->of_users, kept->user_id, space);
}

static void keep_connection(struct history_commons *store, const struct connection *row)
{
    struct shared_space *space = space_of(store, row->workspace_id);
    struct connection *kept = renew(store, &space->connections, ROW_CONNECTION, row, row->gone, is_same_connection);
    if (kept)
        kept->changed = false;
}

static void keep_workflow(struct history_commons *store, const struct shared_workflow *row)
{
    struct shared_space *space = space_of(store, row->workspace_id);
    struct shared_workflow *kept = renew(store, &space->workflows, ROW_SHARED_WORKFLOW, row, false, is_same_workflow);
    kept->changed = false;
}

/* In the table for good, in its workspace's list while it is open. */
static void keep_invite(struct history_commons *store, const struct invite *row)
{
    struct shared_space *space = space_of(store, row->workspace_id);
    struct invite *before = sl_str_empty(row->token_sha256) ? NULL : table_get(&store->invites, row->token_sha256);
    struct invite *kept = row_keep(ROW_INVITE, row);
    kept->changed = false;
    if (kept->accepted_at_ms || kept->revoked_at_ms) {
        row_list_remove(&space->invites, before);
    } else {
        row_list_replace(&space->invites, before, kept);
    }
    table_put(&store->invites, kept->token_sha256, kept);
    if (before)
        row_list_add(&store->trash, before);
}

static void keep_run(struct history_commons *store, const struct run *row)
{
    struct shared_space *space = space_of(store, row->workspace_id);
    struct run *before = table_get(&space->runs, row->id);
    struct run *kept = row_keep(ROW_RUN, row);
    kept->changed = false;
    table_put(&space->runs, kept->id, kept);
    if (!kept->ended_at_ms)
        row_list_replace(&store->open_runs, before, kept);
    else if (before)
        row_list_remove(&store->open_runs, before);
    if (before)
        row_list_add(&store->trash, before);
}

static void keep_early_access(struct history_commons *store, const struct early_access *row)
{
    struct early_access *before = table_get(&store->early_accesses, row->email);
    struct early_access *kept = row_keep(ROW_EARLY_ACCESS, row);
    kept->changed = false;
    table_put(&store->early_accesses, kept->email, kept);
    if (before)
        row_list_add(&store->trash, before);
}

#define KEEP_CHANGED(noun, array, count, keep)                                                                         \
    for (size_t i = 0; i < commons->count; i++) {                                                                      \
        if (commons->array[i]->changed)                                                                                \
            keep(store, commons->array[i]);                                                                            \
    }

void history_commons_keep(struct history_commons *store, const struct commons *commons)
{
    KEEP_CHANGED(workspace, workspaces, workspace_count, keep_workspace)
    KEEP_CHANGED(member, members, member_count, keep_member)
    KEEP_CHANGED(invite, invites, invite_count, keep_invite)
    KEEP_CHANGED(connection, connections, connection_count, keep_connection)
    KEEP_CHANGED(shared_workflow, shared_workflows, shared_workflow_count, keep_workflow)
    KEEP_CHANGED(run, runs, run_count, keep_run)
    KEEP_CHANGED(early_access, early_accesses, early_access_count, keep_early_access)
}

/* Ending. */

static void free_index(void *value)
{
    struct space_index *index = value;
    row_list_deinit(&index->spaces);
    free(index);
}

static void free_rows(struct row_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    row_list_deinit(list);
}

static void free_space(void *value)
{
    struct shared_space *space = value;
    free_rows(&space->members);
    free_rows(&space->connections);
    free_rows(&space->workflows);
    row_list_deinit(&space->invites); /* the table's */
    table_each(&space->runs, free);
    table_deinit(&space->runs);
    free(space->workspace);
    free(space);
}

void history_commons_sweep(struct history_commons *store)
{
    for (size_t i = 0; i < store->trash.count; i++)
        free(store->trash.items[i]);
    store->trash.count = 0;
}

void history_commons_deinit(struct history_commons *store)
{
    history_commons_sweep(store);
    row_list_deinit(&store->trash);
    row_list_deinit(&store->open_runs);
    table_each(&store->of_users, free_index);
    table_each(&store->of_payers, free_index);
    table_each(&store->invites, free);
    table_each(&store->early_accesses, free);
    table_each(&store->spaces, free_space);
    table_deinit(&store->of_users);
    table_deinit(&store->of_payers);
    table_deinit(&store->invites);
    table_deinit(&store->early_accesses);
    table_deinit(&store->spaces);
}
