/* server.h - HTTP: the only room that knows libmicrohttpd.
 *
 * One thread of libmicrohttpd's, on epoll, serves all connections; a request whose answer is not known yet is
 * suspended, so that no thread waits for Kafka. The limits kept here: connections (all, and by address), header fields
 * and their bytes, and the time that a request may take to arrive. What the request means is intake's.
 */
#ifndef INGRESS_SERVER_H
#define INGRESS_SERVER_H

#include "common/admin.h"
#include "ingress/intake.h"

struct server_options {
    const char *listen; /* "ADDRESS:PORT" */
    const char *service;
    unsigned connections_max;
    unsigned connections_per_address_max; /* 0: no limit */
    int64_t request_timeout_ms;
    struct intake *intake;
    struct sl_metrics *metrics;
    struct sl_readiness *readiness;
};

struct server;

/* Listens and serves. PERMANENT when the address is bad or taken. The options' strings are borrowed for the server's
 * life. */
SL_MUST_CHECK struct server *server_start(const struct server_options *options, struct sl_err *err);
/* No request may be under way any more (see admission_requests). Closes all connections, joins, frees. Accepts NULL. */
void server_stop(struct server *server);

/* Ends connections whose request is overdue, with 408. Called every second or so, by one thread. */
void server_reap(struct server *server, int64_t now_ms);
unsigned server_port(const struct server *server);
int64_t server_connections(struct server *server);

#endif
