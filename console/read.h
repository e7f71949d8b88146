/* read.h - the reads of the API: each is one statement, which makes the whole JSON document of one snapshot.
 *
 * All take the same parameters, by number: $1 user id, $2 e-mail (lower case, may be empty), $3 the path's id, $4
 * limit, $5 and $6 number and id of the page cursor ($5 -1: from the beginning), $7 now, $8 the plans of settings.h. No
 * row: it is not there, or not this user's, which is the same.
 */
#ifndef CONSOLE_READ_H
#define CONSOLE_READ_H

#include "common/pg.h"
#include "console/cursor.h"

#define READ_ANSWER_BYTES_MAX ((size_t)8 * 1024 * 1024)

struct read {
    const char *sql;
    int limit_fallback, limit_max; /* both 0: no list to page through */
};

extern const struct read READ_AGENTS;
extern const struct read READ_AGENT; /* with its latest jobs */
extern const struct read READ_JOB;   /* with its calls */
extern const struct read READ_WORKSPACES;
extern const struct read READ_ONBOARDING;
extern const struct read READ_INVITES;
extern const struct read READ_USAGE;

struct read_ask {
    const struct read *read;
    struct sl_str user_id;
    struct sl_str email;
    struct sl_uuid id;
    int64_t limit;
    bool has_after;
    struct page_cursor after;
    int64_t now_ms;
    struct sl_str plans;
};

/* The document into `arena`; `*ret_found` false: no row. RETRY: Postgres is away, or too slow. */
SL_MUST_CHECK bool read_run(struct sl_pg *pg, const struct read_ask *ask, struct sl_arena *arena,
                            struct sl_str *ret_json, bool *ret_found, struct sl_err *err);

/* A session's settings, as a script, that keep it from writing whatever is asked of it. */
SL_MUST_CHECK bool read_prepare(struct sl_pg *pg, int64_t statement_timeout_ms, struct sl_err *err);

#endif
