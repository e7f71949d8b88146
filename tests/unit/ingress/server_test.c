/* server_test.c - of ingress/server.c over real sockets: framing, limits and times, as no well-behaved client would try
 * them. */
#include "tests/unit/web/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/unit/ingress/call.h"

static void bodies_have_a_limit_framed_either_way(void **state)
{
    (void)state;
    static char body[65536 + 1];
    char head[512];
    char field[128];
    memset(body, ' ', sizeof(body));
    memcpy(body, CALL_EVENT, strlen(CALL_EVENT));
    kit_sign_stripe(body, 65536, field);
    int fd = client_connect(call_port());
    (void)snprintf(head, sizeof(head),
                   "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n"
                   "Stripe-Signature: %s\r\n\r\n",
                   field);
    client_send_text(fd, head);
    client_send(fd, body, 65536);
    client_receive(fd, &call_answer);
    call_expect(200, NULL); /* exactly the limit is in */
    (void)close(fd);

    fd = client_connect(call_port());
    client_send_text(fd, "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n");
    client_receive(fd, &call_answer); /* before a byte of it is sent */
    call_expect(413, "PAYLOAD_TOO_LARGE");
    (void)close(fd);

    fd = client_connect(call_port());
    static const char chunked[] =
        "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n";
    client_send_text(fd, chunked);
    client_send(fd, body, sizeof(body)); /* of a chunk that would be longer */
    client_receive(fd, &call_answer);
    call_expect(413, "PAYLOAD_TOO_LARGE");
    (void)close(fd);

    fd = client_connect(call_port());
    static const char expecting[] =
        "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n";
    client_send_text(fd, expecting);
    client_receive(fd, &call_answer);
    call_expect(413, "PAYLOAD_TOO_LARGE");
    (void)close(fd);
}

static void a_sender_that_does_not_listen_still_learns_of_the_413(void **state)
{
    (void)state;
    char *body = sl_calloc(1, 2 * 1024 * 1024);
    int fd = client_connect(call_port());
    static const char head[] = "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: 2097152\r\n\r\n";
    client_send_text(fd, head);
    assert_true(client_try_send(fd, body, 2 * 1024 * 1024));
    client_receive(fd, &call_answer);
    call_expect(413, "PAYLOAD_TOO_LARGE");
    (void)close(fd);
    free(body);
}

static const char *const SMUGGLED[] = {
    "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
    "Content-Length: 2\r\nContent-Length: 3\r\n",
    "Content-Length: 2\r\nContent-Length: 2\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "Content-Length: +2\r\n",
    "Content-Length: 0x2\r\n",
    "Content-Length: -2\r\n",
};

static void doubtful_framing_is_refused_and_the_connection_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(SMUGGLED); i++) {
        char head[512];
        int fd = client_connect(call_port());
        (void)snprintf(head, sizeof(head), "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\n%s\r\n", SMUGGLED[i]);
        client_send_text(fd, head);
        client_receive(fd, &call_answer);
        if (call_answer.status != 400 || !client_is_closed(fd))
            fail_msg("row %zu: %d", i, call_answer.status);
        (void)close(fd);
    }
    int fd = client_connect(call_port());
    client_send_text(fd, "POST /webhooks/stripe HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    client_receive(fd, &call_answer);
    call_expect(400, NULL); /* no Host */
    (void)close(fd);
}

static void too_many_headers_are_refused(void **state)
{
    (void)state;
    char headers[3000] = "";
    for (int i = 0; i < 70; i++)
        (void)snprintf(headers + strlen(headers), sizeof(headers) - strlen(headers), "X-Number-%d: x\r\n", i);
    client_call(call_port(), "POST", "/webhooks/stripe", headers, "{}", &call_answer);
    call_expect(400, "BAD_REQUEST");
    int fd = client_connect(call_port());
    client_send_text(fd, "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nX: ");
    char *large = sl_calloc(1, 65536);
    memset(large, 'x', 65536);
    (void)client_try_send(fd, large, 65536);
    client_receive(fd, &call_answer);
    assert_true(call_answer.status == 431 || call_answer.status == 413 || call_answer.status == 414 ||
                call_answer.status == 0);
    (void)close(fd);
    free(large);
}

