/* settings.h - what the engine needs of the configuration, copied, so that a reload can replace it as a whole.
 *
 * Immutable once made; owned by one thread at a time (handed over by a pointer).
 */
#ifndef EXECUTE_SETTINGS_H
#define EXECUTE_SETTINGS_H

#include "common/arena.h"
#include "common/config.h"
#include "common/seal.h"
#include "worker/clouds/accounts.h"
#include "worker/execute/backoff.h"
#include "worker/execute/emails.h"
#include "worker/execute/hosting.h"

struct cloud_settings {
    const char *missing_variable; /* NULL: the cloud can be called; static */
    int concurrency;
    int attempts; /* that many failures of a step end the job */
    struct backoff backoff;
    int breaker_failures;
    int64_t breaker_open_ms;
    int64_t poll_ms; /* the first interval of a poll; doubles up to poll_cap_ms */
    int64_t poll_cap_ms;
};

struct settings {
    struct cloud_account accounts[CLOUD_COUNT];
    struct cloud_settings clouds[CLOUD_COUNT];
    const char *database_url;
    int64_t lease_ms, poll_interval_ms;
    int jobs_in_flight;
    int64_t stop_grace_ms, run_stop_max_ms, look_ms;
    int looks_max;
    int64_t provision_timeout_ms;
    struct hosting hosting;
    struct emails *emails;
    struct sl_seal_ring *data_keys; /* of connections' tokens at rest; may hold no key */
    struct sl_arena *arena;         /* of the strings */
    struct cloud_accounts reached;  /* what `accounts` borrows from */
};

/* NULL with `err` (PERMANENT) when a setting makes no sense: no database, a base URL that is none, a template that is
 * none. A cloud that misses
 * something is no error. */
SL_MUST_CHECK struct settings *settings_create(const struct sl_config *config, struct sl_err *err);
/* As many as the clouds' concurrency asks for, up to what the HTTP layer can have in the air. */
int settings_connections_max(const struct settings *settings);
void settings_destroy(struct settings *settings); /* wipes credentials; accepts NULL */

#endif
