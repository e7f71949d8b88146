/* server.c - what start, stop, destroy and provision do alike with a server of Hetzner's. */
#include "worker/execute/recipes/recipes.h"

#include <string.h>

struct step_result server_prepare_get(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                      struct cloud_request *request)
{
    (void)now_ms;
    if (job->found.server_id[0] == '\0')
        return step_refused("the agent has no server");
    struct sl_err err = {0};
    bool built = hetzner_get_server(&settings->accounts[CLOUD_HETZNER], sl_str_of(job->found.server_id), request, &err);
    return step_call_if(built, &err);
}

struct step_result server_refused_get(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                      const struct classification *refusal)
{
    (void)settings;
    (void)now_ms;
    if (refusal->cause == CAUSE_GONE)
        return step_refused("server %s does not exist any more", job->found.server_id);
    return step_refused("server %s: %s", job->found.server_id, refusal->error.message);
}

struct step_result server_prepare_power(const struct recipe_job *job, const struct recipe_settings *settings,
                                        enum hetzner_power power, struct cloud_request *request)
{
    struct sl_err err = {0};
    bool built =
        hetzner_change_power(&settings->accounts[CLOUD_HETZNER], sl_str_of(job->found.server_id), power, request, &err);
    return step_call_if(built, &err);
}

struct step_result server_prepare_action(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                         struct cloud_request *request)
{
    (void)now_ms;
    struct sl_err err = {0};
    bool built = hetzner_get_action(&settings->accounts[CLOUD_HETZNER], sl_str_of(job->found.action_id), request, &err);
    return step_call_if(built, &err);
}

struct step_result server_action_polled(struct recipe_job *job, const struct sl_http_response *response,
                                        const char *next, const char *look)
{
    struct hetzner_action action;
    if (!hetzner_read_action(response, &action))
        return step_unreadable(NULL);
    if (action.status == HETZNER_ACTION_RUNNING)
        return step_wait();
    job->found.action_id[0] = '\0';
    if (action.status == HETZNER_ACTION_SUCCESS)
        return step_next(next);
    return step_retry(look, "the action failed: %s %s", action.error.code, action.error.message);
}

struct step_result power_changed(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                 const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    struct hetzner_action action;
    if (!hetzner_read_action(response, &action))
        return step_unreadable("look_server");
    memcpy(job->found.action_id, action.id, sizeof(action.id));
    return step_next("wait_action");
}

struct step_result power_polled(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    return server_action_polled(job, response, "verify_power", "look_server");
}

struct step_result power_forgotten(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                   const struct classification *refusal)
{
    (void)settings;
    (void)now_ms;
    (void)refusal;
    job->found.action_id[0] = '\0';
    return step_next("verify_power");
}
