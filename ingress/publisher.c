/* publisher.c - see publisher.h. The lock guards the producer's handle and the two lists of tickets; callbacks run
 * without it. */
#include "ingress/publisher.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/fault.h"
#include "common/log.h"

#define POLL_MS         50
#define RETIRE_FLUSH_MS 1000
#define RETRY_MS        1000
#define WARM_UP_MS      1000
#define STALE_DEADLINES 4          /* an event that is under way for so many deadlines is not to land any more */
#define PART            "producer" /* of readiness */

/* One message under way. */
struct ticket {
    struct ticket *prev, *next;
    publish_done *done; /* NULL: nobody waits any more */
    void *arg;
    int64_t sent_us;
    int64_t deadline_us;
};

struct ticket_list {
    struct ticket *head, *tail;
};

struct publisher {
    struct publisher_options options;
    pthread_t thread;
    pthread_mutex_t lock;
    rd_kafka_t *producer;         /* NULL: being replaced */
    bool is_closed;               /* nothing is taken any more */
    struct ticket_list waiting;   /* oldest first: all have the same time */
    struct ticket_list abandoned; /* told overdue or failed; their reports are still out */
    atomic_bool is_fatal;
    atomic_bool is_stopping;
};

static void lock(struct publisher *publisher)
{
    SL_ASSERT(pthread_mutex_lock(&publisher->lock) == 0);
}

static void unlock(struct publisher *publisher)
{
    SL_ASSERT(pthread_mutex_unlock(&publisher->lock) == 0);
}

static void list_append(struct ticket_list *list, struct ticket *ticket)
{
    ticket->prev = list->tail;
    ticket->next = NULL;
    *(list->tail ? &list->tail->next : &list->head) = ticket;
    list->tail = ticket;
}

static void list_remove(struct ticket_list *list, struct ticket *ticket)
{
    *(ticket->prev ? &ticket->prev->next : &list->head) = ticket->next;
    *(ticket->next ? &ticket->next->prev : &list->tail) = ticket->prev;
}

static void list_free(struct ticket_list *list)
{
    struct ticket *next = NULL;
    for (struct ticket *ticket = list->head; ticket; ticket = next) {
        next = ticket->next;
        free(ticket);
    }
    *list = (struct ticket_list){.head = NULL};
}

/* Takes whoever waits for the ticket away from it: the caller tells them. Called with the lock. */
static publish_done *abandon(struct publisher *publisher, struct ticket *ticket)
{
    publish_done *done = ticket->done;
    ticket->done = NULL;
    list_remove(&publisher->waiting, ticket);
    list_append(&publisher->abandoned, ticket);
    return done;
}

/* librdkafka's callback, from rd_kafka_poll and rd_kafka_flush on the publisher's thread. */
static void on_report(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    (void)producer;
    struct publisher *publisher = opaque;
    struct ticket *ticket = message->_private;
    struct publish_result result = {
        .end = PUBLISH_DELIVERED, .partition = message->partition, .offset = message->offset};
    if (message->err) {
        result.end = PUBLISH_FAILED;
        (void)sl_kafka_err(&result.err, message->err, "publishing an event");
    } else if (sl_fault_fails("kafka.deliver")) {
        result.end = PUBLISH_FAILED;
        (void)sl_kafka_err(&result.err, RD_KAFKA_RESP_ERR__FAIL, "publishing an event");
    } else {
        sl_fault("ingress.after_report");
    }
    lock(publisher);
    list_remove(ticket->done ? &publisher->waiting : &publisher->abandoned, ticket);
    unlock(publisher);
    result.took_us = sl_clock_mono_us() - ticket->sent_us;
    if (ticket->done)
        ticket->done(ticket->arg, &result);
    else
        counters_late_report(publisher->options.counters, !message->err);
    free(ticket);
}

static void on_error(rd_kafka_t *producer, int code, const char *reason, void *opaque)
{
    (void)producer;
    struct publisher *publisher = opaque;
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        atomic_store(&publisher->is_fatal, true);
    else
        sl_log(SL_LOG_WARN, "publisher", "the producer reports trouble", LOG_CSTR("reason", reason));
}

