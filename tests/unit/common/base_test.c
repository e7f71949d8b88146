/* base_test.c - assertions stop the process, allocation helpers. */
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>

#include "common/base.h"

static void fail_assertion(void *argument)
{
    SL_ASSERT(argument != NULL);
}

static void overflow_calloc(void *argument)
{
    (void)argument;
    free(sl_calloc(SIZE_MAX / 2, 4));
}

static void assertions_stop_the_process_and_true_ones_dont(void **state)
{
    (void)state;
    SL_ASSERT(1 + 1 == 2);
    assert_aborts(fail_assertion, NULL);
}

static void memory_comes_even_for_nothing(void **state)
{
    (void)state;
    void *nothing = sl_malloc(0);
    assert_non_null(nothing);
    free(nothing);
    nothing = sl_calloc(0, 8);
    assert_non_null(nothing);
    nothing = sl_realloc(nothing, 0);
    assert_non_null(nothing);
    free(nothing);
}

static void calloc_zeroes_and_refuses_to_overflow(void **state)
{
    (void)state;
    unsigned char *bytes = sl_calloc(3, 5);
    for (size_t i = 0; i < 15; i++) {
        assert_int_equal(bytes[i], 0);
    }
    free(bytes);
    assert_aborts(overflow_calloc, NULL);
}

static void realloc_keeps_and_strdup_copies(void **state)
{
    (void)state;
    char *text = sl_strdup("partition");
    text = sl_realloc(text, 4096);
    assert_string_equal(text, "partition");
    free(text);
}

struct counted {
    int closed;
};

static void close_counted(struct counted **handle)
{
    (*handle)->closed++;
}

static void cleanup_runs_at_the_end_of_the_scope(void **state)
{
    (void)state;
    struct counted counted = {0};
    {
        SL_CLEANUP(close_counted) struct counted *handle = &counted;
        assert_int_equal(handle->closed, 0);
    }
    assert_int_equal(counted.closed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(assertions_stop_the_process_and_true_ones_dont),
        cmocka_unit_test(memory_comes_even_for_nothing),
        cmocka_unit_test(calloc_zeroes_and_refuses_to_overflow),
        cmocka_unit_test(realloc_keeps_and_strdup_copies),
        cmocka_unit_test(cleanup_runs_at_the_end_of_the_scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
