/* admin.c - readiness, the answers of the admin paths, and a small server of its own for them.
 *
 * The server is libmicrohttpd with one thread of its own, which reads snapshots: the metrics and the readiness. Threads
 * of the program write those at any time; sl_admin_stop waits for the admin thread. The port may be 0: see
 * sl_admin_port.
 */
#include "common/admin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/json.h"
#include "common/utf8.h"

#define PARTS_MAX               16
#define PART_BYTES              32
#define REASON_BYTES            160
#define ANSWER_BYTES_MAX        ((size_t)4 * 1024 * 1024)
#define LISTEN_BACKLOG          64
#define CONNECTIONS_MAX         64
#define CONNECTION_TIMEOUT_S    10
#define CONNECTION_MEMORY_BYTES (16 * 1024)

struct part {
    char name[PART_BYTES];
    char reason[REASON_BYTES]; /* empty: fit */
};

struct sl_readiness {
    pthread_mutex_t lock;
    size_t part_count;
    struct part parts[PARTS_MAX];
};

struct sl_readiness *sl_readiness_create(void)
{
    struct sl_readiness *readiness = sl_calloc(1, sizeof(*readiness));
    SL_ASSERT(pthread_mutex_init(&readiness->lock, NULL) == 0);
    return readiness;
}

void sl_readiness_destroy(struct sl_readiness *readiness)
{
    if (readiness != NULL) {
        SL_ASSERT(pthread_mutex_destroy(&readiness->lock) == 0);
        free(readiness);
    }
}

void sl_readiness_set(struct sl_readiness *readiness, const char *part, const char *reason)
{
    SL_ASSERT(pthread_mutex_lock(&readiness->lock) == 0);
    size_t at = 0;
    while (at < readiness->part_count && strcmp(readiness->parts[at].name, part) != 0) {
        at++;
    }
    if (at == readiness->part_count) {
        SL_ASSERT(at < PARTS_MAX && strlen(part) < PART_BYTES);
        (void)snprintf(readiness->parts[at].name, PART_BYTES, "%s", part);
        readiness->part_count++;
    }
    const struct sl_str cut = sl_utf8_cut(sl_str_of(reason), REASON_BYTES - 1);
    memcpy(readiness->parts[at].reason, cut.ptr, cut.len);
    readiness->parts[at].reason[cut.len] = '\0';
    SL_ASSERT(pthread_mutex_unlock(&readiness->lock) == 0);
}

bool sl_readiness_get(struct sl_readiness *readiness, struct sl_buf *out)
{
    bool ready = true;
    SL_ASSERT(pthread_mutex_lock(&readiness->lock) == 0);
    for (size_t i = 0; ready && i < readiness->part_count; i++) {
        const struct part *part = &readiness->parts[i];
        if (part->reason[0] != '\0') {
            ready = false;
            (void)sl_buf_printf(out, "%s: %s", part->name, part->reason);
        }
    }
    SL_ASSERT(pthread_mutex_unlock(&readiness->lock) == 0);
    return ready;
}

struct context {
    const char *service;
    struct sl_metrics *metrics;
    struct sl_readiness *readiness;
};

static int answer_alive(const struct context *context, struct sl_buf *out)
{
    (void)context;
    (void)sl_buf_append_cstr(out, "{\"status\":\"ok\"}");
    return MHD_HTTP_OK;
}

static int answer_health(const struct context *context, struct sl_buf *out)
{
    (void)sl_buf_append_cstr(out, "{\"status\":\"healthy\",\"service\":");
    (void)sl_json_write_str(out, sl_str_of(context->service));
    (void)sl_buf_append_char(out, '}');
    return MHD_HTTP_OK;
}

static int answer_ready(const struct context *context, struct sl_buf *out)
{
    struct sl_buf reason;
    sl_buf_init(&reason, PART_BYTES + REASON_BYTES);
    const bool ready = sl_readiness_get(context->readiness, &reason);
    if (ready) {
        (void)sl_buf_append_cstr(out, "{\"ready\":true}");
    } else {
        (void)sl_buf_append_cstr(out, "{\"ready\":false,\"reason\":");
        (void)sl_json_write_str(out, sl_buf_str(&reason));
        (void)sl_buf_append_char(out, '}');
    }
    sl_buf_deinit(&reason);
    return ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static int answer_metrics(const struct context *context, struct sl_buf *out)
{
    return sl_metrics_render(context->metrics, out) ? MHD_HTTP_OK : MHD_HTTP_INTERNAL_SERVER_ERROR;
}

#define CONTENT_JSON "application/json"
/* https://prometheus.io/docs/instrumenting/exposition_formats/ */
#define CONTENT_PROMETHEUS "text/plain; version=0.0.4"

static const struct path {
    const char *path;
    const char *content_type;
    int (*answer)(const struct context *context, struct sl_buf *out);
} PATHS[] = {
    {"/healthz", CONTENT_JSON, answer_alive},
    {"/readyz", CONTENT_JSON, answer_ready},
    {"/health", CONTENT_JSON, answer_health},
    {"/metrics", CONTENT_PROMETHEUS, answer_metrics},
};

static const struct path *path_of(const char *path)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(PATHS); i++) {
        if (strcmp(PATHS[i].path, path) == 0) {
            return &PATHS[i];
        }
    }
    return NULL;
}

bool sl_admin_answer(const char *path, const char *service, struct sl_metrics *metrics, struct sl_readiness *readiness,
                     struct sl_buf *out, struct sl_admin_answer *ret_answer)
{
    const struct path *found = path_of(path);
    if (found == NULL) {
        return false;
    }
    const struct context context = {.service = service, .metrics = metrics, .readiness = readiness};
    *ret_answer = (struct sl_admin_answer){.content_type = found->content_type};
    ret_answer->status = found->answer(&context, out);
    return true;
}

