/* kafka_test.c - librdkafka as we set it up: settings, classes of errors, and envelopes through its simulated brokers.
 */
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/kafka.h"

#include <librdkafka/rdkafka_mock.h> /* wants rdkafka.h before it */

#define WAIT_MS 20000
#define TOPIC   "sluice.test"

/* What delivery reports said. */
struct reports {
    int count;
    rd_kafka_resp_err_t last;
    const void *opaque;
};

static void on_report(rd_kafka_t *producer, const rd_kafka_message_t *message, void *arg)
{
    (void)producer;
    struct reports *reports = arg;
    reports->count++;
    reports->last = message->err;
    reports->opaque = message->_private;
}

/* The environment's say over the defaults: key, value, …, NULL. */
static struct sl_config *config_of(const char *const *variables)
{
    static const char *const ALL[] = {
        "KAFKA_BROKERS",         "KAFKA_SECURITY_PROTOCOL", "KAFKA_SASL_MECHANISM",
        "KAFKA_SASL_USERNAME",   "KAFKA_SASL_PASSWORD",     "KAFKA_SSL_CA",
        "KAFKA_SSL_CERTIFICATE", "KAFKA_SSL_KEY",
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(ALL); i++) {
        assert_int_equal(unsetenv(ALL[i]), 0);
    }
    for (size_t i = 0; variables[i] != NULL; i += 2) {
        assert_int_equal(setenv(variables[i], variables[i + 1], 1), 0);
    }
    static struct sl_config_problem problems[SL_CONFIG_PROBLEMS_MAX];
    struct sl_config *config = NULL;
    size_t key_count = 0;
    size_t problem_count = 0;
    const struct sl_config_key *keys = sl_config_all_keys(&key_count);
    if (!sl_config_load(keys, key_count, NULL, NULL, &config, problems, &problem_count)) {
        fail_msg("%s: %s", problems[0].place, problems[0].text);
    }
    return config;
}

static rd_kafka_conf_t *conf_of(const char *const *variables)
{
    struct sl_err err = {0};
    struct sl_config *config = config_of(variables);
    rd_kafka_conf_t *conf = sl_kafka_conf_create(config, "sluice-test", &err);
    if (conf == NULL) {
        fail_msg("%s: %s", err.message, err.detail);
    }
    sl_config_destroy(config);
    return conf;
}

static void assert_property(const rd_kafka_conf_t *conf, const char *name, const char *expected)
{
    char value[512];
    size_t value_bytes = sizeof(value);
    assert_int_equal(rd_kafka_conf_get(conf, name, value, &value_bytes), RD_KAFKA_CONF_OK);
    assert_string_equal(value, expected);
}

static void settings_reach_librdkafka(void **state)
{
    (void)state;
    static const char *const VARIABLES[] = {
        "KAFKA_BROKERS",
        "one:9092,two:9092",
        "KAFKA_SECURITY_PROTOCOL",
        "sasl_ssl",
        "KAFKA_SASL_MECHANISM",
        "SCRAM-SHA-512",
        "KAFKA_SASL_USERNAME",
        "user",
        "KAFKA_SASL_PASSWORD",
        "pass,word",
        "KAFKA_SSL_CA",
        "/etc/ssl/ca.pem",
        "KAFKA_SSL_CERTIFICATE",
        "/etc/ssl/us.pem",
        "KAFKA_SSL_KEY",
        "/etc/ssl/us.key",
        NULL,
    };
    rd_kafka_conf_t *conf = conf_of(VARIABLES);
    char client_id[64];
    (void)snprintf(client_id, sizeof(client_id), "sluice-test-%ld", (long)getpid());
    assert_property(conf, "client.id", client_id);
    assert_property(conf, "bootstrap.servers", "one:9092,two:9092");
    assert_property(conf, "security.protocol", "sasl_ssl");
    assert_property(conf, "sasl.mechanism", "SCRAM-SHA-512");
    assert_property(conf, "sasl.username", "user");
    assert_property(conf, "sasl.password", "pass,word");
    assert_property(conf, "ssl.ca.location", "/etc/ssl/ca.pem");
    assert_property(conf, "ssl.certificate.location", "/etc/ssl/us.pem");
    assert_property(conf, "ssl.key.location", "/etc/ssl/us.key");
    rd_kafka_conf_destroy(conf);
}

