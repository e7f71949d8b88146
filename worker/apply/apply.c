/* apply.c - the thread of apply.h: what it does when, and what it waits for.
 *
 * Input: the consumer's messages. Output: commits, outcomes. One turn of the loop: have a session; have positions; take
 * what is there; work it off; tell the group. What can't go on for now (database away, outbox full) holds the consumer,
 * which stays a member, and is tried again with back-off: in memory the batch stays as it is, unless the partitions
 * change hands meanwhile.
 */
#include "worker/apply/apply.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/fault.h"
#include "common/log.h"
#include "common/uuid.h"
#include "worker/apply/batch.h"
#include "worker/apply/consumer.h"
#include "worker/apply/policy.h"

#define BATCH_BYTES_MAX          ((size_t)64 * 1024 * 1024)
#define IDLE_WAIT_MS             100
#define HOLD_SLICE_MS            100
#define CONNECT_TIMEOUT_MS       5000
#define BACKOFF_FIRST_MS         50
#define BACKOFF_CAP_MS           5000
#define HOUSEKEEPING_INTERVAL_MS 1000
#define FLUSH_TIMEOUT_MS         5000
#define ARENA_BYTES_MAX          ((size_t)64 * 1024 * 1024)

struct apply {
    struct apply_options options;
    char *url;
    size_t batch_events;
    int gather_ms;
    struct consumer *consumer;
    struct batch *batch;
    struct shell shell;
    struct sl_arena *arena; /* of positions and housekeeping */
    struct policy_set *policy;
    _Atomic(struct policy_set *) policy_next; /* handed over by apply_reload */
    atomic_bool stopping;
    atomic_bool ended;
    bool started;
    pthread_t thread;
    uint32_t epoch; /* of the consumer, as the positions in memory belong to it */
    int failures;   /* in a row */
    int64_t housekept_at_ms;
    rd_kafka_message_t **messages; /* as fetched */
};

static bool set_up(struct apply *apply, struct sl_err *err)
{
    const struct apply_options *options = &apply->options;
    apply->policy = policy_create(options->config, err);
    if (!apply->policy)
        return false;
    apply->url = sl_strdup(sl_config_cstr(options->config, "postgres", "url"));
    apply->batch_events = (size_t)sl_config_int(options->config, "worker", "batch_events");
    apply->gather_ms = (int)sl_config_int(options->config, "worker", "batch_wait");
    apply->batch = batch_create(apply->batch_events);
    apply->messages = sl_calloc(apply->batch_events, sizeof(rd_kafka_message_t *));
    apply->arena = sl_arena_create(ARENA_BYTES_MAX);
    apply->shell.worker_id = options->worker_id;
    apply->shell.policy = policy_borrow(apply->policy);
    apply->shell.ring = policy_borrow_ring(apply->policy);
    meters_init(&apply->shell.meters, options->metrics);
    apply->shell.outbox = outbox_create(options->config, options->metrics, "apply", err);
    if (!apply->shell.outbox)
        return false;
    apply->consumer = consumer_create(options->config, options->metrics, options->readiness, err);
    return apply->consumer != NULL;
}

struct apply *apply_create(const struct apply_options *options, struct sl_err *err)
{
    struct apply *apply = sl_calloc(1, sizeof(*apply));
    apply->options = *options;
    sl_readiness_set(options->readiness, "postgres", "not connected yet");
    if (!set_up(apply, err)) {
        apply_destroy(apply);
        return NULL;
    }
    apply->options.config = NULL; /* it may go now */
    return apply;
}

void apply_destroy(struct apply *apply)
{
    if (!apply)
        return;
    SL_ASSERT(!apply->started || atomic_load(&apply->ended));
    batch_destroy(apply->batch);
    consumer_close(apply->consumer);
    outbox_destroy(apply->shell.outbox, 0);
    sl_pg_close(apply->shell.pg);
    partitions_deinit(&apply->shell.partitions);
    policy_destroy(apply->policy);
    policy_destroy(atomic_load(&apply->policy_next));
    sl_arena_destroy(apply->arena);
    free(apply->messages);
    free(apply->url);
    free(apply);
}

