/* classify.c - the table of answers. Sources: docs.hetzner.cloud "Errors" and hcloud-go's retry policy; docs.github.com
 * "Best practices for using the REST API", "Rate limits", "Create a workflow dispatch event"; Tailscale's API
 * reference; resend.com/docs/api-reference/errors; docs.stripe.com "Errors", "Rate limits", "Advanced error handling"
 * and stripe-node's retry policy; learn.microsoft.com "Microsoft Graph error responses", "Microsoft Graph throttling
 * guidance".
 */
#include "worker/execute/classify.h"

#include <stdio.h>
#include <string.h>

#define ANY 0, 999 /* status_min, status_max */

static const struct classify_rule rules[] = {
    /* Hetzner: its codes say more than the statuses, and a proxy's statuses come without a code */
    {CLOUD_HETZNER, ANY, "unauthorized", NULL, false, VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_HETZNER, ANY, "token_readonly", NULL, false, VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_HETZNER, ANY, "forbidden", NULL, false, VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_HETZNER, ANY, "rate_limit_exceeded", NULL, false, VERDICT_NOT_DONE, CAUSE_RATE, 1000, 0},
    {CLOUD_HETZNER, ANY, "locked", NULL, false, VERDICT_NOT_DONE, CAUSE_LOCKED, 0, 0},
    {CLOUD_HETZNER, ANY, "conflict", NULL, false, VERDICT_NOT_DONE, CAUSE_LOCKED, 0, 0},
    {CLOUD_HETZNER, ANY, "resource_unavailable", NULL, false, VERDICT_NOT_DONE, CAUSE_CAPACITY, 30000, 0},
    {CLOUD_HETZNER, ANY, "placement_error", NULL, false, VERDICT_NOT_DONE, CAUSE_CAPACITY, 30000, 0},
    {CLOUD_HETZNER, ANY, "resource_limit_exceeded", NULL, false, VERDICT_NOT_DONE, CAUSE_CAPACITY, 60000, 0},
    {CLOUD_HETZNER, ANY, "maintenance", NULL, false, VERDICT_NOT_DONE, CAUSE_OUTAGE, 30000, 0},
    {CLOUD_HETZNER, ANY, "unavailable", NULL, false, VERDICT_NOT_DONE, CAUSE_OUTAGE, 5000, 0},
    {CLOUD_HETZNER, ANY, "service_error", NULL, false, VERDICT_UNKNOWN, CAUSE_OUTAGE, 0, 0},
    {CLOUD_HETZNER, ANY, "server_error", NULL, false, VERDICT_UNKNOWN, CAUSE_OUTAGE, 0, 0},
    {CLOUD_HETZNER, ANY, "not_found", NULL, false, VERDICT_REFUSED, CAUSE_GONE, 0, 0},
    {CLOUD_HETZNER, ANY, "server_not_stopped", NULL, false, VERDICT_REFUSED, CAUSE_CONFLICT, 0, 0},
    {CLOUD_HETZNER, ANY, "uniqueness_error", NULL, false, VERDICT_REFUSED, CAUSE_CONFLICT, 0, 0},
    {CLOUD_HETZNER, ANY, "protected", NULL, false, VERDICT_REFUSED, CAUSE_INVALID, 0, 0},
    {CLOUD_HETZNER, 423, 423, NULL, NULL, false, VERDICT_NOT_DONE, CAUSE_LOCKED, 0, 0},

    /* GitHub: 403 is a limit, or a permission that the token lacks for every job alike */
    /* after a 429 a dispatch is looked for before it is made again */
    {CLOUD_GITHUB, 429, 429, NULL, "secondary rate limit", false, VERDICT_UNKNOWN, CAUSE_RATE, 60000, 0},
    {CLOUD_GITHUB, 429, 429, NULL, "abuse detection", false, VERDICT_UNKNOWN, CAUSE_RATE, 60000, 0},
    {CLOUD_GITHUB, 429, 429, NULL, NULL, false, VERDICT_UNKNOWN, CAUSE_RATE, 1000, 0},
    {CLOUD_GITHUB, 403, 403, NULL, "secondary rate limit", false, VERDICT_NOT_DONE, CAUSE_RATE, 60000, 0},
    {CLOUD_GITHUB, 403, 403, NULL, "abuse detection", false, VERDICT_NOT_DONE, CAUSE_RATE, 60000, 0},
    {CLOUD_GITHUB, 403, 403, NULL, "rate limit exceeded", false, VERDICT_NOT_DONE, CAUSE_RATE, 1000, 0},
    {CLOUD_GITHUB, 403, 403, NULL, NULL, true, VERDICT_NOT_DONE, CAUSE_RATE, 1000, 0},
    {CLOUD_GITHUB, 403, 403, NULL, NULL, false, VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    /* a workflow just pushed isn't indexed yet: these have been seen to go away by themselves */
    {CLOUD_GITHUB, 404, 404, NULL, NULL, false, VERDICT_REFUSED, CAUSE_GONE, 0, 0},
    {CLOUD_GITHUB, 422, 422, NULL, NULL, false, VERDICT_REFUSED, CAUSE_INVALID, 0, 0},
    {CLOUD_GITHUB, 409, 409, NULL, NULL, false, VERDICT_REFUSED, CAUSE_CONFLICT, 0, 0},

    {CLOUD_TAILSCALE, 403, 403, NULL, NULL, false, VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_TAILSCALE, 501, 501, NULL, NULL, false, VERDICT_REFUSED, CAUSE_INVALID, 0, 0},

    /* the provisioner: another account's subscription is refused for good, a full machine is not */
    {CLOUD_PROVISIONER, 403, 403, NULL, NULL, false, VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_PROVISIONER, 409, 409, NULL, NULL, false, VERDICT_REFUSED, CAUSE_CONFLICT, 0, 0},
    {CLOUD_PROVISIONER, 503, 503, NULL, "no capacity", false, VERDICT_NOT_DONE, CAUSE_CAPACITY, 30000, 0},

    /* Resend: a quota comes back after hours, whatever the headers say of the second's limit */
    {CLOUD_RESEND, ANY, "invalid_api_key", NULL, false, VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_RESEND, ANY, "restricted_api_key", NULL, false, VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_RESEND, 429, 429, "daily_quota_exceeded", NULL, false, VERDICT_NOT_DONE, CAUSE_QUOTA, 600000, 0},
    {CLOUD_RESEND, 429, 429, "monthly_quota_exceeded", NULL, false, VERDICT_NOT_DONE, CAUSE_QUOTA, 3600000, 0},
    {CLOUD_RESEND, 409, 409, "invalid_idempotent_request", NULL, false, VERDICT_REFUSED, CAUSE_CONFLICT, 0, 0},
    {CLOUD_RESEND, 409, 409, "concurrent_idempotent_requests", NULL, false, VERDICT_NOT_DONE, CAUSE_LOCKED, 1000, 0},

    /* Stripe: the Idempotency-Key makes the same request safe at any time. What is limited for one object, or is under
     * way already, is this job's alone; a saved 500 is given again */
    {CLOUD_STRIPE, 403, 403, NULL, NULL, false, VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_STRIPE, 409, 409, "idempotency_key_in_use", NULL, false, VERDICT_NOT_DONE, CAUSE_LOCKED, 0, 0},
    {CLOUD_STRIPE, 424, 424, NULL, NULL, false, VERDICT_UNKNOWN, CAUSE_CONFLICT, 1000, 0},
    {CLOUD_STRIPE, 429, 429, "lock_timeout", NULL, false, VERDICT_NOT_DONE, CAUSE_LOCKED, 0, 0},
    {CLOUD_STRIPE, 429, 429, "resource-specific", NULL, false, VERDICT_NOT_DONE, CAUSE_LOCKED, 10000, 0},
    {CLOUD_STRIPE, 429, 429, "global-concurrency", NULL, false, VERDICT_NOT_DONE, CAUSE_RATE, 500, 0},
    {CLOUD_STRIPE, 429, 429, "endpoint-concurrency", NULL, false, VERDICT_NOT_DONE, CAUSE_RATE, 500, 0},

    /* Graph: the token is a connection's, so what it may not do, or does too often, is no other job's concern */
    {CLOUD_GRAPH, 401, 401, NULL, NULL, false, VERDICT_REFUSED, CAUSE_INVALID, 0, 0},
    {CLOUD_GRAPH, 403, 403, NULL, NULL, false, VERDICT_REFUSED, CAUSE_INVALID, 0, 0},
    {CLOUD_GRAPH, 429, 429, NULL, NULL, false, VERDICT_NOT_DONE, CAUSE_CAPACITY, 1000, 0},

    /* whatever the cloud */
    {CLOUD_NONE, 200, 299, NULL, NULL, false, VERDICT_DONE, CAUSE_NONE, 0, 0},
    {CLOUD_NONE, 401, 401, NULL, NULL, false, VERDICT_NOT_DONE, CAUSE_AUTH, 0, 0},
    {CLOUD_NONE, 404, 404, NULL, NULL, false, VERDICT_REFUSED, CAUSE_GONE, 0, 0},
    {CLOUD_NONE, 408, 408, NULL, NULL, false, VERDICT_UNKNOWN, CAUSE_OUTAGE, 0, 0},
    {CLOUD_NONE, 409, 409, NULL, NULL, false, VERDICT_NOT_DONE, CAUSE_CONFLICT, 1000, 0},
    {CLOUD_NONE, 412, 412, NULL, NULL, false, VERDICT_NOT_DONE, CAUSE_CAPACITY, 30000, 0},
    {CLOUD_NONE, 429, 429, NULL, NULL, false, VERDICT_NOT_DONE, CAUSE_RATE, 1000, 0},
    {CLOUD_NONE, 400, 499, NULL, NULL, false, VERDICT_REFUSED, CAUSE_INVALID, 0, 0},
    {CLOUD_NONE, 500, 599, NULL, NULL, false, VERDICT_UNKNOWN, CAUSE_OUTAGE, 0, 0},
    /* a redirect is not followed: a proxy or a base URL that is wrong for every job alike; few attempts show it */
    {CLOUD_NONE, 300, 399, NULL, NULL, false, VERDICT_NOT_DONE, CAUSE_INVALID, 5000, 3},
    {CLOUD_NONE, ANY, NULL, NULL, false, VERDICT_UNKNOWN, CAUSE_OUTAGE, 0, 0},
};

const struct classify_rule *classify_rules(size_t *ret_count)
{
    *ret_count = SL_ARRAY_LEN(rules);
    return rules;
}

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[VERDICT_COUNT] = {[VERDICT_DONE] = "done",
                                                     [VERDICT_NOT_DONE] = "not_done",
                                                     [VERDICT_REFUSED] = "refused",
                                                     [VERDICT_UNKNOWN] = "unknown"};
    SL_ASSERT(verdict >= VERDICT_DONE && verdict < VERDICT_COUNT);
    return names[verdict];
}

