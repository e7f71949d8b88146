/* Microsoft Graph: its lists, page after page, and links that would lead a token elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"
#include "tests/support/reply.h"
#include "worker/clouds/graph.h"

static const struct cloud_account account = {.base_url = "https://g.example", .token = {.ptr = "tok", .len = 3}};

static void requests(void **state)
{
    (void)state;
    struct cloud_request request;
    cloud_request_init(&request);
    assert_true(graph_list_teams(&account, &request, NULL));
    assert_string_equal(request.http.url, "https://g.example/v1.0/me/joinedTeams");
    assert_true(sl_str_is(request.http.headers[0].value, "Bearer tok"));
    assert_true(graph_list_channels(&account, SL_STR("a-1/../x?y"), &request, NULL));
    assert_string_equal(request.http.url, "https://g.example/v1.0/teams/a-1%2F..%2Fx%3Fy/channels");
    assert_false(graph_list_channels(&account, SL_STR(".."), &request, NULL));
    assert_false(graph_list_channels(&account, SL_STR_NONE, &request, NULL));
    assert_true(graph_next_page(&account, SL_STR("/v1.0/me/joinedTeams?$skiptoken=a%2Fb"), &request, NULL));
    assert_string_equal(request.http.url, "https://g.example/v1.0/me/joinedTeams?$skiptoken=a%2Fb");
    cloud_request_deinit(&request);
}

static void a_request_that_is_forgotten_holds_no_token(void **state)
{
    (void)state;
    struct cloud_request request;
    cloud_request_init(&request);
    assert_true(graph_list_teams(&account, &request, NULL));
    const char *authorization = request.authorization.data;
    assert_non_null(strstr(authorization, "tok"));
    cloud_request_forget(&request);
    for (size_t i = 0; i < strlen("Bearer tok"); i++)
        assert_int_equal(authorization[i], 0);
    assert_int_equal(request.http.header_count, 0);
    cloud_request_deinit(&request);
}

static void pages(void **state)
{
    (void)state;
    SL_JSON_AUTO *rows = NULL;
    SL_JSON_AUTO *last = NULL;
    char link[GRAPH_LINK_BYTES] = "?";
    struct sl_http_response first =
        reply_of(200, NULL,
                 "{\"@odata.nextLink\":\"https://g.example/v1.0/me/joinedTeams?$skiptoken=2\","
                 "\"value\":[{\"id\":\"t1\",\"displayName\":\"One\\n\",\"isArchived\":false},{\"id\":\"t2\"}]}");
    assert_true(graph_read_page(&account, &first, &rows, link, NULL));
    assert_string_equal(link, "/v1.0/me/joinedTeams?$skiptoken=2");
    assert_int_equal(json_array_size(rows), 2);
    assert_true(sl_str_is(sl_json_str(rows, "0.name"), "One "));
    assert_true(sl_str_is(sl_json_str(rows, "1.id"), "t2"));
    assert_int_equal(json_object_size(json_array_get(rows, 0)), 2);
    struct sl_http_response end = reply_of(200, NULL, "{\"value\":[]}");
    assert_true(graph_read_page(&account, &end, &last, link, NULL));
    assert_string_equal(link, "");
}

static void a_link_to_anywhere_else_is_not_followed(void **state)
{
    (void)state;
    static const char *const links[] = {"https://evil.example/v1.0/me/joinedTeams",
                                        "https://g.example.evil.example/v1.0/x",
                                        "https://g.example@evil.example/v1.0/x",
                                        "http://g.example/v1.0/x",
                                        "https://g.example:8443/v1.0/x",
                                        "https://g.example/beta/x",
                                        "//g.example/v1.0/x",
                                        "/v1.0/x",
                                        "https://g.example/v1.0/a b",
                                        "https://g.example/v1.0/a#b"};
    for (size_t i = 0; i < SL_ARRAY_LEN(links); i++) {
        char body[256];
        char link[GRAPH_LINK_BYTES] = "kept";
        json_t *rows = NULL;
        struct sl_err err = {0};
        snprintf(body, sizeof(body), "{\"value\":[],\"@odata.nextLink\":\"%s\"}", links[i]);
        struct sl_http_response response = reply_of(200, NULL, body);
        assert_false(graph_read_page(&account, &response, &rows, link, &err));
        assert_int_equal(err.error_class, SL_ERR_PERMANENT);
        assert_string_equal(link, "kept");
        assert_null(rows);
    }
}

static void bodies_that_are_no_lists_are_refused(void **state)
{
    (void)state;
    static const char *const nasty[] = {"",
                                        "null",
                                        "[]",
                                        "{}",
                                        "<html>",
                                        "{\"value\":{}}",
                                        "{\"value\":[{}]}",
                                        "{\"value\":[{\"id\":\"\"}]}",
                                        "{\"value\":[null]}"};
    for (size_t i = 0; i < SL_ARRAY_LEN(nasty); i++) {
        struct sl_http_response response = reply_of(200, NULL, nasty[i]);
        json_t *rows = NULL;
        char link[GRAPH_LINK_BYTES];
        struct sl_err err = {0};
        assert_false(graph_read_page(&account, &response, &rows, link, &err));
        assert_int_equal(err.error_class, SL_ERR_RETRY);
        assert_null(rows);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(a_request_that_is_forgotten_holds_no_token),
        cmocka_unit_test(pages),
        cmocka_unit_test(a_link_to_anywhere_else_is_not_followed),
        cmocka_unit_test(bodies_that_are_no_lists_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
