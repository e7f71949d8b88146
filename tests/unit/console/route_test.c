/* route_test.c - of console/route.c: which path is which read. */
#include "tests/unit/web/check.h"

#include "console/route.h"

#define ID "0190c0de-0000-7000-8000-0000000000ab"

static void paths_find_their_routes(void **state)
{
    (void)state;
    static const struct {
        const char *path, *name;
        bool has_id;
    } rows[] = {
        {"/api/agents", "agents", false},
        {"/api/agents/" ID, "agent", true},
        {"/api/jobs/" ID, "job", true},
        {"/api/workspaces", "workspaces", false},
        {"/api/workspaces/onboarding", "onboarding", false},
        {"/api/invites", "invites", false},
        {"/api/usage", "usage", false},
        {"/api/events/stream", "stream", false},
        {"/", "page", false},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        struct sl_uuid id;
        const struct route *route = route_find(sl_str_of(rows[i].path), &id);
        if (!route)
            fail_msg("not found: %s", rows[i].path);
        assert_string_equal(route->name, rows[i].name);
        assert_int_equal(!sl_uuid_is_nil(id), rows[i].has_id);
        assert_int_equal(route->kind == ROUTE_READ, route->read != NULL);
        assert_int_equal(route->noun != NULL, rows[i].has_id);
    }
}

static void other_paths_find_none(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "/api",
                                      "/api/",
                                      "/api/agents/",
                                      "/api/agents/x",
                                      "/api/agents/" ID "/",
                                      "/api/agents/" ID "/start",
                                      "/api/agents/" ID "0",
                                      "/api/jobs",
                                      "/API/agents",
                                      "//api/agents",
                                      "/api/events",
                                      "/api/events/stream/",
                                      "/api/agents/{id}"};
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++) {
        struct sl_uuid id;
        if (route_find(sl_str_of(bad[i]), &id))
            fail_msg("found: %s", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_find_their_routes),
        cmocka_unit_test(other_paths_find_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