const char *cause_name(enum cause cause)
{
    static const char *const names[CAUSE_COUNT] = {
        [CAUSE_NONE] = "",
        [CAUSE_AUTH] = "auth",
        [CAUSE_RATE] = "rate_limit",
        [CAUSE_QUOTA] = "quota",
        [CAUSE_LOCKED] = "locked",
        [CAUSE_GONE] = "gone",
        [CAUSE_CONFLICT] = "conflict",
        [CAUSE_CAPACITY] = "capacity",
        [CAUSE_OUTAGE] = "outage",
        [CAUSE_INVALID] = "invalid",
    };
    SL_ASSERT(cause >= CAUSE_NONE && cause < CAUSE_COUNT);
    return names[cause];
}

static bool matches(const struct classify_rule *rule, enum cloud_id cloud, int status,
                    const struct classification *seen)
{
    if (rule->cloud != CLOUD_NONE && rule->cloud != cloud)
        return false;
    if (status < rule->status_min || status > rule->status_max)
        return false;
    if (rule->code && strcmp(rule->code, seen->error.code) != 0)
        return false;
    if (rule->fragment && !strcasestr(seen->error.message, rule->fragment))
        return false;
    return !rule->spent || (seen->limits.known && seen->limits.remaining == 0);
}

/* How long the cloud wants to be left alone after a refusal for its limit. */
static int64_t rate_wait_ms(const struct cloud_limits *limits, int64_t least_ms, int64_t now_ms)
{
    if (limits->retry_after_ms >= 0)
        return limits->retry_after_ms > 0 ? limits->retry_after_ms : 1;
    if (limits->known && limits->refill_ms > 0)
        return limits->refill_ms > least_ms ? limits->refill_ms : least_ms;
    if (limits->known && limits->remaining == 0 && limits->reset_at_ms > now_ms)
        return limits->reset_at_ms - now_ms;
    return least_ms;
}

