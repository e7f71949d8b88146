/* http.c - outgoing HTTP: a bounded number of calls inside curl's multi handle, the others in a queue in front of it.
 *
 * curl would queue by itself, but checks no deadline of what it queues; here a call that never got its turn ends
 * NOT_SENT in time.
 * Flow: sl_http_start -> (waiting ->) running -> ended -> the caller's callback -> idle, for reuse.
 * Callbacks run outside of curl and when all lists are in order, so they may start calls; they may not poll or destroy.
 * One thread, but for sl_http_wake.
 *
 * Invariants (http_check): 1. running <= connections_max; 2. something waits only when running == connections_max;
 * 3. a call is in exactly one list (its count is the list's length), or in the hands of sl_http_call_finish.
 */
#include "common/http.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/http_call.h"

struct call_list {
    struct sl_http_calls calls;
    size_t count;
};

struct sl_http {
    CURLM *multi;
    char *user_agent;
    char *ca_file;
    size_t connections_max;
    struct call_list running; /* in `multi` */
    struct call_list waiting; /* for a connection, first come first served */
    struct call_list ended;   /* for their callbacks */
    struct call_list idle;
    int64_t waiting_deadline_ms; /* no waiting call's deadline is earlier */
    bool busy;                   /* inside sl_http_poll */
    bool closing;                /* inside sl_http_destroy */
};

static void list_init(struct call_list *list)
{
    TAILQ_INIT(&list->calls);
    list->count = 0;
}

static void list_add(struct call_list *list, struct sl_http_call *call)
{
    TAILQ_INSERT_TAIL(&list->calls, call, links);
    list->count++;
}

static void list_remove(struct call_list *list, struct sl_http_call *call)
{
    SL_ASSERT(list->count > 0);
    TAILQ_REMOVE(&list->calls, call, links);
    list->count--;
}

static struct sl_http_call *list_first(const struct call_list *list)
{
    return TAILQ_FIRST(&list->calls);
}

static void http_check(const struct sl_http *http)
{
    SL_ASSERT(http->running.count <= http->connections_max);
    SL_ASSERT(http->waiting.count == 0 || http->running.count == http->connections_max);
    SL_ASSERT(http->idle.count <= http->connections_max);
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_started;

static void start_curl(void)
{
    /* For want of memory the process stops, as everywhere: a call that ends for that alone would be judged by the
     * cloud's silence. */
    curl_started = curl_global_init_mem(CURL_GLOBAL_DEFAULT, sl_malloc, free, sl_realloc, sl_strdup, sl_calloc);
}

struct sl_http *sl_http_create(int connections_max, const char *user_agent, const char *ca_file, struct sl_err *err)
{
    SL_ASSERT(connections_max > 0 && connections_max <= SL_HTTP_CALLS_MAX);
    (void)pthread_once(&curl_once, start_curl);
    if (curl_started != CURLE_OK) {
        (void)sl_err_set(err, SL_ERR_FATAL, "libcurl can't start: %s", curl_easy_strerror(curl_started));
        return NULL;
    }
    if (ca_file != NULL && access(ca_file, R_OK) != 0) {
        (void)sl_err_set(err, SL_ERR_PERMANENT, "the file of certificate authorities can't be read: %s", ca_file);
        return NULL;
    }
    struct sl_http *http = sl_calloc(1, sizeof(*http));
    http->multi = curl_multi_init();
    SL_ASSERT(http->multi != NULL); /* only for want of memory */
    http->connections_max = (size_t)connections_max;
    http->user_agent = sl_strdup(user_agent);
    http->ca_file = ca_file != NULL ? sl_strdup(ca_file) : NULL;
    list_init(&http->running);
    list_init(&http->waiting);
    list_init(&http->ended);
    list_init(&http->idle);
    SL_ASSERT(curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)connections_max) == CURLM_OK);
    SL_ASSERT(curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)connections_max) == CURLM_OK);
    SL_ASSERT(curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) == CURLM_OK);
    return http;
}

static void launch(struct sl_http *http, struct sl_http_call *call, int64_t now_ms)
{
    list_add(&http->running, call);
    sl_http_call_launch(call, http->multi, now_ms);
}

bool sl_http_start(struct sl_http *http, const struct sl_http_request *request, sl_http_done *done, void *arg,
                   struct sl_err *err)
{
    http_check(http);
    if (!sl_http_request_check(request, err)) {
        return false;
    }
    if (http->closing) {
        return sl_err_set(err, SL_ERR_RETRY, "outgoing calls are being shut down");
    }
    if (sl_http_in_flight(http) >= SL_HTTP_CALLS_MAX) {
        return sl_err_set(err, SL_ERR_RETRY, "more than %d outgoing calls at once", SL_HTTP_CALLS_MAX);
    }
    struct sl_http_call *call = list_first(&http->idle);
    if (call != NULL) {
        list_remove(&http->idle, call);
    } else {
        call = sl_http_call_create();
    }
    const int64_t now_ms = sl_clock_mono_ms();
    sl_http_call_prepare(call, request, http->user_agent, http->ca_file, now_ms);
    call->done = done;
    call->arg = arg;
    if (http->running.count < http->connections_max) {
        launch(http, call, now_ms);
    } else {
        if (http->waiting.count == 0 || call->deadline_ms < http->waiting_deadline_ms) {
            http->waiting_deadline_ms = call->deadline_ms;
        }
        list_add(&http->waiting, call);
    }
    return true;
}

