/* commons.c - see commons.h.
 *
 * The same four functions for each kind of row, made by one macro: find it, add it, copy it into a plan, carry the
 * plan's version back. Invariant: a row is in its array once, by its key.
 */
#include "worker/decide/commons.h"

#include <string.h>

#include "worker/decide/plan.h"

static const char *const ROLE_NAMES[ROLE_COUNT] = {"", "member", "admin", "owner"};

const char *member_role_name(enum member_role role)
{
    SL_ASSERT(role < ROLE_COUNT);
    return ROLE_NAMES[role];
}

enum member_role member_role_parse(struct sl_str text)
{
    for (int i = ROLE_MEMBER; i < ROLE_COUNT; i++) {
        if (sl_str_is(text, ROLE_NAMES[i]))
            return (enum member_role)i;
    }
    return ROLE_NONE;
}

/* Room for one more pointer; the old array stays in the arena until the batch ends. */
static void *with_room(struct sl_arena *arena, void *array, size_t count, size_t *cap)
{
    if (count < *cap)
        return array;
    size_t cap_new = *cap ? *cap * 2 : 8;
    void *copy = sl_arena_alloc(arena, cap_new, sizeof(void *));
    if (count)
        memcpy(copy, array, count * sizeof(void *));
    *cap = cap_new;
    return copy;
}

static bool is_same_workspace(const struct workspace *a, const struct workspace *b)
{
    return sl_uuid_equal(a->id, b->id);
}

static bool is_same_member(const struct member *a, const struct member *b)
{
    return sl_uuid_equal(a->workspace_id, b->workspace_id) && sl_str_equal(a->user_id, b->user_id);
}

static bool is_same_invite(const struct invite *a, const struct invite *b)
{
    return sl_uuid_equal(a->id, b->id);
}

static bool is_same_connection(const struct connection *a, const struct connection *b)
{
    return sl_uuid_equal(a->workspace_id, b->workspace_id) && sl_str_equal(a->id, b->id);
}

static bool is_same_shared_workflow(const struct shared_workflow *a, const struct shared_workflow *b)
{
    return sl_uuid_equal(a->workspace_id, b->workspace_id) && sl_str_equal(a->workflow_id, b->workflow_id);
}

static bool is_same_run(const struct run *a, const struct run *b)
{
    return sl_uuid_equal(a->workspace_id, b->workspace_id) && sl_str_equal(a->id, b->id);
}

static bool is_same_early_access(const struct early_access *a, const struct early_access *b)
{
    return sl_str_equal(a->email, b->email);
}

