/* listener.c - see listener.h. */
#include "ingress/listener.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/kafka.h"
#include "common/log.h"

#define POLL_MS        50
#define METADATA_MS    1000
#define RETRY_MS       1000
#define PARTITIONS_MAX 1024

struct listener {
    struct listener_options options;
    pthread_t thread;
    rd_kafka_t *consumer;
    atomic_bool is_stopping;
    atomic_int reply_partition;
    /* the thread's own */
    bool is_assigned;
    bool is_down; /* no broker answered the last time */
    int32_t chosen_partition;
    bool directory_read[PARTITIONS_MAX]; /* up to its end once */
    int32_t directory_partitions;
    int32_t directory_unread;
    int64_t retry_at_ms;
    int64_t expire_at_ms;
};

static void on_error(rd_kafka_t *consumer, int code, const char *reason, void *opaque)
{
    (void)consumer;
    struct listener *listener = opaque;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        listener->is_down = true;
    sl_log(SL_LOG_WARN, "listener", "the consumer reports trouble", LOG_CSTR("reason", reason));
}

static rd_kafka_t *consumer_create(struct listener *listener, struct sl_err *err)
{
    /* A group's name is asked for by the client; without a subscription nothing joins it. */
    static const struct {
        const char *name, *value;
    } properties[] = {
        {"group.id", "sluice-ingress"},          {"enable.auto.commit", "false"}, {"auto.offset.reset", "earliest"},
        {"enable.partition.eof", "true"},        {"fetch.wait.max.ms", "100"},    {"reconnect.backoff.max.ms", "1000"},
        {"queued.max.messages.kbytes", "16384"},
    };
    char message[256];
    rd_kafka_conf_t *conf = sl_kafka_conf_create(listener->options.config, "sluice-ingress", err);
    if (!conf)
        return NULL;
    for (size_t i = 0; i < SL_ARRAY_LEN(properties); i++) {
        if (!sl_kafka_conf_set(conf, properties[i].name, properties[i].value, err)) {
            rd_kafka_conf_destroy(conf);
            return NULL;
        }
    }
    rd_kafka_conf_set_opaque(conf, listener);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, NULL); /* on_error logs, in our format */
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, message, sizeof(message));
    if (!consumer) {
        rd_kafka_conf_destroy(conf);
        (void)sl_err_set(err, SL_ERR_PERMANENT, "cannot make a Kafka consumer: %s", message);
        return NULL;
    }
    (void)rd_kafka_poll_set_consumer(consumer);
    return consumer;
}

/* How many partitions a topic has; 0 with `ret_reason` filled when that can't be learnt. */
static int32_t partitions_of(struct listener *listener, const char *topic_name, char *ret_reason, size_t reason_bytes)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(listener->consumer, topic_name, NULL);
    int32_t count = 0;
    if (!topic)
        return 0;
    rd_kafka_resp_err_t code = rd_kafka_metadata(listener->consumer, 0, topic, &metadata, METADATA_MS);
    if (code) {
        (void)snprintf(ret_reason, reason_bytes, "no Kafka broker answers: %s", rd_kafka_err2str(code));
    } else if (metadata->topic_cnt != 1 || metadata->topics[0].err || metadata->topics[0].partition_cnt < 1) {
        (void)snprintf(ret_reason, reason_bytes, "topic %s can't be read (sluicectl topics create makes it)",
                       topic_name);
    } else {
        count = metadata->topics[0].partition_cnt < PARTITIONS_MAX ? metadata->topics[0].partition_cnt : PARTITIONS_MAX;
    }
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    return count;
}

static void assign(struct listener *listener)
{
    char reason[200] = "";
    int32_t directory_count = partitions_of(listener, SL_TOPIC_DIRECTORY, reason, sizeof(reason));
    int32_t reply_count = directory_count ? partitions_of(listener, SL_TOPIC_REPLIES, reason, sizeof(reason)) : 0;
    sl_readiness_set(listener->options.readiness, "kafka", reason);
    if (reply_count == 0)
        return;
    listener->chosen_partition = (int32_t)(listener->options.choice % (uint32_t)reply_count);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(directory_count + 1);
    for (int32_t i = 0; i < directory_count; i++)
        rd_kafka_topic_partition_list_add(list, SL_TOPIC_DIRECTORY, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_topic_partition_list_add(list, SL_TOPIC_REPLIES, listener->chosen_partition)->offset = RD_KAFKA_OFFSET_END;
    rd_kafka_resp_err_t code = rd_kafka_assign(listener->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code) {
        sl_log(SL_LOG_ERROR, "listener", "cannot assign partitions", LOG_CSTR("reason", rd_kafka_err2str(code)));
        return;
    }
    listener->directory_partitions = directory_count;
    listener->directory_unread = directory_count;
    listener->is_assigned = true;
    listener->is_down = false;
}

/* The end of a partition: the directory has been read up to here, or answers will be heard from here on. */
static void handle_end(struct listener *listener, const rd_kafka_message_t *message)
{
    const char *topic = rd_kafka_topic_name(message->rkt);
    if (strcmp(topic, SL_TOPIC_REPLIES) == 0) {
        atomic_store(&listener->reply_partition, listener->chosen_partition);
        sl_readiness_set(listener->options.readiness, "replies", "");
    } else if (message->partition >= 0 && message->partition < listener->directory_partitions &&
               !listener->directory_read[message->partition]) {
        listener->directory_read[message->partition] = true;
        if (--listener->directory_unread == 0) {
            sl_readiness_set(listener->options.readiness, "directory", "");
            sl_log(SL_LOG_INFO, "listener", "the customer directory has been read",
                   LOG_INT("customers", directory_count(listener->options.directory)));
        }
    }
}

static void handle_reply(struct listener *listener, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t len = 0;
    struct sl_uuid id;
    bool heard = false;
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        rd_kafka_header_get_last(headers, "sluice-correlation-id", &value, &len) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        message->len > 0 && sl_uuid_parse((struct sl_str){.ptr = value, .len = len}, &id))
        heard = replies_deliver(listener->options.replies, id,
                                (struct sl_str){.ptr = message->payload, .len = message->len});
    if (!heard)
        counters_reply(listener->options.counters, "stray");
}

