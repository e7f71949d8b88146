/* bucket_test.c - of ingress/bucket.c. */
#include "tests/unit/web/check.h"

#include "ingress/bucket.h"

#define SECOND INT64_C(1000000)

static const struct bucket_rate RATE = {.period_us = SECOND, .burst = 3};

static struct address number(uint32_t n)
{
    struct address address = {{0}};
    memcpy(address.bytes + 12, &n, sizeof(n));
    return address;
}

static void a_burst_then_one_each_period(void **state)
{
    (void)state;
    struct bucket_table *table = bucket_table_create(1);
    int64_t now = 1000 * SECOND;
    for (int i = 0; i < 3; i++)
        assert_int_equal(bucket_take_us(table, number(1), RATE, now), 0);
    assert_int_equal(bucket_take_us(table, number(1), RATE, now), SECOND);
    assert_int_equal(bucket_take_us(table, number(1), RATE, now + SECOND / 4), SECOND - SECOND / 4);
    assert_int_equal(bucket_take_us(table, number(2), RATE, now), 0); /* another's bucket is its own */
    assert_int_equal(bucket_take_us(table, number(1), RATE, now + SECOND), 0);
    assert_int_equal(bucket_take_us(table, number(1), RATE, now + SECOND), SECOND);
    bucket_table_destroy(table);
}

static void it_fills_up_no_further_than_its_burst(void **state)
{
    (void)state;
    struct bucket_table *table = bucket_table_create(1);
    assert_int_equal(bucket_take_us(table, number(1), RATE, SECOND), 0);
    int64_t later = 3600 * SECOND;
    for (int i = 0; i < 3; i++)
        assert_int_equal(bucket_take_us(table, number(1), RATE, later), 0);
    assert_true(bucket_take_us(table, number(1), RATE, later) > 0);
    bucket_table_destroy(table);
}

static void many_addresses_never_grow_it_nor_lock_anyone_out(void **state)
{
    (void)state;
    struct bucket_table *table = bucket_table_create(7);
    for (uint32_t i = 0; i < 10 * BUCKET_ENTRIES; i++)
        assert_int_equal(bucket_take_us(table, number(i), RATE, SECOND), 0);
    bucket_table_destroy(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_then_one_each_period),
        cmocka_unit_test(it_fills_up_no_further_than_its_burst),
        cmocka_unit_test(many_addresses_never_grow_it_nor_lock_anyone_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
