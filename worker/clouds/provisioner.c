/* provisioner.c - requests and replies of the app provisioner. */
#include "worker/clouds/provisioner.h"

#include <string.h>

#include "common/json.h"

#define REPLY_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define NUMBER_LEN_MAX  20

static const struct cloud_setting required[] = {
    {.key = "base_url", .variable = "DOKKU_PROVISIONER_URL"},
    {.key = "api_key", .variable = "PROVISIONER_API_KEY"},
};

static void read_limits(const struct sl_http_response *response, int64_t now_ms, struct cloud_limits *ret_limits)
{
    *ret_limits = (struct cloud_limits){.retry_after_ms = cloud_retry_after_ms(response, now_ms)};
}

static void read_error(const struct sl_http_response *response, struct cloud_error *ret_error)
{
    *ret_error = (struct cloud_error){0};
    SL_JSON_AUTO *json = NULL;
    if (sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL))
        cloud_copy(ret_error->message, sizeof(ret_error->message), sl_json_str(json, "error"));
}

const struct cloud PROVISIONER = {
    .id = CLOUD_PROVISIONER,
    .name = "provisioner",
    .section = "cloud provisioner",
    .required = required,
    .required_count = SL_ARRAY_LEN(required),
    .read_limits = read_limits,
    .read_error = read_error,
};

static bool start(struct cloud_request *request, const struct cloud_account *account, const char *method,
                  const char *path, struct sl_err *err)
{
    struct cloud_account bare = *account;
    bare.token = SL_STR_NONE;
    if (!cloud_request_start(request, &bare, method, err, "%s", path))
        return false;
    cloud_request_header(request, "X-API-Key", account->token);
    return true;
}

/* As JSON spells it (RFC 8259, section 6), without an exponent. */
static bool is_number(struct sl_str text)
{
    size_t at = text.len > 0 && text.ptr[0] == '-' ? 1 : 0;
    size_t digits = 0;
    size_t points = 0;
    if (text.len > NUMBER_LEN_MAX || at >= text.len)
        return false;
    if (text.ptr[at] == '0' && at + 1 < text.len && text.ptr[at + 1] != '.')
        return false;
    for (; at < text.len; at++) {
        char byte = text.ptr[at];
        bool point = byte == '.' && digits > 0 && points == 0 && at + 1 < text.len;
        if (!point && (byte < '0' || byte > '9'))
            return false;
        points += point ? 1 : 0;
        digits += point ? 0 : 1;
    }
    return true;
}

static bool write_limits(struct cloud_request *request, const struct provisioner_limits *limits, struct sl_err *err)
{
    const struct {
        const char *name;
        struct sl_str text;
    } members[] = {
        {"agents", limits->agents},
        {"messagesPerDay", limits->messages_per_day},
        {"memoryMb", limits->memory_mb},
        {"cpu", limits->cpu},
    };
    cloud_body_name(request, "limits");
    sl_buf_append_char(&request->body, '{');
    for (size_t i = 0; i < SL_ARRAY_LEN(members); i++) {
        if (sl_str_empty(members[i].text))
            continue;
        if (!is_number(members[i].text))
            return sl_err_set(err, SL_ERR_PERMANENT, "the limit %s is no decimal number: \"%.*s\"", members[i].name,
                              NUMBER_LEN_MAX < members[i].text.len ? NUMBER_LEN_MAX : (int)members[i].text.len,
                              members[i].text.ptr);
        cloud_body_name(request, members[i].name);
        sl_buf_append_str(&request->body, members[i].text);
    }
    sl_buf_append_char(&request->body, '}');
    return true;
}

static void begin_body(struct cloud_request *request)
{
    cloud_request_header(request, "Content-Type", SL_STR("application/json"));
    sl_buf_append_char(&request->body, '{');
}

static bool finish_body(struct cloud_request *request, struct sl_err *err)
{
    sl_buf_append_char(&request->body, '}');
    return cloud_request_finish(request, err);
}

