/* jwt_keys.h - what tokens are verified with, out of the configuration's [ingress] section: the same for every program
 * that takes tokens. Immutable once loaded; any thread.
 */
#ifndef WEB_JWT_KEYS_H
#define WEB_JWT_KEYS_H

#include "common/config.h"
#include "web/verify_jwt.h"

#define JWT_KEYS_PROBLEMS_MAX 2

struct jwt_keys {
    struct sl_secrets secrets;
    struct jwks jwks;
    struct jwt_policy policy; /* borrows the two, and texts of the configuration */
};

/* Fills `keys`, which stays where it is and is deinited by the caller whatever comes back: the number of problems in
 * `ret_problems`. Reads the file that jwt_jwks_file names. */
SL_MUST_CHECK size_t jwt_keys_load(struct jwt_keys *keys, const struct sl_config *config,
                                   struct sl_config_problem ret_problems[JWT_KEYS_PROBLEMS_MAX]);
void jwt_keys_deinit(struct jwt_keys *keys);
bool jwt_keys_are_set(const struct jwt_keys *keys); /* without any, no token can be verified */

#endif
