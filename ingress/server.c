/* server.c - see server.h. Facts about libmicrohttpd are of 0.9.75:
 *
 * The handler is called once when the head is there (`*state` NULL), once for each piece of the body, and once at the
 * end; an answer may be queued in the first and the last call only. An answer that can't wait for the end of a body is
 * written to the socket directly, what still comes is thrown away for a while (else the reset would overtake the
 * answer), and the connection ends. A suspended connection is not looked at; resuming one calls the handler again.
 */
#include "ingress/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/fault.h"
#include "web/peer.h"
#include "web/target.h"

#define CONNECTION_BYTES_MAX  ((size_t)32 * 1024)   /* the head and the read buffer */
#define DISCARD_QUIETLY_BYTES ((size_t)1024 * 1024) /* of a body whose answer can wait for its end */
#define DISCARD_BYTES_MAX     ((size_t)8 * 1024 * 1024)
#define BACKSTOP_S            15 /* of libmicrohttpd's own timeout, beyond ours */
#define ADMIN_BYTES_MAX       ((size_t)4 * 1024 * 1024)

struct server {
    struct server_options options;
    struct MHD_Daemon *daemon;
    struct peers *peers;
};

/* What the library keeps for us with one request. */
struct exchange {
    struct server *server;
    struct MHD_Connection *connection;
    struct peer *peer;
    struct request *request;
    bool is_whole;   /* the body has arrived, the story has gone on */
    bool is_refused; /* answered on the socket itself: what comes is discarded, then the connection ends */
    size_t discarded;
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

static enum MHD_Result queue_bytes(struct MHD_Connection *connection, const struct answer *answer)
{
    char number[16];
    union {
        const char *readable;
        void *any; /* the library copies it, but asks for a pointer to change it by */
    } body = {.readable = answer->body.ptr};
    struct MHD_Response *response = MHD_create_response_from_buffer(answer->body.len, body.any, MHD_RESPMEM_MUST_COPY);
    SL_ASSERT(response);
    add_header(response, "Content-Type", answer->content_type);
    add_header(response, "Cache-Control", "no-store");
    if (answer->receipt[0] != '\0')
        add_header(response, "Sluice-Receipt", answer->receipt);
    if (answer->allow)
        add_header(response, "Allow", answer->allow);
    if (answer->challenge)
        add_header(response, "WWW-Authenticate", answer->challenge);
    if (answer->retry_after_s > 0) {
        (void)snprintf(number, sizeof(number), "%d", answer->retry_after_s);
        add_header(response, "Retry-After", number);
    }
    if (answer->close)
        add_header(response, "Connection", "close");
    enum MHD_Result queued = MHD_queue_response(connection, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    return queued;
}

/* The same answer as bytes of HTTP/1.1, for peers_tell. */
static void write_answer(const struct answer *answer, struct sl_buf *out)
{
    const char *phrase = MHD_get_reason_phrase_for((unsigned)answer->status);
    (void)sl_buf_printf(out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n",
                        answer->status, phrase, answer->content_type, answer->body.len);
    if (answer->retry_after_s > 0)
        (void)sl_buf_printf(out, "Retry-After: %d\r\n", answer->retry_after_s);
    if (answer->challenge)
        (void)sl_buf_printf(out, "WWW-Authenticate: %s\r\n", answer->challenge);
    if (answer->allow)
        (void)sl_buf_printf(out, "Allow: %s\r\n", answer->allow);
    (void)sl_buf_append_cstr(out, "\r\n");
    (void)sl_buf_append_str(out, answer->body);
}

static void refuse_now(struct exchange *exchange)
{
    struct sl_buf text;
    sl_buf_init(&text, ADMIN_BYTES_MAX);
    write_answer(intake_answer(exchange->request), &text);
    peers_tell(exchange->server->peers, exchange->peer, sl_buf_str(&text));
    sl_buf_deinit(&text);
    exchange->is_refused = true;
}

/* Answers with a problem before there is a request: not for intake to see. */
static enum MHD_Result queue_problem(struct MHD_Connection *connection, enum problem_code code, const char *allow)
{
    struct sl_arena *arena = sl_arena_create(ADMIN_BYTES_MAX);
    struct problem problem;
    (void)problem_set(&problem, code, NULL);
    struct answer answer = answer_problem(&problem, arena);
    answer.allow = allow;
    answer.close = code == PROBLEM_BAD_REQUEST;
    enum MHD_Result queued = queue_bytes(connection, &answer);
    sl_arena_destroy(arena);
    return queued;
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
    if (is_admin && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        *ret_queued = queue_problem(connection, PROBLEM_METHOD_NOT_ALLOWED, "GET, HEAD");
    } else if (is_admin) {
        struct answer answer = {.status = admin.status, .content_type = admin.content_type, .body = sl_buf_str(&body)};
        *ret_queued = queue_bytes(connection, &answer);
    }
    sl_buf_deinit(&body);
    return is_admin;
}

static enum MHD_Result collect_header(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                      const char *value, size_t value_len)
{
    (void)kind;
    struct intake_head *head = arg;
    if (!headers_add(&head->headers, (struct sl_str){.ptr = name, .len = name_len},
                     (struct sl_str){.ptr = value, .len = value ? value_len : 0}))
        head->headers_overflowed = true;
    return MHD_YES;
}

/* How the body is framed must be beyond doubt, or two readers of the same bytes see different requests (RFC 9112, 6.1
 * and 11.2): one Content-Length, or "chunked" alone, never both. */
static bool read_framing(struct intake_head *head, const char *version)
{
    size_t lengths = headers_count(&head->headers, "content-length");
    size_t codings = headers_count(&head->headers, "transfer-encoding");
    if (codings > 0) {
        head->content_length = -1;
        return codings == 1 && lengths == 0 && strcmp(version, "HTTP/1.1") == 0 &&
               sl_str_equal_ignore_case(headers_get(&head->headers, "transfer-encoding"), SL_STR("chunked"));
    }
    if (lengths == 0)
        return true;
    struct sl_str length = headers_get(&head->headers, "content-length");
    return lengths == 1 && sl_str_to_int64(length, &head->content_length) && head->content_length >= 0;
}

static bool read_head(struct MHD_Connection *connection, const char *path, const char *method, const char *version,
                      struct intake_head *head)
{
    *head = (struct intake_head){.method = sl_str_of(method), .path = sl_str_of(path)};
    (void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, collect_header, head);
    const char *user = NULL;
    size_t user_len = 0;
    if (MHD_lookup_connection_value_n(connection, MHD_GET_ARGUMENT_KIND, "user", 4, &user, &user_len) == MHD_YES &&
        user)
        head->callback_user = (struct sl_str){.ptr = user, .len = user_len};
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    head->peer = address_of(info ? info->client_addr : NULL);
    return read_framing(head, version);
}

/* The head is there. */
static enum MHD_Result handle_head(struct server *server, struct MHD_Connection *connection, const char *path,
                                   const char *method, const char *version, void **state)
{
    struct intake_head head;
    enum MHD_Result queued = MHD_NO;
    struct peer *peer = peer_of(connection);
    if (!peers_move(server->peers, peer, PEER_WORK, sl_clock_mono_ms()))
        return MHD_NO;
    if (peer->is_odd)
        return queue_problem(connection, PROBLEM_NOT_FOUND, NULL);
    if (answer_admin(server, connection, path, method, &queued))
        return queued;
    if (!read_head(connection, path, method, version, &head))
        return queue_problem(connection, PROBLEM_BAD_REQUEST, NULL);
    struct exchange *exchange = sl_calloc(1, sizeof(*exchange));
    *exchange = (struct exchange){.server = server, .connection = connection, .peer = peer};
    exchange->request = intake_begin(server->options.intake, &head);
    *state = exchange;
    /* A client that waits for "100 Continue" has sent nothing yet; one that doesn't is told at the end of its body,
     * which keeps the connection, or at once when that body is too large to be waited for. */
    if (intake_is_answered(exchange->request)) {
        if (headers_has(&head.headers, "expect"))
            return queue_bytes(connection, intake_answer(exchange->request));
        if (intake_is_oversize(exchange->request))
            refuse_now(exchange);
    }
    return peers_move(server->peers, peer, PEER_BODY, sl_clock_mono_ms()) ? MHD_YES : MHD_NO;
}

static enum MHD_Result handle_body(struct exchange *exchange, const char *bytes, size_t len)
{
    if (peers_is_timed_out(exchange->server->peers, exchange->peer))
        return MHD_NO;
    if (!intake_is_answered(exchange->request)) {
        if (!intake_body(exchange->request, bytes, len))
            refuse_now(exchange);
        return MHD_YES;
    }
    exchange->discarded += len;
    if (!exchange->is_refused && exchange->discarded > DISCARD_QUIETLY_BYTES)
        refuse_now(exchange);
    return exchange->discarded <= DISCARD_BYTES_MAX ? MHD_YES : MHD_NO;
}

static void resume(void *arg)
{
    MHD_resume_connection(arg);
}

/* The body is whole, or (second time) the answer is known. */
static enum MHD_Result handle_end(struct exchange *exchange)
{
    if (exchange->is_refused)
        return MHD_NO;
    if (!exchange->is_whole) {
        exchange->is_whole = true;
        if (!peers_move(exchange->server->peers, exchange->peer, PEER_WORK, sl_clock_mono_ms()))
            return MHD_NO;
        if (intake_end(exchange->request) == INTAKE_PUBLISH) {
            /* First suspended, then published: the report may come before we are back. */
            MHD_suspend_connection(exchange->connection);
            intake_publish(exchange->request, resume, exchange->connection);
            return MHD_YES;
        }
    }
    return queue_bytes(exchange->connection, intake_answer(exchange->request));
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
                              const char *version, const char *upload, size_t *upload_len, void **state)
{
    if (!*state)
        return handle_head(arg, connection, path, method, version, state);
    struct exchange *exchange = *state;
    if (*upload_len > 0) {
        size_t len = *upload_len;
        *upload_len = 0;
        return handle_body(exchange, upload, len);
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
    struct peer *peer = peer_of(connection);
    bool timed_out = peers_is_timed_out(server->peers, peer);
    sl_fault_if(exchange && exchange->is_whole, "ingress.after_answer");
    if (exchange) {
        intake_leave(exchange->request, timed_out ? INTAKE_TIMED_OUT : INTAKE_CLIENT_GONE);
        free(exchange);
        *state = NULL;
    }
    (void)peers_move(server->peers, peer, PEER_IDLE, sl_clock_mono_ms());
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

struct server *server_start(const struct server_options *options, struct sl_err *err)
{
    struct sockaddr_storage address;
    if (!sl_admin_parse_listen(options->listen, &address, err))
        return NULL;
    struct server *server = sl_calloc(1, sizeof(*server));
    server->options = *options;
    server->peers = peers_create();
    unsigned flags = MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    if (address.ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    errno = 0;
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, handle, server, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
        MHD_OPTION_CONNECTION_LIMIT, options->connections_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        options->connections_per_address_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES_MAX,
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

void server_reap(struct server *server, int64_t now_ms)
{
    struct sl_arena *arena = sl_arena_create(ADMIN_BYTES_MAX);
    struct sl_buf text;
    struct problem problem;
    sl_buf_init(&text, ADMIN_BYTES_MAX);
    (void)problem_set(&problem, PROBLEM_REQUEST_TIMEOUT, NULL);
    struct answer answer = answer_problem(&problem, arena);
    write_answer(&answer, &text);
    size_t heads = peers_reap(server->peers, server->options.request_timeout_ms, sl_buf_str(&text), now_ms);
    for (size_t i = 0; i < heads; i++)
        intake_count_timeout(server->options.intake);
    sl_buf_deinit(&text);
    sl_arena_destroy(arena);
}

unsigned server_port(const struct server *server)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

int64_t server_connections(struct server *server)
{
    return (int64_t)peers_count(server->peers);
}
