/* A set is what a plain array of flags is, whatever the order of adding and removing. */
#include "tests/unit/cmocka_all.h"
#include "worker/outbox/rowset.h"

#define IDS      300
#define ROWS_MAX 64

static void it_agrees_with_an_array_of_flags(void **state)
{
    struct rowset *rows = rowset_create(ROWS_MAX);
    bool there[IDS] = {false};
    size_t count = 0;
    uint64_t random = 42;
    (void)state;
    for (int step = 0; step < 50000; step++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        size_t i = (size_t)(random >> 33) % IDS;
        /* Ids that are far apart, and some that share a home. */
        int64_t id = (int64_t)i * 4096 + 1;
        assert_int_equal(rowset_has(rows, id), there[i]);
        if (there[i] || rowset_is_full(rows)) {
            rowset_remove(rows, id);
            count -= there[i] ? 1 : 0;
            there[i] = false;
        } else {
            rowset_add(rows, id);
            there[i] = true;
            count++;
        }
        assert_int_equal(rowset_count(rows), count);
        assert_int_equal(rowset_is_full(rows), count == ROWS_MAX);
    }
    for (size_t i = 0; i < IDS; i++)
        assert_int_equal(rowset_has(rows, (int64_t)i * 4096 + 1), there[i]);
    rowset_destroy(rows);
}

static void add_to_a_full_one(void *argument)
{
    rowset_add(argument, 99);
}

static void it_is_bounded(void **state)
{
    struct rowset *rows = rowset_create(2);
    (void)state;
    rowset_add(rows, 1);
    rowset_add(rows, 1);
    rowset_add(rows, 2);
    assert_true(rowset_is_full(rows));
    assert_aborts(add_to_a_full_one, rows);
    rowset_destroy(rows);
    rowset_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_agrees_with_an_array_of_flags),
        cmocka_unit_test(it_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
