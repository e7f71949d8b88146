/* http_test.c - outgoing HTTP: what each way to fail says about the request's effect, and that nothing is sent twice.
 */
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/http.h"
#include "tests/unit/common/http_server.h"

#define LONG_MS  20000 /* nobody waits that long: ctest would end the test */
#define SHORT_MS 150

/* What a callback was told, kept. */
struct outcome {
    int calls;
    enum sl_http_end end;
    int status;
    size_t body_len;
    char body[256];
    size_t header_count;
    char header[128]; /* of x-test */
    char code[24];
    enum sl_err_class error_class;
};

static void keep(void *arg, const struct sl_http_response *response)
{
    struct outcome *outcome = arg;
    outcome->calls++;
    outcome->end = response->end;
    outcome->status = response->status;
    outcome->body_len = response->body.len;
    (void)snprintf(outcome->body, sizeof(outcome->body), "%" SL_STR_FMT, SL_STR_ARG(response->body));
    outcome->header_count = response->header_count;
    const struct sl_str header = sl_http_header_of(response, "x-test");
    (void)snprintf(outcome->header, sizeof(outcome->header), "%" SL_STR_FMT, SL_STR_ARG(header));
    assert_true((response->err == NULL) == (response->end == SL_HTTP_ANSWERED));
    assert_true(response->took_ms >= 0);
    if (response->err != NULL) {
        (void)snprintf(outcome->code, sizeof(outcome->code), "%s", response->err->code);
        outcome->error_class = response->err->error_class;
        assert_true(response->err->detail[0] != '\0');
    }
}

static struct sl_http *client(int connections_max)
{
    struct sl_err err = {0};
    struct sl_http *http = sl_http_create(connections_max, "sluice-test", NULL, &err);
    assert_non_null(http);
    return http;
}

static void begin(struct sl_http *http, const char *method, const char *url, const char *body, int timeout_ms,
                  struct outcome *outcome)
{
    const struct sl_http_request request = {
        .method = method,
        .url = url,
        .body = sl_str_of(body),
        .connect_timeout_ms = LONG_MS,
        .timeout_ms = timeout_ms,
    };
    struct sl_err err = {0};
    memset(outcome, 0, sizeof(*outcome));
    assert_true(sl_http_start(http, &request, keep, outcome, &err));
}

static void drive(struct sl_http *http)
{
    while (sl_http_in_flight(http) > 0) {
        sl_http_poll(http, LONG_MS);
    }
}

/* One call to one server, to its end. */
static struct outcome call(server_fn *serve, const char *method, const char *body, int timeout_ms,
                           struct server *server)
{
    struct outcome outcome;
    char url[64];
    struct sl_http *http = client(4);
    server_start(server, serve);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/path?q=1", server->port);
    begin(http, method, url, body, timeout_ms, &outcome);
    drive(http);
    sl_http_destroy(http);
    server_stop(server);
    assert_int_equal(outcome.calls, 1);
    return outcome;
}

static void serve_hello(struct server *server, int fd, int number)
{
    (void)number;
    while (server_read(server, fd)) {
        server_send(fd, "HTTP/1.1 200 OK\r\nX-Test:  yes \r\nContent-Length: 5\r\n\r\nhello");
    }
}

static void whole_answer_is_answered(void **state)
{
    (void)state;
    struct server server;
    const struct outcome outcome = call(serve_hello, "POST", "{\"a\":1}", LONG_MS, &server);
    assert_int_equal(outcome.end, SL_HTTP_ANSWERED);
    assert_int_equal(outcome.status, 200);
    assert_string_equal(outcome.body, "hello");
    assert_string_equal(outcome.header, "yes");
    assert_int_equal(outcome.header_count, 2);
    assert_int_equal(atomic_load(&server.requests), 1);
    assert_ptr_equal(strstr(server.last, "POST /path?q=1 HTTP/1.1\r\n"), server.last);
    assert_non_null(strstr(server.last, "\r\nUser-Agent: sluice-test\r\n"));
    assert_non_null(strstr(server.last, "\r\nContent-Length: 7\r\n"));
    assert_non_null(strstr(server.last, "\r\n\r\n{\"a\":1}"));
    /* nothing that the caller didn't ask for */
    assert_null(strcasestr(server.last, "content-type"));
    assert_null(strcasestr(server.last, "expect"));
    assert_null(strcasestr(server.last, "accept-encoding"));
}