bool apply_reload(struct apply *apply, const struct sl_config *config, struct sl_err *err)
{
    struct policy_set *set = policy_create(config, err);
    if (!set)
        return false;
    policy_destroy(atomic_exchange(&apply->policy_next, set));
    return true;
}

static void take_policy(struct apply *apply)
{
    struct policy_set *set = atomic_exchange(&apply->policy_next, NULL);
    if (!set)
        return;
    policy_destroy(apply->policy);
    apply->policy = set;
    apply->shell.policy = policy_borrow(set);
    apply->shell.ring = policy_borrow_ring(set);
    sl_log(SL_LOG_INFO, "apply", "policies and plans were read anew");
}

static bool is_stopping(const struct apply *apply)
{
    return atomic_load_explicit(&apply->stopping, memory_order_relaxed);
}

/* Waits with full jitter, a member of the group all the while; a stop ends it. */
static void back_off(struct apply *apply, const struct sl_err *err, const char *doing)
{
    uint32_t random = 0;
    int shift = apply->failures < 8 ? apply->failures : 8;
    int64_t cap_ms = (int64_t)BACKOFF_FIRST_MS << shift;
    sl_random_bytes(&random, sizeof(random));
    cap_ms = cap_ms < BACKOFF_CAP_MS ? cap_ms : BACKOFF_CAP_MS;
    int64_t wait_ms = cap_ms / 2 + (int64_t)(random % (uint32_t)(cap_ms / 2 + 1));
    apply->failures++;
    sl_metric_add(apply->shell.meters.retried_total, 1);
    sl_log(apply->failures > 1 ? SL_LOG_WARN : SL_LOG_INFO, "apply", "waiting before the next try",
           LOG_CSTR("doing", doing), LOG_INT("failures", apply->failures), LOG_INT("wait_ms", wait_ms), LOG_ERR(err));
    while (wait_ms > 0 && !is_stopping(apply)) {
        int slice_ms = wait_ms < HOLD_SLICE_MS ? (int)wait_ms : HOLD_SLICE_MS;
        consumer_hold(apply->consumer, slice_ms);
        outbox_poll(apply->shell.outbox, 0);
        wait_ms -= slice_ms;
    }
}

static void blame_postgres(struct apply *apply, const struct sl_err *err)
{
    char reason[320];
    size_t len = strnlen(err->message, sizeof(err->message));
    _Static_assert(sizeof(err->message) < sizeof(reason), "a message fits");
    memcpy(reason, err->message, len);
    reason[len] = '\0';
    sl_readiness_set(apply->options.readiness, "postgres", reason);
}

static bool have_session(struct apply *apply)
{
    struct sl_err err = {0};
    if (apply->shell.pg && sl_pg_is_usable(apply->shell.pg))
        return true;
    sl_pg_close(apply->shell.pg);
    apply->shell.pg = sl_pg_open(apply->url, "sluice-worker apply", CONNECT_TIMEOUT_MS, &err);
    if (apply->shell.pg)
        return true;
    blame_postgres(apply, &err);
    back_off(apply, &err, "connecting to Postgres");
    return false;
}

static void warn_of_position(const struct apply *apply, const struct position *position)
{
    if (position->lost) {
        sl_metric_add(apply->shell.meters.lost_total, position->lost);
        sl_log(SL_LOG_ERROR, "apply", "retention has deleted events that were not yet decided: they are lost to us",
               LOG_INT("partition", position->partition), LOG_INT("events", position->lost),
               LOG_INT("going_on_at", position->next));
    }
    if (position->next > position->high)
        sl_log(SL_LOG_ERROR, "apply", "the log ends before our position: was the topic made anew?",
               LOG_INT("partition", position->partition), LOG_INT("position", position->next),
               LOG_INT("end", position->high));
}