bool provisioner_provision(const struct cloud_account *account, const struct provisioner_order *order,
                           struct cloud_request *request, struct sl_err *err)
{
    if (!start(request, account, "POST", "/provision", err))
        return false;
    begin_body(request);
    cloud_body_text(request, "subscriptionId", order->subscription_id);
    cloud_body_text(request, "accountId", order->account_id);
    cloud_body_text(request, "tier", order->tier);
    return write_limits(request, &order->limits, err) && finish_body(request, err);
}

bool provisioner_update(const struct cloud_account *account, struct sl_str app_name, struct sl_str tier,
                        const struct provisioner_limits *limits, struct cloud_request *request, struct sl_err *err)
{
    if (!start(request, account, "PUT", "/update", err))
        return false;
    begin_body(request);
    cloud_body_text(request, "appName", app_name);
    if (!sl_str_empty(tier))
        cloud_body_text(request, "tier", tier);
    return write_limits(request, limits, err) && finish_body(request, err);
}

bool provisioner_deprovision(const struct cloud_account *account, struct sl_str app_name, struct cloud_request *request,
                             struct sl_err *err)
{
    if (!start(request, account, "DELETE", "/deprovision", err))
        return false;
    begin_body(request);
    cloud_body_text(request, "appName", app_name);
    return finish_body(request, err);
}

bool provisioner_list(const struct cloud_account *account, struct cloud_request *request, struct sl_err *err)
{
    return start(request, account, "GET", "/apps", err) && cloud_request_finish(request, err);
}

/* A text that fits, or false: half a name is the name of something else. */
static bool read_whole(const json_t *json, const char *name, char *ret_text, size_t bytes)
{
    struct sl_str text = sl_json_str(json, name);
    if (text.len >= bytes)
        return false;
    cloud_copy(ret_text, bytes, text);
    return true;
}

bool provisioner_read_app(const struct sl_http_response *response, struct provisioner_app *ret_app)
{
    SL_JSON_AUTO *json = NULL;
    struct provisioner_app app = {0};
    if (!sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL) ||
        !read_whole(json, "appName", app.name, sizeof(app.name)) || app.name[0] == '\0' ||
        !read_whole(json, "frontendUrl", app.frontend_url, sizeof(app.frontend_url)) ||
        !read_whole(json, "backendUrl", app.backend_url, sizeof(app.backend_url)))
        return false;
    *ret_app = app;
    return true;
}

bool provisioner_read_found(const struct sl_http_response *response, struct sl_str subscription_id, bool *ret_found,
                            char ret_name[PROVISIONER_NAME_BYTES])
{
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL))
        return false;
    const json_t *apps = sl_json_at(json, "apps");
    if (!json_is_array(apps))
        return false;
    for (size_t i = 0; i < json_array_size(apps); i++) {
        const json_t *app = json_array_get(apps, i);
        if (!sl_str_equal(sl_json_str(app, "subscriptionId"), subscription_id))
            continue;
        char name[PROVISIONER_NAME_BYTES];
        if (!read_whole(app, "appName", name, sizeof(name)) || name[0] == '\0')
            return false;
        memcpy(ret_name, name, sizeof(name));
        *ret_found = true;
        return true;
    }
    *ret_found = false;
    return true;
}

bool provisioner_read_apps(const struct sl_http_response *response,
                           void (*visit)(void *arg, const struct provisioner_listed *listed), void *arg)
{
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL))
        return false;
    const json_t *apps = sl_json_at(json, "apps");
    if (!json_is_array(apps))
        return false;
    for (size_t i = 0; i < json_array_size(apps); i++) {
        const json_t *app = json_array_get(apps, i);
        struct provisioner_listed listed;
        if (!read_whole(app, "appName", listed.name, sizeof(listed.name)) || listed.name[0] == '\0' ||
            !read_whole(app, "subscriptionId", listed.subscription_id, sizeof(listed.subscription_id)) ||
            !read_whole(app, "accountId", listed.account_id, sizeof(listed.account_id)))
            return false;
        visit(arg, &listed);
    }
    return true;
}
