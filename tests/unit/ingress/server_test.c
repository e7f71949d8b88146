/* server_test.c - of the whole ingress, over mock brokers and real sockets: what a client sees, and what Kafka has. */
#include "tests/unit/ingress/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"
#include "tests/unit/ingress/client.h"
#include "tests/unit/ingress/kit.h"

#define EVENT                                                                                                          \
    "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"invoice.paid\",\"created\":1763712000,\"data\":{\"object\":"    \
    "{\"id\":\"in_1\",\"customer\":\"cus_1\"}}}"
#define JOB         "3f0e1a34-52a5-4c7f-9d1e-6a51c1d0a001"
#define PATIENCE_MS 10000

static struct kit kit;
static struct client_answer answer;

static int set_up(void **state)
{
    (void)state;
    kit_start(&kit, "publish_deadline = 1s\ndrain_timeout = 2s\nbody_max = 64KiB\nin_flight_max = 1MiB\n", true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kit_stop(&kit);
    return 0;
}

static unsigned port(void)
{
    return instance_port(kit.instance);
}

static void expect(int status, const char *error_code)
{
    char text[64];
    if (answer.status != status)
        fail_msg("status %d, not %d: %s", answer.status, status, answer.body);
    if (!error_code)
        return;
    SL_JSON_AUTO *json = NULL;
    assert_true(sl_json_parse(sl_str_of(answer.body), 0, &json, NULL));
    assert_str(sl_json_str(json, "errorCode"), error_code);
    assert_string_equal(client_header(&answer, "content-type", text, sizeof(text)), "application/problem+json");
}

static void post_stripe(const char *body)
{
    char field[128];
    char headers[256];
    kit_sign_stripe(body, strlen(body), field);
    (void)snprintf(headers, sizeof(headers), "Stripe-Signature: %s\r\nContent-Type: application/json\r\n", field);
    client_call(port(), "POST", "/webhooks/stripe", headers, body, &answer);
}

static double metric(const char *line)
{
    struct client_answer *metrics = sl_calloc(1, sizeof(*metrics));
    client_call(port(), "GET", "/metrics", NULL, NULL, metrics);
    const char *found = strstr(metrics->body, line);
    double value = found ? strtod(found + strlen(line), NULL) : 0;
    free(metrics);
    return value;
}

/* Requests of all sources, and what became of them, summed over labels. */
static double sum_of(const char *family)
{
    struct client_answer *metrics = sl_calloc(1, sizeof(*metrics));
    double sum = 0;
    client_call(port(), "GET", "/metrics", NULL, NULL, metrics);
    for (const char *line = metrics->body; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, family, strlen(family)) == 0 && line[strlen(family)] == '{')
            sum += strtod(strchr(line, '}') + 1, NULL);
        if (*line == '\0')
            break;
    }
    free(metrics);
    return sum;
}

/* Until it is at least one. */
static void await_metric(const char *line)
{
    int64_t until_ms = sl_clock_mono_ms() + PATIENCE_MS;
    do {
        instance_tick(kit.instance, sl_clock_mono_ms());
        if (sl_clock_mono_ms() > until_ms)
            fail_msg("never came: %s", line);
    } while (metric(line) < 1);
}

static void a_signed_event_is_in_kafka_as_it_came(void **state)
{
    (void)state;
    char text[512];
    char place[96];
    post_stripe(EVENT);
    expect(200, NULL);
    assert_string_equal(answer.body, "{\"received\":true}");
    rd_kafka_message_t *message = kit_consume(&kit, PATIENCE_MS);
    assert_non_null(message);
    assert_str(((struct sl_str){.ptr = message->payload, .len = message->len}), EVENT);
    assert_str(((struct sl_str){.ptr = message->key, .len = message->key_len}), "cus_1");
    assert_string_equal(kit_header(message, "ce_specversion", text, sizeof(text)), "1.0");
    assert_string_equal(kit_header(message, "ce_id", text, sizeof(text)), "evt_1");
    assert_string_equal(kit_header(message, "ce_source", text, sizeof(text)), "/webhooks/stripe");
    assert_string_equal(kit_header(message, "ce_type", text, sizeof(text)), "stripe.invoice.paid");
    assert_string_equal(kit_header(message, "ce_time", text, sizeof(text)), "2025-11-21T08:00:00.000Z");
    assert_string_equal(kit_header(message, "ce_subject", text, sizeof(text)), "in_1");
    assert_string_equal(kit_header(message, "ce_partitionkey", text, sizeof(text)), "cus_1");
    assert_string_equal(kit_header(message, "content-type", text, sizeof(text)), "application/json");
    assert_int_equal(strlen(kit_header(message, "traceparent", text, sizeof(text))), 55);
    (void)snprintf(place, sizeof(place), "sluice.events.v1/%d/%lld", (int)message->partition,
                   (long long)message->offset);
    assert_string_equal(client_header(&answer, "sluice-receipt", text, sizeof(text)), place);
    rd_kafka_message_destroy(message);
    assert_true(metric("sluice_ingress_secret_used_total{source=\"stripe\",position=\"1\"} ") > 0);
}

