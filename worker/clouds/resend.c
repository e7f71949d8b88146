/* resend.c - the request of the Resend API, its limits and its errors. */
#include "worker/clouds/resend.h"

#include <string.h>

#include "common/json.h"

#define REPLY_BYTES_MAX ((size_t)1024 * 1024)

static const struct cloud_setting required[] = {
    {.key = "api_key", .variable = "RESEND_API_KEY"},
    {.key = "from", .variable = "EMAIL_FROM"},
};

/* ratelimit-reset is seconds from now; a new window brings the whole limit. */
static void read_limits(const struct sl_http_response *response, int64_t now_ms, struct cloud_limits *ret_limits)
{
    struct cloud_limits limits = {.retry_after_ms = cloud_retry_after_ms(response, now_ms)};
    int64_t reset_s = 0;
    limits.known = cloud_header_int(response, "ratelimit-limit", &limits.limit) &&
                   cloud_header_int(response, "ratelimit-remaining", &limits.remaining) && limits.limit > 0 &&
                   limits.remaining <= limits.limit;
    if (limits.known && cloud_header_int(response, "ratelimit-reset", &reset_s) && reset_s <= 86400)
        limits.reset_at_ms = now_ms + (reset_s > 0 ? reset_s : 1) * 1000;
    *ret_limits = limits;
}

/* {"statusCode","name","message"} */
static void read_error(const struct sl_http_response *response, struct cloud_error *ret_error)
{
    *ret_error = (struct cloud_error){0};
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL))
        return;
    cloud_copy(ret_error->code, sizeof(ret_error->code), sl_json_str(json, "name"));
    cloud_copy(ret_error->message, sizeof(ret_error->message), sl_json_str(json, "message"));
}

const struct cloud RESEND = {
    .id = CLOUD_RESEND,
    .name = "resend",
    .section = "cloud resend",
    .required = required,
    .required_count = SL_ARRAY_LEN(required),
    .read_limits = read_limits,
    .read_error = read_error,
};

bool resend_send(const struct cloud_account *account, const struct resend_email *email, struct cloud_request *request,
                 struct sl_err *err)
{
    if (!cloud_request_start(request, account, "POST", err, "/emails"))
        return false;
    cloud_request_header(request, "Content-Type", SL_STR("application/json"));
    cloud_request_header(request, "Idempotency-Key", email->idempotency_key);
    struct sl_buf *body = &request->body;
    sl_buf_append_char(body, '{');
    cloud_body_text(request, "from", sl_str_of(account->from));
    cloud_body_name(request, "to");
    sl_buf_append_char(body, '[');
    sl_json_write_str(body, email->to);
    sl_buf_append_char(body, ']');
    cloud_body_text(request, "subject", email->subject);
    cloud_body_text(request, "text", email->text);
    cloud_body_text(request, "html", email->html);
    cloud_body_name(request, "tags");
    sl_buf_append_cstr(body, "[{");
    cloud_body_text(request, "name", SL_STR("template"));
    cloud_body_text(request, "value", email->template);
    sl_buf_append_cstr(body, "}]}");
    return cloud_request_finish(request, err);
}
