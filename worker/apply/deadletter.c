/* deadletter.c - see deadletter.h. */
#include "worker/apply/deadletter.h"

#include "common/clock.h"
#include "common/utf8.h"
#include "worker/apply/message.h"
#include "worker/apply/resolve.h"

#define DLQ_HEADERS_MAX 12
#define ERROR_BYTES_MAX 1000
#define ATTEMPTS_MAX    1000000

struct deadletters {
    struct sl_arena *arena;
    struct sl_pg_array *ids, *event_ids, *users, *sources, *types, *stages, *causes, *errors, *attempts;
    struct sl_pg_array *partitions, *offsets, *jobs, *first, *last;
    struct sl_uuid *taken; /* the ids, count of them */
    size_t count, cap;
};

static const char INSERT[] =
    "INSERT INTO sluice.dead_letters (id, event_id, user_id, source, type, stage, cause, error, attempts, topic,"
    " partition, \"offset\", job_id, first_at, last_at)"
    " SELECT id, event_id, user_id, source, type, stage, cause, error, attempts, $15, partition, log_offset, job_id,"
    " first_at, last_at FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],"
    " $7::text[], $8::text[], $9::int[], $10::int[], $11::bigint[], $12::uuid[], $13::timestamptz[],"
    " $14::timestamptz[]) AS d (id, event_id, user_id, source, type, stage, cause, error, attempts, partition,"
    " log_offset, job_id, first_at, last_at) ORDER BY id"
    " ON CONFLICT (id) DO UPDATE SET status = 'open', attempts = dead_letters.attempts + excluded.attempts,"
    " previous = CASE WHEN jsonb_array_length(dead_letters.previous) < 20 THEN dead_letters.previous"
    "  ELSE dead_letters.previous - 0 END || jsonb_build_array(jsonb_build_object('stage', dead_letters.stage,"
    "  'cause', dead_letters.cause, 'error', dead_letters.error, 'at', dead_letters.last_at,"
    "  'partition', dead_letters.partition, 'offset', dead_letters.\"offset\")),"
    " stage = excluded.stage, cause = excluded.cause, error = excluded.error, topic = excluded.topic,"
    " partition = excluded.partition, \"offset\" = excluded.\"offset\", event_id = excluded.event_id,"
    " source = excluded.source, type = excluded.type, user_id = excluded.user_id, last_at = excluded.last_at,"
    " seq = excluded.seq, replayed_at = NULL, closed_at = NULL, closed_by = NULL, reason = NULL";
#define SETTLE                                                                                                         \
    "UPDATE sluice.dead_letters l SET status = 'replayed', closed_at = $1, replayed_at = NULL WHERE l.status = 'open'"
static const char SETTLE_EVENTS[] =
    SETTLE " AND l.stage IN ('decode', 'decide', 'commit') AND l.event_id = ANY($2::text[])"
           " AND (l.event_id, l.source) IN (SELECT * FROM unnest($2::text[], $3::text[]))";
static const char SETTLE_LETTERS[] = SETTLE " AND l.stage IN ('decode', 'decide', 'commit') AND l.id = ANY($2::uuid[])";
static const char SETTLE_JOBS[] = SETTLE " AND l.stage = 'execute' AND l.job_id = ANY($2::uuid[])";

struct deadletters *deadletters_create(struct sl_arena *arena, size_t cap)
{
    struct deadletters *letters = sl_arena_alloc(arena, 1, sizeof(*letters));
    *letters = (struct deadletters){
        .arena = arena,
        .ids = sl_pg_array_create(arena, SL_PG_UUID),
        .event_ids = sl_pg_array_create(arena, SL_PG_TEXT),
        .users = sl_pg_array_create(arena, SL_PG_TEXT),
        .sources = sl_pg_array_create(arena, SL_PG_TEXT),
        .types = sl_pg_array_create(arena, SL_PG_TEXT),
        .stages = sl_pg_array_create(arena, SL_PG_TEXT),
        .causes = sl_pg_array_create(arena, SL_PG_TEXT),
        .errors = sl_pg_array_create(arena, SL_PG_TEXT),
        .attempts = sl_pg_array_create(arena, SL_PG_INT4),
        .partitions = sl_pg_array_create(arena, SL_PG_INT4),
        .offsets = sl_pg_array_create(arena, SL_PG_INT8),
        .jobs = sl_pg_array_create(arena, SL_PG_UUID),
        .first = sl_pg_array_create(arena, SL_PG_TIMESTAMPTZ),
        .last = sl_pg_array_create(arena, SL_PG_TIMESTAMPTZ),
        .taken = sl_arena_alloc(arena, cap, sizeof(*letters->taken)),
        .cap = cap,
    };
    return letters;
}

size_t deadletters_count(const struct deadletters *letters)
{
    return letters->count;
}

static struct sl_uuid id_of_job(struct sl_uuid job_id)
{
    char text[SL_UUID_TEXT_BYTES];
    sl_uuid_format(job_id, text);
    const struct sl_str parts[] = {SL_STR("dead letter"), SL_STR("job"), sl_str_of(text)};
    return sl_uuid_v5(SL_UUID_SPACE, parts, SL_ARRAY_LEN(parts));
}

