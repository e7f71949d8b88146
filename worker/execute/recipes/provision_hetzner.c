/* provision_hetzner.c - makes an agent's server without a workflow: a key for the tailnet, the server, its device.
 *
 * A server is looked for by its name before it is made, and taken over if its label says that it is the agent's: so an
 * answer that was lost makes no second one, and its user data has the key it joins with. The key itself is in memory
 * alone. Who comes after a crash between key and server mints another; the first was for one machine and dies within
 * minutes. What takes longer than the policy's provision_timeout has failed, and is rolled back.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/fault.h"
#include "common/secret.h"
#include "worker/clouds/tailscale.h"
#include "worker/execute/recipes/recipes.h"

#define USER_DATA_BYTES_MAX ((size_t)4096)

static bool is_late(const struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms)
{
    return now_ms - job->found.began_ms >= settings->provision_timeout_ms;
}

static struct step_result find_server_prepare(struct recipe_job *job, const struct recipe_settings *settings,
                                              int64_t now_ms, struct cloud_request *request)
{
    if (job->found.began_ms == 0) {
        job->found.began_ms = now_ms;
        /* of an earlier life of the agent */
        job->found.server_id[0] = '\0';
        job->found.tailscale_device_id[0] = '\0';
    }
    if (is_late(job, settings, now_ms))
        return step_refused("the server was not there in time");
    struct sl_err err = {0};
    bool built = hetzner_find_server(&settings->accounts[CLOUD_HETZNER], sl_str_of(job->agent_name), request, &err);
    return step_call_if(built, &err);
}

static void take_over(struct recipe_job *job, const struct hetzner_server *server)
{
    memcpy(job->found.server_id, server->id, sizeof(server->id));
    memcpy(job->found.server_ip, server->ipv4, sizeof(server->ipv4));
}

static struct step_result find_server_done(struct recipe_job *job, const struct recipe_settings *settings,
                                           int64_t now_ms, const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    bool found = false;
    struct hetzner_server server = {0};
    if (!hetzner_read_found(response, &found, &server))
        return step_unreadable(NULL);
    if (!found)
        return step_next("mint_key");
    if (strcmp(server.agent_label, job->agent_text) != 0)
        return step_refused("server %s has the agent's name, but not its label", server.id);
    if (server.status == HETZNER_DELETING)
        return step_wait();
    take_over(job, &server);
    return step_next("wait_running");
}

static struct step_result mint_key_prepare(struct recipe_job *job, const struct recipe_settings *settings,
                                           int64_t now_ms, struct cloud_request *request)
{
    (void)now_ms;
    const struct hosting *hosting = settings->hosting;
    char description[64];
    (void)snprintf(description, sizeof(description), "agent %s", job->agent_text);
    struct sl_err err = {0};
    bool built = tailscale_create_key(&settings->accounts[CLOUD_TAILSCALE], sl_str_of(hosting->tags),
                                      hosting->key_expiry_s, sl_str_of(description), request, &err);
    return step_call_if(built, &err);
}

/* Half of its life is for the server to come up and join. */
static struct step_result mint_key_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                        const struct sl_http_response *response)
{
    struct tailscale_key key;
    sl_fault("execute.key_minted");
    if (!tailscale_read_key(response, &key))
        return step_unreadable("find_server");
    memcpy(job->found.tailscale_key_id, key.id, sizeof(key.id));
    memcpy(job->auth_key.secret, key.secret, sizeof(key.secret));
    job->auth_key.until_ms = now_ms + settings->hosting->key_expiry_s * 1000 / 2;
    sl_secret_wipe(&key, sizeof(key));
    return step_next("create_server");
}

static bool write_user_data(const struct recipe_job *job, struct sl_buf *out)
{
    return sl_buf_printf(out,
                         "#cloud-config\n"
                         "runcmd:\n"
                         "  - curl -fsSL https://tailscale.com/install.sh | sh\n"
                         "  - tailscale up --auth-key=%s --hostname=%s\n",
                         job->auth_key.secret, job->agent_name);
}

static struct step_result build_server(const struct recipe_job *job, const struct recipe_settings *settings,
                                       const char *location, struct cloud_request *request)
{
    char generation[16];
    (void)snprintf(generation, sizeof(generation), "%d", job->generation);
    struct sl_buf user_data;
    sl_buf_init(&user_data, USER_DATA_BYTES_MAX);
    bool written = write_user_data(job, &user_data);
    SL_ASSERT(written); /* key and name are bounded */
    const struct hetzner_new_server server = {
        .name = sl_str_of(job->agent_name),
        .server_type = sl_str_of(hosting_server_type(settings->hosting, recipe_arg(job, "tier"))),
        .image = sl_str_of(settings->hosting->image),
        .location = sl_str_of(location),
        .user_data = sl_buf_str(&user_data),
        .agent_label = sl_str_of(job->agent_text),
        .job_label = sl_str_of(job->id_text),
        .generation_label = sl_str_of(generation),
    };
    struct sl_err err = {0};
    bool built = hetzner_create_server(&settings->accounts[CLOUD_HETZNER], &server, request, &err);
    sl_secret_wipe(user_data.data, user_data.cap);
    sl_buf_deinit(&user_data);
    return step_call_if(built, &err);
}

