/* http_call.h - one outgoing call: its request as curl wants it, its answer as it arrives, its verdict. For http.c
 * alone. */
#ifndef SL_HTTP_CALL_H
#define SL_HTTP_CALL_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "common/http.h"

/* Where a response header's name (NUL-terminated) and value stand in `head`. */
struct sl_http_span {
    size_t name_at;
    size_t value_at;
    size_t value_len;
};

/* Reused from call to call, with its easy handle. In one list of http.c at a time. */
struct sl_http_call {
    TAILQ_ENTRY(sl_http_call) links;
    CURL *easy;
    sl_http_done *done;
    void *arg;
    int64_t started_ms; /* monotonic */
    int64_t deadline_ms;
    int connect_timeout_ms;
    bool begun; /* curl was about to write the request: from here on it may have been seen */
    struct curl_slist *request_headers;
    char *request_body;
    size_t request_body_len;
    struct sl_buf head; /* names and values of the final response */
    struct sl_http_span spans[SL_HTTP_RESPONSE_HEADERS_MAX];
    size_t span_count;
    bool head_ended;
    struct sl_buf body;
    CURLcode code; /* how it ended */
    char error_text[CURL_ERROR_SIZE];
};
TAILQ_HEAD(sl_http_calls, sl_http_call);

SL_MUST_CHECK struct sl_http_call *sl_http_call_create(void);
void sl_http_call_destroy(struct sl_http_call *call);

/* PERMANENT when the method, the URL or a header can't be sent as given. */
SL_MUST_CHECK bool sl_http_request_check(const struct sl_http_request *request, struct sl_err *err);
/* Makes the call ready for sl_http_call_launch; `ca_file` may be NULL. The request was checked. */
void sl_http_call_prepare(struct sl_http_call *call, const struct sl_http_request *request, const char *user_agent,
                          const char *ca_file, int64_t now_ms);
/* Hands it to curl with the time that is left. */
void sl_http_call_launch(struct sl_http_call *call, CURLM *multi, int64_t now_ms);
/* Calls `done` with the verdict on `code`; the call is in no list and no multi handle. Afterwards it is empty, for
 * reuse or destruction. */
void sl_http_call_finish(struct sl_http_call *call, int64_t now_ms);

#endif
