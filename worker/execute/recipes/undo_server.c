/* undo_server.c - the second part of an undoing: the agent's server goes, and is seen gone.
 *
 * Found by the id that the agent has, else by the name that only its agent may have. Whose it is, the label says: a
 * server of somebody else's is left alone whatever its name or number.
 */
#include "worker/execute/recipes/undo.h"

#include <string.h>

#include "common/fault.h"

#define DELETIONS_MAX 8

static struct step_result delete_it(struct recipe_job *job, const struct hetzner_server *server)
{
    memcpy(job->found.server_id, server->id, sizeof(server->id));
    job->found.server_gone = false;
    return step_next(server->status == HETZNER_DELETING ? "wait_server_gone" : "delete_server");
}

static bool is_foreign(const struct recipe_job *job, const struct hetzner_server *server)
{
    return strcmp(server->agent_label, job->agent_text) != 0;
}

struct step_result find_server_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                       struct cloud_request *request)
{
    if (job->found.server_id[0] == '\0')
        return step_next("find_server_by_name");
    if (!cloud_id_is_safe(sl_str_of(job->found.server_id), HETZNER_ID_BYTES - 1, true)) {
        job->found.server_id[0] = '\0';
        return step_next_noting("find_server_by_name", "the agent's server id is no id: looking by name");
    }
    return server_prepare_get(job, settings, now_ms, request);
}

/* A number that the agent was told may stand for a server without a label, if that has the agent's name. */
struct step_result find_server_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                    const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    struct hetzner_server server;
    if (!hetzner_read_server(response, &server))
        return step_unreadable(NULL);
    bool named = server.agent_label[0] == '\0' && strcmp(server.name, job->agent_name) == 0;
    if (named || !is_foreign(job, &server))
        return delete_it(job, &server);
    job->found.server_id[0] = '\0';
    return step_next_noting("find_server_by_name", "server %s is left alone: it is \"%s\" of agent \"%s\"", server.id,
                            server.name, server.agent_label);
}

struct step_result find_server_refused(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                       const struct classification *refusal)
{
    if (refusal->cause != CAUSE_GONE)
        return server_refused_get(job, settings, now_ms, refusal);
    job->found.server_id[0] = '\0';
    return step_next("find_server_by_name");
}

static struct step_result find_by_name(const struct recipe_job *job, const struct recipe_settings *settings,
                                       struct cloud_request *request)
{
    struct sl_err err = {0};
    bool built = hetzner_find_server(&settings->accounts[CLOUD_HETZNER], sl_str_of(job->agent_name), request, &err);
    return step_call_if(built, &err);
}

struct step_result find_by_name_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                        struct cloud_request *request)
{
    (void)now_ms;
    return find_by_name(job, settings, request);
}

struct step_result find_by_name_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                     const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    bool found = false;
    struct hetzner_server server = {0};
    if (!hetzner_read_found(response, &found, &server))
        return step_unreadable(NULL);
    if (found && !is_foreign(job, &server))
        return delete_it(job, &server);
    job->found.server_gone = true;
    if (!found)
        return step_next("find_device");
    return step_next_noting("find_device", "server %s is left alone: it has the agent's name, but not its label",
                            server.id);
}

struct step_result delete_server_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                         struct cloud_request *request)
{
    (void)now_ms;
    if (job->found.deletions >= DELETIONS_MAX)
        return step_refused("server %s comes back each time it is deleted", job->found.server_id);
    struct sl_err err = {0};
    bool built =
        hetzner_delete_server(&settings->accounts[CLOUD_HETZNER], sl_str_of(job->found.server_id), request, &err);
    return step_call_if(built, &err);
}

struct step_result delete_server_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                      const struct sl_http_response *response)
{
    sl_fault("execute.server_deleted");
    (void)settings;
    (void)now_ms;
    (void)response;
    job->found.deletions++;
    return step_next("wait_server_gone");
}

struct step_result delete_server_refused(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                         const struct classification *refusal)
{
    return find_server_refused(job, settings, now_ms, refusal);
}

struct step_result wait_gone_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                     struct cloud_request *request)
{
    return server_prepare_get(job, settings, now_ms, request);
}

/* Still there: a deletion takes its time, and one that failed shows when the waiting is over. */
struct step_result wait_gone_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                  const struct sl_http_response *response)
{
    (void)job;
    (void)settings;
    (void)now_ms;
    struct hetzner_server server;
    return hetzner_read_server(response, &server) ? step_wait() : step_unreadable(NULL);
}

struct step_result wait_gone_refused(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                     const struct classification *refusal)
{
    return find_server_refused(job, settings, now_ms, refusal);
}

/* A run that was cancelled late may have made a server after the first look. */
struct step_result recheck_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                   struct cloud_request *request)
{
    (void)now_ms;
    if (job->run_title[0] == '\0')
        return step_done();
    return find_by_name(job, settings, request);
}

struct step_result recheck_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                const struct sl_http_response *response)
{
    (void)settings;
    (void)now_ms;
    bool found = false;
    struct hetzner_server server = {0};
    if (!hetzner_read_found(response, &found, &server))
        return step_unreadable(NULL);
    return found && !is_foreign(job, &server) ? delete_it(job, &server) : step_done();
}
