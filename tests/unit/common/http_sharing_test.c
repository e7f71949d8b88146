/* http_sharing_test.c - many calls on one handle: reused connections, the queue, callbacks that start calls, waking,
 * the end. */
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "common/http.h"
#include "tests/unit/common/http_server.h"

#define LONG_MS  20000
#define SHORT_MS 150
#define MANY     40

struct outcome {
    int calls;
    enum sl_http_end end;
    int status;
    char code[24];
    /* what the callback does next */
    struct sl_http *http;
    struct server *server;
    struct outcome *then;
};

static bool start(struct sl_http *http, const struct server *server, const char *method, int timeout_ms,
                  struct outcome *outcome);

static void keep(void *arg, const struct sl_http_response *response)
{
    struct outcome *outcome = arg;
    outcome->calls++;
    outcome->end = response->end;
    outcome->status = response->status;
    (void)snprintf(outcome->code, sizeof(outcome->code), "%s", response->err != NULL ? response->err->code : "");
    if (outcome->then != NULL) {
        assert_true(start(outcome->http, outcome->server, "GET", LONG_MS, outcome->then));
    }
}

static struct sl_http *client(int connections_max)
{
    struct sl_err err = {0};
    struct sl_http *http = sl_http_create(connections_max, "sluice-test", NULL, &err);
    assert_non_null(http);
    return http;
}

static bool start(struct sl_http *http, const struct server *server, const char *method, int timeout_ms,
                  struct outcome *outcome)
{
    char url[64];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server->port);
    const struct sl_http_request request = {
        .method = method,
        .url = url,
        .connect_timeout_ms = LONG_MS,
        .timeout_ms = timeout_ms,
    };
    struct sl_err err = {0};
    return sl_http_start(http, &request, keep, outcome, &err);
}

static void drive(struct sl_http *http)
{
    while (sl_http_in_flight(http) > 0) {
        sl_http_poll(http, LONG_MS);
    }
}

static struct outcome call(struct sl_http *http, const struct server *server, const char *method)
{
    struct outcome outcome = {0};
    assert_true(start(http, server, method, LONG_MS, &outcome));
    drive(http);
    assert_int_equal(outcome.calls, 1);
    return outcome;
}

static const char HELLO[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

static void serve_hello(struct server *server, int fd, int number)
{
    (void)number;
    while (server_read(server, fd)) {
        server_send(fd, HELLO);
    }
}

static void reads_share_a_connection_and_writes_get_their_own(void **state)
{
    (void)state;
    struct server server;
    server_start(&server, serve_hello);
    struct sl_http *http = client(8);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(call(http, &server, "GET").end, SL_HTTP_ANSWERED);
    }
    assert_int_equal(atomic_load(&server.connections), 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(call(http, &server, "POST").end, SL_HTTP_ANSWERED);
        assert_int_equal(atomic_load(&server.connections), 2 + i);
    }
    sl_http_destroy(http);
    server_stop(&server);
}

/* Answers the first request of each connection, and closes when it has read the second: what a load balancer does that
 * goes away while the client sends. libcurl by itself would send that second request once more. */
static void serve_one_then_close(struct server *server, int fd, int number)
{
    (void)number;
    if (server_read(server, fd)) {
        server_send(fd, HELLO);
        (void)!server_read(server, fd);
    }
}

static void writes_are_never_sent_twice(void **state)
{
    (void)state;
    static const char *const METHODS[] = {"POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < SL_ARRAY_LEN(METHODS); i++) {
        struct server server;
        server_start(&server, serve_one_then_close);
        struct sl_http *http = client(8);
        assert_int_equal(call(http, &server, "GET").end, SL_HTTP_ANSWERED);
        assert_int_equal(call(http, &server, METHODS[i]).end, SL_HTTP_ANSWERED);
        assert_int_equal(atomic_load(&server.connections), 2);
        assert_int_equal(atomic_load(&server.requests), 2);
        sl_http_destroy(http);
        server_stop(&server);
    }
}

/* The first connection answers once and is closed at once; those after it stay. */
static void serve_first_once(struct server *server, int fd, int number)
{
    while (server_read(server, fd)) {
        server_send(fd, HELLO);
        if (number == 1) {
            return;
        }
    }
}

