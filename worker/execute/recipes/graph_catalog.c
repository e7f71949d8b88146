/* graph_catalog.c - lists the Microsoft Teams that a shared connection's account is in, and their channels.
 *
 * The connection's token is opened for each request and wiped behind it; it came with the claim, which asks whether the
 * job's user is a member of the workspace. The catalog has its limits: what is beyond them is left out, and said to be:
 * "cut" on a team that has more than is listed of it, catalog_cut on the whole.
 */
#include <string.h>

#include "common/secret.h"
#include "worker/clouds/graph.h"
#include "worker/execute/recipes/recipes.h"

#define TEAMS_MAX           200
#define CHANNELS_MAX        200 /* of one team */
#define PAGES_MAX           100 /* of one list: an empty page may have a link as well */
#define TEAM_MORE_BYTES_MAX 32  /* ,"channels":[] and ,"cut":true of a team, beside its row */

static bool open_token(const struct recipe_job *job, const struct recipe_settings *settings, struct sl_buf *token,
                       struct sl_err *err)
{
    char context[RECIPE_ERROR_BYTES + SL_UUID_TEXT_BYTES];
    struct sl_str workspace = sl_str_of(recipe_arg(job, "workspace_id"));
    struct sl_str connection = sl_str_of(recipe_arg(job, "connection_id"));
    if (strcmp(recipe_arg(job, "scope"), "teams") != 0)
        return sl_err_set(err, SL_ERR_PERMANENT, "\"%.40s\" is no scope that can be read", recipe_arg(job, "scope"));
    if (!job->sealed)
        return sl_err_set(err, SL_ERR_PERMANENT,
                          "the connection is not there any more, or the user is no member of its workspace");
    if (workspace.len + 1 + connection.len > sizeof(context))
        return sl_err_set(err, SL_ERR_PERMANENT, "the ids of workspace and connection are too long");
    memcpy(context, workspace.ptr, workspace.len);
    context[workspace.len] = '\0';
    memcpy(context + workspace.len + 1, connection.ptr, connection.len);
    return sl_seal_open(settings->data_keys, sl_str_of(job->sealed),
                        (struct sl_str){.ptr = context, .len = workspace.len + 1 + connection.len}, token, err);
}

typedef bool graph_build(const struct cloud_account *account, struct sl_str text, struct cloud_request *request,
                         struct sl_err *err);

/* A request with the token in it, and nowhere else when this is over. */
static struct step_result build(const struct recipe_job *job, const struct recipe_settings *settings,
                                graph_build *build_request, struct sl_str text, struct cloud_request *request)
{
    struct cloud_account account = settings->accounts[CLOUD_GRAPH];
    struct sl_err err = {0};
    struct sl_buf token;
    sl_buf_init(&token, SL_SEAL_TEXT_MAX);
    bool built = open_token(job, settings, &token, &err);
    if (built) {
        account.token = sl_buf_str(&token);
        built = build_request(&account, text, request, &err);
    }
    if (token.data)
        sl_secret_wipe(token.data, token.cap);
    sl_buf_deinit(&token);
    return step_call_if(built, &err);
}

static bool build_teams(const struct cloud_account *account, struct sl_str text, struct cloud_request *request,
                        struct sl_err *err)
{
    (void)text;
    return graph_list_teams(account, request, err);
}

/* One more for a list of the catalog, if there is room. */
static bool add_row(struct findings *found, json_t *list, size_t rows_max, json_t *row, int64_t more_bytes)
{
    int64_t bytes = (int64_t)json_dumpb(row, NULL, 0, JSON_COMPACT) + 1 + more_bytes;
    if (json_array_size(list) >= rows_max || found->catalog_bytes + bytes > FINDINGS_CATALOG_BYTES_MAX)
        return false;
    found->catalog_bytes += bytes;
    return json_array_append(list, row) == 0;
}

/* Goes on with the list's next page. False: there is none, or there are too many (and the list is cut). */
static bool turn_page(struct findings *found, const char *link, bool *cut)
{
    bool more = link[0] != '\0' && !*cut;
    if (more && found->page + 1 >= PAGES_MAX) {
        *cut = true;
        more = false;
    }
    findings_set_long(&found->link, more ? sl_str_of(link) : SL_STR_NONE);
    found->page = more ? found->page + 1 : 0;
    return more;
}

static struct step_result unreadable_page(const struct sl_err *err)
{
    return err->error_class == SL_ERR_PERMANENT ? step_refused("%s", err->message)
                                                : step_retry(NULL, "%s", err->message);
}