static bool listen_err(struct sl_err *err, const char *listen)
{
    (void)sl_err_set(err, SL_ERR_PERMANENT, "\"%s\" is no address to listen on", listen);
    sl_err_hint(err, "write 127.0.0.1:8080, or [::1]:8080");
    return false;
}

bool sl_admin_parse_listen(const char *listen, struct sockaddr_storage *ret_address, struct sl_err *err)
{
    char host[INET6_ADDRSTRLEN];
    const char *colon = strrchr(listen, ':');
    int64_t port = 0;
    if (colon == NULL || colon[1] == '\0' || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        !sl_str_to_int64(sl_str_of(colon + 1), &port) || port > UINT16_MAX) {
        return listen_err(err, listen);
    }
    const bool bracketed = listen[0] == '[' && colon > listen + 1 && colon[-1] == ']';
    const char *begin = listen + (bracketed ? 1 : 0);
    const size_t host_len = (size_t)(colon - begin) - (bracketed ? 1 : 0);
    if (host_len >= sizeof(host)) {
        return listen_err(err, listen);
    }
    memcpy(host, begin, host_len);
    host[host_len] = '\0';
    struct sockaddr_storage address = {0};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    if (!bracketed && inet_pton(AF_INET, host, &in.sin_addr) == 1) {
        memcpy(&address, &in, sizeof(in));
    } else if (bracketed && inet_pton(AF_INET6, host, &in6.sin6_addr) == 1) {
        memcpy(&address, &in6, sizeof(in6));
    } else {
        return listen_err(err, listen);
    }
    *ret_address = address;
    return true;
}

struct sl_admin {
    struct MHD_Daemon *daemon;
    struct context context;
    char *service;
    int port;
};

/* Queues the answer; takes what is in `out`. */
static enum MHD_Result respond(struct MHD_Connection *connection, int status, const char *content_type,
                               struct sl_buf *out)
{
    const size_t len = out->len;
    char *text = sl_buf_take(out);
    struct MHD_Response *response =
        text != NULL ? MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE)
                     : MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        free(text);
        return MHD_NO;
    }
    enum MHD_Result queued = MHD_NO;
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type) == MHD_YES &&
        (status != MHD_HTTP_METHOD_NOT_ALLOWED ||
         MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, MHD_HTTP_METHOD_GET) == MHD_YES)) {
        queued = MHD_queue_response(connection, (unsigned int)status, response);
    }
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *upload, size_t *upload_len, void **state)
{
    (void)version;
    (void)upload;
    (void)upload_len;
    (void)state;
    const struct sl_admin *admin = arg;
    const struct context *context = &admin->context;
    struct sl_admin_answer answer = {.status = MHD_HTTP_NOT_FOUND, .content_type = CONTENT_JSON};
    struct sl_buf out;
    sl_buf_init(&out, ANSWER_BYTES_MAX);
    if (path_of(path) != NULL && strcmp(method, MHD_HTTP_METHOD_GET) != 0) {
        answer.status = MHD_HTTP_METHOD_NOT_ALLOWED;
        (void)sl_buf_append_cstr(&out, "{\"error\":\"only GET\"}");
    } else if (!sl_admin_answer(path, context->service, context->metrics, context->readiness, &out, &answer)) {
        (void)sl_buf_append_cstr(&out, "{\"error\":\"not found\"}");
    }
    const enum MHD_Result queued = respond(connection, answer.status, answer.content_type, &out);
    sl_buf_deinit(&out);
    return queued;
}

/* A listening socket, and the port that it got. -1 with the reason. */
static int open_socket(const char *listen_text, int *ret_port, struct sl_err *err)
{
    struct sockaddr_storage address;
    if (!sl_admin_parse_listen(listen_text, &address, err)) {
        return -1;
    }
    const int on = 1;
    socklen_t address_len = address.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (const struct sockaddr *)&address, address_len) != 0 || listen(fd, LISTEN_BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &address_len) != 0) {
        (void)sl_err_set(err, SL_ERR_PERMANENT, "can't listen on %s", listen_text);
        sl_err_detail(err, "%s", strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return -1;
    }
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    memcpy(&in, &address, sizeof(in));
    memcpy(&in6, &address, sizeof(in6));
    *ret_port = ntohs(address.ss_family == AF_INET6 ? in6.sin6_port : in.sin_port);
    return fd;
}

struct sl_admin *sl_admin_start(const char *listen, const char *service, struct sl_metrics *metrics,
                                struct sl_readiness *readiness, struct sl_err *err)
{
    int port = 0;
    const int fd = open_socket(listen, &port, err);
    if (fd < 0) {
        return NULL;
    }
    struct sl_admin *admin = sl_calloc(1, sizeof(*admin));
    admin->service = sl_strdup(service);
    admin->context = (struct context){.service = admin->service, .metrics = metrics, .readiness = readiness};
    admin->port = port;
    admin->daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, admin, MHD_OPTION_LISTEN_SOCKET, fd,
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                         (unsigned int)CONNECTION_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_END);
    if (admin->daemon == NULL) {
        /* The socket is libmicrohttpd's from here on, also on failure. */
        (void)sl_err_set(err, SL_ERR_PERMANENT, "can't serve on %s", listen);
        sl_err_detail(err, "libmicrohttpd %s could not start", MHD_get_version());
        free(admin->service);
        free(admin);
        return NULL;
    }
    return admin;
}

int sl_admin_port(const struct sl_admin *admin)
{
    return admin->port;
}

void sl_admin_stop(struct sl_admin *admin)
{
    if (admin != NULL) {
        MHD_stop_daemon(admin->daemon);
        free(admin->service);
        free(admin);
    }
}
