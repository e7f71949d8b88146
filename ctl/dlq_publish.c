/* dlq_publish.c - see dlq_publish.h. */
#include "ctl/dlq_publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "ctl/command.h"
#include "ctl/query.h"

#define LINGER_MS           2
#define DELIVERY_TIMEOUT_MS 30000
#define PURGE_TIMEOUT_MS    1000
#define ARENA_BYTES_MAX     ((size_t)16 * 1024 * 1024)
#define MARK_TRIES_MAX      5
#define HEADER_ERROR_MAX    1000

struct dlq_publisher {
    rd_kafka_t *producer;
    const struct dlq_letter *delivered[DLQ_PAGE_MAX];
    size_t added, reported, delivered_count;
    rd_kafka_resp_err_t code; /* of the first that was not delivered */
};

/* A letter may have died again, or its event been decided, before it is marked: then it is not under way. Rows are
 * locked in id order. */
static const char MARK[] =
    "WITH m AS (SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS m (id, seq, retry_id)),"
    " locked AS (SELECT l.id FROM sluice.dead_letters l WHERE l.id = ANY($1::uuid[]) ORDER BY l.id FOR UPDATE),"
    " marked AS (UPDATE sluice.dead_letters l SET replays = l.replays + 1, retry_id = coalesce(m.retry_id, l.retry_id),"
    "  replayed_at = CASE WHEN l.status = 'open' AND l.seq = m.seq THEN now() ELSE l.replayed_at END"
    "  FROM m JOIN locked USING (id) WHERE l.id = m.id RETURNING l.id, l.user_id, l.event_id, l.stage, l.cause)"
    " INSERT INTO sluice.audit_log (at, actor, user_id, action, target, event_id, detail)"
    " SELECT now(), $4, user_id, 'dead_letter_replayed', 'letter:' || id, event_id,"
    " jsonb_build_object('stage', stage, 'cause', cause) FROM marked";
static const char CLOSE[] =
    "WITH closed AS (UPDATE sluice.dead_letters SET status = 'replayed', closed_at = now(), replayed_at = NULL"
    "  WHERE id = ANY($1::uuid[]) AND status = 'open' RETURNING id, user_id, event_id, stage, cause)"
    " INSERT INTO sluice.audit_log (at, actor, user_id, action, target, event_id, detail)"
    " SELECT now(), $2, user_id, 'dead_letter_closed', 'letter:' || id, event_id,"
    " jsonb_build_object('stage', stage, 'cause', cause) FROM closed";

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
    struct dlq_publisher *publisher = opaque;
    (void)kafka;
    publisher->reported++;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        publisher->delivered[publisher->delivered_count++] = message->_private;
    else if (!publisher->code)
        publisher->code = message->err;
}

struct dlq_publisher *dlq_publisher_create(const struct sl_config *config, struct sl_err *err)
{
    char timeout[16];
    rd_kafka_conf_t *conf = sl_kafka_conf_create(config, "sluicectl", err);
    (void)snprintf(timeout, sizeof(timeout), "%d", DELIVERY_TIMEOUT_MS);
    if (!conf)
        return NULL;
    if (!sl_kafka_conf_set(conf, "message.timeout.ms", timeout, err)) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    struct dlq_publisher *publisher = sl_calloc(1, sizeof(*publisher));
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, publisher);
    publisher->producer = sl_kafka_producer_create(conf, LINGER_MS, err);
    if (publisher->producer)
        return publisher;
    free(publisher);
    return NULL;
}

