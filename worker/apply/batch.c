/* batch.c - see batch.h.
 *
 * A batch that a database error breaks for good is halved until the one event that does it is alone, and buried: while
 * the search lasts nothing behind the part that broke is tried, so that it costs one broken transaction a halving. What
 * comes behind goes on in parts that double again. Invariant: items [done, count) are undecided, in the order of each
 * partition's log.
 */
#include "worker/apply/batch.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/fault.h"
#include "common/log.h"
#include "worker/apply/announce.h"

#define DECODE_BYTES_MAX  ((size_t)512 * 1024 * 1024)
#define ATTEMPT_BYTES_MAX ((size_t)2048 * 1024 * 1024)
#define AGAIN_MAX         5

struct batch {
    size_t count_max;
    rd_kafka_message_t **messages; /* all that are ours to destroy */
    size_t message_count;
    struct item **items; /* to be decided */
    size_t count, done;
    size_t step;   /* how many at once */
    size_t broken; /* where the part ends that broke, in search of the event that does it; else at or before `done` */
    struct item **told; /* decided before: to be announced again */
    size_t told_count;
    struct sl_arena *decoded;
    struct sl_arena *attempt;
};

struct batch *batch_create(size_t count_max)
{
    struct batch *batch = sl_calloc(1, sizeof(*batch));
    batch->count_max = count_max;
    batch->messages = sl_calloc(count_max, sizeof(rd_kafka_message_t *));
    batch->items = sl_calloc(count_max, sizeof(struct item *));
    batch->told = sl_calloc(count_max, sizeof(struct item *));
    batch->decoded = sl_arena_create(DECODE_BYTES_MAX);
    batch->attempt = sl_arena_create(ATTEMPT_BYTES_MAX);
    return batch;
}

void batch_drop(struct batch *batch)
{
    for (size_t i = 0; i < batch->message_count; i++)
        rd_kafka_message_destroy(batch->messages[i]);
    batch->message_count = 0;
    batch->count = batch->done = batch->broken = batch->told_count = 0;
    sl_arena_reset(batch->decoded);
    sl_arena_reset(batch->attempt);
}

void batch_destroy(struct batch *batch)
{
    if (!batch)
        return;
    batch_drop(batch);
    sl_arena_destroy(batch->decoded);
    sl_arena_destroy(batch->attempt);
    free(batch->messages);
    free(batch->items);
    free(batch->told);
    free(batch);
}

bool batch_is_empty(const struct batch *batch)
{
    return batch->done == batch->count && !batch->told_count;
}

/* Does the message stand where the next one of its partition is expected? Sets *ret_seen for one that was read before.
 */
static bool joins(struct partition *partition, int64_t offset, bool *ret_seen)
{
    *ret_seen = offset < partition->fetched;
    if (offset <= partition->fetched)
        return true;
    /* Retention or compaction may have taken what is missing; then a second look finds the same. */
    if (partition->hole == offset)
        return true;
    partition->hole = offset;
    return false;
}

bool batch_collect(struct batch *batch, struct shell *shell, rd_kafka_message_t **messages, size_t count)
{
    SL_ASSERT(batch_is_empty(batch) && count <= batch->count_max);
    bool complete = true;
    batch_drop(batch);
    for (size_t i = 0; i < count; i++) {
        struct partition *partition = partitions_find(&shell->partitions, messages[i]->partition);
        bool seen = false;
        batch->messages[batch->message_count++] = messages[i];
        if (!complete || !partition || !joins(partition, messages[i]->offset, &seen)) {
            complete = false;
            continue;
        }
        if (seen)
            continue;
        if (messages[i]->offset > partition->fetched)
            sl_log(SL_LOG_WARN, "batch", "the log has a gap: going on behind it",
                   LOG_INT("partition", messages[i]->partition), LOG_INT("expected", partition->fetched),
                   LOG_INT("offset", messages[i]->offset));
        partition->fetched = messages[i]->offset + 1;
        struct item *item = item_decode(batch->decoded, shell->ring, messages[i]);
        if (messages[i]->offset < partition->next)
            batch->told[batch->told_count++] = item;
        else
            batch->items[batch->count++] = item;
    }
    batch->step = batch->count;
    if (!complete)
        batch_drop(batch);
    return complete;
}