static void what_is_refused_says_why_and_is_not_published(void **state)
{
    (void)state;
    client_call(port(), "POST", "/webhooks/stripe", NULL, EVENT, &answer);
    expect(400, "INVALID_SIGNATURE");
    client_call(port(), "POST", "/webhooks/stripe", "Stripe-Signature: t=1,v1=00\r\n", EVENT, &answer);
    expect(400, "INVALID_SIGNATURE");
    client_call(port(), "POST", "/webhooks/dashboard", NULL, "{}", &answer);
    expect(503, "UNAVAILABLE"); /* no secret is configured */
    post_stripe("{\"id\":\"evt_1\"}");
    expect(400, "INVALID_EVENT");
    post_stripe("{\"id\":");
    expect(400, "INVALID_JSON");
    client_call(port(), "POST", "/nowhere", NULL, "{}", &answer);
    expect(404, "NOT_FOUND");
    char allow[32];
    client_call(port(), "PUT", "/webhooks/stripe", NULL, "{}", &answer);
    expect(405, "METHOD_NOT_ALLOWED");
    assert_string_equal(client_header(&answer, "allow", allow, sizeof(allow)), "POST");
    client_call(port(), "POST", "/webhooks/stripe", "Content-Encoding: gzip\r\n", "{}", &answer);
    expect(415, "UNSUPPORTED_MEDIA_TYPE");
    client_call(port(), "POST", "/webhooks/stripe", "Content-Type: text/xml\r\n", "{}", &answer);
    expect(415, "UNSUPPORTED_MEDIA_TYPE");
    client_call(port(), "POST", "/api/agents", NULL, "{}", &answer);
    expect(401, "UNAUTHENTICATED");
    assert_string_not_equal(client_header(&answer, "www-authenticate", allow, sizeof(allow)), "");
    assert_null(kit_consume(&kit, 300));
}

static void github_ping_form_and_callback(void **state)
{
    (void)state;
    char field[80];
    char headers[512];
    char text[128];
    const char *form = "payload=%7B%22repository%22%3A%7B%22full_name%22%3A%22o%2Fr%22%7D%7D";
    const char *callback = "{\"job_id\":\"" JOB "\",\"status\":\"claimed\",\"run_id\":1}";
    kit_sign_github(KIT_GITHUB_SECRET, "{}", field);
    (void)snprintf(headers, sizeof(headers),
                   "X-Hub-Signature-256: %s\r\nX-GitHub-Event: ping\r\nX-GitHub-Delivery: d0\r\n", field);
    client_call(port(), "POST", "/webhooks/github", headers, "{}", &answer);
    expect(200, NULL);
    kit_sign_github(KIT_GITHUB_SECRET, form, field);
    (void)snprintf(headers, sizeof(headers),
                   "X-Hub-Signature-256: %s\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: d1\r\n"
                   "Content-Type: application/x-www-form-urlencoded\r\n",
                   field);
    client_call(port(), "POST", "/api/webhooks/github", headers, form, &answer);
    expect(200, NULL);
    rd_kafka_message_t *message = kit_consume(&kit, PATIENCE_MS);
    assert_non_null(message); /* the ping was not published */
    assert_string_equal(kit_header(message, "ce_type", text, sizeof(text)), "github.push");
    assert_string_equal(kit_header(message, "content-type", text, sizeof(text)), "application/x-www-form-urlencoded");
    assert_str(((struct sl_str){.ptr = message->key, .len = message->key_len}), "o/r");
    rd_kafka_message_destroy(message);
    kit_sign_github(KIT_CALLBACK_SECRET, callback, field);
    (void)snprintf(headers, sizeof(headers), "X-Hub-Signature-256: %s\r\n", field);
    client_call(port(), "POST", "/api/webhooks/github?user=user%201", headers, callback, &answer);
    expect(200, NULL);
    message = kit_consume(&kit, PATIENCE_MS);
    assert_non_null(message);
    assert_string_equal(kit_header(message, "ce_source", text, sizeof(text)), "/webhooks/github/callback");
    assert_str(((struct sl_str){.ptr = message->key, .len = message->key_len}), "user 1");
    rd_kafka_message_destroy(message);
}

