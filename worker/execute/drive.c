/* drive.c - a flight's way from step to step: enter, take a slot, commit the intent, call, read the reply, go on.
 *
 * Nothing here waits. What needs Postgres goes into the write set; replies come in from sl_http_poll. A flight is moved
 * at most one step at a time and put on the ready list, so that no recipe holds the thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/fault.h"
#include "common/log.h"
#include "common/utf8.h"
#include "worker/execute/engine_internal.h"

#define HAND_BACK_JITTER_MS 500
#define BLOCKED_WAIT_MS     200
#define OVERDUE_EVERY_MS    250

/* Text that was cut somewhere, up to its last whole character: Postgres takes nothing else. */
static void copy_text(char *ret_text, size_t bytes, const char *text)
{
    struct sl_str whole = sl_str_of(text);
    size_t length = 0;
    for (size_t step = sl_utf8_bytes_at(whole, 0); step > 0 && length + step < bytes;
         step = sl_utf8_bytes_at(whole, length))
        length += step;
    memcpy(ret_text, text, length);
    ret_text[length] = '\0';
}

static void ready(struct engine *engine, struct flight *flight)
{
    if (flight->state != FLIGHT_READY)
        flight_move(flight, FLIGHT_READY);
    flight_list_remove(flight);
    flight_list_push(&engine->ready, flight);
}

static void leave_slot(struct engine *engine, struct flight *flight)
{
    if (flight->has_slot)
        lane_leave(&engine->lanes[flight->step->cloud]);
    flight->has_slot = false;
}

void drive_free(struct engine *engine, struct flight *flight)
{
    leave_slot(engine, flight);
    write_set_remove(&engine->writes, flight);
    if (flight->state == FLIGHT_SLEEPING)
        sleepers_wake(&engine->sleepers, flight);
    flight_free(&engine->pool, flight);
    engine->flying--;
}

void drive_lost(struct engine *engine, struct flight *flight)
{
    sl_metric_add(engine->lost_total, 1);
    sl_log(SL_LOG_INFO, "execute", "job moved on without us: what it still brings is dropped",
           LOG_CSTR("job", flight->job.id_text), LOG_CSTR("user", flight->job.user_id),
           LOG_CSTR("step", flight->step->name), LOG_INT("fence", flight->fence));
    if (flight->state == FLIGHT_CALLING) {
        flight->lost = true; /* freed by its call's end */
        write_set_remove(&engine->writes, flight);
        return;
    }
    drive_free(engine, flight);
}

void drive_end(struct engine *engine, struct flight *flight, enum flight_end end, int64_t after_ms, const char *error)
{
    leave_slot(engine, flight);
    flight_list_remove(flight);
    /* an intent that was never followed by a call is none */
    if (flight->intent_committed) {
        flight->job.found.intent[0] = '\0';
        flight->intent_committed = false;
    }
    flight->end = end;
    flight->after_ms = after_ms;
    copy_text(flight->error, sizeof(flight->error), error);
    flight_move(flight, FLIGHT_ENDING);
    flight_check(flight);
    write_set_add(&engine->writes, flight);
}

static void hand_back(struct engine *engine, struct flight *flight, int64_t after_ms, const char *error)
{
    if (after_ms > 0)
        after_ms += (int64_t)(engine_random(engine) % HAND_BACK_JITTER_MS);
    drive_end(engine, flight, FLIGHT_END_HANDED_BACK, after_ms, error);
}

static void go_to(struct flight *flight, const char *name)
{
    const struct step *step = recipe_step(flight->recipe, sl_str_of(name));
    SL_ASSERT(step);
    if (step != flight->step) {
        flight->job.found.waits_from_ms = 0;
        flight->poll_ms = 0;
        flight->intent_committed = false;
    }
    flight->step = step;
}

static bool is_late(const struct flight *flight)
{
    return flight->overdue || (flight->deadline_at_ms > 0 && sl_clock_wall_ms() >= flight->deadline_at_ms);
}

/* Nobody waits for it any longer. What undoes things has no such end. */
static bool is_given_up(const struct flight *flight)
{
    return flight->recipe->may_cancel && is_late(flight);
}

static void give_up(struct engine *engine, struct flight *flight)
{
    char error[RECIPE_ERROR_BYTES];
    (void)snprintf(error, sizeof(error), "the deadline passed at step %s, after %d failed attempts%s",
                   flight->step->name, flight->attempt,
                   flight->job.found.intent[0] != '\0' && !flight->intent_committed
                       ? "; whether it took effect is not known"
                       : "");
    drive_end(engine, flight, FLIGHT_END_FAILED, 0, error);
}

