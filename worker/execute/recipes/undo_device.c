/* undo_device.c - the last part of an undoing: the agent's devices leave the tailnet, and are seen gone.
 *
 * One by the id that the agent has, then any of the agent's hostname: a machine that joined twice has two.
 */
#include <string.h>

#include "worker/clouds/tailscale.h"
#include "worker/execute/recipes/undo.h"

#define DELETIONS_MAX 32

struct step_result find_device_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                       struct cloud_request *request)
{
    (void)now_ms;
    struct sl_str id = sl_str_of(job->found.tailscale_device_id);
    if (!cloud_id_is_safe(id, TAILSCALE_ID_BYTES - 1, false)) {
        job->found.tailscale_device_id[0] = '\0';
        return step_next("find_device_by_name");
    }
    struct sl_err err = {0};
    bool built = tailscale_get_device(&settings->accounts[CLOUD_TAILSCALE], id, request, &err);
    return step_call_if(built, &err);
}

/* The agent's name, or that with the number by which Tailscale tells namesakes apart: "-1". */
static bool has_agents_name(const struct recipe_job *job, const struct tailscale_device *device)
{
    size_t length = strlen(job->agent_name);
    if (strncmp(device->hostname, job->agent_name, length) != 0)
        return false;
    const char *rest = device->hostname + length;
    return rest[0] == '\0' || (rest[0] == '-' && rest[1] != '\0' && strspn(rest + 1, "0123456789") == strlen(rest + 1));
}

struct step_result find_device_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                    const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    struct tailscale_device device;
    if (!tailscale_read_device(response, &device))
        return step_unreadable(NULL);
    if (!device.external && has_agents_name(job, &device))
        return step_next("delete_device");
    job->found.tailscale_device_id[0] = '\0';
    if (!device.external)
        return step_next_noting("find_device_by_name", "device %s is left alone: its hostname is \"%.120s\"", device.id,
                                device.hostname);
    return step_next_noting("find_device_by_name", "device %s is left alone: it is of another tailnet", device.id);
}

struct step_result find_device_refused(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                       const struct classification *refusal)
{
    (void)settings;
    (void)now_ms;
    (void)refusal; /* 404: gone; 400: the id was none */
    job->found.tailscale_device_id[0] = '\0';
    return step_next("find_device_by_name");
}

struct step_result find_device_by_name_prepare(struct recipe_job *job, const struct recipe_settings *settings,
                                               int64_t now_ms, struct cloud_request *request)
{
    (void)now_ms;
    struct sl_err err = {0};
    bool built =
        tailscale_find_devices(&settings->accounts[CLOUD_TAILSCALE], sl_str_of(job->agent_name), request, &err);
    return step_call_if(built, &err);
}

struct step_result find_device_by_name_done(struct recipe_job *job, const struct recipe_settings *settings,
                                            int64_t now_ms, const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    bool found = false;
    struct tailscale_device device = {0};
    if (!tailscale_read_found(response, sl_str_of(job->agent_name), &found, &device))
        return step_unreadable(NULL);
    if (found) {
        memcpy(job->found.tailscale_device_id, device.id, sizeof(device.id));
        return step_next("delete_device");
    }
    job->found.device_gone = true;
    return step_next("recheck_server");
}

struct step_result delete_device_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                         struct cloud_request *request)
{
    (void)now_ms;
    if (job->found.deletions >= DELETIONS_MAX)
        return step_refused("device %s comes back each time it is deleted", job->found.tailscale_device_id);
    struct sl_err err = {0};
    bool built = tailscale_delete_device(&settings->accounts[CLOUD_TAILSCALE],
                                         sl_str_of(job->found.tailscale_device_id), request, &err);
    return step_call_if(built, &err);
}

struct step_result delete_device_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                      const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    (void)response;
    job->found.deletions++;
    return step_next("find_device");
}

struct step_result delete_device_refused(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                         const struct classification *refusal)
{
    if (refusal->cause == CAUSE_GONE)
        return find_device_refused(job, settings, now_ms, refusal);
    return step_refused("device %s: %s", job->found.tailscale_device_id, refusal->error.message);
}