static void a_command_by_token(void **state)
{
    (void)state;
    char token[512];
    char headers[700];
    char text[128];
    kit_token(token);
    (void)snprintf(headers, sizeof(headers), "Authorization: %s\r\nIdempotency-Key: k1\r\n", token);
    client_call(port(), "POST", "/api/agents/" JOB "/stop", headers, NULL, &answer);
    expect(202, NULL);
    assert_string_equal(answer.body, "{\"id\":\"user-1:k1\",\"status\":\"accepted\"}");
    rd_kafka_message_t *message = kit_consume(&kit, PATIENCE_MS);
    assert_non_null(message);
    assert_string_equal(kit_header(message, "ce_type", text, sizeof(text)), "command.agent.stop");
    assert_string_equal(kit_header(message, "ce_id", text, sizeof(text)), "user-1:k1");
    assert_string_equal(kit_header(message, "sluice-reply-to", text, sizeof(text)), "");
    rd_kafka_message_destroy(message);
    client_call(port(), "POST", "/api/agents/nobody/stop", headers, NULL, &answer);
    expect(400, "INVALID_COMMAND");
    assert_non_null(strstr(answer.body, "agent_id"));
    client_call(port(), "POST", "/api/admin/purge-stale-runs", headers, "{}", &answer);
    expect(403, "FORBIDDEN");
}

/* Sends a command that waits, and gives the place and id its answer is expected under. */
static int begin_waiting(const char *prefer, int32_t *ret_partition, char ret_id[64])
{
    char token[512];
    char headers[700];
    char text[128];
    kit_token(token);
    (void)snprintf(headers, sizeof(headers), "Authorization: %s\r\nPrefer: %s\r\n", token, prefer);
    int fd = client_begin(port(), "POST", "/api/agents/" JOB "/stop", headers, NULL);
    rd_kafka_message_t *message = kit_consume(&kit, PATIENCE_MS);
    assert_non_null(message);
    (void)kit_header(message, "sluice-reply-to", text, sizeof(text));
    *ret_partition = (int32_t)strtol(text, NULL, 10);
    assert_non_null(strchr(text, '/'));
    (void)snprintf(ret_id, 64, "%s", strchr(text, '/') + 1);
    rd_kafka_message_destroy(message);
    return fd;
}

static void a_waiting_command_gets_its_outcome(void **state)
{
    (void)state;
    int32_t partition = -1;
    char id[64];
    char text[96];
    int fd = begin_waiting("wait=30", &partition, id);
    kit_produce(&kit, "sluice.replies.v1", partition, NULL, "{\"result\":\"applied\"}",
                "0190a0a0-0000-7000-8000-000000000000");
    kit_produce(&kit, "sluice.replies.v1", partition, NULL, "{\"id\":\"x\",\"result\":\"applied\",\"http_status\":200}",
                id);
    client_receive(fd, &answer);
    expect(200, NULL);
    assert_string_equal(answer.body, "{\"id\":\"x\",\"result\":\"applied\",\"http_status\":200}");
    assert_string_not_equal(client_header(&answer, "sluice-receipt", text, sizeof(text)), "");
    (void)close(fd);
    fd = begin_waiting("wait=30", &partition, id);
    kit_produce(&kit, "sluice.replies.v1", partition, NULL,
                "{\"result\":\"rejected\",\"errorCode\":\"NO_ACTIVE_SUBSCRIPTION\",\"http_status\":403}", id);
    client_receive(fd, &answer);
    expect(403, "NO_ACTIVE_SUBSCRIPTION");
    (void)close(fd);
    assert_true(metric("sluice_ingress_replies_total{result=\"stray\"} ") > 0);
}

