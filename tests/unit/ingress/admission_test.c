/* admission_test.c - of ingress/admission.c. */
#include "tests/unit/web/check.h"

#include "ingress/admission.h"

static const struct admission_limits LIMITS = {
    .in_flight_bytes_max = 100, .address_bytes_max = 100, .early_access_per_minute = 10};

static const struct address CLIENT = {{7}};

static void bytes_are_bounded_and_come_back(void **state)
{
    (void)state;
    struct admission *admission = admission_create(&LIMITS, 1);
    admission_enter(admission);
    assert_true(admission_reserve(admission, CLIENT, 60));
    assert_true(admission_has_room(admission, CLIENT, 40));
    assert_false(admission_has_room(admission, CLIENT, 41));
    assert_false(admission_reserve(admission, CLIENT, 41));
    assert_true(admission_reserve(admission, CLIENT, 40));
    assert_int_equal(admission_bytes(admission), 100);
    assert_int_equal(admission_requests(admission), 1);
    admission_leave(admission, CLIENT, 100);
    assert_int_equal(admission_bytes(admission), 0);
    assert_int_equal(admission_requests(admission), 0);
    admission_destroy(admission);
}

static void one_address_holds_its_share(void **state)
{
    (void)state;
    const struct admission_limits limits = {.in_flight_bytes_max = 100, .address_bytes_max = 60};
    const struct address other = {{0, 8}};
    struct admission *admission = admission_create(&limits, 1);
    admission_enter(admission);
    admission_enter(admission);
    assert_true(admission_reserve(admission, CLIENT, 60));
    assert_false(admission_has_room(admission, CLIENT, 1));
    assert_false(admission_reserve(admission, CLIENT, 1));
    assert_true(admission_has_room(admission, other, 40));
    assert_false(admission_has_room(admission, other, 41));
    assert_true(admission_reserve(admission, other, 40));
    admission_leave(admission, CLIENT, 60);
    assert_true(admission_has_room(admission, CLIENT, 60));
    admission_leave(admission, other, 40);
    assert_int_equal(admission_bytes(admission), 0);
    admission_destroy(admission);
}

static void early_access_is_ten_a_minute_an_address(void **state)
{
    (void)state;
    struct admission *admission = admission_create(&LIMITS, 1);
    struct address one = {{1}};
    struct address other = {{0, 2}};
    for (int i = 0; i < 10; i++)
        assert_int_equal(admission_wait_s(admission, ADMISSION_EARLY_ACCESS, one, 1000000), 0);
    assert_int_equal(admission_wait_s(admission, ADMISSION_EARLY_ACCESS, one, 1000000), 6);
    assert_int_equal(admission_wait_s(admission, ADMISSION_EARLY_ACCESS, other, 1000000), 0);
    assert_int_equal(admission_wait_s(admission, ADMISSION_EARLY_ACCESS, one, 7000000), 0);
    admission_destroy(admission);
}

static void no_rate_means_no_limit_until_one_is_set(void **state)
{
    (void)state;
    struct admission *admission = admission_create(&LIMITS, 1);
    struct admission_limits limits = LIMITS;
    struct address one = {{1}};
    for (int i = 0; i < 10000; i++)
        assert_int_equal(admission_wait_s(admission, ADMISSION_ANY, one, 1000000), 0);
    limits.rate_per_address = 2;
    admission_set_limits(admission, &limits);
    assert_int_equal(admission_wait_s(admission, ADMISSION_ANY, one, 1000000), 0);
    assert_int_equal(admission_wait_s(admission, ADMISSION_ANY, one, 1000000), 0);
    assert_int_equal(admission_wait_s(admission, ADMISSION_ANY, one, 1000000), 1);
    admission_destroy(admission);
}

static void a_drain_is_for_good(void **state)
{
    (void)state;
    struct admission *admission = admission_create(&LIMITS, 1);
    assert_false(admission_is_draining(admission));
    admission_drain(admission);
    assert_true(admission_is_draining(admission));
    admission_destroy(admission);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_bounded_and_come_back),
        cmocka_unit_test(one_address_holds_its_share),
        cmocka_unit_test(early_access_is_ten_a_minute_an_address),
        cmocka_unit_test(no_rate_means_no_limit_until_one_is_set),
        cmocka_unit_test(a_drain_is_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
