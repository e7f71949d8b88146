/* GitHub: requests as the API wants them, replies as it gives them, and bodies that no API documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/reply.h"
#include "worker/clouds/github.h"

#define NOW_MS INT64_C(1795255200000)

static const struct cloud_account account = {.base_url = "http://g",
                                             .token = {.ptr = "pat", .len = 3},
                                             .owner = "o",
                                             .repo = "r",
                                             .workflow = "provision-agent.yml",
                                             .ref = "main",
                                             .api_version = "2022-11-28",
                                             .app_url = "https://app"};

static struct sl_str header_of(const struct cloud_request *request, const char *name)
{
    for (size_t i = 0; i < request->http.header_count; i++)
        if (strcmp(request->http.headers[i].name, name) == 0)
            return request->http.headers[i].value;
    return SL_STR_NONE;
}

static void a_dispatch_has_its_headers_and_its_body(void **state)
{
    (void)state;
    const struct github_dispatch dispatch = {
        .job_id = SL_STR("j"), .agent_id = SL_STR("a"), .region = SL_STR("us-east"), .user_id = SL_STR("u\"1|x y")};
    struct cloud_request request;
    cloud_request_init(&request);
    assert_true(github_dispatch_workflow(&account, &dispatch, &request, NULL));
    assert_string_equal(request.http.url, "http://g/repos/o/r/actions/workflows/provision-agent.yml/dispatches");
    assert_string_equal(request.http.method, "POST");
    assert_true(sl_str_is(header_of(&request, "Accept"), "application/vnd.github+json"));
    assert_true(sl_str_is(header_of(&request, "Authorization"), "Bearer pat"));
    assert_true(sl_str_is(header_of(&request, "X-GitHub-Api-Version"), "2022-11-28"));
    assert_true(sl_str_is(header_of(&request, "Content-Type"), "application/json"));
    assert_true(sl_str_is(request.http.body,
                          "{\"ref\":\"main\",\"inputs\":{\"job_id\":\"j\",\"agent_id\":\"a\",\"region\":\"us-east\","
                          "\"callback_url\":\"https://app/api/webhooks/github?user=u%221%7Cx%20y\"},"
                          "\"return_run_details\":true}"));
    cloud_request_deinit(&request);
}

static void details_are_not_asked_for_where_they_are_refused_or_always_given(void **state)
{
    (void)state;
    struct github_dispatch dispatch = {.job_id = SL_STR("j"), .user_id = SL_STR("u"), .without_details = true};
    struct cloud_request request;
    cloud_request_init(&request);
    assert_true(github_dispatch_workflow(&account, &dispatch, &request, NULL));
    assert_null(strstr(request.http.body.ptr, "return_run_details"));
    struct cloud_account newer = account;
    newer.api_version = "2026-03-10";
    dispatch.without_details = false;
    assert_true(github_dispatch_workflow(&newer, &dispatch, &request, NULL));
    assert_null(strstr(request.http.body.ptr, "return_run_details"));
    cloud_request_deinit(&request);
}

static void other_requests(void **state)
{
    (void)state;
    struct cloud_request request;
    cloud_request_init(&request);
    assert_true(github_list_runs(&account, NOW_MS + 999, 2, &request, NULL));
    assert_string_equal(request.http.url,
                        "http://g/repos/o/r/actions/workflows/provision-agent.yml/runs?event=workflow_dispatch"
                        "&created=%3E%3D2026-11-21T10%3A00%3A00Z&per_page=100&page=2");
    assert_true(github_get_run(&account, SL_STR("16000000001"), &request, NULL));
    assert_string_equal(request.http.url, "http://g/repos/o/r/actions/runs/16000000001");
    assert_true(github_cancel_run(&account, SL_STR("1"), &request, NULL));
    assert_string_equal(request.http.url, "http://g/repos/o/r/actions/runs/1/cancel");
    assert_string_equal(request.http.method, "POST");
    assert_false(github_cancel_run(&account, SL_STR("1/force-cancel"), &request, NULL));
    cloud_request_deinit(&request);
}

static void a_dispatched_run_may_be_told(void **state)
{
    (void)state;
    char run_id[GITHUB_ID_BYTES];
    struct sl_http_response told = reply_of(200, NULL, "{\"workflow_run_id\":16000000001,\"run_url\":\"x\"}");
    github_read_dispatched(&told, run_id);
    assert_string_equal(run_id, "16000000001");
    struct sl_http_response untold = reply_of(204, NULL, "");
    github_read_dispatched(&untold, run_id);
    assert_string_equal(run_id, "");
    struct sl_http_response odd = reply_of(200, NULL, "{\"workflow_run_id\":{}}");
    github_read_dispatched(&odd, run_id);
    assert_string_equal(run_id, "");
}

static void the_run_still_at_work_is_found_before_one_that_ended(void **state)
{
    (void)state;
    struct sl_http_response response =
        reply_of(200, NULL,
                 "{\"total_count\":3,\"workflow_runs\":["
                 "{\"id\":3,\"display_title\":\"sluice other\",\"status\":\"queued\"},"
                 "{\"id\":2,\"display_title\":\"sluice j\",\"status\":\"completed\",\"conclusion\":\"failure\"},"
                 "{\"id\":1,\"display_title\":\"sluice j\",\"status\":\"in_progress\",\"conclusion\":null,"
                 "\"created_at\":\"2026-11-21T10:00:00Z\"}]}");
    bool found = false;
    bool more = true;
    struct github_run run;
    assert_true(github_read_found(&response, SL_STR("sluice j"), &found, &run, &more));
    assert_true(found);
    assert_false(more);
    assert_string_equal(run.id, "1");
    assert_false(run.completed);
    assert_int_equal(run.created_at_ms, NOW_MS);
    assert_true(github_read_found(&response, SL_STR("sluice"), &found, &run, &more));
    assert_false(found);
}

static void bodies_that_are_no_replies_are_refused(void **state)
{
    (void)state;
    static const char *const nasty[] = {"",
                                        "null",
                                        "[]",
                                        "{}",
                                        "{\"workflow_runs\":{}}",
                                        "<html>Unicorn!</html>",
                                        "{\"id\":1}",
                                        "{\"id\":-1,\"status\":\"queued\"}",
                                        "{\"workflow_runs\":[{\"display_title\":\"sluice j\",\"id\":null}]}"};
    for (size_t i = 0; i < SL_ARRAY_LEN(nasty); i++) {
        struct sl_http_response response = reply_of(200, NULL, nasty[i]);
        struct github_run run;
        bool found = false;
        bool more = false;
        assert_false(github_read_found(&response, SL_STR("sluice j"), &found, &run, &more));
        assert_false(github_read_run(&response, &run));
    }
}

static void limits_are_a_window(void **state)
{
    (void)state;
    struct cloud_limits limits;
    struct sl_http_response response = reply_of(
        403, "x-ratelimit-limit: 5000\nx-ratelimit-remaining: 0\nx-ratelimit-reset: 1795255260\nretry-after: 3", "");
    GITHUB.read_limits(&response, NOW_MS, &limits);
    assert_true(limits.known);
    assert_int_equal(limits.remaining, 0);
    assert_int_equal(limits.reset_at_ms, NOW_MS + 60000);
    assert_int_equal(limits.refill_ms, 0);
    assert_int_equal(limits.retry_after_ms, 3000);
    struct sl_http_response far =
        reply_of(403, "x-ratelimit-limit: 5000\nx-ratelimit-remaining: 0\nx-ratelimit-reset: 4102444800", "");
    GITHUB.read_limits(&far, NOW_MS, &limits);
    assert_true(limits.known);
    assert_int_equal(limits.reset_at_ms, 0); /* not before 2100: it is as good as not said */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dispatch_has_its_headers_and_its_body),
        cmocka_unit_test(details_are_not_asked_for_where_they_are_refused_or_always_given),
        cmocka_unit_test(other_requests),
        cmocka_unit_test(a_dispatched_run_may_be_told),
        cmocka_unit_test(the_run_still_at_work_is_found_before_one_that_ended),
        cmocka_unit_test(bodies_that_are_no_replies_are_refused),
        cmocka_unit_test(limits_are_a_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
