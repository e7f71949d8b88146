/* engine_internal.h - the engine's parts, which its files share and nobody else includes.
 *
 * engine.c: the thread and what others may call. drive.c: from step to step. write.c: the set-based write-backs.
 * claim.c: new jobs. lease.c: renewals, cloud_state. Everything below `thread` is that thread's alone.
 */
#ifndef EXECUTE_ENGINE_INTERNAL_H
#define EXECUTE_ENGINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/http.h"
#include "common/pg.h"
#include "worker/execute/calls.h"
#include "worker/execute/engine.h"
#include "worker/execute/lane.h"
#include "worker/outbox/outbox.h"

#define ENGINE_WRITES_AT_ONCE_MAX 256
/* Of their catalogs, which are written several times over: into a row, an event and the outbox, each in an array that
 * has grown by doubling. All of that is in the engine's arena, whose bound is an assertion. */
#define ENGINE_WRITE_BYTES_MAX ((int64_t)2 * 1024 * 1024)

enum drain_stage { DRAIN_NOT = 0, DRAIN_ASKED, DRAIN_EXPIRED };

/* What the next transaction writes: a lone flight whose write failed for good is tried without the calls' rows, and
 * then those without flights. */
enum write_part { WRITE_ALL = 0, WRITE_FLIGHT, WRITE_CALLS };

struct engine {
    struct sl_readiness *readiness;
    struct sl_metrics *metrics;
    char *worker_id;
    struct outbox *outbox;
    struct sl_http *http;
    atomic_bool woken;
    _Atomic(struct settings *) next_settings; /* handed over by engine_reload */
    atomic_int drain_ms;                      /* -1: not draining; else how long calls may take to end */
    pthread_mutex_t mutex;                    /* of the three below */
    pthread_cond_t ended;
    bool has_ended, ended_clean, started;
    pthread_t thread;

    struct settings *settings;
    struct cloud_account accounts[CLOUD_COUNT]; /* those of the settings, with the access token in force */
    struct recipe_settings recipe_settings;
    struct lane lanes[CLOUD_COUNT];
    struct flight_pool pool;
    struct flight_list ready;
    struct sleepers sleepers;
    struct write_set writes;
    struct calls calls;
    size_t flying; /* flights taken from the pool */
    struct sl_pg *pg;
    struct sl_arena *arena; /* of one round with Postgres */
    int64_t pg_retry_at_mono_ms;
    int pg_failures; /* in a row */
    bool pg_well;
    size_t writes_at_once; /* halved after a failure that comes again */
    enum write_part write_part;
    int64_t claim_at_mono_ms, claim_rest_until_mono_ms, renew_at_mono_ms, state_at_mono_ms;
    int claim_turn;                  /* whose home is claimed for first */
    int64_t overdue_at_mono_ms;      /* when overdue jobs are claimed next */
    int64_t overdue_scan_at_mono_ms; /* when those under way are looked through next */
    enum drain_stage drain;
    int64_t drain_until_mono_ms;
    uint64_t random_state;
    struct cloud_request scratch;
    struct sl_metric *jobs_total;
    struct sl_metric_series *lost_total, *claimed_total, *flying_gauge, *writes_total, *write_seconds;
};

uint64_t engine_random(struct engine *engine);

/* drive.c */
void drive_all(struct engine *engine); /* wakes sleepers, enters steps, fills slots, until nothing more can move without
                                          Postgres or a reply */
void drive_call(struct engine *engine, struct flight *flight); /* its intent is committed: calls */
void drive_lost(struct engine *engine, struct flight *flight); /* the fence has moved on */
void drive_cancel_asked(struct engine *engine, struct flight *flight);
void drive_end(struct engine *engine, struct flight *flight, enum flight_end end, int64_t after_ms, const char *error);
void drive_free(struct engine *engine, struct flight *flight);
void drive_drain(struct engine *engine); /* every flight without a call goes back */
int64_t drive_wait_ms(struct engine *engine, int64_t mono_ms, int64_t wall_ms);

/* write.c; false: Postgres failed, and `err` says how */
bool write_pending(const struct engine *engine);
SL_MUST_CHECK bool write_some(struct engine *engine, struct sl_err *err);
/* claim.c */
SL_MUST_CHECK bool claim_jobs(struct engine *engine, struct sl_err *err);
/* lease.c */
SL_MUST_CHECK bool lease_renew(struct engine *engine, struct sl_err *err);
SL_MUST_CHECK bool lease_write_cloud_state(struct engine *engine, struct sl_err *err);

#endif
