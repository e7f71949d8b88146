/* sweep.c - the thread of sweep.h: a table of chores, each with its interval; one that fails is logged and comes again.
 */
#include "worker/sweep/sweep.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/fault.h"
#include "common/log.h"
#include "worker/sweep/chores.h"

#define CONNECT_TIMEOUT_MS 5000
#define SLICE_MS           50 /* how late a stop or a delivery report is noticed */
#define ROUNDS_MAX         20 /* of one chore that has more to do, before the others get their turn */
#define FLUSH_TIMEOUT_MS   5000
#define ARENA_BYTES_MAX    ((size_t)256 * 1024 * 1024)

static const struct chore {
    const char *name;
    bool (*run)(struct sweeper *sweeper, bool *ret_more, struct sl_err *err);
    int64_t interval_ms; /* 0: each time [worker] sweep_interval has passed */
} CHORES[] = {
    {"presence", presence_note, 5000}, {"timers", timers_fire, 0},          {"leases", leases_reclaim, 0},
    {"held", held_release, 0},         {"leftovers", leftovers_publish, 0}, {"retention", retention_keep, 3600000},
};

struct sweep {
    struct sweeper sweeper;
    char *url;
    int64_t interval_ms;
    int64_t due_at_ms[SL_ARRAY_LEN(CHORES)]; /* on the monotonic clock */
    struct sl_metric *failures_total;
    atomic_bool stopping;
    atomic_bool ended;
    bool started;
    bool complained; /* that Postgres is away: once */
    pthread_t thread;
};

static struct sl_metric_series *counter(struct sl_metrics *metrics, const char *name, const char *help)
{
    return sl_metric_plain(sl_metrics_family(metrics, SL_METRIC_COUNTER, name, "", help));
}

struct sweep *sweep_create(const struct sweep_options *options, struct sl_err *err)
{
    struct sweep *sweep = sl_calloc(1, sizeof(*sweep));
    struct sl_metrics *metrics = options->metrics;
    sweep->url = sl_strdup(sl_config_cstr(options->config, "postgres", "url"));
    sweep->interval_ms = sl_config_int(options->config, "worker", "sweep_interval");
    sweep->failures_total = sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_sweep_failures_total", "chore",
                                              "Chores that failed, to be tried again");
    sweep->sweeper = (struct sweeper){
        .arena = sl_arena_create(ARENA_BYTES_MAX),
        .worker_id = options->worker_id,
        .started_at_ms = options->started_at_ms,
        .wake = options->wake,
        .wake_arg = options->wake_arg,
        .timers_total = counter(metrics, "sluice_sweep_timers_total", "Timers fired"),
        .leases_total = counter(metrics, "sluice_sweep_leases_total", "Jobs taken back from workers that are gone"),
        .leftovers_total = counter(metrics, "sluice_sweep_leftovers_total", "Outbox rows published in others' stead"),
        .held_total = counter(metrics, "sluice_sweep_held_released_total", "Held events published again"),
    };
    sweep->sweeper.outbox = outbox_create(options->config, metrics, "sweep", err);
    if (!sweep->sweeper.outbox) {
        sweep_destroy(sweep);
        return NULL;
    }
    return sweep;
}

void sweep_destroy(struct sweep *sweep)
{
    if (!sweep)
        return;
    SL_ASSERT(!sweep->started || atomic_load(&sweep->ended));
    outbox_destroy(sweep->sweeper.outbox, 0);
    sl_pg_close(sweep->sweeper.pg);
    sl_arena_destroy(sweep->sweeper.arena);
    free(sweep->url);
    free(sweep);
}

bool chores_commit(struct sweeper *sweeper, struct sl_err *err)
{
    PGresult *results[SL_PG_PIPELINE_MAX] = {0};
    bool has_staged = outbox_has_staged(sweeper->outbox);
    /* What the chore has queued itself stands before: at most one statement. */
    int queued = outbox_queue(sweeper->outbox, sweeper->pg, sweeper->arena, err);
    size_t count = queued < 0 ? 0 : (size_t)queued + 2;
    if (!count || !sl_pg_queue(sweeper->pg, SL_PG_COMMIT, NULL, err) ||
        !sl_pg_flush(sweeper->pg, results, count, err)) {
        outbox_rolled_back(sweeper->outbox);
        sl_pg_rollback(sweeper->pg);
        return false;
    }
    sl_fault_if(has_staged, "sweep.after_timers");
    outbox_committed(sweeper->outbox, has_staged ? results[count - 2] : NULL);
    for (size_t i = 0; i < count; i++)
        PQclear(results[i]);
    return true;
}

