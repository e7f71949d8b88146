/* start.c - brings an agent's server up: look at its power, switch it on, wait for the action, see it running. */
#include "worker/execute/recipes/recipes.h"

#include <string.h>

/* When the server is off, `off` says what that means: not begun yet, or gone off again. */
static struct step_result read_power(struct recipe_job *job, const struct sl_http_response *response,
                                     struct step_result off)
{
    struct hetzner_server server;
    if (!hetzner_read_server(response, &server))
        return step_unreadable(NULL);
    if (server.status == HETZNER_DELETING)
        return step_refused("server %s is being deleted", server.id);
    if (server.status == HETZNER_RUNNING) {
        memcpy(job->found.server_ip, server.ipv4, sizeof(server.ipv4));
        return step_done();
    }
    if (server.status == HETZNER_OFF && !server.locked)
        return off;
    return step_wait();
}

static struct step_result look_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                    const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    return read_power(job, response, step_next("power_on"));
}

static struct step_result power_on_prepare(struct recipe_job *job, const struct recipe_settings *settings,
                                           int64_t now_ms, struct cloud_request *request)
{
    (void)now_ms;
    return server_prepare_power(job, settings, HETZNER_POWERON, request);
}

static struct step_result verify_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                      const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    return read_power(job, response, step_retry("look_server", "the server is off though it was switched on"));
}

static const struct step steps[] = {
    {.name = "look_server",
     .cloud = CLOUD_HETZNER,
     .wait_max_ms = MINUTES_MS(10),
     .prepare = server_prepare_get,
     .done = look_done,
     .refused = server_refused_get},
    {.name = "power_on",
     .cloud = CLOUD_HETZNER,
     .mutates = true,
     .look = "look_server",
     .wait_max_ms = MINUTES_MS(10),
     .prepare = power_on_prepare,
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

const struct recipe RECIPE_START = {.kind = JOB_START,
                                    .home = CLOUD_HETZNER,
                                    .may_cancel = true,
                                    .steps = steps,
                                    .step_count = SL_ARRAY_LEN(steps),
                                    .first = "look_server"};
