/* tailscale.c - requests and replies of the Tailscale API. */
#include "worker/clouds/tailscale.h"

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"

#define REPLY_BYTES_MAX     ((size_t)4 * 1024 * 1024)
#define DESCRIPTION_LEN_MAX 50
#define TOKEN_LIFE_MS       (INT64_C(3600) * 1000) /* where the reply doesn't say */

static const struct cloud_setting required[] = {
    {.key = "api_key", .variable = "TAILSCALE_API_KEY", .instead = "oauth_client_id"},
    {.key = "oauth_client_secret", .variable = "TAILSCALE_OAUTH_CLIENT_SECRET", .instead = "api_key"},
};

/* No limit is published and no header documented, but a 429 may carry Retry-After. */
static void read_limits(const struct sl_http_response *response, int64_t now_ms, struct cloud_limits *ret_limits)
{
    *ret_limits = (struct cloud_limits){.retry_after_ms = cloud_retry_after_ms(response, now_ms)};
}

static void read_error(const struct sl_http_response *response, struct cloud_error *ret_error)
{
    *ret_error = (struct cloud_error){0};
    SL_JSON_AUTO *json = NULL;
    if (sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL))
        cloud_copy(ret_error->message, sizeof(ret_error->message), sl_json_str(json, "message"));
}

const struct cloud TAILSCALE = {
    .id = CLOUD_TAILSCALE,
    .name = "tailscale",
    .section = "cloud tailscale",
    .required = required,
    .required_count = SL_ARRAY_LEN(required),
    .read_limits = read_limits,
    .read_error = read_error,
};

bool tailscale_find_devices(const struct cloud_account *account, struct sl_str hostname, struct cloud_request *request,
                            struct sl_err *err)
{
    if (!cloud_request_start(request, account, "GET", err, "/api/v2/tailnet/"))
        return false;
    cloud_request_encoded(request, sl_str_of(account->tailnet));
    cloud_request_plain(request, "/devices?hostname=");
    cloud_request_encoded(request, hostname);
    return cloud_request_finish(request, err);
}

bool tailscale_list_devices(const struct cloud_account *account, struct cloud_request *request, struct sl_err *err)
{
    if (!cloud_request_start(request, account, "GET", err, "/api/v2/tailnet/"))
        return false;
    cloud_request_encoded(request, sl_str_of(account->tailnet));
    cloud_request_plain(request, "/devices");
    return cloud_request_finish(request, err);
}

static bool device_call(const struct cloud_account *account, const char *method, struct sl_str device_id,
                        struct cloud_request *request, struct sl_err *err)
{
    if (!cloud_id_is_safe(device_id, TAILSCALE_ID_BYTES - 1, false)) {
        char text[40];
        cloud_copy(text, sizeof(text), device_id);
        return sl_err_set(err, SL_ERR_PERMANENT, "\"%s\" is no id of a Tailscale device", text);
    }
    return cloud_request_start(request, account, method, err, "/api/v2/device/%" SL_STR_FMT, SL_STR_ARG(device_id)) &&
           cloud_request_finish(request, err);
}

bool tailscale_get_device(const struct cloud_account *account, struct sl_str device_id, struct cloud_request *request,
                          struct sl_err *err)
{
    return device_call(account, "GET", device_id, request, err);
}

bool tailscale_delete_device(const struct cloud_account *account, struct sl_str device_id,
                             struct cloud_request *request, struct sl_err *err)
{
    return device_call(account, "DELETE", device_id, request, err);
}

static bool start_keys(struct cloud_request *request, const struct cloud_account *account, const char *method,
                       struct sl_err *err)
{
    if (!cloud_request_start(request, account, method, err, "/api/v2/tailnet/"))
        return false;
    cloud_request_encoded(request, sl_str_of(account->tailnet));
    cloud_request_plain(request, "/keys");
    return true;
}

bool tailscale_create_key(const struct cloud_account *account, struct sl_str tags, int64_t expiry_s,
                          struct sl_str description, struct cloud_request *request, struct sl_err *err)
{
    if (!start_keys(request, account, "POST", err))
        return false;
    struct sl_buf *body = &request->body;
    cloud_request_header(request, "Content-Type", SL_STR("application/json"));
    sl_buf_append_cstr(body, "{\"keyType\":\"auth\",\"capabilities\":{\"devices\":{\"create\":{\"reusable\":false,"
                             "\"ephemeral\":true,\"preauthorized\":true,\"tags\":[");
    struct sl_str rest = tags;
    for (size_t count = 0; rest.len > 0;) {
        struct sl_str tag = sl_str_trim(sl_str_cut(&rest, ','));
        if (sl_str_empty(tag))
            continue;
        sl_buf_append_cstr(body, count++ > 0 ? "," : "");
        sl_json_write_str(body, tag);
    }
    if (description.len > DESCRIPTION_LEN_MAX)
        description.len = DESCRIPTION_LEN_MAX;
    sl_buf_printf(body, "]}}},\"expirySeconds\":%" PRId64, expiry_s);
    cloud_body_text(request, "description", description);
    sl_buf_append_char(body, '}');
    return cloud_request_finish(request, err);
}

