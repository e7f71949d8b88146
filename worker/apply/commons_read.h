/* commons_read.h - rows of Postgres to what users share, and the statements whose columns they are. Pure but for the
 * arena. */
#ifndef APPLY_COMMONS_READ_H
#define APPLY_COMMONS_READ_H

#include "common/pg.h"
#include "worker/decide/commons.h"

/* All take the same: $1 users, $2 workspaces named, $3 digests of invitations' tokens, $4 subscriptions named. They
 * read what belongs to the workspaces that these lead to. */
extern const char COMMONS_LOCK[]; /* goes first: locks the workspaces, in id order */
extern const char COMMONS_WORKSPACES[];
extern const char COMMONS_MEMBERS[];
extern const char COMMONS_INVITES[]; /* the open ones, and those of the digests */
extern const char COMMONS_CONNECTIONS[];
extern const char COMMONS_SHARED_WORKFLOWS[];
extern const char COMMONS_RUNS[];         /* and $5: runs named; locks them */
extern const char COMMONS_STALE_RUNS[];   /* $1: begun before, $2: at most so many; those that nobody else has locked */
extern const char COMMONS_EARLY_ACCESS[]; /* $1: addresses */
extern const char COMMONS_RUNS_UNLOCKED[]; /* for who only looks */
extern const char COMMONS_STALE_RUNS_UNLOCKED[];

struct workspace commons_read_workspace(const PGresult *result, int row, struct sl_arena *arena);
struct member commons_read_member(const PGresult *result, int row, struct sl_arena *arena);
struct invite commons_read_invite(const PGresult *result, int row, struct sl_arena *arena);
struct connection commons_read_connection(const PGresult *result, int row, struct sl_arena *arena);
struct shared_workflow commons_read_shared_workflow(const PGresult *result, int row, struct sl_arena *arena);
struct run commons_read_run(const PGresult *result, int row, struct sl_arena *arena);
struct early_access commons_read_early_access(const PGresult *result, int row, struct sl_arena *arena);

#endif
