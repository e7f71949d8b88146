/* http.h - outgoing HTTP over curl's multi interface: thousands of calls on one thread, each with a deadline.
 *
 * Nothing is ever retried here. Each call ends once, with what is known of its effect: NOT_SENT (no byte of the
 * request can have reached the server), ANSWERED, or UNKNOWN (perhaps sent, no whole answer). Redirects are not
 * followed; TLS is verified; proxies of the environment are not used. A handle belongs to one thread; only
 * sl_http_wake may be called from another. The program ignores SIGPIPE.
 */
#ifndef SL_HTTP_H
#define SL_HTTP_H

#include "common/buf.h"
#include "common/err.h"
#include "common/secret.h"

#define SL_HTTP_CALLS_MAX            10000 /* running and waiting */
#define SL_HTTP_HEADERS_MAX          16
#define SL_HTTP_RESPONSE_HEADERS_MAX 48
#define SL_HTTP_RESPONSE_BYTES_MAX   ((size_t)4 * 1024 * 1024)

struct sl_http;

enum sl_http_end { SL_HTTP_NOT_SENT = 1, SL_HTTP_ANSWERED, SL_HTTP_UNKNOWN, SL_HTTP_END_COUNT };

struct sl_http_header {
    const char *name;
    struct sl_str value;
};

/* Copied by sl_http_start; the caller's memory may go afterwards. */
struct sl_http_request {
    const char *method; /* "POST" */
    const char *url;
    struct sl_http_header headers[SL_HTTP_HEADERS_MAX];
    size_t header_count;
    struct sl_str body; /* empty: none */
    int connect_timeout_ms;
    int timeout_ms; /* of the whole call */
};

/* Borrowed by the callback for as long as it runs. */
struct sl_http_response {
    enum sl_http_end end;
    int status;                                                  /* 0 unless ANSWERED */
    struct sl_http_header headers[SL_HTTP_RESPONSE_HEADERS_MAX]; /* names in lower case */
    size_t header_count;
    struct sl_str body;
    const struct sl_err *err; /* why not ANSWERED, else NULL */
    int64_t took_ms;
};

typedef void sl_http_done(void *arg, const struct sl_http_response *response);

/* `connections_max` bounds sockets; calls beyond it wait in a queue, their deadline running. `ca_file` NULL: the
 * system's. PERMANENT when `ca_file` can't be read. */
SL_MUST_CHECK struct sl_http *sl_http_create(int connections_max, const char *user_agent, const char *ca_file,
                                             struct sl_err *err);
/* Ends what runs as UNKNOWN or NOT_SENT (callbacks are called; they can't start calls any more), then frees. Accepts
 * NULL. */
void sl_http_destroy(struct sl_http *http);

/* `done(arg, …)` is called exactly once if this gave true, from sl_http_poll or sl_http_destroy; it may start calls.
 * PERMANENT when the request can't be sent as given, RETRY when there are too many calls already. */
SL_MUST_CHECK bool sl_http_start(struct sl_http *http, const struct sl_http_request *request, sl_http_done *done,
                                 void *arg, struct sl_err *err);
/* Drives all calls; waits for `timeout_ms` at most, less when something ends or sl_http_wake is called. */
void sl_http_poll(struct sl_http *http, int timeout_ms);
void sl_http_wake(struct sl_http *http); /* any thread */
size_t sl_http_in_flight(const struct sl_http *http);

/* The value of a response header by lower-case name; empty when absent. */
struct sl_str sl_http_header_of(const struct sl_http_response *response, const char *name);

#endif
