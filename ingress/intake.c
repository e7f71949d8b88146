/* intake.c - see intake.h. */
#include "ingress/intake.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/fault.h"
#include "common/log.h"
#include "common/uuid.h"
#include "ingress/request.h"

#define ARENA_BYTES_MAX   ((size_t)32 * 1024 * 1024)
#define OUTCOME_BYTES_MAX (ANSWER_BYTES_MAX / 2)
#define RETRY_S           2 /* what is advised while Kafka can't take it */

struct intake *intake_create(const struct intake_parts *parts, uint64_t seed)
{
    struct intake *intake = sl_calloc(1, sizeof(*intake));
    intake->parts = *parts;
    intake->ration = bucket_table_create(seed);
    SL_ASSERT(pthread_mutex_init(&intake->lock, NULL) == 0);
    return intake;
}

void intake_destroy(struct intake *intake)
{
    if (!intake)
        return;
    bucket_table_destroy(intake->ration);
    (void)pthread_mutex_destroy(&intake->lock);
    free(intake);
}

bool request_refuse_with(struct request *request, const struct problem *problem, const char *cause)
{
    SL_ASSERT(!request->is_answered);
    request->answer = answer_problem(problem, request->arena);
    request->cause = cause;
    request->is_answered = true;
    return false;
}

bool request_refuse(struct request *request, enum problem_code code, const char *cause, const char *detail)
{
    struct problem problem;
    (void)problem_set(&problem, code, detail);
    return request_refuse_with(request, &problem, cause);
}

bool request_refuse_for_now(struct request *request, const char *cause, int retry_after_s, const char *detail)
{
    struct problem problem;
    (void)problem_set(&problem, PROBLEM_UNAVAILABLE, detail);
    problem.retry_after_s = retry_after_s;
    return request_refuse_with(request, &problem, cause);
}

struct request *intake_begin(struct intake *intake, const struct intake_head *head)
{
    struct request *request = sl_calloc(1, sizeof(*request));
    request->intake = intake;
    request->settings = settings_current(intake->parts.settings);
    request->arena = sl_arena_create(ARENA_BYTES_MAX);
    request->head = *head;
    request->client = head->peer;
    request->received_at_ms = sl_clock_wall_ms();
    sl_buf_init(&request->body, (size_t)request->settings->body_bytes_max);
    admission_enter(intake->parts.admission);
    (void)judge_head(request);
    return request;
}

bool intake_is_answered(const struct request *request)
{
    return request->is_answered;
}

bool intake_is_oversize(const struct request *request)
{
    return request->is_answered && request->answer.status == problem_status(PROBLEM_PAYLOAD_TOO_LARGE);
}

bool intake_body(struct request *request, const char *bytes, size_t len)
{
    SL_ASSERT(!request->is_answered);
    if (len > (size_t)request->settings->body_bytes_max - request->body.len)
        return request_refuse(request, PROBLEM_PAYLOAD_TOO_LARGE, "too_large", NULL);
    if (!admission_reserve(request->intake->parts.admission, request->client, (int64_t)len))
        return request_refuse_for_now(request, "busy", RETRY_S, "too much is under way");
    request->reserved_bytes += (int64_t)len;
    SL_ASSERT(sl_buf_append(&request->body, bytes, len));
    return true;
}

static void make_event(struct request *request)
{
    const struct reading *reading = &request->reading;
    const struct headers *headers = &request->head.headers;
    uint8_t random[TRACE_RANDOM_BYTES];
    sl_random_bytes(random, sizeof(random));
    trace_parent(headers_count(headers, "traceparent") == 1 ? headers_get(headers, "traceparent") : SL_STR_NONE, random,
                 request->traceparent);
    struct sl_str content_type = headers_get(headers, "content-type");
    bool as_sent = !sl_str_empty(content_type) && !request->route.command;
    request->event = (struct sl_event){
        .id = reading->id,
        .source = sl_str_of(request->route.source->ce_source),
        .type = reading->type,
        .subject = reading->subject,
        .partition_key =
            key_choose(&reading->key, reading->id, directory_get, request->intake->parts.directory, request->arena),
        .content_type = as_sent ? content_type : SL_STR("application/json"),
        .traceparent = sl_str_of(request->traceparent),
        .data = reading->data,
        .time_ms = reading->time_ms,
        .received_at_ms = request->received_at_ms,
    };
}

enum intake_next intake_end(struct request *request)
{
    if (request->is_answered || !judge_body(request))
        return INTAKE_ANSWERED;
    if (request->reading.is_ping) {
        request->answer = answer_received();
        request->cause = "ping";
        request->is_answered = true;
        return INTAKE_ANSWERED;
    }
    make_event(request);
    struct sl_err err = {0};
    if (!sl_event_check(&request->event, &err)) {
        (void)request_refuse(request, PROBLEM_INVALID_EVENT, "invalid_event",
                             sl_arena_cstr(request->arena, sl_str_of(err.message)));
        return INTAKE_ANSWERED;
    }
    return INTAKE_PUBLISH;
}

/* The publisher's callback, on its thread. */
static void on_published(void *arg, const struct publish_result *result)
{
    struct request *request = arg;
    struct intake *intake = request->intake;
    bool delivered = result->end == PUBLISH_DELIVERED;
    if (!delivered && request->wait_s > 0)
        reply_cancel(intake->parts.replies, &request->wait);
    SL_ASSERT(pthread_mutex_lock(&intake->lock) == 0);
    request->result = *result;
    request->is_published = true;
    bool is_known = !delivered || request->wait_s == 0 || request->reply_end != REPLY_NONE;
    SL_ASSERT(pthread_mutex_unlock(&intake->lock) == 0);
    if (is_known)
        request->resume(request->resume_arg);
}