static void connection_closed_between_calls_is_replaced(void **state)
{
    (void)state;
    struct server server;
    server_start(&server, serve_first_once);
    struct sl_http *http = client(8);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(call(http, &server, "GET").end, SL_HTTP_ANSWERED);
    }
    assert_int_equal(atomic_load(&server.connections), 2);
    sl_http_destroy(http);
    server_stop(&server);
}

static void serve_counted(struct server *server, int fd, int number)
{
    (void)number;
    while (server_read(server, fd)) {
        const int open = atomic_fetch_add(&server->open, 1) + 1;
        int most = atomic_load(&server->open_max);
        while (open > most && !atomic_compare_exchange_weak(&server->open_max, &most, open)) {
        }
        atomic_fetch_sub(&server->open, 1);
        server_send(fd, HELLO);
    }
}

static void connections_are_bounded_and_all_calls_end(void **state)
{
    (void)state;
    struct server server;
    server_start(&server, serve_counted);
    struct sl_http *http = client(3);
    struct outcome outcomes[MANY] = {0};
    for (size_t i = 0; i < MANY; i++) {
        assert_true(start(http, &server, i % 4 == 0 ? "POST" : "GET", LONG_MS, &outcomes[i]));
    }
    assert_int_equal(sl_http_in_flight(http), MANY);
    drive(http);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(outcomes[i].calls, 1);
        assert_int_equal(outcomes[i].end, SL_HTTP_ANSWERED);
    }
    assert_int_equal(atomic_load(&server.requests), MANY);
    assert_in_range(atomic_load(&server.open_max), 1, 3);
    sl_http_destroy(http);
    server_stop(&server);
}

static void serve_hang(struct server *server, int fd, int number)
{
    (void)number;
    if (server_read(server, fd)) {
        server_wait_for_close(fd);
    }
}

static void the_rest_waits_until_a_connection_is_free(void **state)
{
    (void)state;
    struct server server;
    server_start(&server, serve_hang);
    struct sl_http *http = client(3);
    struct outcome outcomes[MANY] = {0};
    for (size_t i = 0; i < MANY; i++) {
        assert_true(start(http, &server, "POST", LONG_MS, &outcomes[i]));
    }
    while (atomic_load(&server.requests) < 3) {
        sl_http_poll(http, 1);
    }
    for (int i = 0; i < 20; i++) {
        sl_http_poll(http, 1);
    }
    assert_int_equal(atomic_load(&server.connections), 3);
    assert_int_equal(sl_http_in_flight(http), MANY);
    sl_http_destroy(http);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(outcomes[i].calls, 1);
        assert_int_equal(outcomes[i].end, i < 3 ? SL_HTTP_UNKNOWN : SL_HTTP_NOT_SENT);
    }
    server_stop(&server);
    assert_int_equal(atomic_load(&server.requests), 3);
}

static void deadline_runs_while_waiting_for_a_connection(void **state)
{
    (void)state;
    struct server server;
    server_start(&server, serve_hang);
    struct sl_http *http = client(1);
    struct outcome first = {0};
    struct outcome second = {0};
    struct outcome third = {0};
    assert_true(start(http, &server, "POST", LONG_MS, &first));
    assert_true(start(http, &server, "POST", LONG_MS, &second));
    assert_true(start(http, &server, "POST", SHORT_MS, &third)); /* behind one with more time */
    while (third.calls == 0) {
        sl_http_poll(http, LONG_MS);
    }
    assert_int_equal(third.end, SL_HTTP_NOT_SENT);
    assert_string_equal(third.code, "OPERATION_TIMEDOUT");
    assert_int_equal(first.calls + second.calls, 0);
    assert_int_equal(sl_http_in_flight(http), 2);
    /* and at the end, what may have been sent is told from what was not */
    while (atomic_load(&server.requests) == 0) {
        sl_http_poll(http, 1);
    }
    sl_http_destroy(http);
    assert_int_equal(first.calls, 1);
    assert_int_equal(first.end, SL_HTTP_UNKNOWN);
    assert_int_equal(second.calls, 1);
    assert_int_equal(second.end, SL_HTTP_NOT_SENT);
    assert_int_equal(atomic_load(&server.requests), 1);
    server_stop(&server);
}

