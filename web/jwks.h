/* jwks.h - the public keys that tokens are checked with: a JSON Web Key Set (RFC 7517) read into PEM.
 *
 * Only what signs: RSA of 2,048 bits and more (RS256) and EC P-256 (ES256). Keys of other kinds, uses or algorithms in
 * the set are passed over; a set without any usable key is an error. Immutable once read; any thread.
 */
#ifndef WEB_JWKS_H
#define WEB_JWKS_H

#include "common/err.h"
#include "common/str.h"

#define JWKS_KEYS_MAX       16
#define JWKS_FILE_BYTES_MAX ((size_t)256 * 1024)

enum jwk_algorithm { JWK_RS256 = 1, JWK_ES256 };

struct jwk {
    char *kid; /* NULL: the set gives none */
    enum jwk_algorithm algorithm;
    char *pem; /* SubjectPublicKeyInfo */
    size_t pem_len;
};

struct jwks {
    struct jwk keys[JWKS_KEYS_MAX];
    size_t count;
};

/* `ret_jwks` is the caller's to deinit. PERMANENT when the text is no key set, holds no usable key or more than
 * JWKS_KEYS_MAX. */
SL_MUST_CHECK bool jwks_parse(struct sl_str text, struct jwks *ret_jwks, struct sl_err *err);
/* The same from a file. Reads it whole: call at start or on a reload, not in a request. */
SL_MUST_CHECK bool jwks_read(const char *path, struct jwks *ret_jwks, struct sl_err *err);
void jwks_deinit(struct jwks *jwks);

#endif
