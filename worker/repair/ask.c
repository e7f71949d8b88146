/* ask.c - see ask.h. */
#include "worker/repair/ask.h"

#include <string.h>

#include "common/clock.h"
#include "worker/clouds/tailscale.h"
#include "worker/execute/classify.h"

#define CONNECTIONS_MAX 2
#define TRIES_MAX       4
#define WAIT_MAX_MS     30000 /* a longer one is for the caller to decide: he comes again */
#define WAIT_FIRST_MS   500
#define SLICE_MS        100
#define RESERVE         10 /* one in so many requests of a cloud's budget is left to the workers */

struct call {
    struct ask *ask;
    const struct cloud *cloud;
    bool changes;
    ask_read *read;
    void *read_arg;
    bool ended, readable;
    struct classification seen;
};

bool ask_init(struct ask *ask, const struct sl_config *config, struct sl_err *err)
{
    *ask = (struct ask){.calls = 0};
    for (int id = CLOUD_NONE + 1; id < CLOUD_COUNT; id++)
        ask->missing[id] = cloud_missing_variable(cloud_of((enum cloud_id)id), config);
    if (!cloud_accounts_init(&ask->accounts, config, err))
        return false;
    ask->http = sl_http_create(CONNECTIONS_MAX, "sluice/" SLUICE_VERSION, NULL, err);
    if (!ask->http) {
        cloud_accounts_deinit(&ask->accounts);
        return false;
    }
    cloud_request_init(&ask->request);
    return true;
}

void ask_deinit(struct ask *ask)
{
    sl_http_destroy(ask->http);
    ask->http = NULL;
    cloud_request_deinit(&ask->request);
    cloud_accounts_deinit(&ask->accounts);
    sl_secret_destroy(ask->token);
    ask->token = NULL;
}

static bool is_stopping(const struct ask *ask)
{
    return ask->stopping && ask->stopping(ask->stopping_arg);
}

bool ask_pause(struct ask *ask, int64_t wait_ms)
{
    const int64_t until_ms = sl_clock_mono_ms() + wait_ms;
    for (int64_t left_ms = wait_ms; left_ms > 0; left_ms = until_ms - sl_clock_mono_ms()) {
        if (is_stopping(ask))
            return false;
        sl_http_poll(ask->http, (int)(left_ms < SLICE_MS ? left_ms : SLICE_MS));
    }
    return !is_stopping(ask);
}

static void on_done(void *arg, const struct sl_http_response *response)
{
    struct call *call = arg;
    classify(call->cloud, call->changes, response, sl_clock_wall_ms(), &call->seen);
    call->ask->limits[call->cloud->id] = call->seen.limits;
    call->readable = call->seen.verdict != VERDICT_DONE || call->read(call->read_arg, response);
    call->ended = true;
}

/* Below the reserve it waits for what comes back by itself. */
static bool keep_reserve(struct ask *ask, const struct cloud *cloud, struct sl_err *err)
{
    struct cloud_limits *limits = &ask->limits[cloud->id];
    if (!limits->known || limits->remaining > limits->limit / RESERVE)
        return true;
    int64_t wait_ms = limits->refill_ms > 0 ? limits->refill_ms : limits->reset_at_ms - sl_clock_wall_ms();
    if (wait_ms > WAIT_MAX_MS) {
        (void)sl_err_set(err, SL_ERR_RETRY, "%s: %lld of %lld requests are left, which are kept for jobs", cloud->name,
                         (long long)limits->remaining, (long long)limits->limit);
        sl_err_hint(err, "try again in %lld s", (long long)(wait_ms / 1000) + 1);
        return false;
    }
    limits->known = false; /* the next answer says how it stands */
    return ask_pause(ask, wait_ms > 0 ? wait_ms : 0) || sl_err_set(err, SL_ERR_RETRY, "interrupted");
}