/* The positions of what the group gave us. */
static bool have_positions(struct apply *apply)
{
    struct sl_err err = {0};
    struct position *positions = NULL;
    size_t count = 0;
    struct shell *shell = &apply->shell;
    if (!consumer_wants_positions(apply->consumer))
        return true;
    batch_drop(apply->batch);
    sl_arena_reset(apply->arena);
    if (!consumer_watermarks(apply->consumer, apply->arena, &positions, &count, &err)) {
        back_off(apply, &err, "asking for watermarks");
        return false;
    }
    if (!positions_load(shell->pg, apply->arena, SL_TOPIC_EVENTS, shell->worker_id, positions, count, &err)) {
        blame_postgres(apply, &err);
        back_off(apply, &err, "reading positions");
        return false;
    }
    partitions_revoke(&shell->partitions);
    for (size_t i = 0; i < count; i++) {
        warn_of_position(apply, &positions[i]);
        partitions_assign(&shell->partitions, positions[i].partition, positions[i].next, positions[i].published);
    }
    if (!consumer_assign(apply->consumer, positions, count, &err)) {
        back_off(apply, &err, "assigning partitions");
        return false;
    }
    sl_fault("apply.after_assign");
    apply->epoch = consumer_epoch(apply->consumer);
    apply->failures = 0;
    sl_readiness_set(apply->options.readiness, "postgres", "");
    return true;
}

/* The partitions are not those that the positions in memory belong to. */
static bool lost_ground(struct apply *apply)
{
    if (apply->epoch == consumer_epoch(apply->consumer) && !consumer_wants_positions(apply->consumer))
        return false;
    batch_drop(apply->batch);
    partitions_revoke(&apply->shell.partitions);
    apply->epoch = consumer_epoch(apply->consumer);
    return true;
}

static bool has_failed_outcome(const struct partitions *partitions)
{
    for (size_t i = 0; i < partitions->count; i++) {
        if (partitions->rows[i].assigned && partitions->rows[i].outcome_failed)
            return true;
    }
    return false;
}

/* What is on its way to Kafka is bounded: room for one more batch, or we wait. Outcomes that failed are announced again
 * from their rows. */
static bool have_room(struct apply *apply)
{
    struct outbox *outbox = apply->shell.outbox;
    outbox_poll(outbox, 0);
    sl_fault_if(outbox_has_confirmed(outbox), "apply.after_publish");
    if (has_failed_outcome(&apply->shell.partitions)) {
        struct sl_err err = {0};
        (void)sl_err_set(&err, SL_ERR_RETRY, "outcomes could not be delivered");
        consumer_reposition(apply->consumer);
        back_off(apply, &err, "announcing outcomes");
        return false;
    }
    if (outbox_in_flight(outbox) + 4 * apply->batch_events < OUTBOX_FLYING_MAX && !outbox_is_full(outbox))
        return true;
    consumer_hold(apply->consumer, 1);
    outbox_poll(outbox, HOLD_SLICE_MS);
    return false;
}

static void work(struct apply *apply)
{
    struct sl_err err = {0};
    bool progress = false;
    enum batch_end end = batch_work(apply->batch, &apply->shell, sl_clock_wall_ms, &progress, &err);
    if (progress) {
        apply->failures = 0;
        apply->options.wake(apply->options.wake_arg);
        sl_readiness_set(apply->options.readiness, "postgres", "");
    }
    if (end == BATCH_FENCED) {
        sl_metric_add(apply->shell.meters.fenced_total, 1);
        sl_log(SL_LOG_WARN, "apply", "a position has moved under this batch: reading positions anew", LOG_ERR(&err));
        batch_drop(apply->batch);
        consumer_reposition(apply->consumer);
    } else if (end == BATCH_RETRY) {
        blame_postgres(apply, &err);
        back_off(apply, &err, "committing a batch");
    }
}

