/* intake_test.c - the story of requests, over mock brokers and real sockets: what the sender is told, and what Kafka
 * has. */
#include "tests/unit/web/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/unit/ingress/call.h"

#define JOB "3f0e1a34-52a5-4c7f-9d1e-6a51c1d0a001"

static void a_signed_event_is_in_kafka_as_it_came(void **state)
{
    (void)state;
    char text[512];
    char place[96];
    call_stripe(CALL_EVENT);
    call_expect(200, NULL);
    assert_string_equal(call_answer.body, "{\"received\":true}");
    rd_kafka_message_t *message = kit_consume(&call_kit, CALL_PATIENCE_MS);
    assert_non_null(message);
    assert_str(((struct sl_str){.ptr = message->payload, .len = message->len}), CALL_EVENT);
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
    assert_string_equal(client_header(&call_answer, "sluice-receipt", text, sizeof(text)), place);
    assert_true(call_metric("sluice_ingress_secret_used_total{source=\"stripe\",position=\"1\"} ") > 0);
}

static void what_is_refused_says_why_and_is_not_published(void **state)
{
    (void)state;
    client_call(call_port(), "POST", "/webhooks/stripe", NULL, CALL_EVENT, &call_answer);
    call_expect(400, "INVALID_SIGNATURE");
    client_call(call_port(), "POST", "/webhooks/stripe", "Stripe-Signature: t=1,v1=00\r\n", CALL_EVENT, &call_answer);
    call_expect(400, "INVALID_SIGNATURE");
    client_call(call_port(), "POST", "/webhooks/dashboard", NULL, "{}", &call_answer);
    call_expect(503, "UNAVAILABLE"); /* no secret is configured */
    call_stripe("{\"id\":\"evt_1\"}");
    call_expect(400, "INVALID_EVENT");
    call_stripe("{\"id\":");
    call_expect(400, "INVALID_JSON");
    client_call(call_port(), "POST", "/nowhere", NULL, "{}", &call_answer);
    call_expect(404, "NOT_FOUND");
    char allow[32];
    client_call(call_port(), "PUT", "/webhooks/stripe", NULL, "{}", &call_answer);
    call_expect(405, "METHOD_NOT_ALLOWED");
    assert_string_equal(client_header(&call_answer, "allow", allow, sizeof(allow)), "POST");
    client_call(call_port(), "POST", "/webhooks/stripe", "Content-Encoding: gzip\r\n", "{}", &call_answer);
    call_expect(415, "UNSUPPORTED_MEDIA_TYPE");
    client_call(call_port(), "POST", "/webhooks/stripe", "Content-Type: text/xml\r\n", "{}", &call_answer);
    call_expect(415, "UNSUPPORTED_MEDIA_TYPE");
    client_call(call_port(), "POST", "/api/agents", NULL, "{}", &call_answer);
    call_expect(401, "UNAUTHENTICATED");
    assert_string_not_equal(client_header(&call_answer, "www-authenticate", allow, sizeof(allow)), "");
    assert_null(kit_consume(&call_kit, 300));
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
    client_call(call_port(), "POST", "/webhooks/github", headers, "{}", &call_answer);
    call_expect(200, NULL);
    kit_sign_github(KIT_GITHUB_SECRET, form, field);
    (void)snprintf(headers, sizeof(headers),
                   "X-Hub-Signature-256: %s\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: d1\r\n"
                   "Content-Type: application/x-www-form-urlencoded\r\n",
                   field);
    client_call(call_port(), "POST", "/api/webhooks/github", headers, form, &call_answer);
    call_expect(200, NULL);
    rd_kafka_message_t *message = kit_consume(&call_kit, CALL_PATIENCE_MS);
    assert_non_null(message); /* the ping was not published */
    assert_string_equal(kit_header(message, "ce_type", text, sizeof(text)), "github.push");
    assert_string_equal(kit_header(message, "content-type", text, sizeof(text)), "application/x-www-form-urlencoded");
    assert_str(((struct sl_str){.ptr = message->key, .len = message->key_len}), "o/r");
    kit_sign_github(KIT_CALLBACK_SECRET, callback, field);
    (void)snprintf(headers, sizeof(headers), "X-Hub-Signature-256: %s\r\n", field);
    client_call(call_port(), "POST", "/api/webhooks/github?user=user%201", headers, callback, &call_answer);
    call_expect(200, NULL);
    message = kit_consume(&call_kit, CALL_PATIENCE_MS);
    assert_non_null(message);
    assert_string_equal(kit_header(message, "ce_source", text, sizeof(text)), "/webhooks/github/callback");
    assert_str(((struct sl_str){.ptr = message->key, .len = message->key_len}), "user 1");
}