static void methods_without_a_body(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        const char *line;
        bool has_length; /* RFC 9110, section 8.6: only where the method gives a body a meaning */
    } ROWS[] = {
        {"GET", "GET /path?q=1 HTTP/1.1\r\n", false},       {"HEAD", "HEAD /path?q=1 HTTP/1.1\r\n", false},
        {"DELETE", "DELETE /path?q=1 HTTP/1.1\r\n", false}, {"POST", "POST /path?q=1 HTTP/1.1\r\n", true},
        {"PUT", "PUT /path?q=1 HTTP/1.1\r\n", true},        {"PATCH", "PATCH /path?q=1 HTTP/1.1\r\n", true},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        struct server server;
        const struct outcome outcome = call(serve_hello, ROWS[i].method, "", LONG_MS, &server);
        assert_int_equal(outcome.end, SL_HTTP_ANSWERED);
        assert_int_equal(outcome.body_len, strcmp(ROWS[i].method, "HEAD") == 0 ? 0 : 5);
        assert_ptr_equal(strstr(server.last, ROWS[i].line), server.last);
        assert_int_equal(strstr(server.last, "\r\nContent-Length: 0\r\n") != NULL, ROWS[i].has_length);
    }
}

static void serve_failure(struct server *server, int fd, int number)
{
    (void)number;
    if (server_read(server, fd)) {
        server_send(fd, "HTTP/1.1 503 Busy\r\nX-Test: later\r\nConnection: close\r\n\r\ncome back");
    }
}

static void error_status_is_answered(void **state)
{
    (void)state;
    struct server server;
    const struct outcome outcome = call(serve_failure, "POST", "x", LONG_MS, &server);
    assert_int_equal(outcome.end, SL_HTTP_ANSWERED);
    assert_int_equal(outcome.status, 503);
    assert_string_equal(outcome.body, "come back");
    assert_string_equal(outcome.header, "later");
}

static void serve_redirect(struct server *server, int fd, int number)
{
    (void)number;
    char text[128];
    (void)snprintf(text, sizeof(text),
                   "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n", server->port);
    while (server_read(server, fd)) {
        server_send(fd, text);
    }
}

static void redirects_are_answers(void **state)
{
    (void)state;
    struct server server;
    const struct outcome outcome = call(serve_redirect, "GET", "", LONG_MS, &server);
    assert_int_equal(outcome.status, 302);
    assert_int_equal(atomic_load(&server.requests), 1);
}

static void serve_continue(struct server *server, int fd, int number)
{
    (void)number;
    if (server_read(server, fd)) {
        server_send(fd, "HTTP/1.1 100 Continue\r\nX-Test: early\r\n\r\n"
                        "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\nTrailer: X-Test\r\n\r\n"
                        "5\r\nhello\r\n0\r\nX-Test: late\r\n\r\n");
        server_wait_for_close(fd);
    }
}

static void only_the_final_head_counts(void **state)
{
    (void)state;
    struct server server;
    const struct outcome outcome = call(serve_continue, "POST", "x", LONG_MS, &server);
    assert_int_equal(outcome.end, SL_HTTP_ANSWERED);
    assert_int_equal(outcome.status, 201);
    assert_string_equal(outcome.body, "hello");
    assert_string_equal(outcome.header, "");
}

static void serve_many_headers(struct server *server, int fd, int number)
{
    (void)number;
    if (server_read(server, fd)) {
        server_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-TEST: in\r\n: no name\r\n");
        for (int i = 0; i < SL_HTTP_RESPONSE_HEADERS_MAX + 10; i++) {
            server_send(fd, "X-More: of the same\r\n");
        }
        server_send(fd, "\r\n");
        server_wait_for_close(fd);
    }
}

static void headers_beyond_the_limit_are_ignored(void **state)
{
    (void)state;
    struct server server;
    const struct outcome outcome = call(serve_many_headers, "GET", "", LONG_MS, &server);
    assert_int_equal(outcome.end, SL_HTTP_ANSWERED);
    assert_int_equal(outcome.header_count, SL_HTTP_RESPONSE_HEADERS_MAX);
    assert_string_equal(outcome.header, "in");
}

