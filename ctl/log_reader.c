/* log_reader.c - see log_reader.h. */
#include "ctl/log_reader.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/json.h"

#define CHUNK_MESSAGES      256
#define CHUNK_BYTES         ((size_t)8 * 1024 * 1024) /* a message more may be in it */
#define CHUNK_ARENA_BYTES   ((size_t)256 * 1024 * 1024)
#define READ_TIMEOUT_MS     15000
#define METADATA_TIMEOUT_MS 10000

static const char ENDS[] = "SELECT partition, next_offset FROM sluice.offsets WHERE topic = $1";
static const char ROWS[] =
    "SELECT n.position, e.outcome, e.error_code, e.rule, e.user_id, e.result, e.seen, e.decided_at, e.decided_no,"
    " e.effects, e.partition, e.\"offset\", e.earlier"
    " FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS n (id, source, position)"
    " CROSS JOIN LATERAL (SELECT * FROM sluice.events WHERE id = n.id AND source = n.source AND topic = $3 LIMIT 1)"
    " AS e";

/* A message of a chunk. */
struct entry {
    rd_kafka_message_t *message;
    struct item *item;
    bool is_decided; /* here */
    struct log_decision decision;
};

struct stream {
    struct log_partition at; /* `next`: behind the chunk */
    bool is_started, is_ended;
    struct entry entries[CHUNK_MESSAGES];
    size_t count, given;
    struct sl_arena *arena; /* of the chunk */
};

struct log_reader {
    rd_kafka_t *kafka;
    rd_kafka_topic_t *topic;
    struct sl_pg *pg;
    const struct sl_seal_ring *ring;
    struct stream *streams;
    struct log_partition *partitions;
    size_t count;
    struct stream *last; /* whose entry was given last */
    int64_t passed;
};

static void forget(struct stream *stream)
{
    for (size_t i = 0; i < stream->count; i++)
        rd_kafka_message_destroy(stream->entries[i].message);
    stream->count = stream->given = 0;
    sl_arena_reset(stream->arena);
}

void log_reader_close(struct log_reader *reader)
{
    if (!reader)
        return;
    for (size_t i = 0; i < reader->count; i++) {
        forget(&reader->streams[i]);
        sl_arena_destroy(reader->streams[i].arena);
        if (reader->streams[i].is_started)
            (void)rd_kafka_consume_stop(reader->topic, reader->streams[i].at.partition);
    }
    free(reader->streams);
    free(reader->partitions);
    if (reader->topic)
        rd_kafka_topic_destroy(reader->topic);
    if (reader->kafka)
        rd_kafka_destroy(reader->kafka);
    free(reader);
}

static bool open_kafka(struct log_reader *reader, const struct sl_config *config, struct sl_err *err)
{
    static const char *const PROPERTIES[][2] = {{"enable.partition.eof", "true"},
                                                {"queued.max.messages.kbytes", "4096"},
                                                {"fetch.message.max.bytes", "4194304"},
                                                {"fetch.wait.max.ms", "20"},
                                                {"auto.offset.reset", "error"}};
    char reason[256];
    rd_kafka_conf_t *conf = sl_kafka_conf_create(config, "sluicectl", err);
    if (!conf)
        return false;
    for (size_t i = 0; i < SL_ARRAY_LEN(PROPERTIES); i++) {
        if (!sl_kafka_conf_set(conf, PROPERTIES[i][0], PROPERTIES[i][1], err)) {
            rd_kafka_conf_destroy(conf);
            return false;
        }
    }
    reader->kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof(reason));
    if (!reader->kafka) {
        rd_kafka_conf_destroy(conf);
        return sl_err_set(err, SL_ERR_PERMANENT, "no Kafka consumer: %s", reason);
    }
    reader->topic = rd_kafka_topic_new(reader->kafka, SL_TOPIC_EVENTS, NULL);
    return reader->topic || sl_err_set(err, SL_ERR_PERMANENT, "no Kafka topic " SL_TOPIC_EVENTS);
}

static bool read_low(struct log_reader *reader, struct stream *stream, struct sl_err *err)
{
    int64_t high = 0;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(reader->kafka, SL_TOPIC_EVENTS, stream->at.partition,
                                                                &stream->at.low, &high, METADATA_TIMEOUT_MS);
    if (code)
        return sl_kafka_err(err, code, "asking for the beginning of " SL_TOPIC_EVENTS);
    stream->at.end = stream->at.end < high ? stream->at.end : high;
    stream->at.next = stream->at.low;
    return true;
}

static bool find_partitions(struct log_reader *reader, struct sl_err *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(reader->kafka, 0, reader->topic, &metadata, METADATA_TIMEOUT_MS);
    if (!code && (metadata->topic_cnt != 1 || metadata->topics[0].err))
        code = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (!code) {
        reader->count = (size_t)metadata->topics[0].partition_cnt;
        reader->streams = sl_calloc(reader->count + 1, sizeof(*reader->streams));
        reader->partitions = sl_calloc(reader->count + 1, sizeof(*reader->partitions));
        for (size_t i = 0; i < reader->count; i++) {
            reader->streams[i].at.partition = metadata->topics[0].partitions[i].id;
            reader->streams[i].arena = sl_arena_create(CHUNK_ARENA_BYTES);
        }
    }
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    return !code || sl_kafka_err(err, code, "asking for the partitions of " SL_TOPIC_EVENTS);
}