static enum attempt_end run_again(struct batch *batch, struct shell *shell, int64_t (*wall_ms)(void), size_t *ret_done,
                                  struct sl_err *err)
{
    size_t left = batch->count - batch->done;
    size_t count = batch->step < left ? batch->step : left;
    enum attempt_end end = ATTEMPT_AGAIN;
    for (int i = 0; i < AGAIN_MAX; i++) {
        sl_err_clear(err);
        end = attempt_run(shell, batch->attempt, batch->items + batch->done, count, wall_ms(), ret_done, err);
        /* A unique id that another worker wrote meanwhile is found by the next look; one that is never found is this
         * event's fault. */
        bool is_race = end == ATTEMPT_PERMANENT && strcmp(err->code, "23505") == 0;
        if (end != ATTEMPT_AGAIN && !is_race)
            break;
    }
    if (end == ATTEMPT_AGAIN) {
        (void)sl_err_set(err, SL_ERR_RETRY, "customers change hands faster than a batch is decided");
        return ATTEMPT_RETRY;
    }
    return end;
}

static void note(struct batch *batch, struct shell *shell, size_t done, int64_t started_us)
{
    int64_t took_us = sl_clock_mono_us() - started_us;
    sl_metric_add(shell->meters.batches_total, 1);
    sl_metric_add(shell->meters.batch_events_total, (int64_t)done);
    sl_metric_observe_ms(shell->meters.batch_seconds, (double)took_us / 1000.0);
    sl_log(SL_LOG_DEBUG, "batch", "committed", LOG_INT("events", done), LOG_INT("took_us", took_us),
           LOG_INT("left", batch->count - batch->done), LOG_INT("in_flight", outbox_in_flight(shell->outbox)));
}

/* How many to try after some were decided. */
static size_t next_step(const struct batch *batch)
{
    if (batch->done < batch->broken)
        return (batch->broken - batch->done + 1) / 2;
    return batch->step * 2 < batch->count_max ? batch->step * 2 : batch->count_max;
}

/* One step: a prefix is decided, or halved, or buried. DONE means that work may go on. */
static enum batch_end work_step(struct batch *batch, struct shell *shell, int64_t (*wall_ms)(void), bool *ret_progress,
                                struct sl_err *err)
{
    size_t done = 0;
    int64_t started_us = sl_clock_mono_us();
    enum attempt_end end = run_again(batch, shell, wall_ms, &done, err);
    size_t left = batch->count - batch->done;
    size_t tried = batch->step < left ? batch->step : left;
    if (end == ATTEMPT_PERMANENT && tried > 1) {
        sl_fault("apply.before_halving");
        batch->broken = batch->done + tried;
        batch->step = (tried + 1) / 2;
        sl_metric_add(shell->meters.halved_total, 1);
        sl_log(SL_LOG_WARN, "batch", "a batch can't be committed: looking for the event", LOG_INT("events", tried),
               LOG_ERR(err));
        return BATCH_DONE;
    }
    if (end == ATTEMPT_PERMANENT) {
        const struct sl_err why = *err;
        sl_err_clear(err);
        end = attempt_bury(shell, batch->attempt, batch->items[batch->done], wall_ms(), &why, err);
        done = 1;
    }
    if (end == ATTEMPT_DONE) {
        batch->done += done;
        batch->step = next_step(batch);
        *ret_progress = true;
        note(batch, shell, done, started_us);
        return BATCH_DONE;
    }
    return end == ATTEMPT_FENCED ? BATCH_FENCED : BATCH_RETRY;
}

enum batch_end batch_work(struct batch *batch, struct shell *shell, int64_t (*wall_ms)(void), bool *ret_progress,
                          struct sl_err *err)
{
    if (batch->told_count) {
        sl_fault("apply.before_again");
        if (!announce_again(shell, batch->attempt, batch->told, batch->told_count, err))
            return BATCH_RETRY;
        sl_fault("apply.after_again");
        batch->told_count = 0;
    }
    while (batch->done < batch->count) {
        enum batch_end end = work_step(batch, shell, wall_ms, ret_progress, err);
        if (end != BATCH_DONE)
            return end;
    }
    batch_drop(batch);
    return BATCH_DONE;
}
