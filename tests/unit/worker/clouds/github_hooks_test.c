/* GitHub's webhook: its deliveries page by page, by a cursor that nobody understands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/clouds/github.h"

#define DELIVERY                                                                                                       \
    "{\"id\":10000000001,\"guid\":\"g-1\",\"delivered_at\":\"2026-11-21T10:00:00Z\",\"redelivery\":false,"             \
    "\"duration\":0.1,\"status\":\"timed "                                                                             \
    "out\",\"status_code\":504,\"event\":\"workflow_run\",\"action\":\"completed\"}"

static const struct cloud_account account = {
    .base_url = "http://g", .token = {.ptr = "pat", .len = 3}, .owner = "o", .repo = "r", .api_version = "2022-11-28"};

static void requests(void **state)
{
    (void)state;
    struct cloud_request request;
    cloud_request_init(&request);
    assert_true(github_list_hooks(&account, &request, NULL));
    assert_string_equal(request.http.url, "http://g/repos/o/r/hooks?per_page=100");
    assert_true(github_list_deliveries(&account, SL_STR("42"), "failure", "", &request, NULL));
    assert_string_equal(request.http.url, "http://g/repos/o/r/hooks/42/deliveries?per_page=100&status=failure");
    assert_true(github_list_deliveries(&account, SL_STR("42"), NULL, "v1_a%3D", &request, NULL));
    assert_string_equal(request.http.url, "http://g/repos/o/r/hooks/42/deliveries?per_page=100&cursor=v1_a%3D");
    assert_true(github_redeliver(&account, SL_STR("42"), SL_STR("7"), &request, NULL));
    assert_string_equal(request.http.url, "http://g/repos/o/r/hooks/42/deliveries/7/attempts");
    assert_string_equal(request.http.method, "POST");
    assert_false(github_redeliver(&account, SL_STR("42"), SL_STR("../7"), &request, NULL));
    assert_false(github_list_deliveries(&account, SL_STR("x"), NULL, "", &request, NULL));
    cloud_request_deinit(&request);
}

static void keep(void *arg, const struct github_delivery *delivery)
{
    *(struct github_delivery *)arg = *delivery;
}

static bool page(const char *link, const char *body, struct github_delivery *ret_delivery,
                 char ret_cursor[GITHUB_CURSOR_BYTES])
{
    struct sl_http_response response = {.end = SL_HTTP_ANSWERED, .status = 200, .body = sl_str_of(body)};
    if (link)
        response.headers[response.header_count++] = (struct sl_http_header){"link", sl_str_of(link)};
    return github_read_deliveries(&response, keep, ret_delivery, ret_cursor);
}

static void deliveries_are_read_and_the_next_page_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *link, *cursor; /* NULL: it is no page */
    } rows[] = {
        {NULL, ""},
        {"<https://g/d?cursor=v1_5>; rel=\"prev\"", ""},
        {"<https://g/d?per_page=100&cursor=v1_5>; rel=\"next\"", "v1_5"},
        {"<https://g/d?cursor=v1_5&per_page=1>; rel=\"prev\", <https://g/d?cursor=v1_%3D6>; rel=\"next\"", "v1_%3D6"},
        {"<https://g/d?page=2>; rel=\"next\"", NULL},
        {"<https://g/d?cursor=a b>; rel=\"next\"", NULL},
        {"<https://g/d?cursor=>; rel=\"next\"", NULL},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        struct github_delivery delivery = {.status_code = 0};
        char cursor[GITHUB_CURSOR_BYTES] = "?";
        bool read = page(rows[i].link, "[" DELIVERY "]", &delivery, cursor);
        assert_int_equal(read, rows[i].cursor != NULL);
        if (!read)
            continue;
        assert_string_equal(cursor, rows[i].cursor);
        assert_string_equal(delivery.id, "10000000001");
        assert_string_equal(delivery.guid, "g-1");
        assert_int_equal(delivery.status_code, 504);
        assert_int_equal(delivery.delivered_at_ms, INT64_C(1795255200000));
    }
}

static void bodies_that_are_no_pages_are_refused(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{}",           "[1]",
        "[{\"id\":1}]", "[{\"id\":\"x\",\"guid\":\"g\"}]",
        "<html>",       "[{\"id\":1,\"guid\":\"\",\"delivered_at\":\"2026-11-21T10:00:00Z\"}]"};
    for (size_t i = 0; i < SL_ARRAY_LEN(bodies); i++) {
        struct github_delivery delivery;
        char cursor[GITHUB_CURSOR_BYTES];
        assert_false(page(NULL, bodies[i], &delivery, cursor));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(deliveries_are_read_and_the_next_page_is_told),
        cmocka_unit_test(bodies_that_are_no_pages_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