static void a_wait_that_ends_is_a_202(void **state)
{
    (void)state;
    int32_t partition = -1;
    char id[64];
    int fd = begin_waiting("wait=1", &partition, id);
    client_receive(fd, &answer);
    expect(202, NULL);
    (void)close(fd);
}

static void nothing_is_confirmed_while_brokers_are_away(void **state)
{
    (void)state;
    char text[16];
    assert_int_equal(rd_kafka_mock_broker_set_down(kit.cluster, 1), 0);
    post_stripe(EVENT);
    expect(503, "UNAVAILABLE");
    assert_true(atoi(client_header(&answer, "retry-after", text, sizeof(text))) > 0);
    int64_t until_ms = sl_clock_mono_ms() + PATIENCE_MS;
    do {
        client_call(port(), "GET", "/readyz", NULL, NULL, &answer);
        assert_true(sl_clock_mono_ms() < until_ms);
    } while (answer.status != 503);
    assert_int_equal(rd_kafka_mock_broker_set_up(kit.cluster, 1), 0);
    until_ms = sl_clock_mono_ms() + PATIENCE_MS;
    do {
        post_stripe(EVENT);
        assert_true(sl_clock_mono_ms() < until_ms);
    } while (answer.status != 200);
    do {
        client_call(port(), "GET", "/readyz", NULL, NULL, &answer);
        assert_true(sl_clock_mono_ms() < until_ms);
    } while (answer.status != 200);
}

static void confirmed_only_after_the_report(void **state)
{
    (void)state;
    char field[128];
    char headers[256];
    char byte;
    post_stripe(EVENT); /* so that the producer has made its connections */
    expect(200, NULL);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(kit.cluster, 1, 400), 0);
    kit_sign_stripe(EVENT, strlen(EVENT), field);
    (void)snprintf(headers, sizeof(headers), "Stripe-Signature: %s\r\n", field);
    int64_t begin_ms = sl_clock_mono_ms();
    int fd = client_begin(port(), "POST", "/webhooks/stripe", headers, EVENT);
    client_call(port(), "GET", "/healthz", NULL, NULL, &answer); /* nobody waits for it */
    expect(200, NULL);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    client_receive(fd, &answer);
    expect(200, NULL);
    assert_true(sl_clock_mono_ms() - begin_ms >= 400); /* not before the broker has answered */
    (void)close(fd);
}

static void bodies_have_a_limit_framed_either_way(void **state)
{
    (void)state;
    static char body[65536 + 1];
    char head[512];
    char field[128];
    memset(body, ' ', sizeof(body));
    memcpy(body, EVENT, strlen(EVENT));
    kit_sign_stripe(body, 65536, field);
    int fd = client_connect(port());
    (void)snprintf(head, sizeof(head),
                   "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n"
                   "Stripe-Signature: %s\r\n\r\n",
                   field);
    client_send_text(fd, head);
    client_send(fd, body, 65536);
    client_receive(fd, &answer);
    expect(200, NULL); /* exactly the limit is in */
    (void)close(fd);

    fd = client_connect(port());
    client_send_text(fd, "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n");
    client_receive(fd, &answer); /* before a byte of it is sent */
    expect(413, "PAYLOAD_TOO_LARGE");
    (void)close(fd);

    fd = client_connect(port());
    static const char chunked[] =
        "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n";
    client_send_text(fd, chunked);
    client_send(fd, body, sizeof(body)); /* of a chunk that would be longer */
    client_receive(fd, &answer);
    expect(413, "PAYLOAD_TOO_LARGE");
    (void)close(fd);

    fd = client_connect(port());
    static const char expecting[] =
        "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n";
    client_send_text(fd, expecting);
    client_receive(fd, &answer);
    expect(413, "PAYLOAD_TOO_LARGE");
    (void)close(fd);
}

static void a_sender_that_does_not_listen_still_learns_of_the_413(void **state)
{
    (void)state;
    char *body = sl_calloc(1, 2 * 1024 * 1024);
    int fd = client_connect(port());
    static const char head[] = "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: 2097152\r\n\r\n";
    client_send_text(fd, head);
    assert_true(client_try_send(fd, body, 2 * 1024 * 1024));
    client_receive(fd, &answer);
    expect(413, "PAYLOAD_TOO_LARGE");
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
        int fd = client_connect(port());
        (void)snprintf(head, sizeof(head), "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\n%s\r\n", SMUGGLED[i]);
        client_send_text(fd, head);
        client_receive(fd, &answer);
        if (answer.status != 400 || !client_is_closed(fd))
            fail_msg("row %zu: %d", i, answer.status);
        (void)close(fd);
    }
    int fd = client_connect(port());
    client_send_text(fd, "POST /webhooks/stripe HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    client_receive(fd, &answer);
    expect(400, NULL); /* no Host */
    (void)close(fd);
}