static void go_on_without(struct engine *engine, struct flight *flight, const char *next, const char *error)
{
    sl_log(SL_LOG_WARN, "execute", "step is given up: the job goes on without it", LOG_CSTR("job", flight->job.id_text),
           LOG_CSTR("user", flight->job.user_id), LOG_CSTR("step", flight->step->name), LOG_CSTR("error", error));
    go_to(flight, next);
    write_set_add(&engine->writes, flight);
    ready(engine, flight);
}

/* The cloud can't be called: no fault of the job's, which waits; or goes on without the step, where it may and has
 * waited long enough. */
static void wait_for_cloud(struct engine *engine, struct flight *flight, int64_t after_ms, const char *error)
{
    const char *next =
        recipe_closed(flight->step, &flight->job, &engine->recipe_settings, sl_clock_wall_ms(), &flight->attempt);
    if (next && engine->drain == DRAIN_NOT)
        go_on_without(engine, flight, next, error);
    else
        hand_back(engine, flight, after_ms, error);
}

static void fail_attempt(struct engine *engine, struct flight *flight, const struct step_result *result)
{
    const struct cloud_settings *of = &engine->settings->clouds[flight->step->cloud];
    int attempts_max =
        result->attempts_max > 0 && result->attempts_max < of->attempts ? result->attempts_max : of->attempts;
    recipe_failed(flight->step, &flight->job, result, &flight->attempt);
    if (result->next)
        go_to(flight, result->next);
    char error[RECIPE_ERROR_BYTES];
    bool late = is_late(flight);
    if (flight->attempt >= attempts_max || late) {
        const char *next = recipe_give_up(flight->step, &flight->job, &flight->attempt);
        if (next) {
            go_on_without(engine, flight, next, result->error);
            return;
        }
        (void)snprintf(error, sizeof(error), "%.40s after %d attempts: %.180s", late ? "deadline passed" : "given up",
                       flight->attempt, result->error);
        drive_end(engine, flight, FLIGHT_END_FAILED, 0, error);
        return;
    }
    int64_t after_ms = backoff_ms(&of->backoff, flight->attempt - 1, result->after_ms, engine_random(engine));
    memcpy(error, result->error, sizeof(error));
    drive_end(engine, flight, FLIGHT_END_RETRY, after_ms, error);
}

static void wait_more(struct engine *engine, struct flight *flight, const struct step_result *result)
{
    const struct cloud_settings *of = &engine->settings->clouds[flight->step->cloud];
    struct findings *found = &flight->job.found;
    int64_t now_ms = sl_clock_wall_ms();
    if (result->next)
        go_to(flight, result->next);
    if (found->waits_from_ms == 0) {
        found->waits_from_ms = now_ms;
        write_set_add(&engine->writes, flight);
    }
    if (now_ms - found->waits_from_ms > flight->step->wait_max_ms) {
        struct step_result late = step_retry(flight->step->look, "step %s has waited for too long", flight->step->name);
        fail_attempt(engine, flight, &late);
        return;
    }
    flight->poll_ms = backoff_poll_ms(flight->poll_ms, of->poll_ms, of->poll_cap_ms);
    int64_t after_ms = result->after_ms > 0 ? result->after_ms : flight->poll_ms;
    flight_list_remove(flight);
    sleepers_add(&engine->sleepers, flight, sl_clock_mono_ms() + after_ms);
}

static void note(const struct flight *flight, const struct step_result *result)
{
    if (result->error[0] != '\0')
        sl_log(SL_LOG_WARN, "execute", result->error, LOG_CSTR("job", flight->job.id_text),
               LOG_CSTR("user", flight->job.user_id), LOG_CSTR("step", flight->step->name));
}

/* What a step said comes next. */
static void apply_result(struct engine *engine, struct flight *flight, const struct step_result *result)
{
    switch (result->action) {
    case STEP_NEXT:
        note(flight, result);
        go_to(flight, result->next);
        ready(engine, flight);
        return;
    case STEP_WAIT:
        wait_more(engine, flight, result);
        return;
    case STEP_RETRY:
        fail_attempt(engine, flight, result);
        return;
    case STEP_REFUSED:
        drive_end(engine, flight, FLIGHT_END_FAILED, 0, result->error);
        return;
    case STEP_DONE:
        drive_end(engine, flight, FLIGHT_END_SUCCEEDED, 0, "");
        return;
    case STEP_WAITING:
        drive_end(engine, flight, FLIGHT_END_WAITING, 0, "");
        return;
    case STEP_CALL:
    case STEP_ACTION_COUNT:
        break;
    }
    sl_assert_failed("a step gave an action that is none", __FILE__, __LINE__);
}

