/* kit.h - a whole ingress inside a test: librdkafka's mock brokers, a configuration in a file, an instance on a free
 * port. */
#ifndef TESTS_INGRESS_KIT_H
#define TESTS_INGRESS_KIT_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "ingress/instance.h"

#define KIT_STRIPE_SECRET   "whsec_test"
#define KIT_GITHUB_SECRET   "github-secret"
#define KIT_CALLBACK_SECRET "callback-secret"
#define KIT_JWT_SECRET      "jwt-secret"

struct kit {
    rd_kafka_t *owner; /* of the cluster */
    rd_kafka_mock_cluster_t *cluster;
    char config_path[64];
    struct instance *instance;
    rd_kafka_t *producer; /* the test's own: for directory and replies */
    rd_kafka_t *consumer;
    rd_kafka_message_t *consumed; /* the last one: a message that is left over would keep the consumer from ending */
};

/* One broker with the topics, and an instance whose [ingress] section ends with `settings` ("publish_deadline =
 * 500ms\n"). Waits until it is ready where `wait` says so. */
void kit_start(struct kit *kit, const char *settings, bool wait);
/* Drains, stops and frees, whatever is left. */
void kit_stop(struct kit *kit);
/* Ticks and moves the drain on until `step`; fails the test after ten seconds. */
void kit_drain_to(struct kit *kit, enum drain_step step);

void kit_produce(struct kit *kit, const char *topic, int32_t partition, const char *key, const char *value,
                 const char *correlation_id);
/* The next message of the events topic, in any partition, borrowed until the next call. NULL after `timeout_ms`. */
rd_kafka_message_t *kit_consume(struct kit *kit, int timeout_ms);
/* The last header of that name as text, "" when absent. */
const char *kit_header(const rd_kafka_message_t *message, const char *name, char *text, size_t text_bytes);

/* Signs as Stripe does, now; the field's value goes into `ret_field`. */
void kit_sign_stripe(const char *body, size_t len, char ret_field[128]);
void kit_sign_github(const char *secret, const char *body, char ret_field[80]);
/* A token for "user-1" that is good for ten minutes. */
void kit_token(char ret_field[512]);

#endif