static void connection_of_a_late_call_goes_to_the_next(void **state)
{
    (void)state;
    struct server server;
    server_start(&server, serve_hang);
    struct sl_http *http = client(1);
    struct outcome first = {0};
    struct outcome second = {0};
    assert_true(start(http, &server, "POST", SHORT_MS, &first));
    assert_true(start(http, &server, "POST", LONG_MS, &second));
    while (atomic_load(&server.requests) < 2) {
        sl_http_poll(http, SHORT_MS);
    }
    assert_int_equal(first.end, SL_HTTP_UNKNOWN);
    assert_int_equal(second.calls, 0);
    sl_http_destroy(http);
    server_stop(&server);
}

static void callbacks_may_start_calls(void **state)
{
    (void)state;
    struct server server;
    server_start(&server, serve_hello);
    struct sl_http *http = client(1);
    struct outcome chain[20] = {0};
    for (size_t i = 0; i + 1 < SL_ARRAY_LEN(chain); i++) {
        chain[i].http = http;
        chain[i].server = &server;
        chain[i].then = &chain[i + 1];
    }
    struct outcome other = {0};
    assert_true(start(http, &server, "GET", LONG_MS, &chain[0]));
    assert_true(start(http, &server, "GET", LONG_MS, &other));
    drive(http);
    assert_int_equal(other.calls, 1);
    for (size_t i = 0; i < SL_ARRAY_LEN(chain); i++) {
        assert_int_equal(chain[i].calls, 1);
        assert_int_equal(chain[i].end, SL_HTTP_ANSWERED);
    }
    sl_http_destroy(http);
    server_stop(&server);
}

static void start_another(void *arg, const struct sl_http_response *response)
{
    struct outcome *outcome = arg;
    outcome->calls++;
    outcome->end = response->end;
    assert_false(start(outcome->http, outcome->server, "GET", LONG_MS, NULL));
}

static void nothing_starts_during_the_end(void **state)
{
    (void)state;
    struct sl_http *http = client(1);
    struct server server = {.port = server_free_port()};
    struct outcome outcome = {.http = http, .server = &server};
    const struct sl_http_request request = {
        .method = "POST",
        .url = "http://127.0.0.1/",
        .connect_timeout_ms = LONG_MS,
        .timeout_ms = LONG_MS,
    };
    struct sl_err err = {0};
    assert_true(sl_http_start(http, &request, start_another, &outcome, &err));
    sl_http_destroy(http);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(outcome.end, SL_HTTP_NOT_SENT);
    sl_http_destroy(NULL);
}

static void *wake(void *arg)
{
    sl_http_wake(arg);
    return NULL;
}

static void waking_ends_the_wait(void **state)
{
    (void)state;
    struct server server;
    server_start(&server, serve_hang);
    struct sl_http *http = client(1);
    struct outcome outcome = {0};
    assert_true(start(http, &server, "GET", LONG_MS, &outcome));
    while (atomic_load(&server.requests) == 0) {
        sl_http_poll(http, 1);
    }
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, wake, http), 0);
        sl_http_poll(http, INT32_MAX); /* without the wake-up, until the call's own time is up */
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(outcome.calls, 0);
    }
    sl_http_destroy(http);
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_share_a_connection_and_writes_get_their_own),
        cmocka_unit_test(writes_are_never_sent_twice),
        cmocka_unit_test(connection_closed_between_calls_is_replaced),
        cmocka_unit_test(connections_are_bounded_and_all_calls_end),
        cmocka_unit_test(the_rest_waits_until_a_connection_is_free),
        cmocka_unit_test(deadline_runs_while_waiting_for_a_connection),
        cmocka_unit_test(connection_of_a_late_call_goes_to_the_next),
        cmocka_unit_test(callbacks_may_start_calls),
        cmocka_unit_test(nothing_starts_during_the_end),
        cmocka_unit_test(waking_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
