/* server.h - HTTP: the only room of the console that knows libmicrohttpd.
 *
 * One thread of libmicrohttpd's, on epoll, serves all connections. A request that waits for Postgres is suspended, and
 * so is a stream that has nothing to write: no thread waits for either. Limits kept here: connections, header fields
 * and their bytes, the time that a request may take to arrive, and that a write may take. What a request means is
 * api's.
 */
#ifndef CONSOLE_SERVER_H
#define CONSOLE_SERVER_H

#include "common/admin.h"
#include "console/api.h"
#include "console/hub.h"
#include "console/pool.h"

struct server_options {
    const char *listen; /* "ADDRESS:PORT" */
    const char *service;
    unsigned connections_max;
    int64_t request_timeout_ms;
    struct api *api;
    struct pool *pool;
    struct sl_metrics *metrics;
    struct sl_readiness *readiness;
};

struct server;

/* How streams are carried here: for hub_create; its argument is what server gives hub_open. */
extern const struct hub_carrier SERVER_CARRIER;

/* Listens and serves. PERMANENT when the address is bad or taken. The options' strings and `hub` are borrowed for the
 * server's life. */
SL_MUST_CHECK struct server *server_start(const struct server_options *options, struct hub *hub, struct sl_err *err);
/* Nothing may be suspended any more: the pool is stopped, the hub's streams have ended. Closes all connections, joins,
 * frees. Accepts NULL. */
void server_stop(struct server *server);

/* From now on requests below /api are refused with 503. */
void server_drain(struct server *server);
/* Ends connections whose request is overdue. Called every second or so, by one thread. */
void server_reap(struct server *server, int64_t now_ms);
int64_t server_requests(const struct server *server); /* under way, streams too */
int64_t server_connections(struct server *server);
unsigned server_port(const struct server *server);

#endif
