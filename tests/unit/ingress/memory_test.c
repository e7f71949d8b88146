/* memory_test.c - of intake, when memory runs out: ingress stops, or the event is what it would have been. Never is a
 * sender told that a good event is bad, and never is something else published.
 */
#include "tests/unit/web/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/event.h"
#include "common/sign.h"
#include "ingress/read.h"
#include "ingress/verify.h"
#include "tests/support/memory.h"

#define NOW_S  INT64_C(1763712000)
#define SECRET "whsec_test"
#define EVENT                                                                                                          \
    "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"invoice.paid\",\"created\":1763712000,\"data\":{\"object\":"    \
    "{\"id\":\"in_1\",\"customer\":\"cus_1\",\"parent\":{\"subscription_details\":{\"metadata\":{\"user_id\":"         \
    "\"user-1\"}}}}}}"
#define AGENT "3f0e1a34-52a5-4c7f-9d1e-6a51c1d0a001"
#define DOCUMENT                                                                                                       \
    "{\"type\":\"agent.create\",\"timestamp\":\"2025-11-21T08:00:00.000Z\",\"data\":{\"agent_id\":\"" AGENT            \
    "\",\"name\":\"a\",\"region\":\"us-east\",\"user_id\":\"user-1\"},\"actor\":{\"user_id\":\"user-1\",\"role\":"     \
    "\"user\"}}"

static struct sl_str of_nobody(void *directory, struct sl_str customer, struct sl_arena *arena)
{
    (void)directory;
    (void)customer;
    (void)arena;
    return SL_STR_NONE;
}

/* From the reading to the message's headers, as intake does it. */
static bool encodes(const struct reading *reading, const char *source, const char *key, struct sl_arena *arena)
{
    struct sl_event_header headers[SL_EVENT_HEADERS_MAX];
    struct sl_err err = {0};
    const struct sl_event event = {
        .id = reading->id,
        .source = sl_str_of(source),
        .type = reading->type,
        .subject = reading->subject,
        .partition_key = key_choose(&reading->key, reading->id, of_nobody, NULL, arena),
        .content_type = SL_STR("application/json"),
        .data = reading->data,
        .time_ms = reading->time_ms,
        .received_at_ms = NOW_S * 1000,
    };
    return sl_str_is(event.partition_key, key) && sl_event_check(&event, &err) &&
           sl_event_encode(&event, arena, headers) >= 6;
}

static bool takes_a_webhook(void *arg)
{
    struct headers headers = {0};
    struct sl_secrets secrets;
    struct reading reading;
    struct problem problem;
    struct sl_arena *arena = sl_arena_create(1 << 24);
    bool ok = sl_secrets_init(&secrets, SL_STR("whsec_other," SECRET)) &&
              headers_add(&headers, SL_STR("stripe-signature"), sl_str_of(arg));
    const struct verify_request signature = {.headers = &headers,
                                             .body = SL_STR(EVENT),
                                             .secrets = &secrets,
                                             .now_s = NOW_S,
                                             .tolerance_s = 300,
                                             .diagnose = true};
    const struct read_request request = {
        .headers = &headers, .body = SL_STR(EVENT), .received_at_ms = NOW_S * 1000, .arena = arena};
    ok = ok && verify_stripe(&signature).cause == VERIFY_OK && read_stripe(&request, &reading, &problem) &&
         sl_str_is(reading.id, "evt_1") && sl_str_is(reading.type, "stripe.invoice.paid") &&
         sl_str_is(reading.data, EVENT) && encodes(&reading, "/webhooks/stripe", "user-1", arena);
    sl_arena_destroy(arena);
    sl_secrets_deinit(&secrets);
    return ok;
}

static bool takes_a_callback(void *arg)
{
    struct headers headers = {0};
    struct reading reading;
    struct problem problem;
    struct sl_arena *arena = sl_arena_create(1 << 24);
    const struct read_request request = {
        .headers = &headers, .body = sl_str_of(arg), .received_at_ms = NOW_S * 1000, .arena = arena};
    bool ok = read_callback(&request, &reading, &problem) && reading.id.len == 64 &&
              sl_str_is(reading.type, "callback.claimed") &&
              encodes(&reading, "/webhooks/github/callback", AGENT, arena);
    sl_arena_destroy(arena);
    return ok;
}

static bool takes_a_command(void *arg)
{
    struct headers headers = {0};
    struct reading reading;
    struct problem problem;
    struct sl_arena *arena = sl_arena_create(1 << 24);
    const struct read_request request = {
        .headers = &headers,
        .body = SL_STR("{\"agent_id\":\"" AGENT "\",\"name\":\"a\",\"region\":\"us-east\"}"),
        .command = arg,
        .user_id = SL_STR("user-1"),
        .role = SL_STR("user"),
        .fresh_id = SL_STR("fresh"),
        .received_at_ms = NOW_S * 1000,
        .arena = arena,
    };
    bool ok = read_rest(&request, &reading, &problem) && sl_str_is(reading.data, DOCUMENT) &&
              encodes(&reading, "/api", "user-1", arena);
    sl_arena_destroy(arena);
    return ok;
}

static void a_webhook(void **state)
{
    (void)state;
    char field[128];
    char hex[SL_SHA256_HEX_BYTES];
    uint8_t mac[SL_SHA256_BYTES];
    const struct sl_str parts[] = {SL_STR("1763712000."), SL_STR(EVENT)};
    sl_sign_hmac_sha256(SL_STR(SECRET), parts, SL_ARRAY_LEN(parts), mac);
    sl_sign_hex(mac, sizeof(mac), hex);
    (void)snprintf(field, sizeof(field), "t=1763712000,v1=%s", hex);
    assert_true(takes_a_webhook(field));
    assert_true(memory_fail_each(takes_a_webhook, field) > 30);
}

static void a_callback(void **state)
{
    (void)state;
    static char body[] = "{\"job_id\":\"" AGENT "\",\"status\":\"claimed\",\"run_id\":1,\"timestamp\":1763712000}";
    assert_true(takes_a_callback(body));
    assert_true(memory_fail_each(takes_a_callback, body) > 10);
}

static void a_command(void **state)
{
    (void)state;
    struct command create = *commands_find(SL_STR("agent.create"));
    assert_true(takes_a_command(&create));
    assert_true(memory_fail_each(takes_a_command, &create) > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_webhook), cmocka_unit_test(a_callback),
                                       cmocka_unit_test(a_command)};
    memory_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
