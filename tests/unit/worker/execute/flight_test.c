/* The pool, the lists, the write set, and the heap of sleepers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/execute/flight.h"

#define CAPACITY 64

static void a_pool_gives_what_it_has_and_no_more(void **state)
{
    (void)state;
    struct flight_pool pool;
    struct flight *taken[3];
    flight_pool_init(&pool, 3, NULL);
    for (int i = 0; i < 3; i++) {
        taken[i] = flight_take(&pool);
        assert_non_null(taken[i]);
        assert_int_equal(taken[i]->state, FLIGHT_READY);
    }
    assert_null(flight_take(&pool));
    taken[1]->fence = 7;
    flight_free(&pool, taken[1]);
    struct flight *again = flight_take(&pool);
    assert_ptr_equal(again, taken[1]);
    assert_int_equal(again->fence, 0);
    flight_pool_deinit(&pool);
}

static void a_list_gives_in_order_and_lets_go_in_the_middle(void **state)
{
    (void)state;
    struct flight_list list = {0};
    struct flight flights[3] = {0};
    for (int i = 0; i < 3; i++)
        flight_list_push(&list, &flights[i]);
    flight_list_remove(&flights[1]);
    flight_list_remove(&flights[1]);
    assert_int_equal(list.count, 2);
    assert_ptr_equal(flight_list_pop(&list), &flights[0]);
    assert_ptr_equal(flight_list_pop(&list), &flights[2]);
    assert_null(flight_list_pop(&list));
}

static void a_write_set_holds_each_once(void **state)
{
    (void)state;
    struct write_set set;
    struct flight flights[3] = {0};
    write_set_init(&set, 3);
    for (int i = 0; i < 3; i++) {
        write_set_add(&set, &flights[i]);
        write_set_add(&set, &flights[i]);
    }
    assert_int_equal(set.count, 3);
    write_set_remove(&set, &flights[0]);
    write_set_remove(&set, &flights[0]);
    write_set_remove(&set, &flights[2]);
    assert_int_equal(set.count, 1);
    assert_ptr_equal(set.items[0], &flights[1]);
    write_set_deinit(&set);
}

static void a_transaction_takes_as_many_as_their_catalogs_allow(void **state)
{
    (void)state;
    struct write_set set;
    struct flight flights[4] = {0};
    write_set_init(&set, 4);
    assert_int_equal(write_set_first(&set, 4, 100), 0);
    for (int i = 0; i < 4; i++)
        write_set_add(&set, &flights[i]);
    assert_int_equal(write_set_first(&set, 4, 0), 4);
    assert_int_equal(write_set_first(&set, 3, 0), 3);
    for (int i = 0; i < 4; i++)
        flights[i].job.found.catalog_bytes = 40;
    assert_int_equal(write_set_first(&set, 4, 160), 4);
    assert_int_equal(write_set_first(&set, 4, 159), 3);
    assert_int_equal(write_set_first(&set, 4, 79), 1);
    assert_int_equal(write_set_first(&set, 4, 1), 1);
    write_set_deinit(&set);
}

static void sleepers_wake_in_the_order_of_their_times(void **state)
{
    (void)state;
    struct sleepers sleepers;
    struct flight flights[CAPACITY] = {0};
    uint32_t random = 12345;
    sleepers_init(&sleepers, CAPACITY);
    assert_int_equal(sleepers_wait_ms(&sleepers, 0), -1);
    for (int i = 0; i < CAPACITY; i++) {
        random = random * 1664525u + 1013904223u;
        flights[i].state = FLIGHT_READY;
        sleepers_add(&sleepers, &flights[i], random % 1000);
    }
    for (int i = 0; i < CAPACITY; i += 3)
        sleepers_wake(&sleepers, &flights[i]);
    int64_t last_ms = 0;
    size_t count = 0;
    for (struct flight *due = sleepers_due(&sleepers, 1000); due; due = sleepers_due(&sleepers, 1000)) {
        assert_true(due->wake_at_mono_ms >= last_ms);
        last_ms = due->wake_at_mono_ms;
        sleepers_wake(&sleepers, due);
        assert_int_equal(due->state, FLIGHT_READY);
        count++;
    }
    assert_int_equal(count, CAPACITY - (CAPACITY + 2) / 3);
    sleepers_deinit(&sleepers);
}

static void nobody_is_woken_early(void **state)
{
    (void)state;
    struct sleepers sleepers;
    struct flight flight = {.state = FLIGHT_READY};
    sleepers_init(&sleepers, 1);
    sleepers_add(&sleepers, &flight, 100);
    assert_null(sleepers_due(&sleepers, 99));
    assert_int_equal(sleepers_wait_ms(&sleepers, 40), 60);
    assert_int_equal(sleepers_wait_ms(&sleepers, 140), 0);
    assert_ptr_equal(sleepers_due(&sleepers, 100), &flight);
    sleepers_deinit(&sleepers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_gives_what_it_has_and_no_more),
        cmocka_unit_test(a_list_gives_in_order_and_lets_go_in_the_middle),
        cmocka_unit_test(a_write_set_holds_each_once),
        cmocka_unit_test(a_transaction_takes_as_many_as_their_catalogs_allow),
        cmocka_unit_test(sleepers_wake_in_the_order_of_their_times),
        cmocka_unit_test(nobody_is_woken_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
