/* outbox.c - see outbox.h for the order of calls.
 *
 * Invariants: a row is in `rows` from the moment it is produced until its deletion is committed, so that the sweep
 * doesn't produce a row twice that is on its way; `confirmed` holds rows that Kafka has, the first `deleting_count` of
 * them named in the DELETE of the transaction under way. A delivery that fails forgets the row: it stands in Postgres,
 * and the sweep takes it up.
 */
#include "worker/outbox/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "common/fault.h"
#include "worker/outbox/headers.h"
#include "worker/outbox/rowset.h"

#define DELETED_AT_ONCE_MAX  8192
#define CONFIRMED_MAX        ((size_t)2 * OUTBOX_FLYING_MAX)
#define FULL_QUEUE_WAITS_MAX 20
#define FULL_QUEUE_WAIT_MS   50
#define PURGE_WAIT_MS        1000

/* One allocation: the struct, then topic, key, headers and value. */
struct message {
    const char *topic;
    struct sl_str key;
    bool has_value; /* else a tombstone */
    struct sl_str value;
    int64_t timestamp_ms; /* 0: now */
    size_t header_count;
    struct sl_event_header headers[SL_EVENT_HEADERS_MAX];
};

/* Travels with the message as librdkafka's opaque. */
struct flight {
    int64_t row_id; /* 0: a message without a row */
    outbox_confirmed *confirmed;
    void *arg;
};

struct outbox {
    rd_kafka_conf_t *conf; /* of each producer to come */
    rd_kafka_t *producer;
    const char *owner;
    struct message *staged[OUTBOX_STAGED_MAX];
    size_t staged_count;
    struct rowset *rows;
    int64_t *confirmed;
    size_t confirmed_count;
    size_t deleting_count;
    size_t in_flight;
    struct sl_metric_series *produced_total;
    struct sl_metric_series *failed_total;
    struct sl_metric_series *in_flight_gauge;
    struct sl_metric_series *producers_total;
};

static const char DELETE_CONFIRMED[] = "DELETE FROM sluice.outbox WHERE id = ANY($1)";
static const char INSERT_STAGED[] =
    "INSERT INTO sluice.outbox (topic, key, headers, value)"
    " SELECT topic, key, headers, value FROM unnest($1::text[], $2::bytea[], $3::jsonb[], $4::bytea[])"
    " WITH ORDINALITY AS m (topic, key, headers, value, position) ORDER BY position RETURNING id";

static void flight_ended(struct outbox *outbox, const struct flight *flight, bool ok)
{
    SL_ASSERT(outbox->in_flight > 0);
    outbox->in_flight--;
    sl_metric_add(ok ? outbox->produced_total : outbox->failed_total, 1);
    sl_metric_set(outbox->in_flight_gauge, (int64_t)outbox->in_flight);
    if (flight->row_id && ok && outbox->confirmed_count < CONFIRMED_MAX)
        outbox->confirmed[outbox->confirmed_count++] = flight->row_id;
    else if (flight->row_id)
        rowset_remove(outbox->rows, flight->row_id);
    if (flight->confirmed)
        flight->confirmed(flight->arg, ok);
}

static void delivery_report(rd_kafka_t *producer, const rd_kafka_message_t *report, void *opaque)
{
    struct flight *flight = report->_private;
    (void)producer;
    bool ok = report->err == RD_KAFKA_RESP_ERR_NO_ERROR && !sl_fault_fails("kafka.deliver");
    flight_ended(opaque, flight, ok);
    free(flight);
}

static bool producer_open(struct outbox *outbox, struct sl_err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(outbox->conf);
    outbox->producer = sl_kafka_producer_create(conf, 0, err);
    if (outbox->producer)
        sl_metric_add(outbox->producers_total, 1);
    return outbox->producer != NULL;
}