static void too_many_headers_are_refused(void **state)
{
    (void)state;
    char headers[3000] = "";
    for (int i = 0; i < 70; i++)
        (void)snprintf(headers + strlen(headers), sizeof(headers) - strlen(headers), "X-Number-%d: x\r\n", i);
    client_call(port(), "POST", "/webhooks/stripe", headers, "{}", &answer);
    expect(400, "BAD_REQUEST");
    int fd = client_connect(port());
    client_send_text(fd, "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nX: ");
    char *large = sl_calloc(1, 65536);
    memset(large, 'x', 65536);
    (void)client_try_send(fd, large, 65536);
    client_receive(fd, &answer);
    assert_true(answer.status == 431 || answer.status == 413 || answer.status == 414 || answer.status == 0);
    (void)close(fd);
    free(large);
}

static void the_same_connection_again(void **state)
{
    (void)state;
    int fd = client_connect(port());
    static const char call[] = "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
    for (int i = 0; i < 3; i++) {
        client_send_text(fd, call);
        client_receive(fd, &answer);
        expect(400, "INVALID_SIGNATURE");
    }
    (void)close(fd);
}

static void early_access_is_rate_limited(void **state)
{
    (void)state;
    char text[16];
    for (int i = 0; i < 10; i++) {
        client_call(port(), "POST", "/api/early-access", "X-Forwarded-For: 1.2.3.4\r\n", "{\"email\":\"a@b.c\"}",
                    &answer);
        expect(202, NULL);
    }
    client_call(port(), "POST", "/api/early-access", "X-Forwarded-For: 5.6.7.8\r\n", "{\"email\":\"a@b.c\"}", &answer);
    expect(429, "RATE_LIMITED"); /* the header is not from a trusted proxy */
    assert_true(atoi(client_header(&answer, "retry-after", text, sizeof(text))) > 0);
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
    memcpy(body, EVENT, strlen(EVENT));
    kit_sign_stripe(body, BYTES, field);
    /* 20 bodies of 60 kB, each but its last byte: more than the mebibyte that may be in flight. */
    (void)snprintf(head, sizeof(head),
                   "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n"
                   "Stripe-Signature: %s\r\n\r\n",
                   BYTES, field);
    for (int i = 0; i < SENDERS; i++) {
        fds[i] = client_connect(port());
        client_send_text(fds[i], head);
        (void)client_try_send(fds[i], body, BYTES - 1);
    }
    for (int i = 0; i < SENDERS; i++)
        (void)client_try_send(fds[i], body + BYTES - 1, 1);
    for (int i = 0; i < SENDERS; i++) {
        client_receive(fds[i], &answer);
        assert_true(answer.status == 200 || answer.status == 503);
        refused += answer.status == 503;
        (void)close(fds[i]);
    }
    assert_in_range(refused, 1, SENDERS - 10);
    post_stripe(EVENT);
    expect(200, NULL);
    instance_tick(kit.instance, sl_clock_mono_ms());
    assert_true(metric("\nsluice_ingress_in_flight_bytes ") < 1);
}

static void what_came_is_published_or_refused(void **state)
{
    (void)state;
    a_signed_event_is_in_kafka_as_it_came(state);
    what_is_refused_says_why_and_is_not_published(state);
    github_ping_form_and_callback(state);
    a_command_by_token(state);
    bodies_have_a_limit_framed_either_way(state);
    /* A client that goes away in the middle counts too. */
    int fd = client_connect(port());
    client_send_text(fd, "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{");
    await_metric("\nsluice_ingress_in_flight_requests ");
    (void)close(fd);
    await_metric("sluice_ingress_refused_total{source=\"stripe\",cause=\"client_gone\"} ");
    double came = sum_of("sluice_ingress_requests_total");
    assert_true(came > 15);
    assert_true(came == sum_of("sluice_ingress_published_total") + sum_of("sluice_ingress_refused_total"));
    instance_tick(kit.instance, sl_clock_mono_ms());
    assert_true(metric("\nsluice_ingress_in_flight_requests ") < 1);
}

