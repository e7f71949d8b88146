/* ask.h - one request to a cloud at a time, waited for: for those who have time, not for the engine.
 *
 * What only reads is asked again after a failure that may pass, a few times, with the cloud's own word on when. A share
 * of each cloud's budget is left to the workers: below it there is a wait, and where that would be long, a refusal. One
 * thread.
 */
#ifndef REPAIR_ASK_H
#define REPAIR_ASK_H

#include "worker/clouds/accounts.h"

struct ask {
    struct sl_http *http;
    struct cloud_accounts accounts;
    const char *missing[CLOUD_COUNT];        /* the variable without which it can't be called; static, NULL: none */
    struct cloud_request request;            /* built by the caller, before ask_cloud */
    struct cloud_limits limits[CLOUD_COUNT]; /* as last told */
    struct sl_secret *token;                 /* of Tailscale's OAuth client; NULL: none was got */
    int64_t token_until_mono_ms;             /* another is got behind it */
    int calls;                               /* so far */
    bool (*stopping)(void *arg);             /* NULL: never. Asked several times a second while it waits. */
    void *stopping_arg;
};

/* Reads a good answer; false when it isn't as documented. */
typedef bool ask_read(void *arg, const struct sl_http_response *response);

/* Copies what it needs of `config`. */
SL_MUST_CHECK bool ask_init(struct ask *ask, const struct sl_config *config, struct sl_err *err);
void ask_deinit(struct ask *ask); /* idempotent once initialised */

/* The cloud's account. For Tailscale by an OAuth client, gets a token first. RETRY, naming the variable, where the
 * cloud isn't configured. */
SL_MUST_CHECK bool ask_account(struct ask *ask, enum cloud_id id, const struct cloud_account **ret_account,
                               struct sl_err *err);
/* Sends `ask->request`. `changes`: it isn't sent twice. RETRY: the cloud is away, or can't be asked now; PERMANENT: it
 * refuses. The message names the cloud. */
SL_MUST_CHECK bool ask_cloud(struct ask *ask, enum cloud_id id, bool changes, ask_read *read, void *arg,
                             struct sl_err *err);
/* Lets `wait_ms` pass; false as soon as it is to stop. */
SL_MUST_CHECK bool ask_pause(struct ask *ask, int64_t wait_ms);

#endif
