/* judge.c - may this request become an event? The checks in the order they are made; each may end it.
 *
 * Without the body: route, draining, rate, encoding and type, size, token. With it: signature, then what the body says.
 * A signature is judged before anything in the body is read.
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/log.h"
#include "ingress/media.h"
#include "ingress/request.h"

#define RATION_PER_SECOND 10 /* log lines and diagnoses of forged requests */
#define DRAIN_RETRY_S     1
#define FULL_RETRY_S      1
#define NO_SECRET_RETRY_S 60

static const struct address LOG_RATION = {{1}};
static const struct address DIAGNOSIS_RATION = {{2}};

static bool ration(struct intake *intake, struct address what)
{
    static const struct bucket_rate rate = {.period_us = 1000000 / RATION_PER_SECOND, .burst = RATION_PER_SECOND};
    return bucket_take_us(intake->ration, what, rate, sl_clock_mono_us()) == 0;
}

static bool find_route(struct request *request)
{
    char allow[SOURCE_ALLOW_BYTES] = "";
    bool github = headers_has(&request->head.headers, "x-github-event");
    switch (source_match(request->head.path, request->head.method, github, &request->route, allow)) {
    case SOURCE_FOUND:
        break;
    case SOURCE_NO_METHOD:
        (void)request_refuse(request, PROBLEM_METHOD_NOT_ALLOWED, "method", "see Allow for what this path takes");
        request->answer.allow = sl_arena_cstr(request->arena, sl_str_of(allow));
        return false;
    case SOURCE_NO_PATH:
        return request_refuse(request, PROBLEM_NOT_FOUND, "not_found", NULL);
    }
    return true;
}

static bool check_admission(struct request *request)
{
    struct intake *intake = request->intake;
    int64_t now_us = sl_clock_mono_us();
    if (admission_is_draining(intake->parts.admission)) {
        (void)request_refuse_for_now(request, "draining", DRAIN_RETRY_S, "this instance is shutting down");
        request->answer.close = true;
        return false;
    }
    request->client =
        address_of_client(request->head.peer, &request->head.headers, &request->settings->trusted_proxies);
    int wait_s = admission_wait_s(intake->parts.admission, ADMISSION_ANY, request->client, now_us);
    if (wait_s == 0 && request->route.source->id == SOURCE_EARLY_ACCESS)
        wait_s = admission_wait_s(intake->parts.admission, ADMISSION_EARLY_ACCESS, request->client, now_us);
    if (wait_s == 0)
        return true;
    struct problem problem;
    (void)problem_set(&problem, PROBLEM_RATE_LIMITED, "this address asks too often");
    problem.retry_after_s = wait_s;
    return request_refuse_with(request, &problem, "rate_limited");
}

static bool check_content(struct request *request)
{
    const struct headers *headers = &request->head.headers;
    struct sl_str encoding = headers_get(headers, "content-encoding");
    struct sl_str type_text = headers_get(headers, "content-type");
    enum media_type type = media_type_of(type_text);
    if (request->head.headers_overflowed)
        return request_refuse(request, PROBLEM_BAD_REQUEST, "headers", "too many header fields");
    if (headers_count(headers, "content-encoding") > 1 ||
        (!sl_str_empty(encoding) && !sl_str_equal_ignore_case(encoding, SL_STR("identity"))))
        return request_refuse(request, PROBLEM_UNSUPPORTED_MEDIA_TYPE, "encoding",
                              "encoded bodies are not taken: leave Content-Encoding out");
    bool has_type = request->head.content_length != 0 && type != MEDIA_NONE; /* of nothing it says nothing */
    if (has_type &&
        (type == MEDIA_OTHER || (type == MEDIA_FORM && !request->route.source->takes_forms) ||
         headers_count(headers, "content-type") > 1 || !headers_value_is_plain(type_text, READ_ID_BYTES_MAX, true)))
        return request_refuse(request, PROBLEM_UNSUPPORTED_MEDIA_TYPE, "media_type", "send application/json in UTF-8");
    if (request->head.content_length > request->settings->body_bytes_max)
        return request_refuse(request, PROBLEM_PAYLOAD_TOO_LARGE, "too_large", NULL);
    if (!admission_has_room(request->intake->parts.admission, request->client, request->head.content_length))
        return request_refuse_for_now(request, "busy", FULL_RETRY_S, "too much is under way");
    return true;
}

/* One line for those who look for the reason; never the body, a secret or a computed signature. */
static void log_verdict(struct request *request, const struct verdict *verdict)
{
    struct intake *intake = request->intake;
    char client[ADDRESS_TEXT_BYTES];
    if (!ration(intake, LOG_RATION)) {
        intake->unlogged++;
        return;
    }
    address_format(request->client, client);
    sl_log(SL_LOG_WARN, "intake", "verification failed", LOG_CSTR("source", request->route.source->name),
           LOG_CSTR("cause", verify_cause_name(verdict->cause)), LOG_INT("off_by_s", verdict->off_by_s),
           LOG_INT("bytes", request->body.len), LOG_CSTR("client", client), LOG_INT("unlogged", intake->unlogged));
    intake->unlogged = 0;
}

