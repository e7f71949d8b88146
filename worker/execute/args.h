/* args.h - what the rules gave a job along (jobs.args): its text members, by name.
 *
 * Owned by whoever read them; immutable afterwards. Members that are no texts are for others, and left out.
 */
#ifndef EXECUTE_ARGS_H
#define EXECUTE_ARGS_H

#include "common/json.h"

#define ARGS_BYTES_MAX 8192

struct args {
    char *pairs; /* name NUL value NUL, and so on; NULL: none */
    size_t len;
};

/* Copies the text members of an object, up to ARGS_BYTES_MAX with a NUL behind each name and value; PERMANENT when they
 * are more, or when it is no object. */
SL_MUST_CHECK bool args_read(json_t *json, struct args *ret_args, struct sl_err *err);
void args_deinit(struct args *args); /* wipes them: tokens of invitations are among them; idempotent */

/* The value of a member, or "" when there is none. Borrowed. */
const char *args_text(const struct args *args, const char *name);
/* Each member in its order. `at` starts at 0; false: there are no more. Borrowed. */
bool args_next(const struct args *args, size_t *at, const char **ret_name, const char **ret_value);

#endif
