/* tail.c - see tail.h. */
#include "console/tail.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "console/log_reader.h"

#define POLL_MS  50
#define RETRY_MS 1000
#define COUNT_MS 30000 /* how often the number of partitions is asked for */

struct tail {
    struct tail_options options;
    pthread_t thread;
    rd_kafka_t *consumer;
    atomic_bool is_stopping;
    /* the thread's own */
    bool is_down;            /* no broker answered the last time */
    int32_t partition_count; /* 0: not assigned */
    int64_t ask_at_ms;
};

static void on_error(rd_kafka_t *consumer, int code, const char *reason, void *opaque)
{
    (void)consumer;
    struct tail *tail = opaque;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        tail->is_down = true;
        tail->ask_at_ms = 0;
    }
    sl_log(SL_LOG_WARN, "tail", "the consumer reports trouble", LOG_CSTR("reason", reason));
}

/* Where each partition ends now is where the reading begins; asked for, so that it is known before the first message.
 */
static bool assign(struct tail *tail, int32_t count, struct sl_err *err)
{
    int64_t next[HUB_PARTITIONS_MAX];
    int64_t low;
    if (count > HUB_PARTITIONS_MAX)
        return sl_err_set(err, SL_ERR_PERMANENT, "topic %s has more than %d partitions", SL_TOPIC_OUTCOMES,
                          HUB_PARTITIONS_MAX);
    for (int32_t i = 0; i < count; i++) {
        if (!log_reader_bounds(tail->consumer, i, &low, &next[i], err))
            return false;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int32_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, SL_TOPIC_OUTCOMES, i)->offset = next[i];
    rd_kafka_resp_err_t code = rd_kafka_assign(tail->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return sl_err_set(err, SL_ERR_RETRY, "cannot assign partitions: %s", rd_kafka_err2str(code));
    hub_set_positions(tail->options.hub, count, next);
    tail->partition_count = count;
    sl_log(SL_LOG_INFO, "tail", "outcomes are read from their ends", LOG_INT("partitions", count));
    return true;
}

static void lose(struct tail *tail, const char *reason)
{
    if (tail->partition_count == 0)
        return;
    (void)rd_kafka_assign(tail->consumer, NULL);
    tail->partition_count = 0;
    tail->ask_at_ms = 0;
    hub_lose(tail->options.hub, "log");
    sl_log(SL_LOG_WARN, "tail", "all streams end: clients connect again", LOG_CSTR("reason", reason));
}

/* Asks the brokers now and then: at the start, while they are away, and for partitions that were added. */
static void ask(struct tail *tail)
{
    struct sl_err err = {0};
    int32_t count = 0;
    bool ok = log_reader_partitions(tail->consumer, &count, &err);
    if (ok && tail->partition_count > 0 && count != tail->partition_count)
        lose(tail, "the number of partitions has changed");
    if (ok && tail->partition_count == 0)
        ok = assign(tail, count, &err);
    tail->is_down = !ok;
    sl_readiness_set(tail->options.readiness, "kafka", ok ? "" : err.message);
    tail->ask_at_ms = sl_clock_mono_ms() + (ok ? COUNT_MS : RETRY_MS);
}

static void handle(struct tail *tail, const rd_kafka_message_t *message)
{
    struct sl_str user_id;
    struct sl_str type;
    struct sl_str data;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return;
    if (message->err) {
        sl_log(SL_LOG_WARN, "tail", "cannot read from Kafka", LOG_CSTR("reason", rd_kafka_message_errstr(message)),
               LOG_INT("partition", message->partition));
        if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
            lose(tail, "the log no longer holds what comes next");
        return;
    }
    if (message->partition >= tail->partition_count)
        return; /* fetched before the assignment was lost */
    if (log_reader_outcome(message, &user_id, &type, &data))
        hub_deliver(tail->options.hub,
                    (struct stream_cursor){.partition = message->partition, .next_offset = message->offset}, user_id,
                    type, data);
}

static void *run(void *arg)
{
    struct tail *tail = arg;
    while (!atomic_load(&tail->is_stopping)) {
        if (sl_clock_mono_ms() >= tail->ask_at_ms)
            ask(tail);
        rd_kafka_message_t *message = rd_kafka_consumer_poll(tail->consumer, POLL_MS);
        if (message) {
            handle(tail, message);
            rd_kafka_message_destroy(message);
        }
    }
    return NULL;
}

struct tail *tail_start(const struct tail_options *options, struct sl_err *err)
{
    struct tail *tail = sl_calloc(1, sizeof(*tail));
    tail->options = *options;
    sl_readiness_set(options->readiness, "kafka", "no Kafka broker has answered yet");
    tail->consumer = log_reader_create(options->config, on_error, tail, err);
    if (tail->consumer && pthread_create(&tail->thread, NULL, run, tail) == 0)
        return tail;
    if (tail->consumer)
        (void)sl_err_set(err, SL_ERR_FATAL, "cannot start the tail's thread");
    log_reader_destroy(tail->consumer);
    free(tail);
    return NULL;
}

void tail_stop(struct tail *tail)
{
    if (!tail)
        return;
    atomic_store(&tail->is_stopping, true);
    SL_ASSERT(pthread_join(tail->thread, NULL) == 0);
    log_reader_destroy(tail->consumer);
    free(tail);
}
