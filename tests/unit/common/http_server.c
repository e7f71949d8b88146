/* http_server.c - a server for tests that misbehaves as told. */
#include "tests/unit/common/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    struct server *server;
    int fd;
    int number;
};

static int bound_socket(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    SL_ASSERT(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0);
    SL_ASSERT(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void *run_connection(void *arg)
{
    struct connection *connection = arg;
    connection->server->serve(connection->server, connection->fd, connection->number);
    (void)close(connection->fd);
    free(connection);
    return NULL;
}

static void *run_acceptor(void *arg)
{
    struct server *server = arg;
    for (;;) {
        const int fd = accept(server->fd, NULL, NULL);
        if (fd < 0 && errno == ECONNABORTED) {
            continue;
        }
        if (fd < 0) {
            return NULL; /* server_stop shut it down */
        }
        struct connection *connection = sl_calloc(1, sizeof(*connection));
        const int number = atomic_load(&server->connections) + 1;
        SL_ASSERT(number <= SERVER_CONNECTIONS_MAX);
        *connection = (struct connection){.server = server, .fd = fd, .number = number};
        atomic_store(&server->connections, number); /* before anything can be answered */
        SL_ASSERT(pthread_create(&server->threads[number - 1], NULL, run_connection, connection) == 0);
    }
}

void server_start(struct server *server, server_fn *serve)
{
    memset(server, 0, sizeof(*server));
    SL_ASSERT(pthread_mutex_init(&server->lock, NULL) == 0);
    server->fd = bound_socket(&server->port);
    server->serve = serve;
    SL_ASSERT(listen(server->fd, SERVER_CONNECTIONS_MAX) == 0);
    SL_ASSERT(pthread_create(&server->acceptor, NULL, run_acceptor, server) == 0);
}

void server_stop(struct server *server)
{
    (void)shutdown(server->fd, SHUT_RDWR);
    SL_ASSERT(pthread_join(server->acceptor, NULL) == 0);
    for (int i = 0; i < atomic_load(&server->connections); i++) {
        SL_ASSERT(pthread_join(server->threads[i], NULL) == 0);
    }
    (void)close(server->fd);
    SL_ASSERT(pthread_mutex_destroy(&server->lock) == 0);
}

bool server_read(struct server *server, int fd)
{
    char request[SERVER_REQUEST_BYTES];
    size_t len = 0;
    size_t needed = 0;
    while (needed == 0 || len < needed) {
        SL_ASSERT(len < sizeof(request) - 1);
        const ssize_t count = recv(fd, request + len, sizeof(request) - 1 - len, 0);
        if (count <= 0) {
            return false;
        }
        len += (size_t)count;
        request[len] = '\0';
        const char *end = strstr(request, "\r\n\r\n");
        if (needed == 0 && end != NULL) {
            const char *length = strcasestr(request, "\r\nContent-Length:");
            needed = (size_t)(end + 4 - request);
            if (length != NULL && length < end) {
                needed += (size_t)strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
            }
        }
    }
    SL_ASSERT(pthread_mutex_lock(&server->lock) == 0);
    memcpy(server->last, request, len + 1);
    SL_ASSERT(pthread_mutex_unlock(&server->lock) == 0);
    atomic_fetch_add(&server->requests, 1);
    return true;
}

void server_send_bytes(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        const ssize_t count = send(fd, bytes, len, MSG_NOSIGNAL);
        if (count <= 0) {
            return; /* the client has gone, which is its right */
        }
        bytes += count;
        len -= (size_t)count;
    }
}

void server_send(int fd, const char *text)
{
    server_send_bytes(fd, text, strlen(text));
}

void server_wait_for_close(int fd)
{
    char bytes[4096];
    while (recv(fd, bytes, sizeof(bytes), 0) > 0) {
    }
}

void server_reset_on_close(int fd)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};
    SL_ASSERT(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
}

int server_full_port(int ret_fds[SERVER_FULL_FDS])
{
    int port = 0;
    ret_fds[0] = bound_socket(&port);
    SL_ASSERT(listen(ret_fds[0], 0) == 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    for (int i = 1; i < SERVER_FULL_FDS; i++) {
        ret_fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        SL_ASSERT(ret_fds[i] >= 0);
        (void)connect(ret_fds[i], (struct sockaddr *)&address, sizeof(address));
    }
    return port;
}

int server_free_port(void)
{
    int port = 0;
    (void)close(bound_socket(&port));
    return port;
}
