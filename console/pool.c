/* pool.c - see pool.h. */
#include "console/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"

#define IDLE_S       1   /* without a read: is Postgres there? */
#define RECONNECT_MS 500 /* between two attempts of a session */
#define CONNECT_MS   3000

struct session {
    struct pool *pool;
    pthread_t thread;
    bool is_started;
    struct sl_pg *pg;
    int64_t tried_at_ms;
    struct sl_err error; /* why there is no session */
};

struct pool {
    struct pool_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct pool_job *head, **tail;
    unsigned waiting;
    atomic_int_fast64_t reached_at_ms; /* when a session last had an answer: who failed before that tries again */
    bool is_stopping;
    struct session sessions[POOL_SESSIONS_MAX];
};

static void lock(struct pool *pool)
{
    SL_ASSERT(pthread_mutex_lock(&pool->lock) == 0);
}

static void unlock(struct pool *pool)
{
    SL_ASSERT(pthread_mutex_unlock(&pool->lock) == 0);
}

/* The first in the queue, taken out; under the lock. */
static struct pool_job *take(struct pool *pool)
{
    struct pool_job *job = pool->head;
    if (job) {
        pool->head = job->next;
        if (!pool->head)
            pool->tail = &pool->head;
        pool->waiting--;
        sl_metric_set(pool->options.meters->waiting, pool->waiting);
    }
    return job;
}

static void end(struct pool_job *job, enum pool_end how)
{
    job->end = how;
    job->done(job->arg);
}

static void end_unavailable(struct pool_job *job, const char *reason)
{
    (void)sl_err_set(&job->error, SL_ERR_RETRY, "%s", reason);
    end(job, POOL_UNAVAILABLE);
}

static bool open_session(struct session *session)
{
    struct pool *pool = session->pool;
    int64_t now_ms = sl_clock_mono_ms();
    if (session->pg && sl_pg_is_usable(session->pg))
        return true;
    sl_pg_close(session->pg);
    session->pg = NULL;
    bool is_back = atomic_load(&pool->reached_at_ms) >= session->tried_at_ms;
    if (session->tried_at_ms > 0 && now_ms - session->tried_at_ms < RECONNECT_MS && !is_back)
        return false;
    session->pg = sl_pg_open(pool->options.url, "sluice-console", CONNECT_MS, &session->error);
    if (session->pg && !read_prepare(session->pg, pool->options.statement_timeout_ms, &session->error)) {
        sl_pg_close(session->pg);
        session->pg = NULL;
    }
    session->tried_at_ms = session->pg ? 0 : sl_clock_mono_ms();
    if (session->pg)
        atomic_store(&pool->reached_at_ms, sl_clock_mono_ms());
    sl_readiness_set(pool->options.readiness, "postgres", session->pg ? "" : session->error.message);
    return session->pg != NULL;
}

/* A session that was lost while it was idle says so only when it is used: the read, which changes nothing, is done
 * again by a new one. */
static void serve(struct session *session, struct pool_job *job)
{
    bool is_found = false;
    for (int attempt = 0; attempt < 2 && open_session(session); attempt++) {
        if (read_run(session->pg, &job->ask, job->arena, &job->json, &is_found, &session->error)) {
            atomic_store(&session->pool->reached_at_ms, sl_clock_mono_ms());
            end(job, is_found ? POOL_FOUND : POOL_NOT_FOUND);
            return;
        }
        if (sl_pg_is_usable(session->pg))
            break;
    }
    job->error = session->error;
    end(job, session->error.error_class == SL_ERR_PERMANENT && session->pg ? POOL_FAILED : POOL_UNAVAILABLE);
}

static void probe(struct session *session)
{
    static const char NOTHING[] = "SELECT 1";
    if (open_session(session) && !sl_pg_run(session->pg, NOTHING, NULL, NULL, &session->error))
        (void)open_session(session);
}

static void *run(void *arg)
{
    struct session *session = arg;
    struct pool *pool = session->pool;
    probe(session);
    lock(pool);
    while (!pool->is_stopping) {
        struct timespec until;
        struct pool_job *job = take(pool);
        if (job) {
            unlock(pool);
            serve(session, job);
            lock(pool);
            continue;
        }
        SL_ASSERT(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
        until.tv_sec += IDLE_S;
        if (pthread_cond_timedwait(&pool->changed, &pool->lock, &until) != 0 && !pool->head) {
            unlock(pool);
            probe(session);
            lock(pool);
        }
    }
    unlock(pool);
    return NULL;
}

static struct pool *create(const struct pool_options *options)
{
    pthread_condattr_t attributes;
    struct pool *pool = sl_calloc(1, sizeof(*pool));
    SL_ASSERT(options->sessions > 0 && options->sessions <= POOL_SESSIONS_MAX);
    pool->options = *options;
    pool->tail = &pool->head;
    SL_ASSERT(pthread_mutex_init(&pool->lock, NULL) == 0);
    SL_ASSERT(pthread_condattr_init(&attributes) == 0);
    SL_ASSERT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    SL_ASSERT(pthread_cond_init(&pool->changed, &attributes) == 0);
    (void)pthread_condattr_destroy(&attributes);
    return pool;
}

struct pool *pool_start(const struct pool_options *options, struct sl_err *err)
{
    struct pool *pool = create(options);
    sl_readiness_set(options->readiness, "postgres", "Postgres has not answered yet");
    for (unsigned i = 0; i < options->sessions; i++) {
        struct session *session = &pool->sessions[i];
        session->pool = pool;
        session->is_started = pthread_create(&session->thread, NULL, run, session) == 0;
        if (!session->is_started) {
            (void)sl_err_set(err, SL_ERR_FATAL, "cannot start a thread of the pool");
            pool_stop(pool);
            return NULL;
        }
    }
    return pool;
}

void pool_stop(struct pool *pool)
{
    struct pool_job *job;
    if (!pool)
        return;
    lock(pool);
    pool->is_stopping = true;
    SL_ASSERT(pthread_cond_broadcast(&pool->changed) == 0);
    while ((job = take(pool)) != NULL)
        end_unavailable(job, "the process is shutting down");
    unlock(pool);
    for (unsigned i = 0; i < pool->options.sessions; i++) {
        if (pool->sessions[i].is_started)
            SL_ASSERT(pthread_join(pool->sessions[i].thread, NULL) == 0);
        sl_pg_close(pool->sessions[i].pg);
    }
    (void)pthread_cond_destroy(&pool->changed);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool);
}

bool pool_submit(struct pool *pool, struct pool_job *job, int64_t now_ms)
{
    lock(pool);
    bool has_room = !pool->is_stopping && pool->waiting < pool->options.waiting_max;
    if (has_room) {
        job->next = NULL;
        job->queued_at_ms = now_ms;
        *pool->tail = job;
        pool->tail = &job->next;
        pool->waiting++;
        sl_metric_set(pool->options.meters->waiting, pool->waiting);
        SL_ASSERT(pthread_cond_signal(&pool->changed) == 0);
    }
    unlock(pool);
    return has_room;
}

void pool_expire(struct pool *pool, int64_t now_ms)
{
    lock(pool);
    while (pool->head && now_ms - pool->head->queued_at_ms > pool->options.wait_ms)
        end_unavailable(take(pool), "no session with Postgres was free in time");
    unlock(pool);
}