struct sl_uuid deadletter_id(const struct deadletter *letter)
{
    const struct item *item = letter->item;
    if (!sl_uuid_is_nil(letter->job_id))
        return id_of_job(letter->job_id);
    if (!sl_uuid_is_nil(item->letter_id))
        return item->letter_id;
    char position[64];
    struct sl_str place = {.ptr = position};
    int64_t numbers[2] = {item->message->partition, item->message->offset};
    for (size_t i = 0; i < SL_ARRAY_LEN(numbers); i++) {
        uint64_t rest = (uint64_t)numbers[i];
        do {
            position[place.len++] = (char)('0' + rest % 10);
            rest /= 10;
        } while (rest);
        position[place.len++] = '/';
    }
    const struct sl_str of_event[] = {SL_STR("dead letter"), item->event.source, item->event.id,
                                      sl_str_of(letter->stage)};
    const struct sl_str of_place[] = {SL_STR("dead letter"), place};
    return item->has_event ? sl_uuid_v5(SL_UUID_SPACE, of_event, SL_ARRAY_LEN(of_event))
                           : sl_uuid_v5(SL_UUID_SPACE, of_place, SL_ARRAY_LEN(of_place));
}

/* The bytes of an error that are fit for a text column. */
static struct sl_str printable(struct sl_arena *arena, struct sl_str text)
{
    struct sl_str cut = sl_utf8_cut(text, ERROR_BYTES_MAX);
    if (sl_utf8_is_text(cut))
        return cut;
    char *clean = sl_arena_alloc(arena, cut.len + 1, 1);
    for (size_t i = 0; i < cut.len; i++)
        clean[i] = cut.ptr[i] >= ' ' && cut.ptr[i] <= '~' ? cut.ptr[i] : '?';
    return (struct sl_str){.ptr = clean, .len = cut.len};
}

static struct sl_str number_text(struct sl_arena *arena, int64_t number)
{
    return sl_arena_printf(arena, "%lld", (long long)number);
}

static struct sl_str iso_text(struct sl_arena *arena, int64_t at_ms)
{
    char text[SL_CLOCK_ISO_BYTES];
    sl_clock_format_iso(at_ms, text);
    return sl_arena_str(arena, sl_str_of(text));
}

static int64_t received_at_ms(const struct deadletter *letter)
{
    int64_t at_ms = letter->item->has_event ? letter->item->event.received_at_ms
                                            : rd_kafka_message_timestamp(letter->item->message, NULL);
    return at_ms > 0 ? at_ms : letter->now_ms;
}

/* A replay says when its message died first, and how often. */
static int64_t first_at_ms(const struct deadletter *letter)
{
    int64_t at_ms = 0;
    return sl_clock_parse(item_header(letter->item, ITEM_HEADER_FIRST_AT), &at_ms) && at_ms > 0
               ? at_ms
               : received_at_ms(letter);
}

static int64_t attempts_so_far(const struct deadletter *letter)
{
    int64_t attempts = 0;
    return sl_str_to_int64(item_header(letter->item, ITEM_HEADER_ATTEMPTS), &attempts) && attempts > 0 &&
                   attempts < ATTEMPTS_MAX
               ? attempts
               : 0;
}

static void stage(struct deadletters *letters, struct shell *shell, const struct deadletter *letter,
                  struct sl_str error)
{
    struct sl_arena *arena = letters->arena;
    const rd_kafka_message_t *message = letter->item->message;
    struct sl_event_header headers[SL_EVENT_HEADERS_MAX];
    size_t count = message_headers(message, headers, SL_EVENT_HEADERS_MAX - DLQ_HEADERS_MAX);
    const struct sl_event_header added[] = {
        {SL_STR("dlq_cause"), sl_str_of(letter->cause)},
        {SL_STR("dlq_error"), error},
        {SL_STR("dlq_stage"), sl_str_of(letter->stage)},
        {SL_STR("dlq_attempts"), number_text(arena, attempts_so_far(letter) + letter->attempts)},
        {SL_STR("dlq_first_at"), iso_text(arena, first_at_ms(letter))},
        {SL_STR("dlq_last_at"), iso_text(arena, letter->now_ms)},
        {SL_STR("dlq_topic"), SL_STR(SL_TOPIC_EVENTS)},
        {SL_STR("dlq_partition"), number_text(arena, message->partition)},
        {SL_STR("dlq_offset"), number_text(arena, message->offset)},
        {SL_STR("dlq_worker"), sl_str_of(shell->worker_id)},
        {SL_STR("dlq_trace"), letter->item->has_event ? letter->item->event.traceparent : SL_STR_NONE},
    };
    _Static_assert(SL_ARRAY_LEN(added) <= DLQ_HEADERS_MAX, "room is kept for them");
    for (size_t i = 0; i < SL_ARRAY_LEN(added); i++)
        headers[count++] = added[i];
    struct sl_str value = message_value(message);
    outbox_add_message(shell->outbox, SL_TOPIC_DEAD_LETTERS, message_key(message), headers, count, &value);
}