static bool send_once(struct call *call, struct sl_err *err)
{
    struct ask *ask = call->ask;
    call->ended = false;
    if (!ask->http)
        return sl_err_set(err, SL_ERR_RETRY, "interrupted");
    if (!keep_reserve(ask, call->cloud, err))
        return false;
    if (!sl_http_start(ask->http, &ask->request.http, on_done, call, err))
        return false;
    ask->calls++;
    while (!call->ended && !is_stopping(ask))
        sl_http_poll(ask->http, SLICE_MS);
    if (call->ended)
        return true;
    sl_http_destroy(ask->http); /* which ends the call: its answer is for nobody now */
    ask->http = NULL;
    return sl_err_set(err, SL_ERR_RETRY, "interrupted");
}

static bool fail(const struct call *call, struct sl_err *err)
{
    enum sl_err_class error_class = call->seen.verdict == VERDICT_REFUSED ? SL_ERR_PERMANENT : SL_ERR_RETRY;
    (void)sl_err_set(err, error_class, "%s: %s", call->cloud->name, call->seen.error.message);
    sl_err_code(err, cause_name(call->seen.cause));
    if (call->seen.cause == CAUSE_AUTH)
        sl_err_hint(err, "the credential of [%s] is refused", call->cloud->section);
    return false;
}

bool ask_cloud(struct ask *ask, enum cloud_id id, bool changes, ask_read *read, void *arg, struct sl_err *err)
{
    struct call call = {.ask = ask, .cloud = cloud_of(id), .changes = changes, .read = read, .read_arg = arg};
    int64_t backoff_ms = WAIT_FIRST_MS;
    for (int tries = 1;; tries++, backoff_ms *= 2) {
        if (!send_once(&call, err))
            return false;
        if (!call.readable)
            return sl_err_set(err, SL_ERR_RETRY, "%s answered what its API doesn't document", call.cloud->name);
        if (call.seen.verdict == VERDICT_DONE)
            return true;
        int64_t wait_ms = call.seen.after_ms > backoff_ms ? call.seen.after_ms : backoff_ms;
        bool again = call.seen.verdict == VERDICT_NOT_DONE && call.seen.cause != CAUSE_AUTH && tries < TRIES_MAX &&
                     wait_ms <= WAIT_MAX_MS;
        if (!again || !ask_pause(ask, wait_ms))
            return fail(&call, err);
    }
}

static bool read_token(void *arg, const struct sl_http_response *response)
{
    return tailscale_read_token(response, arg);
}

/* It is good for an hour, and whoever looks again and again lives longer than that. */
static bool get_token(struct ask *ask, struct cloud_account *account, struct sl_err *err)
{
    struct tailscale_token token = {0};
    if (!tailscale_get_token(account, &ask->request, err) ||
        !ask_cloud(ask, CLOUD_TAILSCALE, false, read_token, &token, err))
        return false;
    struct sl_secret *secret = sl_secret_create(sl_str_of(token.text));
    const int64_t expires_in_ms = token.expires_in_ms;
    sl_secret_wipe(&token, sizeof(token));
    if (!secret)
        return sl_err_set(err, SL_ERR_RETRY, "tailscale: no token was given");
    sl_secret_destroy(ask->token);
    ask->token = secret;
    ask->token_until_mono_ms = sl_clock_mono_ms() + expires_in_ms / 2; /* a look is over long before the other half */
    account->token = sl_secret_borrow(secret);
    return true;
}

bool ask_account(struct ask *ask, enum cloud_id id, const struct cloud_account **ret_account, struct sl_err *err)
{
    struct cloud_account *account = &ask->accounts.of[id];
    if (ask->missing[id]) {
        (void)sl_err_set(err, SL_ERR_RETRY, "%s is not configured", cloud_of(id)->name);
        sl_err_hint(err, "set %s", ask->missing[id]);
        return false;
    }
    bool is_stale = ask->token && sl_clock_mono_ms() >= ask->token_until_mono_ms;
    if (id == CLOUD_TAILSCALE && (is_stale || sl_str_empty(account->token)) && !get_token(ask, account, err))
        return false;
    *ret_account = account;
    return true;
}
