/* dlq_reader.c - see dlq_reader.h.
 *
 * Letters of a partition that stand near each other are read in one go, over what lies between them; a wide gap is
 * jumped. What librdkafka reads ahead is bounded by its queue's size.
 */
#include "ctl/dlq_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "ctl/publish.h"

#define GAP_MAX            2000 /* messages read over rather than jumped */
#define POLL_MS            200
#define ANSWER_TIMEOUT_MS  20000 /* of silence */
#define GONE_AT_ONCE_MAX   32    /* that are looked for among the copies: they may be large */
#define COPY_CLOCK_SKEW_MS 60000 /* a copy is not older than its letter, but for clocks */
#define PARTITIONS_MAX     4096

struct dlq_reader {
    rd_kafka_t *consumer;
    int32_t partition; /* of the events topic that is being read; -1: none */
    int64_t next;      /* the offset expected there */
};

struct dlq_reader *dlq_reader_create(const struct sl_config *config, struct sl_err *err)
{
    rd_kafka_t *consumer = publish_consumer(config, err);
    if (!consumer)
        return NULL;
    struct dlq_reader *reader = sl_calloc(1, sizeof(*reader));
    *reader = (struct dlq_reader){.consumer = consumer, .partition = -1};
    return reader;
}

void dlq_reader_destroy(struct dlq_reader *reader)
{
    if (!reader)
        return;
    rd_kafka_destroy(reader->consumer);
    free(reader);
}

void dlq_reader_release(struct dlq_letter *letters, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (letters[i].message)
            rd_kafka_message_destroy(letters[i].message);
        letters[i].message = NULL;
    }
}

static bool assign(struct dlq_reader *reader, rd_kafka_topic_partition_list_t *list, struct sl_err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_assign(reader->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR || sl_kafka_err(err, code, "reading from Kafka");
}

/* Goes to the offset, unless it is near ahead of where reading stands. */
static bool go_to(struct dlq_reader *reader, int32_t partition, int64_t offset, struct sl_err *err)
{
    if (reader->partition == partition && offset >= reader->next && offset - reader->next <= GAP_MAX)
        return true;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, SL_TOPIC_EVENTS, partition)->offset = offset;
    reader->partition = partition;
    reader->next = offset;
    return assign(reader, list, err);
}

enum found { FOUND = 1, FOUND_GONE, FOUND_FAILED };

/* An end of the partition may have been told before the letter's message was written. */
static enum found is_gone(struct dlq_reader *reader, const struct dlq_letter *letter, rd_kafka_resp_err_t code,
                          struct sl_err *err)
{
    int64_t low = 0;
    int64_t high = 0;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return FOUND_GONE; /* its place is empty */
    if (code != RD_KAFKA_RESP_ERR__PARTITION_EOF && sl_kafka_err_class(code) != SL_ERR_RETRY) {
        (void)sl_kafka_err(err, code, "reading a letter's message");
        return FOUND_FAILED;
    }
    code = rd_kafka_query_watermark_offsets(reader->consumer, SL_TOPIC_EVENTS, letter->partition, &low, &high,
                                            ANSWER_TIMEOUT_MS);
    if (code) {
        (void)sl_kafka_err(err, code, "asking for the ends of a partition");
        return FOUND_FAILED;
    }
    return letter->offset < low || letter->offset >= high ? FOUND_GONE : FOUND;
}

/* The message of the letter, which is where reading stands or ahead of it. */
static enum found read_one(struct dlq_reader *reader, struct dlq_letter *letter, struct sl_err *err)
{
    int64_t heard_at_ms = sl_clock_mono_ms();
    while (sl_clock_mono_ms() - heard_at_ms < ANSWER_TIMEOUT_MS) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->consumer, POLL_MS);
        if (!message)
            continue;
        rd_kafka_resp_err_t code = message->err;
        int64_t offset = message->offset;
        if (!code) {
            heard_at_ms = sl_clock_mono_ms();
            reader->next = offset + 1;
        }
        if (!code && offset == letter->offset) {
            letter->message = message;
            return FOUND;
        }
        rd_kafka_message_destroy(message);
        if (!code && offset < letter->offset)
            continue;
        reader->partition = -1; /* what was read is not given again */
        enum found found =
            code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ? FOUND_GONE : is_gone(reader, letter, code, err);
        if (found != FOUND)
            return found;
        if (!go_to(reader, letter->partition, letter->offset, err))
            return FOUND_FAILED;
    }
    (void)sl_err_set(err, SL_ERR_RETRY, "Kafka gave no message of %s partition %d within %d s", SL_TOPIC_EVENTS,
                     (int)letter->partition, ANSWER_TIMEOUT_MS / 1000);
    return FOUND_FAILED;
}