static bool find_ends(struct log_reader *reader, struct sl_err *err)
{
    struct sl_arena *arena = sl_arena_create(CHUNK_ARENA_BYTES);
    struct sl_pg_params params;
    SL_PG_AUTO *rows = NULL;
    sl_pg_params_init(&params, arena);
    sl_pg_text(&params, SL_STR(SL_TOPIC_EVENTS));
    bool ok = sl_pg_run(reader->pg, ENDS, &params, &rows, err);
    for (int row = 0; ok && row < PQntuples(rows); row++) {
        for (size_t i = 0; i < reader->count; i++) {
            if (reader->streams[i].at.partition == sl_pg_get_int(rows, row, 0))
                reader->streams[i].at.end = sl_pg_get_int(rows, row, 1);
        }
    }
    sl_arena_destroy(arena);
    for (size_t i = 0; ok && i < reader->count; i++) {
        ok = read_low(reader, &reader->streams[i], err);
        reader->partitions[i] = reader->streams[i].at;
    }
    return ok;
}

struct log_reader *log_reader_open(const struct sl_config *config, struct sl_pg *pg, const struct sl_seal_ring *ring,
                                   struct sl_err *err)
{
    struct log_reader *reader = sl_calloc(1, sizeof(*reader));
    reader->pg = pg;
    reader->ring = ring;
    if (!open_kafka(reader, config, err) || !find_partitions(reader, err) || !find_ends(reader, err)) {
        log_reader_close(reader);
        return NULL;
    }
    return reader;
}

