/* What each kind of answer means: a table that reads like the clouds' documentation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/reply.h"
#include "worker/execute/classify.h"

#define NOW_MS        INT64_C(1795255200000)
#define READS         false
#define CHANGES       true
#define H(code)       "{\"error\":{\"code\":\"" code "\",\"message\":\"m\",\"details\":null}}"
#define E(message)    "{\"error\":\"" message "\"}"
#define N(name)       "{\"statusCode\":400,\"name\":\"" name "\",\"message\":\"m\"}"
#define S(type, code) "{\"error\":{\"type\":\"" type "\",\"code\":\"" code "\",\"message\":\"m\"}}"
#define M(message)    "{\"message\":\"" message "\",\"documentation_url\":\"d\",\"status\":\"403\"}"

static const struct {
    enum cloud_id cloud;
    bool mutates;
    int status; /* 0: no answer, -1: not sent */
    const char *headers;
    const char *body;
    enum verdict verdict;
    enum cause cause;
    int64_t after_ms;
    int attempts_max;
} cases[] = {
    /* no answer */
    {CLOUD_HETZNER, CHANGES, 0, NULL, "", VERDICT_UNKNOWN, CAUSE_OUTAGE, 0, 0},
    {CLOUD_HETZNER, READS, 0, NULL, "", VERDICT_NOT_DONE, CAUSE_OUTAGE, 0, 0},
    {CLOUD_HETZNER, CHANGES, -1, NULL, "", VERDICT_NOT_DONE, CAUSE_OUTAGE, 0, 0},
    /* the provisioner */
    {CLOUD_PROVISIONER, CHANGES, 200, NULL, "{}", VERDICT_DONE, CAUSE_NONE, 0, 0},
    {CLOUD_PROVISIONER, CHANGES, 401, NULL, E("Unauthorized"), VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_PROVISIONER, CHANGES, 403, NULL, E("Forbidden"), VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_PROVISIONER, CHANGES, 404, NULL, E("App a not found"), VERDICT_REFUSED, CAUSE_GONE, 0, 0},
    {CLOUD_PROVISIONER, CHANGES, 409, NULL, E("another account"), VERDICT_REFUSED, CAUSE_CONFLICT, 0, 0},
    {CLOUD_PROVISIONER, CHANGES, 400, NULL, E("Invalid tier"), VERDICT_REFUSED, CAUSE_INVALID, 0, 0},
    {CLOUD_PROVISIONER, CHANGES, 429, "retry-after: 1", E("Too many"), VERDICT_NOT_DONE, CAUSE_RATE, 1000, 0},
    {CLOUD_PROVISIONER, CHANGES, 503, NULL, E("No capacity"), VERDICT_NOT_DONE, CAUSE_CAPACITY, 30000, 0},
    {CLOUD_PROVISIONER, CHANGES, 503, NULL, "", VERDICT_UNKNOWN, CAUSE_OUTAGE, 0, 0},
    /* Resend */
    {CLOUD_RESEND, CHANGES, 200, NULL, "{}", VERDICT_DONE, CAUSE_NONE, 0, 0},
    {CLOUD_RESEND, CHANGES, 401, NULL, N("missing_api_key"), VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_RESEND, CHANGES, 401, NULL, N("restricted_api_key"), VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_RESEND, CHANGES, 403, NULL, N("invalid_api_key"), VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_RESEND, CHANGES, 403, NULL, N("validation_error"), VERDICT_REFUSED, CAUSE_INVALID, 0, 0},
    {CLOUD_RESEND, CHANGES, 422, NULL, N("invalid_from_address"), VERDICT_REFUSED, CAUSE_INVALID, 0, 0},
    {CLOUD_RESEND, CHANGES, 409, NULL, N("invalid_idempotent_request"), VERDICT_REFUSED, CAUSE_CONFLICT, 0, 0},
    {CLOUD_RESEND, CHANGES, 409, NULL, N("concurrent_idempotent_requests"), VERDICT_NOT_DONE, CAUSE_LOCKED, 1000, 0},
    {CLOUD_RESEND, CHANGES, 429, "ratelimit-limit: 2\nratelimit-remaining: 0\nratelimit-reset: 3",
     N("rate_limit_exceeded"), VERDICT_NOT_DONE, CAUSE_RATE, 3000, 0},
    {CLOUD_RESEND, CHANGES, 429, "ratelimit-limit: 2\nratelimit-remaining: 0\nratelimit-reset: 1",
     N("daily_quota_exceeded"), VERDICT_NOT_DONE, CAUSE_QUOTA, 600000, 0},
    {CLOUD_RESEND, CHANGES, 429, "retry-after: 7200", N("monthly_quota_exceeded"), VERDICT_NOT_DONE, CAUSE_QUOTA,
     7200000, 0},
    {CLOUD_RESEND, CHANGES, 500, NULL, N("application_error"), VERDICT_UNKNOWN, CAUSE_OUTAGE, 0, 0},
    /* Hetzner */
    {CLOUD_HETZNER, READS, 200, NULL, "{}", VERDICT_DONE, CAUSE_NONE, 0, 0},
    {CLOUD_HETZNER, CHANGES, 201, NULL, "{}", VERDICT_DONE, CAUSE_NONE, 0, 0},
    {CLOUD_HETZNER, CHANGES, 204, NULL, "", VERDICT_DONE, CAUSE_NONE, 0, 0},
    {CLOUD_HETZNER, CHANGES, 423, NULL, H("locked"), VERDICT_NOT_DONE, CAUSE_LOCKED, 0, 0},
    {CLOUD_HETZNER, CHANGES, 423, NULL, "", VERDICT_NOT_DONE, CAUSE_LOCKED, 0, 0},
    {CLOUD_HETZNER, CHANGES, 423, NULL, H("protected"), VERDICT_REFUSED, CAUSE_INVALID, 0, 0},
    {CLOUD_HETZNER, CHANGES, 409, NULL, H("conflict"), VERDICT_NOT_DONE, CAUSE_LOCKED, 0, 0},
    {CLOUD_HETZNER, CHANGES, 409, NULL, H("uniqueness_error"), VERDICT_REFUSED, CAUSE_CONFLICT, 0, 0},
    {CLOUD_HETZNER, CHANGES, 412, NULL, H("resource_unavailable"), VERDICT_NOT_DONE, CAUSE_CAPACITY, 30000, 0},
    {CLOUD_HETZNER, CHANGES, 403, NULL, H("resource_limit_exceeded"), VERDICT_NOT_DONE, CAUSE_CAPACITY, 60000, 0},
    {CLOUD_HETZNER, CHANGES, 403, NULL, H("maintenance"), VERDICT_NOT_DONE, CAUSE_OUTAGE, 30000, 0},
    {CLOUD_HETZNER, CHANGES, 401, NULL, H("unauthorized"), VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_HETZNER, CHANGES, 401, NULL, H("token_readonly"), VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_HETZNER, CHANGES, 403, NULL, H("forbidden"), VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_HETZNER, READS, 404, NULL, H("not_found"), VERDICT_REFUSED, CAUSE_GONE, 0, 0},
    {CLOUD_HETZNER, READS, 404, NULL, "<html>", VERDICT_REFUSED, CAUSE_GONE, 0, 0},
    {CLOUD_HETZNER, CHANGES, 422, NULL, H("invalid_input"), VERDICT_REFUSED, CAUSE_INVALID, 0, 0},
    {CLOUD_HETZNER, CHANGES, 422, NULL, H("service_error"), VERDICT_UNKNOWN, CAUSE_OUTAGE, 0, 0},
    {CLOUD_HETZNER, CHANGES, 429, "ratelimit-limit: 3600\nratelimit-remaining: 0\nratelimit-reset: 1795258800",
     H("rate_limit_exceeded"), VERDICT_NOT_DONE, CAUSE_RATE, 1000, 0},
    {CLOUD_HETZNER, CHANGES, 429, "retry-after: 7", H("rate_limit_exceeded"), VERDICT_NOT_DONE, CAUSE_RATE, 7000, 0},
    {CLOUD_HETZNER, CHANGES, 429, NULL, "", VERDICT_NOT_DONE, CAUSE_RATE, 1000, 0},
    {CLOUD_HETZNER, CHANGES, 503, NULL, H("unavailable"), VERDICT_NOT_DONE, CAUSE_OUTAGE, 5000, 0},
    {CLOUD_HETZNER, CHANGES, 503, "retry-after: 20", H("unavailable"), VERDICT_NOT_DONE, CAUSE_OUTAGE, 20000, 0},
    {CLOUD_HETZNER, CHANGES, 500, NULL, H("server_error"), VERDICT_UNKNOWN, CAUSE_OUTAGE, 0, 0},
    {CLOUD_HETZNER, CHANGES, 502, NULL, "<html>Bad Gateway</html>", VERDICT_UNKNOWN, CAUSE_OUTAGE, 0, 0},
    {CLOUD_HETZNER, READS, 502, NULL, "<html>Bad Gateway</html>", VERDICT_NOT_DONE, CAUSE_OUTAGE, 0, 0},
    {CLOUD_HETZNER, CHANGES, 504, NULL, H("timeout"), VERDICT_UNKNOWN, CAUSE_OUTAGE, 0, 0},
    {CLOUD_HETZNER, CHANGES, 301, NULL, "", VERDICT_NOT_DONE, CAUSE_INVALID, 5000, 3},
    {CLOUD_HETZNER, CHANGES, 999, NULL, "", VERDICT_UNKNOWN, CAUSE_OUTAGE, 0, 0},
    /* Stripe */
    {CLOUD_STRIPE, CHANGES, 200, NULL, "{}", VERDICT_DONE, CAUSE_NONE, 0, 0},
    {CLOUD_STRIPE, CHANGES, 400, NULL, S("invalid_request_error", "parameter_missing"), VERDICT_REFUSED, CAUSE_INVALID,
     0, 0},
    {CLOUD_STRIPE, CHANGES, 400, NULL, "{\"error\":{\"type\":\"idempotency_error\",\"message\":\"m\"}}",
     VERDICT_REFUSED, CAUSE_INVALID, 0, 0},
    {CLOUD_STRIPE, CHANGES, 401, NULL, S("invalid_request_error", ""), VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_STRIPE, CHANGES, 402, NULL, S("card_error", "card_declined"), VERDICT_REFUSED, CAUSE_INVALID, 0, 0},
    {CLOUD_STRIPE, CHANGES, 403, NULL, S("invalid_request_error", ""), VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_STRIPE, CHANGES, 404, NULL, S("invalid_request_error", "resource_missing"), VERDICT_REFUSED, CAUSE_GONE, 0,
     0},
    {CLOUD_STRIPE, CHANGES, 409, NULL, S("idempotency_error", "idempotency_key_in_use"), VERDICT_NOT_DONE, CAUSE_LOCKED,
     0, 0},
    {CLOUD_STRIPE, CHANGES, 409, NULL, "", VERDICT_NOT_DONE, CAUSE_CONFLICT, 1000, 0},
    {CLOUD_STRIPE, CHANGES, 424, NULL, S("api_error", ""), VERDICT_UNKNOWN, CAUSE_CONFLICT, 1000, 0},
    {CLOUD_STRIPE, CHANGES, 429, NULL, S("invalid_request_error", "lock_timeout"), VERDICT_NOT_DONE, CAUSE_LOCKED, 0,
     0},
    {CLOUD_STRIPE, CHANGES, 429, "stripe-rate-limited-reason: global-rate", S("invalid_request_error", "rate_limit"),
     VERDICT_NOT_DONE, CAUSE_RATE, 1000, 0},
    {CLOUD_STRIPE, CHANGES, 429, "stripe-rate-limited-reason: endpoint-concurrency",
     S("invalid_request_error", "rate_limit"), VERDICT_NOT_DONE, CAUSE_RATE, 500, 0},
    {CLOUD_STRIPE, CHANGES, 429, "stripe-rate-limited-reason: resource-specific",
     S("invalid_request_error", "rate_limit"), VERDICT_NOT_DONE, CAUSE_LOCKED, 10000, 0},
    {CLOUD_STRIPE, CHANGES, 429, "stripe-should-retry: false", S("invalid_request_error", "rate_limit"),
     VERDICT_NOT_DONE, CAUSE_RATE, 1000, 0},
    {CLOUD_STRIPE, CHANGES, 500, NULL, S("api_error", ""), VERDICT_UNKNOWN, CAUSE_OUTAGE, 0, 0},
    {CLOUD_STRIPE, CHANGES, 500, "stripe-should-retry: false", S("api_error", ""), VERDICT_REFUSED, CAUSE_OUTAGE, 0, 0},
    {CLOUD_STRIPE, CHANGES, 400, "stripe-should-retry: true", S("invalid_request_error", "lock"), VERDICT_NOT_DONE,
     CAUSE_INVALID, 0, 0},
    {CLOUD_STRIPE, CHANGES, 200, "stripe-should-retry: false", "{}", VERDICT_DONE, CAUSE_NONE, 0, 0},
    {CLOUD_STRIPE, CHANGES, 0, NULL, "", VERDICT_UNKNOWN, CAUSE_OUTAGE, 0, 0},
    /* Graph */
    {CLOUD_GRAPH, READS, 401, NULL, H("InvalidAuthenticationToken"), VERDICT_REFUSED, CAUSE_INVALID, 0, 0},
    {CLOUD_GRAPH, READS, 403, NULL, H("Forbidden"), VERDICT_REFUSED, CAUSE_INVALID, 0, 0},
    {CLOUD_GRAPH, READS, 404, NULL, H("NotFound"), VERDICT_REFUSED, CAUSE_GONE, 0, 0},
    {CLOUD_GRAPH, READS, 429, "retry-after: 30", H("TooManyRequests"), VERDICT_NOT_DONE, CAUSE_CAPACITY, 30000, 0},
    {CLOUD_GRAPH, READS, 429, NULL, H("TooManyRequests"), VERDICT_NOT_DONE, CAUSE_CAPACITY, 1000, 0},
    {CLOUD_GRAPH, READS, 503, "retry-after: 7", "", VERDICT_NOT_DONE, CAUSE_OUTAGE, 7000, 0},
    /* GitHub */
    {CLOUD_GITHUB, CHANGES, 204, NULL, "", VERDICT_DONE, CAUSE_NONE, 0, 0},
    {CLOUD_GITHUB, CHANGES, 401, NULL, M("Bad credentials"), VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_GITHUB, CHANGES, 403, NULL, M("Resource not accessible by personal access token"), VERDICT_NOT_DONE,
     CAUSE_AUTH, 0, 0},
    {CLOUD_GITHUB, CHANGES, 403, "retry-after: 5", M("You have exceeded a secondary rate limit. Please wait"),
     VERDICT_NOT_DONE, CAUSE_RATE, 5000, 0},
    {CLOUD_GITHUB, CHANGES, 403, NULL, M("You have exceeded a secondary rate limit. Please wait"), VERDICT_NOT_DONE,
     CAUSE_RATE, 60000, 0},
    {CLOUD_GITHUB, CHANGES, 429, NULL, M("You have exceeded a secondary rate limit"), VERDICT_UNKNOWN, CAUSE_RATE,
     60000, 0},
    {CLOUD_GITHUB, CHANGES, 429, "retry-after: 5", "", VERDICT_UNKNOWN, CAUSE_RATE, 5000, 0},
    {CLOUD_GITHUB, READS, 429, NULL, M("API rate limit exceeded"), VERDICT_NOT_DONE, CAUSE_RATE, 1000, 0},
    {CLOUD_GITHUB, CHANGES, 403, "x-ratelimit-limit: 5000\nx-ratelimit-remaining: 0\nx-ratelimit-reset: 1795255230",
     M("API rate limit exceeded for user ID 1."), VERDICT_NOT_DONE, CAUSE_RATE, 30000, 0},
    {CLOUD_GITHUB, CHANGES, 403, "x-ratelimit-limit: 5000\nx-ratelimit-remaining: 0\nx-ratelimit-reset: 1795255230",
     M("Forbidden"), VERDICT_NOT_DONE, CAUSE_RATE, 30000, 0},
    {CLOUD_GITHUB, CHANGES, 403, NULL, "Request forbidden by administrative rules.", VERDICT_NOT_DONE, CAUSE_AUTH, 0,
     0},
    {CLOUD_GITHUB, CHANGES, 404, NULL, M("Not Found"), VERDICT_REFUSED, CAUSE_GONE, 0, 0},
    {CLOUD_GITHUB, CHANGES, 409, NULL, M("Cannot cancel a workflow run that is completed."), VERDICT_REFUSED,
     CAUSE_CONFLICT, 0, 0},
    {CLOUD_GITHUB, CHANGES, 422, NULL, M("No ref found for: main"), VERDICT_REFUSED, CAUSE_INVALID, 0, 0},
    {CLOUD_GITHUB, CHANGES, 500, NULL, "", VERDICT_UNKNOWN, CAUSE_OUTAGE, 0, 0},
    {CLOUD_GITHUB, READS, 503, "retry-after: 9", "", VERDICT_NOT_DONE, CAUSE_OUTAGE, 9000, 0},
    /* Tailscale */
    {CLOUD_TAILSCALE, CHANGES, 200, NULL, "", VERDICT_DONE, CAUSE_NONE, 0, 0},
    {CLOUD_TAILSCALE, CHANGES, 401, NULL, M("API token invalid"), VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_TAILSCALE, CHANGES, 403, NULL, M("actor cannot do that"), VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_TAILSCALE, CHANGES, 404, NULL, M("not found"), VERDICT_REFUSED, CAUSE_GONE, 0, 0},
    {CLOUD_TAILSCALE, CHANGES, 501, NULL, M("cannot delete devices outside of your tailnet"), VERDICT_REFUSED,
     CAUSE_INVALID, 0, 0},
    {CLOUD_TAILSCALE, CHANGES, 429, NULL, M("rate limit exceeded"), VERDICT_NOT_DONE, CAUSE_RATE, 1000, 0},
    {CLOUD_TAILSCALE, CHANGES, 504, NULL, "", VERDICT_UNKNOWN, CAUSE_OUTAGE, 0, 0},
    {CLOUD_TAILSCALE, CHANGES, 408, NULL, "", VERDICT_UNKNOWN, CAUSE_OUTAGE, 0, 0},
};

