/* pool.h - sessions with Postgres, one a thread, and the reads that wait for them.
 *
 * Reads are served in the order they came, by read-only sessions. Waiting is bounded in number and in time: what isn't
 * begun by then ends UNAVAILABLE. Keeps the part "postgres" of readiness, by asking when there is nothing else to do.
 */
#ifndef CONSOLE_POOL_H
#define CONSOLE_POOL_H

#include "common/admin.h"
#include "console/meters.h"
#include "console/read.h"

#define POOL_SESSIONS_MAX 64

enum pool_end { POOL_NONE = 0, POOL_FOUND, POOL_NOT_FOUND, POOL_UNAVAILABLE, POOL_FAILED };

/* The caller's, who leaves it (and its arena) alone from pool_submit until `done` is called: once, by any thread. */
struct pool_job {
    struct read_ask ask;
    struct sl_arena *arena;
    void (*done)(void *arg);
    void *arg;
    enum pool_end end;     /* filled in */
    struct sl_str json;    /* FOUND: in the arena */
    struct sl_err error;   /* UNAVAILABLE, FAILED */
    struct pool_job *next; /* the pool's */
    int64_t queued_at_ms;
};

struct pool_options {
    const char *url; /* borrowed for the pool's life */
    unsigned sessions;
    unsigned waiting_max;
    int64_t wait_ms;
    int64_t statement_timeout_ms;
    struct sl_readiness *readiness;
    const struct meters *meters;
};

struct pool;

/* Postgres being away doesn't hold it up. FATAL when a thread can't be started. */
SL_MUST_CHECK struct pool *pool_start(const struct pool_options *options, struct sl_err *err);
/* What waits ends UNAVAILABLE, what is under way is waited for; joins and frees. Accepts NULL. */
void pool_stop(struct pool *pool);

/* False: too many wait; `done` is not called. */
SL_MUST_CHECK bool pool_submit(struct pool *pool, struct pool_job *job, int64_t now_ms);
/* Ends what has waited too long. Called every tenth of a second or so. */
void pool_expire(struct pool *pool, int64_t now_ms);

#endif