static void a_command_by_token(void **state)
{
    (void)state;
    char token[512];
    char headers[700];
    char text[128];
    kit_token(token);
    (void)snprintf(headers, sizeof(headers), "Authorization: %s\r\nIdempotency-Key: k1\r\n", token);
    client_call(call_port(), "POST", "/api/agents/" JOB "/stop", headers, NULL, &call_answer);
    call_expect(202, NULL);
    assert_string_equal(call_answer.body, "{\"id\":\"user-1:k1\",\"status\":\"accepted\"}");
    rd_kafka_message_t *message = kit_consume(&call_kit, CALL_PATIENCE_MS);
    assert_non_null(message);
    assert_string_equal(kit_header(message, "ce_type", text, sizeof(text)), "command.agent.stop");
    assert_string_equal(kit_header(message, "ce_id", text, sizeof(text)), "user-1:k1");
    assert_string_equal(kit_header(message, "sluice-reply-to", text, sizeof(text)), "");
    client_call(call_port(), "POST", "/api/agents/nobody/stop", headers, NULL, &call_answer);
    call_expect(400, "INVALID_COMMAND");
    assert_non_null(strstr(call_answer.body, "agent_id"));
    client_call(call_port(), "POST", "/api/admin/purge-stale-runs", headers, "{}", &call_answer);
    call_expect(403, "FORBIDDEN");
    /* What many clients say of no body at all. */
    (void)snprintf(headers, sizeof(headers), "Authorization: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n",
                   token);
    client_call(call_port(), "POST", "/api/agents/" JOB "/stop", headers, NULL, &call_answer);
    call_expect(202, NULL);
}

/* Sends a command that waits, and gives the place and id its answer is expected under. */
static int begin_waiting(const char *prefer, int32_t *ret_partition, char ret_id[64])
{
    char token[512];
    char headers[700];
    char text[128];
    kit_token(token);
    (void)snprintf(headers, sizeof(headers), "Authorization: %s\r\nPrefer: %s\r\n", token, prefer);
    int fd = client_begin(call_port(), "POST", "/api/agents/" JOB "/stop", headers, NULL);
    rd_kafka_message_t *message = kit_consume(&call_kit, CALL_PATIENCE_MS);
    assert_non_null(message);
    (void)kit_header(message, "sluice-reply-to", text, sizeof(text));
    assert_non_null(strchr(text, '/'));
    *ret_partition = (int32_t)strtol(text, NULL, 10);
    (void)snprintf(ret_id, 64, "%s", strchr(text, '/') + 1);
    return fd;
}

static void a_waiting_command_gets_its_outcome(void **state)
{
    (void)state;
    int32_t partition = -1;
    char id[64];
    char text[96];
    int fd = begin_waiting("wait=30", &partition, id);
    kit_produce(&call_kit, "sluice.replies.v1", partition, NULL, "{\"result\":\"applied\"}",
                "0190a0a0-0000-7000-8000-000000000000");
    kit_produce(&call_kit, "sluice.replies.v1", partition, NULL,
                "{\"id\":\"x\",\"result\":\"applied\",\"http_status\":200}", id);
    client_receive(fd, &call_answer);
    call_expect(200, NULL);
    assert_string_equal(call_answer.body, "{\"id\":\"x\",\"result\":\"applied\",\"http_status\":200}");
    assert_string_not_equal(client_header(&call_answer, "sluice-receipt", text, sizeof(text)), "");
    (void)close(fd);
    fd = begin_waiting("wait=30", &partition, id);
    kit_produce(&call_kit, "sluice.replies.v1", partition, NULL,
                "{\"result\":\"rejected\",\"errorCode\":\"NO_ACTIVE_SUBSCRIPTION\",\"http_status\":403}", id);
    client_receive(fd, &call_answer);
    call_expect(403, "NO_ACTIVE_SUBSCRIPTION");
    (void)close(fd);
    assert_true(call_metric("sluice_ingress_replies_total{result=\"stray\"} ") > 0);
}

static void a_wait_that_ends_is_a_202(void **state)
{
    (void)state;
    int32_t partition = -1;
    char id[64];
    int fd = begin_waiting("wait=1", &partition, id);
    client_receive(fd, &call_answer);
    call_expect(202, NULL);
    (void)close(fd);
}

static void nothing_is_confirmed_while_brokers_are_away(void **state)
{
    (void)state;
    char text[16];
    assert_int_equal(rd_kafka_mock_broker_set_down(call_kit.cluster, 1), 0);
    call_stripe(CALL_EVENT);
    call_expect(503, "UNAVAILABLE");
    assert_true(strtol(client_header(&call_answer, "retry-after", text, sizeof(text)), NULL, 10) > 0);
    int64_t until_ms = sl_clock_mono_ms() + CALL_PATIENCE_MS;
    do {
        client_call(call_port(), "GET", "/readyz", NULL, NULL, &call_answer);
        assert_true(sl_clock_mono_ms() < until_ms);
    } while (call_answer.status != 503);
    assert_int_equal(rd_kafka_mock_broker_set_up(call_kit.cluster, 1), 0);
    until_ms = sl_clock_mono_ms() + CALL_PATIENCE_MS;
    do {
        call_stripe(CALL_EVENT);
        assert_true(sl_clock_mono_ms() < until_ms);
    } while (call_answer.status != 200);
    do {
        client_call(call_port(), "GET", "/readyz", NULL, NULL, &call_answer);
        assert_true(sl_clock_mono_ms() < until_ms);
    } while (call_answer.status != 200);
}

