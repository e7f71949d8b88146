/* publisher_test.c - of ingress/publisher.c, over mock brokers: each sender is told once, and only the truth. */
#include "tests/unit/web/check.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "tests/unit/ingress/client.h"
#include "tests/unit/ingress/kit.h"

struct sender {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int calls;
    struct publish_result result;
};

static struct sender sender = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
static struct kit kit;

static void on_done(void *arg, const struct publish_result *result)
{
    struct sender *told = arg;
    (void)pthread_mutex_lock(&told->lock);
    told->calls++;
    told->result = *result;
    (void)pthread_cond_broadcast(&told->changed);
    (void)pthread_mutex_unlock(&told->lock);
}

static struct publish_result await(int calls)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    (void)pthread_mutex_lock(&sender.lock);
    while (sender.calls < calls)
        assert_int_equal(pthread_cond_timedwait(&sender.changed, &sender.lock, &until), 0);
    struct publish_result result = sender.result;
    assert_int_equal(sender.calls, calls);
    (void)pthread_mutex_unlock(&sender.lock);
    return result;
}

static bool send_one(struct sl_err *err)
{
    const struct sl_event event = {.id = SL_STR("e1"),
                                   .source = SL_STR("/test"),
                                   .type = SL_STR("test.type"),
                                   .partition_key = SL_STR("user-1"),
                                   .content_type = SL_STR("application/json"),
                                   .data = SL_STR("{}"),
                                   .time_ms = sl_clock_wall_ms(),
                                   .received_at_ms = sl_clock_wall_ms()};
    return publisher_send(instance_borrow_publisher(kit.instance), &event, on_done, &sender, err);
}

static int set_up(void **state)
{
    (void)state;
    sender.calls = 0;
    kit_start(&kit, "publish_deadline = 2s\n", true);
    return 0;
}

static int set_up_in_a_hurry(void **state)
{
    (void)state;
    sender.calls = 0;
    kit_start(&kit, "publish_deadline = 400ms\n", true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kit_stop(&kit);
    return 0;
}

static void delivered_with_its_place(void **state)
{
    (void)state;
    struct sl_err err = {0};
    assert_true(send_one(&err));
    struct publish_result first = await(1);
    assert_int_equal(first.end, PUBLISH_DELIVERED);
    assert_true(send_one(&err));
    struct publish_result second = await(2);
    assert_int_equal(second.partition, first.partition); /* one user, one partition */
    assert_int_equal(second.offset, first.offset + 1);
    assert_true(second.took_us > 0);
}

static void overdue_when_brokers_are_away_and_well_again_after(void **state)
{
    (void)state;
    struct sl_err err = {0};
    assert_int_equal(rd_kafka_mock_broker_set_down(kit.cluster, 1), 0);
    assert_true(send_one(&err));
    struct publish_result result = await(1);
    assert_int_not_equal(result.end, PUBLISH_DELIVERED);
    assert_true(result.took_us >= 1500000);
    assert_int_equal(result.err.error_class, SL_ERR_RETRY);
    assert_int_equal(rd_kafka_mock_broker_set_up(kit.cluster, 1), 0);
    int calls = 1;
    do {
        assert_true(send_one(&err));
        result = await(++calls);
    } while (result.end != PUBLISH_DELIVERED && calls < 20);
    assert_int_equal(result.end, PUBLISH_DELIVERED);
}

static void a_late_report_finds_nobody(void **state)
{
    (void)state;
    struct sl_err err = {0};
    char text[32];
    struct client_answer answer;
    /* The broker answers after the deadline: the sender has gone by then. */
    assert_int_equal(rd_kafka_mock_broker_set_rtt(kit.cluster, 1, 3000), 0);
    assert_true(send_one(&err));
    struct publish_result result = await(1);
    assert_int_not_equal(result.end, PUBLISH_DELIVERED);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(kit.cluster, 1, 0), 0);
    int calls = 1;
    do {
        assert_true(send_one(&err));
        result = await(++calls);
    } while (result.end != PUBLISH_DELIVERED && calls < 20);
    assert_int_equal(result.end, PUBLISH_DELIVERED);
    client_call(instance_port(kit.instance), "GET", "/metrics", NULL, NULL, &answer);
    assert_string_not_equal(client_header(&answer, "content-type", text, sizeof(text)), "");
}

/* Reads /metrics until the line is there. */
static void await_metric(const char *line)
{
    struct client_answer answer;
    int64_t until_ms = sl_clock_mono_ms() + 10000;
    do {
        assert_true(sl_clock_mono_ms() < until_ms);
        client_call(instance_port(kit.instance), "GET", "/metrics", NULL, NULL, &answer);
    } while (!strstr(answer.body, line));
}

