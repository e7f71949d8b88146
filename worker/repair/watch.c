/* watch.c - see watch.h. Whose turn it is, sluice.looks says: the first worker that finds the latest look old enough.
 */
#include "worker/repair/watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "worker/repair/ledger.h"

#define CONNECT_TIMEOUT_MS 5000
#define SLICE_MS           100
#define ASK_EVERY_MIN_MS   100
#define ASK_EVERY_MAX_MS   10000

static const char DUE[] = "SELECT coalesce(max(tried_at) <= now() - $1::bigint * interval '1 millisecond', true)"
                          " FROM sluice.looks";

struct watch {
    char *url;
    int64_t interval_ms; /* 0: never */
    struct sl_pg *pg;
    struct ask *ask;            /* the thread's */
    _Atomic(struct ask *) next; /* to be taken over by it; NULL: none */
    atomic_bool stopping, ended;
    bool started, complained;
    struct sl_metric *findings; /* by kind, after this worker's latest look */
    struct sl_metric_series *looks_total;
    pthread_t thread;
};

static bool is_stopping(void *arg)
{
    struct watch *watch = arg;
    return atomic_load(&watch->stopping);
}

static void destroy_ask(struct ask *ask)
{
    if (!ask)
        return;
    ask_deinit(ask);
    free(ask);
}

static struct ask *make_ask(struct watch *watch, const struct sl_config *config, struct sl_err *err)
{
    struct ask *ask = sl_calloc(1, sizeof(*ask));
    if (!ask_init(ask, config, err)) {
        free(ask);
        return NULL;
    }
    ask->stopping = is_stopping;
    ask->stopping_arg = watch;
    return ask;
}

