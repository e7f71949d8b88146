/* Hetzner: requests as the API wants them, replies as it gives them, and bodies that no API documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/reply.h"
#include "worker/clouds/hetzner.h"

#define NOW_MS INT64_C(1795255200000)

static const struct cloud_account account = {.base_url = "http://h/v1", .token = {.ptr = "t", .len = 1}};

static const char *const nasty[] = {
    "",
    "null",
    "[]",
    "{}",
    "{\"server\":[]}",
    "{\"server\":{\"id\":\"x/../1\",\"status\":\"off\"}}",
    "{\"server\":{\"id\":42}}",
    "{\"server\":{\"id\":42,\"status\":7}}",
    "{\"server\":",
    "{\"action\":{\"id\":7}}",
    "{\"action\":{\"status\":\"running\"}}",
    "{\"action\":{\"id\":7,\"status\":\"odd\"}}",
    "{\"servers\":{}}",
    "{\"servers\":[{\"id\":null}]}",
    "<html><body><h1>502 Bad Gateway</h1></body></html>",
};

static void requests(void **state)
{
    (void)state;
    struct cloud_request request;
    cloud_request_init(&request);
    assert_true(hetzner_get_server(&account, SL_STR("42"), &request, NULL));
    assert_string_equal(request.http.url, "http://h/v1/servers/42");
    assert_true(hetzner_find_server(&account, SL_STR("agent-1"), &request, NULL));
    assert_string_equal(request.http.url, "http://h/v1/servers?name=agent-1");
    assert_true(hetzner_change_power(&account, SL_STR("42"), HETZNER_SHUTDOWN, &request, NULL));
    assert_string_equal(request.http.url, "http://h/v1/servers/42/actions/shutdown");
    assert_string_equal(request.http.method, "POST");
    assert_int_equal(request.http.body.len, 0);
    assert_true(hetzner_delete_server(&account, SL_STR("42"), &request, NULL));
    assert_string_equal(request.http.method, "DELETE");
    assert_true(hetzner_get_action(&account, SL_STR("7"), &request, NULL));
    assert_string_equal(request.http.url, "http://h/v1/actions/7");
    cloud_request_deinit(&request);
}

static void an_id_that_is_none_is_never_sent(void **state)
{
    (void)state;
    static const char *const ids[] = {"", "42/actions/poweroff", "4 2", "agent", "123456789012345678901234"};
    struct cloud_request request;
    cloud_request_init(&request);
    for (size_t i = 0; i < SL_ARRAY_LEN(ids); i++) {
        struct sl_err err = {0};
        assert_false(hetzner_delete_server(&account, sl_str_of(ids[i]), &request, &err));
        assert_int_equal(err.error_class, SL_ERR_PERMANENT);
        assert_false(hetzner_get_action(&account, sl_str_of(ids[i]), &request, &err));
    }
    cloud_request_deinit(&request);
}

static void a_server_is_read(void **state)
{
    (void)state;
    struct sl_http_response response =
        reply_of(200, NULL,
                 "{\"server\":{\"id\":42,\"name\":\"agent-1\",\"status\":\"off\",\"locked\":true,\"new_field\":[1,{}],"
                 "\"public_net\":{\"ipv4\":{\"ip\":\"198.18.0.1\"},\"ipv6\":null},"
                 "\"labels\":{\"sluice-agent\":\"1\",\"sluice-job\":\"2\"}}}");
    struct hetzner_server server;
    assert_true(hetzner_read_server(&response, &server));
    assert_string_equal(server.id, "42");
    assert_string_equal(server.name, "agent-1");
    assert_int_equal(server.status, HETZNER_OFF);
    assert_true(server.locked);
    assert_string_equal(server.ipv4, "198.18.0.1");
    assert_string_equal(server.agent_label, "1");
    assert_string_equal(server.job_label, "2");
}

static void a_server_without_address_or_of_new_status_is_read(void **state)
{
    (void)state;
    struct sl_http_response response =
        reply_of(200, NULL, "{\"server\":{\"id\":42,\"status\":\"hibernating\",\"public_net\":{\"ipv4\":null}}}");
    struct hetzner_server server;
    assert_true(hetzner_read_server(&response, &server));
    assert_int_equal(server.status, HETZNER_UNKNOWN);
    assert_string_equal(server.ipv4, "");
    assert_false(server.locked);
}

static void a_list_by_name_has_one_or_none(void **state)
{
    (void)state;
    bool found = true;
    struct hetzner_server server = {.id = "unread"};
    struct sl_http_response none = reply_of(200, NULL, "{\"servers\":[],\"meta\":{}}");
    assert_true(hetzner_read_found(&none, &found, &server));
    assert_false(found);
    struct sl_http_response one = reply_of(200, NULL, "{\"servers\":[{\"id\":9,\"status\":\"running\"}]}");
    assert_true(hetzner_read_found(&one, &found, &server));
    assert_true(found);
    assert_string_equal(server.id, "9");
}

static void an_action_is_read_with_its_error(void **state)
{
    (void)state;
    struct hetzner_action action;
    struct sl_http_response running =
        reply_of(201, NULL, "{\"action\":{\"id\":7,\"status\":\"running\",\"error\":null}}");
    assert_true(hetzner_read_action(&running, &action));
    assert_int_equal(action.status, HETZNER_ACTION_RUNNING);
    struct sl_http_response failed = reply_of(200, NULL,
                                              "{\"action\":{\"id\":7,\"status\":\"error\",\"error\":{\"code\":\"action_"
                                              "failed\",\"message\":\"Action failed\"}}}");
    assert_true(hetzner_read_action(&failed, &action));
    assert_int_equal(action.status, HETZNER_ACTION_ERROR);
    assert_string_equal(action.error.code, "action_failed");
}

static void bodies_that_are_no_replies_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(nasty); i++) {
        struct sl_http_response response = reply_of(200, NULL, nasty[i]);
        struct hetzner_server server;
        struct hetzner_action action;
        struct cloud_error error;
        bool found = false;
        assert_false(hetzner_read_server(&response, &server));
        assert_false(hetzner_read_found(&response, &found, &server));
        assert_false(hetzner_read_action(&response, &action));
        HETZNER.read_error(&response, &error);
        assert_string_equal(error.code, "");
    }
}

static void limits_are_a_token_bucket(void **state)
{
    (void)state;
    struct cloud_limits limits;
    struct sl_http_response half =
        reply_of(200, "ratelimit-limit: 3600\nratelimit-remaining: 1800\nratelimit-reset: 1795257000", "");
    HETZNER.read_limits(&half, NOW_MS, &limits);
    assert_true(limits.known);
    assert_int_equal(limits.remaining, 1800);
    assert_int_equal(limits.refill_ms, 1000);
    assert_int_equal(limits.retry_after_ms, -1);
    struct sl_http_response odd =
        reply_of(200, "ratelimit-limit: many\nratelimit-remaining: 1\nratelimit-reset: 1", "");
    HETZNER.read_limits(&odd, NOW_MS, &limits);
    assert_false(limits.known);
    struct sl_http_response far =
        reply_of(200, "ratelimit-limit: 3600\nratelimit-remaining: 3599\nratelimit-reset: 4102444800", "");
    HETZNER.read_limits(&far, NOW_MS, &limits);
    assert_true(limits.known);
    assert_int_equal(limits.reset_at_ms, 0); /* not before 2100: it is as good as not said */
    assert_int_equal(limits.refill_ms, 0);
    struct sl_http_response none = reply_of(200, NULL, "");
    HETZNER.read_limits(&none, NOW_MS, &limits);
    assert_false(limits.known);
}

