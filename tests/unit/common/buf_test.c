/* buf_test.c - growth, the compulsory maximum, and sticky overflow. */
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>

#include "common/buf.h"

static void appending_grows_and_stays_terminated(void **state)
{
    (void)state;
    struct sl_buf buf;
    sl_buf_init(&buf, 10000);
    for (int i = 0; i < 1000; i++) {
        assert_true(sl_buf_append_cstr(&buf, "abc"));
        assert_int_equal(buf.data[buf.len], '\0');
    }
    assert_true(sl_buf_append_char(&buf, 'd'));
    assert_true(sl_buf_append_str(&buf, SL_STR("e\0f")));
    assert_true(sl_buf_append(&buf, NULL, 0));
    assert_int_equal(sl_buf_str(&buf).len, 3004);
    assert_memory_equal(buf.data + 2997, "abcde\0f", 8);
    sl_buf_deinit(&buf);
    sl_buf_deinit(&buf);
    assert_true(sl_str_empty(sl_buf_str(&buf)));
}

static void the_maximum_is_reached_and_not_passed(void **state)
{
    (void)state;
    struct sl_buf buf;
    sl_buf_init(&buf, 5);
    assert_true(sl_buf_append_cstr(&buf, "abc"));
    assert_false(sl_buf_append_cstr(&buf, "def"));
    assert_true(buf.overflow);
    assert_str_is(sl_buf_str(&buf), "abc");
    /* Even what would fit is not taken any more: no text with a hole in it. */
    assert_false(sl_buf_append_char(&buf, 'x'));
    sl_buf_reset(&buf);
    assert_false(buf.overflow);
    assert_true(sl_buf_append_cstr(&buf, "12345"));
    assert_false(sl_buf_append_char(&buf, '6'));
    assert_str_is(sl_buf_str(&buf), "12345");
    sl_buf_deinit(&buf);

    sl_buf_init(&buf, 0);
    assert_true(sl_buf_append_cstr(&buf, ""));
    assert_false(sl_buf_append_char(&buf, 'a'));
    sl_buf_deinit(&buf);
}

static void printing_appends_or_leaves_it(void **state)
{
    (void)state;
    struct sl_buf buf;
    sl_buf_init(&buf, 12);
    assert_true(sl_buf_printf(&buf, "%s=%d;", "n", 42));
    assert_false(sl_buf_printf(&buf, "%08d", 7));
    assert_true(buf.overflow);
    assert_str_is(sl_buf_str(&buf), "n=42;");
    sl_buf_reset(&buf);
    assert_true(sl_buf_printf(&buf, "%012d", 7)); /* exactly the maximum */
    assert_str_is(sl_buf_str(&buf), "000000000007");
    sl_buf_deinit(&buf);
}

static void taking_moves_the_ownership(void **state)
{
    (void)state;
    struct sl_buf buf;
    sl_buf_init(&buf, 100);
    assert_true(sl_buf_append_cstr(&buf, "mine"));
    char *taken = sl_buf_take(&buf);
    assert_string_equal(taken, "mine");
    free(taken);
    assert_int_equal(buf.len, 0);
    assert_true(sl_buf_append_cstr(&buf, "next"));
    assert_str_is(sl_buf_str(&buf), "next");
    free(sl_buf_take(&buf));
    taken = sl_buf_take(&buf); /* nothing in it: still a string */
    assert_string_equal(taken, "");
    free(taken);
    sl_buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appending_grows_and_stays_terminated),
        cmocka_unit_test(the_maximum_is_reached_and_not_passed),
        cmocka_unit_test(printing_appends_or_leaves_it),
        cmocka_unit_test(taking_moves_the_ownership),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
