/* hub.c - see hub.h.
 *
 * Invariants (stream_check):
 * 1. A stream's bytes are those of its frames that are not written yet; none when it has no frame.
 * 2. A parked stream has nothing to write: whoever gives it something resumes it.
 * 3. Only a stream that is BEHIND is in a pass, and a stalled one is in none.
 * 4. A LIVE stream has been given every outcome of its user below its next_offset, once.
 */
#include "console/hub.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "console/frame.h"

#define BUCKETS 4096 /* a power of two */
#define LOOK_MS 1000 /* between two looks for clients that have gone */

enum stream_state { STREAM_LIVE = 0, STREAM_BEHIND, STREAM_ENDING };

struct piece {
    struct piece *next;
    struct frame *frame;
};

struct stream {
    struct stream *prev, *next; /* of all */
    struct stream *next_in_bucket;
    struct sl_str user_id;
    struct stream_cursor cursor; /* of what it has been given */
    enum stream_state state;
    bool in_pass;
    bool is_stalled; /* BEHIND, and its buffer is full: the next pass waits for its reader */
    bool is_parked;
    struct piece *head, **tail;
    size_t head_written; /* of the head's bytes */
    size_t bytes;
    int64_t written_at_ms;
    int64_t ends_at_ms;
    void *carrier_arg;
};

struct hub {
    struct hub_options options;
    pthread_mutex_t lock;
    pthread_cond_t behind; /* a stream may be caught up */
    struct stream *streams;
    struct stream *buckets[BUCKETS];
    size_t count;
    size_t bytes;
    bool is_closed;          /* hub_end_all */
    int32_t partition_count; /* 0: not ready */
    int64_t positions[HUB_PARTITIONS_MAX];
    bool is_read[HUB_PARTITIONS_MAX]; /* a pass over it is under way */
    struct frame *heartbeat;
    int64_t look_at_ms;
};

static void lock(struct hub *hub)
{
    SL_ASSERT(pthread_mutex_lock(&hub->lock) == 0);
}

static void unlock(struct hub *hub)
{
    SL_ASSERT(pthread_mutex_unlock(&hub->lock) == 0);
}

static void stream_check(const struct stream *stream)
{
    SL_ASSERT((stream->head != NULL) == (stream->bytes > 0));
    SL_ASSERT(!stream->is_parked || stream->bytes == 0);
    SL_ASSERT(!stream->in_pass || (stream->state == STREAM_BEHIND && !stream->is_stalled));
}

struct hub *hub_create(const struct hub_options *options)
{
    pthread_condattr_t attributes;
    struct hub *hub = sl_calloc(1, sizeof(*hub));
    hub->options = *options;
    SL_ASSERT(pthread_mutex_init(&hub->lock, NULL) == 0);
    SL_ASSERT(pthread_condattr_init(&attributes) == 0);
    SL_ASSERT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    SL_ASSERT(pthread_cond_init(&hub->behind, &attributes) == 0);
    (void)pthread_condattr_destroy(&attributes);
    hub->heartbeat = frame_comment("heartbeat");
    return hub;
}

void hub_destroy(struct hub *hub)
{
    if (!hub)
        return;
    SL_ASSERT(hub->count == 0 && hub->bytes == 0);
    frame_release(hub->heartbeat);
    (void)pthread_cond_destroy(&hub->behind);
    (void)pthread_mutex_destroy(&hub->lock);
    free(hub);
}

static struct stream **bucket_of(struct hub *hub, struct sl_str user_id)
{
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (size_t i = 0; i < user_id.len; i++)
        hash = (hash ^ (unsigned char)user_id.ptr[i]) * 16777619U;
    return &hub->buckets[hash & (BUCKETS - 1)];
}

static void resume(struct hub *hub, struct stream *stream)
{
    if (stream->is_parked) {
        stream->is_parked = false;
        hub->options.carrier.resume(stream->carrier_arg);
    }
}