static void the_directory_gives_the_key(void **state)
{
    (void)state;
    kit_produce(&kit, "sluice.directory.v1", 0, "cus_1", "user-of-1", NULL);
    await_metric("\nsluice_ingress_directory_entries ");
    post_stripe(EVENT);
    expect(200, NULL);
    rd_kafka_message_t *message = kit_consume(&kit, PATIENCE_MS);
    assert_non_null(message);
    assert_str(((struct sl_str){.ptr = message->key, .len = message->key_len}), "user-of-1");
    rd_kafka_message_destroy(message);
}

static void a_drain_finishes_what_is_under_way(void **state)
{
    (void)state;
    char field[128];
    char headers[256];
    char text[32];
    post_stripe(EVENT);
    expect(200, NULL);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(kit.cluster, 1, 400), 0);
    kit_sign_stripe(EVENT, strlen(EVENT), field);
    (void)snprintf(headers, sizeof(headers), "Stripe-Signature: %s\r\n", field);
    int fd = client_begin(port(), "POST", "/webhooks/stripe", headers, EVENT);
    await_metric("\nsluice_ingress_in_flight_requests ");
    kit_drain_to(&kit, DRAIN_REFUSING);
    client_call(port(), "GET", "/readyz", NULL, NULL, &answer);
    expect(503, NULL);
    client_call(port(), "POST", "/webhooks/stripe", headers, EVENT, &answer);
    expect(503, "UNAVAILABLE");
    assert_string_equal(client_header(&answer, "connection", text, sizeof(text)), "close");
    kit_drain_to(&kit, DRAIN_DONE);
    client_receive(fd, &answer);
    expect(200, NULL);
    (void)close(fd);
}

static void a_drain_that_takes_too_long_answers_everybody(void **state)
{
    (void)state;
    int32_t partition = -1;
    char id[64];
    int fd = begin_waiting("wait=30", &partition, id);
    int slow = client_connect(port());
    client_send_text(slow, "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{");
    kit_drain_to(&kit, DRAIN_DONE);
    client_receive(fd, &answer);
    expect(202, NULL); /* the wait is over, the event is in Kafka */
    (void)close(fd);
    (void)close(slow);
}

static void a_request_has_its_time_to_arrive(void **state)
{
    (void)state;
    kit_stop(&kit);
    kit_start(&kit, "request_timeout = 300ms\n", true);
    int fd = client_connect(port());
    client_send_text(fd, "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{");
    await_metric("sluice_ingress_refused_total{source=\"stripe\",cause=\"timeout\"} ");
    client_receive(fd, &answer);
    expect(408, "REQUEST_TIMEOUT");
    (void)close(fd);
}

static void admin_paths(void **state)
{
    (void)state;
    client_call(port(), "GET", "/healthz", NULL, NULL, &answer);
    expect(200, NULL);
    client_call(port(), "GET", "/health", NULL, NULL, &answer);
    expect(200, NULL);
    assert_non_null(strstr(answer.body, "sluice-ingress"));
    client_call(port(), "POST", "/healthz", NULL, "{}", &answer);
    expect(405, "METHOD_NOT_ALLOWED");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_signed_event_is_in_kafka_as_it_came),
        TEST(what_is_refused_says_why_and_is_not_published),
        TEST(github_ping_form_and_callback),
        TEST(a_command_by_token),
        TEST(a_waiting_command_gets_its_outcome),
        TEST(a_wait_that_ends_is_a_202),
        TEST(nothing_is_confirmed_while_brokers_are_away),
        TEST(confirmed_only_after_the_report),
        TEST(bodies_have_a_limit_framed_either_way),
        TEST(a_sender_that_does_not_listen_still_learns_of_the_413),
        TEST(doubtful_framing_is_refused_and_the_connection_ends),
        TEST(too_many_headers_are_refused),
        TEST(the_same_connection_again),
        TEST(early_access_is_rate_limited),
        TEST(too_much_at_once_is_pushed_back),
        TEST(what_came_is_published_or_refused),
        TEST(the_directory_gives_the_key),
        TEST(a_drain_finishes_what_is_under_way),
        TEST(a_drain_that_takes_too_long_answers_everybody),
        TEST(a_request_has_its_time_to_arrive),
        TEST(admin_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
