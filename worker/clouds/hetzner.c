/* hetzner.c - requests and replies of the Hetzner Cloud API. */
#include "worker/clouds/hetzner.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"

#define REPLY_BYTES_MAX ((size_t)1024 * 1024)

static const struct cloud_setting required[] = {
    {.key = "token", .variable = "HCLOUD_TOKEN"},
};

static const char *const status_names[HETZNER_STATUS_COUNT] = {
    [HETZNER_UNKNOWN] = "unknown",   [HETZNER_RUNNING] = "running",     [HETZNER_INITIALIZING] = "initializing",
    [HETZNER_STARTING] = "starting", [HETZNER_STOPPING] = "stopping",   [HETZNER_OFF] = "off",
    [HETZNER_DELETING] = "deleting", [HETZNER_MIGRATING] = "migrating", [HETZNER_REBUILDING] = "rebuilding",
};

/* RateLimit-Reset is when the token bucket is full again, one token each (reset - now) / missing. */
static void read_limits(const struct sl_http_response *response, int64_t now_ms, struct cloud_limits *ret_limits)
{
    struct cloud_limits limits = {.retry_after_ms = cloud_retry_after_ms(response, now_ms)};
    limits.known = cloud_header_int(response, "ratelimit-limit", &limits.limit) &&
                   cloud_header_int(response, "ratelimit-remaining", &limits.remaining) && limits.limit > 0 &&
                   limits.remaining <= limits.limit;
    if (limits.known)
        limits.reset_at_ms = cloud_reset_at_ms(response, "ratelimit-reset", now_ms);
    if (limits.reset_at_ms > 0) {
        int64_t missing = limits.limit - limits.remaining;
        int64_t until_full_ms = limits.reset_at_ms - now_ms;
        limits.refill_ms = missing > 0 && until_full_ms > missing ? until_full_ms / missing : 1;
    }
    *ret_limits = limits;
}

/* {"error":{"code","message","details"}}; a proxy's HTML has neither. */
static void read_error(const struct sl_http_response *response, struct cloud_error *ret_error)
{
    *ret_error = (struct cloud_error){0};
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL))
        return;
    cloud_copy(ret_error->code, sizeof(ret_error->code), sl_json_str(json, "error.code"));
    cloud_copy(ret_error->message, sizeof(ret_error->message), sl_json_str(json, "error.message"));
}

const struct cloud HETZNER = {
    .id = CLOUD_HETZNER,
    .name = "hetzner",
    .section = "cloud hetzner",
    .required = required,
    .required_count = SL_ARRAY_LEN(required),
    .read_limits = read_limits,
    .read_error = read_error,
};

static bool check_id(struct sl_str id, const char *what, struct sl_err *err)
{
    if (cloud_id_is_safe(id, HETZNER_ID_BYTES - 1, true))
        return true;
    char text[40];
    cloud_copy(text, sizeof(text), id);
    return sl_err_set(err, SL_ERR_PERMANENT, "\"%s\" is no id of a Hetzner %s", text, what);
}

bool hetzner_get_server(const struct cloud_account *account, struct sl_str server_id, struct cloud_request *request,
                        struct sl_err *err)
{
    return check_id(server_id, "server", err) &&
           cloud_request_start(request, account, "GET", err, "/servers/%" SL_STR_FMT, SL_STR_ARG(server_id)) &&
           cloud_request_finish(request, err);
}

bool hetzner_find_server(const struct cloud_account *account, struct sl_str name, struct cloud_request *request,
                         struct sl_err *err)
{
    if (!cloud_request_start(request, account, "GET", err, "/servers?name="))
        return false;
    cloud_request_encoded(request, name);
    return cloud_request_finish(request, err);
}

bool hetzner_list_servers(const struct cloud_account *account, int page, struct cloud_request *request,
                          struct sl_err *err)
{
    return cloud_request_start(request, account, "GET", err, "/servers?sort=id:asc&per_page=%d&page=%d",
                               HETZNER_SERVERS_PER_PAGE, page) &&
           cloud_request_finish(request, err);
}