void deadletters_add(struct deadletters *letters, struct shell *shell, const struct deadletter *letter)
{
    const struct item *item = letter->item;
    const struct sl_uuid id = deadletter_id(letter);
    for (size_t i = 0; i < letters->count; i++) {
        if (sl_uuid_equal(letters->taken[i], id))
            return;
    }
    struct sl_str error = printable(letters->arena, letter->error);
    SL_ASSERT(letters->count < letters->cap);
    letters->taken[letters->count++] = id;
    stage(letters, shell, letter, error);
    sl_pg_array_uuid(letters->ids, id);
    sl_pg_array_text_or_null(letters->event_ids, item->has_event ? item->event.id : SL_STR_NONE);
    sl_pg_array_text_or_null(letters->users, letter->user_id);
    sl_pg_array_text_or_null(letters->sources, item->has_event ? item->event.source : SL_STR_NONE);
    sl_pg_array_text_or_null(letters->types, item->has_event ? item->event.type : SL_STR_NONE);
    sl_pg_array_text(letters->stages, sl_str_of(letter->stage));
    sl_pg_array_text(letters->causes, sl_str_of(letter->cause));
    sl_pg_array_text(letters->errors, error);
    sl_pg_array_int(letters->attempts, letter->attempts);
    sl_pg_array_int(letters->partitions, item->message->partition);
    sl_pg_array_int(letters->offsets, item->message->offset);
    sl_pg_array_uuid_or_null(letters->jobs, letter->job_id);
    sl_pg_array_at_ms_or_null(letters->first, first_at_ms(letter));
    sl_pg_array_at_ms_or_null(letters->last, letter->now_ms);
}

void deadletters_queue(const struct deadletters *letters, struct pipeline *pipeline)
{
    struct sl_pg_array *const arrays[] = {
        letters->ids,     letters->event_ids, letters->users,  letters->sources,  letters->types,
        letters->stages,  letters->causes,    letters->errors, letters->attempts, letters->partitions,
        letters->offsets, letters->jobs,      letters->first,  letters->last,
    };
    struct sl_pg_params params;
    if (!letters->count)
        return;
    sl_pg_params_init(&params, letters->arena);
    for (size_t i = 0; i < SL_ARRAY_LEN(arrays); i++)
        sl_pg_array(&params, arrays[i]);
    sl_pg_text(&params, SL_STR(SL_TOPIC_EVENTS));
    (void)pipeline_add(pipeline, INSERT, &params);
}

/* Is there nothing more to decide about the event? */
static bool is_over(const struct decision *decision)
{
    if (decision->kind != DECISION_DUPLICATE)
        return decision->kind == DECISION_MADE;
    if (decision->first)
        return decision->first->kind == DECISION_MADE;
    return decision->known->outcome == OUTCOME_APPLIED || decision->known->outcome == OUTCOME_REJECTED ||
           decision->known->outcome == OUTCOME_IGNORED;
}

static void queue_settle(const struct attempt *attempt, const char *sql, struct sl_pg_array *first,
                         struct sl_pg_array *second, struct pipeline *pipeline)
{
    struct sl_pg_params params;
    if (!sl_pg_array_count(first))
        return;
    sl_pg_params_init(&params, attempt->arena);
    sl_pg_at_ms(&params, attempt->now_ms);
    sl_pg_array(&params, first);
    if (second)
        sl_pg_array(&params, second);
    (void)pipeline_add(pipeline, sql, &params);
}

void deadletters_queue_settled(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct sl_pg_array *ids = sl_pg_array_create(attempt->arena, SL_PG_TEXT);
    struct sl_pg_array *sources = sl_pg_array_create(attempt->arena, SL_PG_TEXT);
    struct sl_pg_array *letters = sl_pg_array_create(attempt->arena, SL_PG_UUID);
    struct sl_pg_array *jobs = sl_pg_array_create(attempt->arena, SL_PG_UUID);
    for (size_t i = 0; i < attempt->decided; i++) {
        const struct decision *decision = &attempt->decisions[i];
        bool is_made = decision->kind == DECISION_MADE;
        if (is_made && decision->known && decision->known->outcome == OUTCOME_DEAD) {
            sl_pg_array_text(ids, decision->item->event.id);
            sl_pg_array_text(sources, decision->item->event.source);
        }
        if (!sl_uuid_is_nil(decision->item->letter_id) && is_over(decision))
            sl_pg_array_uuid(letters, decision->item->letter_id);
        if (is_made && decision->input->type == INPUT_JOB_RETRY && decision->outcome == OUTCOME_APPLIED)
            sl_pg_array_uuid(jobs, resolve_job_id(decision->input));
    }
    queue_settle(attempt, SETTLE_EVENTS, ids, sources, pipeline);
    queue_settle(attempt, SETTLE_LETTERS, letters, NULL, pipeline);
    queue_settle(attempt, SETTLE_JOBS, jobs, NULL, pipeline);
}
