/* Ids to users: sorted, each once. */
#include "tests/unit/cmocka_all.h"
#include "worker/apply/owners.h"

static void ids_are_found_whatever_the_order_they_were_named_in(void **state)
{
    static const char *const KEYS[] = {"cus_b", "cus_a", "", "cus_b", "cus_c", "cus_a"};
    struct sl_arena *arena = sl_arena_create(65536);
    struct owners owners;
    (void)state;
    owners_init(&owners, arena, SL_ARRAY_LEN(KEYS));
    for (size_t i = 0; i < SL_ARRAY_LEN(KEYS); i++)
        owners_add(&owners, sl_str_of(KEYS[i]));
    owners_seal(&owners);
    assert_int_equal(owners.count, 3);
    owners_find(&owners, SL_STR("cus_b"))->user_id = SL_STR("u");
    assert_str_is(owners_user(&owners, SL_STR("cus_b")), "u");
    assert_str_is(owners_user(&owners, SL_STR("cus_a")), "");
    assert_str_is(owners_user(&owners, SL_STR("cus_x")), "");
    assert_str_is(owners_user(&owners, SL_STR_NONE), "");
    assert_null(owners_find(&owners, SL_STR("cus_")));
    sl_arena_destroy(arena);
}

static void an_empty_table_finds_nothing(void **state)
{
    struct sl_arena *arena = sl_arena_create(65536);
    struct owners owners;
    (void)state;
    owners_init(&owners, arena, 0);
    owners_seal(&owners);
    assert_null(owners_find(&owners, SL_STR("a")));
    sl_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_found_whatever_the_order_they_were_named_in),
        cmocka_unit_test(an_empty_table_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
