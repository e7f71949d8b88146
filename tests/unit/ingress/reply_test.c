/* reply_test.c - of ingress/reply.c: waits end exactly once. */
#include "tests/unit/web/check.h"

#include "ingress/reply.h"

struct waiter {
    struct reply_wait wait;
    int calls;
    char outcome[64];
};

static void on_done(void *arg, struct sl_str outcome)
{
    struct waiter *waiter = arg;
    waiter->calls++;
    memcpy(waiter->outcome, outcome.ptr ? outcome.ptr : "", outcome.len);
    waiter->outcome[outcome.len] = '\0';
}

static void begin(struct replies *replies, struct waiter *waiter, uint8_t id, int64_t deadline_ms)
{
    *waiter = (struct waiter){.wait = {.deadline_ms = deadline_ms, .done = on_done, .arg = waiter}};
    waiter->wait.id.bytes[15] = id;
    waiter->wait.id.bytes[0] = (uint8_t)(id / 2); /* some meet in a chain */
    assert_true(reply_wait(replies, &waiter->wait));
}

static void an_answer_reaches_its_waiter_once(void **state)
{
    (void)state;
    struct replies *replies = replies_create(10);
    struct waiter one, two;
    begin(replies, &one, 1, 100);
    begin(replies, &two, 2, 100);
    assert_true(replies_deliver(replies, one.wait.id, SL_STR("yes")));
    assert_false(replies_deliver(replies, one.wait.id, SL_STR("again")));
    assert_int_equal(one.calls, 1);
    assert_string_equal(one.outcome, "yes");
    assert_int_equal(two.calls, 0);
    assert_int_equal(replies_expire(replies, 99, false), 0);
    assert_int_equal(replies_expire(replies, 100, false), 1);
    assert_int_equal(two.calls, 1);
    assert_string_equal(two.outcome, "");
    assert_false(replies_deliver(replies, two.wait.id, SL_STR("late")));
    replies_destroy(replies);
}

static void a_cancelled_wait_is_not_called(void **state)
{
    (void)state;
    struct replies *replies = replies_create(10);
    struct waiter one;
    begin(replies, &one, 1, 100);
    reply_cancel(replies, &one.wait);
    reply_cancel(replies, &one.wait);
    assert_false(replies_deliver(replies, one.wait.id, SL_STR("yes")));
    assert_int_equal(replies_expire(replies, 1000, true), 0);
    assert_int_equal(one.calls, 0);
    replies_destroy(replies);
}

static void there_is_a_limit_and_a_drain(void **state)
{
    (void)state;
    struct replies *replies = replies_create(2);
    struct waiter one, two, three = {.calls = 0};
    begin(replies, &one, 1, 100);
    begin(replies, &two, 1, 100);
    assert_false(reply_wait(replies, &three.wait));
    assert_int_equal(replies_count(replies), 2);
    assert_int_equal(replies_expire(replies, 0, true), 2);
    assert_int_equal(one.calls + two.calls, 2);
    replies_destroy(replies);
}

static const struct {
    const char *field;
    int seconds;
} ROWS[] = {
    {"wait=10", 10},  {"Wait = 5", 5},       {"respond-async, wait=3; x=y", 3},
    {"wait=600", 30}, {"wait=0", 0},         {"wait=-1", 0},
    {"wait=x", 0},    {"wait", 0},           {"return=minimal", 0},
    {"", 0},          {"wait=2, wait=9", 2}, {"waiting=9", 0},
};

static void the_preference_is_read_and_clamped(void **state)
{
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        struct headers headers = {.count = 0};
        assert_true(headers_add(&headers, SL_STR("Prefer"), sl_str_of(ROWS[i].field)));
        if (reply_preference_s(&headers) != ROWS[i].seconds)
            fail_msg("row %zu: %s", i, ROWS[i].field);
    }
    struct headers two = {.count = 0};
    assert_true(headers_add(&two, SL_STR("prefer"), SL_STR("respond-async")));
    assert_true(headers_add(&two, SL_STR("prefer"), SL_STR("wait=4")));
    assert_int_equal(reply_preference_s(&two), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_reaches_its_waiter_once),
        cmocka_unit_test(a_cancelled_wait_is_not_called),
        cmocka_unit_test(there_is_a_limit_and_a_drain),
        cmocka_unit_test(the_preference_is_read_and_clamped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