struct watch *watch_create(const struct sl_config *config, struct sl_metrics *metrics, struct sl_err *err)
{
    struct watch *watch = sl_calloc(1, sizeof(*watch));
    watch->url = sl_strdup(sl_config_cstr(config, "postgres", "url"));
    watch->interval_ms = sl_config_int(config, "worker", "reconcile_interval");
    watch->findings = sl_metrics_family(metrics, SL_METRIC_GAUGE, "sluice_reconcile_findings", "finding",
                                        "What the clouds have that the books don't explain, or lack");
    watch->looks_total = sl_metric_plain(
        sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_reconcile_looks_total", "", "Looks at the clouds"));
    watch->ask = make_ask(watch, config, err);
    if (watch->ask)
        return watch;
    watch_destroy(watch);
    return NULL;
}

bool watch_reload(struct watch *watch, const struct sl_config *config, struct sl_err *err)
{
    struct ask *ask = make_ask(watch, config, err);
    if (!ask)
        return false;
    destroy_ask(atomic_exchange(&watch->next, ask));
    return true;
}

static bool is_due(struct watch *watch, bool *ret_due, struct sl_err *err)
{
    struct sl_arena *arena = sl_arena_create(65536);
    struct sl_pg_params params;
    SL_PG_AUTO *row = NULL;
    sl_pg_params_init(&params, arena);
    sl_pg_int8(&params, watch->interval_ms);
    bool ok = sl_pg_run(watch->pg, DUE, &params, &row, err);
    if (ok)
        *ret_due = sl_pg_get_bool(row, 0, 0);
    sl_arena_destroy(arena);
    return ok;
}

static void report(struct watch *watch, const struct look *look)
{
    int64_t counts[FINDING_KIND_COUNT] = {0};
    for (size_t i = 0; i < look->findings.count; i++)
        counts[look->findings.items[i].kind]++;
    for (int kind = 1; kind < FINDING_KIND_COUNT; kind++) {
        const char *name = finding_kind_name((enum finding_kind)kind);
        sl_metric_set(sl_metric_with(watch->findings, name), counts[kind]);
    }
    sl_metric_add(watch->looks_total, 1);
    sl_log(look->findings.count ? SL_LOG_WARN : SL_LOG_INFO, "reconcile", "looked at the clouds",
           LOG_INT("missing", counts[FINDING_MISSING]), LOG_INT("foreign", counts[FINDING_FOREIGN]),
           LOG_INT("drifted", counts[FINDING_DRIFTED]), LOG_INT("orphaned", counts[FINDING_ORPHANED]));
    for (int id = CLOUD_NONE + 1; id < CLOUD_COUNT; id++)
        if (look->sights.problems[id].message[0])
            sl_log(SL_LOG_WARN, "reconcile", "a cloud was not seen",
                   LOG_CSTR("cloud", cloud_of((enum cloud_id)id)->name), LOG_ERR(&look->sights.problems[id]));
}

static bool look_if_due(struct watch *watch, struct sl_err *err)
{
    bool due = false;
    struct look look;
    struct ask *next = atomic_exchange(&watch->next, NULL);
    if (next) {
        destroy_ask(watch->ask);
        watch->ask = next;
    }
    if (watch->pg && !sl_pg_is_usable(watch->pg)) {
        sl_pg_close(watch->pg);
        watch->pg = NULL;
    }
    if (!watch->pg)
        watch->pg = sl_pg_open(watch->url, "sluice-worker watch", CONNECT_TIMEOUT_MS, err);
    if (!watch->pg || !is_due(watch, &due, err))
        return false;
    if (!due)
        return true;
    if (!ledger_look(watch->pg, watch->ask, true, &look, err))
        return false;
    report(watch, &look);
    ledger_look_deinit(&look);
    return true;
}

/* Sleeps in slices, so that a stop isn't kept waiting. */
static void rest(const struct watch *watch, int64_t wait_ms)
{
    const int64_t until_ms = sl_clock_mono_ms() + wait_ms;
    while (!atomic_load(&watch->stopping) && sl_clock_mono_ms() < until_ms) {
        const struct timespec slice = {.tv_nsec = SLICE_MS * 1000000L};
        (void)nanosleep(&slice, NULL);
    }
}

static void *run(void *arg)
{
    struct watch *watch = arg;
    int64_t every_ms = watch->interval_ms / 4;
    every_ms = every_ms < ASK_EVERY_MIN_MS ? ASK_EVERY_MIN_MS : every_ms;
    every_ms = every_ms > ASK_EVERY_MAX_MS ? ASK_EVERY_MAX_MS : every_ms;
    while (watch->interval_ms > 0 && !atomic_load(&watch->stopping)) {
        struct sl_err err = {0};
        bool ok = look_if_due(watch, &err);
        if (!ok && !watch->complained && !atomic_load(&watch->stopping))
            sl_log(SL_LOG_WARN, "reconcile", "the clouds can't be looked at now", LOG_ERR(&err));
        watch->complained = !ok;
        rest(watch, every_ms);
    }
    atomic_store(&watch->ended, true);
    return NULL;
}

bool watch_start(struct watch *watch, struct sl_err *err)
{
    if (pthread_create(&watch->thread, NULL, run, watch) != 0)
        return sl_err_set(err, SL_ERR_FATAL, "the watch's thread can't be started");
    watch->started = true;
    return true;
}

bool watch_stop(struct watch *watch, int timeout_ms)
{
    const int64_t deadline_ms = sl_clock_mono_ms() + timeout_ms;
    if (!watch->started)
        return true;
    atomic_store(&watch->stopping, true);
    while (!atomic_load(&watch->ended)) {
        const struct timespec slice = {.tv_nsec = 10 * 1000000L};
        if (sl_clock_mono_ms() >= deadline_ms)
            return false;
        (void)nanosleep(&slice, NULL);
    }
    (void)pthread_join(watch->thread, NULL);
    watch->started = false;
    return true;
}

void watch_destroy(struct watch *watch)
{
    if (!watch)
        return;
    sl_pg_close(watch->pg);
    destroy_ask(watch->ask);
    destroy_ask(atomic_exchange(&watch->next, NULL));
    free(watch->url);
    free(watch);
}