/* The replies' callback, on the listener's thread or in a drain; empty: the wait is over. */
static void on_reply(void *arg, struct sl_str outcome)
{
    struct request *request = arg;
    struct intake *intake = request->intake;
    SL_ASSERT(pthread_mutex_lock(&intake->lock) == 0);
    bool usable = !sl_str_empty(outcome) && outcome.len <= OUTCOME_BYTES_MAX;
    if (usable)
        request->outcome = sl_arena_str(request->arena, outcome);
    sl_fault_if(usable, "ingress.after_reply");
    request->reply_end = usable ? REPLY_HEARD : REPLY_OVERDUE;
    bool is_known = request->is_published;
    SL_ASSERT(pthread_mutex_unlock(&intake->lock) == 0);
    if (is_known)
        request->resume(request->resume_arg);
}

/* Registers for the outcome before the command goes out, so that no answer can come too early. */
static void begin_wait(struct request *request)
{
    struct intake *intake = request->intake;
    int wait_s = request->route.source->may_wait ? reply_preference_s(&request->head.headers) : 0;
    int32_t partition = listener_reply_partition(intake->parts.listener);
    uint8_t random[10];
    char id[SL_UUID_TEXT_BYTES];
    request->asked_to_wait = wait_s > 0;
    if (wait_s == 0 || partition < 0)
        return;
    sl_random_bytes(random, sizeof(random));
    request->wait = (struct reply_wait){
        .id = sl_uuid_v7(request->received_at_ms, random),
        .deadline_ms = sl_clock_mono_ms() + wait_s * INT64_C(1000),
        .done = on_reply,
        .arg = request,
    };
    sl_uuid_format(request->wait.id, id);
    request->event.reply_to = sl_arena_printf(request->arena, "%d/%s", (int)partition, id);
    request->wait_s = wait_s;
    if (!reply_wait(intake->parts.replies, &request->wait)) {
        request->wait_s = 0;
        request->event.reply_to = SL_STR_NONE;
    }
}

void intake_publish(struct request *request, void (*resume)(void *arg), void *arg)
{
    struct intake *intake = request->intake;
    struct sl_err err = {0};
    request->resume = resume;
    request->resume_arg = arg;
    sl_fault("ingress.after_verify");
    begin_wait(request);
    if (publisher_send(intake->parts.publisher, &request->event, on_published, request, &err))
        return;
    struct publish_result result = {.end = PUBLISH_FAILED, .err = err};
    on_published(request, &result);
}

static void log_unpublished(const struct request *request)
{
    sl_log(SL_LOG_ERROR, "intake", "an event could not be published", LOG_CSTR("source", request->route.source->name),
           LOG_STR("event_id", request->event.id), LOG_STR("type", request->event.type), LOG_ERR(&request->result.err));
}

/* After the resumption: what the publisher and the listener have told becomes the answer. */
static void conclude(struct request *request)
{
    const struct publish_result *result = &request->result;
    struct counters *counters = request->intake->parts.counters;
    SL_ASSERT(request->is_published);
    if (result->end != PUBLISH_DELIVERED) {
        log_unpublished(request);
        (void)request_refuse_for_now(
            request, result->end == PUBLISH_OVERDUE ? "overdue" : "kafka", RETRY_S,
            "Kafka has not confirmed the event; it may have been taken, and may be sent again");
        return;
    }
    counters_publish_took(counters, result->took_us);
    if (request->wait_s > 0)
        counters_reply(counters, request->reply_end == REPLY_HEARD ? "answered" : "overdue");
    /* Who asked for the outcome and did not get it is told so: a run must not take "received" for "granted". */
    bool is_open = request->route.source->is_command || request->asked_to_wait;
    if (request->reply_end != REPLY_HEARD || !answer_outcome(request->outcome, request->arena, &request->answer))
        request->answer = is_open ? answer_accepted(request->event.id, request->arena) : answer_received();
    if (request->answer.status < 300)
        answer_set_receipt(&request->answer, SL_TOPIC_EVENTS, result->partition, result->offset);
    request->is_answered = true;
}

static void settle(struct request *request, int status, const char *cause)
{
    SL_ASSERT(!request->is_settled);
    request->is_settled = true;
    counters_settle(request->intake->parts.counters, request->route.source ? request->route.source->name : "none",
                    status, cause);
}

const struct answer *intake_answer(struct request *request)
{
    if (!request->is_answered)
        conclude(request);
    if (!request->is_settled)
        settle(request, request->answer.status, request->cause);
    return &request->answer;
}

void intake_leave(struct request *request, enum intake_end_kind kind)
{
    if (!request->is_settled && request->is_answered)
        settle(request, request->answer.status, request->cause);
    else if (!request->is_settled && request->is_published)
        (void)intake_answer(request);
    else if (!request->is_settled)
        settle(request, kind == INTAKE_TIMED_OUT ? problem_status(PROBLEM_REQUEST_TIMEOUT) : 499,
               kind == INTAKE_TIMED_OUT ? "timeout" : "client_gone");
    admission_leave(request->intake->parts.admission, request->client, request->reserved_bytes);
    sl_buf_deinit(&request->body);
    sl_arena_destroy(request->arena);
    settings_release(request->settings);
    free(request);
}

void intake_count_timeout(struct intake *intake)
{
    counters_settle(intake->parts.counters, "none", problem_status(PROBLEM_REQUEST_TIMEOUT), "timeout");
}
