/* github_hooks.c - the webhook of the repository and its deliveries, as GitHub's REST API tells of them.
 *
 * Source: docs.github.com, "Repository webhooks": pages go by the cursor in the Link header, and a redelivery keeps the
 * GUID.
 */
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "worker/clouds/github.h"

static bool add_id(struct cloud_request *request, struct sl_str id, const char *what, struct sl_err *err)
{
    if (!cloud_id_is_safe(id, GITHUB_ID_BYTES - 1, true)) {
        char text[40];
        cloud_copy(text, sizeof(text), id);
        return sl_err_set(err, SL_ERR_PERMANENT, "\"%s\" is no id of a %s", text, what);
    }
    cloud_request_plain(request, "/");
    cloud_request_encoded(request, id);
    return true;
}

bool github_list_hooks(const struct cloud_account *account, struct cloud_request *request, struct sl_err *err)
{
    if (!github_start(request, account, "GET", "/hooks", err))
        return false;
    cloud_request_plain(request, "?per_page=100");
    return cloud_request_finish(request, err);
}

bool github_list_deliveries(const struct cloud_account *account, struct sl_str hook_id, const char *status,
                            const char *cursor, struct cloud_request *request, struct sl_err *err)
{
    if (!github_start(request, account, "GET", "/hooks", err) || !add_id(request, hook_id, "webhook", err))
        return false;
    cloud_request_plain(request, "/deliveries?per_page=100");
    if (status) {
        cloud_request_plain(request, "&status=");
        cloud_request_plain(request, status);
    }
    if (cursor[0] != '\0') {
        cloud_request_plain(request, "&cursor=");
        cloud_request_plain(request, cursor);
    }
    return cloud_request_finish(request, err);
}

bool github_redeliver(const struct cloud_account *account, struct sl_str hook_id, struct sl_str delivery_id,
                      struct cloud_request *request, struct sl_err *err)
{
    if (!github_start(request, account, "POST", "/hooks", err) || !add_id(request, hook_id, "webhook", err))
        return false;
    cloud_request_plain(request, "/deliveries");
    if (!add_id(request, delivery_id, "delivery", err))
        return false;
    cloud_request_plain(request, "/attempts");
    return cloud_request_finish(request, err);
}

bool github_read_hooks(const struct sl_http_response *response,
                       void (*visit)(void *arg, const struct github_hook *hook), void *arg)
{
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(response->body, SL_HTTP_RESPONSE_BYTES_MAX, &json, NULL) || !json_is_array(json))
        return false;
    for (size_t i = 0; i < json_array_size(json); i++) {
        const json_t *item = json_array_get(json, i);
        struct github_hook hook = {.active = sl_json_bool(item, "active", false)};
        char digits[24];
        struct sl_str id = sl_json_id(item, "id", digits);
        if (!cloud_id_is_safe(id, GITHUB_ID_BYTES - 1, true))
            return false;
        cloud_copy(hook.id, sizeof(hook.id), id);
        cloud_copy(hook.url, sizeof(hook.url), sl_json_str(item, "config.url"));
        visit(arg, &hook);
    }
    return true;
}

/* Percent-encoded already, as it stood in the Link header. */
static bool cursor_is_plain(struct sl_str cursor)
{
    for (size_t i = 0; i < cursor.len; i++)
        if (!cloud_id_is_safe((struct sl_str){.ptr = cursor.ptr + i, .len = 1}, 1, false) &&
            !strchr("%-._~=", cursor.ptr[i]))
            return false;
    return cursor.len > 0 && cursor.len < GITHUB_CURSOR_BYTES;
}

/* Link: <https://…?per_page=100&cursor=v1_123>; rel="next", <…>; rel="last" (RFC 8288). False for a next page that
 * can't be asked for: that mustn't pass for the end. */
static bool next_cursor(struct sl_str link, char ret_cursor[GITHUB_CURSOR_BYTES])
{
    ret_cursor[0] = '\0';
    while (link.len > 0) {
        struct sl_str rest = sl_str_cut(&link, ',');
        struct sl_str target = sl_str_cut(&rest, '>');
        char relation[64];
        cloud_copy(relation, sizeof(relation), rest);
        if (!strstr(relation, "rel=\"next\""))
            continue;
        (void)sl_str_cut(&target, '?');
        while (target.len > 0) {
            struct sl_str value = sl_str_cut(&target, '&');
            struct sl_str name = sl_str_cut(&value, '=');
            if (!sl_str_is(name, "cursor"))
                continue;
            cloud_copy(ret_cursor, GITHUB_CURSOR_BYTES, value);
            return cursor_is_plain(value);
        }
        return false;
    }
    return true;
}

bool github_read_deliveries(const struct sl_http_response *response,
                            void (*visit)(void *arg, const struct github_delivery *delivery), void *arg,
                            char ret_cursor[GITHUB_CURSOR_BYTES])
{
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(response->body, SL_HTTP_RESPONSE_BYTES_MAX, &json, NULL) || !json_is_array(json))
        return false;
    for (size_t i = 0; i < json_array_size(json); i++) {
        const json_t *item = json_array_get(json, i);
        struct github_delivery delivery = {.redelivery = sl_json_bool(item, "redelivery", false)};
        char digits[24];
        int64_t status_code = 0;
        struct sl_str id = sl_json_id(item, "id", digits);
        struct sl_str guid = sl_json_str(item, "guid");
        if (!cloud_id_is_safe(id, GITHUB_ID_BYTES - 1, true) || sl_str_empty(guid) ||
            guid.len >= sizeof(delivery.guid) ||
            !sl_clock_parse(sl_json_str(item, "delivered_at"), &delivery.delivered_at_ms))
            return false;
        cloud_copy(delivery.id, sizeof(delivery.id), id);
        cloud_copy(delivery.guid, sizeof(delivery.guid), guid);
        cloud_copy(delivery.event, sizeof(delivery.event), sl_json_str(item, "event"));
        cloud_copy(delivery.status, sizeof(delivery.status), sl_json_str(item, "status"));
        if (sl_json_int(item, "status_code", &status_code) && status_code > 0 && status_code < 1000)
            delivery.status_code = (int)status_code;
        visit(arg, &delivery);
    }
    return next_cursor(sl_http_header_of(response, "link"), ret_cursor);
}