static bool has_room(const struct hub *hub, const struct stream *stream, size_t len)
{
    return (stream->bytes == 0 || stream->bytes + len <= hub->options.buffer_bytes) &&
           hub->bytes + len <= hub->options.total_bytes;
}

static void push(struct hub *hub, struct stream *stream, struct frame *frame)
{
    struct piece *piece = sl_malloc(sizeof(*piece));
    *piece = (struct piece){.frame = frame_hold(frame)};
    *stream->tail = piece;
    stream->tail = &piece->next;
    stream->bytes += frame->len;
    hub->bytes += frame->len;
    resume(hub, stream);
    stream_check(stream);
}

/* Pushes a frame that nobody else gets. */
static void push_own(struct hub *hub, struct stream *stream, struct frame *frame)
{
    push(hub, stream, frame);
    frame_release(frame);
}

static void pop(struct hub *hub, struct stream *stream)
{
    struct piece *piece = stream->head;
    size_t left = piece->frame->len - stream->head_written;
    stream->head = piece->next;
    if (!stream->head)
        stream->tail = &stream->head;
    stream->head_written = 0;
    stream->bytes -= left;
    hub->bytes -= left;
    frame_release(piece->frame);
    free(piece);
}

/* What waits is still written; `reason` is a word, for the metric and for who looks at the wire. */
static void end(struct hub *hub, struct stream *stream, const char *reason)
{
    if (stream->state == STREAM_ENDING)
        return;
    stream->state = STREAM_ENDING;
    stream->in_pass = false;
    stream->is_stalled = false;
    push_own(hub, stream, frame_comment(reason));
    sl_metric_add(sl_metric_with(hub->options.meters->ended_total, reason), 1);
}

/* Nobody reads it: what waits is freed at once. */
static void drop(struct hub *hub, struct stream *stream)
{
    end(hub, stream, "slow");
    while (stream->head)
        pop(hub, stream);
    hub->options.carrier.cut(stream->carrier_arg);
    resume(hub, stream);
    stream_check(stream);
}

/* From now: nothing of before is owed. */
static void make_live(struct hub *hub, struct stream *stream)
{
    stream->state = STREAM_LIVE;
    stream->in_pass = false;
    stream->is_stalled = false;
    stream->cursor.next_offset = hub->positions[stream->cursor.partition];
    push_own(hub, stream, frame_start(stream->cursor, HUB_RETRY_MS));
}

static void lose_cursor(struct hub *hub, struct stream *stream)
{
    push_own(hub, stream, frame_comment("this Last-Event-ID is unknown or too old: from now on"));
    make_live(hub, stream);
    sl_metric_add(sl_metric_with(hub->options.meters->opened_total, "lost"), 1);
}

static void begin(struct hub *hub, struct stream *stream, struct sl_str last_event_id)
{
    struct stream_cursor cursor;
    stream->cursor.partition = hub->options.partition_of(stream->user_id, hub->partition_count);
    SL_ASSERT(stream->cursor.partition >= 0 && stream->cursor.partition < hub->partition_count);
    if (sl_str_empty(last_event_id)) {
        make_live(hub, stream);
        sl_metric_add(sl_metric_with(hub->options.meters->opened_total, "now"), 1);
    } else if (!stream_cursor_parse(last_event_id, &cursor) || cursor.partition != stream->cursor.partition) {
        lose_cursor(hub, stream);
    } else {
        /* Even one that stands at the tail's position: what follows it may be beyond what the log holds. */
        stream->cursor = cursor;
        stream->state = STREAM_BEHIND;
        push_own(hub, stream, frame_start(cursor, HUB_RETRY_MS));
        SL_ASSERT(pthread_cond_signal(&hub->behind) == 0);
    }
}

/* Who comes back at once is not refused for what it has left behind. */
static unsigned count_of_user(struct hub *hub, struct sl_str user_id)
{
    unsigned count = 0;
    for (struct stream *other = *bucket_of(hub, user_id); other; other = other->next_in_bucket) {
        if (other->state == STREAM_ENDING || !sl_str_equal(other->user_id, user_id))
            continue;
        if (hub->options.carrier.is_gone(other->carrier_arg))
            end(hub, other, "client");
        else
            count++;
    }
    return count;
}