static void certificates_may_be_text(void **state)
{
    (void)state;
    static const char PEM[] = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    static const char *const VARIABLES[] = {"KAFKA_BROKERS", "one:9092", "KAFKA_SSL_CA", PEM, NULL};
    rd_kafka_conf_t *conf = conf_of(VARIABLES);
    char value[512];
    size_t value_bytes = sizeof(value);
    assert_int_equal(rd_kafka_conf_get(conf, "ssl.ca.pem", value, &value_bytes), RD_KAFKA_CONF_OK);
    assert_memory_equal(value, PEM, strlen("-----BEGIN CERTIFICATE-----"));
    rd_kafka_conf_destroy(conf);
}

static void wrong_settings_are_permanent(void **state)
{
    (void)state;
    static const char *const NONE[] = {NULL};
    struct sl_err err = {0};
    struct sl_config *config = config_of(NONE);
    assert_null(sl_kafka_conf_create(config, "sluice-test", &err));
    assert_int_equal(err.error_class, SL_ERR_PERMANENT);
    assert_non_null(strstr(err.hint, "KAFKA_BROKERS"));
    sl_config_destroy(config);

    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_false(sl_kafka_conf_set(conf, "no.such.property", "1", &err));
    assert_int_equal(err.error_class, SL_ERR_PERMANENT);
    assert_non_null(strstr(err.message, "no.such.property"));
    assert_false(sl_kafka_conf_set(conf, "linger.ms", "often", &err));
    assert_true(err.detail[0] != '\0');
    /* the producer takes the configuration even when it refuses it */
    assert_null(sl_kafka_producer_create(conf, -5, &err));
    assert_int_equal(err.error_class, SL_ERR_PERMANENT);
    conf = rd_kafka_conf_new();
    assert_true(sl_kafka_conf_set(conf, "ssl.ca.location", "/nonexistent", &err));
    assert_true(sl_kafka_conf_set(conf, "security.protocol", "ssl", &err));
    rd_kafka_conf_set_log_cb(conf, NULL);
    assert_null(sl_kafka_producer_create(conf, 0, &err));
    assert_int_equal(err.error_class, SL_ERR_PERMANENT);
}

static void codes_have_classes(void **state)
{
    (void)state;
    static const struct {
        rd_kafka_resp_err_t code;
        enum sl_err_class error_class;
    } ROWS[] = {
        {RD_KAFKA_RESP_ERR_NO_ERROR, SL_ERR_NONE},
        {RD_KAFKA_RESP_ERR__QUEUE_FULL, SL_ERR_RETRY},
        {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, SL_ERR_RETRY},
        {RD_KAFKA_RESP_ERR__TRANSPORT, SL_ERR_RETRY},
        {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, SL_ERR_RETRY},
        {RD_KAFKA_RESP_ERR__PURGE_QUEUE, SL_ERR_RETRY},
        {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, SL_ERR_RETRY},
        {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, SL_ERR_RETRY},
        {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, SL_ERR_PERMANENT},
        {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, SL_ERR_PERMANENT},
        {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, SL_ERR_PERMANENT},
        {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, SL_ERR_PERMANENT},
        {RD_KAFKA_RESP_ERR__AUTHENTICATION, SL_ERR_PERMANENT},
        {RD_KAFKA_RESP_ERR__FATAL, SL_ERR_FATAL},
        {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, SL_ERR_FATAL},
        {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, SL_ERR_FATAL},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        assert_int_equal(sl_kafka_err_class(ROWS[i].code), ROWS[i].error_class);
    }
    struct sl_err err = {0};
    assert_false(sl_kafka_err(&err, RD_KAFKA_RESP_ERR__TRANSPORT, "publishing"));
    assert_int_equal(err.error_class, SL_ERR_RETRY);
    assert_string_equal(err.code, "_TRANSPORT");
    assert_string_equal(err.message, "publishing failed");
    assert_true(err.detail[0] != '\0');
}

/* A producer with simulated brokers of its own, and a consumer of theirs. */
struct world {
    struct reports reports;
    rd_kafka_t *producer;
    rd_kafka_t *consumer;
    struct sl_err err;
};

