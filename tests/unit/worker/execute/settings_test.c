/* How many connections the settings ask for: never more than the HTTP layer takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/http.h"
#include "worker/execute/settings.h"

static void connections_are_the_sum_up_to_the_limit(void **state)
{
    (void)state;
    struct settings settings = {0};
    settings.clouds[CLOUD_HETZNER].concurrency = 20;
    settings.clouds[CLOUD_GITHUB].concurrency = 10;
    settings.clouds[CLOUD_TAILSCALE].concurrency = 5;
    assert_int_equal(settings_connections_max(&settings), 35);
    settings.clouds[CLOUD_GITHUB].concurrency = SL_HTTP_CALLS_MAX;
    assert_int_equal(settings_connections_max(&settings), SL_HTTP_CALLS_MAX);
    settings.clouds[CLOUD_TAILSCALE].concurrency = INT32_MAX;
    assert_int_equal(settings_connections_max(&settings), SL_HTTP_CALLS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_the_sum_up_to_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
