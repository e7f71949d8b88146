/* Concurrency and budget: who may start when, and what is kept back for whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/execute/limiter.h"

#define NOW_MS INT64_C(1795255200000)

static int started_of(struct limiter *limiter, int priority)
{
    int count = 0;
    for (; limiter_may_start(limiter, priority, NOW_MS); count++)
        limiter_started(limiter);
    return count;
}

static void the_urgent_have_room_when_the_others_have_none(void **state)
{
    (void)state;
    struct limiter limiter;
    limiter_init(&limiter, 64);
    assert_int_equal(started_of(&limiter, 2), 48);
    assert_int_equal(started_of(&limiter, 1), 10);
    assert_int_equal(started_of(&limiter, 0), 6);
    assert_int_equal(limiter_wait_ms(&limiter, 0, NOW_MS), 1000);
    limiter_ended(&limiter);
    assert_false(limiter_may_start(&limiter, 1, NOW_MS));
    assert_true(limiter_may_start(&limiter, 0, NOW_MS));
}

static void a_single_slot_is_everybodys(void **state)
{
    (void)state;
    struct limiter limiter;
    limiter_init(&limiter, 1);
    assert_true(limiter_may_start(&limiter, 2, NOW_MS));
}

static void a_refusal_stops_all_for_its_time(void **state)
{
    (void)state;
    struct limiter limiter;
    struct cloud_limits limits = {.retry_after_ms = 3000};
    limiter_init(&limiter, 4);
    limiter_learn(&limiter, &limits, 3000, NOW_MS);
    limiter_learn(&limiter, &limits, 10, NOW_MS);
    assert_false(limiter_may_start(&limiter, 0, NOW_MS + 2999));
    assert_true(limiter_may_start(&limiter, 0, NOW_MS + 3000));
    assert_int_equal(limiter_wait_ms(&limiter, 0, NOW_MS + 2900), 100);
}

static void the_last_of_the_budget_is_for_stopping_and_deleting(void **state)
{
    (void)state;
    struct limiter limiter;
    struct cloud_limits limits = {.known = true, .limit = 1000, .remaining = 251, .reset_at_ms = NOW_MS + 60000};
    limiter_init(&limiter, 100);
    limiter_learn(&limiter, &limits, 0, NOW_MS);
    assert_true(limiter_may_start(&limiter, 2, NOW_MS));
    limiter_started(&limiter);
    assert_false(limiter_may_start(&limiter, 2, NOW_MS));
    assert_true(limiter_may_start(&limiter, 1, NOW_MS));
    limits.remaining = 101;
    limiter_learn(&limiter, &limits, 0, NOW_MS);
    assert_false(limiter_may_start(&limiter, 1, NOW_MS));
    assert_true(limiter_may_start(&limiter, 0, NOW_MS));
    limits.remaining = 0;
    limiter_learn(&limiter, &limits, 0, NOW_MS);
    assert_false(limiter_may_start(&limiter, 0, NOW_MS));
    assert_true(limiter_may_start(&limiter, 2, NOW_MS + 60000));
}

static void a_bucket_fills_again(void **state)
{
    (void)state;
    struct limiter limiter;
    struct cloud_limits limits = {
        .known = true, .limit = 3600, .remaining = 0, .reset_at_ms = NOW_MS + 3600000, .refill_ms = 1000};
    limiter_init(&limiter, 10);
    limiter_learn(&limiter, &limits, 0, NOW_MS);
    assert_false(limiter_may_start(&limiter, 0, NOW_MS + 999));
    assert_true(limiter_may_start(&limiter, 0, NOW_MS + 1000));
    assert_int_equal(limiter_remaining(&limiter, NOW_MS + 10000), 10);
    assert_int_equal(limiter_remaining(&limiter, NOW_MS + 3600000), 3600);
}

static void a_budget_that_never_says_when_it_comes_back_is_tried_again(void **state)
{
    (void)state;
    struct limiter limiter;
    struct cloud_limits limits = {.known = true, .limit = 10, .remaining = 0};
    limiter_init(&limiter, 10);
    limiter_learn(&limiter, &limits, 0, NOW_MS);
    assert_false(limiter_may_start(&limiter, 0, NOW_MS));
    assert_true(limiter_may_start(&limiter, 0, NOW_MS + 60000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_urgent_have_room_when_the_others_have_none),
        cmocka_unit_test(a_single_slot_is_everybodys),
        cmocka_unit_test(a_refusal_stops_all_for_its_time),
        cmocka_unit_test(the_last_of_the_budget_is_for_stopping_and_deleting),
        cmocka_unit_test(a_bucket_fills_again),
        cmocka_unit_test(a_budget_that_never_says_when_it_comes_back_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
