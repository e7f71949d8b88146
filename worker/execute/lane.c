/* lane.c - one cloud's gate: who may call now, and what its answers teach. */
#include "worker/execute/lane.h"

#include "common/log.h"
#include "common/secret.h"

#define TOKEN_RENEWED_BEFORE_MS INT64_C(60000)
#define WAITING_FACTOR          2 /* jobs claimed and waiting, in multiples of the concurrency */

void lane_init(struct lane *lane, enum cloud_id id, struct sl_metrics *metrics)
{
    *lane = (struct lane){.cloud = cloud_of(id), .metrics = metrics};
    const char *name = lane->cloud->name;
    struct sl_metric *calls = sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_execute_calls_total",
                                                "cloud,verdict", "Calls to clouds, by how they ended");
    for (int i = VERDICT_DONE; i < VERDICT_COUNT; i++)
        lane->calls[i] = sl_metric_with(calls, name, verdict_name((enum verdict)i));
    lane->seconds = sl_metric_with(
        sl_metrics_family(metrics, SL_METRIC_HISTOGRAM, "sluice_execute_call_seconds", "cloud", "How long calls took"),
        name);
    lane->in_flight = sl_metric_with(
        sl_metrics_family(metrics, SL_METRIC_GAUGE, "sluice_execute_calls_in_flight", "cloud", "Calls in the air"),
        name);
    lane->waiting_count = sl_metric_with(sl_metrics_family(metrics, SL_METRIC_GAUGE, "sluice_execute_calls_waiting",
                                                           "cloud", "Jobs waiting for the cloud's limits"),
                                         name);
    struct sl_metric *states = sl_metrics_family(metrics, SL_METRIC_GAUGE, "sluice_execute_breaker", "cloud,state",
                                                 "1 for the state that the cloud's breaker is in");
    for (int i = BREAKER_CLOSED; i < BREAKER_STATE_COUNT; i++)
        lane->states[i] = sl_metric_with(states, name, breaker_state_name((enum breaker_state)i));
}

static void show(struct lane *lane)
{
    for (int i = BREAKER_CLOSED; i < BREAKER_STATE_COUNT; i++)
        sl_metric_set(lane->states[i], lane->breaker.state == (enum breaker_state)i);
    sl_metric_set(lane->in_flight, lane->limiter.in_flight);
    sl_metric_set(lane->waiting_count, (int64_t)lane_waiting_count(lane));
}

static void show_missing(struct lane *lane, const char *variable)
{
    struct sl_metric *family =
        sl_metrics_family(lane->metrics, SL_METRIC_GAUGE, "sluice_execute_cloud_unconfigured", "cloud,variable",
                          "1 while jobs of a cloud wait because the variable is not set");
    for (size_t i = 0; i < lane->cloud->required_count; i++) {
        const char *required = lane->cloud->required[i].variable;
        sl_metric_set(sl_metric_with(family, lane->cloud->name, required),
                      variable && sl_str_is(sl_str_of(variable), required));
    }
}

void lane_configure(struct lane *lane, const struct settings *settings)
{
    const struct cloud_settings *of = &settings->clouds[lane->cloud->id];
    const struct cloud_account *account = &settings->accounts[lane->cloud->id];
    int in_flight = lane->limiter.in_flight;
    lane->settings = of;
    breaker_init(&lane->breaker, of->breaker_failures, of->breaker_open_ms, of->missing_variable);
    limiter_init(&lane->limiter, of->concurrency);
    lane->limiter.in_flight = in_flight;
    bool by_client = lane->cloud->id == CLOUD_TAILSCALE && sl_str_empty(account->token);
    sl_secret_wipe(&lane->token, sizeof(lane->token));
    lane->token_round++;
    lane->token_state = by_client ? TOKEN_MISSING : TOKEN_NOT_NEEDED;
    lane->changed = true;
    show_missing(lane, of->missing_variable);
    show(lane);
    if (of->missing_variable)
        sl_log(SL_LOG_WARN, "execute", "cloud is not configured: its jobs wait", LOG_CSTR("cloud", lane->cloud->name),
               LOG_CSTR("variable", of->missing_variable));
}

void lane_deinit(struct lane *lane)
{
    sl_secret_wipe(&lane->token, sizeof(lane->token));
}

