/* Resend: the request, its limits in seconds from now, its errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/reply.h"
#include "worker/clouds/resend.h"

#define NOW_MS INT64_C(1795255200000)

static const struct cloud_account account = {
    .base_url = "http://e", .token = {.ptr = "re_1", .len = 4}, .from = "Sluice <s@sluice.example>"};

static void an_email_becomes_a_request(void **state)
{
    (void)state;
    const struct resend_email email = {.idempotency_key = SL_STR("job-1"),
                                       .to = SL_STR("ann@user.example"),
                                       .subject = SL_STR("Hi \"Ann\""),
                                       .text = SL_STR("a\nb\n"),
                                       .html = SL_STR("<p>a</p>\n"),
                                       .template = SL_STR("grace_ending")};
    struct cloud_request request;
    cloud_request_init(&request);
    assert_true(resend_send(&account, &email, &request, NULL));
    assert_string_equal(request.http.method, "POST");
    assert_string_equal(request.http.url, "http://e/emails");
    assert_int_equal(request.http.header_count, 3);
    assert_true(sl_str_is(request.http.headers[0].value, "Bearer re_1"));
    assert_string_equal(request.http.headers[2].name, "Idempotency-Key");
    assert_true(sl_str_is(request.http.headers[2].value, "job-1"));
    assert_string_equal(request.body.data,
                        "{\"from\":\"Sluice <s@sluice.example>\",\"to\":[\"ann@user.example\"],"
                        "\"subject\":\"Hi \\\"Ann\\\"\",\"text\":\"a\\nb\\n\",\"html\":\"<p>a</p>\\n\","
                        "\"tags\":[{\"name\":\"template\",\"value\":\"grace_ending\"}]}");
    cloud_request_deinit(&request);
}

static void limits_come_back_after_seconds(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        bool known;
        int64_t remaining, reset_at_ms;
    } cases[] = {
        {"ratelimit-limit: 10\nratelimit-remaining: 4\nratelimit-reset: 2", true, 4, NOW_MS + 2000},
        {"ratelimit-limit: 10\nratelimit-remaining: 0\nratelimit-reset: 0", true, 0, NOW_MS + 1000},
        {"ratelimit-limit: 10\nratelimit-remaining: 4", true, 4, 0},
        {"ratelimit-limit: 10\nratelimit-remaining: 11\nratelimit-reset: 1", false, 0, 0},
        {"ratelimit-limit: 0\nratelimit-remaining: 0", false, 0, 0},
        {NULL, false, 0, 0},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        struct sl_http_response response = reply_of(200, cases[i].headers, "{}");
        struct cloud_limits limits;
        RESEND.read_limits(&response, NOW_MS, &limits);
        assert_int_equal(limits.known, cases[i].known);
        assert_int_equal(limits.reset_at_ms, cases[i].reset_at_ms);
        assert_int_equal(limits.refill_ms, 0);
        if (limits.known)
            assert_int_equal(limits.remaining, cases[i].remaining);
    }
}

static void an_error_has_a_name(void **state)
{
    (void)state;
    struct cloud_error error;
    struct sl_http_response response = reply_of(
        422, NULL, "{\"statusCode\":422,\"name\":\"missing_required_field\",\"message\":\"Missing `to` field.\"}");
    RESEND.read_error(&response, &error);
    assert_string_equal(error.code, "missing_required_field");
    assert_string_equal(error.message, "Missing `to` field.");
    response = reply_of(403, NULL, "error code: 1010");
    RESEND.read_error(&response, &error);
    assert_string_equal(error.code, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_email_becomes_a_request),
        cmocka_unit_test(limits_come_back_after_seconds),
        cmocka_unit_test(an_error_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