static void a_server_to_be_made(void **state)
{
    (void)state;
    static char user_data[HETZNER_USER_DATA_BYTES_MAX + 1];
    struct hetzner_new_server server = {.name = SL_STR("agent-1"),
                                        .server_type = SL_STR("cpx11"),
                                        .image = SL_STR("ubuntu-24.04"),
                                        .location = SL_STR("ash"),
                                        .user_data = SL_STR("#cloud-config\n"),
                                        .agent_label = SL_STR("a"),
                                        .job_label = SL_STR("j"),
                                        .generation_label = SL_STR("0")};
    struct cloud_request request;
    struct sl_err err = {0};
    cloud_request_init(&request);
    assert_true(hetzner_create_server(&account, &server, &request, NULL));
    assert_string_equal(request.http.method, "POST");
    assert_string_equal(request.http.url + request.path_at, "/servers");
    assert_string_equal(
        request.body.data,
        "{\"name\":\"agent-1\",\"server_type\":\"cpx11\",\"image\":\"ubuntu-24.04\",\"location\":\"ash\","
        "\"start_after_create\":true,\"user_data\":\"#cloud-config\\n\",\"labels\":{\"sluice-agent\":\"a\","
        "\"sluice-job\":\"j\",\"sluice-generation\":\"0\"}}");
    memset(user_data, 'x', sizeof(user_data));
    server.user_data = (struct sl_str){.ptr = user_data, .len = sizeof(user_data)};
    assert_false(hetzner_create_server(&account, &server, &request, &err));
    assert_int_equal(err.error_class, SL_ERR_PERMANENT);
    cloud_request_deinit(&request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_to_be_made),
        cmocka_unit_test(requests),
        cmocka_unit_test(an_id_that_is_none_is_never_sent),
        cmocka_unit_test(a_server_is_read),
        cmocka_unit_test(a_server_without_address_or_of_new_status_is_read),
        cmocka_unit_test(a_list_by_name_has_one_or_none),
        cmocka_unit_test(an_action_is_read_with_its_error),
        cmocka_unit_test(bodies_that_are_no_replies_are_refused),
        cmocka_unit_test(limits_are_a_token_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
