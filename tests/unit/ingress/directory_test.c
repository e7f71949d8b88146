/* directory_test.c - of ingress/directory.c. */
#include "tests/unit/web/check.h"

#include <stdio.h>

#include "ingress/directory.h"

static void entries_are_set_changed_and_taken_out(void **state)
{
    (void)state;
    struct directory *directory = directory_create(10);
    struct sl_arena *arena = sl_arena_create(1 << 16);
    assert_str(directory_get(directory, SL_STR("cus_1"), arena), "");
    assert_true(directory_set(directory, SL_STR("cus_1"), SL_STR("user-1")));
    assert_str(directory_get(directory, SL_STR("cus_1"), arena), "user-1");
    assert_true(directory_set(directory, SL_STR("cus_1"), SL_STR("another user")));
    assert_str(directory_get(directory, SL_STR("cus_1"), arena), "another user");
    assert_int_equal(directory_count(directory), 1);
    assert_true(directory_set(directory, SL_STR("cus_1"), SL_STR_NONE));
    assert_true(directory_set(directory, SL_STR("cus_1"), SL_STR_NONE));
    assert_str(directory_get(directory, SL_STR("cus_1"), arena), "");
    assert_int_equal(directory_count(directory), 0);
    sl_arena_destroy(arena);
    directory_destroy(directory);
}

static void it_is_bounded(void **state)
{
    (void)state;
    struct directory *directory = directory_create(1000);
    struct sl_arena *arena = sl_arena_create(1 << 20);
    char customer[32];
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(customer, sizeof(customer), "cus_%d", i);
        assert_true(directory_set(directory, sl_str_of(customer), SL_STR("u")));
    }
    assert_false(directory_set(directory, SL_STR("cus_more"), SL_STR("u")));
    assert_true(directory_set(directory, SL_STR("cus_5"), SL_STR("changed"))); /* a known one may change */
    assert_str(directory_get(directory, SL_STR("cus_5"), arena), "changed");
    assert_true(directory_set(directory, SL_STR("cus_7"), SL_STR_NONE));
    assert_true(directory_set(directory, SL_STR("cus_more"), SL_STR("u")));
    assert_int_equal(directory_count(directory), 1000);
    sl_arena_destroy(arena);
    directory_destroy(directory);
}

static void what_is_no_key_is_left_out(void **state)
{
    (void)state;
    struct directory *directory = directory_create(10);
    assert_false(directory_set(directory, SL_STR(""), SL_STR("u")));
    assert_false(directory_set(directory, SL_STR("cus_1"), SL_STR("a\nb")));
    assert_int_equal(directory_count(directory), 0);
    directory_destroy(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_set_changed_and_taken_out),
        cmocka_unit_test(it_is_bounded),
        cmocka_unit_test(what_is_no_key_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
