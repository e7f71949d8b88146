/* log_reader.c - see log_reader.h. */
#include "console/log_reader.h"

#define NAME "sluice-console"

rd_kafka_t *log_reader_create(const struct sl_config *config, void (*on_error)(rd_kafka_t *, int, const char *, void *),
                              void *opaque, struct sl_err *err)
{
    /* A group's name is asked for by the client; without a subscription nothing joins it. An offset that is not there
     * is an error: going on elsewhere would be a gap that nobody sees. The rest keeps what is fetched ahead small. */
    static const struct {
        const char *name, *value;
    } properties[] = {
        {"group.id", NAME},
        {"enable.auto.commit", "false"},
        {"auto.offset.reset", "error"},
        {"enable.partition.eof", "true"},
        {"fetch.wait.max.ms", "100"},
        {"reconnect.backoff.max.ms", "1000"},
        {"queued.max.messages.kbytes", "4096"},
        {"fetch.message.max.bytes", "262144"},
    };
    char message[256];
    rd_kafka_conf_t *conf = sl_kafka_conf_create(config, NAME, err);
    if (!conf)
        return NULL;
    for (size_t i = 0; i < SL_ARRAY_LEN(properties); i++) {
        if (!sl_kafka_conf_set(conf, properties[i].name, properties[i].value, err)) {
            rd_kafka_conf_destroy(conf);
            return NULL;
        }
    }
    rd_kafka_conf_set_opaque(conf, opaque);
    if (on_error)
        rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, message, sizeof(message));
    if (!consumer) {
        rd_kafka_conf_destroy(conf);
        (void)sl_err_set(err, SL_ERR_PERMANENT, "cannot make a Kafka consumer: %s", message);
        return NULL;
    }
    (void)rd_kafka_poll_set_consumer(consumer);
    return consumer;
}

void log_reader_destroy(rd_kafka_t *consumer)
{
    rd_kafka_message_t *message;
    if (!consumer)
        return;
    (void)rd_kafka_assign(consumer, NULL);
    while ((message = rd_kafka_consumer_poll(consumer, 0)) != NULL)
        rd_kafka_message_destroy(message);
    (void)rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
}

bool log_reader_partitions(rd_kafka_t *consumer, int32_t *ret_count, struct sl_err *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(consumer, SL_TOPIC_OUTCOMES, NULL);
    SL_ASSERT(topic);
    rd_kafka_resp_err_t code = rd_kafka_metadata(consumer, 0, topic, &metadata, LOG_READER_WAIT_MS);
    bool ok = false;
    if (code) {
        (void)sl_err_set(err, SL_ERR_RETRY, "no Kafka broker answers: %s", rd_kafka_err2str(code));
    } else if (metadata->topic_cnt != 1 || metadata->topics[0].err || metadata->topics[0].partition_cnt < 1) {
        (void)sl_err_set(err, SL_ERR_RETRY, "topic %s can't be read (sluicectl topics create makes it)",
                         SL_TOPIC_OUTCOMES);
    } else {
        *ret_count = metadata->topics[0].partition_cnt;
        ok = true;
    }
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    return ok;
}

bool log_reader_bounds(rd_kafka_t *consumer, int32_t partition, int64_t *ret_low, int64_t *ret_high, struct sl_err *err)
{
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(consumer, SL_TOPIC_OUTCOMES, partition, ret_low, ret_high, LOG_READER_WAIT_MS);
    if (code)
        return sl_err_set(err, SL_ERR_RETRY, "cannot ask Kafka for the ends of partition %d: %s", (int)partition,
                          rd_kafka_err2str(code));
    return true;
}

bool log_reader_outcome(const rd_kafka_message_t *message, struct sl_str *ret_user_id, struct sl_str *ret_type,
                        struct sl_str *ret_data)
{
    rd_kafka_headers_t *headers = NULL;
    const void *type = NULL;
    size_t type_len = 0;
    if (message->key_len == 0 || message->len == 0 ||
        rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, "ce_type", &type, &type_len) != RD_KAFKA_RESP_ERR_NO_ERROR || !type)
        return false;
    *ret_user_id = (struct sl_str){.ptr = message->key, .len = message->key_len};
    *ret_type = (struct sl_str){.ptr = type, .len = type_len};
    *ret_data = (struct sl_str){.ptr = message->payload, .len = message->len};
    return true;
}

int32_t log_reader_partition_of(struct sl_str user_id, int32_t partition_count)
{
    return rd_kafka_msg_partitioner_consistent(NULL, user_id.ptr, user_id.len, partition_count, NULL, NULL);
}