static enum hub_refusal may_open(struct hub *hub, struct sl_str user_id)
{
    if (hub->partition_count == 0 || hub->is_closed)
        return HUB_NOT_READY;
    if (hub->count >= hub->options.streams_max)
        return HUB_FULL;
    return count_of_user(hub, user_id) < hub->options.streams_per_user ? HUB_TAKEN : HUB_USER_FULL;
}

struct stream *hub_open(struct hub *hub, const struct hub_ask *ask, int64_t mono_ms, enum hub_refusal *ret_refusal)
{
    lock(hub);
    *ret_refusal = may_open(hub, ask->user_id);
    if (*ret_refusal != HUB_TAKEN) {
        unlock(hub);
        return NULL;
    }
    struct stream *stream = sl_calloc(1, sizeof(*stream) + ask->user_id.len);
    char *user_id = (char *)(stream + 1);
    memcpy(user_id, ask->user_id.ptr, ask->user_id.len);
    stream->user_id = (struct sl_str){.ptr = user_id, .len = ask->user_id.len};
    stream->tail = &stream->head;
    stream->written_at_ms = mono_ms;
    stream->ends_at_ms = ask->ends_at_ms;
    stream->carrier_arg = ask->carrier_arg;
    stream->next = hub->streams;
    if (hub->streams)
        hub->streams->prev = stream;
    hub->streams = stream;
    struct stream **bucket = bucket_of(hub, stream->user_id);
    stream->next_in_bucket = *bucket;
    *bucket = stream;
    hub->count++;
    begin(hub, stream, ask->last_event_id);
    unlock(hub);
    return stream;
}

void hub_close(struct hub *hub, struct stream *stream)
{
    lock(hub);
    if (stream->state != STREAM_ENDING)
        sl_metric_add(sl_metric_with(hub->options.meters->ended_total, "client"), 1);
    while (stream->head)
        pop(hub, stream);
    *(stream->prev ? &stream->prev->next : &hub->streams) = stream->next;
    if (stream->next)
        stream->next->prev = stream->prev;
    struct stream **link = bucket_of(hub, stream->user_id);
    while (*link != stream)
        link = &(*link)->next_in_bucket;
    *link = stream->next_in_bucket;
    hub->count--;
    unlock(hub);
    free(stream);
}

size_t hub_read(struct hub *hub, struct stream *stream, char *out, size_t max, int64_t mono_ms, bool *ret_ended)
{
    size_t taken = 0;
    lock(hub);
    while (stream->head && taken < max) {
        const struct frame *frame = stream->head->frame;
        size_t left = frame->len - stream->head_written;
        size_t len = left < max - taken ? left : max - taken;
        memcpy(out + taken, frame->text + stream->head_written, len);
        taken += len;
        stream->head_written += len;
        stream->bytes -= len;
        hub->bytes -= len;
        if (stream->head_written == frame->len)
            pop(hub, stream);
    }
    if (stream->is_stalled && stream->bytes <= hub->options.buffer_bytes / 2) {
        stream->is_stalled = false;
        SL_ASSERT(pthread_cond_signal(&hub->behind) == 0);
    }
    *ret_ended = taken == 0 && stream->state == STREAM_ENDING;
    if (taken > 0) {
        stream->written_at_ms = mono_ms;
    } else if (!*ret_ended) {
        stream->is_parked = true;
        hub->options.carrier.suspend(stream->carrier_arg);
    }
    stream_check(stream);
    unlock(hub);
    return taken;
}

