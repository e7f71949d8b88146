/* secret_test.c - constant-time comparison, wiping, rotating sets. */
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>

#include "common/secret.h"

static void a_secret_is_a_copy(void **state)
{
    (void)state;
    char text[] = "whsec\0x";
    struct sl_secret *secret = sl_secret_create((struct sl_str){.ptr = text, .len = 7});
    memset(text, 0, sizeof(text));
    assert_true(sl_str_equal(sl_secret_borrow(secret), SL_STR("whsec\0x")));
    assert_int_equal(sl_secret_borrow(secret).ptr[7], '\0');
    sl_secret_destroy(secret);
}

static void a_long_secret_takes_several_pages(void **state)
{
    (void)state;
    const size_t len = 10000;
    char *text = malloc(len);
    memset(text, 's', len);
    struct sl_secret *secret = sl_secret_create((struct sl_str){.ptr = text, .len = len});
    assert_memory_equal(sl_secret_borrow(secret).ptr, text, len);
    sl_secret_destroy(secret);
    free(text);
}

static void empty_is_none(void **state)
{
    (void)state;
    assert_null(sl_secret_create(SL_STR("")));
    assert_true(sl_str_empty(sl_secret_borrow(NULL)));
    sl_secret_destroy(NULL);
}

static void comparing(void **state)
{
    (void)state;
    assert_true(sl_secret_equal(SL_STR("abc"), SL_STR("abc")));
    assert_true(sl_secret_equal(SL_STR_NONE, SL_STR("")));
    assert_false(sl_secret_equal(SL_STR("abc"), SL_STR("abd")));
    assert_false(sl_secret_equal(SL_STR("abc"), SL_STR("ab")));
    assert_false(sl_secret_equal(SL_STR("abc"), SL_STR("abc\0")));
    assert_false(sl_secret_equal(SL_STR(""), SL_STR("a")));
    assert_false(sl_secret_equal(SL_STR("xbc"), SL_STR("abc")));
}

static void wiping_leaves_zeros(void **state)
{
    (void)state;
    char text[] = "secret";
    sl_secret_wipe(text, 3);
    assert_memory_equal(text, "\0\0\0ret", 7);
    sl_secret_wipe(NULL, 0);
}

static void a_rotating_set_keeps_its_order(void **state)
{
    (void)state;
    struct sl_secrets secrets;
    assert_true(sl_secrets_init(&secrets, SL_STR(" new ,, old,\t")));
    assert_int_equal(secrets.count, 2);
    assert_str_is(sl_secret_borrow(secrets.items[0]), "new");
    assert_str_is(sl_secret_borrow(secrets.items[1]), "old");
    sl_secrets_deinit(&secrets);
    assert_int_equal(secrets.count, 0);
    sl_secrets_deinit(&secrets);

    assert_true(sl_secrets_init(&secrets, SL_STR_NONE));
    assert_int_equal(secrets.count, 0);
    assert_true(sl_secrets_init(&secrets, SL_STR(" , ,")));
    assert_int_equal(secrets.count, 0);
}

static void too_many_are_none(void **state)
{
    (void)state;
    struct sl_secrets secrets;
    assert_true(sl_secrets_init(&secrets, SL_STR("1,2,3,4,5,6,7,8,")));
    assert_int_equal(secrets.count, SL_SECRETS_MAX);
    sl_secrets_deinit(&secrets);
    assert_false(sl_secrets_init(&secrets, SL_STR("1,2,3,4,5,6,7,8,9")));
    assert_int_equal(secrets.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_is_a_copy),  cmocka_unit_test(a_long_secret_takes_several_pages),
        cmocka_unit_test(empty_is_none),       cmocka_unit_test(comparing),
        cmocka_unit_test(wiping_leaves_zeros), cmocka_unit_test(a_rotating_set_keeps_its_order),
        cmocka_unit_test(too_many_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