static bool set_number(rd_kafka_conf_t *conf, const char *name, int64_t value, struct sl_err *err)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRId64, value);
    return sl_kafka_conf_set(conf, name, text, err);
}

static rd_kafka_t *producer_create(struct publisher *publisher, struct sl_err *err)
{
    const struct publisher_options *options = &publisher->options;
    rd_kafka_conf_t *conf = sl_kafka_conf_create(options->config, "sluice-ingress", err);
    if (!conf)
        return NULL;
    if (!set_number(conf, "queue.buffering.max.kbytes", options->queue_bytes_max / 1024 + 1, err) ||
        !set_number(conf, "reconnect.backoff.max.ms", RETRY_MS, err)) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set_opaque(conf, publisher);
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, NULL); /* on_error logs, in our format */
    return sl_kafka_producer_create(conf, options->linger_ms, err);
}

/* Tells all who wait (`before_us` INT64_MAX), or those whose deadline is not after it. */
static void end_waiting(struct publisher *publisher, int64_t before_us, enum publish_end end, const char *message)
{
    for (;;) {
        lock(publisher);
        struct ticket *ticket = publisher->waiting.head;
        if (!ticket || ticket->deadline_us > before_us) {
            unlock(publisher);
            return;
        }
        struct publish_result result = {.end = end, .took_us = sl_clock_mono_us() - ticket->sent_us};
        void *arg = ticket->arg;
        publish_done *done = abandon(publisher, ticket);
        unlock(publisher);
        (void)sl_err_set(&result.err, SL_ERR_RETRY, "%s", message);
        done(arg, &result);
    }
}