#define ROW_FUNCTIONS(noun, array)                                                                                     \
    static struct noun *find_##noun(struct noun *const *rows, size_t count, const struct noun *key)                    \
    {                                                                                                                  \
        for (size_t i = 0; i < count; i++) {                                                                           \
            if (is_same_##noun(rows[i], key))                                                                          \
                return rows[i];                                                                                        \
        }                                                                                                              \
        return NULL;                                                                                                   \
    }                                                                                                                  \
    void commons_add_##noun(struct commons *commons, const struct noun *row, struct sl_arena *arena)                   \
    {                                                                                                                  \
        if (!find_##noun(commons->array, commons->noun##_count, row))                                                  \
            commons_load_##noun(commons, row, arena);                                                                  \
    }                                                                                                                  \
    void commons_load_##noun(struct commons *commons, const struct noun *row, struct sl_arena *arena)                  \
    {                                                                                                                  \
        commons->array = with_room(arena, (void *)commons->array, commons->noun##_count, &commons->noun##_cap);        \
        struct noun *copy = sl_arena_alloc(arena, 1, sizeof(*copy));                                                   \
        *copy = *row;                                                                                                  \
        commons->array[commons->noun##_count++] = copy;                                                                \
    }                                                                                                                  \
    static struct noun *planned_##noun(struct plan *plan, const struct noun *row)                                      \
    {                                                                                                                  \
        struct commons_changes *changes = &plan->commons;                                                              \
        struct noun *copy = find_##noun(changes->array, changes->noun##_count, row);                                   \
        if (copy)                                                                                                      \
            return copy;                                                                                               \
        changes->array = with_room(plan->arena, (void *)changes->array, changes->noun##_count, &changes->noun##_cap);  \
        copy = sl_arena_alloc(plan->arena, 1, sizeof(*copy));                                                          \
        *copy = *row;                                                                                                  \
        changes->array[changes->noun##_count++] = copy;                                                                \
        return copy;                                                                                                   \
    }                                                                                                                  \
    static void apply_##noun(struct commons *commons, const struct noun *version, struct sl_arena *arena)              \
    {                                                                                                                  \
        commons_add_##noun(commons, version, arena);                                                                   \
        struct noun *row = find_##noun(commons->array, commons->noun##_count, version);                                \
        SL_ASSERT(row);                                                                                                \
        bool exists = row->exists;                                                                                     \
        *row = *version;                                                                                               \
        row->exists = exists;                                                                                          \
        row->changed = true;                                                                                           \
    }

/* The macro's arguments are names. */
ROW_FUNCTIONS(workspace, workspaces)
ROW_FUNCTIONS(member, members)
ROW_FUNCTIONS(invite, invites)
ROW_FUNCTIONS(connection, connections)
ROW_FUNCTIONS(shared_workflow, shared_workflows)
ROW_FUNCTIONS(run, runs)
ROW_FUNCTIONS(early_access, early_accesses)

void commons_apply(struct commons *commons, const struct commons_changes *changes, struct sl_arena *arena)
{
    for (size_t i = 0; i < changes->workspace_count; i++)
        apply_workspace(commons, changes->workspaces[i], arena);
    for (size_t i = 0; i < changes->member_count; i++)
        apply_member(commons, changes->members[i], arena);
    for (size_t i = 0; i < changes->invite_count; i++)
        apply_invite(commons, changes->invites[i], arena);
    for (size_t i = 0; i < changes->connection_count; i++)
        apply_connection(commons, changes->connections[i], arena);
    for (size_t i = 0; i < changes->shared_workflow_count; i++)
        apply_shared_workflow(commons, changes->shared_workflows[i], arena);
    for (size_t i = 0; i < changes->run_count; i++)
        apply_run(commons, changes->runs[i], arena);
    for (size_t i = 0; i < changes->early_access_count; i++)
        apply_early_access(commons, changes->early_accesses[i], arena);
}

const struct workspace *commons_workspace(const struct commons *commons, struct sl_uuid id)
{
    const struct workspace key = {.id = id};
    const struct workspace *row = find_workspace(commons->workspaces, commons->workspace_count, &key);
    return row && !row->closed_at_ms ? row : NULL;
}

const struct member *commons_member(const struct commons *commons, struct sl_uuid workspace_id, struct sl_str user_id)
{
    const struct member key = {.workspace_id = workspace_id, .user_id = user_id};
    const struct member *row = find_member(commons->members, commons->member_count, &key);
    return row && !row->gone ? row : NULL;
}

const struct invite *commons_invite(const struct commons *commons, struct sl_str token_sha256)
{
    for (size_t i = 0; i < commons->invite_count; i++) {
        if (sl_str_equal(commons->invites[i]->token_sha256, token_sha256))
            return commons->invites[i];
    }
    return NULL;
}

const struct connection *commons_connection(const struct commons *commons, struct sl_uuid workspace_id,
                                            struct sl_str id)
{
    const struct connection key = {.workspace_id = workspace_id, .id = id};
    const struct connection *row = find_connection(commons->connections, commons->connection_count, &key);
    return row && !row->gone ? row : NULL;
}

const struct run *commons_run(const struct commons *commons, struct sl_uuid workspace_id, struct sl_str id)
{
    const struct run key = {.workspace_id = workspace_id, .id = id};
    return find_run(commons->runs, commons->run_count, &key);
}

const struct early_access *commons_early_access(const struct commons *commons, struct sl_str email)
{
    const struct early_access key = {.email = email};
    return find_early_access(commons->early_accesses, commons->early_access_count, &key);
}

struct workspace *plan_workspace(struct plan *plan, const struct workspace *row)
{
    return planned_workspace(plan, row);
}

struct workspace *plan_workspace_new(struct plan *plan, struct sl_uuid id)
{
    const struct workspace row = {.id = id, .created_at_ms = plan->input->received_at_ms};
    return planned_workspace(plan, &row);
}

struct member *plan_member(struct plan *plan, const struct member *row)
{
    return planned_member(plan, row);
}

struct member *plan_member_new(struct plan *plan, struct sl_uuid workspace_id, struct sl_str user_id,
                               enum member_role role)
{
    const struct member key = {.workspace_id = workspace_id, .user_id = user_id};
    struct member *row = planned_member(plan, &key);
    row->role = role;
    row->joined_at_ms = plan->input->received_at_ms;
    row->gone = false;
    return row;
}

struct invite *plan_invite(struct plan *plan, const struct invite *row)
{
    return planned_invite(plan, row);
}

struct invite *plan_invite_new(struct plan *plan, struct sl_uuid id)
{
    const struct invite row = {.id = id, .created_at_ms = plan->input->received_at_ms};
    return planned_invite(plan, &row);
}

struct connection *plan_connection(struct plan *plan, const struct connection *row)
{
    return planned_connection(plan, row);
}

struct connection *plan_connection_new(struct plan *plan, struct sl_uuid workspace_id, struct sl_str id)
{
    const struct connection key = {.workspace_id = workspace_id, .id = id};
    struct connection *row = planned_connection(plan, &key);
    row->shared_at_ms = plan->input->received_at_ms;
    row->gone = false;
    return row;
}

void plan_share_workflow(struct plan *plan, const struct commons *commons, struct sl_uuid workspace_id,
                         struct sl_str workflow_id, struct sl_str shared_by)
{
    const struct shared_workflow key = {.workspace_id = workspace_id,
                                        .workflow_id = workflow_id,
                                        .shared_by = shared_by,
                                        .shared_at_ms = plan->input->received_at_ms};
    const struct shared_workflow *known =
        find_shared_workflow(commons->shared_workflows, commons->shared_workflow_count, &key);
    if (!known)
        (void)planned_shared_workflow(plan, &key);
}

struct run *plan_run(struct plan *plan, const struct run *row)
{
    return planned_run(plan, row);
}

struct run *plan_run_new(struct plan *plan, struct sl_uuid workspace_id, struct sl_str id)
{
    const struct run row = {.workspace_id = workspace_id, .id = id, .started_at_ms = plan->input->received_at_ms};
    return planned_run(plan, &row);
}

struct early_access *plan_early_access_new(struct plan *plan, struct sl_str email)
{
    const struct early_access row = {.email = email, .joined_at_ms = plan->input->received_at_ms};
    return planned_early_access(plan, &row);
}
