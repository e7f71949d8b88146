/* engine.c - the engine's thread: one round after the other of calls, steps, write-backs, renewals and claims.
 *
 * The only place that waits is curl's poll, for as long as nothing is due; Postgres' answers are waited for in short
 * trips. While Postgres is away calls in the air end and their results are kept; nothing new that needs a commit
 * starts.
 */
#include "worker/execute/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/fault.h"
#include "common/log.h"
#include "worker/execute/engine_internal.h"

#define ARENA_BYTES_MAX         ((size_t)64 * 1024 * 1024)
#define PG_OPEN_TIMEOUT_MS      2000
#define PG_RETRY_BASE_MS        250
#define PG_RETRY_CAP_MS         5000
#define PG_FAILURES_BORNE       3 /* in a row, with the connection kept, before readiness tells */
#define PG_FAILURES_COUNTED_MAX 10
#define PG_AGAIN_MS             20 /* after a deadlock and its like */
#define LAZY_WRITE_MS           50 /* calls alone are written that late */
#define WRITES_PER_ROUND        16
#define WAIT_MAX_MS             1000
#define LAST_WORDS_MS           2000 /* of a drain: for Postgres and Kafka to take what is left */
#define FLUSH_MS                5000

uint64_t engine_random(struct engine *engine)
{
    /* xorshift64*: for jitter, no secret depends on it */
    uint64_t x = engine->random_state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    engine->random_state = x;
    return x * UINT64_C(2685821657736338717);
}

static void use_settings(struct engine *engine, struct settings *settings)
{
    struct settings *old = engine->settings;
    engine->settings = settings;
    memcpy(engine->accounts, settings->accounts, sizeof(engine->accounts));
    engine->recipe_settings = (struct recipe_settings){.accounts = engine->accounts,
                                                       .stop_grace_ms = settings->stop_grace_ms,
                                                       .run_stop_max_ms = settings->run_stop_max_ms,
                                                       .look_ms = settings->look_ms,
                                                       .looks_max = settings->looks_max,
                                                       .data_keys = settings->data_keys,
                                                       .provision_timeout_ms = settings->provision_timeout_ms,
                                                       .hosting = &settings->hosting,
                                                       .emails = settings->emails};
    for (int id = CLOUD_NONE + 1; id < CLOUD_COUNT; id++)
        lane_configure(&engine->lanes[id], settings);
    engine->claim_at_mono_ms = 0;
    settings_destroy(old);
}

