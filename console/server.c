/* server.c - see server.h. Facts about libmicrohttpd are of 0.9.75:
 *
 * The handler is called once when the head is there (`*state` NULL), once for each piece of a body, and once at the
 * end. A suspended connection is not looked at; resuming one calls the handler again, or the reader of its response. A
 * reader that has nothing suspends its connection and gives 0.
 */
#include "console/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "web/peer.h"
#include "web/target.h"

#define CONNECTION_BYTES_MAX ((size_t)32 * 1024) /* the head, and what is being written */
#define DISCARD_BYTES_MAX    ((size_t)64 * 1024) /* of bodies, which mean nothing here (RFC 9110, 9.3.1) */
#define BACKSTOP_S           15                  /* of libmicrohttpd's own timeout, beyond ours */
#define STREAM_BLOCK_BYTES   4096
#define ADMIN_BYTES_MAX      ((size_t)4 * 1024 * 1024)
#define ARENA_BYTES_MAX      (READ_ANSWER_BYTES_MAX + (size_t)4 * 1024 * 1024)
#define ANSWERS_BYTES_MAX    ((size_t)128 * 1024 * 1024) /* of answers that their clients have not read yet */
#define RETRY_S              2

struct server {
    struct server_options options;
    struct hub *hub;
    struct MHD_Daemon *daemon;
    struct peers *peers;
    atomic_bool is_draining;
    atomic_int_fast64_t requests;
    size_t answers_bytes; /* being written; libmicrohttpd's thread alone */
};

/* What the library keeps for us with one request. */
struct exchange {
    struct server *server;
    struct MHD_Connection *connection;
    struct peer *peer;
    struct stream *stream;
    bool is_whole;  /* its end has been seen */
    bool is_read;   /* a job of the pool's: its answer is known when the handler is called again */
    bool is_broken; /* can't be told where it ends: the connection goes with the answer */
    size_t discarded;
    size_t answer_bytes; /* of the server's answers_bytes */
    struct api_request request;
};

static struct peer *peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    SL_ASSERT(info && info->socket_context);
    return info->socket_context;
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    SL_ASSERT(MHD_add_response_header(response, name, value) == MHD_YES);
}

static enum MHD_Result queue_reply(struct MHD_Connection *connection, const struct reply *reply, bool closes)
{
    char number[16];
    union {
        const char *readable;
        void *any; /* the library copies it, but asks for a pointer to change it by */
    } body = {.readable = reply->body.ptr};
    struct MHD_Response *response = MHD_create_response_from_buffer(reply->body.len, body.any, MHD_RESPMEM_MUST_COPY);
    SL_ASSERT(response);
    add_header(response, "Content-Type", reply->content_type);
    add_header(response, "Cache-Control", "no-store");
    add_header(response, "X-Content-Type-Options", "nosniff");
    if (reply->allow)
        add_header(response, "Allow", reply->allow);
    if (reply->challenge)
        add_header(response, "WWW-Authenticate", reply->challenge);
    if (reply->retry_after_s > 0) {
        (void)snprintf(number, sizeof(number), "%d", reply->retry_after_s);
        add_header(response, "Retry-After", number);
    }
    if (closes)
        add_header(response, "Connection", "close");
    enum MHD_Result queued = MHD_queue_response(connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return queued;
}

/* A client may take its time with a long answer, and others may do the same. */
static enum MHD_Result queue_answer(struct exchange *exchange)
{
    struct server *server = exchange->server;
    struct api_request *request = &exchange->request;
    size_t len = request->reply.status == MHD_HTTP_OK ? request->reply.body.len : 0;
    if (len > ANSWERS_BYTES_MAX - server->answers_bytes) {
        api_refuse(request, PROBLEM_UNAVAILABLE, "too many answers wait for their readers", RETRY_S);
    } else {
        exchange->answer_bytes = len;
        server->answers_bytes += len;
    }
    api_count(server->options.api, request, sl_clock_mono_ms());
    enum MHD_Result queued =
        queue_reply(exchange->connection, &request->reply, exchange->is_broken || atomic_load(&server->is_draining));
    /* the library has a copy */
    sl_arena_destroy(request->arena);
    request->arena = NULL;
    return queued;
}

static void suspend(void *arg)
{
    struct exchange *exchange = arg;
    MHD_suspend_connection(exchange->connection);
}

static void resume(void *arg)
{
    struct exchange *exchange = arg;
    MHD_resume_connection(exchange->connection);
}

static void cut(void *arg)
{
    struct exchange *exchange = arg;
    peers_cut(exchange->server->peers, exchange->peer);
}

static bool is_gone(void *arg)
{
    struct exchange *exchange = arg;
    return peers_is_closed(exchange->server->peers, exchange->peer);
}

const struct hub_carrier SERVER_CARRIER = {.suspend = suspend, .resume = resume, .cut = cut, .is_gone = is_gone};

static ssize_t read_stream(void *arg, uint64_t position, char *out, size_t max)
{
    (void)position;
    struct exchange *exchange = arg;
    bool is_ended = false;
    size_t len = hub_read(exchange->server->hub, exchange->stream, out, max, sl_clock_mono_ms(), &is_ended);
    return is_ended ? (ssize_t)MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)len;
}

