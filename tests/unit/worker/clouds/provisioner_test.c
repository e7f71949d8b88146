/* The provisioner: requests as it wants them, replies as it gives them, and bodies that it never gave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/reply.h"
#include "worker/clouds/provisioner.h"

static const struct cloud_account account = {.base_url = "http://p", .token = {.ptr = "key", .len = 3}};
static const struct provisioner_limits limits = {
    .agents = {.ptr = "-1", .len = 2}, .messages_per_day = {.ptr = "1000", .len = 4}, .cpu = {.ptr = "0.5", .len = 3}};

static struct sl_str header(const struct cloud_request *request, const char *name)
{
    for (size_t i = 0; i < request->http.header_count; i++)
        if (strcmp(request->http.headers[i].name, name) == 0)
            return request->http.headers[i].value;
    return SL_STR_NONE;
}

static void requests(void **state)
{
    (void)state;
    struct cloud_request request;
    const struct provisioner_order order = {
        .subscription_id = SL_STR("sub_\"1"), .account_id = SL_STR("u1"), .tier = SL_STR("starter"), .limits = limits};
    cloud_request_init(&request);
    assert_true(provisioner_provision(&account, &order, &request, NULL));
    assert_string_equal(request.http.method, "POST");
    assert_string_equal(request.http.url, "http://p/provision");
    assert_true(sl_str_is(header(&request, "X-API-Key"), "key"));
    assert_true(sl_str_is(header(&request, "Content-Type"), "application/json"));
    assert_true(sl_str_empty(header(&request, "Authorization")));
    assert_string_equal(request.body.data,
                        "{\"subscriptionId\":\"sub_\\\"1\",\"accountId\":\"u1\",\"tier\":\"starter\",\"limits\":{"
                        "\"agents\":-1,\"messagesPerDay\":1000,\"cpu\":0.5}}");
    assert_true(provisioner_update(&account, SL_STR("app-1"), SL_STR_NONE, &limits, &request, NULL));
    assert_string_equal(request.http.method, "PUT");
    assert_string_equal(request.http.url, "http://p/update");
    assert_string_equal(request.body.data,
                        "{\"appName\":\"app-1\",\"limits\":{\"agents\":-1,\"messagesPerDay\":1000,\"cpu\":0.5}}");
    assert_true(provisioner_deprovision(&account, SL_STR("app-1"), &request, NULL));
    assert_string_equal(request.http.method, "DELETE");
    assert_string_equal(request.http.url, "http://p/deprovision");
    assert_string_equal(request.body.data, "{\"appName\":\"app-1\"}");
    assert_true(provisioner_list(&account, &request, NULL));
    assert_string_equal(request.http.url, "http://p/apps");
    assert_int_equal(request.http.body.len, 0);
    cloud_request_deinit(&request);
}

static void a_limit_is_a_number_as_json_spells_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {"0", true},   {"-1", true},  {"10", true},   {"0.25", true},   {"-0.5", true},
        {"01", false}, {".5", false}, {"5.", false},  {"1.2.3", false}, {"1e3", false},
        {"-", false},  {"+1", false}, {"1,2", false}, {" 1", false},    {"123456789012345678901", false},
    };
    struct cloud_request request;
    cloud_request_init(&request);
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        const struct provisioner_limits one = {.cpu = sl_str_of(cases[i].text)};
        struct sl_err err = {0};
        if (provisioner_update(&account, SL_STR("a"), SL_STR_NONE, &one, &request, &err) != cases[i].ok)
            fail_msg("\"%s\" is %s number", cases[i].text, cases[i].ok ? "a" : "no");
    }
    cloud_request_deinit(&request);
}

static void an_app_is_read(void **state)
{
    (void)state;
    struct provisioner_app app;
    struct sl_http_response response = reply_of(
        200, NULL,
        "{\"appName\":\"app-1\",\"subdomain\":\"s\",\"frontendUrl\":\"https://f\",\"backendUrl\":\"https://b\"}");
    assert_true(provisioner_read_app(&response, &app));
    assert_string_equal(app.name, "app-1");
    assert_string_equal(app.frontend_url, "https://f");
    assert_string_equal(app.backend_url, "https://b");
    char long_name[256];
    snprintf(long_name, sizeof(long_name), "{\"appName\":\"%0*d\"}", PROVISIONER_NAME_BYTES, 1);
    const char *const wrong[] = {"", "{}", "[]", "{\"appName\":7}", "{\"appName\":\"\"}", long_name};
    for (size_t i = 0; i < SL_ARRAY_LEN(wrong); i++) {
        response = reply_of(200, NULL, wrong[i]);
        assert_false(provisioner_read_app(&response, &app));
    }
}

static void an_app_is_found_by_its_subscription(void **state)
{
    (void)state;
    char name[PROVISIONER_NAME_BYTES] = "";
    bool found = false;
    struct sl_http_response response =
        reply_of(200, NULL,
                 "{\"apps\":[{\"appName\":\"app-0\",\"subscriptionId\":\"sub_0\"},{},"
                 "{\"appName\":\"app-1\",\"subscriptionId\":\"sub_1\"},{\"subscriptionId\":\"sub_2\"}]}");
    assert_true(provisioner_read_found(&response, SL_STR("sub_1"), &found, name));
    assert_true(found);
    assert_string_equal(name, "app-1");
    assert_true(provisioner_read_found(&response, SL_STR("sub_9"), &found, name));
    assert_false(found);
    assert_false(provisioner_read_found(&response, SL_STR("sub_2"), &found, name));
    response = reply_of(200, NULL, "{\"apps\":{}}");
    assert_false(provisioner_read_found(&response, SL_STR("sub_1"), &found, name));
}

static void an_error_is_read(void **state)
{
    (void)state;
    struct cloud_error error;
    struct cloud_limits said;
    struct sl_http_response response = reply_of(429, "retry-after: 2", "{\"error\":\"Too many requests\"}");
    PROVISIONER.read_error(&response, &error);
    assert_string_equal(error.message, "Too many requests");
    assert_string_equal(error.code, "");
    PROVISIONER.read_limits(&response, 0, &said);
    assert_false(said.known);
    assert_int_equal(said.retry_after_ms, 2000);
    response = reply_of(502, NULL, "<html>");
    PROVISIONER.read_error(&response, &error);
    assert_string_equal(error.message, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),         cmocka_unit_test(a_limit_is_a_number_as_json_spells_it),
        cmocka_unit_test(an_app_is_read),   cmocka_unit_test(an_app_is_found_by_its_subscription),
        cmocka_unit_test(an_error_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
