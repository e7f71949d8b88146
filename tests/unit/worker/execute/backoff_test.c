/* Full jitter between nothing and a doubling span; what the cloud asks for wins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/execute/backoff.h"

static const struct backoff backoff = {.base_ms = 1000, .cap_ms = 60000};

static void the_span_doubles_up_to_the_cap(void **state)
{
    (void)state;
    static const int64_t spans_ms[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    for (int attempt = 0; attempt < (int)SL_ARRAY_LEN(spans_ms); attempt++) {
        uint64_t last = (uint64_t)spans_ms[attempt];
        assert_int_equal(backoff_ms(&backoff, attempt, 0, 0), 0);
        assert_int_equal(backoff_ms(&backoff, attempt, 0, last), spans_ms[attempt]);
        assert_int_equal(backoff_ms(&backoff, attempt, 0, last + 1), 0);
        assert_true(backoff_ms(&backoff, attempt, 0, UINT64_MAX) <= spans_ms[attempt]);
    }
    assert_true(backoff_ms(&backoff, 1000000, 0, UINT64_MAX) <= 60000);
}

static void spans_near_the_limit_of_the_type_do_not_overflow(void **state)
{
    (void)state;
    const struct backoff vast = {.base_ms = INT64_MAX / 2 + 1, .cap_ms = INT64_MAX - 1};
    assert_true(backoff_ms(&vast, 63, 0, UINT64_MAX) >= 0);
}

static void what_the_cloud_asked_for_is_the_least(void **state)
{
    (void)state;
    for (uint64_t random = 0; random < 5000; random += 7) {
        int64_t wait_ms = backoff_ms(&backoff, 0, 90000, random);
        assert_true(wait_ms >= 90000 && wait_ms <= 90000 + 1000);
        wait_ms = backoff_ms(&backoff, 6, 100, random);
        assert_true(wait_ms >= 100 && wait_ms <= 125);
    }
}

static void a_poll_doubles_up_to_its_cap(void **state)
{
    (void)state;
    assert_int_equal(backoff_poll_ms(0, 500, 5000), 500);
    assert_int_equal(backoff_poll_ms(500, 500, 5000), 1000);
    assert_int_equal(backoff_poll_ms(4000, 500, 5000), 5000);
    assert_int_equal(backoff_poll_ms(5000, 500, 5000), 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_span_doubles_up_to_the_cap),
        cmocka_unit_test(spans_near_the_limit_of_the_type_do_not_overflow),
        cmocka_unit_test(what_the_cloud_asked_for_is_the_least),
        cmocka_unit_test(a_poll_doubles_up_to_its_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
