/* kit.c - see kit.h. */
#include "tests/unit/ingress/kit.h"

#include "tests/unit/web/check.h"

#include <jwt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/kafka.h"
#include "common/sign.h"
#include "tests/unit/ingress/client.h"

#define PARTITIONS  3
#define PATIENCE_MS 10000

static rd_kafka_t *client_create(rd_kafka_type_t type, const char *brokers)
{
    char message[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    static const char *const properties[][2] = {{"group.id", "test"}, {"auto.offset.reset", "earliest"}};
    rd_kafka_conf_set_log_cb(conf, NULL);
    assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", brokers, message, sizeof(message)), RD_KAFKA_CONF_OK);
    for (size_t i = 0; type == RD_KAFKA_CONSUMER && i < SL_ARRAY_LEN(properties); i++)
        assert_int_equal(rd_kafka_conf_set(conf, properties[i][0], properties[i][1], message, sizeof(message)),
                         RD_KAFKA_CONF_OK);
    rd_kafka_t *client = rd_kafka_new(type, conf, message, sizeof(message));
    assert_non_null(client);
    return client;
}

static void start_cluster(struct kit *kit)
{
    char message[256];
    static const char *const topics[] = {SL_TOPIC_EVENTS, SL_TOPIC_DIRECTORY, SL_TOPIC_REPLIES};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, NULL);
    kit->owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, message, sizeof(message));
    assert_non_null(kit->owner);
    kit->cluster = rd_kafka_mock_cluster_new(kit->owner, 1);
    assert_non_null(kit->cluster);
    for (size_t i = 0; i < SL_ARRAY_LEN(topics); i++)
        assert_int_equal(rd_kafka_mock_topic_create(kit->cluster, topics[i], PARTITIONS, 1), 0);
    const char *brokers = rd_kafka_mock_cluster_bootstraps(kit->cluster);
    kit->producer = client_create(RD_KAFKA_PRODUCER, brokers);
    kit->consumer = client_create(RD_KAFKA_CONSUMER, brokers);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int32_t i = 0; i < PARTITIONS; i++)
        rd_kafka_topic_partition_list_add(list, SL_TOPIC_EVENTS, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    assert_int_equal(rd_kafka_assign(kit->consumer, list), 0);
    rd_kafka_topic_partition_list_destroy(list);
}

static void write_config(struct kit *kit, const char *settings)
{
    (void)snprintf(kit->config_path, sizeof(kit->config_path), "/tmp/sluice-ingress-test-XXXXXX");
    int fd = mkstemp(kit->config_path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    assert_true(fprintf(file,
                        "[kafka]\nbrokers = %s\n[source stripe]\nsecret = whsec_new,%s\n[source github]\nsecret = %s\n"
                        "[source callback]\nsecret = %s\n"
                        "[ingress]\nlisten = 127.0.0.1:0\njwt_secret = %s\n%s",
                        rd_kafka_mock_cluster_bootstraps(kit->cluster), KIT_STRIPE_SECRET, KIT_GITHUB_SECRET,
                        KIT_CALLBACK_SECRET, KIT_JWT_SECRET, settings) > 0);
    assert_int_equal(fclose(file), 0);
}

void kit_start(struct kit *kit, const char *settings, bool wait)
{
    struct settings_problems problems;
    struct sl_err err = {0};
    *kit = (struct kit){.owner = NULL};
    start_cluster(kit);
    write_config(kit, settings);
    struct settings *loaded = settings_load(kit->config_path, NULL, &problems);
    if (!loaded)
        fail_msg("%s: %s", problems.items[0].place, problems.items[0].text);
    kit->instance = instance_start(loaded, "sluice-ingress", &err);
    if (!kit->instance)
        fail_msg("%s", err.message);
    int64_t until_ms = sl_clock_mono_ms() + PATIENCE_MS;
    while (wait) {
        struct client_answer answer;
        client_call(instance_port(kit->instance), "GET", "/readyz", NULL, NULL, &answer);
        if (answer.status == 200)
            break;
        if (sl_clock_mono_ms() > until_ms)
            fail_msg("not ready: %s", answer.body);
    }
}

void kit_drain_to(struct kit *kit, enum drain_step step)
{
    int64_t until_ms = sl_clock_mono_ms() + PATIENCE_MS;
    enum drain_step now;
    do {
        int64_t now_ms = sl_clock_mono_ms();
        instance_tick(kit->instance, now_ms);
        now = instance_drain(kit->instance, true, now_ms);
        if (now_ms > until_ms)
            fail_msg("the drain stays at step %d", now);
    } while (now != step);
}

static void let_go(struct kit *kit)
{
    if (kit->consumed)
        rd_kafka_message_destroy(kit->consumed);
    kit->consumed = NULL;
}

void kit_stop(struct kit *kit)
{
    kit_drain_to(kit, DRAIN_DONE);
    instance_stop(kit->instance);
    let_go(kit);
    listener_retire(kit->consumer);
    rd_kafka_destroy(kit->producer);
    rd_kafka_mock_cluster_destroy(kit->cluster);
    rd_kafka_destroy(kit->owner);
    (void)unlink(kit->config_path);
}

void kit_produce(struct kit *kit, const char *topic, int32_t partition, const char *key, const char *value,
                 const char *correlation_id)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(1);
    if (correlation_id)
        (void)rd_kafka_header_add(headers, "sluice-correlation-id", -1, correlation_id, -1);
    const rd_kafka_vu_t arguments[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)key, key ? strlen(key) : 0}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)value, value ? strlen(value) : 0}},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(kit->producer, arguments, SL_ARRAY_LEN(arguments));
    assert_null(error);
    assert_int_equal(rd_kafka_flush(kit->producer, PATIENCE_MS), 0);
}

