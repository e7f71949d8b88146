/* graph.c - requests and replies of Microsoft Graph. */
#include "worker/clouds/graph.h"

#include <string.h>

#include "common/json.h"

#define REPLY_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define VERSION_PATH    "/v1.0/"

/* Throttling is told by Retry-After (learn.microsoft.com/graph/throttling); no header counts requests. */
static void read_limits(const struct sl_http_response *response, int64_t now_ms, struct cloud_limits *ret_limits)
{
    *ret_limits = (struct cloud_limits){.retry_after_ms = cloud_retry_after_ms(response, now_ms)};
}

/* {"error":{"code","message","innerError"}} */
static void read_error(const struct sl_http_response *response, struct cloud_error *ret_error)
{
    *ret_error = (struct cloud_error){0};
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL))
        return;
    cloud_copy(ret_error->code, sizeof(ret_error->code), sl_json_str(json, "error.code"));
    cloud_copy(ret_error->message, sizeof(ret_error->message), sl_json_str(json, "error.message"));
}

/* Nothing is required: whose token is used, each job says. */
const struct cloud GRAPH = {
    .id = CLOUD_GRAPH,
    .name = "graph",
    .section = "cloud graph",
    .read_limits = read_limits,
    .read_error = read_error,
};

bool graph_list_teams(const struct cloud_account *account, struct cloud_request *request, struct sl_err *err)
{
    return cloud_request_start(request, account, "GET", err, VERSION_PATH "me/joinedTeams") &&
           cloud_request_finish(request, err);
}

bool graph_list_channels(const struct cloud_account *account, struct sl_str team_id, struct cloud_request *request,
                         struct sl_err *err)
{
    if (sl_str_empty(team_id) || sl_str_is(team_id, ".") || sl_str_is(team_id, ".."))
        return sl_err_set(err, SL_ERR_PERMANENT, "a team has no id");
    if (!cloud_request_start(request, account, "GET", err, VERSION_PATH "teams/"))
        return false;
    cloud_request_encoded(request, team_id);
    cloud_request_plain(request, "/channels");
    return cloud_request_finish(request, err);
}

bool graph_next_page(const struct cloud_account *account, struct sl_str link, struct cloud_request *request,
                     struct sl_err *err)
{
    SL_ASSERT(sl_str_starts_with(link, SL_STR(VERSION_PATH)));
    return cloud_request_start(request, account, "GET", err, "%" SL_STR_FMT, SL_STR_ARG(link)) &&
           cloud_request_finish(request, err);
}

/* A URL behind our own, of characters that a URL has, and nothing that leads out of it. */
static bool read_link(const struct cloud_account *account, struct sl_str url, char ret_link[GRAPH_LINK_BYTES],
                      struct sl_err *err)
{
    struct sl_str base = sl_str_of(account->base_url);
    struct sl_str link = url;
    if (sl_str_starts_with(url, base))
        link = (struct sl_str){.ptr = url.ptr + base.len, .len = url.len - base.len};
    if (link.len == url.len || !sl_str_starts_with(link, SL_STR(VERSION_PATH)))
        return sl_err_set(err, SL_ERR_PERMANENT, "the next page is not behind %s" VERSION_PATH, account->base_url);
    if (link.len >= GRAPH_LINK_BYTES)
        return sl_err_set(err, SL_ERR_PERMANENT, "the link to the next page is longer than %d bytes",
                          GRAPH_LINK_BYTES - 1);
    SL_ASSERT(link.ptr);
    for (size_t i = 0; i < link.len; i++)
        if (link.ptr[i] <= ' ' || link.ptr[i] > '~' || link.ptr[i] == '#')
            return sl_err_set(err, SL_ERR_PERMANENT, "the link to the next page is no URL");
    memcpy(ret_link, link.ptr, link.len);
    ret_link[link.len] = '\0';
    return true;
}

static json_t *read_row(const json_t *json)
{
    struct sl_str id = sl_json_str(json, "id");
    char name[GRAPH_NAME_BYTES];
    if (id.len == 0 || id.len >= GRAPH_ID_BYTES)
        return NULL;
    cloud_copy(name, sizeof(name), sl_json_str(json, "displayName"));
    return json_pack("{s:s%, s:s}", "id", id.ptr, id.len, "name", name);
}

bool graph_read_page(const struct cloud_account *account, const struct sl_http_response *response, json_t **ret_rows,
                     char ret_link[GRAPH_LINK_BYTES], struct sl_err *err)
{
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(response->body, REPLY_BYTES_MAX, &json, err))
        return sl_err_set(err, SL_ERR_RETRY, "the answer is no JSON");
    const json_t *value = sl_json_at(json, "value");
    const json_t *next = json_object_get(json, "@odata.nextLink");
    char link[GRAPH_LINK_BYTES] = "";
    if (!json_is_array(value))
        return sl_err_set(err, SL_ERR_RETRY, "the answer is no list");
    struct sl_str url =
        json_is_string(next) ? (struct sl_str){json_string_value(next), json_string_length(next)} : SL_STR_NONE;
    if (!sl_str_empty(url) && !read_link(account, url, link, err))
        return false;

    SL_JSON_AUTO *rows = json_array();
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *row = read_row(json_array_get(value, i));
        if (!row || json_array_append_new(rows, row) != 0)
            return sl_err_set(err, SL_ERR_RETRY, "the answer lists something without an id");
    }
    memcpy(ret_link, link, sizeof(link));
    *ret_rows = json_incref(rows);
    return true;
}
