/* api.c - see api.h. */
#include "console/api.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "console/page.h"

#define PROBLEM_BYTES_MAX ((size_t)64 * 1024)
#define BUSY_RETRY_S      2

struct api {
    pthread_mutex_t lock;
    const struct settings *settings; /* the first one, or the reloaded one */
    struct settings *reloaded;       /* NULL: none yet */
    const struct meters *meters;
};

struct api *api_create(const struct settings *first, const struct meters *meters)
{
    struct api *api = sl_calloc(1, sizeof(*api));
    SL_ASSERT(pthread_mutex_init(&api->lock, NULL) == 0);
    api->settings = first;
    api->meters = meters;
    return api;
}

void api_destroy(struct api *api)
{
    if (!api)
        return;
    settings_destroy(api->reloaded);
    (void)pthread_mutex_destroy(&api->lock);
    free(api);
}

void api_reload(struct api *api, struct settings *next)
{
    SL_ASSERT(pthread_mutex_lock(&api->lock) == 0);
    struct settings *old = api->reloaded;
    api->reloaded = next;
    api->settings = next;
    SL_ASSERT(pthread_mutex_unlock(&api->lock) == 0);
    settings_destroy(old);
}

static void refuse(struct api_request *request, const struct problem *problem)
{
    struct sl_buf text;
    sl_buf_init(&text, PROBLEM_BYTES_MAX);
    problem_write(problem, &text);
    SL_ASSERT(!text.overflow);
    request->reply = (struct reply){
        .status = problem_status(problem->code),
        .content_type = "application/problem+json",
        .body = sl_arena_str(request->arena, sl_buf_str(&text)),
        .retry_after_s = problem->retry_after_s,
    };
    sl_buf_deinit(&text);
}

void api_refuse(struct api_request *request, enum problem_code code, const char *detail, int retry_after_s)
{
    struct problem problem;
    (void)problem_set(&problem, code, detail);
    problem.retry_after_s = retry_after_s;
    refuse(request, &problem);
}

/* Who asks, and the plans as they are now: what both need of the settings, while they can't be changed. */
static bool judge(struct api *api, struct api_request *request)
{
    struct problem problem;
    const char *cause = NULL;
    const char *challenge = NULL;
    struct auth_ask ask = {.headers = &request->headers, .asked_user = request->asked_user, .now_ms = request->wall_ms};
    SL_ASSERT(pthread_mutex_lock(&api->lock) == 0);
    bool ok = auth_judge(api->settings, &ask, request->arena, &request->caller, &problem, &cause, &challenge);
    request->job.ask.plans = sl_arena_str(request->arena, sl_str_of(api->settings->plans));
    SL_ASSERT(pthread_mutex_unlock(&api->lock) == 0);
    if (ok)
        return true;
    sl_metric_add(sl_metric_with(api->meters->refused_total, cause), 1);
    refuse(request, &problem);
    request->reply.challenge = challenge;
    return false;
}

static struct sl_str lower(struct sl_arena *arena, struct sl_str text)
{
    char *copy = sl_arena_alloc(arena, text.len + 1, 1);
    for (size_t i = 0; i < text.len; i++)
        copy[i] = (char)tolower((unsigned char)text.ptr[i]);
    return (struct sl_str){.ptr = copy, .len = text.len};
}

static bool read_page(struct api_request *request)
{
    const struct read *read = request->route->read;
    struct read_ask *ask = &request->job.ask;
    struct problem problem;
    char *expected = sl_arena_alloc(request->arena, 80, 1);
    (void)problem_set(&problem, PROBLEM_BAD_REQUEST, "the query is not acceptable");
    ask->limit = read->limit_fallback;
    if (request->limit.ptr &&
        (!sl_str_to_int64(request->limit, &ask->limit) || ask->limit < 1 || ask->limit > read->limit_max)) {
        (void)snprintf(expected, 80, "must be a number from 1 to %d", read->limit_max);
        problem_add_field(&problem, "limit", expected);
    }
    ask->has_after = request->after.ptr != NULL;
    if (ask->has_after && !page_cursor_parse(request->after, &ask->after))
        problem_add_field(&problem, "after", "must be what the page before gave as next");
    if (problem.field_count == 0)
        return true;
    refuse(request, &problem);
    return false;
}

/* Parameters that a path doesn't know are ignored, as everywhere on the web. */
static enum api_step begin_read(struct api_request *request)
{
    struct read_ask *ask = &request->job.ask;
    ask->read = request->route->read;
    if (ask->read->limit_max > 0 && !read_page(request))
        return API_ANSWERED;
    ask->user_id = request->caller.user_id;
    ask->email = lower(request->arena, request->caller.email);
    ask->now_ms = request->wall_ms;
    request->job.arena = request->arena;
    return API_READS;
}

enum api_step api_begin(struct api *api, struct api_request *request)
{
    request->route = route_find(request->path, &request->job.ask.id);
    if (!request->route) {
        api_refuse(request, PROBLEM_NOT_FOUND, NULL, 0);
        return API_ANSWERED;
    }
    if (!sl_str_is(request->method, "GET") && !sl_str_is(request->method, "HEAD")) {
        api_refuse(request, PROBLEM_METHOD_NOT_ALLOWED, NULL, 0);
        request->reply.allow = "GET, HEAD";
        return API_ANSWERED;
    }
    if (request->route->kind == ROUTE_PAGE) {
        request->reply = (struct reply){.status = 200, .content_type = PAGE_CONTENT_TYPE, .body = page_index()};
        return API_ANSWERED;
    }
    if (!judge(api, request))
        return API_ANSWERED;
    if (request->route->kind == ROUTE_READ)
        return begin_read(request);
    if (sl_str_is(request->method, "GET"))
        return API_STREAMS;
    request->reply = (struct reply){.status = 200, .content_type = "text/event-stream"};
    return API_ANSWERED;
}

void api_finish(struct api_request *request)
{
    const struct pool_job *job = &request->job;
    switch (job->end) {
    case POOL_FOUND:
        request->reply = (struct reply){.status = 200, .content_type = "application/json", .body = job->json};
        return;
    case POOL_NOT_FOUND:
        api_refuse(request, PROBLEM_NOT_FOUND,
                   sl_arena_printf(request->arena, "there is no such %s", request->route->noun).ptr, 0);
        return;
    case POOL_UNAVAILABLE:
        sl_log(SL_LOG_WARN, "api", "a read is not possible now", LOG_CSTR("route", request->route->name),
               LOG_ERR(&job->error));
        api_refuse(request, PROBLEM_UNAVAILABLE, "the database is busy or away", BUSY_RETRY_S);
        return;
    case POOL_FAILED:
    case POOL_NONE:
        break;
    }
    sl_log(SL_LOG_ERROR, "api", "a read has failed", LOG_CSTR("route", request->route->name), LOG_ERR(&job->error));
    api_refuse(request, PROBLEM_NONE, NULL, 0);
}

void api_count(struct api *api, const struct api_request *request, int64_t now_ms)
{
    char status[8];
    const char *route = request->route ? request->route->name : "none";
    (void)snprintf(status, sizeof(status), "%d", request->reply.status);
    sl_metric_add(sl_metric_with(api->meters->requests_total, route, status), 1);
    sl_metric_observe_ms(sl_metric_with(api->meters->seconds, route), (double)(now_ms - request->mono_ms));
}