/* The partitions of the dead letters topic from the time on, each with its end; NULL on failure. */
static rd_kafka_topic_partition_list_t *copies_from(struct dlq_reader *reader, int64_t at_ms, struct sl_err *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(reader->consumer, SL_TOPIC_DEAD_LETTERS, NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(reader->consumer, 0, topic, &metadata, ANSWER_TIMEOUT_MS);
    rd_kafka_topic_destroy(topic);
    if (code) {
        (void)sl_kafka_err(err, code, "asking for the partitions of " SL_TOPIC_DEAD_LETTERS);
        return NULL;
    }
    int count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count + 1);
    for (int i = 0; i < count && i < PARTITIONS_MAX; i++)
        rd_kafka_topic_partition_list_add(list, SL_TOPIC_DEAD_LETTERS, metadata->topics[0].partitions[i].id)->offset =
            at_ms;
    rd_kafka_metadata_destroy(metadata);
    code = rd_kafka_offsets_for_times(reader->consumer, list, ANSWER_TIMEOUT_MS);
    if (!code)
        return list;
    (void)sl_kafka_err(err, code, "asking where copies of letters begin");
    rd_kafka_topic_partition_list_destroy(list);
    return NULL;
}

static int64_t header_number(const rd_kafka_headers_t *headers, const char *name)
{
    const void *value = NULL;
    size_t bytes = 0;
    int64_t number = -1;
    if (rd_kafka_header_get_last(headers, name, &value, &bytes) != RD_KAFKA_RESP_ERR_NO_ERROR || !value ||
        !sl_str_to_int64((struct sl_str){.ptr = value, .len = bytes}, &number))
        return -1;
    return number;
}

/* Gives the message to the letter that it is a copy of, if it is one's: then it is taken. */
static bool take_copy(struct dlq_letter **gone, size_t gone_count, rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    if (rd_kafka_message_headers(message, &headers))
        return false;
    int64_t partition = header_number(headers, "dlq_partition");
    int64_t offset = header_number(headers, "dlq_offset");
    for (size_t i = 0; i < gone_count; i++) {
        if (!gone[i]->message && gone[i]->partition == partition && gone[i]->offset == offset) {
            gone[i]->message = message;
            gone[i]->is_copy = true;
            return true;
        }
    }
    return false;
}

/* Reads to the end of each partition, or until every letter has its copy. */
static bool read_copies(struct dlq_reader *reader, struct dlq_letter **gone, size_t gone_count, int partitions,
                        struct sl_err *err)
{
    bool ended[PARTITIONS_MAX] = {0};
    size_t missing = gone_count;
    int64_t heard_at_ms = sl_clock_mono_ms();
    while (missing && partitions > 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->consumer, POLL_MS);
        if (!message && sl_clock_mono_ms() - heard_at_ms < ANSWER_TIMEOUT_MS)
            continue;
        if (!message)
            return sl_err_set(err, SL_ERR_RETRY, "Kafka gave no message of %s within %d s", SL_TOPIC_DEAD_LETTERS,
                              ANSWER_TIMEOUT_MS / 1000);
        heard_at_ms = sl_clock_mono_ms();
        rd_kafka_resp_err_t code = message->err;
        int32_t partition = message->partition;
        if (!code && take_copy(gone, gone_count, message)) {
            missing--;
            continue;
        }
        rd_kafka_message_destroy(message);
        if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF && partition >= 0 && partition < PARTITIONS_MAX) {
            partitions -= !ended[partition];
            ended[partition] = true;
        } else if (code && sl_kafka_err_class(code) != SL_ERR_RETRY) {
            return sl_kafka_err(err, code, "reading copies of letters");
        }
    }
    return true;
}

static bool find_copies(struct dlq_reader *reader, struct dlq_letter **gone, size_t gone_count, struct sl_err *err)
{
    int64_t from_ms = gone[0]->last_at_ms;
    for (size_t i = 1; i < gone_count; i++)
        from_ms = gone[i]->last_at_ms < from_ms ? gone[i]->last_at_ms : from_ms;
    from_ms = from_ms > COPY_CLOCK_SKEW_MS ? from_ms - COPY_CLOCK_SKEW_MS : 0;
    rd_kafka_topic_partition_list_t *list = copies_from(reader, from_ms, err);
    if (!list)
        return false;
    int partitions = list->cnt;
    reader->partition = -1;
    return assign(reader, list, err) && read_copies(reader, gone, gone_count, partitions, err);
}

bool dlq_reader_fetch(struct dlq_reader *reader, struct dlq_letter *letters, size_t count, size_t *ret_count,
                      struct sl_err *err)
{
    struct dlq_letter *gone[GONE_AT_ONCE_MAX];
    size_t gone_count = 0;
    size_t bytes = 0;
    size_t done = 0;
    for (; done < count && bytes < DLQ_BATCH_BYTES_MAX && gone_count < GONE_AT_ONCE_MAX; done++) {
        struct dlq_letter *letter = &letters[done];
        if (!letter->wants_message)
            continue;
        enum found found =
            go_to(reader, letter->partition, letter->offset, err) ? read_one(reader, letter, err) : FOUND_FAILED;
        if (found == FOUND_FAILED) {
            dlq_reader_release(letters, done);
            return false;
        }
        if (found == FOUND_GONE)
            gone[gone_count++] = letter;
        else
            bytes += letter->message->len + letter->message->key_len;
    }
    if (gone_count && !find_copies(reader, gone, gone_count, err)) {
        dlq_reader_release(letters, done);
        return false;
    }
    *ret_count = done;
    return true;
}