static void confirmed_only_after_the_report(void **state)
{
    (void)state;
    char field[128];
    char headers[256];
    char byte;
    call_stripe(CALL_EVENT); /* so that the producer has made its connections */
    call_expect(200, NULL);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(call_kit.cluster, 1, 400), 0);
    kit_sign_stripe(CALL_EVENT, strlen(CALL_EVENT), field);
    (void)snprintf(headers, sizeof(headers), "Stripe-Signature: %s\r\n", field);
    int64_t begin_ms = sl_clock_mono_ms();
    int fd = client_begin(call_port(), "POST", "/webhooks/stripe", headers, CALL_EVENT);
    client_call(call_port(), "GET", "/healthz", NULL, NULL, &call_answer); /* nobody waits for it */
    call_expect(200, NULL);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    client_receive(fd, &call_answer);
    call_expect(200, NULL);
    assert_true(sl_clock_mono_ms() - begin_ms >= 400); /* not before the broker has answered */
    (void)close(fd);
}

static void what_came_is_published_or_refused(void **state)
{
    (void)state;
    a_signed_event_is_in_kafka_as_it_came(state);
    what_is_refused_says_why_and_is_not_published(state);
    github_ping_form_and_callback(state);
    a_command_by_token(state);
    /* A client that goes away in the middle counts too. */
    int fd = client_connect(call_port());
    client_send_text(fd, "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{");
    call_await("\nsluice_ingress_in_flight_requests ");
    (void)close(fd);
    call_await("sluice_ingress_refused_total{source=\"stripe\",cause=\"client_gone\"} ");
    double came = call_sum("sluice_ingress_requests_total");
    assert_true(came > 15);
    assert_true(came == call_sum("sluice_ingress_published_total") + call_sum("sluice_ingress_refused_total"));
    instance_tick(call_kit.instance, sl_clock_mono_ms());
    assert_true(call_metric("\nsluice_ingress_in_flight_requests ") < 1);
}

static void the_directory_gives_the_key(void **state)
{
    (void)state;
    kit_produce(&call_kit, "sluice.directory.v1", 0, "cus_1", "user-of-1", NULL);
    call_await("\nsluice_ingress_directory_entries ");
    call_stripe(CALL_EVENT);
    call_expect(200, NULL);
    rd_kafka_message_t *message = kit_consume(&call_kit, CALL_PATIENCE_MS);
    assert_non_null(message);
    assert_str(((struct sl_str){.ptr = message->key, .len = message->key_len}), "user-of-1");
}

static void a_drain_finishes_what_is_under_way(void **state)
{
    (void)state;
    char field[128];
    char headers[256];
    char text[32];
    call_stripe(CALL_EVENT);
    call_expect(200, NULL);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(call_kit.cluster, 1, 400), 0);
    kit_sign_stripe(CALL_EVENT, strlen(CALL_EVENT), field);
    (void)snprintf(headers, sizeof(headers), "Stripe-Signature: %s\r\n", field);
    int fd = client_begin(call_port(), "POST", "/webhooks/stripe", headers, CALL_EVENT);
    call_await("\nsluice_ingress_in_flight_requests ");
    kit_drain_to(&call_kit, DRAIN_REFUSING);
    client_call(call_port(), "GET", "/readyz", NULL, NULL, &call_answer);
    call_expect(503, NULL);
    client_call(call_port(), "POST", "/webhooks/stripe", headers, CALL_EVENT, &call_answer);
    call_expect(503, "UNAVAILABLE");
    assert_string_equal(client_header(&call_answer, "connection", text, sizeof(text)), "close");
    kit_drain_to(&call_kit, DRAIN_DONE);
    client_receive(fd, &call_answer);
    call_expect(200, NULL);
    (void)close(fd);
}

static void a_drain_that_takes_too_long_answers_everybody(void **state)
{
    (void)state;
    int32_t partition = -1;
    char id[64];
    int fd = begin_waiting("wait=30", &partition, id);
    int slow = client_connect(call_port());
    client_send_text(slow, "POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{");
    kit_drain_to(&call_kit, DRAIN_DONE);
    client_receive(fd, &call_answer);
    call_expect(202, NULL); /* the wait is over, the event is in Kafka */
    (void)close(fd);
    (void)close(slow);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, call_set_up, call_tear_down)

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
        TEST(what_came_is_published_or_refused),
        TEST(the_directory_gives_the_key),
        TEST(a_drain_finishes_what_is_under_way),
        TEST(a_drain_that_takes_too_long_answers_everybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