void hub_tick(struct hub *hub, int64_t mono_ms, int64_t wall_ms)
{
    lock(hub);
    bool looks = mono_ms >= hub->look_at_ms;
    if (looks)
        hub->look_at_ms = mono_ms + LOOK_MS;
    for (struct stream *stream = hub->streams; stream; stream = stream->next) {
        if (stream->state == STREAM_ENDING)
            continue;
        if (looks && hub->options.carrier.is_gone(stream->carrier_arg)) {
            end(hub, stream, "client");
        } else if (stream->ends_at_ms > 0 && wall_ms >= stream->ends_at_ms) {
            end(hub, stream, "expired");
        } else if (stream->bytes == 0 && mono_ms - stream->written_at_ms >= hub->options.heartbeat_ms) {
            stream->written_at_ms = mono_ms;
            push(hub, stream, hub->heartbeat);
        }
    }
    sl_metric_set(hub->options.meters->streams, (int64_t)hub->count);
    sl_metric_set(hub->options.meters->stream_bytes, (int64_t)hub->bytes);
    unlock(hub);
}

void hub_end_all(struct hub *hub, const char *reason)
{
    lock(hub);
    hub->is_closed = true;
    for (struct stream *stream = hub->streams; stream; stream = stream->next)
        end(hub, stream, reason);
    unlock(hub);
}

void hub_cut_all(struct hub *hub)
{
    lock(hub);
    for (struct stream *stream = hub->streams; stream; stream = stream->next)
        drop(hub, stream);
    unlock(hub);
}

size_t hub_count(struct hub *hub)
{
    lock(hub);
    size_t count = hub->count;
    unlock(hub);
    return count;
}

void hub_set_positions(struct hub *hub, int32_t partition_count, const int64_t *next_offsets)
{
    SL_ASSERT(partition_count > 0 && partition_count <= HUB_PARTITIONS_MAX);
    lock(hub);
    hub->partition_count = partition_count;
    memcpy(hub->positions, next_offsets, (size_t)partition_count * sizeof(*next_offsets));
    unlock(hub);
}

void hub_lose(struct hub *hub, const char *reason)
{
    lock(hub);
    hub->partition_count = 0;
    for (struct stream *stream = hub->streams; stream; stream = stream->next)
        end(hub, stream, reason);
    unlock(hub);
}

static struct frame *frame_at(int32_t partition, int64_t at, struct sl_str type, struct sl_str data)
{
    return frame_event((struct stream_cursor){.partition = partition, .next_offset = at + 1}, type, data);
}

void hub_deliver(struct hub *hub, struct stream_cursor at, struct sl_str user_id, struct sl_str type,
                 struct sl_str data)
{
    struct frame *frame = NULL;
    int64_t sent = 0;
    lock(hub);
    SL_ASSERT(at.partition >= 0 && at.partition < hub->partition_count);
    for (struct stream *stream = *bucket_of(hub, user_id); stream; stream = stream->next_in_bucket) {
        if (stream->state != STREAM_LIVE || stream->cursor.partition != at.partition ||
            at.next_offset < stream->cursor.next_offset || !sl_str_equal(stream->user_id, user_id))
            continue;
        if (!frame)
            frame = frame_at(at.partition, at.next_offset, type, data);
        if (!has_room(hub, stream, frame->len)) {
            drop(hub, stream);
            continue;
        }
        push(hub, stream, frame);
        stream->cursor.next_offset = at.next_offset + 1;
        sent++;
    }
    if (at.next_offset >= hub->positions[at.partition])
        hub->positions[at.partition] = at.next_offset + 1;
    if (frame)
        frame_release(frame);
    unlock(hub);
    if (sent > 0)
        sl_metric_add(sl_metric_with(hub->options.meters->outcomes_total, "live"), sent);
}

/* The streams that could be caught up now; `partition` -1: of any that nobody reads. */
static bool waits_in(const struct hub *hub, const struct stream *stream, int32_t partition)
{
    return stream->state == STREAM_BEHIND && !stream->is_stalled && !stream->in_pass &&
           (partition < 0 ? !hub->is_read[stream->cursor.partition] : stream->cursor.partition == partition);
}

/* The one that has waited longest is the last in the list. */
static const struct stream *next_behind(const struct hub *hub)
{
    const struct stream *found = NULL;
    for (const struct stream *stream = hub->streams; stream; stream = stream->next) {
        if (waits_in(hub, stream, -1))
            found = stream;
    }
    return found;
}