/* Ends what flies as failed: its rows stay in Postgres. */
static void producer_close(struct outbox *outbox, int timeout_ms)
{
    if (!outbox->producer)
        return;
    (void)rd_kafka_flush(outbox->producer, timeout_ms);
    (void)rd_kafka_purge(outbox->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    (void)rd_kafka_flush(outbox->producer, PURGE_WAIT_MS);
    rd_kafka_destroy(outbox->producer);
    outbox->producer = NULL;
}

static struct sl_metric_series *series(struct sl_metrics *metrics, enum sl_metric_type type, const char *name,
                                       const char *owner, const char *help)
{
    return sl_metric_with(sl_metrics_family(metrics, type, name, "owner", help), owner);
}

struct outbox *outbox_create(const struct sl_config *config, struct sl_metrics *metrics, const char *owner,
                             struct sl_err *err)
{
    struct outbox *outbox = sl_calloc(1, sizeof(*outbox));
    outbox->owner = owner;
    outbox->rows = rowset_create(OUTBOX_FLYING_MAX + CONFIRMED_MAX);
    outbox->confirmed = sl_calloc(CONFIRMED_MAX, sizeof(*outbox->confirmed));
    outbox->produced_total =
        series(metrics, SL_METRIC_COUNTER, "sluice_outbox_produced_total", owner, "Messages that Kafka has confirmed");
    outbox->failed_total =
        series(metrics, SL_METRIC_COUNTER, "sluice_outbox_failed_total", owner,
               "Messages that could not be delivered; those with a row are tried again by the sweep");
    outbox->in_flight_gauge =
        series(metrics, SL_METRIC_GAUGE, "sluice_outbox_in_flight", owner, "Messages produced and not yet confirmed");
    outbox->producers_total = series(metrics, SL_METRIC_COUNTER, "sluice_outbox_producers_total", owner,
                                     "Producers made: the first, and one after each fatal error");
    outbox->conf = sl_kafka_conf_create(config, owner, err);
    if (!outbox->conf)
        goto failed;
    rd_kafka_conf_set_dr_msg_cb(outbox->conf, delivery_report);
    rd_kafka_conf_set_opaque(outbox->conf, outbox);
    if (!producer_open(outbox, err))
        goto failed;
    return outbox;
failed:
    outbox_destroy(outbox, 0);
    return NULL;
}

void outbox_destroy(struct outbox *outbox, int timeout_ms)
{
    if (!outbox)
        return;
    outbox_rolled_back(outbox);
    producer_close(outbox, timeout_ms);
    if (outbox->conf)
        rd_kafka_conf_destroy(outbox->conf);
    rowset_destroy(outbox->rows);
    free(outbox->confirmed);
    free(outbox);
}

static struct sl_str put(char **at, struct sl_str text)
{
    struct sl_str copy = {.ptr = *at, .len = text.len};
    if (text.len)
        memcpy(*at, text.ptr, text.len);
    (*at)[text.len] = '\0';
    *at += text.len + 1;
    return copy;
}

void outbox_add_message(struct outbox *outbox, const char *topic, struct sl_str key,
                        const struct sl_event_header *headers, size_t header_count, const struct sl_str *value)
{
    SL_ASSERT(outbox->staged_count < OUTBOX_STAGED_MAX);
    SL_ASSERT(header_count <= SL_EVENT_HEADERS_MAX);
    struct sl_str topic_text = sl_str_of(topic);
    size_t bytes = topic_text.len + key.len + (value ? value->len : 0) + 3;
    for (size_t i = 0; i < header_count; i++)
        bytes += headers[i].name.len + headers[i].value.len + 2;
    struct message *message = sl_malloc(sizeof(*message) + bytes);
    char *at = (char *)(message + 1);
    *message = (struct message){.has_value = value != NULL, .header_count = header_count};
    message->topic = put(&at, topic_text).ptr;
    message->key = put(&at, key);
    message->value = put(&at, value ? *value : SL_STR_NONE);
    for (size_t i = 0; i < header_count; i++) {
        message->headers[i].name = put(&at, headers[i].name);
        message->headers[i].value = put(&at, headers[i].value);
    }
    outbox->staged[outbox->staged_count++] = message;
}

void outbox_add_event(struct outbox *outbox, const char *topic, const struct sl_event *event)
{
    struct sl_event_header headers[SL_EVENT_HEADERS_MAX];
    struct sl_arena *arena = sl_arena_create((size_t)256 * 1024);
    size_t count = sl_event_encode(event, arena, headers);
    outbox_add_message(outbox, topic, event->partition_key, headers, count, &event->data);
    outbox->staged[outbox->staged_count - 1]->timestamp_ms = event->received_at_ms;
    sl_arena_destroy(arena);
}

bool outbox_has_staged(const struct outbox *outbox)
{
    return outbox->staged_count > 0;
}

bool outbox_has_confirmed(const struct outbox *outbox)
{
    return outbox->confirmed_count > 0;
}

static bool queue_delete(struct outbox *outbox, struct sl_pg *pg, struct sl_arena *arena, struct sl_err *err)
{
    struct sl_pg_params params;
    struct sl_pg_array *ids = sl_pg_array_create(arena, SL_PG_INT8);
    outbox->deleting_count =
        outbox->confirmed_count < DELETED_AT_ONCE_MAX ? outbox->confirmed_count : DELETED_AT_ONCE_MAX;
    for (size_t i = 0; i < outbox->deleting_count; i++)
        sl_pg_array_int(ids, outbox->confirmed[i]);
    sl_pg_params_init(&params, arena);
    sl_pg_array(&params, ids);
    return sl_pg_queue(pg, DELETE_CONFIRMED, &params, err);
}

static bool queue_insert(struct outbox *outbox, struct sl_pg *pg, struct sl_arena *arena, struct sl_err *err)
{
    struct sl_pg_params params;
    struct sl_pg_array *topics = sl_pg_array_create(arena, SL_PG_TEXT);
    struct sl_pg_array *keys = sl_pg_array_create(arena, SL_PG_BYTEA);
    struct sl_pg_array *headers = sl_pg_array_create(arena, SL_PG_JSONB);
    struct sl_pg_array *values = sl_pg_array_create(arena, SL_PG_BYTEA);
    struct sl_buf json;
    sl_buf_init(&json, HEADERS_JSON_BYTES_MAX);
    bool ok = true;
    for (size_t i = 0; ok && i < outbox->staged_count; i++) {
        const struct message *message = outbox->staged[i];
        sl_buf_reset(&json);
        ok = headers_write(message->headers, message->header_count, &json) ||
             sl_err_set(err, SL_ERR_PERMANENT, "a message's headers are larger than %zu bytes", HEADERS_JSON_BYTES_MAX);
        sl_pg_array_text(topics, sl_str_of(message->topic));
        sl_pg_array_text(keys, message->key);
        sl_pg_array_text(headers, sl_arena_str(arena, sl_buf_str(&json)));
        if (message->has_value)
            sl_pg_array_text(values, message->value);
        else
            sl_pg_array_null(values);
    }
    sl_buf_deinit(&json);
    sl_pg_params_init(&params, arena);
    sl_pg_array(&params, topics);
    sl_pg_array(&params, keys);
    sl_pg_array(&params, headers);
    sl_pg_array(&params, values);
    return ok && sl_pg_queue(pg, INSERT_STAGED, &params, err);
}

int outbox_queue(struct outbox *outbox, struct sl_pg *pg, struct sl_arena *arena, struct sl_err *err)
{
    int count = 0;
    if (outbox->confirmed_count) {
        if (!queue_delete(outbox, pg, arena, err))
            return -1;
        count++;
    }
    if (outbox->staged_count) {
        if (!queue_insert(outbox, pg, arena, err))
            return -1;
        count++;
    }
    return count;
}

static rd_kafka_resp_err_t send_once(struct outbox *outbox, const struct message *message, int32_t partition,
                                     struct flight *flight)
{
    if (sl_fault_fails("kafka.produce"))
        return RD_KAFKA_RESP_ERR__FAIL;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(message->header_count);
    for (size_t i = 0; i < message->header_count; i++) {
        const struct sl_event_header *header = &message->headers[i];
        (void)rd_kafka_header_add(headers, header->name.ptr, (ssize_t)header->name.len, header->value.ptr,
                                  (ssize_t)header->value.len);
    }
    static char empty[1]; /* NULL would be a tombstone */
    struct sl_str value = message->value;
    const void *bytes = !message->has_value ? NULL : value.len > 0 ? value.ptr : empty;
    const rd_kafka_vu_t arguments[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = message->topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {.ptr = (void *)(uintptr_t)message->key.ptr, .size = message->key.len}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {.ptr = (void *)(uintptr_t)bytes, .size = message->has_value ? value.len : 0}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = message->timestamp_ms},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = flight},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(outbox->producer, arguments, SL_ARRAY_LEN(arguments));
    if (!error)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    rd_kafka_headers_destroy(headers); /* still ours then */
    return code;
}

