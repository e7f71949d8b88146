/* secret.h - bytes that must not be seen: compared in constant time, wiped when freed, without a way to print them. */
#ifndef SL_SECRET_H
#define SL_SECRET_H

#include "common/str.h"

struct sl_secret; /* opaque on purpose: no formatter takes it */

/* A copy of `bytes` in locked memory where the limit allows. Empty gives NULL. Free with sl_secret_destroy. */
SL_MUST_CHECK struct sl_secret *sl_secret_create(struct sl_str bytes);
void sl_secret_destroy(struct sl_secret *secret); /* wipes; accepts NULL */

/* The bytes, for a MAC or an Authorization header and nothing else. Borrowed. NULL gives the empty string. */
struct sl_str sl_secret_borrow(const struct sl_secret *secret);

/* Constant time in the longer one's length. */
bool sl_secret_equal(struct sl_str a, struct sl_str b);
void sl_secret_wipe(void *memory, size_t bytes);

/* A rotating set, as configured "new,old": at most SL_SECRETS_MAX, positions count from 0. */
#define SL_SECRETS_MAX 8
struct sl_secrets {
    struct sl_secret *items[SL_SECRETS_MAX];
    size_t count;
};
/* Splits a comma-separated text; blanks around an item are dropped, empty items ignored; items beyond the maximum make
 * it fail (false). The caller deinits. */
SL_MUST_CHECK bool sl_secrets_init(struct sl_secrets *secrets, struct sl_str comma_separated);
void sl_secrets_deinit(struct sl_secrets *secrets);

#endif