static void record_call(struct engine *engine, struct flight *flight, const struct sl_http_response *response,
                        const struct classification *seen)
{
    struct call_record *record = calls_add(&engine->calls);
    record->job_id = flight->job.id;
    record->fence = flight->fence;
    record->number = ++flight->call_count;
    record->step = flight->step->name;
    record->attempt = flight->attempt;
    record->cloud = cloud_of(flight->step->cloud)->name;
    record->method = flight->method;
    memcpy(record->path, flight->path, sizeof(record->path));
    record->status = response->status;
    record->verdict = seen->verdict;
    copy_text(record->error, sizeof(record->error), seen->error.message);
    record->took_ms = response->took_ms;
    record->at_ms = sl_clock_wall_ms();
}

static void call_ended(void *arg, const struct sl_http_response *response)
{
    struct flight *flight = arg;
    struct engine *engine = flight->engine;
    struct lane *lane = &engine->lanes[flight->step->cloud];
    struct classification seen;
    sl_fault_if(response->end == SL_HTTP_ANSWERED, "execute.after_answer");
    classify(lane->cloud, flight->step->mutates, response, sl_clock_wall_ms(), &seen);
    flight->has_slot = false;
    lane_learn(lane, &seen, response->took_ms, sl_clock_wall_ms(), sl_clock_mono_ms());
    record_call(engine, flight, response, &seen);
    if (flight->lost) {
        drive_free(engine, flight);
        return;
    }
    bool no_fault = seen.cause == CAUSE_AUTH || seen.cause == CAUSE_RATE || seen.cause == CAUSE_QUOTA;
    if (no_fault || (engine->drain == DRAIN_EXPIRED && response->end != SL_HTTP_ANSWERED)) {
        if (seen.verdict != VERDICT_UNKNOWN && flight->step->mutates)
            flight->job.found.intent[0] = '\0';
        int64_t wait_ms = breaker_wait_ms(&lane->breaker, sl_clock_mono_ms());
        int64_t after_ms = seen.after_ms > wait_ms ? seen.after_ms : wait_ms;
        if (seen.cause == CAUSE_AUTH)
            wait_for_cloud(engine, flight, after_ms, seen.error.message);
        else
            hand_back(engine, flight, after_ms, seen.error.message);
        return;
    }
    struct step_result result = recipe_answer(flight->step, &flight->job, &flight->attempt, &engine->recipe_settings,
                                              sl_clock_wall_ms(), response, &seen);
    if (flight->step->mutates)
        write_set_add(&engine->writes, flight);
    apply_result(engine, flight, &result);
}

/* Has a slot, and its intent is committed where it changes something. */
void drive_call(struct engine *engine, struct flight *flight)
{
    struct sl_err err = {0};
    /* the lease may have run out while Postgres was away: another worker has the job then */
    if (sl_clock_mono_ms() >= flight->lease_until_mono_ms) {
        drive_lost(engine, flight);
        return;
    }
    struct step_result result =
        flight->step->prepare(&flight->job, &engine->recipe_settings, sl_clock_wall_ms(), &engine->scratch);
    if (result.action != STEP_CALL) { /* settings changed since it was queued */
        leave_slot(engine, flight);
        if (flight->intent_committed)
            flight->job.found.intent[0] = '\0';
        flight->intent_committed = false;
        apply_result(engine, flight, &result);
        return;
    }
    flight->method = engine->scratch.http.method;
    cloud_copy(flight->path, sizeof(flight->path), sl_str_of(engine->scratch.http.url + engine->scratch.path_at));
    flight_list_remove(flight);
    flight_move(flight, FLIGHT_CALLING);
    flight->intent_committed = false;
    sl_fault("execute.before_call");
    bool started = sl_http_start(engine->http, &engine->scratch.http, call_ended, flight, &err);
    cloud_request_forget(&engine->scratch);
    if (started)
        return;
    struct sl_http_response unsent = {.end = SL_HTTP_NOT_SENT, .err = &err};
    call_ended(flight, &unsent);
}

