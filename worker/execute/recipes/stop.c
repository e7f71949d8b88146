/* stop.c - brings an agent's server down and keeps its data: ask the guest to shut down, cut the power after the grace,
 * see it off.
 *
 * The action of a shutdown only says that the request was sent: what counts is the server's own status.
 */
#include "worker/execute/recipes/recipes.h"

#include <string.h>

/* Off: done. Deleting: nothing runs any more, but there is nothing to keep either. */
static bool read_power(const struct sl_http_response *response, struct hetzner_server *server,
                       struct step_result *ret_result)
{
    if (!hetzner_read_server(response, server))
        *ret_result = step_unreadable(NULL);
    else if (server->status == HETZNER_OFF)
        *ret_result = step_done();
    else if (server->status == HETZNER_DELETING)
        *ret_result = step_refused("server %s is being deleted", server->id);
    else
        return true;
    return false;
}

static struct step_result look_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                    const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    struct hetzner_server server;
    struct step_result result;
    if (!read_power(response, &server, &result))
        return result;
    if (server.status != HETZNER_RUNNING || server.locked)
        return step_wait();
    /* asking twice does no harm; whether an open request arrived can't be seen */
    bool asked = job->found.shutdown_at_ms != 0 && strcmp(job->found.intent, "shut_down") != 0;
    return step_next(asked ? "wait_off" : "shut_down");
}

static struct step_result shut_down_prepare(struct recipe_job *job, const struct recipe_settings *settings,
                                            int64_t now_ms, struct cloud_request *request)
{
    (void)now_ms;
    return server_prepare_power(job, settings, HETZNER_SHUTDOWN, request);
}

/* The grace counts from here: a request that was late, or asked for again, takes nothing from it. */
static struct step_result begin_grace(struct recipe_job *job, int64_t now_ms)
{
    if (job->found.shutdown_at_ms == 0)
        job->found.shutdown_at_ms = now_ms;
    return step_next("wait_off");
}

static struct step_result shut_down_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                         const struct sl_http_response *response)
{
    (void)settings;
    (void)response;
    return begin_grace(job, now_ms);
}

/* A guest that can't be asked is waited for all the same: the power goes after the grace. */
static struct step_result shut_down_refused(struct recipe_job *job, const struct recipe_settings *settings,
                                            int64_t now_ms, const struct classification *refusal)
{
    if (refusal->cause == CAUSE_GONE)
        return server_refused_get(job, settings, now_ms, refusal);
    return begin_grace(job, now_ms);
}

static struct step_result wait_off_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                        const struct sl_http_response *response)
{
    struct hetzner_server server;
    struct step_result result;
    if (!read_power(response, &server, &result))
        return result;
    if (now_ms - job->found.shutdown_at_ms < settings->stop_grace_ms || server.locked)
        return step_wait();
    return step_next("power_off");
}

static struct step_result power_off_prepare(struct recipe_job *job, const struct recipe_settings *settings,
                                            int64_t now_ms, struct cloud_request *request)
{
    (void)now_ms;
    return server_prepare_power(job, settings, HETZNER_POWEROFF, request);
}

static struct step_result verify_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                      const struct sl_http_response *response)
{
    (void)job;
    (void)settings;
    (void)now_ms;
    struct hetzner_server server;
    struct step_result result;
    if (!read_power(response, &server, &result))
        return result;
    if (server.status == HETZNER_RUNNING && !server.locked)
        return step_retry("look_server", "the server runs though its power was cut");
    return step_wait();
}

static const struct step steps[] = {
    {.name = "look_server",
     .cloud = CLOUD_HETZNER,
     .wait_max_ms = MINUTES_MS(10),
     .prepare = server_prepare_get,
     .done = look_done,
     .refused = server_refused_get},
    {.name = "shut_down",
     .cloud = CLOUD_HETZNER,
     .mutates = true,
     .look = "look_server",
     .wait_max_ms = MINUTES_MS(10),
     .prepare = shut_down_prepare,
     .done = shut_down_done,
     .refused = shut_down_refused},
    {.name = "wait_off",
     .cloud = CLOUD_HETZNER,
     .wait_max_ms = MINUTES_MS(60),
     .prepare = server_prepare_get,
     .done = wait_off_done,
     .refused = server_refused_get},
    {.name = "power_off",
     .cloud = CLOUD_HETZNER,
     .mutates = true,
     .look = "look_server",
     .wait_max_ms = MINUTES_MS(10),
     .prepare = power_off_prepare,
     .done = power_changed,
     .refused = server_refused_get},
    POWER_WAIT_ACTION,
    {.name = "verify_power",
     .cloud = CLOUD_HETZNER,
     .wait_max_ms = MINUTES_MS(10),
     .prepare = server_prepare_get,
     .done = verify_done,
     .refused = server_refused_get},
};

const struct recipe RECIPE_STOP = {.kind = JOB_STOP,
                                   .home = CLOUD_HETZNER,
                                   .may_cancel = true,
                                   .steps = steps,
                                   .step_count = SL_ARRAY_LEN(steps),
                                   .first = "look_server"};