static void end_running(struct sl_http *http, struct sl_http_call *call, CURLcode code)
{
    SL_ASSERT(curl_multi_remove_handle(http->multi, call->easy) == CURLM_OK);
    list_remove(&http->running, call);
    call->code = code;
    list_add(&http->ended, call);
}

static void end_waiting(struct sl_http *http, struct sl_http_call *call, CURLcode code)
{
    list_remove(&http->waiting, call);
    (void)snprintf(call->error_text, sizeof(call->error_text), "it ended while waiting for a connection to be free");
    call->code = code;
    list_add(&http->ended, call);
}

/* Looks through the queue only when somebody's time can be up. */
static void end_late_waiting(struct sl_http *http, int64_t now_ms)
{
    if (http->waiting.count == 0 || now_ms < http->waiting_deadline_ms) {
        return;
    }
    http->waiting_deadline_ms = INT64_MAX;
    struct sl_http_call *next = NULL;
    for (struct sl_http_call *call = list_first(&http->waiting); call != NULL; call = next) {
        next = TAILQ_NEXT(call, links);
        if (call->deadline_ms <= now_ms) {
            end_waiting(http, call, CURLE_OPERATION_TIMEDOUT);
        } else if (call->deadline_ms < http->waiting_deadline_ms) {
            http->waiting_deadline_ms = call->deadline_ms;
        }
    }
}

/* The caller's word, then the pool. */
static void deliver(struct sl_http *http, int64_t now_ms)
{
    for (struct sl_http_call *call = list_first(&http->ended); call != NULL; call = list_first(&http->ended)) {
        list_remove(&http->ended, call);
        sl_http_call_finish(call, now_ms);
        if (http->idle.count < http->connections_max) {
            list_add(&http->idle, call);
        } else {
            sl_http_call_destroy(call);
        }
    }
}

/* One round: curl's turn, what ended, who is next, the callbacks. True when a call ended. */
static bool turn(struct sl_http *http)
{
    int running = 0;
    SL_ASSERT(curl_multi_perform(http->multi, &running) == CURLM_OK);
    int left = 0;
    for (CURLMsg *message = NULL; (message = curl_multi_info_read(http->multi, &left)) != NULL;) {
        struct sl_http_call *call = NULL;
        SL_ASSERT(message->msg == CURLMSG_DONE);
        SL_ASSERT(curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call) == CURLE_OK);
        end_running(http, call, message->data.result);
    }
    const int64_t now_ms = sl_clock_mono_ms();
    end_late_waiting(http, now_ms);
    while (http->waiting.count > 0 && http->running.count < http->connections_max) {
        struct sl_http_call *call = list_first(&http->waiting);
        list_remove(&http->waiting, call);
        launch(http, call, now_ms);
    }
    http_check(http);
    const bool something_ended = http->ended.count > 0;
    deliver(http, now_ms);
    return something_ended;
}

void sl_http_poll(struct sl_http *http, int timeout_ms)
{
    SL_ASSERT(!http->busy && !http->closing && timeout_ms >= 0);
    http->busy = true;
    if (!turn(http) && timeout_ms > 0) {
        int64_t wait_ms = timeout_ms;
        if (http->waiting.count > 0) {
            const int64_t left_ms = http->waiting_deadline_ms - sl_clock_mono_ms();
            wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
        }
        SL_ASSERT(curl_multi_poll(http->multi, NULL, 0, wait_ms > 0 ? (int)wait_ms : 0, NULL) == CURLM_OK);
        (void)turn(http);
    }
    http->busy = false;
}

void sl_http_wake(struct sl_http *http)
{
    (void)curl_multi_wakeup(
        http->multi); /* fails only if so many wake-ups are unread that one more makes no difference */
}

size_t sl_http_in_flight(const struct sl_http *http)
{
    return http->running.count + http->waiting.count + http->ended.count;
}

void sl_http_destroy(struct sl_http *http)
{
    if (http == NULL) {
        return;
    }
    SL_ASSERT(!http->busy && !http->closing);
    http->closing = true;
    while (http->running.count > 0) {
        end_running(http, list_first(&http->running), CURLE_ABORTED_BY_CALLBACK);
    }
    while (http->waiting.count > 0) {
        end_waiting(http, list_first(&http->waiting), CURLE_ABORTED_BY_CALLBACK);
    }
    deliver(http, sl_clock_mono_ms());
    for (struct sl_http_call *call = list_first(&http->idle); call != NULL; call = list_first(&http->idle)) {
        list_remove(&http->idle, call);
        sl_http_call_destroy(call);
    }
    (void)curl_multi_cleanup(http->multi);
    free(http->user_agent);
    free(http->ca_file);
    free(http);
}