static bool is_of(const struct stream *stream, const struct hub_pass *pass)
{
    return stream->in_pass && stream->cursor.partition == pass->partition;
}

bool hub_pass_begin(struct hub *hub, int timeout_ms, struct hub_pass *ret_pass)
{
    struct timespec until;
    SL_ASSERT(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000L;
    until.tv_sec += timeout_ms / 1000 + until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    lock(hub);
    const struct stream *first = next_behind(hub);
    if (!first && timeout_ms > 0 && pthread_cond_timedwait(&hub->behind, &hub->lock, &until) == 0)
        first = next_behind(hub);
    if (first) {
        *ret_pass = (struct hub_pass){.partition = first->cursor.partition, .from = first->cursor.next_offset};
        hub->is_read[ret_pass->partition] = true;
        for (struct stream *stream = hub->streams; stream; stream = stream->next) {
            if (!waits_in(hub, stream, ret_pass->partition))
                continue;
            stream->in_pass = true;
            if (stream->cursor.next_offset < ret_pass->from)
                ret_pass->from = stream->cursor.next_offset;
        }
    }
    unlock(hub);
    return first != NULL;
}

bool hub_pass_bound(struct hub *hub, struct hub_pass *pass, int64_t low, int64_t high)
{
    bool any = false;
    lock(hub);
    for (struct stream *stream = hub->streams; stream; stream = stream->next) {
        int64_t next = stream->cursor.next_offset;
        if (!is_of(stream, pass))
            continue;
        if (next < low || next > high || high - next > hub->options.resume_max) {
            lose_cursor(hub, stream);
            continue;
        }
        if (!any || next < pass->from)
            pass->from = next;
        any = true;
    }
    unlock(hub);
    return any;
}

void hub_pass_message(struct hub *hub, const struct hub_pass *pass, int64_t at, struct sl_str user_id,
                      struct sl_str type, struct sl_str data)
{
    struct frame *frame = NULL;
    int64_t sent = 0;
    lock(hub);
    for (struct stream *stream = *bucket_of(hub, user_id); stream; stream = stream->next_in_bucket) {
        if (!is_of(stream, pass) || at < stream->cursor.next_offset || !sl_str_equal(stream->user_id, user_id))
            continue;
        if (!frame)
            frame = frame_at(pass->partition, at, type, data);
        if (!has_room(hub, stream, frame->len)) {
            stream->in_pass = false;
            stream->is_stalled = true;
            continue;
        }
        push(hub, stream, frame);
        stream->cursor.next_offset = at + 1;
        sent++;
    }
    if (frame)
        frame_release(frame);
    unlock(hub);
    if (sent > 0)
        sl_metric_add(sl_metric_with(hub->options.meters->outcomes_total, "catch_up"), sent);
}

bool hub_pass_reached(struct hub *hub, const struct hub_pass *pass, int64_t next_offset)
{
    bool any = false;
    lock(hub);
    bool is_there = pass->partition < hub->partition_count && next_offset >= hub->positions[pass->partition];
    for (struct stream *stream = hub->streams; stream; stream = stream->next) {
        if (!is_of(stream, pass))
            continue;
        any = true;
        if (!is_there)
            break;
        stream->state = STREAM_LIVE;
        stream->in_pass = false;
        if (stream->cursor.next_offset < next_offset)
            stream->cursor.next_offset = next_offset;
        sl_metric_add(sl_metric_with(hub->options.meters->opened_total, "cursor"), 1);
    }
    unlock(hub);
    return is_there || !any;
}

void hub_pass_end(struct hub *hub, const struct hub_pass *pass)
{
    lock(hub);
    for (struct stream *stream = hub->streams; stream; stream = stream->next) {
        if (is_of(stream, pass))
            stream->in_pass = false;
    }
    hub->is_read[pass->partition] = false;
    /* Others may have come to this partition meanwhile, whom no reader would be woken for. */
    SL_ASSERT(pthread_cond_signal(&hub->behind) == 0);
    unlock(hub);
}