void dlq_publisher_destroy(struct dlq_publisher *publisher)
{
    if (!publisher)
        return;
    (void)rd_kafka_purge(publisher->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    (void)rd_kafka_flush(publisher->producer, PURGE_TIMEOUT_MS);
    rd_kafka_destroy(publisher->producer);
    free(publisher);
}

static void add_header(rd_kafka_headers_t *headers, const char *name, struct sl_str value)
{
    rd_kafka_resp_err_t code = rd_kafka_header_add(headers, name, -1, value.ptr ? value.ptr : "", (ssize_t)value.len);
    SL_ASSERT(code == RD_KAFKA_RESP_ERR_NO_ERROR);
}

/* Of a copy's own headers, those of the letter; of a replay before, those of that replay; nobody waits any longer. */
static bool is_dropped(const char *name, bool has_user)
{
    static const char *const DROPPED[] = {"sluice-replay", "sluice-reply-to", "sluice-letter"};
    for (size_t i = 0; i < SL_ARRAY_LEN(DROPPED); i++) {
        if (strcmp(name, DROPPED[i]) == 0)
            return true;
    }
    return strncmp(name, "dlq_", 4) == 0 || (has_user && strcmp(name, "ce_partitionkey") == 0);
}

static rd_kafka_headers_t *headers_of(const struct dlq_letter *letter)
{
    bool has_user = !sl_str_empty(letter->user_id);
    char generation[16];
    char attempts[24];
    char first_at[SL_CLOCK_ISO_BYTES];
    char last_at[SL_CLOCK_ISO_BYTES];
    struct sl_str error = letter->error;
    rd_kafka_headers_t *original = NULL;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(32);
    const char *name = NULL;
    const void *value = NULL;
    size_t bytes = 0;
    if (!rd_kafka_message_headers(letter->message, &original)) {
        for (size_t i = 0; !rd_kafka_header_get_all(original, i, &name, &value, &bytes); i++) {
            if (!is_dropped(name, has_user))
                add_header(headers, name, (struct sl_str){.ptr = value, .len = value ? bytes : 0});
        }
    }
    error.len = error.len > HEADER_ERROR_MAX ? HEADER_ERROR_MAX : error.len;
    (void)snprintf(generation, sizeof(generation), "%d", letter->generation);
    (void)snprintf(attempts, sizeof(attempts), "%lld", (long long)letter->attempts);
    sl_clock_format_iso(letter->first_at_ms, first_at);
    sl_clock_format_iso(letter->last_at_ms, last_at);
    if (has_user)
        add_header(headers, "ce_partitionkey", letter->user_id);
    add_header(headers, "sluice-replay", sl_str_of(generation));
    add_header(headers, "sluice-letter", sl_str_of(letter->id_text));
    add_header(headers, "dlq_previous_stage", letter->stage);
    add_header(headers, "dlq_previous_cause", letter->cause);
    add_header(headers, "dlq_previous_error", error);
    add_header(headers, "dlq_previous_at", sl_str_of(last_at));
    add_header(headers, "dlq_previous_attempts", sl_str_of(attempts));
    add_header(headers, "dlq_previous_first_at", sl_str_of(first_at));
    return headers;
}

static bool add_message(struct dlq_publisher *publisher, const struct dlq_letter *letter, struct sl_err *err)
{
    const rd_kafka_message_t *message = letter->message;
    char empty[1] = "";
    struct sl_str key = {.ptr = message->key, .len = message->key ? message->key_len : 0};
    int64_t at_ms = letter->is_copy ? letter->first_at_ms : rd_kafka_message_timestamp(message, NULL);
    rd_kafka_headers_t *headers = headers_of(letter);
    if (!sl_str_empty(letter->user_id))
        key = letter->user_id;
    const rd_kafka_vu_t arguments[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = SL_TOPIC_EVENTS},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = RD_KAFKA_PARTITION_UA},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {.ptr = key.len ? (void *)(uintptr_t)key.ptr : NULL, .size = key.len}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {.ptr = message->len ? message->payload : empty, .size = message->len}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = at_ms > 0 ? at_ms : 0},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(uintptr_t)letter},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(publisher->producer, arguments, SL_ARRAY_LEN(arguments));
    if (!error)
        return true;
    rd_kafka_headers_destroy(headers); /* taken only on success */
    (void)sl_kafka_err(err, rd_kafka_error_code(error), "handing a replay to the Kafka client");
    rd_kafka_error_destroy(error);
    return false;
}

bool dlq_retry_event(const struct dlq_letter *letter, int64_t now_ms, struct sl_buf *body, struct sl_event *ret_event,
                     struct sl_err *err)
{
    static char job_id[SL_UUID_TEXT_BYTES];
    sl_uuid_format(letter->job_id, job_id);
    return command_about_job("job.retry", job_id, letter->job_user_id.ptr, letter->retry_id, now_ms, body, ret_event,
                             err);
}

bool dlq_publisher_add(struct dlq_publisher *publisher, const struct dlq_letter *letter, int64_t now_ms,
                       struct sl_err *err)
{
    bool ok;
    SL_ASSERT(publisher->added < DLQ_PAGE_MAX);
    if (dlq_letter_is_job(letter)) {
        struct sl_event event;
        struct sl_buf body;
        sl_buf_init(&body, COMMAND_BYTES_MAX);
        ok = dlq_retry_event(letter, now_ms, &body, &event, err) &&
             sl_kafka_produce_event(publisher->producer, SL_TOPIC_EVENTS, RD_KAFKA_PARTITION_UA, &event,
                                    (void *)(uintptr_t)letter, err);
        sl_buf_deinit(&body);
    } else {
        ok = add_message(publisher, letter, err);
    }
    publisher->added += ok;
    return ok;
}