static int make_world(void **state)
{
    static struct world world;
    memset(&world, 0, sizeof(world));
    static const char *const VARIABLES[] = {"KAFKA_BROKERS", "127.0.0.1:1", NULL};
    rd_kafka_conf_t *conf = conf_of(VARIABLES);
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_conf_set_opaque(conf, &world.reports);
    assert_true(sl_kafka_conf_set(conf, "test.mock.num.brokers", "1", &world.err));
    world.producer = sl_kafka_producer_create(conf, 0, &world.err);
    assert_non_null(world.producer);
    rd_kafka_mock_cluster_t *brokers = rd_kafka_handle_mock_cluster(world.producer);
    assert_int_equal(rd_kafka_mock_topic_create(brokers, TOPIC, 1, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
    conf = rd_kafka_conf_new();
    assert_true(sl_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(brokers), &world.err));
    assert_true(sl_kafka_conf_set(conf, "group.id", "test", &world.err));
    rd_kafka_conf_set_log_cb(conf, NULL);
    world.consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
    assert_non_null(world.consumer);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(all, TOPIC, 0)->offset = 0;
    assert_int_equal(rd_kafka_assign(world.consumer, all), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(all);
    *state = &world;
    return 0;
}

static int drop_world(void **state)
{
    struct world *world = *state;
    rd_kafka_destroy(world->consumer);
    rd_kafka_destroy(world->producer);
    return 0;
}

static void wait_for_reports(struct world *world, int count)
{
    for (int i = 0; i < 1000 && world->reports.count < count; i++) {
        (void)rd_kafka_poll(world->producer, WAIT_MS / 1000);
    }
    assert_int_equal(world->reports.count, count);
}

static rd_kafka_message_t *consume(struct world *world)
{
    rd_kafka_message_t *message = NULL;
    for (int i = 0; i < 1000 && message == NULL; i++) {
        message = rd_kafka_consumer_poll(world->consumer, WAIT_MS / 1000);
        if (message != NULL && message->err != RD_KAFKA_RESP_ERR_NO_ERROR) { /* the brokers have just begun */
            rd_kafka_message_destroy(message);
            message = NULL;
        }
    }
    assert_non_null(message);
    return message;
}

static void producer_is_exact(void **state)
{
    const struct world *world = *state;
    const rd_kafka_conf_t *conf = rd_kafka_conf(world->producer);
    assert_property(conf, "enable.idempotence", "true");
    assert_property(conf, "message.max.bytes", "2097152");
    assert_property(conf, "linger.ms", "0");
    rd_kafka_conf_t *copy = rd_kafka_conf_dup(conf);
    assert_property(copy, "acks", "-1"); /* all */
    rd_kafka_conf_destroy(copy);
}

static void events_come_out_as_they_went_in(void **state)
{
    struct world *world = *state;
    const struct sl_event events[] = {
        {
            .id = SL_STR("evt_1"),
            .source = SL_STR("/webhooks/stripe"),
            .type = SL_STR("stripe.invoice.paid"),
            .subject = SL_STR("in_1"),
            .partition_key = SL_STR("user-1"),
            .content_type = SL_STR("application/json"),
            .traceparent = SL_STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            .reply_to = SL_STR("3/9b2e"),
            .replay = SL_STR("2"),
            .data = SL_STR("{\"a\":\"\0\"}"),
            .time_ms = INT64_C(1700000000123),
            .received_at_ms = INT64_C(1700000009999),
        },
        {
            .id = SL_STR("evt_2"),
            .source = SL_STR("/api"),
            .type = SL_STR("command.x"),
            .content_type = SL_STR("application/json"),
            .time_ms = 1,
            .received_at_ms = INT64_C(1700000000000),
        },
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(events); i++) {
        int opaque = 0;
        assert_true(sl_kafka_produce_event(world->producer, TOPIC, 0, &events[i], &opaque, &world->err));
        wait_for_reports(world, (int)i + 1);
        assert_int_equal(world->reports.last, RD_KAFKA_RESP_ERR_NO_ERROR);
        assert_ptr_equal(world->reports.opaque, &opaque);
        rd_kafka_message_t *message = consume(world);
        assert_non_null(message->payload); /* also when it is empty: no tombstone */
        struct sl_event event;
        if (!sl_kafka_event_of(message, &event, &world->err)) {
            fail_msg("%s", world->err.message);
        }
        const struct sl_str *sent = &events[i].id;
        const struct sl_str *got = &event.id;
        for (const struct sl_str *end = &events[i].data; sent <= end; sent++, got++) {
            assert_true(sl_str_equal(*sent, *got));
        }
        assert_true(event.time_ms == events[i].time_ms);
        assert_true(event.received_at_ms == events[i].received_at_ms);
        rd_kafka_message_destroy(message);
    }
}

static const struct sl_event EVENT = {
    .id = {"id", 2},
    .source = {"/api", 4},
    .type = {"type", 4},
    .partition_key = {"user", 4},
    .content_type = {"application/json", 16},
    .data = {"{}", 2},
    .time_ms = 1,
    .received_at_ms = 1,
};

static void too_large_is_permanent(void **state)
{
    struct world *world = *state;
    struct sl_event event = EVENT;
    char *bytes = sl_calloc(1, SL_KAFKA_MESSAGE_BYTES_MAX);
    event.data = (struct sl_str){.ptr = bytes, .len = SL_KAFKA_MESSAGE_BYTES_MAX};
    assert_false(sl_kafka_produce_event(world->producer, TOPIC, 0, &event, NULL, &world->err));
    assert_int_equal(world->err.error_class, SL_ERR_PERMANENT);
    assert_string_equal(world->err.code, "MSG_SIZE_TOO_LARGE");
    free(bytes);
    assert_int_equal(rd_kafka_flush(world->producer, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(world->reports.count, 0); /* no report for what was not taken */
}

static void full_queue_is_to_be_tried_again(void **state)
{
    (void)state;
    struct reports reports = {0};
    struct sl_err err = {0};
    static const char *const VARIABLES[] = {"KAFKA_BROKERS", "127.0.0.1:1", NULL};
    rd_kafka_conf_t *conf = conf_of(VARIABLES);
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_conf_set_opaque(conf, &reports);
    assert_true(sl_kafka_conf_set(conf, "queue.buffering.max.messages", "1", &err));
    rd_kafka_t *producer = sl_kafka_producer_create(conf, 0, &err);
    assert_non_null(producer);
    assert_true(sl_kafka_produce_event(producer, TOPIC, RD_KAFKA_PARTITION_UA, &EVENT, &reports, &err));
    assert_false(sl_kafka_produce_event(producer, TOPIC, RD_KAFKA_PARTITION_UA, &EVENT, &reports, &err));
    assert_int_equal(err.error_class, SL_ERR_RETRY);
    assert_string_equal(err.code, "_QUEUE_FULL");
    assert_int_equal(rd_kafka_purge(producer, RD_KAFKA_PURGE_F_QUEUE), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(producer, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(reports.count, 1);
    assert_ptr_equal(reports.opaque, &reports);
    assert_int_equal(sl_kafka_err_class(reports.last), SL_ERR_RETRY);
    rd_kafka_destroy(producer);
}

/* A message as somebody else might send it: `header_count` headers, half of them without a value. */
static void produce_foreign(struct world *world, size_t header_count)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(header_count);
    for (size_t i = 0; i < header_count; i++) {
        assert_int_equal(rd_kafka_header_add(headers, "other", -1, i % 2 == 0 ? NULL : "x", i % 2 == 0 ? 0 : 1),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    const rd_kafka_vu_t arguments[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = TOPIC},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = 0},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    assert_null(rd_kafka_produceva(world->producer, arguments, SL_ARRAY_LEN(arguments)));
}

static void foreign_messages_are_permanent_errors(void **state)
{
    struct world *world = *state;
    static const size_t COUNTS[] = {0, 2, 64, 65, 500};
    for (size_t i = 0; i < SL_ARRAY_LEN(COUNTS); i++) {
        produce_foreign(world, COUNTS[i]);
        rd_kafka_message_t *message = consume(world);
        struct sl_event event;
        assert_false(sl_kafka_event_of(message, &event, &world->err));
        assert_int_equal(world->err.error_class, SL_ERR_PERMANENT);
        assert_int_equal(strstr(world->err.message, "more than 64 headers") != NULL, COUNTS[i] > 64);
        rd_kafka_message_destroy(message);
    }
}

#define world_test(name) cmocka_unit_test_setup_teardown(name, make_world, drop_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_reach_librdkafka),
        cmocka_unit_test(certificates_may_be_text),
        cmocka_unit_test(wrong_settings_are_permanent),
        cmocka_unit_test(codes_have_classes),
        world_test(producer_is_exact),
        world_test(events_come_out_as_they_went_in),
        world_test(too_large_is_permanent),
        cmocka_unit_test(full_queue_is_to_be_tried_again),
        world_test(foreign_messages_are_permanent_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
