/* `published` moves over outcomes that are confirmed in a row, whatever the order they are confirmed in. */
#include "tests/unit/cmocka_all.h"
#include "worker/apply/partitions.h"

static void published_stops_at_the_first_that_is_not_confirmed(void **state)
{
    struct partitions partitions = {0};
    uint64_t numbers[4];
    (void)state;
    partitions_assign(&partitions, 3, 10, 10);
    struct partition *partition = partitions_find(&partitions, 3);
    partition->next = 20;
    for (int i = 0; i < 4; i++)
        numbers[i] = partition_fly(partition, 10 + 2 * i); /* the log may have holes */
    partition_confirm(partition, numbers[1]);
    assert_int_equal(partition->published, 10);
    partition_check(partition);
    partition_confirm(partition, numbers[0]);
    assert_int_equal(partition->published, 13);
    partition_confirm(partition, numbers[3]);
    assert_int_equal(partition->published, 13);
    partition_check(partition);
    partition_confirm(partition, numbers[2]);
    assert_int_equal(partition->published, 17);
    assert_int_equal(partition->flying_count, 0);
    partitions_deinit(&partitions);
}

static void the_ring_grows_and_turns(void **state)
{
    struct partitions partitions = {0};
    (void)state;
    partitions_assign(&partitions, 0, 0, 0);
    struct partition *partition = partitions_find(&partitions, 0);
    partition->next = 1000000;
    uint64_t oldest = partition_fly(partition, 0);
    int64_t offset = 1;
    for (int round = 0; round < 2000; round++) {
        (void)partition_fly(partition, offset++);
        (void)partition_fly(partition, offset++);
        partition_confirm(partition, oldest++);
        assert_int_equal(partition->published, round + 1);
        if (round % 100 == 0)
            partition_check(partition);
    }
    assert_int_equal(partition->flying_count, 2001);
    while (partition->flying_count)
        partition_confirm(partition, oldest++);
    assert_int_equal(partition->published, offset);
    partitions_deinit(&partitions);
}

static void what_is_not_assigned_is_not_found(void **state)
{
    struct partitions partitions = {0};
    (void)state;
    assert_null(partitions_find(&partitions, 0));
    partitions_assign(&partitions, 2, 5, 4);
    assert_null(partitions_find(&partitions, 0));
    assert_null(partitions_find(&partitions, -1));
    assert_null(partitions_find(&partitions, 3));
    struct partition *partition = partitions_find(&partitions, 2);
    assert_non_null(partition);
    assert_int_equal(partition->fetched, 4);
    uint32_t epoch = partition->epoch;
    (void)partition_fly(partition, 4);
    partitions_revoke(&partitions);
    assert_null(partitions_find(&partitions, 2));
    partitions_assign(&partitions, 2, 5, 5);
    partition = partitions_find(&partitions, 2);
    assert_int_not_equal(partition->epoch, epoch);
    assert_int_equal(partition->flying_count, 0);
    partitions_deinit(&partitions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_stops_at_the_first_that_is_not_confirmed),
        cmocka_unit_test(the_ring_grows_and_turns),
        cmocka_unit_test(what_is_not_assigned_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
