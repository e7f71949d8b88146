/* accounts.h - how each cloud is reached, from the configuration: addresses, credentials, deadlines.
 *
 * Immutable once made, but for a token of Tailscale's OAuth client, which its user puts in. Owned by one thread at a
 * time.
 */
#ifndef CLOUDS_ACCOUNTS_H
#define CLOUDS_ACCOUNTS_H

#include "common/arena.h"
#include "worker/clouds/cloud.h"

struct cloud_accounts {
    struct cloud_account of[CLOUD_COUNT];
    struct sl_arena *arena; /* of the strings */
    struct sl_secret *secrets[16];
    size_t secret_count;
};

/* PERMANENT when a base URL is none. A cloud that misses something is no error: cloud_missing_variable says so. */
SL_MUST_CHECK bool cloud_accounts_init(struct cloud_accounts *accounts, const struct sl_config *config,
                                       struct sl_err *err);
void cloud_accounts_deinit(struct cloud_accounts *accounts); /* wipes credentials; idempotent */

#endif