/* Ends a producer that is out of use; its last reports come from the flush. Tickets without a report go with it. */
static void producer_retire(struct publisher *publisher, rd_kafka_t *producer)
{
    (void)rd_kafka_purge(producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    (void)rd_kafka_flush(producer, RETIRE_FLUSH_MS);
    rd_kafka_destroy(producer);
    lock(publisher);
    list_free(&publisher->abandoned);
    unlock(publisher);
}

static void replace_producer(struct publisher *publisher, const char *why)
{
    char reason[256] = "";
    lock(publisher);
    rd_kafka_t *old = publisher->producer;
    publisher->producer = NULL;
    unlock(publisher);
    (void)rd_kafka_fatal_error(old, reason, sizeof(reason));
    sl_readiness_set(publisher->options.readiness, PART, "the Kafka producer is being replaced");
    sl_log(SL_LOG_ERROR, "publisher", why, LOG_CSTR("reason", reason));
    counters_producer_replaced(publisher->options.counters);
    end_waiting(publisher, INT64_MAX, PUBLISH_FAILED, "the Kafka producer is being replaced");
    producer_retire(publisher, old);
    atomic_store(&publisher->is_fatal, false);
}

/* Connects and learns the topic, so that the first event after a start doesn't wait for that. */
static void warm_up(rd_kafka_t *producer)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, SL_TOPIC_EVENTS, NULL);
    if (topic && rd_kafka_metadata(producer, 0, topic, &metadata, WARM_UP_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(metadata);
    if (topic)
        rd_kafka_topic_destroy(topic);
}

/* After a fatal error: tries until there is a producer again. */
static void ensure_producer(struct publisher *publisher)
{
    struct sl_err err = {0};
    rd_kafka_t *producer = producer_create(publisher, &err);
    if (!producer) {
        sl_log(SL_LOG_ERROR, "publisher", "cannot make a producer; trying again", LOG_ERR(&err));
        struct timespec pause = {.tv_sec = RETRY_MS / 1000};
        (void)nanosleep(&pause, NULL);
        return;
    }
    warm_up(producer);
    lock(publisher);
    publisher->producer = producer;
    unlock(publisher);
    sl_readiness_set(publisher->options.readiness, PART, "");
}

/* Whether an event whose sender was told long ago is still queued for brokers that are away: a command that comes true
 * an hour after its 503 helps nobody. It ends with its producer, the only safe way to take back a numbered message. */
static bool has_stale(struct publisher *publisher)
{
    int64_t age_us = STALE_DEADLINES * publisher->options.deadline_ms * INT64_C(1000);
    lock(publisher);
    const struct ticket *oldest = publisher->abandoned.head;
    bool is_stale = oldest && sl_clock_mono_us() - oldest->sent_us > age_us;
    unlock(publisher);
    return is_stale;
}

static void *run(void *arg)
{
    struct publisher *publisher = arg;
    warm_up(publisher->producer);
    while (!atomic_load(&publisher->is_stopping)) {
        /* Only this thread changes the handle, so that it may read it without the lock. */
        if (!publisher->producer) {
            ensure_producer(publisher);
            continue;
        }
        (void)rd_kafka_poll(publisher->producer, POLL_MS);
        end_waiting(publisher, sl_clock_mono_us(), PUBLISH_OVERDUE, "no delivery report within the deadline");
        if (atomic_load(&publisher->is_fatal))
            replace_producer(publisher, "the producer has failed; a new one takes its place");
        else if (has_stale(publisher))
            replace_producer(publisher, "no broker takes what is queued; a new producer takes its place");
    }
    return NULL;
}

struct publisher *publisher_start(const struct publisher_options *options, struct sl_err *err)
{
    struct publisher *publisher = sl_calloc(1, sizeof(*publisher));
    publisher->options = *options;
    SL_ASSERT(pthread_mutex_init(&publisher->lock, NULL) == 0);
    publisher->producer = producer_create(publisher, err);
    if (!publisher->producer || pthread_create(&publisher->thread, NULL, run, publisher) != 0) {
        if (publisher->producer) {
            rd_kafka_destroy(publisher->producer);
            (void)sl_err_set(err, SL_ERR_FATAL, "cannot start the publisher's thread");
        }
        (void)pthread_mutex_destroy(&publisher->lock);
        free(publisher);
        return NULL;
    }
    return publisher;
}

void publisher_close(struct publisher *publisher, int flush_ms)
{
    if (publisher->is_closed)
        return;
    lock(publisher);
    publisher->is_closed = true;
    unlock(publisher);
    atomic_store(&publisher->is_stopping, true);
    SL_ASSERT(pthread_join(publisher->thread, NULL) == 0);
    if (publisher->producer && !atomic_load(&publisher->is_fatal))
        (void)rd_kafka_flush(publisher->producer, flush_ms);
    end_waiting(publisher, INT64_MAX, PUBLISH_FAILED, "the process is stopping");
    if (publisher->producer)
        producer_retire(publisher, publisher->producer);
    publisher->producer = NULL;
}

void publisher_destroy(struct publisher *publisher)
{
    if (!publisher)
        return;
    SL_ASSERT(publisher->is_closed && !publisher->waiting.head && !publisher->abandoned.head);
    (void)pthread_mutex_destroy(&publisher->lock);
    free(publisher);
}

bool publisher_send(struct publisher *publisher, const struct sl_event *event, publish_done *done, void *arg,
                    struct sl_err *err)
{
    struct ticket *ticket = sl_calloc(1, sizeof(*ticket));
    ticket->done = done;
    ticket->arg = arg;
    ticket->sent_us = sl_clock_mono_us();
    ticket->deadline_us = ticket->sent_us + publisher->options.deadline_ms * INT64_C(1000);
    bool ok = false;
    lock(publisher);
    if (publisher->is_closed || !publisher->producer)
        (void)sl_err_set(err, SL_ERR_RETRY, "there is no Kafka producer right now");
    else
        ok = sl_kafka_produce_event(publisher->producer, SL_TOPIC_EVENTS, RD_KAFKA_PARTITION_UA, event, ticket, err);
    sl_fault_if(ok, "ingress.after_produce");
    if (ok)
        list_append(&publisher->waiting, ticket);
    else if (err->error_class == SL_ERR_FATAL)
        atomic_store(&publisher->is_fatal, true);
    unlock(publisher);
    if (!ok)
        free(ticket);
    return ok;
}

void publisher_with_producer(struct publisher *publisher, void (*visit)(rd_kafka_t *producer, void *arg), void *arg)
{
    lock(publisher);
    visit(publisher->producer, arg);
    unlock(publisher);
}