/* A slot is held: calls now, or commits the intent first. */
static void proceed(struct engine *engine, struct flight *flight)
{
    flight->has_slot = true;
    if (!flight->step->mutates || flight->intent_committed) {
        drive_call(engine, flight);
        return;
    }
    struct findings *found = &flight->job.found;
    if (strcmp(found->intent, flight->step->name) != 0) {
        (void)snprintf(found->intent, sizeof(found->intent), "%s", flight->step->name);
        found->intent_at_ms = sl_clock_wall_ms();
    }
    flight_list_remove(flight);
    flight_move(flight, FLIGHT_INTENT);
    write_set_add(&engine->writes, flight);
}

/* Who asked for an access token, and with which settings. */
struct token_ask {
    struct engine *engine;
    int64_t round;
};

static void token_ended(void *arg, const struct sl_http_response *response)
{
    struct token_ask ask = *(struct token_ask *)arg;
    struct engine *engine = ask.engine;
    struct lane *lane = &engine->lanes[CLOUD_TAILSCALE];
    struct classification seen;
    struct tailscale_token token = {0};
    free(arg);
    /* asked for with settings that are no longer in force: nor is what it says of the cloud and the client */
    if (ask.round != lane->token_round) {
        lane_leave(lane);
        return;
    }
    SL_ASSERT(lane->token_state == TOKEN_ASKED);
    classify(lane->cloud, false, response, sl_clock_wall_ms(), &seen);
    /* a client that is refused is an authentication that fails, whatever the status */
    if (seen.verdict == VERDICT_REFUSED)
        seen.cause = CAUSE_AUTH;
    bool held = seen.verdict == VERDICT_DONE && tailscale_read_token(response, &token);
    /* whatever else it was, there is no token: the breaker must hear of it, or it is asked for again at once */
    if (!held && seen.cause != CAUSE_AUTH && seen.cause != CAUSE_RATE)
        seen.cause = CAUSE_OUTAGE;
    if (seen.verdict == VERDICT_DONE && !held) {
        seen.verdict = VERDICT_NOT_DONE;
        copy_text(seen.error.message, sizeof(seen.error.message), "the answer holds no access token");
    }
    if (held)
        lane_token_held(lane, &token, sl_clock_mono_ms());
    else
        lane_token_failed(lane);
    lane_learn(lane, &seen, response->took_ms, sl_clock_wall_ms(), sl_clock_mono_ms());
    if (held)
        engine->accounts[CLOUD_TAILSCALE].token = sl_str_of(lane->token.text);
    sl_secret_wipe(&token, sizeof(token));
}

static void ask_token(struct engine *engine)
{
    struct lane *lane = &engine->lanes[CLOUD_TAILSCALE];
    struct sl_err err = {0};
    if (lane->token_state != TOKEN_MISSING)
        return;
    lane->token_state = TOKEN_ASKED;
    limiter_started(&lane->limiter);
    breaker_called(&lane->breaker);
    struct token_ask *ask = sl_calloc(1, sizeof(*ask));
    *ask = (struct token_ask){.engine = engine, .round = lane->token_round};
    bool started = tailscale_get_token(&engine->accounts[CLOUD_TAILSCALE], &engine->scratch, &err) &&
                   sl_http_start(engine->http, &engine->scratch.http, token_ended, ask, &err);
    cloud_request_forget(&engine->scratch);
    if (started)
        return;
    struct sl_http_response unsent = {.end = SL_HTTP_NOT_SENT, .err = &err};
    token_ended(ask, &unsent);
}

/* Tries for a slot. False: it stays where it is, and so will those behind it. */
static bool try_enter(struct engine *engine, struct flight *flight)
{
    struct lane *lane = &engine->lanes[flight->step->cloud];
    int64_t mono_ms = sl_clock_mono_ms();
    if (!calls_room(&engine->calls, sl_http_in_flight(engine->http)))
        return false;
    switch (lane_enter(lane, flight->priority, sl_clock_wall_ms(), mono_ms)) {
    case LANE_GO:
        proceed(engine, flight);
        return true;
    case LANE_CLOSED:
        wait_for_cloud(engine, flight, breaker_wait_ms(&lane->breaker, mono_ms) + 1, "the cloud can't be called now");
        return true;
    case LANE_TOKEN:
        ask_token(engine);
        return false;
    case LANE_FULL:
        break;
    }
    return false;
}