/* The cloud's own word on repeating this very request. It doesn't know of waiting for new credentials or for a limit to
 * pass. */
static void take_advice(struct classification *seen)
{
    if (seen->cause == CAUSE_AUTH || seen->cause == CAUSE_RATE || seen->verdict == VERDICT_DONE)
        return;
    if (seen->error.advice == CLOUD_ADVICE_GIVE_UP)
        seen->verdict = VERDICT_REFUSED;
    else if (seen->error.advice == CLOUD_ADVICE_REPEAT && seen->verdict == VERDICT_REFUSED)
        seen->verdict = VERDICT_NOT_DONE;
}

static void classify_answered(const struct cloud *cloud, const struct sl_http_response *response, int64_t now_ms,
                              struct classification *ret)
{
    cloud->read_limits(response, now_ms, &ret->limits);
    cloud->read_error(response, &ret->error);
    for (size_t i = 0; i < SL_ARRAY_LEN(rules); i++) {
        const struct classify_rule *rule = &rules[i];
        if (!matches(rule, cloud->id, response->status, ret))
            continue;
        ret->verdict = rule->verdict;
        ret->cause = rule->cause;
        ret->after_ms = rule->after_ms;
        ret->attempts_max = rule->attempts_max;
        break;
    }
    SL_ASSERT(ret->verdict >= VERDICT_DONE && ret->verdict < VERDICT_COUNT);
    take_advice(ret);
    if (ret->cause == CAUSE_RATE)
        ret->after_ms = rate_wait_ms(&ret->limits, ret->after_ms, now_ms);
    else if ((ret->verdict == VERDICT_NOT_DONE || ret->verdict == VERDICT_UNKNOWN) &&
             ret->limits.retry_after_ms > ret->after_ms)
        ret->after_ms = ret->limits.retry_after_ms;
}

void classify(const struct cloud *cloud, bool mutates, const struct sl_http_response *response, int64_t now_ms,
              struct classification *ret_classification)
{
    struct classification result = {.cause = CAUSE_OUTAGE, .limits = {.retry_after_ms = -1}};
    if (response->end == SL_HTTP_NOT_SENT)
        result.verdict = VERDICT_NOT_DONE;
    else if (response->end == SL_HTTP_UNKNOWN)
        result.verdict = VERDICT_UNKNOWN;
    else
        classify_answered(cloud, response, now_ms, &result);

    if (result.verdict == VERDICT_UNKNOWN && !mutates)
        result.verdict = VERDICT_NOT_DONE;
    if (result.verdict == VERDICT_DONE)
        result.error = (struct cloud_error){0};
    else if (result.error.message[0] == '\0' && response->end == SL_HTTP_ANSWERED)
        (void)snprintf(result.error.message, sizeof(result.error.message), "answered %d without a reason",
                       response->status);
    else if (result.error.message[0] == '\0')
        cloud_copy(result.error.message, sizeof(result.error.message),
                   sl_str_of(response->err ? response->err->message : "no answer"));
    *ret_classification = result;
}