static struct step_result create_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                         struct cloud_request *request)
{
    const struct hosting_region *region = hosting_region_of(settings->hosting, job->region);
    if (!region)
        return step_refused("there is no region \"%s\" in the configuration", job->region);
    /* another worker's key, or one that would be dead before the server is up */
    if (job->auth_key.secret[0] == '\0' || now_ms >= job->auth_key.until_ms)
        return step_next("find_server");
    if ((size_t)job->found.place >= region->location_count)
        job->found.place = 0;
    return build_server(job, settings, region->locations[job->found.place], request);
}

static struct step_result create_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                      const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    struct hetzner_server server;
    struct hetzner_action action;
    sl_fault("execute.server_created");
    if (!hetzner_read_server(response, &server) || !hetzner_read_action(response, &action))
        return step_unreadable("find_server");
    sl_secret_wipe(&job->auth_key, sizeof(job->auth_key));
    take_over(job, &server);
    memcpy(job->found.action_id, action.id, sizeof(action.id));
    return step_next("wait_created");
}

/* uniqueness_error: a server of that name is there, perhaps ours by a call whose answer was lost. */
static struct step_result create_refused(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                         const struct classification *refusal)
{
    (void)job;
    (void)settings;
    (void)now_ms;
    if (refusal->cause == CAUSE_CONFLICT)
        return step_retry("find_server", "the server was not made: %s", refusal->error.message);
    return step_refused("the server was not made: %s", refusal->error.message);
}

/* A full location: the region's next one, at once; after the last, all of them again, later. A full project is for its
 * owner to enlarge. */
static struct step_result create_no_room(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                         const struct classification *refusal)
{
    (void)now_ms;
    if (strcmp(refusal->error.code, "resource_limit_exceeded") == 0)
        return step_refused("the server was not made, the project's limit is reached: %s", refusal->error.message);
    const struct hosting_region *region = hosting_region_of(settings->hosting, job->region);
    job->found.place++;
    if (region && (size_t)job->found.place < region->location_count)
        return step_next_noting("create_server", "%s has no room: the next location is %s",
                                region->locations[job->found.place - 1], region->locations[job->found.place]);
    job->found.place = 0;
    struct step_result result =
        step_retry("find_server", "no location of region %s has room: %s", job->region, refusal->error.message);
    result.after_ms = refusal->after_ms;
    return result;
}

static struct step_result wait_created_done(struct recipe_job *job, const struct recipe_settings *settings,
                                            int64_t now_ms, const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    return server_action_polled(job, response, "wait_running", "find_server");
}

static struct step_result wait_created_refused(struct recipe_job *job, const struct recipe_settings *settings,
                                               int64_t now_ms, const struct classification *refusal)
{
    (void)settings;
    (void)now_ms;
    (void)refusal;
    job->found.action_id[0] = '\0';
    return step_next("wait_running");
}

static struct step_result wait_running_done(struct recipe_job *job, const struct recipe_settings *settings,
                                            int64_t now_ms, const struct sl_http_response *response)
{
    struct hetzner_server server;
    if (!hetzner_read_server(response, &server))
        return step_unreadable(NULL);
    if (server.status == HETZNER_DELETING)
        return step_refused("server %s is being deleted", server.id);
    if (server.status == HETZNER_RUNNING) {
        take_over(job, &server);
        return step_next("wait_device");
    }
    return is_late(job, settings, now_ms) ? step_refused("server %s does not run in time", server.id) : step_wait();
}

static struct step_result wait_running_refused(struct recipe_job *job, const struct recipe_settings *settings,
                                               int64_t now_ms, const struct classification *refusal)
{
    if (refusal->cause != CAUSE_GONE)
        return server_refused_get(job, settings, now_ms, refusal);
    struct step_result result = step_retry("find_server", "server %s is gone again", job->found.server_id);
    job->found.server_id[0] = '\0';
    return result;
}

static struct step_result wait_device_prepare(struct recipe_job *job, const struct recipe_settings *settings,
                                              int64_t now_ms, struct cloud_request *request)
{
    (void)now_ms;
    struct sl_err err = {0};
    bool built =
        tailscale_find_devices(&settings->accounts[CLOUD_TAILSCALE], sl_str_of(job->agent_name), request, &err);
    return step_call_if(built, &err);
}

