/* Rows in memory by a key: found after any growth, replaced in their place. */
#include <stdio.h>

#include "tests/unit/cmocka_all.h"
#include "worker/apply/table.h"

#define COUNT 5000

static char keys[COUNT][16];
static size_t visited;

static void visit(void *value)
{
    visited += value != NULL;
}

static void what_is_put_is_found(void **state)
{
    struct table table = {0};
    (void)state;
    assert_null(table_get(&table, SL_STR("none")));
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "key-%zu", i);
        table_put(&table, sl_str_of(keys[i]), keys[i]);
    }
    assert_int_equal(table.count, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_ptr_equal(table_get(&table, sl_str_of(keys[i])), keys[i]);
    assert_null(table_get(&table, SL_STR("key-5000")));
    table_each(&table, visit);
    assert_int_equal(visited, COUNT);
    table_deinit(&table);
}

static void a_second_value_takes_the_place_of_the_first(void **state)
{
    struct table table = {0};
    char first = 'a';
    char second = 'b';
    (void)state;
    table_put(&table, SL_STR("k"), &first);
    table_put(&table, SL_STR("k"), &second);
    assert_int_equal(table.count, 1);
    assert_ptr_equal(table_get(&table, SL_STR("k")), &second);
    table_deinit(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_found),
        cmocka_unit_test(a_second_value_takes_the_place_of_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