static void send_large(struct server *server, int fd, size_t len)
{
    if (server_read(server, fd)) {
        char head[128];
        (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
        server_send(fd, head);
        char *bytes = sl_calloc(1, len);
        server_send_bytes(fd, bytes, len);
        free(bytes);
        server_wait_for_close(fd);
    }
}

static void serve_largest(struct server *server, int fd, int number)
{
    (void)number;
    send_large(server, fd, SL_HTTP_RESPONSE_BYTES_MAX);
}

static void serve_too_large(struct server *server, int fd, int number)
{
    (void)number;
    send_large(server, fd, SL_HTTP_RESPONSE_BYTES_MAX + 1);
}

static void answers_are_limited(void **state)
{
    (void)state;
    struct server server;
    struct outcome outcome = call(serve_largest, "GET", "", LONG_MS, &server);
    assert_int_equal(outcome.end, SL_HTTP_ANSWERED);
    assert_int_equal(outcome.body_len, SL_HTTP_RESPONSE_BYTES_MAX);
    outcome = call(serve_too_large, "GET", "", LONG_MS, &server);
    assert_int_equal(outcome.end, SL_HTTP_UNKNOWN);
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.code, "WRITE_ERROR");
    assert_int_equal(outcome.error_class, SL_ERR_PERMANENT);
}

static void serve_hang(struct server *server, int fd, int number)
{
    (void)number;
    if (server_read(server, fd)) {
        server_wait_for_close(fd);
    }
}

static void serve_close(struct server *server, int fd, int number)
{
    (void)number;
    SL_ASSERT(server_read(server, fd));
}

static void serve_reset(struct server *server, int fd, int number)
{
    (void)number;
    SL_ASSERT(server_read(server, fd));
    server_reset_on_close(fd);
}

static void serve_half(struct server *server, int fd, int number)
{
    (void)number;
    if (server_read(server, fd)) {
        server_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
    }
}

static void serve_half_chunked(struct server *server, int fd, int number)
{
    (void)number;
    if (server_read(server, fd)) {
        server_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    }
}

static void serve_half_then_hang(struct server *server, int fd, int number)
{
    (void)number;
    if (server_read(server, fd)) {
        server_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
        server_wait_for_close(fd);
    }
}

static void serve_garbage(struct server *server, int fd, int number)
{
    (void)number;
    if (server_read(server, fd)) {
        server_send(fd, "\r\n\r\nwhat is HTTP?\r\n\r\n");
        server_wait_for_close(fd);
    }
}

/* Every way to end without a whole answer after the server has read the request. */
static void sent_without_answer_is_unknown(void **state)
{
    (void)state;
    static const struct {
        server_fn *serve;
        int timeout_ms;
        const char *code; /* NULL: several, as the kernel's timing has it */
    } ROWS[] = {
        {serve_hang, SHORT_MS, "OPERATION_TIMEDOUT"},
        {serve_close, LONG_MS, "GOT_NOTHING"},
        {serve_reset, LONG_MS, "RECV_ERROR"},
        {serve_half, LONG_MS, "PARTIAL_FILE"},
        {serve_half_chunked, LONG_MS, NULL},
        {serve_half_then_hang, SHORT_MS, "OPERATION_TIMEDOUT"},
        {serve_garbage, LONG_MS, "WEIRD_SERVER_REPLY"},
    };
    static const char *const METHODS[] = {"GET", "POST", "DELETE"};
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        for (size_t j = 0; j < SL_ARRAY_LEN(METHODS); j++) {
            struct server server;
            const struct outcome outcome = call(ROWS[i].serve, METHODS[j], "x", ROWS[i].timeout_ms, &server);
            assert_int_equal(outcome.end, SL_HTTP_UNKNOWN);
            assert_int_equal(outcome.status, 0);
            assert_int_equal(outcome.body_len, 0);
            assert_int_equal(outcome.error_class, SL_ERR_RETRY);
            if (ROWS[i].code != NULL) {
                assert_string_equal(outcome.code, ROWS[i].code);
            }
            assert_int_equal(atomic_load(&server.requests), 1);
        }
    }
}

static void serve_reset_at_once(struct server *server, int fd, int number)
{
    (void)server;
    (void)number;
    server_reset_on_close(fd);
}