rd_kafka_message_t *kit_consume(struct kit *kit, int timeout_ms)
{
    int64_t until_ms = sl_clock_mono_ms() + timeout_ms;
    do {
        let_go(kit);
        kit->consumed = rd_kafka_consumer_poll(kit->consumer, 50);
    } while ((!kit->consumed || kit->consumed->err) && sl_clock_mono_ms() < until_ms);
    if (kit->consumed && kit->consumed->err)
        let_go(kit);
    return kit->consumed;
}

const char *kit_header(const rd_kafka_message_t *message, const char *name, char *text, size_t text_bytes)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t len = 0;
    text[0] = '\0';
    if (rd_kafka_message_headers(message, &headers) == 0 &&
        rd_kafka_header_get_last(headers, name, &value, &len) == 0 && len < text_bytes) {
        memcpy(text, value, len);
        text[len] = '\0';
    }
    return text;
}

void kit_sign_stripe(const char *body, size_t len, char ret_field[128])
{
    uint8_t mac[SL_SHA256_BYTES];
    char hex[SL_SHA256_HEX_BYTES];
    char time_text[24];
    (void)snprintf(time_text, sizeof(time_text), "%lld", (long long)(sl_clock_wall_ms() / 1000));
    const struct sl_str parts[] = {sl_str_of(time_text), SL_STR("."), {.ptr = body, .len = len}};
    sl_sign_hmac_sha256(SL_STR(KIT_STRIPE_SECRET), parts, SL_ARRAY_LEN(parts), mac);
    sl_sign_hex(mac, sizeof(mac), hex);
    (void)snprintf(ret_field, 128, "t=%s,v1=%s", time_text, hex);
}

void kit_sign_github(const char *secret, const char *body, char ret_field[80])
{
    uint8_t mac[SL_SHA256_BYTES];
    char hex[SL_SHA256_HEX_BYTES];
    const struct sl_str part = sl_str_of(body);
    sl_sign_hmac_sha256(sl_str_of(secret), &part, 1, mac);
    sl_sign_hex(mac, sizeof(mac), hex);
    (void)snprintf(ret_field, 80, "sha256=%s", hex);
}

void kit_token(char ret_field[512])
{
    jwt_t *jwt = NULL;
    assert_int_equal(jwt_new(&jwt), 0);
    assert_int_equal(jwt_add_grant(jwt, "sub", "user-1"), 0);
    assert_int_equal(jwt_add_grant_int(jwt, "exp", (long)(sl_clock_wall_ms() / 1000 + 600)), 0);
    assert_int_equal(jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)KIT_JWT_SECRET, sizeof(KIT_JWT_SECRET) - 1),
                     0);
    char *text = jwt_encode_str(jwt);
    assert_non_null(text);
    (void)snprintf(ret_field, 512, "Bearer %s", text);
    free(text);
    jwt_free(jwt);
}