bool hetzner_get_pricing(const struct cloud_account *account, struct cloud_request *request, struct sl_err *err)
{
    return cloud_request_start(request, account, "GET", err, "/pricing") && cloud_request_finish(request, err);
}

bool hetzner_create_server(const struct cloud_account *account, const struct hetzner_new_server *server,
                           struct cloud_request *request, struct sl_err *err)
{
    if (server->user_data.len > HETZNER_USER_DATA_BYTES_MAX)
        return sl_err_set(err, SL_ERR_PERMANENT, "the user data of a Hetzner server is too long");
    if (!cloud_request_start(request, account, "POST", err, "/servers"))
        return false;
    cloud_request_header(request, "Content-Type", SL_STR("application/json"));
    sl_buf_append_char(&request->body, '{');
    cloud_body_text(request, "name", server->name);
    cloud_body_text(request, "server_type", server->server_type);
    cloud_body_text(request, "image", server->image);
    cloud_body_text(request, "location", server->location);
    cloud_body_name(request, "start_after_create");
    sl_buf_append_cstr(&request->body, "true");
    cloud_body_text(request, "user_data", server->user_data);
    cloud_body_name(request, "labels");
    sl_buf_append_char(&request->body, '{');
    cloud_body_text(request, "sluice-agent", server->agent_label);
    cloud_body_text(request, "sluice-job", server->job_label);
    cloud_body_text(request, "sluice-generation", server->generation_label);
    sl_buf_append_cstr(&request->body, "}}");
    return cloud_request_finish(request, err);
}

bool hetzner_change_power(const struct cloud_account *account, struct sl_str server_id, enum hetzner_power power,
                          struct cloud_request *request, struct sl_err *err)
{
    static const char *const verbs[] = {
        [HETZNER_POWERON] = "poweron", [HETZNER_POWEROFF] = "poweroff", [HETZNER_SHUTDOWN] = "shutdown"};
    SL_ASSERT(power >= HETZNER_POWERON && power <= HETZNER_SHUTDOWN);
    return check_id(server_id, "server", err) &&
           cloud_request_start(request, account, "POST", err, "/servers/%" SL_STR_FMT "/actions/%s",
                               SL_STR_ARG(server_id), verbs[power]) &&
           cloud_request_finish(request, err);
}

bool hetzner_delete_server(const struct cloud_account *account, struct sl_str server_id, struct cloud_request *request,
                           struct sl_err *err)
{
    return check_id(server_id, "server", err) &&
           cloud_request_start(request, account, "DELETE", err, "/servers/%" SL_STR_FMT, SL_STR_ARG(server_id)) &&
           cloud_request_finish(request, err);
}

bool hetzner_get_action(const struct cloud_account *account, struct sl_str action_id, struct cloud_request *request,
                        struct sl_err *err)
{
    return check_id(action_id, "action", err) &&
           cloud_request_start(request, account, "GET", err, "/actions/%" SL_STR_FMT, SL_STR_ARG(action_id)) &&
           cloud_request_finish(request, err);
}

static enum hetzner_status status_of(struct sl_str text)
{
    for (int i = 0; i < HETZNER_STATUS_COUNT; i++)
        if (sl_str_is(text, status_names[i]))
            return (enum hetzner_status)i;
    return HETZNER_UNKNOWN;
}

static bool read_one(const json_t *json, struct hetzner_server *ret_server)
{
    char digits[24];
    struct sl_str id = sl_json_id(json, "id", digits);
    struct sl_str status = sl_json_str(json, "status");
    if (!cloud_id_is_safe(id, HETZNER_ID_BYTES - 1, true) || sl_str_empty(status))
        return false;
    struct hetzner_server server = {.status = status_of(status), .locked = sl_json_bool(json, "locked", false)};
    cloud_copy(server.id, sizeof(server.id), id);
    cloud_copy(server.name, sizeof(server.name), sl_json_str(json, "name"));
    cloud_copy(server.ipv4, sizeof(server.ipv4), sl_json_str(json, "public_net.ipv4.ip"));
    cloud_copy(server.agent_label, sizeof(server.agent_label), sl_json_str(json, "labels.sluice-agent"));
    cloud_copy(server.job_label, sizeof(server.job_label), sl_json_str(json, "labels.sluice-job"));
    *ret_server = server;
    return true;
}

