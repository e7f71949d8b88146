/* problem.h - what is answered when a request is refused: application/problem+json (RFC 9457) with our `errorCode`.
 *
 * The table of codes is the contract's. A problem is a plain value; its strings are borrowed until it is written. Pure;
 * any thread.
 */
#ifndef WEB_PROBLEM_H
#define WEB_PROBLEM_H

#include "common/arena.h"
#include "common/buf.h"

enum problem_code {
    PROBLEM_NONE = 0,
    PROBLEM_INVALID_SIGNATURE,
    PROBLEM_TIMESTAMP_OUT_OF_RANGE,
    PROBLEM_INVALID_JSON,
    PROBLEM_INVALID_EVENT,
    PROBLEM_INVALID_COMMAND,
    PROBLEM_BAD_REQUEST, /* not HTTP as we take it: smuggling, too many headers */
    PROBLEM_UNAUTHENTICATED,
    PROBLEM_FORBIDDEN,
    PROBLEM_NOT_FOUND,
    PROBLEM_METHOD_NOT_ALLOWED,
    PROBLEM_REQUEST_TIMEOUT,
    PROBLEM_PAYLOAD_TOO_LARGE,
    PROBLEM_UNSUPPORTED_MEDIA_TYPE,
    PROBLEM_RATE_LIMITED,
    PROBLEM_UNAVAILABLE,
    PROBLEM_CODE_COUNT
};

#define PROBLEM_FIELDS_MAX 16
struct problem_field {
    const char *name;
    const char *expected; /* "must be a UUID" */
};

struct problem {
    enum problem_code code;
    struct sl_str detail; /* one sentence for this occurrence; may be empty */
    struct problem_field fields[PROBLEM_FIELDS_MAX];
    size_t field_count;
    int retry_after_s; /* 0: no such header */
};

int problem_status(enum problem_code code);
const char *problem_name(enum problem_code code); /* "INVALID_SIGNATURE" */

/* Starts over with this code and detail (borrowed). Gives false, so that a reader can `return problem_set(…)`. */
bool problem_set(struct problem *problem, enum problem_code code, const char *detail);
/* One more bad field; those beyond PROBLEM_FIELDS_MAX are left out. Both texts are borrowed, static or in the request's
 * arena. */
void problem_add_field(struct problem *problem, const char *name, const char *expected);

/* {"type","title","status","errorCode","detail","errors":[{"field","detail"}]}; overflow shows in `out`. */
void problem_write(const struct problem *problem, struct sl_buf *out);
/* The rejection of a waiting command: status, code and message are the outcome's, which goes in as `outcome`. */
void problem_write_outcome(int status, struct sl_str error_code, struct sl_str message, struct sl_str outcome_json,
                           struct sl_buf *out);

#endif
