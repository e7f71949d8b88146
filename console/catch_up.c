/* catch_up.c - see catch_up.h. */
#include "console/catch_up.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "console/log_reader.h"

#define WAIT_MS     100
#define POLL_MS     50
#define SILENCE_MS  10000 /* without a message: the pass is given up, and begun again */
#define CHECK_EVERY 512   /* messages between two looks at where the tail is */

struct reader {
    struct catch_up *catch_up;
    pthread_t thread;
    bool is_started;
    rd_kafka_t *consumer;
};

struct catch_up {
    const struct sl_config *config;
    struct hub *hub;
    atomic_bool is_stopping;
    struct reader readers[CATCH_UP_READERS];
};

static bool assign(struct reader *reader, const struct hub_pass *pass, struct sl_err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, SL_TOPIC_OUTCOMES, pass->partition)->offset = pass->from;
    rd_kafka_resp_err_t code = rd_kafka_assign(reader->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return !code || sl_err_set(err, SL_ERR_RETRY, "cannot assign a partition: %s", rd_kafka_err2str(code));
}

/* True: the pass is done. */
static bool handle(struct hub *hub, const struct hub_pass *pass, const rd_kafka_message_t *message, size_t count)
{
    struct sl_str user_id;
    struct sl_str type;
    struct sl_str data;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return hub_pass_reached(hub, pass, message->offset);
    if (log_reader_outcome(message, &user_id, &type, &data))
        hub_pass_message(hub, pass, message->offset, user_id, type, data);
    return count % CHECK_EVERY == 0 && hub_pass_reached(hub, pass, message->offset + 1);
}

static bool read_log(struct reader *reader, const struct hub_pass *pass, struct sl_err *err)
{
    struct catch_up *catch_up = reader->catch_up;
    int64_t heard_ms = sl_clock_mono_ms();
    bool is_done = false;
    bool ok = true;
    for (size_t count = 1; ok && !is_done && !atomic_load(&catch_up->is_stopping);) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->consumer, POLL_MS);
        int64_t now_ms = sl_clock_mono_ms();
        if (!message) {
            ok = now_ms - heard_ms < SILENCE_MS || sl_err_set(err, SL_ERR_RETRY, "Kafka is silent");
            continue;
        }
        heard_ms = now_ms;
        if (message->err && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            ok = sl_err_set(err, SL_ERR_RETRY, "cannot read from Kafka: %s", rd_kafka_message_errstr(message));
        else if (message->partition == pass->partition)
            is_done = handle(catch_up->hub, pass, message, count++);
        rd_kafka_message_destroy(message);
    }
    return ok;
}

static bool run_pass(struct reader *reader, struct hub_pass *pass, struct sl_err *err)
{
    int64_t low;
    int64_t high;
    if (!reader->consumer)
        reader->consumer = log_reader_create(reader->catch_up->config, NULL, NULL, err);
    if (!reader->consumer || !log_reader_bounds(reader->consumer, pass->partition, &low, &high, err))
        return false;
    if (!hub_pass_bound(reader->catch_up->hub, pass, low, high))
        return true;
    if (!assign(reader, pass, err))
        return false;
    bool ok = read_log(reader, pass, err);
    (void)rd_kafka_assign(reader->consumer, NULL);
    return ok;
}

static void *run(void *arg)
{
    struct reader *reader = arg;
    struct catch_up *catch_up = reader->catch_up;
    const struct timespec pause = {.tv_nsec = (long)WAIT_MS * 1000000L};
    struct hub_pass pass;
    while (!atomic_load(&catch_up->is_stopping)) {
        struct sl_err err = {0};
        if (!hub_pass_begin(catch_up->hub, WAIT_MS, &pass))
            continue;
        bool ok = run_pass(reader, &pass, &err);
        hub_pass_end(catch_up->hub, &pass);
        if (!ok) {
            sl_log(SL_LOG_WARN, "catch_up", "streams can't be caught up, it is tried again",
                   LOG_INT("partition", pass.partition), LOG_ERR(&err));
            /* Nothing better to wait for: the streams are behind, the log is away. */
            (void)nanosleep(&pause, NULL);
        }
    }
    return NULL;
}

struct catch_up *catch_up_start(const struct sl_config *config, struct hub *hub, struct sl_err *err)
{
    struct catch_up *catch_up = sl_calloc(1, sizeof(*catch_up));
    catch_up->config = config;
    catch_up->hub = hub;
    for (size_t i = 0; i < CATCH_UP_READERS; i++) {
        struct reader *reader = &catch_up->readers[i];
        reader->catch_up = catch_up;
        reader->is_started = pthread_create(&reader->thread, NULL, run, reader) == 0;
        if (!reader->is_started) {
            (void)sl_err_set(err, SL_ERR_FATAL, "cannot start a catch-up reader's thread");
            catch_up_stop(catch_up);
            return NULL;
        }
    }
    return catch_up;
}

void catch_up_stop(struct catch_up *catch_up)
{
    if (!catch_up)
        return;
    atomic_store(&catch_up->is_stopping, true);
    for (size_t i = 0; i < CATCH_UP_READERS; i++) {
        if (catch_up->readers[i].is_started)
            SL_ASSERT(pthread_join(catch_up->readers[i].thread, NULL) == 0);
        log_reader_destroy(catch_up->readers[i].consumer);
    }
    free(catch_up);
}
