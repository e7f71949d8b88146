/* verify_jwt.h - the bearer token of a REST request: who asks?
 *
 * HS256 with the configured secrets, RS256 and ES256 with the public keys of a JWKS file. A key is only ever used with
 * its own algorithm, whatever the token claims, so that neither "none" nor a public key used as a secret can pass (RFC
 * 8725, 3.1). Pure; any thread.
 */
#ifndef WEB_VERIFY_JWT_H
#define WEB_VERIFY_JWT_H

#include "common/arena.h"
#include "common/secret.h"
#include "web/headers.h"
#include "web/jwks.h"
#include "web/verdict.h"

#define JWT_LEEWAY_S          60
#define JWT_BYTES_MAX         8192
#define JWT_SUBJECT_BYTES_MAX 255

struct jwt_policy {
    const struct sl_secrets *secrets; /* for HS256, may be empty */
    const struct jwks *jwks;          /* for RS256 and ES256, may be NULL */
    struct sl_str issuer;             /* empty: any */
    struct sl_str audience;           /* empty: any; else one of the token's */
};

struct jwt_caller {
    struct sl_str user_id; /* `sub`, 1 to 255 bytes */
    struct sl_str email;   /* empty where the token has none */
    struct sl_str role;    /* likewise */
    int64_t expires_s;     /* `exp`, Unix seconds; JWT_LEEWAY_S later it is not taken any more */
};

/* The token of "Authorization: Bearer TOKEN", the scheme in any case (RFC 9110, 11.1), copied into `arena`: OK,
 * NO_HEADER or MALFORMED. */
enum verify_cause jwt_token_of(const struct headers *headers, struct sl_arena *arena, const char **ret_token);

/* Judges the Authorization field; the caller's strings are made in `arena`. secret_index counts the secrets first, then
 * the keys of the set. Expired is STALE, not yet valid FUTURE. `ret_caller` is filled for OK alone. */
struct verdict verify_jwt(const struct headers *headers, const struct jwt_policy *policy, int64_t now_s,
                          struct sl_arena *arena, struct jwt_caller *ret_caller);

#endif
