/* source_test.c - of ingress/source.c: every path finds its way. */
#include "tests/unit/web/check.h"

#include "ingress/source.h"

#define ID "3f0e1a34-52a5-4c7f-9d1e-6a51c1d0a001"

static const struct {
    const char *method, *path;
    bool github_event;
    enum source_match match;
    enum source_id source;
    const char *expected; /* FOUND: the command's type, or ""; NO_METHOD: Allow */
} ROWS[] = {
    {"POST", "/webhooks/stripe", false, SOURCE_FOUND, SOURCE_STRIPE, ""},
    {"POST", "/api/webhooks/stripe", false, SOURCE_FOUND, SOURCE_STRIPE, ""},
    {"POST", "/api/stripe/webhook", false, SOURCE_FOUND, SOURCE_STRIPE, ""},
    {"POST", "/api/billing/stripe/webhook", false, SOURCE_FOUND, SOURCE_STRIPE, ""},
    {"POST", "/webhooks/github", true, SOURCE_FOUND, SOURCE_GITHUB, ""},
    {"POST", "/api/webhooks/github", true, SOURCE_FOUND, SOURCE_GITHUB, ""},
    {"POST", "/webhooks/github", false, SOURCE_FOUND, SOURCE_CALLBACK, ""},
    {"POST", "/api/webhooks/github", false, SOURCE_FOUND, SOURCE_CALLBACK, ""},
    {"POST", "/webhooks/dashboard", false, SOURCE_FOUND, SOURCE_DASHBOARD, ""},
    {"GET", "/webhooks/stripe", false, SOURCE_NO_METHOD, 0, "POST"},
    {"POST", "/webhooks/stripe/", false, SOURCE_NO_PATH, 0, ""},
    {"POST", "/webhooks", false, SOURCE_NO_PATH, 0, ""},
    {"POST", "/", false, SOURCE_NO_PATH, 0, ""},
    {"POST", "", false, SOURCE_NO_PATH, 0, ""},
    {"POST", "/api/agents", false, SOURCE_FOUND, SOURCE_API, "agent.create"},
    {"POST", "/api/agents/", false, SOURCE_NO_PATH, 0, ""},
    {"GET", "/api/agents", false, SOURCE_NO_METHOD, 0, "POST"},
    {"POST", "/api/agents/" ID "/stop", false, SOURCE_FOUND, SOURCE_API, "agent.stop"},
    {"POST", "/api/agents//stop", false, SOURCE_NO_PATH, 0, ""},
    {"POST", "/api/agents/" ID "/fly", false, SOURCE_NO_PATH, 0, ""},
    {"POST", "/api/agents/" ID "/stop/now", false, SOURCE_NO_PATH, 0, ""},
    {"POST", "/api/jobs/" ID "/retry", false, SOURCE_FOUND, SOURCE_API, "job.retry"},
    {"POST", "/api/checkout", false, SOURCE_FOUND, SOURCE_API, "checkout.start"},
    {"POST", "/api/workspaces/plan", false, SOURCE_FOUND, SOURCE_API, "workspace.plan_change"},
    {"POST", "/api/workspaces/billing/subscription/resume", false, SOURCE_FOUND, SOURCE_API, "subscription.resume"},
    {"POST", "/api/workspaces/" ID "/invites", false, SOURCE_FOUND, SOURCE_API, "workspace.invite"},
    {"POST", "/api/invites/tok/accept", false, SOURCE_FOUND, SOURCE_API, "invite.accept"},
    {"POST", "/api/workspaces/" ID "/connections/c1", false, SOURCE_FOUND, SOURCE_API, "connection.share"},
    {"DELETE", "/api/workspaces/" ID "/connections/c1", false, SOURCE_FOUND, SOURCE_API, "connection.unshare"},
    {"PUT", "/api/workspaces/" ID "/connections/c1", false, SOURCE_NO_METHOD, 0, "POST, DELETE"},
    {"POST", "/api/early-access", false, SOURCE_FOUND, SOURCE_EARLY_ACCESS, "early_access.join"},
    {"POST", "/api/admin/purge-stale-runs", false, SOURCE_FOUND, SOURCE_API, "admin.purge_stale_runs"},
};

static void every_path_finds_its_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        struct route route = {.source = NULL};
        char allow[SOURCE_ALLOW_BYTES] = "";
        enum source_match match =
            source_match(sl_str_of(ROWS[i].path), sl_str_of(ROWS[i].method), ROWS[i].github_event, &route, allow);
        if (match != ROWS[i].match)
            fail_msg("row %zu: %s %s", i, ROWS[i].method, ROWS[i].path);
        if (match == SOURCE_FOUND) {
            assert_ptr_equal(route.source, source_at(ROWS[i].source));
            assert_string_equal(route.command ? route.command->type : "", ROWS[i].expected);
        } else {
            assert_string_equal(allow, ROWS[i].expected);
        }
    }
}

static void parameters_are_named_as_the_fields(void **state)
{
    (void)state;
    struct route route;
    char allow[SOURCE_ALLOW_BYTES];
    assert_int_equal(
        source_match(SL_STR("/api/workspaces/" ID "/connections/c1"), SL_STR("DELETE"), false, &route, allow),
        SOURCE_FOUND);
    assert_int_equal(route.param_count, 2);
    assert_string_equal(route.params[0].name, "workspace_id");
    assert_str(route.params[0].value, ID);
    assert_string_equal(route.params[1].name, "connection_id");
    assert_str(route.params[1].value, "c1");
}

static void sources_are_complete(void **state)
{
    (void)state;
    for (enum source_id id = 0; id < SOURCE_COUNT; id++) {
        const struct source *source = source_at(id);
        assert_int_equal(source->id, id);
        assert_non_null(source->name);
        assert_non_null(source->ce_source);
        assert_non_null(source->read);
        assert_int_equal(source->verify != NULL, source->section != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_finds_its_way),
        cmocka_unit_test(parameters_are_named_as_the_fields),
        cmocka_unit_test(sources_are_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
