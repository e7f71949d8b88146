/* kafka_io_test.c - events through the real brokers of KAFKA_BROKERS, on a topic of the test's own that it deletes. */
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/kafka.h"
#include "common/uuid.h"

#define WAIT_MS 30000
#define STEP_MS 100
#define EVENTS  100

struct world {
    char topic[64];
    rd_kafka_t *producer;
    struct sl_err err;
    int reported;
    int failed;
    rd_kafka_resp_err_t last;
};

static void on_report(rd_kafka_t *producer, const rd_kafka_message_t *message, void *arg)
{
    (void)producer;
    struct world *world = arg;
    world->reported++;
    world->failed += message->err != RD_KAFKA_RESP_ERR_NO_ERROR ? 1 : 0;
    world->last = message->err;
}

static struct sl_config *config(void)
{
    static struct sl_config_problem problems[SL_CONFIG_PROBLEMS_MAX];
    struct sl_config *loaded = NULL;
    size_t key_count = 0;
    size_t problem_count = 0;
    if (getenv("KAFKA_BROKERS") == NULL) {
        fail_msg("%s", "KAFKA_BROKERS names no Kafka");
    }
    const struct sl_config_key *keys = sl_config_all_keys(&key_count);
    if (!sl_config_load(keys, key_count, NULL, NULL, &loaded, problems, &problem_count)) {
        fail_msg("%s: %s", problems[0].place, problems[0].text);
    }
    return loaded;
}

static rd_kafka_conf_t *conf(void)
{
    struct sl_err err = {0};
    struct sl_config *loaded = config();
    rd_kafka_conf_t *made = sl_kafka_conf_create(loaded, "sluice-test", &err);
    sl_config_destroy(loaded);
    assert_non_null(made);
    return made;
}

/* Creates or deletes the topic, and waits until the brokers have done it. */
static void change_topic(struct world *world, bool create)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(world->producer);
    if (create) {
        rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(world->topic, 1, 1, NULL, 0);
        rd_kafka_CreateTopics(world->producer, &topic, 1, NULL, queue);
        rd_kafka_NewTopic_destroy(topic);
    } else {
        rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(world->topic);
        rd_kafka_DeleteTopics(world->producer, &topic, 1, NULL, queue);
        rd_kafka_DeleteTopic_destroy(topic);
    }
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
    assert_non_null(event);
    assert_string_equal(rd_kafka_err2name(rd_kafka_event_error(event)), "NO_ERROR");
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
}

static int make_world(void **state)
{
    static struct world world;
    memset(&world, 0, sizeof(world));
    struct sl_uuid uuid;
    char name[SL_UUID_TEXT_BYTES];
    sl_random_bytes(&uuid, sizeof(uuid));
    sl_uuid_format(uuid, name);
    (void)snprintf(world.topic, sizeof(world.topic), "sluice.test.%s", name);
    rd_kafka_conf_t *made = conf();
    rd_kafka_conf_set_dr_msg_cb(made, on_report);
    rd_kafka_conf_set_opaque(made, &world);
    world.producer = sl_kafka_producer_create(made, 5, &world.err);
    assert_non_null(world.producer);
    change_topic(&world, true);
    *state = &world;
    return 0;
}

static int drop_world(void **state)
{
    struct world *world = *state;
    change_topic(world, false);
    rd_kafka_destroy(world->producer);
    return 0;
}

static rd_kafka_message_t *next(rd_kafka_t *consumer)
{
    for (int waited_ms = 0; waited_ms < WAIT_MS; waited_ms += STEP_MS) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, STEP_MS);
        if (message != NULL && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            return message;
        }
        if (message != NULL) {
            rd_kafka_message_destroy(message);
        }
    }
    fail_msg("%s", "no message");
    return NULL;
}

static void events_arrive_whole_and_in_order(void **state)
{
    struct world *world = *state;
    static char large[1024 * 1024];
    char id[16];
    for (int i = 0; i < EVENTS; i++) {
        (void)snprintf(id, sizeof(id), "evt_%d", i);
        const struct sl_event event = {
            .id = sl_str_of(id),
            .source = SL_STR("/api"),
            .type = SL_STR("command.test"),
            .partition_key = SL_STR("user"),
            .content_type = SL_STR("application/json"),
            .data = {.ptr = large, .len = i == 0 ? sizeof(large) : (size_t)i},
            .time_ms = INT64_C(1700000000000) + i,
            .received_at_ms = INT64_C(1700000001000) + i,
        };
        assert_true(sl_kafka_produce_event(world->producer, world->topic, 0, &event, NULL, &world->err));
    }
    assert_int_equal(rd_kafka_flush(world->producer, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(world->reported, EVENTS);
    assert_int_equal(world->failed, 0);

    rd_kafka_conf_t *made = conf();
    assert_true(sl_kafka_conf_set(made, "group.id", world->topic, &world->err));
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, made, NULL, 0);
    assert_non_null(consumer);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(all, world->topic, 0)->offset = 0;
    assert_int_equal(rd_kafka_assign(consumer, all), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(all);
    for (int i = 0; i < EVENTS; i++) {
        rd_kafka_message_t *message = next(consumer);
        struct sl_event event;
        assert_true(sl_kafka_event_of(message, &event, &world->err));
        (void)snprintf(id, sizeof(id), "evt_%d", i);
        assert_str_is(event.id, id);
        assert_str_is(event.partition_key, "user");
        assert_int_equal(event.data.len, i == 0 ? sizeof(large) : (size_t)i);
        assert_true(event.time_ms == INT64_C(1700000000000) + i);
        assert_true(event.received_at_ms == INT64_C(1700000001000) + i);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_destroy(consumer);
}

static void unknown_partition_is_reported_once(void **state)
{
    struct world *world = *state;
    const struct sl_event event = {
        .id = SL_STR("id"),
        .source = SL_STR("/api"),
        .type = SL_STR("type"),
        .content_type = SL_STR("application/json"),
        .time_ms = 1,
        .received_at_ms = 1,
    };
    /* either at once, when the topic's partitions are known, or in the report */
    const bool taken = sl_kafka_produce_event(world->producer, world->topic, 7, &event, NULL, &world->err);
    assert_int_equal(rd_kafka_flush(world->producer, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(world->reported, taken ? 1 : 0);
    assert_int_equal(taken ? sl_kafka_err_class(world->last) : world->err.error_class, SL_ERR_PERMANENT);
}

#define test(name) cmocka_unit_test_setup_teardown(name, make_world, drop_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(events_arrive_whole_and_in_order),
        test(unknown_partition_is_reported_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