/* librdkafka would give its number to a later event, which a broker then takes for this one: confirmed, never written.
 */
static void what_is_overdue_is_not_given_up(void **state)
{
    (void)state;
    struct sl_err err = {0};
    assert_int_equal(rd_kafka_mock_broker_set_down(kit.cluster, 1), 0);
    assert_true(send_one(&err));
    assert_int_equal(await(1).end, PUBLISH_OVERDUE);
    assert_int_equal(rd_kafka_mock_broker_set_up(kit.cluster, 1), 0);
    await_metric("sluice_ingress_late_reports_total{result=\"delivered\"} 1");
    assert_int_equal(sender.calls, 1);
}

static void what_is_stale_goes_with_its_producer(void **state)
{
    (void)state;
    struct sl_err err = {0};
    assert_int_equal(rd_kafka_mock_broker_set_down(kit.cluster, 1), 0);
    assert_true(send_one(&err));
    assert_int_equal(await(1).end, PUBLISH_OVERDUE);
    await_metric("sluice_ingress_producers_replaced_total 1");
    assert_int_equal(rd_kafka_mock_broker_set_up(kit.cluster, 1), 0);
    int64_t until_ms = sl_clock_mono_ms() + 10000;
    int calls = 1;
    struct publish_result result = {.end = PUBLISH_FAILED};
    while (result.end != PUBLISH_DELIVERED) {
        assert_true(sl_clock_mono_ms() < until_ms);
        if (send_one(&err))
            result = await(++calls);
    }
    assert_int_equal(result.offset, 0); /* the stale one never came */
}

static void break_it(rd_kafka_t *producer, void *arg)
{
    (void)arg;
    assert_non_null(producer);
    (void)rd_kafka_test_fatal_error(producer, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "as a test");
}

static void see_it(rd_kafka_t *producer, void *arg)
{
    *(rd_kafka_t **)arg = producer;
}

static void a_fatal_error_makes_a_new_producer(void **state)
{
    (void)state;
    struct sl_err err = {0};
    struct publisher *publisher = instance_borrow_publisher(kit.instance);
    struct client_answer answer;
    assert_int_equal(rd_kafka_mock_broker_set_rtt(kit.cluster, 1, 500), 0);
    assert_true(send_one(&err));
    publisher_with_producer(publisher, break_it, NULL);
    struct publish_result result = await(1);
    assert_int_equal(result.end, PUBLISH_FAILED);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(kit.cluster, 1, 0), 0);
    rd_kafka_t *producer = NULL;
    int64_t until_ms = sl_clock_mono_ms() + 10000;
    do {
        publisher_with_producer(publisher, see_it, &producer);
        assert_true(sl_clock_mono_ms() < until_ms);
    } while (!producer || rd_kafka_fatal_error(producer, NULL, 0));
    assert_true(send_one(&err));
    assert_int_equal(await(2).end, PUBLISH_DELIVERED);
    client_call(instance_port(kit.instance), "GET", "/metrics", NULL, NULL, &answer);
    assert_non_null(strstr(answer.body, "sluice_ingress_producers_replaced_total 1"));
    do {
        client_call(instance_port(kit.instance), "GET", "/readyz", NULL, NULL, &answer);
        assert_true(sl_clock_mono_ms() < until_ms);
    } while (answer.status != 200);
}

static void closed_it_takes_nothing(void **state)
{
    (void)state;
    struct sl_err err = {0};
    publisher_close(instance_borrow_publisher(kit.instance), 100);
    assert_false(send_one(&err));
    assert_int_equal(err.error_class, SL_ERR_RETRY);
    assert_int_equal(sender.calls, 0);
}

static void closing_tells_those_who_wait(void **state)
{
    (void)state;
    struct sl_err err = {0};
    assert_int_equal(rd_kafka_mock_broker_set_down(kit.cluster, 1), 0);
    assert_true(send_one(&err));
    publisher_close(instance_borrow_publisher(kit.instance), 10);
    assert_int_not_equal(await(1).end, PUBLISH_DELIVERED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(delivered_with_its_place),
        TEST(overdue_when_brokers_are_away_and_well_again_after),
        TEST(a_late_report_finds_nobody),
        TEST(a_fatal_error_makes_a_new_producer),
        TEST(closed_it_takes_nothing),
        TEST(closing_tells_those_who_wait),
        TEST(what_is_overdue_is_not_given_up),
        cmocka_unit_test_setup_teardown(what_is_stale_goes_with_its_producer, set_up_in_a_hurry, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