enum lane_answer lane_enter(struct lane *lane, int priority, int64_t wall_ms, int64_t mono_ms)
{
    if (!breaker_may_call(&lane->breaker, mono_ms))
        return LANE_CLOSED;
    if (lane->token_state == TOKEN_HELD && mono_ms >= lane->token_until_mono_ms)
        lane->token_state = TOKEN_MISSING;
    /* asking for a token is a call as well */
    if (!limiter_may_start(&lane->limiter, priority, wall_ms))
        return LANE_FULL;
    if (lane->token_state == TOKEN_MISSING || lane->token_state == TOKEN_ASKED)
        return LANE_TOKEN;
    breaker_called(&lane->breaker);
    limiter_started(&lane->limiter);
    show(lane);
    return LANE_GO;
}

void lane_leave(struct lane *lane)
{
    limiter_ended(&lane->limiter);
    breaker_uncalled(&lane->breaker);
    show(lane);
}

static enum breaker_signal signal_of(const struct classification *classification)
{
    if (classification->cause == CAUSE_AUTH)
        return BREAKER_AUTH;
    return classification->cause == CAUSE_OUTAGE ? BREAKER_FAILURE : BREAKER_HEALTHY;
}

void lane_learn(struct lane *lane, const struct classification *classification, int64_t took_ms, int64_t wall_ms,
                int64_t mono_ms)
{
    limiter_ended(&lane->limiter);
    limiter_learn(&lane->limiter, &classification->limits,
                  classification->cause == CAUSE_RATE || classification->cause == CAUSE_QUOTA ? classification->after_ms
                                                                                              : 0,
                  wall_ms);
    sl_metric_add(lane->calls[classification->verdict], 1);
    sl_metric_observe_ms(lane->seconds, (double)took_ms);
    enum breaker_state before = lane->breaker.state;
    if (breaker_record(&lane->breaker, signal_of(classification), mono_ms)) {
        lane->changed = true;
        sl_log(lane->breaker.state == BREAKER_CLOSED ? SL_LOG_INFO : SL_LOG_WARN, "execute", "breaker moved",
               LOG_CSTR("cloud", lane->cloud->name), LOG_CSTR("from", breaker_state_name(before)),
               LOG_CSTR("to", breaker_state_name(lane->breaker.state)), LOG_CSTR("reason", lane->breaker.reason),
               LOG_CSTR("error", classification->error.message));
    }
    /* the key or token was refused: the next probe comes with a new one */
    if (classification->cause == CAUSE_AUTH && lane->token_state == TOKEN_HELD)
        lane->token_state = TOKEN_MISSING;
    show(lane);
}

size_t lane_waiting_count(const struct lane *lane)
{
    size_t count = 0;
    for (int i = 0; i < LIMITER_PRIORITIES; i++)
        count += lane->waiting[i].count;
    return count;
}

int lane_claims_max(struct lane *lane, int64_t mono_ms)
{
    if (!breaker_may_call(&lane->breaker, mono_ms))
        return 0;
    int waiting = (int)lane_waiting_count(lane);
    if (lane->breaker.state == BREAKER_HALF_OPEN)
        return waiting > 0 ? 0 : 1;
    int room = lane->limiter.concurrency * WAITING_FACTOR - waiting;
    return room > 0 ? room : 0;
}

int64_t lane_wait_ms(const struct lane *lane, int64_t wall_ms)
{
    for (int priority = 0; priority < LIMITER_PRIORITIES; priority++)
        if (lane->waiting[priority].count > 0)
            return limiter_wait_ms(&lane->limiter, priority, wall_ms);
    return -1;
}

void lane_token_held(struct lane *lane, const struct tailscale_token *token, int64_t mono_ms)
{
    int64_t life_ms = token->expires_in_ms;
    lane->token = *token;
    lane->token_state = TOKEN_HELD;
    lane->token_until_mono_ms =
        mono_ms + (life_ms > 2 * TOKEN_RENEWED_BEFORE_MS ? life_ms - TOKEN_RENEWED_BEFORE_MS : life_ms / 2);
}

void lane_token_failed(struct lane *lane)
{
    if (lane->token_state == TOKEN_ASKED)
        lane->token_state = TOKEN_MISSING;
}
