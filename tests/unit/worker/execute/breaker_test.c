/* The breaker as a table of what happens when, and its laws by brute force. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/execute/breaker.h"

static struct breaker fresh(void)
{
    struct breaker breaker;
    breaker_init(&breaker, 3, 1000, NULL);
    return breaker;
}

static void failures_in_a_row_open_it(void **state)
{
    (void)state;
    struct breaker breaker = fresh();
    assert_false(breaker_record(&breaker, BREAKER_FAILURE, 0));
    assert_false(breaker_record(&breaker, BREAKER_FAILURE, 0));
    assert_false(breaker_record(&breaker, BREAKER_HEALTHY, 0));
    assert_false(breaker_record(&breaker, BREAKER_FAILURE, 0));
    assert_false(breaker_record(&breaker, BREAKER_FAILURE, 0));
    assert_true(breaker_may_call(&breaker, 0));
    assert_true(breaker_record(&breaker, BREAKER_FAILURE, 10));
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_false(breaker_may_call(&breaker, 10));
    assert_int_equal(breaker_wait_ms(&breaker, 10), 1000);
}

static void a_refused_credential_opens_it_at_once(void **state)
{
    (void)state;
    struct breaker breaker = fresh();
    assert_true(breaker_record(&breaker, BREAKER_AUTH, 0));
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_string_equal(breaker.reason, "auth");
}

static void one_probe_closes_it_again(void **state)
{
    (void)state;
    struct breaker breaker = fresh();
    assert_true(breaker_record(&breaker, BREAKER_AUTH, 0));
    assert_false(breaker_may_call(&breaker, 999));
    assert_true(breaker_may_call(&breaker, 1000));
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    breaker_called(&breaker);
    assert_false(breaker_may_call(&breaker, 1001));
    assert_true(breaker_record(&breaker, BREAKER_HEALTHY, 1002));
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    assert_string_equal(breaker.reason, "");
    assert_true(breaker_may_call(&breaker, 1002));
}

static void a_failed_probe_opens_it_for_twice_as_long_up_to_eight_times(void **state)
{
    (void)state;
    struct breaker breaker = fresh();
    int64_t now_ms = 0;
    static const int64_t spans_ms[] = {1000, 2000, 4000, 8000, 8000, 8000};
    assert_true(breaker_record(&breaker, BREAKER_AUTH, now_ms));
    for (size_t i = 0; i < SL_ARRAY_LEN(spans_ms); i++) {
        assert_int_equal(breaker_wait_ms(&breaker, now_ms), spans_ms[i]);
        now_ms += spans_ms[i];
        assert_true(breaker_may_call(&breaker, now_ms));
        breaker_called(&breaker);
        assert_true(breaker_record(&breaker, BREAKER_FAILURE, now_ms));
    }
}

static void a_late_answer_from_before_changes_nothing(void **state)
{
    (void)state;
    struct breaker breaker = fresh();
    assert_true(breaker_record(&breaker, BREAKER_AUTH, 0));
    assert_false(breaker_record(&breaker, BREAKER_HEALTHY, 1));
    assert_false(breaker_record(&breaker, BREAKER_FAILURE, 1));
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_int_equal(breaker_wait_ms(&breaker, 1), 999);
}

static void a_probe_that_was_not_made_lets_the_next_one_through(void **state)
{
    (void)state;
    struct breaker breaker = fresh();
    assert_true(breaker_record(&breaker, BREAKER_AUTH, 0));
    assert_true(breaker_may_call(&breaker, 1000));
    breaker_called(&breaker);
    breaker_uncalled(&breaker);
    assert_true(breaker_may_call(&breaker, 1000));
}

static void unconfigured_never_calls_and_says_what_is_missing(void **state)
{
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker, 3, 1000, "HCLOUD_TOKEN");
    assert_false(breaker_may_call(&breaker, INT64_MAX));
    assert_false(breaker_record(&breaker, BREAKER_HEALTHY, 0));
    assert_string_equal(breaker.reason, "HCLOUD_TOKEN");
    assert_int_equal(breaker_wait_ms(&breaker, 0), 1000);
}

/* Every sequence of seven events out of six: no assertion fails, and in half_open never more than one probe is let
 * through. */
static void no_sequence_breaks_it(void **state)
{
    (void)state;
    const int kinds = 6;
    const int length = 7;
    int total = 1;
    for (int i = 0; i < length; i++)
        total *= kinds;
    for (int code = 0; code < total; code++) {
        struct breaker breaker = fresh();
        int64_t now_ms = 0;
        int rest = code;
        for (int i = 0; i < length; i++, rest /= kinds) {
            int kind = rest % kinds;
            if (kind < 3) {
                (void)breaker_record(&breaker, (enum breaker_signal)(kind + 1), now_ms);
            } else if (kind == 3 && breaker_may_call(&breaker, now_ms)) {
                breaker_called(&breaker);
                if (breaker.state == BREAKER_HALF_OPEN)
                    assert_false(breaker_may_call(&breaker, now_ms));
            } else if (kind == 4) {
                breaker_uncalled(&breaker);
            } else {
                now_ms += 1500;
            }
            breaker_check(&breaker);
            assert_true(breaker_wait_ms(&breaker, now_ms) >= 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_in_a_row_open_it),
        cmocka_unit_test(a_refused_credential_opens_it_at_once),
        cmocka_unit_test(one_probe_closes_it_again),
        cmocka_unit_test(a_failed_probe_opens_it_for_twice_as_long_up_to_eight_times),
        cmocka_unit_test(a_late_answer_from_before_changes_nothing),
        cmocka_unit_test(a_probe_that_was_not_made_lets_the_next_one_through),
        cmocka_unit_test(unconfigured_never_calls_and_says_what_is_missing),
        cmocka_unit_test(no_sequence_breaks_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