/* Rows that Kafka has are deleted. */
static bool delete_confirmed(struct sweeper *sweeper, struct sl_err *err)
{
    if (!outbox_has_confirmed(sweeper->outbox))
        return true;
    sl_arena_reset(sweeper->arena);
    if (!sl_pg_queue(sweeper->pg, SL_PG_BEGIN, NULL, err)) {
        sl_pg_rollback(sweeper->pg);
        return false;
    }
    return chores_commit(sweeper, err);
}

static bool have_session(struct sweep *sweep)
{
    struct sl_err err = {0};
    struct sweeper *sweeper = &sweep->sweeper;
    if (sweeper->pg && sl_pg_is_usable(sweeper->pg))
        return true;
    sl_pg_close(sweeper->pg);
    sweeper->is_outbox_leader = false; /* the lock went with the session */
    sweeper->pg = sl_pg_open(sweep->url, "sluice-worker sweep", CONNECT_TIMEOUT_MS, &err);
    if (!sweeper->pg && !sweep->complained)
        sl_log(SL_LOG_WARN, "sweep", "Postgres can't be reached", LOG_ERR(&err));
    sweep->complained = sweeper->pg == NULL;
    return sweeper->pg != NULL;
}

static void run_chore(struct sweep *sweep, const struct chore *chore)
{
    bool more = true;
    for (int i = 0; more && i < ROUNDS_MAX && !atomic_load(&sweep->stopping); i++) {
        struct sl_err err = {0};
        more = false;
        sl_arena_reset(sweep->sweeper.arena);
        if (!chore->run(&sweep->sweeper, &more, &err) || !delete_confirmed(&sweep->sweeper, &err)) {
            sl_metric_add(sl_metric_with(sweep->failures_total, chore->name), 1);
            sl_log(SL_LOG_WARN, "sweep", "a chore failed: it comes again", LOG_CSTR("chore", chore->name),
                   LOG_ERR(&err));
            return;
        }
        outbox_poll(sweep->sweeper.outbox, 0);
    }
}

static void *run(void *arg)
{
    struct sweep *sweep = arg;
    while (!atomic_load(&sweep->stopping)) {
        for (size_t i = 0; i < SL_ARRAY_LEN(CHORES); i++) {
            int64_t now_ms = sl_clock_mono_ms();
            if (now_ms < sweep->due_at_ms[i] || !have_session(sweep))
                continue;
            run_chore(sweep, &CHORES[i]);
            sweep->due_at_ms[i] = now_ms + (CHORES[i].interval_ms ? CHORES[i].interval_ms : sweep->interval_ms);
        }
        outbox_poll(sweep->sweeper.outbox, 0);
        sl_fault_if(outbox_has_confirmed(sweep->sweeper.outbox), "sweep.after_publish");
        const struct timespec slice = {.tv_nsec = (long)SLICE_MS * 1000000};
        (void)nanosleep(&slice, NULL);
    }
    int64_t deadline_ms = sl_clock_mono_ms() + FLUSH_TIMEOUT_MS;
    while (outbox_in_flight(sweep->sweeper.outbox) && sl_clock_mono_ms() < deadline_ms)
        outbox_poll(sweep->sweeper.outbox, SLICE_MS);
    if (sweep->sweeper.pg && sl_pg_is_usable(sweep->sweeper.pg))
        (void)delete_confirmed(&sweep->sweeper, NULL);
    atomic_store(&sweep->ended, true);
    return NULL;
}

bool sweep_start(struct sweep *sweep, struct sl_err *err)
{
    int code = pthread_create(&sweep->thread, NULL, run, sweep);
    if (code)
        return sl_err_set(err, SL_ERR_FATAL, "the sweep thread could not be started: error %d", code);
    (void)pthread_setname_np(sweep->thread, "sweep");
    sweep->started = true;
    return true;
}

bool sweep_stop(struct sweep *sweep, int timeout_ms)
{
    struct timespec deadline;
    atomic_store(&sweep->stopping, true);
    if (!sweep->started)
        return true;
    (void)clock_gettime(CLOCK_REALTIME, &deadline);
    int64_t nsec = deadline.tv_nsec + (int64_t)(timeout_ms % 1000) * 1000000;
    deadline.tv_sec += timeout_ms / 1000 + nsec / 1000000000;
    deadline.tv_nsec = nsec % 1000000000;
    return pthread_timedjoin_np(sweep->thread, NULL, &deadline) == 0;
}