static void the_same_connection_again(void **state)
{
    (void)state;
    int fd = client_connect(call_port());
    static const char call[] = "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
    for (int i = 0; i < 3; i++) {
        client_send_text(fd, call);
        client_receive(fd, &call_answer);
        call_expect(400, "INVALID_SIGNATURE");
    }
    (void)close(fd);
}

static void early_access_is_rate_limited(void **state)
{
    (void)state;
    char text[16];
    for (int i = 0; i < 10; i++) {
        client_call(call_port(), "POST", "/api/early-access", "X-Forwarded-For: 1.2.3.4\r\n", "{\"email\":\"a@b.c\"}",
                    &call_answer);
        call_expect(202, NULL);
    }
    client_call(call_port(), "POST", "/api/early-access", "X-Forwarded-For: 5.6.7.8\r\n", "{\"email\":\"a@b.c\"}",
                &call_answer);
    call_expect(429, "RATE_LIMITED"); /* the header is not from a trusted proxy */
    assert_true(strtol(client_header(&call_answer, "retry-after", text, sizeof(text)), NULL, 10) > 0);
}

static void too_much_at_once_is_pushed_back(void **state)
{
    (void)state;
    enum { SENDERS = 20, BYTES = 60000 };
    static char body[BYTES];
    int fds[SENDERS];
    char head[256];
    int refused = 0;
    char field[128];
    memset(body, ' ', sizeof(body));
    memcpy(body, CALL_EVENT, strlen(CALL_EVENT));
    kit_sign_stripe(body, BYTES, field);
    /* 20 bodies of 60 kB, each but its last byte: more than the mebibyte that may be in flight. */
    (void)snprintf(head, sizeof(head),
                   "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n"
                   "Stripe-Signature: %s\r\n\r\n",
                   BYTES, field);
    for (int i = 0; i < SENDERS; i++) {
        fds[i] = client_connect(call_port());
        client_send_text(fds[i], head);
        (void)client_try_send(fds[i], body, BYTES - 1);
    }
    call_await("sluice_ingress_refused_total{source=\"stripe\",cause=\"busy\"} ");
    for (int i = 0; i < SENDERS; i++)
        (void)client_try_send(fds[i], body + BYTES - 1, 1);
    for (int i = 0; i < SENDERS; i++) {
        client_receive(fds[i], &call_answer);
        assert_true(call_answer.status == 200 || call_answer.status == 503);
        refused += call_answer.status == 503;
        (void)close(fds[i]);
    }
    assert_in_range(refused, 1, SENDERS - 1);
    call_stripe(CALL_EVENT);
    call_expect(200, NULL);
    int64_t until_ms = sl_clock_mono_ms() + CALL_PATIENCE_MS;
    do {
        instance_tick(call_kit.instance, sl_clock_mono_ms());
        assert_true(sl_clock_mono_ms() < until_ms);
    } while (call_metric("\nsluice_ingress_in_flight_bytes ") > 0);
}

static void a_request_has_its_time_to_arrive(void **state)
{
    (void)state;
    kit_stop(&call_kit);
    kit_start(&call_kit, "request_timeout = 300ms\n", true);
    int fd = client_connect(call_port());
    client_send_text(fd, "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{");
    call_await("sluice_ingress_refused_total{source=\"stripe\",cause=\"timeout\"} ");
    client_receive(fd, &call_answer);
    call_expect(408, "REQUEST_TIMEOUT");
    (void)close(fd);
}

static void admin_paths(void **state)
{
    (void)state;
    client_call(call_port(), "GET", "/healthz", NULL, NULL, &call_answer);
    call_expect(200, NULL);
    client_call(call_port(), "GET", "/health", NULL, NULL, &call_answer);
    call_expect(200, NULL);
    assert_non_null(strstr(call_answer.body, "sluice-ingress"));
    client_call(call_port(), "POST", "/healthz", NULL, "{}", &call_answer);
    call_expect(405, "METHOD_NOT_ALLOWED");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, call_set_up, call_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bodies_have_a_limit_framed_either_way),
        TEST(a_sender_that_does_not_listen_still_learns_of_the_413),
        TEST(doubtful_framing_is_refused_and_the_connection_ends),
        TEST(too_many_headers_are_refused),
        TEST(the_same_connection_again),
        TEST(early_access_is_rate_limited),
        TEST(too_much_at_once_is_pushed_back),
        TEST(a_request_has_its_time_to_arrive),
        TEST(admin_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
