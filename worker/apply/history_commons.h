/* history_commons.h - what several users share, in memory, while the log is decided again: what commons_load takes from
 * Postgres for a batch, history takes from here for one event. For history.c. */
#ifndef APPLY_HISTORY_COMMONS_H
#define APPLY_HISTORY_COMMONS_H

#include "worker/apply/history_rows.h"
#include "worker/apply/table.h"
#include "worker/decide/input.h"

/* A workspace and what belongs to it, as rows kept; of its invitations the open ones. */
struct shared_space {
    struct workspace *workspace;
    struct row_list members, invites, connections, workflows;
    struct table runs; /* struct run by id */
};

struct history_commons {
    struct table spaces;         /* struct shared_space by the workspace's id */
    struct table of_users;       /* struct space_index by member: spaces that he is, or was, in */
    struct table of_payers;      /* struct space_index by subscription: spaces that it pays, or paid, for */
    struct table invites;        /* struct invite by token_sha256, ended ones too */
    struct table early_accesses; /* struct early_access by address */
    struct row_list open_runs;   /* struct run, of everybody */
    struct row_list trash;       /* rows that were replaced, which somebody may still look at */
};

void history_commons_deinit(struct history_commons *store);

/* Frees what was replaced: nobody looks at a commons of before any more. */
void history_commons_sweep(struct history_commons *store);
/* What the event's rules read, made in `arena`. `subscriptions`: the user's (struct subscription), may be NULL. */
void history_commons_load(const struct history_commons *store, const struct input *input, unsigned reads,
                          const struct policy *policy, const struct row_list *subscriptions,
                          struct commons *ret_commons, struct sl_arena *arena);
/* Keeps the rows that changed in a commons of history_commons_load. */
void history_commons_keep(struct history_commons *store, const struct commons *commons);

#endif