static void handle_message(struct listener *listener, const rd_kafka_message_t *message)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        handle_end(listener, message);
    } else if (message->err) {
        sl_log(SL_LOG_WARN, "listener", "cannot read from Kafka", LOG_CSTR("reason", rd_kafka_message_errstr(message)),
               LOG_INT("partition", message->partition));
    } else if (strcmp(rd_kafka_topic_name(message->rkt), SL_TOPIC_REPLIES) == 0) {
        handle_reply(listener, message);
    } else {
        struct sl_str customer = {.ptr = message->key, .len = message->key_len};
        struct sl_str user = {.ptr = message->payload, .len = message->len};
        if (!directory_set(listener->options.directory, customer, user))
            sl_log(SL_LOG_WARN, "listener", "a directory entry is left out: the directory is full, or it is no entry",
                   LOG_INT("partition", message->partition), LOG_INT("offset", message->offset));
    }
}

/* While brokers are away: asks now and then, so that readiness turns by itself. */
static void probe(struct listener *listener)
{
    char reason[200] = "";
    if (partitions_of(listener, SL_TOPIC_DIRECTORY, reason, sizeof(reason)) > 0)
        listener->is_down = false;
    sl_readiness_set(listener->options.readiness, "kafka", reason);
}

/* Not after every message: reading a large directory would be slowed by it. */
static void expire_replies(struct listener *listener)
{
    int64_t now_ms = sl_clock_mono_ms();
    if (now_ms < listener->expire_at_ms)
        return;
    listener->expire_at_ms = now_ms + POLL_MS;
    (void)replies_expire(listener->options.replies, now_ms, false);
}

static void *run(void *arg)
{
    struct listener *listener = arg;
    while (!atomic_load(&listener->is_stopping)) {
        int64_t now_ms = sl_clock_mono_ms();
        if ((!listener->is_assigned || listener->is_down) && now_ms >= listener->retry_at_ms) {
            if (!listener->is_assigned)
                assign(listener);
            else
                probe(listener);
            listener->retry_at_ms = sl_clock_mono_ms() + RETRY_MS;
        }
        rd_kafka_message_t *message = rd_kafka_consumer_poll(listener->consumer, POLL_MS);
        if (message) {
            handle_message(listener, message);
            rd_kafka_message_destroy(message);
        }
        expire_replies(listener);
    }
    return NULL;
}

struct listener *listener_start(const struct listener_options *options, struct sl_err *err)
{
    struct listener *listener = sl_calloc(1, sizeof(*listener));
    listener->options = *options;
    atomic_store(&listener->reply_partition, -1);
    sl_readiness_set(options->readiness, "kafka", "no Kafka broker has answered yet");
    sl_readiness_set(options->readiness, "directory", "the customer directory is being read");
    sl_readiness_set(options->readiness, "replies", "the answers to waiting requests are not heard yet");
    listener->consumer = consumer_create(listener, err);
    if (listener->consumer && pthread_create(&listener->thread, NULL, run, listener) == 0)
        return listener;
    if (listener->consumer) {
        (void)sl_err_set(err, SL_ERR_FATAL, "cannot start the listener's thread");
        rd_kafka_destroy(listener->consumer);
    }
    free(listener);
    return NULL;
}

/* What was fetched and not yet polled is taken first: a consumer doesn't end while messages of its are out, which must
 * not hold up a drain. */
void listener_retire(rd_kafka_t *consumer)
{
    rd_kafka_message_t *message;
    (void)rd_kafka_assign(consumer, NULL);
    while ((message = rd_kafka_consumer_poll(consumer, 0)) != NULL)
        rd_kafka_message_destroy(message);
    (void)rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
}

void listener_stop(struct listener *listener)
{
    if (!listener)
        return;
    atomic_store(&listener->is_stopping, true);
    SL_ASSERT(pthread_join(listener->thread, NULL) == 0);
    listener_retire(listener->consumer);
    free(listener);
}

int32_t listener_reply_partition(const struct listener *listener)
{
    return atomic_load(&listener->reply_partition);
}
