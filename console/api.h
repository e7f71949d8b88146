/* api.h - the story of one request: which path, who asks, what for; read or stream; the answer. Knows nothing of
 * sockets.
 *
 * The server fills the first half of a request, calls api_begin and does as it says. Any thread may call for requests
 * of its own; the settings are under a lock, so that SIGHUP can put others in their place.
 */
#ifndef CONSOLE_API_H
#define CONSOLE_API_H

#include "console/auth.h"
#include "console/pool.h"
#include "console/route.h"

struct reply {
    int status;
    const char *content_type;
    struct sl_str body;
    const char *allow;     /* Allow, or NULL */
    const char *challenge; /* WWW-Authenticate, or NULL */
    int retry_after_s;     /* Retry-After, or 0 */
};

struct api_request {
    struct headers headers;
    struct sl_str method, path;
    struct sl_str asked_user, limit, after; /* of the query; `ptr` NULL: not given */
    struct sl_arena *arena;
    int64_t wall_ms, mono_ms; /* its arrival */

    /* filled in */
    const struct route *route; /* NULL: none */
    struct caller caller;
    struct pool_job job; /* `done` and `arg` are the server's to set */
    struct reply reply;
};

enum api_step {
    API_ANSWERED = 1, /* the reply is there */
    API_READS,        /* to pool_submit with the job; afterwards api_finish, or api_refuse when it didn't fit */
    API_STREAMS,      /* open a stream for the caller */
};

struct api;

/* `first` stays the caller's, for the life of this. */
SL_MUST_CHECK struct api *api_create(const struct settings *first, const struct meters *meters);
void api_destroy(struct api *api);                       /* accepts NULL */
void api_reload(struct api *api, struct settings *next); /* takes `next` */

enum api_step api_begin(struct api *api, struct api_request *request);
/* The job has ended: the reply. */
void api_finish(struct api_request *request);
/* A problem as the reply; `detail` is static. */
void api_refuse(struct api_request *request, enum problem_code code, const char *detail, int retry_after_s);
/* Counts the reply, once it goes out; `now_ms` monotonic. */
void api_count(struct api *api, const struct api_request *request, int64_t now_ms);

#endif