/* Positions that only `published` moved in, and outbox rows that Kafka has: written when nothing else is going on. */
static bool flush_idle(struct apply *apply, struct sl_err *err)
{
    struct shell *shell = &apply->shell;
    struct position_move *moves = sl_arena_alloc(apply->arena, shell->partitions.count + 1, sizeof(*moves));
    PGresult *results[5] = {0};
    size_t move_count = 0;
    for (size_t i = 0; i < shell->partitions.count; i++) {
        const struct partition *partition = &shell->partitions.rows[i];
        partition_check(partition);
        if (partition->assigned && partition->published != partition->published_stored)
            moves[move_count++] = (struct position_move){.partition = (int32_t)i,
                                                         .start = partition->next,
                                                         .next = partition->next,
                                                         .published = partition->published};
    }
    if (!move_count && !outbox_has_confirmed(shell->outbox))
        return true;
    size_t count = 2;
    bool ok = sl_pg_queue(shell->pg, SL_PG_BEGIN, NULL, err);
    int deletes = ok ? outbox_queue(shell->outbox, shell->pg, apply->arena, err) : -1;
    ok = deletes >= 0;
    count += ok ? (size_t)deletes : 0;
    if (ok && move_count) {
        ok = positions_queue_move(shell->pg, apply->arena, SL_TOPIC_EVENTS, shell->worker_id, moves, move_count, err);
        count++;
    }
    ok = ok && sl_pg_queue(shell->pg, SL_PG_COMMIT, NULL, err) && sl_pg_flush(shell->pg, results, count, err);
    if (!ok) {
        outbox_rolled_back(shell->outbox);
        sl_pg_rollback(shell->pg);
        return false;
    }
    sl_fault_if(deletes > 0, "apply.after_delete");
    outbox_committed(shell->outbox, NULL);
    for (size_t i = 0; i < move_count; i++)
        partitions_find(&shell->partitions, moves[i].partition)->published_stored = moves[i].published;
    for (size_t i = 0; i < count; i++)
        PQclear(results[i]);
    return true;
}

static void housekeep(struct apply *apply, bool now)
{
    struct sl_err err = {0};
    int64_t now_ms = sl_clock_mono_ms();
    if ((!now && now_ms - apply->housekept_at_ms < HOUSEKEEPING_INTERVAL_MS) || lost_ground(apply))
        return;
    apply->housekept_at_ms = now_ms;
    sl_arena_reset(apply->arena);
    consumer_commit(apply->consumer, &apply->shell.partitions);
    if (flush_idle(apply, &err))
        return;
    if (strcmp(err.code, POSITIONS_FENCED) == 0)
        consumer_reposition(apply->consumer);
    sl_log(SL_LOG_WARN, "apply", "published positions could not be stored", LOG_ERR(&err));
}

static void turn(struct apply *apply)
{
    take_policy(apply);
    if (!have_session(apply) || !have_positions(apply) || !have_room(apply) || lost_ground(apply))
        return;
    if (batch_is_empty(apply->batch)) {
        size_t count = consumer_fetch(apply->consumer, apply->messages, apply->batch_events, BATCH_BYTES_MAX,
                                      IDLE_WAIT_MS, apply->gather_ms);
        if (lost_ground(apply) && count) {
            for (size_t i = 0; i < count; i++)
                rd_kafka_message_destroy(apply->messages[i]);
            return;
        }
        if (count && !batch_collect(apply->batch, &apply->shell, apply->messages, count))
            consumer_reposition(apply->consumer);
    }
    if (!batch_is_empty(apply->batch)) {
        sl_fault("apply.after_consume");
        work(apply);
    }
    housekeep(apply, false);
}

static void *run(void *arg)
{
    struct apply *apply = arg;
    while (!is_stopping(apply))
        turn(apply);
    /* What is on its way gets there, and is noted, before the group gives our partitions to others. */
    int64_t deadline_ms = sl_clock_mono_ms() + FLUSH_TIMEOUT_MS;
    while (outbox_in_flight(apply->shell.outbox) && sl_clock_mono_ms() < deadline_ms)
        outbox_poll(apply->shell.outbox, HOLD_SLICE_MS);
    if (apply->shell.pg && sl_pg_is_usable(apply->shell.pg))
        housekeep(apply, true);
    batch_drop(apply->batch);
    consumer_close(apply->consumer);
    apply->consumer = NULL;
    atomic_store(&apply->ended, true);
    return NULL;
}

bool apply_start(struct apply *apply, struct sl_err *err)
{
    int code = pthread_create(&apply->thread, NULL, run, apply);
    if (code)
        return sl_err_set(err, SL_ERR_FATAL, "the apply thread could not be started: error %d", code);
    (void)pthread_setname_np(apply->thread, "apply");
    apply->started = true;
    return true;
}

bool apply_stop(struct apply *apply, int timeout_ms)
{
    struct timespec deadline;
    atomic_store(&apply->stopping, true);
    if (!apply->started)
        return true;
    (void)clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    deadline.tv_sec += deadline.tv_nsec / 1000000000;
    deadline.tv_nsec %= 1000000000;
    return pthread_timedjoin_np(apply->thread, NULL, &deadline) == 0;
}