static struct step_result teams_prepare(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                        struct cloud_request *request)
{
    (void)now_ms;
    const char *link = job->found.link;
    return build(job, settings, link ? graph_next_page : build_teams, sl_str_of(link), request);
}

static struct step_result teams_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                     const struct sl_http_response *response)
{
    (void)now_ms;
    struct findings *found = &job->found;
    struct sl_err err = {0};
    SL_JSON_AUTO *rows = NULL;
    char link[GRAPH_LINK_BYTES];
    if (!graph_read_page(&settings->accounts[CLOUD_GRAPH], response, &rows, link, &err))
        return unreadable_page(&err);
    if (!found->catalog)
        found->catalog = json_array();
    bool cut = false;
    for (size_t i = 0; i < json_array_size(rows) && !cut; i++) {
        json_t *team = json_array_get(rows, i);
        cut = !add_row(found, found->catalog, TEAMS_MAX, team, TEAM_MORE_BYTES_MAX) ||
              json_object_set_new(team, "channels", json_array()) != 0;
    }
    if (turn_page(found, link, &cut))
        return step_next("list_teams");
    found->catalog_cut = found->catalog_cut || cut;
    if (cut)
        return step_next_noting("list_channels", "the catalog is cut: there are more teams than it takes");
    return step_next("list_channels");
}

static struct step_result channels_prepare(struct recipe_job *job, const struct recipe_settings *settings,
                                           int64_t now_ms, struct cloud_request *request)
{
    (void)now_ms;
    const struct findings *found = &job->found;
    const json_t *team = json_array_get(found->catalog, (size_t)found->team);
    if (!team)
        return step_done();
    if (found->link)
        return build(job, settings, graph_next_page, sl_str_of(found->link), request);
    return build(job, settings, graph_list_channels, sl_json_str(team, "id"), request);
}

static struct step_result channels_done(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,
                                        const struct sl_http_response *response)
{
    (void)now_ms;
    struct findings *found = &job->found;
    struct sl_err err = {0};
    SL_JSON_AUTO *rows = NULL;
    char link[GRAPH_LINK_BYTES];
    if (!graph_read_page(&settings->accounts[CLOUD_GRAPH], response, &rows, link, &err))
        return unreadable_page(&err);
    json_t *team = json_array_get(found->catalog, (size_t)found->team);
    json_t *channels = json_object_get(team, "channels");
    if (!json_is_array(channels))
        return step_refused("the catalog found so far can't be read");
    bool cut = false;
    for (size_t i = 0; i < json_array_size(rows) && !cut; i++)
        cut = !add_row(found, channels, CHANNELS_MAX, json_array_get(rows, i), 0);
    if (turn_page(found, link, &cut))
        return step_next("list_channels");
    found->team++;
    if (!cut)
        return step_next("list_channels");
    found->catalog_cut = true;
    if (json_object_set_new(team, "cut", json_true()) != 0)
        return step_refused("out of memory");
    return step_next_noting("list_channels", "the catalog is cut: a team has more channels than it takes");
}

/* A team that went away meanwhile is none of the catalog's. */
static struct step_result channels_refused(struct recipe_job *job, const struct recipe_settings *settings,
                                           int64_t now_ms, const struct classification *refusal)
{
    (void)settings;
    (void)now_ms;
    struct findings *found = &job->found;
    if (refusal->cause != CAUSE_GONE)
        return step_refused("list_channels: %s", refusal->error.message);
    findings_set_long(&found->link, SL_STR_NONE);
    found->page = 0;
    (void)json_array_remove(found->catalog, (size_t)found->team);
    return step_next("list_channels");
}

static const struct step steps[] = {
    {.name = "list_teams",
     .cloud = CLOUD_GRAPH,
     .wait_max_ms = MINUTES_MS(10),
     .prepare = teams_prepare,
     .done = teams_done},
    {.name = "list_channels",
     .cloud = CLOUD_GRAPH,
     .wait_max_ms = MINUTES_MS(10),
     .prepare = channels_prepare,
     .done = channels_done,
     .refused = channels_refused},
};

const struct recipe RECIPE_GRAPH_CATALOG = {.kind = JOB_GRAPH,
                                            .backend = "graph",
                                            .home = CLOUD_GRAPH,
                                            .may_cancel = true,
                                            .steps = steps,
                                            .step_count = SL_ARRAY_LEN(steps),
                                            .first = "list_teams"};