static enum MHD_Result refuse_stream(struct exchange *exchange, enum hub_refusal refusal)
{
    static const char *const details[] = {
        [HUB_FULL] = "too many streams are open",
        [HUB_USER_FULL] = "this user has too many streams open",
        [HUB_NOT_READY] = "outcomes can't be read from Kafka right now",
    };
    api_refuse(&exchange->request, PROBLEM_UNAVAILABLE, details[refusal], RETRY_S);
    return queue_answer(exchange);
}

static enum MHD_Result begin_stream(struct exchange *exchange)
{
    struct server *server = exchange->server;
    enum hub_refusal refusal = HUB_TAKEN;
    struct hub_ask ask = {
        .user_id = exchange->request.caller.user_id,
        .last_event_id = headers_get(&exchange->request.headers, "last-event-id"),
        .ends_at_ms = exchange->request.caller.ends_at_ms,
        .carrier_arg = exchange,
    };
    exchange->stream = hub_open(server->hub, &ask, exchange->request.mono_ms, &refusal);
    if (!exchange->stream)
        return refuse_stream(exchange, refusal);
    exchange->request.reply.status = MHD_HTTP_OK;
    api_count(server->options.api, &exchange->request, sl_clock_mono_ms());
    /* A stream lives long and needs nothing of it any more. */
    sl_arena_destroy(exchange->request.arena);
    exchange->request.arena = NULL;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, read_stream, exchange, NULL);
    SL_ASSERT(response);
    add_header(response, "Content-Type", "text/event-stream");
    add_header(response, "Cache-Control", "no-store");
    add_header(response, "X-Accel-Buffering", "no"); /* proxies that buffer would hold events back */
    enum MHD_Result queued = MHD_queue_response(exchange->connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result begin_read(struct exchange *exchange)
{
    struct api_request *request = &exchange->request;
    request->job.done = resume;
    request->job.arg = exchange;
    exchange->is_read = true;
    /* First suspended, then submitted: the answer may come before we are back. */
    MHD_suspend_connection(exchange->connection);
    if (pool_submit(exchange->server->options.pool, &request->job, request->mono_ms))
        return MHD_YES;
    exchange->is_read = false;
    api_refuse(request, PROBLEM_UNAVAILABLE, "too many requests wait for the database", RETRY_S);
    MHD_resume_connection(exchange->connection); /* the handler is called again, and answers */
    return MHD_YES;
}

/* The request has arrived whole, or (second time) its answer is known. */
static enum MHD_Result handle_end(struct exchange *exchange)
{
    struct server *server = exchange->server;
    struct api_request *request = &exchange->request;
    if (exchange->is_whole) {
        if (exchange->is_read)
            api_finish(request);
        return queue_answer(exchange);
    }
    exchange->is_whole = true;
    if (!peers_move(server->peers, exchange->peer, PEER_WORK, sl_clock_mono_ms()))
        return MHD_NO;
    if (exchange->is_broken) /* the reply is there */
        return queue_answer(exchange);
    if (atomic_load(&server->is_draining)) {
        api_refuse(request, PROBLEM_UNAVAILABLE, "the process is shutting down", RETRY_S);
        return queue_answer(exchange);
    }
    switch (api_begin(server->options.api, request)) {
    case API_READS:
        return begin_read(exchange);
    case API_STREAMS:
        return begin_stream(exchange);
    case API_ANSWERED:
        break;
    }
    return queue_answer(exchange);
}

/* False: not a path of /healthz and its kind. */
static bool answer_admin(struct server *server, struct MHD_Connection *connection, const char *path, const char *method,
                         enum MHD_Result *ret_queued)
{
    const struct server_options *options = &server->options;
    struct sl_admin_answer admin;
    struct sl_buf body;
    sl_buf_init(&body, ADMIN_BYTES_MAX);
    bool is_admin = sl_admin_answer(path, options->service, options->metrics, options->readiness, &body, &admin);
    if (is_admin && (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)) {
        struct reply reply = {.status = admin.status, .content_type = admin.content_type, .body = sl_buf_str(&body)};
        *ret_queued = queue_reply(connection, &reply, false);
    } else if (is_admin) {
        struct api_request request = {.arena = sl_arena_create(ADMIN_BYTES_MAX)};
        api_refuse(&request, PROBLEM_METHOD_NOT_ALLOWED, NULL, 0);
        request.reply.allow = "GET, HEAD";
        *ret_queued = queue_reply(connection, &request.reply, false);
        sl_arena_destroy(request.arena);
    }
    sl_buf_deinit(&body);
    return is_admin;
}

static enum MHD_Result collect_header(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                      const char *value, size_t value_len)
{
    (void)kind;
    struct exchange *exchange = arg;
    if (!headers_add(&exchange->request.headers, (struct sl_str){.ptr = name, .len = name_len},
                     (struct sl_str){.ptr = value, .len = value ? value_len : 0})) {
        exchange->is_broken = true;
        api_refuse(&exchange->request, PROBLEM_BAD_REQUEST, "too many header fields", 0);
    }
    return MHD_YES;
}

static struct sl_str argument_of(struct MHD_Connection *connection, const char *name)
{
    const char *value = NULL;
    size_t len = 0;
    if (MHD_lookup_connection_value_n(connection, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, &len) != MHD_YES)
        return SL_STR_NONE;
    return value ? (struct sl_str){.ptr = value, .len = len} : SL_STR("");
}

static void read_head(struct exchange *exchange, const char *path, const char *method)
{
    struct api_request *request = &exchange->request;
    struct MHD_Connection *connection = exchange->connection;
    request->arena = sl_arena_create(ARENA_BYTES_MAX);
    request->method = sl_str_of(method);
    request->path = sl_str_of(path);
    request->asked_user = argument_of(connection, "user_id");
    request->limit = argument_of(connection, "limit");
    request->after = argument_of(connection, "after");
    request->wall_ms = sl_clock_wall_ms();
    request->mono_ms = sl_clock_mono_ms();
    (void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, collect_header, exchange);
    /* How a body is framed must be beyond doubt (RFC 9112, 6.1 and 11.2). */
    if (headers_has(&request->headers, "transfer-encoding") && headers_has(&request->headers, "content-length")) {
        exchange->is_broken = true;
        api_refuse(request, PROBLEM_BAD_REQUEST, "both Content-Length and Transfer-Encoding", 0);
    }
}

#define NO_PATH "" /* that no route has: for targets that are not plain */

/* The head is there. */
static enum MHD_Result handle_head(struct server *server, struct MHD_Connection *connection, const char *path,
                                   const char *method, void **state)
{
    enum MHD_Result queued = MHD_NO;
    struct peer *peer = peer_of(connection);
    if (!peers_move(server->peers, peer, PEER_WORK, sl_clock_mono_ms()))
        return MHD_NO;
    if (peer->is_odd)
        path = NO_PATH;
    else if (answer_admin(server, connection, path, method, &queued))
        return queued;
    struct exchange *exchange = sl_calloc(1, sizeof(*exchange));
    exchange->server = server;
    exchange->connection = connection;
    exchange->peer = peer;
    *state = exchange;
    (void)atomic_fetch_add(&server->requests, 1);
    read_head(exchange, path, method);
    return peers_move(server->peers, peer, PEER_BODY, sl_clock_mono_ms()) ? MHD_YES : MHD_NO;
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
                              const char *version, const char *upload, size_t *upload_len, void **state)
{
    (void)version;
    (void)upload;
    if (!*state)
        return handle_head(arg, connection, path, method, state);
    struct exchange *exchange = *state;
    if (*upload_len > 0) {
        exchange->discarded += *upload_len;
        *upload_len = 0;
        return exchange->discarded <= DISCARD_BYTES_MAX ? MHD_YES : MHD_NO;
    }
    return handle_end(exchange);
}

/* The library is about to read a request's target; what we give is the request's first state. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
    (void)arg;
    peer_of(connection)->is_odd = !target_is_plain(target);
    return NULL;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    (void)code;
    struct server *server = arg;
    struct exchange *exchange = *state;
    if (exchange) {
        if (exchange->stream)
            hub_close(server->hub, exchange->stream);
        sl_arena_destroy(exchange->request.arena);
        server->answers_bytes -= exchange->answer_bytes;
        free(exchange);
        *state = NULL;
        (void)atomic_fetch_sub(&server->requests, 1);
    }
    (void)peers_move(server->peers, peer_of(connection), PEER_IDLE, sl_clock_mono_ms());
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct server *server = arg;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        peers_remove(server->peers, *socket_context);
        return;
    }
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    SL_ASSERT(info);
    *socket_context = peers_add(server->peers, info->connect_fd, sl_clock_mono_ms());
}

struct server *server_start(const struct server_options *options, struct hub *hub, struct sl_err *err)
{
    struct sockaddr_storage address;
    if (!sl_admin_parse_listen(options->listen, &address, err))
        return NULL;
    struct server *server = sl_calloc(1, sizeof(*server));
    server->options = *options;
    server->hub = hub;
    server->peers = peers_create();
    unsigned flags = MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    if (address.ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    errno = 0;
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, handle, server, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
        MHD_OPTION_CONNECTION_LIMIT, options->connections_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(options->request_timeout_ms / 1000 + BACKSTOP_S),
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_URI_LOG_CALLBACK,
        on_target, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_END);
    if (server->daemon)
        return server;
    (void)sl_err_set(err, SL_ERR_PERMANENT, "cannot listen on %s: %s", options->listen, strerror(errno));
    peers_destroy(server->peers);
    free(server);
    return NULL;
}

void server_stop(struct server *server)
{
    if (!server)
        return;
    MHD_stop_daemon(server->daemon);
    peers_destroy(server->peers);
    free(server);
}

void server_drain(struct server *server)
{
    atomic_store(&server->is_draining, true);
}

void server_reap(struct server *server, int64_t now_ms)
{
    struct problem problem;
    struct sl_buf body;
    struct sl_buf text;
    sl_buf_init(&body, ADMIN_BYTES_MAX);
    sl_buf_init(&text, ADMIN_BYTES_MAX);
    (void)problem_set(&problem, PROBLEM_REQUEST_TIMEOUT, NULL);
    problem_write(&problem, &body);
    (void)sl_buf_printf(&text,
                        "HTTP/1.1 408 Request Timeout\r\nContent-Type: application/problem+json\r\n"
                        "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                        body.len);
    (void)sl_buf_append_str(&text, sl_buf_str(&body));
    (void)peers_reap(server->peers, server->options.request_timeout_ms, sl_buf_str(&text), now_ms);
    sl_buf_deinit(&text);
    sl_buf_deinit(&body);
}

int64_t server_requests(const struct server *server)
{
    return atomic_load(&server->requests);
}

int64_t server_connections(struct server *server)
{
    return (int64_t)peers_count(server->peers);
}

unsigned server_port(const struct server *server)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}