static void every_answer_has_its_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        struct sl_http_response response = reply_of(cases[i].status, cases[i].headers, cases[i].body);
        struct classification seen;
        classify(cloud_of(cases[i].cloud), cases[i].mutates, &response, NOW_MS, &seen);
        if (seen.verdict != cases[i].verdict || seen.cause != cases[i].cause || seen.after_ms != cases[i].after_ms ||
            seen.attempts_max != cases[i].attempts_max)
            fail_msg("case %zu (%s %d %s): %s %s after %lld, at most %d", i, cloud_of(cases[i].cloud)->name,
                     cases[i].status, cases[i].body, verdict_name(seen.verdict), cause_name(seen.cause),
                     (long long)seen.after_ms, seen.attempts_max);
        assert_int_equal(seen.error.message[0] == '\0', seen.verdict == VERDICT_DONE);
    }
}

/* No row stands behind one that catches everything it would. */
static void every_rule_can_be_reached(void **state)
{
    (void)state;
    size_t count = 0;
    const struct classify_rule *rules = classify_rules(&count);
    for (size_t late = 0; late < count; late++) {
        for (size_t early = 0; early < late; early++) {
            const struct classify_rule *first = &rules[early];
            const struct classify_rule *second = &rules[late];
            bool covers = (first->cloud == CLOUD_NONE || first->cloud == second->cloud) &&
                          first->status_min <= second->status_min && first->status_max >= second->status_max &&
                          (!first->code || (second->code && strcmp(first->code, second->code) == 0)) &&
                          (!first->fragment || (second->fragment && strstr(second->fragment, first->fragment))) &&
                          (!first->spent || second->spent);
            if (covers)
                fail_msg("row %zu is never reached: row %zu comes before it", late, early);
        }
    }
}

/* Whatever the status, there is a verdict, and only a success is one. */
static void no_status_is_left_out(void **state)
{
    (void)state;
    for (int cloud = CLOUD_NONE + 1; cloud < CLOUD_COUNT; cloud++) {
        for (int status = 1; status <= 999; status++) {
            struct sl_http_response response = reply_of(status, NULL, "");
            struct classification seen;
            classify(cloud_of((enum cloud_id)cloud), true, &response, NOW_MS, &seen);
            assert_int_equal(seen.verdict == VERDICT_DONE, status >= 200 && status <= 299);
            classify(cloud_of((enum cloud_id)cloud), false, &response, NOW_MS, &seen);
            assert_int_not_equal(seen.verdict, VERDICT_UNKNOWN);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_has_its_verdict),
        cmocka_unit_test(every_rule_can_be_reached),
        cmocka_unit_test(no_status_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
