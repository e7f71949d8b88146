/* auth.h - who asks, and whose rows that shows: a user's own token (the same JWT that ingress takes), or the ops token,
 * which names the user by `?user_id=`. Pure; any thread.
 */
#ifndef CONSOLE_AUTH_H
#define CONSOLE_AUTH_H

#include "console/settings.h"
#include "web/headers.h"
#include "web/problem.h"

#define AUTH_USER_BYTES_MAX JWT_SUBJECT_BYTES_MAX

struct caller {
    struct sl_str user_id; /* whose rows */
    struct sl_str email;   /* as the token claims; empty for ops */
    bool is_ops;
    int64_t ends_at_ms; /* when the token is taken no more; 0: never */
};

struct auth_ask {
    const struct headers *headers;
    struct sl_str asked_user; /* ?user_id=, empty where there is none */
    int64_t now_ms;           /* wall clock */
};

/* False: `ret_problem` says why, `ret_cause` a word for the metric, `ret_challenge` the WWW-Authenticate or NULL.
 * Strings are made in `arena`. */
SL_MUST_CHECK bool auth_judge(const struct settings *settings, const struct auth_ask *ask, struct sl_arena *arena,
                              struct caller *ret_caller, struct problem *ret_problem, const char **ret_cause,
                              const char **ret_challenge);

#endif