bool hetzner_read_server(const struct sl_http_response *response, struct hetzner_server *ret_server)
{
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL))
        return false;
    const json_t *server = sl_json_at(json, "server");
    return json_is_object(server) && read_one(server, ret_server);
}

bool hetzner_read_found(const struct sl_http_response *response, bool *ret_found, struct hetzner_server *ret_server)
{
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL))
        return false;
    const json_t *servers = sl_json_at(json, "servers");
    if (!json_is_array(servers))
        return false;
    if (json_array_size(servers) == 0) {
        *ret_found = false;
        return true;
    }
    if (!read_one(json_array_get(servers, 0), ret_server))
        return false;
    *ret_found = true;
    return true;
}

/* Prices are decimal texts, one for each location that has the type. */
static double net_per_day(const json_t *server)
{
    const json_t *prices = sl_json_at(server, "server_type.prices");
    struct sl_str location = sl_json_str(server, "location.name");
    for (size_t i = 0; i < json_array_size(prices); i++) {
        const json_t *price = json_array_get(prices, i);
        char text[32];
        char *end = NULL;
        cloud_copy(text, sizeof(text), sl_json_str(price, "price_hourly.net"));
        double hourly = strtod(text, &end);
        if (sl_str_equal(sl_json_str(price, "location"), location) && end != text && *end == '\0' && hourly >= 0)
            return hourly * 24;
    }
    return -1;
}

bool hetzner_read_page(const struct sl_http_response *response,
                       void (*visit)(void *arg, const struct hetzner_listed *listed), void *arg, int *ret_next_page)
{
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL))
        return false;
    const json_t *servers = sl_json_at(json, "servers");
    if (!json_is_array(servers))
        return false;
    for (size_t i = 0; i < json_array_size(servers); i++) {
        const json_t *item = json_array_get(servers, i);
        struct hetzner_listed listed = {.net_per_day = net_per_day(item)};
        if (!read_one(item, &listed.server))
            return false;
        if (!sl_clock_parse(sl_json_str(item, "created"), &listed.created_at_ms))
            listed.created_at_ms = 0;
        visit(arg, &listed);
    }
    int64_t next = 0;
    *ret_next_page =
        sl_json_int(json, "meta.pagination.next_page", &next) && next > 0 && next < INT32_MAX ? (int)next : 0;
    return true;
}

bool hetzner_read_currency(const struct sl_http_response *response, char ret_currency[8])
{
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL))
        return false;
    struct sl_str currency = sl_json_str(json, "pricing.currency");
    if (!cloud_id_is_safe(currency, 7, false))
        return false;
    cloud_copy(ret_currency, 8, currency);
    return true;
}

bool hetzner_read_action(const struct sl_http_response *response, struct hetzner_action *ret_action)
{
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL))
        return false;
    char digits[24];
    struct sl_str id = sl_json_id(json, "action.id", digits);
    struct sl_str status = sl_json_str(json, "action.status");
    struct hetzner_action action = {.id = ""};
    if (sl_str_is(status, "running"))
        action.status = HETZNER_ACTION_RUNNING;
    else if (sl_str_is(status, "success"))
        action.status = HETZNER_ACTION_SUCCESS;
    else if (sl_str_is(status, "error"))
        action.status = HETZNER_ACTION_ERROR;
    if (action.status == 0 || !cloud_id_is_safe(id, HETZNER_ID_BYTES - 1, true))
        return false;
    cloud_copy(action.id, sizeof(action.id), id);
    cloud_copy(action.error.code, sizeof(action.error.code), sl_json_str(json, "action.error.code"));
    cloud_copy(action.error.message, sizeof(action.error.message), sl_json_str(json, "action.error.message"));
    *ret_action = action;
    return true;
}
