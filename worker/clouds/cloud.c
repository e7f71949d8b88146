/* cloud.c - requests in the making, and the headers that say how many more there may be. */
#include "worker/clouds/cloud.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/json.h"
#include "worker/clouds/github.h"
#include "worker/clouds/graph.h"
#include "worker/clouds/hetzner.h"
#include "worker/clouds/provisioner.h"
#include "worker/clouds/resend.h"
#include "worker/clouds/stripe.h"
#include "worker/clouds/tailscale.h"

#define LONGEST_WAIT_MS         (INT64_C(24) * 3600 * 1000)
#define AUTHORIZATION_BYTES_MAX 16384 /* a user's token of Microsoft's has been seen to pass 4 KiB */

const struct cloud *cloud_of(enum cloud_id id)
{
    static const struct cloud *const clouds[CLOUD_COUNT] = {
        [CLOUD_HETZNER] = &HETZNER, [CLOUD_TAILSCALE] = &TAILSCALE,
        [CLOUD_GITHUB] = &GITHUB,   [CLOUD_PROVISIONER] = &PROVISIONER,
        [CLOUD_RESEND] = &RESEND,   [CLOUD_STRIPE] = &STRIPE,
        [CLOUD_GRAPH] = &GRAPH,
    };
    SL_ASSERT(id > CLOUD_NONE && id < CLOUD_COUNT);
    return clouds[id];
}

const char *cloud_missing_variable(const struct cloud *cloud, const struct sl_config *config)
{
    for (size_t i = 0; i < cloud->required_count; i++) {
        const struct cloud_setting *setting = &cloud->required[i];
        if (sl_config_is_set(config, cloud->section, setting->key))
            continue;
        if (!setting->instead || !sl_config_is_set(config, cloud->section, setting->instead))
            return setting->variable;
    }
    return NULL;
}

void cloud_request_init(struct cloud_request *request)
{
    *request = (struct cloud_request){0};
    sl_buf_init(&request->url, CLOUD_URL_BYTES_MAX);
    sl_buf_init(&request->authorization, AUTHORIZATION_BYTES_MAX);
    sl_buf_init(&request->body, CLOUD_BODY_BYTES_MAX);
}

static void wipe(struct sl_buf *buf)
{
    if (buf->data)
        sl_secret_wipe(buf->data, buf->cap);
    sl_buf_deinit(buf);
}

void cloud_request_deinit(struct cloud_request *request)
{
    sl_buf_deinit(&request->url);
    wipe(&request->authorization);
    wipe(&request->body);
    request->http = (struct sl_http_request){0};
}

static void wipe_and_reset(struct sl_buf *buf)
{
    if (buf->len > 0)
        sl_secret_wipe(buf->data, buf->len);
    sl_buf_reset(buf);
}

void cloud_request_forget(struct cloud_request *request)
{
    wipe_and_reset(&request->authorization);
    wipe_and_reset(&request->body);
    request->http = (struct sl_http_request){0};
}

bool cloud_request_start(struct cloud_request *request, const struct cloud_account *account, const char *method,
                         struct sl_err *err, const char *path_format, ...)
{
    char path[CLOUD_URL_BYTES_MAX];
    va_list arguments;
    va_start(arguments, path_format);
    int length = vsnprintf(path, sizeof(path), path_format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof(path))
        return sl_err_set(err, SL_ERR_PERMANENT, "the URL of a call is too long");

    cloud_request_forget(request);
    request->http = (struct sl_http_request){
        .method = method, .connect_timeout_ms = account->connect_timeout_ms, .timeout_ms = account->timeout_ms};
    sl_buf_reset(&request->url);
    sl_buf_append_cstr(&request->url, account->base_url);
    request->path_at = request->url.len;
    sl_buf_append_cstr(&request->url, path);
    if (!sl_str_empty(account->token)) {
        sl_buf_append_cstr(&request->authorization, "Bearer ");
        sl_buf_append_str(&request->authorization, account->token);
        cloud_request_header(request, "Authorization", sl_buf_str(&request->authorization));
    }
    return true;
}

static void append_encoded(struct sl_buf *out, struct sl_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                     byte == '-' || byte == '.' || byte == '_' || byte == '~';
        if (plain)
            sl_buf_append_char(out, (char)byte);
        else
            sl_buf_printf(out, "%%%02X", byte);
    }
}

