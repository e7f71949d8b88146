/* http_server.h - a server for tests that misbehaves as told: plain sockets, one thread a connection.
 *
 * A test gives one function that serves a connection, from its first byte to its end. Counters may be read at any time.
 */
#ifndef TESTS_HTTP_SERVER_H
#define TESTS_HTTP_SERVER_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common/base.h"

#define SERVER_CONNECTIONS_MAX 64
#define SERVER_REQUEST_BYTES   8192

struct server;

/* One connection: `fd` is closed afterwards. `number` counts connections from 1. */
typedef void server_fn(struct server *server, int fd, int number);

struct server {
    int fd;
    int port;
    server_fn *serve;
    SSL_CTX *tls; /* for the test's own use, NULL: none */
    pthread_t acceptor;
    pthread_t threads[SERVER_CONNECTIONS_MAX];
    atomic_int connections;
    atomic_int requests; /* read whole */
    atomic_int open;     /* requests being answered now, and the most at once */
    atomic_int open_max;
    pthread_mutex_t lock;            /* of `last` */
    char last[SERVER_REQUEST_BYTES]; /* the last request, head and body; read it when its answer has come */
};

void server_start(struct server *server, server_fn *serve);
/* Waits for all connections to end: the clients must have closed theirs. */
void server_stop(struct server *server);

/* Reads one request, with the body that its Content-Length says, into `last`. False at the end of the connection. */
SL_MUST_CHECK bool server_read(struct server *server, int fd);
void server_send(int fd, const char *text);
void server_send_bytes(int fd, const char *bytes, size_t len);
/* Reads and drops until the client closes. */
void server_wait_for_close(int fd);
/* The next close of `fd` sends a reset. */
void server_reset_on_close(int fd);

/* A socket that accepts no connection: its queue is full, so that connecting hangs. `ret_fds` are to be closed. */
#define SERVER_FULL_FDS 8
int server_full_port(int ret_fds[SERVER_FULL_FDS]);
/* A port on which nobody listens. */
int server_free_port(void);

#endif