static void create_metrics(struct engine *engine)
{
    struct sl_metrics *metrics = engine->metrics;
    engine->jobs_total = sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_execute_jobs_total", "kind,end",
                                           "Jobs that left this worker, by how");
    engine->lost_total =
        sl_metric_plain(sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_execute_leases_lost_total", "",
                                          "Jobs whose fence moved on while they were under way here"));
    engine->claimed_total = sl_metric_plain(
        sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_execute_claims_total", "", "Jobs claimed"));
    engine->flying_gauge = sl_metric_plain(
        sl_metrics_family(metrics, SL_METRIC_GAUGE, "sluice_execute_jobs_in_flight", "", "Jobs under way here"));
    engine->writes_total = sl_metric_plain(
        sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_execute_writes_total", "", "Write-backs about jobs"));
    engine->write_seconds =
        sl_metric_plain(sl_metrics_family(metrics, SL_METRIC_HISTOGRAM, "sluice_execute_write_seconds", "",
                                          "How long a transaction of write-backs took"));
}

struct engine *engine_create(const struct sl_config *config, struct sl_metrics *metrics, struct sl_readiness *readiness,
                             const char *worker_id, struct sl_err *err)
{
    struct settings *settings = settings_create(config, err);
    if (!settings)
        return NULL;
    struct engine *engine = sl_calloc(1, sizeof(*engine));
    size_t capacity = (size_t)settings->jobs_in_flight;
    engine->metrics = metrics;
    engine->readiness = readiness;
    engine->worker_id = sl_strdup(worker_id);
    engine->writes_at_once = ENGINE_WRITES_AT_ONCE_MAX;
    atomic_init(&engine->drain_ms, -1);
    pthread_mutex_init(&engine->mutex, NULL);
    pthread_cond_init(&engine->ended, NULL);
    sl_random_bytes(&engine->random_state, sizeof(engine->random_state));
    engine->random_state |= 1;
    cloud_request_init(&engine->scratch);
    calls_init(&engine->calls);
    flight_pool_init(&engine->pool, capacity, engine);
    sleepers_init(&engine->sleepers, capacity);
    write_set_init(&engine->writes, capacity);
    engine->arena = sl_arena_create(ARENA_BYTES_MAX);
    for (int id = CLOUD_NONE + 1; id < CLOUD_COUNT; id++)
        lane_init(&engine->lanes[id], (enum cloud_id)id, metrics);
    create_metrics(engine);
    use_settings(engine, settings);
    engine->http = sl_http_create(settings_connections_max(settings), "sluice/" SLUICE_VERSION, NULL, err);
    if (engine->http)
        engine->outbox = outbox_create(config, metrics, "execute", err);
    if (engine->http && engine->outbox)
        return engine;
    engine_destroy(engine);
    return NULL;
}

/* Postgres. */

static void pg_failed(struct engine *engine, const struct sl_err *err)
{
    bool lost = !engine->pg || !sl_pg_is_usable(engine->pg);
    const struct backoff backoff = {.base_ms = lost ? PG_RETRY_BASE_MS : PG_AGAIN_MS, .cap_ms = PG_RETRY_CAP_MS};
    int64_t wait_ms = PG_AGAIN_MS + backoff_ms(&backoff, engine->pg_failures, 0, engine_random(engine));
    if (engine->pg_failures < PG_FAILURES_COUNTED_MAX)
        engine->pg_failures++;
    engine->pg_retry_at_mono_ms = sl_clock_mono_ms() + (wait_ms < backoff.cap_ms ? wait_ms : backoff.cap_ms);
    if (lost) {
        sl_pg_close(engine->pg);
        engine->pg = NULL;
    }
    engine->pg_well = false;
    if (lost || engine->pg_failures > PG_FAILURES_BORNE)
        sl_readiness_set(engine->readiness, "execute", err->message);
    sl_log(SL_LOG_WARN, "execute",
           lost ? "postgres is away: calls in the air go on, nothing new starts"
                : "postgres did not take it: once more",
           LOG_ERR(err), LOG_INT("jobs", engine->flying), LOG_INT("calls_to_write", engine->calls.count));
}

static bool pg_ready(struct engine *engine)
{
    struct sl_err err = {0};
    if (sl_clock_mono_ms() < engine->pg_retry_at_mono_ms)
        return false;
    if (engine->pg)
        return true;
    engine->pg = sl_pg_open(engine->settings->database_url, "sluice-worker execute", PG_OPEN_TIMEOUT_MS, &err);
    if (!engine->pg) {
        pg_failed(engine, &err);
        return false;
    }
    engine->renew_at_mono_ms = 0;
    return true;
}

/* Is there anything that must be written now, or that has waited long enough? */
static bool write_is_due(const struct engine *engine, int64_t mono_ms, int64_t lazy_since_mono_ms)
{
    return engine->writes.count > 0 || (write_pending(engine) && mono_ms - lazy_since_mono_ms >= LAZY_WRITE_MS);
}

/* However often it is woken: claiming, which may have to look through a long queue, takes half of the time at most. */
static int64_t claim_at_mono_ms(const struct engine *engine)
{
    return engine->claim_at_mono_ms > engine->claim_rest_until_mono_ms ? engine->claim_at_mono_ms
                                                                       : engine->claim_rest_until_mono_ms;
}

static bool write_all(struct engine *engine, struct sl_err *err)
{
    for (int i = 0; i < WRITES_PER_ROUND; i++) {
        if (!write_some(engine, err))
            return false;
        if (engine->writes.count == 0)
            break;
    }
    return true;
}

static void work_with_pg(struct engine *engine, int64_t *lazy_since_mono_ms)
{
    struct sl_err err = {0};
    int64_t mono_ms = sl_clock_mono_ms();
    bool ok = true;
    if (!pg_ready(engine) || outbox_is_full(engine->outbox))
        return;
    if (mono_ms >= engine->renew_at_mono_ms)
        ok = lease_renew(engine, &err);
    if (ok && write_is_due(engine, mono_ms, *lazy_since_mono_ms)) {
        ok = write_all(engine, &err);
        *lazy_since_mono_ms = sl_clock_mono_ms();
    }
    bool changed = false;
    for (int id = CLOUD_NONE + 1; id < CLOUD_COUNT; id++)
        changed = changed || engine->lanes[id].changed;
    if (ok && (changed || mono_ms >= engine->state_at_mono_ms))
        ok = lease_write_cloud_state(engine, &err);
    if (ok && engine->drain == DRAIN_NOT && sl_clock_mono_ms() >= claim_at_mono_ms(engine))
        ok = claim_jobs(engine, &err);
    if (!ok) {
        pg_failed(engine, &err);
    } else if (!engine->pg_well) {
        engine->pg_well = true;
        engine->pg_failures = 0;
        sl_readiness_set(engine->readiness, "execute", "");
    }
    sl_metric_set(engine->flying_gauge, (int64_t)engine->flying);
}

/* The thread. */

static void sooner(int64_t *wait_ms, int64_t other_ms)
{
    if (other_ms < 0)
        other_ms = 0;
    if (other_ms < *wait_ms)
        *wait_ms = other_ms;
}

static int wait_ms_of(struct engine *engine, int64_t lazy_since_mono_ms)
{
    int64_t mono_ms = sl_clock_mono_ms();
    int64_t wait_ms = WAIT_MAX_MS;
    int64_t drive_ms = drive_wait_ms(engine, mono_ms, sl_clock_wall_ms());
    if (drive_ms >= 0)
        sooner(&wait_ms, drive_ms);
    if (outbox_in_flight(engine->outbox) > 0)
        sooner(&wait_ms, LAZY_WRITE_MS);
    if (engine->drain == DRAIN_ASKED)
        sooner(&wait_ms, engine->drain_until_mono_ms - mono_ms);
    int64_t pg_ms = engine->pg_retry_at_mono_ms - mono_ms;
    if (!engine->pg || pg_ms > 0) {
        sooner(&wait_ms, pg_ms);
        return (int)wait_ms;
    }
    if (outbox_is_full(engine->outbox))
        return (int)wait_ms;
    sooner(&wait_ms, engine->renew_at_mono_ms - mono_ms);
    sooner(&wait_ms, engine->state_at_mono_ms - mono_ms);
    if (engine->drain == DRAIN_NOT)
        sooner(&wait_ms, claim_at_mono_ms(engine) - mono_ms);
    if (engine->writes.count > 0)
        wait_ms = 0;
    else if (write_pending(engine))
        sooner(&wait_ms, lazy_since_mono_ms + LAZY_WRITE_MS - mono_ms);
    return (int)wait_ms;
}

static void end_calls(struct engine *engine)
{
    pthread_mutex_lock(&engine->mutex);
    struct sl_http *http = engine->http;
    engine->http = NULL;
    pthread_mutex_unlock(&engine->mutex);
    sl_http_destroy(http); /* their flights are handed back, with the intent open where the effect isn't known */
}

/* True when the drain is over. */
static bool drain_some(struct engine *engine)
{
    int64_t mono_ms = sl_clock_mono_ms();
    int drain_ms = atomic_load(&engine->drain_ms);
    if (drain_ms < 0)
        return false;
    if (engine->drain == DRAIN_NOT) {
        engine->drain = DRAIN_ASKED;
        engine->drain_until_mono_ms = mono_ms + drain_ms;
        sl_log(SL_LOG_INFO, "execute", "draining", LOG_INT("jobs", engine->flying), LOG_INT("timeout_ms", drain_ms));
    }
    drive_drain(engine);
    drive_all(engine);
    if (engine->flying == 0)
        return true;
    if (engine->drain == DRAIN_ASKED && mono_ms >= engine->drain_until_mono_ms) {
        engine->drain = DRAIN_EXPIRED;
        end_calls(engine);
        drive_drain(engine);
        drive_all(engine);
        return true;
    }
    return false;
}

/* What is left for Postgres, and the confirmations of what Kafka still has to take. */
static bool last_words(struct engine *engine)
{
    struct sl_err err = {0};
    int64_t until_mono_ms = sl_clock_mono_ms() + LAST_WORDS_MS;
    while (sl_clock_mono_ms() < until_mono_ms) {
        if (pg_ready(engine) && write_pending(engine) && !write_some(engine, &err))
            pg_failed(engine, &err);
        if (!write_pending(engine) && outbox_in_flight(engine->outbox) == 0)
            break;
        outbox_poll(engine->outbox, 10);
    }
    return engine->flying == 0 && engine->writes.count == 0;
}

static void *run(void *arg)
{
    struct engine *engine = arg;
    int64_t lazy_since_mono_ms = sl_clock_mono_ms();
    while (!drain_some(engine)) {
        struct settings *settings = atomic_exchange(&engine->next_settings, NULL);
        if (settings)
            use_settings(engine, settings);
        if (atomic_exchange(&engine->woken, false))
            engine->claim_at_mono_ms = 0;
        outbox_poll(engine->outbox, 0);
        sl_fault_if(outbox_has_confirmed(engine->outbox), "execute.after_publish");
        drive_all(engine);
        work_with_pg(engine, &lazy_since_mono_ms);
        drive_all(engine);
        sl_http_poll(engine->http, atomic_load(&engine->woken) ? 0 : wait_ms_of(engine, lazy_since_mono_ms));
    }
    bool clean = last_words(engine);
    sl_log(clean ? SL_LOG_INFO : SL_LOG_WARN, "execute", "drained",
           LOG_INT("jobs_left_to_their_leases", engine->flying));
    pthread_mutex_lock(&engine->mutex);
    engine->has_ended = true;
    engine->ended_clean = clean;
    pthread_cond_broadcast(&engine->ended);
    pthread_mutex_unlock(&engine->mutex);
    return NULL;
}

bool engine_start(struct engine *engine, struct sl_err *err)
{
    SL_ASSERT(!engine->started);
    sl_readiness_set(engine->readiness, "execute", "not connected to postgres yet");
    int code = pthread_create(&engine->thread, NULL, run, engine);
    if (code != 0)
        return sl_err_set(err, SL_ERR_FATAL, "the execute thread can't be started: error %d", code);
    engine->started = true;
    return true;
}

void engine_wake(struct engine *engine)
{
    if (atomic_exchange(&engine->woken, true))
        return;
    pthread_mutex_lock(&engine->mutex);
    if (engine->http)
        sl_http_wake(engine->http);
    pthread_mutex_unlock(&engine->mutex);
}

bool engine_drain(struct engine *engine, int timeout_ms)
{
    if (!engine->started)
        return true;
    atomic_store(&engine->drain_ms, timeout_ms > 0 ? timeout_ms : 0);
    atomic_store(&engine->woken, false);
    engine_wake(engine);
    pthread_mutex_lock(&engine->mutex);
    while (!engine->has_ended)
        pthread_cond_wait(&engine->ended, &engine->mutex);
    bool clean = engine->ended_clean;
    pthread_mutex_unlock(&engine->mutex);
    pthread_join(engine->thread, NULL);
    engine->started = false;
    return clean;
}

bool engine_reload(struct engine *engine, const struct sl_config *config, struct sl_err *err)
{
    struct settings *settings = settings_create(config, err);
    if (!settings)
        return false;
    settings_destroy(atomic_exchange(&engine->next_settings, settings));
    engine_wake(engine);
    return true;
}

void engine_destroy(struct engine *engine)
{
    if (!engine)
        return;
    if (engine->started)
        (void)engine_drain(engine, 0);
    end_calls(engine);
    outbox_destroy(engine->outbox, FLUSH_MS);
    sl_pg_close(engine->pg);
    for (int id = CLOUD_NONE + 1; id < CLOUD_COUNT; id++)
        lane_deinit(&engine->lanes[id]);
    cloud_request_deinit(&engine->scratch);
    calls_deinit(&engine->calls);
    write_set_deinit(&engine->writes);
    sleepers_deinit(&engine->sleepers);
    flight_pool_deinit(&engine->pool);
    sl_arena_destroy(engine->arena);
    settings_destroy(atomic_exchange(&engine->next_settings, NULL));
    settings_destroy(engine->settings);
    pthread_mutex_destroy(&engine->mutex);
    pthread_cond_destroy(&engine->ended);
    free(engine->worker_id);
    free(engine);
}