void dlq_publisher_wait(struct dlq_publisher *publisher, int timeout_ms)
{
    (void)rd_kafka_poll(publisher->producer, timeout_ms);
}

static bool run_marked(struct ctl *ctl, const char *sql, const struct sl_pg_params *params, struct sl_err *err)
{
    struct sl_pg *pg = query_session(ctl, err);
    if (!pg)
        return false;
    for (int i = 1; !sl_pg_run(pg, sql, params, NULL, err); i++) {
        /* A worker that closes letters meanwhile may have the same rows, in another order. */
        if (strcmp(err->code, "40P01") != 0 || i == MARK_TRIES_MAX)
            return false;
        sl_err_clear(err);
    }
    return true;
}

static bool mark(struct dlq_publisher *publisher, struct ctl *ctl, struct sl_err *err)
{
    char actor[COMMAND_ACTOR_BYTES];
    struct sl_pg_params params;
    struct sl_arena *arena = sl_arena_create(ARENA_BYTES_MAX);
    struct sl_pg_array *ids = sl_pg_array_create(arena, SL_PG_UUID);
    struct sl_pg_array *seqs = sl_pg_array_create(arena, SL_PG_INT8);
    struct sl_pg_array *retries = sl_pg_array_create(arena, SL_PG_TEXT);
    for (size_t i = 0; i < publisher->delivered_count; i++) {
        const struct dlq_letter *letter = publisher->delivered[i];
        sl_pg_array_uuid(ids, letter->id);
        sl_pg_array_int(seqs, letter->seq);
        sl_pg_array_text_or_null(retries, dlq_letter_is_job(letter) ? sl_str_of(letter->retry_id) : SL_STR_NONE);
    }
    command_actor(actor);
    sl_pg_params_init(&params, arena);
    sl_pg_array(&params, ids);
    sl_pg_array(&params, seqs);
    sl_pg_array(&params, retries);
    sl_pg_text(&params, sl_str_of(actor));
    bool ok = run_marked(ctl, MARK, &params, err);
    sl_arena_destroy(arena);
    return ok;
}

bool dlq_publisher_flush(struct dlq_publisher *publisher, struct ctl *ctl, size_t *ret_delivered, struct sl_err *err)
{
    const int64_t deadline_ms = sl_clock_mono_ms() + DELIVERY_TIMEOUT_MS + PURGE_TIMEOUT_MS;
    while (publisher->reported < publisher->added && sl_clock_mono_ms() < deadline_ms)
        (void)rd_kafka_flush(publisher->producer, PURGE_TIMEOUT_MS);
    bool complete = publisher->delivered_count == publisher->added;
    bool ok = !publisher->delivered_count || mark(publisher, ctl, err);
    if (ok && !complete)
        ok = sl_kafka_err(err, publisher->code ? publisher->code : RD_KAFKA_RESP_ERR__TIMED_OUT,
                          "publishing to " SL_TOPIC_EVENTS);
    *ret_delivered = publisher->delivered_count;
    publisher->added = publisher->reported = publisher->delivered_count = 0;
    publisher->code = RD_KAFKA_RESP_ERR_NO_ERROR;
    return ok;
}

bool dlq_close_decided(struct ctl *ctl, const struct dlq_letter *letters, size_t count, size_t *ret_closed,
                       struct sl_err *err)
{
    char actor[COMMAND_ACTOR_BYTES];
    struct sl_pg_params params;
    struct sl_arena *arena = sl_arena_create(ARENA_BYTES_MAX);
    struct sl_pg_array *ids = sl_pg_array_create(arena, SL_PG_UUID);
    for (size_t i = 0; i < count; i++) {
        if (letters[i].state == DLQ_OVER)
            sl_pg_array_uuid(ids, letters[i].id);
    }
    size_t over = sl_pg_array_count(ids);
    command_actor(actor);
    sl_pg_params_init(&params, arena);
    sl_pg_array(&params, ids);
    sl_pg_text(&params, sl_str_of(actor));
    bool ok = !over || run_marked(ctl, CLOSE, &params, err);
    sl_arena_destroy(arena);
    if (ok)
        *ret_closed = over;
    return ok;
}