bool tailscale_delete_key(const struct cloud_account *account, struct sl_str key_id, struct cloud_request *request,
                          struct sl_err *err)
{
    if (!cloud_id_is_safe(key_id, TAILSCALE_ID_BYTES - 1, false))
        return sl_err_set(err, SL_ERR_PERMANENT, "there is no id of a Tailscale key");
    if (!start_keys(request, account, "DELETE", err))
        return false;
    cloud_request_plain(request, "/");
    cloud_request_encoded(request, key_id);
    return cloud_request_finish(request, err);
}

bool tailscale_get_token(const struct cloud_account *account, struct cloud_request *request, struct sl_err *err)
{
    struct cloud_account bare = *account;
    bare.token = SL_STR_NONE;
    if (!cloud_request_start(request, &bare, "POST", err, "/api/v2/oauth/token"))
        return false;
    cloud_request_header(request, "Content-Type", SL_STR("application/x-www-form-urlencoded"));
    cloud_body_form(request, "grant_type", SL_STR("client_credentials"));
    cloud_body_form(request, "client_id", account->oauth_client_id);
    cloud_body_form(request, "client_secret", account->oauth_client_secret);
    return cloud_request_finish(request, err);
}

static bool read_one(const json_t *json, struct tailscale_device *ret_device)
{
    char digits[24];
    struct sl_str id = sl_json_id(json, "nodeId", digits);
    if (sl_str_empty(id))
        id = sl_json_id(json, "id", digits);
    if (!cloud_id_is_safe(id, TAILSCALE_ID_BYTES - 1, false))
        return false;
    struct tailscale_device device = {.external = sl_json_bool(json, "isExternal", false)};
    cloud_copy(device.id, sizeof(device.id), id);
    cloud_copy(device.hostname, sizeof(device.hostname), sl_json_str(json, "hostname"));
    cloud_copy(device.address, sizeof(device.address), sl_json_str(json, "addresses.0"));
    if (!sl_clock_parse(sl_json_str(json, "created"), &device.created_at_ms))
        device.created_at_ms = 0; /* external devices have none */
    *ret_device = device;
    return true;
}

/* The devices of a list; NULL: it is none. */
static const json_t *devices_of(const struct sl_http_response *response, json_t **ret_json)
{
    if (!sl_json_parse(response->body, REPLY_BYTES_MAX, ret_json, NULL))
        return NULL;
    const json_t *devices = sl_json_at(*ret_json, "devices");
    return json_is_array(devices) ? devices : NULL;
}

bool tailscale_read_found(const struct sl_http_response *response, struct sl_str hostname, bool *ret_found,
                          struct tailscale_device *ret_device)
{
    SL_JSON_AUTO *json = NULL;
    const json_t *devices = devices_of(response, &json);
    if (!devices)
        return false;
    for (size_t i = 0; i < json_array_size(devices); i++) {
        struct tailscale_device device;
        if (!read_one(json_array_get(devices, i), &device))
            return false;
        if (!device.external && sl_str_equal(sl_str_of(device.hostname), hostname)) {
            *ret_device = device;
            *ret_found = true;
            return true;
        }
    }
    *ret_found = false;
    return true;
}

bool tailscale_read_devices(const struct sl_http_response *response,
                            void (*visit)(void *arg, const struct tailscale_device *device), void *arg)
{
    SL_JSON_AUTO *json = NULL;
    const json_t *devices = devices_of(response, &json);
    if (!devices)
        return false;
    for (size_t i = 0; i < json_array_size(devices); i++) {
        struct tailscale_device device;
        if (!read_one(json_array_get(devices, i), &device))
            return false;
        visit(arg, &device);
    }
    return true;
}

bool tailscale_read_device(const struct sl_http_response *response, struct tailscale_device *ret_device)
{
    SL_JSON_AUTO *json = NULL;
    return sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL) && read_one(json, ret_device);
}

/* A shell reads the key in the server's user data: nothing but what keys are made of may stand in it. */
static bool is_auth_key(struct sl_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                     byte == '-' || byte == '_';
        if (!plain)
            return false;
    }
    return text.len > 0 && text.len < sizeof(((struct tailscale_key *)0)->secret);
}

bool tailscale_read_key(const struct sl_http_response *response, struct tailscale_key *ret_key)
{
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL))
        return false;
    struct sl_str id = sl_json_str(json, "id");
    struct sl_str secret = sl_json_str(json, "key");
    if (!cloud_id_is_safe(id, TAILSCALE_ID_BYTES - 1, false) || !is_auth_key(secret))
        return false;
    *ret_key = (struct tailscale_key){0};
    memcpy(ret_key->id, id.ptr, id.len);
    memcpy(ret_key->secret, secret.ptr, secret.len);
    return true;
}

bool tailscale_read_token(const struct sl_http_response *response, struct tailscale_token *ret_token)
{
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL))
        return false;
    struct sl_str text = sl_json_str(json, "access_token");
    int64_t expires_in_s = TOKEN_LIFE_MS / 1000;
    if (sl_json_int(json, "expires_in", &expires_in_s) && (expires_in_s <= 0 || expires_in_s > 86400))
        expires_in_s = TOKEN_LIFE_MS / 1000;
    if (sl_str_empty(text) || text.len >= sizeof(ret_token->text))
        return false;
    *ret_token = (struct tailscale_token){.expires_in_ms = expires_in_s * 1000};
    memcpy(ret_token->text, text.ptr, text.len);
    return true;
}
