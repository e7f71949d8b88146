/* read.h - what a verified body says about itself: id, type, time, subject and whose it may be. One function per
 * source.
 *
 * In: the request's parts as they came. Out: a `struct reading` whose strings live as long as the request's arena. The
 * body is published as it came, except for REST, where the reader makes the command document, and for commands that
 * hold a secret, which is sealed (sealing.h). How the body is parsed stays inside the readers. Pure; any thread.
 */
#ifndef INGRESS_READ_H
#define INGRESS_READ_H

#include "common/arena.h"
#include "common/json.h"
#include "common/seal.h"
#include "ingress/commands.h"
#include "ingress/key.h"
#include "web/headers.h"
#include "web/problem.h"

#define READ_PARAMS_MAX   3
#define READ_ID_BYTES_MAX 255

struct read_param {
    const char *name; /* the field of data, "agent_id" */
    struct sl_str value;
};

struct read_request {
    const struct headers *headers;
    struct sl_str body;
    struct sl_str callback_user;   /* `?user=` of a callback's URL, or empty */
    const struct command *command; /* REST: which */
    struct read_param params[READ_PARAMS_MAX];
    size_t param_count;
    struct sl_str user_id, email, role; /* REST: from the token */
    struct sl_str ce_source;            /* commands: what their secrets are sealed for, with the id */
    const struct sl_seal_ring *ring;    /* commands: with what; NULL is as good as one without keys */
    struct sl_str fresh_id;             /* an id to use where the sender gave none */
    int64_t received_at_ms;
    struct sl_arena *arena;
};

struct reading {
    struct sl_str id;      /* ce_id */
    struct sl_str type;    /* ce_type with its prefix */
    struct sl_str subject; /* may be empty */
    int64_t time_ms;       /* the provider's time, else the receipt */
    struct key_parts key;
    struct sl_str data; /* what is published */
    bool is_ping;       /* GitHub's first call of a new hook: answered, not published */
};

/* False with `ret_problem` filled: INVALID_JSON, INVALID_EVENT or INVALID_COMMAND; UNAVAILABLE where a secret can't be
 * sealed. */
typedef bool reader(const struct read_request *request, struct reading *ret_reading, struct problem *ret_problem);

/* Snapshot events and thin ones (`object: v2.core.event`). */
SL_MUST_CHECK bool read_stripe(const struct read_request *request, struct reading *ret_reading,
                               struct problem *ret_problem);
/* Repository webhooks, JSON or form-encoded (`payload=`). */
SL_MUST_CHECK bool read_github(const struct read_request *request, struct reading *ret_reading,
                               struct problem *ret_problem);
/* The provisioning workflow's callback; the id is the body's digest. */
SL_MUST_CHECK bool read_callback(const struct read_request *request, struct reading *ret_reading,
                                 struct problem *ret_problem);
/* A signed command of the dashboard, for any user. */
SL_MUST_CHECK bool read_dashboard(const struct read_request *request, struct reading *ret_reading,
                                  struct problem *ret_problem);
/* A REST command: path, token and body become the command document. */
SL_MUST_CHECK bool read_rest(const struct read_request *request, struct reading *ret_reading,
                             struct problem *ret_problem);

/* For the readers: parses an object. False with INVALID_JSON, or with `not_object` where it is JSON of another kind. */
SL_MUST_CHECK bool read_object(struct sl_str text, enum problem_code not_object, struct sl_arena *arena,
                               json_t **ret_json, struct problem *ret_problem);

#endif