static struct sl_str verdict_detail(struct request *request, const struct verdict *verdict)
{
    switch (verdict->cause) {
    case VERIFY_NO_HEADER:
        return SL_STR("nothing to verify by: the header is missing");
    case VERIFY_MALFORMED:
        return SL_STR("the header is not of the scheme's form");
    case VERIFY_STALE:
        return sl_arena_printf(request->arena, "its time was %" PRId64 " s ago", verdict->off_by_s);
    case VERIFY_FUTURE:
        return sl_arena_printf(request->arena, "its time is %" PRId64 " s ahead", verdict->off_by_s);
    case VERIFY_ALTERED:
        return SL_STR("the signature is of another spelling of this JSON: something on the way has rewritten the body");
    case VERIFY_CLAIMS:
        return SL_STR("the token is for somebody else: issuer, audience or subject");
    case VERIFY_NO_MATCH:
    case VERIFY_NO_SECRET:
    case VERIFY_OK:
    case VERIFY_CAUSE_COUNT:
        break;
    }
    return SL_STR("no secret gives this signature");
}

static bool act_on(struct request *request, const struct verdict *verdict, bool by_token)
{
    const struct source *source = request->route.source;
    bool in_time = verdict->cause != VERIFY_STALE && verdict->cause != VERIFY_FUTURE;
    if (verdict->cause == VERIFY_OK) {
        counters_secret_used(request->intake->parts.counters, source->name, verdict->secret_index,
                             request->received_at_ms / 1000);
        return true;
    }
    log_verdict(request, verdict);
    if (verdict->cause == VERIFY_NO_SECRET)
        return request_refuse_for_now(request, "no_secret", NO_SECRET_RETRY_S,
                                      "this source has no secret configured to verify by");
    enum problem_code code = in_time ? PROBLEM_INVALID_SIGNATURE : PROBLEM_TIMESTAMP_OUT_OF_RANGE;
    struct problem problem;
    (void)problem_set(&problem, by_token ? PROBLEM_UNAUTHENTICATED : code, NULL);
    problem.detail = verdict_detail(request, verdict);
    (void)request_refuse_with(request, &problem, verify_cause_name(verdict->cause));
    if (by_token)
        request->answer.challenge = verdict->cause == VERIFY_NO_HEADER ? "Bearer" : "Bearer error=\"invalid_token\"";
    return false;
}

static bool check_token(struct request *request)
{
    if (request->route.source->id != SOURCE_API)
        return true;
    struct verdict verdict = verify_jwt(&request->head.headers, &request->settings->jwt.policy,
                                        request->received_at_ms / 1000, request->arena, &request->caller);
    if (!act_on(request, &verdict, true))
        return false;
    if (request->route.command->admin && !sl_str_is(request->caller.role, "admin"))
        return request_refuse(request, PROBLEM_FORBIDDEN, "forbidden", "this command needs the role admin");
    return true;
}

bool judge_head(struct request *request)
{
    return find_route(request) && check_admission(request) && check_content(request) && check_token(request);
}

static bool check_signature(struct request *request)
{
    const struct source *source = request->route.source;
    if (!source->verify)
        return true;
    struct verify_request by = {
        .headers = &request->head.headers,
        .body = sl_buf_str(&request->body),
        .secrets = &request->settings->secrets[source->id],
        .now_s = request->received_at_ms / 1000,
        .tolerance_s = request->settings->tolerance_s[source->id],
    };
    struct verdict verdict = source->verify(&by);
    if (verdict.cause == VERIFY_NO_MATCH && ration(request->intake, DIAGNOSIS_RATION)) {
        by.diagnose = true;
        verdict = source->verify(&by);
    }
    return act_on(request, &verdict, false);
}

static bool read_body(struct request *request)
{
    const struct route *route = &request->route;
    uint8_t random[10];
    char fresh_id[SL_UUID_TEXT_BYTES];
    struct problem problem;
    sl_random_bytes(random, sizeof(random));
    sl_uuid_format(sl_uuid_v7(request->received_at_ms, random), fresh_id);
    struct read_request by = {
        .headers = &request->head.headers,
        .body = sl_buf_str(&request->body),
        .callback_user = key_is_usable(request->head.callback_user) ? request->head.callback_user : SL_STR_NONE,
        .command = route->command,
        .param_count = route->param_count,
        .user_id = request->caller.user_id,
        .email = request->caller.email,
        .role = request->caller.role,
        .ce_source = sl_str_of(route->source->ce_source),
        .ring = request->settings->ring,
        .fresh_id = sl_arena_str(request->arena, sl_str_of(fresh_id)),
        .received_at_ms = request->received_at_ms,
        .arena = request->arena,
    };
    for (size_t i = 0; i < route->param_count; i++)
        by.params[i] = route->params[i];
    if (!route->source->read(&by, &request->reading, &problem))
        return request_refuse_with(request, &problem,
                                   problem.code == PROBLEM_INVALID_JSON      ? "invalid_json"
                                   : problem.code == PROBLEM_INVALID_COMMAND ? "invalid_command"
                                   : problem.code == PROBLEM_UNAVAILABLE     ? "no_data_key"
                                                                             : "invalid_event");
    /* A document made of a body can be longer than it: numbers may be written out. */
    if ((int64_t)request->reading.data.len > request->settings->body_bytes_max + SETTINGS_HEADERS_BYTES_MAX / 2)
        return request_refuse(request, PROBLEM_PAYLOAD_TOO_LARGE, "too_large", NULL);
    return true;
}

bool judge_body(struct request *request)
{
    return check_signature(request) && read_body(request);
}
