/* feed.c - see feed.h. */
#include "ctl/feed.h"

#include <poll.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/kafka.h"

#define LINGER_MS        5
#define FLUSH_TIMEOUT_MS 30000
#define ROOM_TIMEOUT_MS  30000

struct feed {
    rd_kafka_t *producer;
    int64_t rate;
    int64_t began_at_ms;
    size_t sent, delivered;
    rd_kafka_resp_err_t failure; /* the first */
};

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
    struct feed *feed = opaque;
    (void)kafka;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        feed->delivered++;
    else if (feed->failure == RD_KAFKA_RESP_ERR_NO_ERROR)
        feed->failure = message->err;
}

struct feed *feed_open(const struct sl_config *config, int64_t rate, struct sl_err *err)
{
    rd_kafka_conf_t *conf = sl_kafka_conf_create(config, "sluicectl", err);
    if (!conf)
        return NULL;
    struct feed *feed = sl_calloc(1, sizeof(*feed));
    *feed = (struct feed){.rate = rate, .began_at_ms = sl_clock_mono_ms()};
    rd_kafka_conf_set_opaque(conf, feed);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    feed->producer = sl_kafka_producer_create(conf, LINGER_MS, err);
    if (feed->producer)
        return feed;
    free(feed);
    return NULL;
}

static bool has_failed(const struct feed *feed, struct sl_err *err)
{
    return feed->failure != RD_KAFKA_RESP_ERR_NO_ERROR &&
           !sl_kafka_err(err, feed->failure, "publishing to " SL_TOPIC_EVENTS);
}

bool feed_send(struct feed *feed, const struct sl_event *event, struct sl_err *err)
{
    const int64_t deadline_ms = sl_clock_mono_ms() + ROOM_TIMEOUT_MS;
    if (feed->rate > 0) {
        int64_t due_ms = feed->began_at_ms + (int64_t)feed->sent * 1000 / feed->rate;
        for (int64_t left_ms = due_ms - sl_clock_mono_ms(); left_ms > 0; left_ms = due_ms - sl_clock_mono_ms())
            (void)rd_kafka_poll(feed->producer, (int)(left_ms < 100 ? left_ms : 100));
    }
    (void)rd_kafka_poll(feed->producer, 0);
    while (!has_failed(feed, err)) {
        if (sl_kafka_produce_event(feed->producer, SL_TOPIC_EVENTS, RD_KAFKA_PARTITION_UA, event, NULL, err)) {
            feed->sent++;
            return true;
        }
        if (err->error_class != SL_ERR_RETRY || sl_clock_mono_ms() >= deadline_ms)
            return false;
        (void)rd_kafka_poll(feed->producer, 100);
    }
    return false;
}

bool feed_flush(struct feed *feed, struct sl_err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(feed->producer, FLUSH_TIMEOUT_MS);
    if (has_failed(feed, err))
        return false;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return sl_kafka_err(err, code, "publishing to " SL_TOPIC_EVENTS);
    return true;
}

size_t feed_delivered(const struct feed *feed)
{
    return feed->delivered;
}

void feed_close(struct feed *feed)
{
    if (!feed)
        return;
    (void)rd_kafka_purge(feed->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    (void)rd_kafka_flush(feed->producer, 0);
    rd_kafka_destroy(feed->producer);
    free(feed);
}
