/* What of a cloud's names is an agent's: exactly those that recipes give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/repair/sight.h"

#define ID "3f0e1a34-52a5-4c7f-9d1e-6a51c1d0a001"

static void names_of_agents_are_told_from_others(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_server, is_device;
    } rows[] = {
        {"agent-" ID, true, true},
        {"agent-" ID "-1", false, true}, /* Tailscale tells namesakes apart so */
        {"agent-" ID "-12", false, true},
        {"agent-" ID "-", false, false},
        {"agent-" ID "-x", false, false},
        {"agent-" ID "-1234567890", false, false},
        {"agent-" ID "0", false, false},
        {"Agent-" ID, false, false},
        {"agent-3f0e1a34-52a5-4c7f-9d1e-6a51c1d0a00", false, false},
        {"agent-zf0e1a34-52a5-4c7f-9d1e-6a51c1d0a001", false, false},
        {"agent-", false, false},
        {"", false, false},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        struct sl_str name = sl_str_of(rows[i].name);
        assert_int_equal(!sl_uuid_is_nil(sight_agent_of_name(name, false)), rows[i].is_server);
        assert_int_equal(!sl_uuid_is_nil(sight_agent_of_name(name, true)), rows[i].is_device);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_of_agents_are_told_from_others)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