/* No error: there will be a delivery report. */
static rd_kafka_resp_err_t send_off(struct outbox *outbox, const struct message *message, int32_t partition,
                                    const struct flight *flight)
{
    if (!outbox->producer)
        return RD_KAFKA_RESP_ERR__STATE;
    struct flight *copy = sl_malloc(sizeof(*copy));
    *copy = *flight;
    if (flight->row_id)
        rowset_add(outbox->rows, flight->row_id);
    outbox->in_flight++;
    rd_kafka_resp_err_t code = send_once(outbox, message, partition, copy);
    for (int i = 0; code == RD_KAFKA_RESP_ERR__QUEUE_FULL && i < FULL_QUEUE_WAITS_MAX; i++) {
        (void)rd_kafka_poll(outbox->producer, FULL_QUEUE_WAIT_MS);
        code = send_once(outbox, message, partition, copy);
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return code;
    outbox->in_flight--;
    if (flight->row_id)
        rowset_remove(outbox->rows, flight->row_id);
    sl_metric_add(outbox->failed_total, 1);
    free(copy);
    return code;
}

/* The message's own fault: it will not go later either, and those behind it need not wait for it. */
static bool is_messages_fault(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || code == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE ||
           code == RD_KAFKA_RESP_ERR__INVALID_ARG || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

static void staged_clear(struct outbox *outbox)
{
    for (size_t i = 0; i < outbox->staged_count; i++)
        free(outbox->staged[i]);
    outbox->staged_count = 0;
}

void outbox_committed(struct outbox *outbox, const PGresult *insert_result)
{
    for (size_t i = 0; i < outbox->deleting_count; i++)
        rowset_remove(outbox->rows, outbox->confirmed[i]);
    outbox->confirmed_count -= outbox->deleting_count;
    memmove(outbox->confirmed, outbox->confirmed + outbox->deleting_count,
            outbox->confirmed_count * sizeof(*outbox->confirmed));
    outbox->deleting_count = 0;
    if (outbox->staged_count) {
        SL_ASSERT(insert_result && (size_t)PQntuples(insert_result) == outbox->staged_count);
        for (size_t i = 0; i < outbox->staged_count; i++) {
            const struct flight flight = {.row_id = sl_pg_get_int(insert_result, (int)i, 0)};
            /* One that finds no room stays with its row: the sweep produces it. */
            if (!rowset_is_full(outbox->rows))
                (void)send_off(outbox, outbox->staged[i], RD_KAFKA_PARTITION_UA, &flight);
        }
    }
    staged_clear(outbox);
}

void outbox_rolled_back(struct outbox *outbox)
{
    outbox->deleting_count = 0;
    staged_clear(outbox);
}

bool outbox_adopt(struct outbox *outbox, int64_t row_id, struct sl_str topic, struct sl_str key,
                  struct sl_str headers_json, const struct sl_str *value, struct sl_err *err)
{
    if (rowset_has(outbox->rows, row_id))
        return true;
    if (outbox_is_full(outbox))
        return sl_err_set(err, SL_ERR_RETRY, "too many messages are on their way");
    struct sl_arena *arena = sl_arena_create(8 * HEADERS_JSON_BYTES_MAX);
    struct message message = {.topic = sl_arena_cstr(arena, topic),
                              .key = key,
                              .has_value = value != NULL,
                              .value = value ? *value : SL_STR_NONE};
    const struct flight flight = {.row_id = row_id};
    bool ok = headers_read(headers_json, arena, message.headers, &message.header_count, err);
    rd_kafka_resp_err_t code =
        ok ? send_off(outbox, &message, RD_KAFKA_PARTITION_UA, &flight) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        ok = sl_err_set(err, is_messages_fault(code) ? SL_ERR_PERMANENT : SL_ERR_RETRY,
                        "outbox row %lld could not be produced", (long long)row_id);
        sl_err_detail(err, "%s", rd_kafka_err2str(code));
    }
    sl_arena_destroy(arena);
    return ok;
}

bool outbox_produce(struct outbox *outbox, const char *topic, int32_t partition, struct sl_str key,
                    const struct sl_event_header *headers, size_t header_count, struct sl_str value,
                    outbox_confirmed *confirmed, void *arg)
{
    SL_ASSERT(header_count <= SL_EVENT_HEADERS_MAX);
    struct message message = {
        .topic = topic, .key = key, .has_value = true, .value = value, .header_count = header_count};
    if (header_count)
        memcpy(message.headers, headers, header_count * sizeof(*headers));
    const struct flight flight = {.confirmed = confirmed, .arg = arg};
    return send_off(outbox, &message, partition, &flight) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

void outbox_poll(struct outbox *outbox, int timeout_ms)
{
    if (outbox->producer) {
        (void)rd_kafka_poll(outbox->producer, timeout_ms);
        char reason[128];
        if (!rd_kafka_fatal_error(outbox->producer, reason, sizeof(reason)))
            return;
        producer_close(outbox, 0);
    }
    /* A producer that can't be made now is tried again by the next poll. */
    (void)producer_open(outbox, NULL);
}

bool outbox_is_full(const struct outbox *outbox)
{
    return outbox->in_flight >= OUTBOX_FLYING_MAX || rowset_is_full(outbox->rows);
}

size_t outbox_in_flight(const struct outbox *outbox)
{
    return outbox->in_flight;
}