static void enter_step(struct engine *engine, struct flight *flight)
{
    if (flight->cancel_requested && flight->recipe->may_cancel) {
        drive_end(engine, flight, FLIGHT_END_CANCELLED, 0, "cancelled on request");
        return;
    }
    if (engine->drain != DRAIN_NOT) {
        hand_back(engine, flight, 0, "");
        return;
    }
    if (is_given_up(flight)) {
        give_up(engine, flight);
        return;
    }
    struct step_result result =
        flight->step->prepare(&flight->job, &engine->recipe_settings, sl_clock_wall_ms(), &engine->scratch);
    cloud_request_forget(&engine->scratch);
    if (result.action != STEP_CALL) {
        apply_result(engine, flight, &result);
        return;
    }
    flight_list_remove(flight);
    flight_move(flight, FLIGHT_QUEUED);
    struct flight_list *waiting = &engine->lanes[flight->step->cloud].waiting[flight->priority];
    if (waiting->count > 0 || !try_enter(engine, flight))
        flight_list_push(waiting, flight);
}

static void fill_slots(struct engine *engine)
{
    for (int id = CLOUD_NONE + 1; id < CLOUD_COUNT; id++) {
        struct lane *lane = &engine->lanes[id];
        for (int priority = 0; priority < LIMITER_PRIORITIES; priority++) {
            bool going = true;
            while (going && lane->waiting[priority].head)
                going = try_enter(engine, lane->waiting[priority].head);
        }
    }
}

/* Those that sleep or wait for a slot when their time is over: they would not look at the clock themselves. */
static void wake_overdue(struct engine *engine, int64_t mono_ms)
{
    if (mono_ms < engine->overdue_scan_at_mono_ms || engine->flying == 0)
        return;
    engine->overdue_scan_at_mono_ms = mono_ms + OVERDUE_EVERY_MS;
    for (size_t i = 0; i < engine->pool.capacity; i++) {
        struct flight *flight = &engine->pool.flights[i];
        if ((flight->state != FLIGHT_SLEEPING && flight->state != FLIGHT_QUEUED) || !is_given_up(flight))
            continue;
        if (flight->state == FLIGHT_SLEEPING)
            sleepers_wake(&engine->sleepers, flight);
        ready(engine, flight);
    }
}

void drive_all(struct engine *engine)
{
    int64_t mono_ms = sl_clock_mono_ms();
    wake_overdue(engine, mono_ms);
    for (struct flight *flight = sleepers_due(&engine->sleepers, mono_ms); flight;
         flight = sleepers_due(&engine->sleepers, mono_ms)) {
        sleepers_wake(&engine->sleepers, flight);
        flight_list_push(&engine->ready, flight);
    }
    for (struct flight *flight = flight_list_pop(&engine->ready); flight; flight = flight_list_pop(&engine->ready))
        enter_step(engine, flight);
    fill_slots(engine);
    /* one that was let in may have ended at once, and have another step to enter: the next round does it */
}

void drive_cancel_asked(struct engine *engine, struct flight *flight)
{
    flight->cancel_requested = true;
    if (!flight->recipe->may_cancel)
        return;
    if (flight->state == FLIGHT_SLEEPING) {
        sleepers_wake(&engine->sleepers, flight);
        ready(engine, flight);
    } else if (flight->state == FLIGHT_QUEUED) {
        ready(engine, flight);
    }
}

void drive_drain(struct engine *engine)
{
    for (size_t i = 0; i < engine->pool.capacity; i++) {
        struct flight *flight = &engine->pool.flights[i];
        if (flight->state == FLIGHT_SLEEPING) {
            sleepers_wake(&engine->sleepers, flight);
            ready(engine, flight);
        } else if (flight->state == FLIGHT_QUEUED) {
            ready(engine, flight);
        }
    }
}

int64_t drive_wait_ms(struct engine *engine, int64_t mono_ms, int64_t wall_ms)
{
    if (engine->ready.count > 0)
        return 0;
    int64_t wait_ms = sleepers_wait_ms(&engine->sleepers, mono_ms);
    for (int id = CLOUD_NONE + 1; id < CLOUD_COUNT; id++) {
        int64_t lane_ms = lane_wait_ms(&engine->lanes[id], wall_ms);
        /* what the writing of calls or a token holds up is woken by their end */
        if (lane_ms >= 0 && (engine->lanes[id].token_state == TOKEN_ASKED ||
                             !calls_room(&engine->calls, sl_http_in_flight(engine->http))))
            lane_ms = BLOCKED_WAIT_MS;
        if (lane_ms >= 0 && (wait_ms < 0 || lane_ms < wait_ms))
            wait_ms = lane_ms;
    }
    return wait_ms;
}