static void reset_before_the_request_is_never_answered(void **state)
{
    (void)state;
    struct server server;
    const struct outcome outcome = call(serve_reset_at_once, "POST", "x", LONG_MS, &server);
    assert_true(outcome.end == SL_HTTP_UNKNOWN || outcome.end == SL_HTTP_NOT_SENT);
    assert_int_equal(atomic_load(&server.requests), 0);
    assert_int_equal(atomic_load(&server.connections), 1);
}

static struct outcome call_url(const char *url, int timeout_ms)
{
    struct outcome outcome;
    struct sl_http *http = client(4);
    begin(http, "POST", url, "x", timeout_ms, &outcome);
    drive(http);
    sl_http_destroy(http);
    assert_int_equal(outcome.calls, 1);
    return outcome;
}

static void refused_connection_is_not_sent(void **state)
{
    (void)state;
    char url[64];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server_free_port());
    const struct outcome outcome = call_url(url, LONG_MS);
    assert_int_equal(outcome.end, SL_HTTP_NOT_SENT);
    assert_string_equal(outcome.code, "COULDNT_CONNECT");
    assert_int_equal(outcome.error_class, SL_ERR_RETRY);
}

static void hanging_connection_is_not_sent(void **state)
{
    (void)state;
    int fds[SERVER_FULL_FDS];
    char url[64];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server_full_port(fds));
    const struct outcome outcome = call_url(url, SHORT_MS);
    assert_int_equal(outcome.end, SL_HTTP_NOT_SENT);
    assert_string_equal(outcome.code, "OPERATION_TIMEDOUT");
    for (size_t i = 0; i < SL_ARRAY_LEN(fds); i++) {
        (void)close(fds[i]);
    }
}

static void impossible_urls_are_not_sent(void **state)
{
    (void)state;
    static const char *const URLS[] = {"http://127.0.0.1:99999/", "ftp://127.0.0.1/", "file:///etc/passwd", "http://"};
    for (size_t i = 0; i < SL_ARRAY_LEN(URLS); i++) {
        const struct outcome outcome = call_url(URLS[i], LONG_MS);
        assert_int_equal(outcome.end, SL_HTTP_NOT_SENT);
        assert_int_equal(outcome.error_class, SL_ERR_PERMANENT);
    }
}

static void requests_that_cannot_be_sent_are_refused(void **state)
{
    (void)state;
    const struct sl_http_request good = {
        .method = "GET",
        .url = "http://127.0.0.1/",
        .headers = {{"X-Name", SL_STR("value")}},
        .header_count = 1,
        .connect_timeout_ms = LONG_MS,
        .timeout_ms = LONG_MS,
    };
    struct sl_http_request bad[7] = {good, good, good, good, good, good, good};
    bad[0].method = "GET / HTTP/1.1\r\nX: y";
    bad[1].method = "";
    bad[2].url = "http://127.0.0.1/a b";
    bad[3].url = "";
    bad[4].headers[0].name = "X-Name: value\r\nY";
    bad[5].headers[0].value = SL_STR("value\r\nY: z");
    bad[6].headers[0].value = SL_STR("va\0lue");
    struct sl_http *http = client(1);
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++) {
        struct sl_err err = {0};
        assert_false(sl_http_start(http, &bad[i], keep, NULL, &err));
        assert_int_equal(err.error_class, SL_ERR_PERMANENT);
    }
    assert_int_equal(sl_http_in_flight(http), 0);
    sl_http_destroy(http);
    struct sl_err err = {0};
    assert_null(sl_http_create(1, "sluice-test", "/nonexistent/ca.pem", &err));
    assert_int_equal(err.error_class, SL_ERR_PERMANENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_answer_is_answered),
        cmocka_unit_test(methods_without_a_body),
        cmocka_unit_test(error_status_is_answered),
        cmocka_unit_test(redirects_are_answers),
        cmocka_unit_test(only_the_final_head_counts),
        cmocka_unit_test(headers_beyond_the_limit_are_ignored),
        cmocka_unit_test(answers_are_limited),
        cmocka_unit_test(sent_without_answer_is_unknown),
        cmocka_unit_test(reset_before_the_request_is_never_answered),
        cmocka_unit_test(refused_connection_is_not_sent),
        cmocka_unit_test(hanging_connection_is_not_sent),
        cmocka_unit_test(impossible_urls_are_not_sent),
        cmocka_unit_test(requests_that_cannot_be_sent_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