static struct step_result wait_device_done(struct recipe_job *job, const struct recipe_settings *settings,
                                           int64_t now_ms, const struct sl_http_response *response)
{
    bool found = false;
    struct tailscale_device device = {0};
    if (!tailscale_read_found(response, sl_str_of(job->agent_name), &found, &device))
        return step_unreadable(NULL);
    if (found) {
        memcpy(job->found.tailscale_device_id, device.id, sizeof(device.id));
        memcpy(job->found.tailscale_ip, device.address, sizeof(device.address));
        return step_next("delete_key");
    }
    if (is_late(job, settings, now_ms))
        return step_refused("server %s has not joined the tailnet in time", job->found.server_id);
    return step_wait();
}

static struct step_result delete_key_prepare(struct recipe_job *job, const struct recipe_settings *settings,
                                             int64_t now_ms, struct cloud_request *request)
{
    (void)now_ms;
    if (job->found.tailscale_key_id[0] == '\0')
        return step_next("finish");
    struct sl_err err = {0};
    bool built = tailscale_delete_key(&settings->accounts[CLOUD_TAILSCALE], sl_str_of(job->found.tailscale_key_id),
                                      request, &err);
    return step_call_if(built, &err);
}

static struct step_result delete_key_done(struct recipe_job *job, const struct recipe_settings *settings,
                                          int64_t now_ms, const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    (void)response;
    job->found.tailscale_key_id[0] = '\0';
    return step_next("finish");
}

/* It is gone, or it dies by itself. */
static struct step_result delete_key_refused(struct recipe_job *job, const struct recipe_settings *settings,
                                             int64_t now_ms, const struct classification *refusal)
{
    (void)job;
    (void)settings;
    (void)now_ms;
    if (refusal->cause == CAUSE_GONE)
        return step_next("finish");
    return step_next_noting("finish", "the server's auth key was not deleted: %s", refusal->error.message);
}

/* Makes no call: a key that can't be deleted keeps nobody from his server. */
static struct step_result finish_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                         struct cloud_request *request)
{
    (void)job;
    (void)settings;
    (void)now_ms;
    (void)request;
    return step_done();
}

static struct step_result finish_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                      const struct sl_http_response *response)
{
    (void)job;
    (void)settings;
    (void)now_ms;
    (void)response;
    return step_done();
}

static const struct step steps[] = {
    {.name = "find_server",
     .cloud = CLOUD_HETZNER,
     .wait_max_ms = MINUTES_MS(10),
     .prepare = find_server_prepare,
     .done = find_server_done},
    {.name = "mint_key",
     .cloud = CLOUD_TAILSCALE,
     .mutates = true,
     .preparatory = true,
     .look = "find_server",
     .wait_max_ms = MINUTES_MS(10),
     .prepare = mint_key_prepare,
     .done = mint_key_done},
    {.name = "create_server",
     .cloud = CLOUD_HETZNER,
     .mutates = true,
     .look = "find_server",
     .wait_max_ms = MINUTES_MS(5),
     .prepare = create_prepare,
     .done = create_done,
     .refused = create_refused,
     .no_room = create_no_room},
    {.name = "wait_created",
     .cloud = CLOUD_HETZNER,
     .look = "find_server",
     .wait_max_ms = MINUTES_MS(10),
     .prepare = server_prepare_action,
     .done = wait_created_done,
     .refused = wait_created_refused},
    {.name = "wait_running",
     .cloud = CLOUD_HETZNER,
     .wait_max_ms = DAYS_MS(7),
     .prepare = server_prepare_get,
     .done = wait_running_done,
     .refused = wait_running_refused},
    {.name = "wait_device",
     .cloud = CLOUD_TAILSCALE,
     .wait_max_ms = DAYS_MS(7),
     .prepare = wait_device_prepare,
     .done = wait_device_done},
    {.name = "delete_key",
     .cloud = CLOUD_TAILSCALE,
     .mutates = true,
     .idempotent = true,
     .look = "delete_key",
     .give_up = "finish",
     .wait_max_ms = MINUTES_MS(10),
     .prepare = delete_key_prepare,
     .done = delete_key_done,
     .refused = delete_key_refused},
    {.name = "finish",
     .cloud = CLOUD_HETZNER,
     .wait_max_ms = MINUTES_MS(10),
     .prepare = finish_prepare,
     .done = finish_done},
};

const struct recipe RECIPE_PROVISION_HETZNER = {.kind = JOB_PROVISION,
                                                .backend = "hetzner",
                                                .home = CLOUD_HETZNER,
                                                .may_cancel = true,
                                                .steps = steps,
                                                .step_count = SL_ARRAY_LEN(steps),
                                                .first = "find_server"};