/* One message of the stream, or NULL at its end. */
static bool read_message(struct log_reader *reader, struct stream *stream, rd_kafka_message_t **ret_message,
                         struct sl_err *err)
{
    const int64_t deadline_ms = sl_clock_mono_ms() + READ_TIMEOUT_MS;
    *ret_message = NULL;
    while (sl_clock_mono_ms() < deadline_ms) {
        rd_kafka_message_t *message = rd_kafka_consume(reader->topic, stream->at.partition, 200);
        if (!message)
            continue;
        rd_kafka_resp_err_t code = message->err;
        int64_t offset = message->offset;
        if (!code && offset < stream->at.end) {
            *ret_message = message;
            return true;
        }
        rd_kafka_message_destroy(message);
        if (!code || (code == RD_KAFKA_RESP_ERR__PARTITION_EOF && offset >= stream->at.end))
            return true;
        if (code != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            return sl_kafka_err(err, code, "reading " SL_TOPIC_EVENTS);
    }
    return sl_err_set(err, SL_ERR_RETRY, "Kafka gave no message of partition %d within %d s", (int)stream->at.partition,
                      READ_TIMEOUT_MS / 1000);
}

static bool read_chunk(struct log_reader *reader, struct stream *stream, struct sl_err *err)
{
    size_t bytes = 0;
    while (stream->count < CHUNK_MESSAGES && bytes < CHUNK_BYTES && stream->at.next < stream->at.end) {
        rd_kafka_message_t *message = NULL;
        if (!read_message(reader, stream, &message, err))
            return false;
        if (!message) {
            stream->at.next = stream->at.end; /* what was there is deleted */
            break;
        }
        stream->entries[stream->count++] =
            (struct entry){.message = message, .item = item_decode(stream->arena, reader->ring, message)};
        bytes += message->len;
        stream->at.next = message->offset + 1;
    }
    return true;
}

static struct sl_str text_of(struct stream *stream, struct sl_str text)
{
    return sl_str_empty(text) ? SL_STR_NONE : sl_arena_str(stream->arena, text);
}

static struct sl_str json_of(struct stream *stream, const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    struct sl_str copy = text ? sl_arena_str(stream->arena, sl_str_of(text)) : SL_STR_NONE;
    free(text);
    return copy;
}

static bool stands_at(const struct entry *entry, int64_t partition, int64_t offset)
{
    return entry->message->partition == partition && entry->message->offset == offset;
}

/* The decision was made of an earlier copy, which the row remembers, or this one was none. */
static void read_earlier(struct stream *stream, struct entry *entry, struct sl_str earlier)
{
    SL_JSON_AUTO *list = NULL;
    size_t i;
    json_t *one;
    if (sl_str_empty(earlier) || !sl_json_parse(earlier, 0, &list, NULL))
        return;
    json_array_foreach(list, i, one)
    {
        int64_t partition = 0;
        int64_t offset = 0;
        if (!sl_json_int(one, "partition", &partition) || !sl_json_int(one, "offset", &offset) ||
            !stands_at(entry, partition, offset))
            continue;
        struct log_decision *decision = &entry->decision;
        entry->is_decided = true;
        decision->outcome = text_of(stream, sl_json_str(one, "outcome"));
        decision->error_code = text_of(stream, sl_json_str(one, "error_code"));
        decision->rule = text_of(stream, sl_json_str(one, "rule"));
        decision->result = json_of(stream, json_object_get(one, "result"));
        decision->seen = json_of(stream, json_object_get(one, "seen"));
        (void)!sl_json_int(one, "decided_at_ms", &decision->decided_at_ms);
        (void)!sl_json_int(one, "decided_no", &decision->decided_no);
        decision->has_effects = sl_json_int(one, "effects", &decision->effects);
        return;
    }
}

static void read_row(struct stream *stream, const PGresult *rows, int row)
{
    struct entry *entry = &stream->entries[sl_pg_get_int(rows, row, 0) - 1];
    struct log_decision *decision = &entry->decision;
    decision->user_id = text_of(stream, sl_pg_get_text(rows, row, 4));
    if (!stands_at(entry, sl_pg_get_int(rows, row, 10), sl_pg_get_int(rows, row, 11))) {
        read_earlier(stream, entry, sl_pg_get_text(rows, row, 12));
        return;
    }
    entry->is_decided = true;
    decision->is_last = true;
    decision->outcome = text_of(stream, sl_pg_get_text(rows, row, 1));
    decision->error_code = text_of(stream, sl_pg_get_text(rows, row, 2));
    decision->rule = text_of(stream, sl_pg_get_text(rows, row, 3));
    decision->result = text_of(stream, sl_pg_get_text(rows, row, 5));
    decision->seen = text_of(stream, sl_pg_get_text(rows, row, 6));
    decision->decided_at_ms = sl_pg_get_at_ms(rows, row, 7);
    decision->decided_no = sl_pg_get_int(rows, row, 8);
    decision->has_effects = !sl_pg_is_null(rows, row, 9);
    decision->effects = sl_pg_get_int(rows, row, 9);
}

static bool read_rows(struct log_reader *reader, struct stream *stream, struct sl_err *err)
{
    struct sl_pg_params params;
    SL_PG_AUTO *rows = NULL;
    struct sl_pg_array *ids = sl_pg_array_create(stream->arena, SL_PG_TEXT);
    struct sl_pg_array *sources = sl_pg_array_create(stream->arena, SL_PG_TEXT);
    for (size_t i = 0; i < stream->count; i++) {
        sl_pg_array_text(ids, stream->entries[i].item->event.id);
        sl_pg_array_text(sources, stream->entries[i].item->event.source);
    }
    sl_pg_params_init(&params, stream->arena);
    sl_pg_array(&params, ids);
    sl_pg_array(&params, sources);
    sl_pg_text(&params, SL_STR(SL_TOPIC_EVENTS));
    if (!sl_pg_run(reader->pg, ROWS, &params, &rows, err))
        return false;
    for (int row = 0; row < PQntuples(rows); row++)
        read_row(stream, rows, row);
    return true;
}

/* The stream's next decided entry becomes its first, or the stream ends. */
static bool fill(struct log_reader *reader, struct stream *stream, struct sl_err *err)
{
    while (!stream->is_ended) {
        for (; stream->given < stream->count; stream->given++) {
            if (stream->entries[stream->given].is_decided)
                return true;
            reader->passed++;
        }
        forget(stream);
        if (stream->at.next >= stream->at.end) {
            stream->is_ended = true;
            break;
        }
        if (!stream->is_started && rd_kafka_consume_start(reader->topic, stream->at.partition, stream->at.next))
            return sl_kafka_err(err, rd_kafka_last_error(), "reading " SL_TOPIC_EVENTS);
        stream->is_started = true;
        if (!read_chunk(reader, stream, err) || (stream->count && !read_rows(reader, stream, err)))
            return false;
    }
    return true;
}

static bool is_before(const struct stream *a, const struct stream *b)
{
    const struct log_decision *first = &a->entries[a->given].decision;
    const struct log_decision *second = &b->entries[b->given].decision;
    if (first->decided_no != second->decided_no)
        return first->decided_no < second->decided_no;
    return first->decided_at_ms < second->decided_at_ms;
}

bool log_reader_next(struct log_reader *reader, const struct item **ret_item, const struct log_decision **ret_decision,
                     struct sl_err *err)
{
    struct stream *first = NULL;
    if (reader->last)
        reader->last->given++;
    reader->last = NULL;
    for (size_t i = 0; i < reader->count; i++) {
        struct stream *stream = &reader->streams[i];
        if (!fill(reader, stream, err))
            return false;
        if (!stream->is_ended && (!first || is_before(stream, first)))
            first = stream;
    }
    reader->last = first;
    *ret_item = first ? first->entries[first->given].item : NULL;
    *ret_decision = first ? &first->entries[first->given].decision : NULL;
    if (first)
        reader->partitions[first - reader->streams].next = first->entries[first->given].message->offset + 1;
    return true;
}

const struct log_partition *log_reader_partitions(const struct log_reader *reader, size_t *ret_count)
{
    *ret_count = reader->count;
    return reader->partitions;
}

int64_t log_reader_passed(const struct log_reader *reader)
{
    return reader->passed;
}
