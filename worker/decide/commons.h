/* commons.h - what several users share: workspaces, their members, invitations, connections, workflows and runs; and
 * the few things that are nobody's.
 *
 * One for the whole batch, filled by apply/commons_load under the workspaces' row locks (taken in id order, behind the
 * users'); facts_apply carries each plan into it, so that the next event, whosever it is, is decided over what the one
 * before it changed. Only what events of the batch need is here: the workspaces that their users are members of, that a
 * billing cycle ties to a subscription of theirs (who handed a workspace over may still pay for it), and those they
 * name. Strings and rows live in the batch's arena; a row keeps its address.
 */
#ifndef DECIDE_COMMONS_H
#define DECIDE_COMMONS_H

#include "worker/decide/facts.h"

enum member_role { ROLE_NONE = 0, ROLE_MEMBER, ROLE_ADMIN, ROLE_OWNER, ROLE_COUNT };
/* As Postgres spells them; parse gives ROLE_NONE for any other text. */
const char *member_role_name(enum member_role role);
enum member_role member_role_parse(struct sl_str text);

/* As in facts.h: `exists` says that Postgres has the row, `changed` that a plan of the batch changed it; `gone` that
 * the row is to be deleted (and counts as absent). */
struct workspace {
    struct sl_uuid id;
    struct sl_str name, owner_id, tier;
    int runs_used;
    int64_t runs_since_ms; /* 0: never */
    int64_t created_at_ms, closed_at_ms;
    struct sl_str cycle_subscription_id; /* of the billing cycle; empty: there is none */
    int64_t cycle_started_at_s, renews_at_s;
    bool exists, changed;
};

struct member {
    struct sl_uuid workspace_id;
    struct sl_str user_id;
    enum member_role role;
    int64_t joined_at_ms;
    bool exists, changed, gone;
};

struct invite {
    struct sl_uuid id, workspace_id;
    struct sl_str email, token_sha256, invited_by;
    int64_t created_at_ms, expires_at_ms, accepted_at_ms, revoked_at_ms;
    struct sl_str accepted_by;
    bool exists, changed;
};

struct connection {
    struct sl_uuid workspace_id;
    struct sl_str id, provider, shared_by, sealed;
    struct sl_str catalog; /* JSON array text; empty: not read yet */
    int64_t shared_at_ms;
    bool exists, changed, gone;
};

struct shared_workflow {
    struct sl_uuid workspace_id;
    struct sl_str workflow_id, shared_by;
    int64_t shared_at_ms;
    bool exists, changed;
};

struct run {
    struct sl_uuid workspace_id;
    struct sl_str id, workflow_id, user_id;
    int64_t started_at_ms, ended_at_ms;
    struct sl_str end_reason; /* finished, purged; empty: open */
    bool exists, changed;
};

struct early_access {
    struct sl_str email;
    int64_t joined_at_ms;
    bool exists, changed;
};

/* Growing arrays of rows that keep their address. */
#define COMMONS_ARRAYS                                                                                                 \
    struct workspace **workspaces;                                                                                     \
    struct member **members;                                                                                           \
    struct invite **invites;                                                                                           \
    struct connection **connections;                                                                                   \
    struct shared_workflow **shared_workflows;                                                                         \
    struct run **runs;                                                                                                 \
    struct early_access **early_accesses;                                                                              \
    size_t workspace_count, member_count, invite_count, connection_count, shared_workflow_count, run_count;            \
    size_t early_access_count;                                                                                         \
    size_t workspace_cap, member_cap, invite_cap, connection_cap, shared_workflow_cap, run_cap, early_access_cap

struct commons {
    COMMONS_ARRAYS;
};

/* The part of a plan that changes the commons: whole new versions. */
struct commons_changes {
    COMMONS_ARRAYS;
};

/* Lookups; NULL when absent, closed or gone. */
const struct workspace *commons_workspace(const struct commons *commons, struct sl_uuid id);
const struct member *commons_member(const struct commons *commons, struct sl_uuid workspace_id, struct sl_str user_id);
const struct invite *commons_invite(const struct commons *commons, struct sl_str token_sha256);
const struct connection *commons_connection(const struct commons *commons, struct sl_uuid workspace_id,
                                            struct sl_str id);
const struct run *commons_run(const struct commons *commons, struct sl_uuid workspace_id, struct sl_str id);
const struct early_access *commons_early_access(const struct commons *commons, struct sl_str email);

/* For the shell: adds a row (a copy is made in the arena). A row that is there already is left as it is. */
void commons_add_workspace(struct commons *commons, const struct workspace *row, struct sl_arena *arena);
void commons_add_member(struct commons *commons, const struct member *row, struct sl_arena *arena);
void commons_add_invite(struct commons *commons, const struct invite *row, struct sl_arena *arena);
void commons_add_connection(struct commons *commons, const struct connection *row, struct sl_arena *arena);
void commons_add_shared_workflow(struct commons *commons, const struct shared_workflow *row, struct sl_arena *arena);
void commons_add_run(struct commons *commons, const struct run *row, struct sl_arena *arena);
void commons_add_early_access(struct commons *commons, const struct early_access *row, struct sl_arena *arena);
/* The same without looking for it: the caller knows that it is not there. A batch may hold many thousands. */
void commons_load_workspace(struct commons *commons, const struct workspace *row, struct sl_arena *arena);
void commons_load_member(struct commons *commons, const struct member *row, struct sl_arena *arena);
void commons_load_invite(struct commons *commons, const struct invite *row, struct sl_arena *arena);
void commons_load_connection(struct commons *commons, const struct connection *row, struct sl_arena *arena);
void commons_load_shared_workflow(struct commons *commons, const struct shared_workflow *row, struct sl_arena *arena);
void commons_load_run(struct commons *commons, const struct run *row, struct sl_arena *arena);
void commons_load_early_access(struct commons *commons, const struct early_access *row, struct sl_arena *arena);
/* Carries a plan's changes in; marks what changed. Called by facts_apply. */
void commons_apply(struct commons *commons, const struct commons_changes *changes, struct sl_arena *arena);

/* For rules: a copy of the row in the plan, to be changed; the same copy when the plan has it already. The _new ones
 * make a row that is not there yet. All keep their address while the plan lasts. */
struct plan;
struct workspace *plan_workspace(struct plan *plan, const struct workspace *row);
struct workspace *plan_workspace_new(struct plan *plan, struct sl_uuid id);
struct member *plan_member(struct plan *plan, const struct member *row);
struct member *plan_member_new(struct plan *plan, struct sl_uuid workspace_id, struct sl_str user_id,
                               enum member_role role);
struct invite *plan_invite(struct plan *plan, const struct invite *row);
struct invite *plan_invite_new(struct plan *plan, struct sl_uuid id);
struct connection *plan_connection(struct plan *plan, const struct connection *row);
struct connection *plan_connection_new(struct plan *plan, struct sl_uuid workspace_id, struct sl_str id);
/* Nothing when it is shared already. */
void plan_share_workflow(struct plan *plan, const struct commons *commons, struct sl_uuid workspace_id,
                         struct sl_str workflow_id, struct sl_str shared_by);
struct run *plan_run(struct plan *plan, const struct run *row);
struct run *plan_run_new(struct plan *plan, struct sl_uuid workspace_id, struct sl_str id);
struct early_access *plan_early_access_new(struct plan *plan, struct sl_str email);

#endif
