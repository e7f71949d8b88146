/* publisher.h - events into sluice.events.v1, and each sender told how it ended.
 *
 * Any thread sends; one thread of its own serves delivery reports and deadlines and runs the callbacks. Invariants:
 *   1. A sender whose publisher_send gave true gets exactly one callback: delivered, overdue or failed.
 *   2. A report that comes after the deadline finds nobody, and touches nothing of the sender's: the ticket that
 * travels with the message is the publisher's own, freed by the report or with the producer.
 *   3. After a fatal error of the idempotent producer, those waiting are told FAILED, and a new producer takes its
 * place; meanwhile nothing is accepted and readyz says so.
 *   4. The producer never gives an event up by itself (see sl_kafka_producer_create): one that is overdue may land
 * until four deadlines are over; then the producer is replaced as after a fatal error, and what it had is purged.
 */
#ifndef INGRESS_PUBLISHER_H
#define INGRESS_PUBLISHER_H

#include "common/admin.h"
#include "common/kafka.h"
#include "ingress/counters.h"

enum publish_end {
    PUBLISH_DELIVERED = 1, /* on all in-sync replicas */
    PUBLISH_OVERDUE,       /* the deadline has passed: it may still land, or not */
    PUBLISH_FAILED,        /* the brokers or the client refused it; it may have landed all the same */
};

struct publish_result {
    enum publish_end end;
    int32_t partition; /* DELIVERED */
    int64_t offset;    /* DELIVERED */
    int64_t took_us;
    struct sl_err err; /* unless DELIVERED */
};

typedef void publish_done(void *arg, const struct publish_result *result);

struct publisher_options {
    const struct sl_config *config; /* must outlive the publisher: new producers are made from it */
    int linger_ms;
    int deadline_ms;
    int64_t queue_bytes_max; /* of librdkafka's own queue */
    struct sl_readiness *readiness;
    struct counters *counters;
};

struct publisher;

/* Starts the thread. PERMANENT when the configuration makes no producer; brokers that are away are no error. */
SL_MUST_CHECK struct publisher *publisher_start(const struct publisher_options *options, struct sl_err *err);
/* Takes nothing any more, waits for what is queued, `flush_ms` at most, tells the rest FAILED and ends the thread.
 * Senders may still call publisher_send, which then gives false. Main's thread; a second call does nothing. */
void publisher_close(struct publisher *publisher, int flush_ms);
/* After publisher_close, when nobody can send any more. Accepts NULL. */
void publisher_destroy(struct publisher *publisher);

/* `done(arg, …)` is called once if this gave true, from the publisher's thread, perhaps before this returns. The event
 * is copied. `err` must be given. RETRY: the queue is full, or there is no producer right now; PERMANENT: this event
 * can't be sent. */
SL_MUST_CHECK bool publisher_send(struct publisher *publisher, const struct sl_event *event, publish_done *done,
                                  void *arg, struct sl_err *err);

/* Runs `visit` with the live producer (NULL while there is none), which must not keep it. For tests of fatal errors. */
void publisher_with_producer(struct publisher *publisher, void (*visit)(rd_kafka_t *producer, void *arg), void *arg);

#endif
