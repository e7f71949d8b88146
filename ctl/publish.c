/* publish.c - see publish.h. */
#include "ctl/publish.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/fault.h"

#define DELIVERY_TIMEOUT_MS 15000
#define FETCH_TIMEOUT_MS    10000

struct delivery {
    bool reported;
    rd_kafka_resp_err_t code;
};

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
    struct delivery *delivery = message->_private;
    (void)kafka;
    (void)opaque;
    if (delivery) {
        delivery->reported = true;
        delivery->code = message->err;
    }
}

rd_kafka_t *publish_producer(const struct sl_config *config, struct sl_err *err)
{
    rd_kafka_conf_t *conf = sl_kafka_conf_create(config, "sluicectl", err);
    if (!conf)
        return NULL;
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return sl_kafka_producer_create(conf, 0, err);
}

bool publish_event(const struct sl_config *config, const struct sl_event *event, struct sl_err *err)
{
    struct delivery delivery = {.code = RD_KAFKA_RESP_ERR__TIMED_OUT};
    rd_kafka_t *producer = publish_producer(config, err);
    if (!producer)
        return false;
    sl_fault("ctl.before_publish");
    bool ok = sl_kafka_produce_event(producer, SL_TOPIC_EVENTS, RD_KAFKA_PARTITION_UA, event, &delivery, err);
    sl_fault_if(ok, "ctl.after_publish");
    if (ok) {
        (void)rd_kafka_flush(producer, DELIVERY_TIMEOUT_MS);
        ok = delivery.reported && delivery.code == RD_KAFKA_RESP_ERR_NO_ERROR;
        if (!ok)
            (void)sl_kafka_err(err, delivery.code, "publishing to " SL_TOPIC_EVENTS);
    }
    /* A report after this point must not find the stack gone. */
    (void)rd_kafka_purge(producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    (void)rd_kafka_flush(producer, 0);
    rd_kafka_destroy(producer);
    return ok;
}

static rd_kafka_message_t *poll_position(rd_kafka_t *consumer, int64_t offset, struct sl_err *err)
{
    const int64_t deadline_ms = sl_clock_mono_ms() + FETCH_TIMEOUT_MS;
    while (sl_clock_mono_ms() < deadline_ms) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 200);
        if (!message)
            continue;
        if (!message->err && message->offset == offset)
            return message;
        bool gone = (!message->err && message->offset > offset) || message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ||
                    message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET;
        rd_kafka_message_destroy(message);
        if (gone) {
            (void)sl_err_set(err, SL_ERR_PERMANENT, "Kafka holds no message at offset %lld", (long long)offset);
            sl_err_hint(err, "the topic's retention has probably deleted it");
            return NULL;
        }
    }
    (void)sl_err_set(err, SL_ERR_RETRY, "Kafka did not give the message within %d s", FETCH_TIMEOUT_MS / 1000);
    return NULL;
}

rd_kafka_t *publish_consumer(const struct sl_config *config, struct sl_err *err)
{
    static const char *const PROPERTIES[][2] = {{"group.id", "sluicectl"},
                                                {"enable.auto.commit", "false"},
                                                {"enable.partition.eof", "true"},
                                                {"auto.offset.reset", "error"},
                                                {"fetch.wait.max.ms", "50"}, /* who looks on waits for each message */
                                                /* what is read ahead */
                                                {"queued.max.messages.kbytes", "8192"},
                                                {"fetch.max.bytes", "8388608"}};
    rd_kafka_conf_t *conf = sl_kafka_conf_create(config, "sluicectl", err);
    char reason[256];
    if (!conf)
        return NULL;
    for (size_t i = 0; i < SL_ARRAY_LEN(PROPERTIES); i++) {
        if (!sl_kafka_conf_set(conf, PROPERTIES[i][0], PROPERTIES[i][1], err)) {
            rd_kafka_conf_destroy(conf);
            return NULL;
        }
    }
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof(reason));
    if (!consumer) {
        rd_kafka_conf_destroy(conf);
        (void)sl_err_set(err, SL_ERR_PERMANENT, "no Kafka consumer: %s", reason);
        return NULL;
    }
    (void)rd_kafka_poll_set_consumer(consumer);
    return consumer;
}

bool publish_fetch(const struct sl_config *config, const char *topic, int32_t partition, int64_t offset,
                   rd_kafka_t **ret_consumer, rd_kafka_message_t **ret_message, struct sl_err *err)
{
    rd_kafka_t *consumer = publish_consumer(config, err);
    if (!consumer)
        return false;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    rd_kafka_resp_err_t code = rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_message_t *message = NULL;
    if (code)
        (void)sl_kafka_err(err, code, "reading from Kafka");
    else
        message = poll_position(consumer, offset, err);
    if (!message) {
        rd_kafka_destroy(consumer);
        return false;
    }
    *ret_consumer = consumer;
    *ret_message = message;
    return true;
}
