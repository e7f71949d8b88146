/* Requests in the making, Retry-After, and ids that may stand in a path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/reply.h"
#include "worker/clouds/cloud.h"

#define NOW_MS INT64_C(1795255200000) /* 2026-11-21T10:00:00Z */

static const struct cloud_account account = {.base_url = "http://127.0.0.1:1",
                                             .token = {.ptr = "secret", .len = 6},
                                             .timeout_ms = 3000,
                                             .connect_timeout_ms = 500};

static void a_request_carries_method_url_token_and_deadlines(void **state)
{
    (void)state;
    struct cloud_request request;
    cloud_request_init(&request);
    assert_true(cloud_request_start(&request, &account, "GET", NULL, "/a/%d?n=", 7));
    cloud_request_encoded(&request, SL_STR("a b&c/\xc3\xa4~"));
    assert_true(cloud_request_finish(&request, NULL));
    assert_string_equal(request.http.url, "http://127.0.0.1:1/a/7?n=a%20b%26c%2F%C3%A4~");
    assert_string_equal(request.http.url + request.path_at, "/a/7?n=a%20b%26c%2F%C3%A4~");
    assert_string_equal(request.http.method, "GET");
    assert_int_equal(request.http.timeout_ms, 3000);
    assert_int_equal(request.http.connect_timeout_ms, 500);
    assert_int_equal(request.http.header_count, 1);
    assert_true(sl_str_is(request.http.headers[0].value, "Bearer secret"));
    cloud_request_deinit(&request);
    cloud_request_deinit(&request);
}

static void a_url_that_is_too_long_is_an_error(void **state)
{
    (void)state;
    struct cloud_request request;
    struct sl_err err = {0};
    char text[CLOUD_URL_BYTES_MAX];
    memset(text, '&', sizeof(text));
    cloud_request_init(&request);
    assert_true(cloud_request_start(&request, &account, "GET", &err, "/"));
    cloud_request_encoded(&request, (struct sl_str){.ptr = text, .len = sizeof(text)});
    assert_false(cloud_request_finish(&request, &err));
    assert_int_equal(err.error_class, SL_ERR_PERMANENT);
    cloud_request_deinit(&request);
}

static void an_id_may_hold_nothing_that_changes_a_path(void **state)
{
    (void)state;
    assert_true(cloud_id_is_safe(SL_STR("42"), 20, true));
    assert_true(cloud_id_is_safe(SL_STR("n5SUKe8CNTRL"), 20, false));
    assert_false(cloud_id_is_safe(SL_STR("n5SUKe8CNTRL"), 20, true));
    assert_false(cloud_id_is_safe(SL_STR(""), 20, false));
    assert_false(cloud_id_is_safe(SL_STR("1/actions"), 20, false));
    assert_false(cloud_id_is_safe(SL_STR("1?x"), 20, false));
    assert_false(cloud_id_is_safe(SL_STR(".."), 20, false));
    assert_false(cloud_id_is_safe(SL_STR("123456"), 5, true));
}

static void retry_after_is_seconds_or_a_date(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        int64_t expected_ms;
    } cases[] = {
        {NULL, -1},
        {"retry-after: 0", 0},
        {"retry-after: 7", 7000},
        {"retry-after:  7 ", 7000},
        {"retry-after: 99999999999", INT64_C(24) * 3600 * 1000},
        {"retry-after: -1", -1},
        {"retry-after: soon", -1},
        {"retry-after: Sat, 21 Nov 2026 10:00:09 GMT", 9000},
        {"retry-after: Sat, 21 Nov 2026 09:00:00 GMT", 0},
        {"retry-after: Sat, 21 Nov 2026 10:00:09 GMT tomorrow", -1},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        struct sl_http_response response = reply_of(429, cases[i].headers, "");
        assert_int_equal(cloud_retry_after_ms(&response, NOW_MS), cases[i].expected_ms);
    }
}

static void copied_text_is_cut_at_a_character(void **state)
{
    (void)state;
    char text[5];
    cloud_copy(text, sizeof(text), SL_STR("abc\xc3\xa4"));
    assert_string_equal(text, "abc");
    cloud_copy(text, sizeof(text), SL_STR("a\n\tb"));
    assert_string_equal(text, "a  b");
    cloud_copy(text, sizeof(text), SL_STR_NONE);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_carries_method_url_token_and_deadlines),
        cmocka_unit_test(a_url_that_is_too_long_is_an_error),
        cmocka_unit_test(an_id_may_hold_nothing_that_changes_a_path),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
        cmocka_unit_test(copied_text_is_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