void cloud_request_encoded(struct cloud_request *request, struct sl_str text)
{
    append_encoded(&request->url, text);
}

void cloud_request_plain(struct cloud_request *request, const char *text)
{
    sl_buf_append_cstr(&request->url, text);
}

void cloud_request_header(struct cloud_request *request, const char *name, struct sl_str value)
{
    SL_ASSERT(request->http.header_count < SL_HTTP_HEADERS_MAX);
    request->http.headers[request->http.header_count++] = (struct sl_http_header){.name = name, .value = value};
}

void cloud_request_idempotency_key(struct cloud_request *request, struct sl_str key)
{
    SL_ASSERT(key.len > 0 && key.len < sizeof(request->idempotency_key));
    memcpy(request->idempotency_key, key.ptr, key.len);
    request->idempotency_key[key.len] = '\0';
    cloud_request_header(request, "Idempotency-Key", sl_str_of(request->idempotency_key));
}

void cloud_body_form(struct cloud_request *request, const char *name, struct sl_str value)
{
    if (request->body.len > 0)
        sl_buf_append_char(&request->body, '&');
    sl_buf_append_cstr(&request->body, name);
    sl_buf_append_char(&request->body, '=');
    append_encoded(&request->body, value);
}

void cloud_body_name(struct cloud_request *request, const char *name)
{
    struct sl_buf *body = &request->body;
    char last = body->len > 0 ? body->data[body->len - 1] : '{';
    sl_buf_printf(body, "%s\"%s\":", last == '{' ? "" : ",", name);
}

void cloud_body_text(struct cloud_request *request, const char *name, struct sl_str value)
{
    cloud_body_name(request, name);
    sl_json_write_str(&request->body, value);
}

bool cloud_request_finish(struct cloud_request *request, struct sl_err *err)
{
    if (request->url.overflow || request->body.overflow || request->authorization.overflow)
        return sl_err_set(err, SL_ERR_PERMANENT, "a call's URL, body or credentials are too long");
    request->http.url = request->url.data;
    request->http.body = sl_buf_str(&request->body);
    return true;
}

bool cloud_id_is_safe(struct sl_str id, size_t len_max, bool digits_only)
{
    if (id.len == 0 || id.len > len_max)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char byte = id.ptr[i];
        bool digit = byte >= '0' && byte <= '9';
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        if (!digit && (digits_only || !letter))
            return false;
    }
    return true;
}

bool cloud_header_int(const struct sl_http_response *response, const char *name, int64_t *ret_value)
{
    int64_t value = 0;
    if (!sl_str_to_int64(sl_str_trim(sl_http_header_of(response, name)), &value) || value < 0)
        return false;
    *ret_value = value;
    return true;
}

int64_t cloud_reset_at_ms(const struct sl_http_response *response, const char *name, int64_t now_ms)
{
    int64_t reset_s = 0;
    if (!cloud_header_int(response, name, &reset_s) || reset_s > (now_ms + LONGEST_WAIT_MS) / 1000)
        return 0;
    return reset_s * 1000;
}

int64_t cloud_retry_after_ms(const struct sl_http_response *response, int64_t now_ms)
{
    const int64_t longest_ms = LONGEST_WAIT_MS;
    int64_t seconds = 0;
    if (cloud_header_int(response, "retry-after", &seconds))
        return seconds > longest_ms / 1000 ? longest_ms : seconds * 1000;

    char text[40];
    cloud_copy(text, sizeof(text), sl_str_trim(sl_http_header_of(response, "retry-after")));
    struct tm broken_down = {0};
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &broken_down);
    if (text[0] == '\0' || !end || *end != '\0')
        return -1;
    int64_t wait_ms = (int64_t)timegm(&broken_down) * 1000 - now_ms;
    if (wait_ms < 0)
        return 0;
    return wait_ms > longest_ms ? longest_ms : wait_ms;
}

void cloud_copy(char *ret_text, size_t bytes, struct sl_str text)
{
    size_t length = text.len < bytes ? text.len : bytes - 1;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        ret_text[i] = byte < 0x20 || byte == 0x7f ? ' ' : (char)byte;
    }
    /* not in the middle of a UTF-8 sequence */
    while (length < text.len && length > 0 && ((unsigned char)text.ptr[length] & 0xc0) == 0x80)
        length--;
    ret_text[length] = '\0';
}
