/* github.c - requests and replies of GitHub's REST API. */
#include "worker/clouds/github.h"

#include <string.h>

#include "common/clock.h"
#include "common/json.h"

#define REPLY_BYTES_MAX ((size_t)4 * 1024 * 1024)

static const struct cloud_setting required[] = {
    {.key = "token", .variable = "GITHUB_PAT"},
    {.key = "owner", .variable = "GITHUB_REPO_OWNER"},
    {.key = "repo", .variable = "GITHUB_REPO_NAME"},
    {.key = "app_url", .variable = "APP_URL"},
};

/* x-ratelimit-*: a window that starts anew at -reset; the secondary limits speak by Retry-After alone. */
static void read_limits(const struct sl_http_response *response, int64_t now_ms, struct cloud_limits *ret_limits)
{
    struct cloud_limits limits = {.retry_after_ms = cloud_retry_after_ms(response, now_ms)};
    limits.known = cloud_header_int(response, "x-ratelimit-limit", &limits.limit) &&
                   cloud_header_int(response, "x-ratelimit-remaining", &limits.remaining) && limits.limit > 0 &&
                   limits.remaining <= limits.limit;
    if (limits.known)
        limits.reset_at_ms = cloud_reset_at_ms(response, "x-ratelimit-reset", now_ms);
    *ret_limits = limits;
}

/* {"message","documentation_url","status":"422"}: the message is all there is to tell refusals apart. */
static void read_error(const struct sl_http_response *response, struct cloud_error *ret_error)
{
    *ret_error = (struct cloud_error){0};
    SL_JSON_AUTO *json = NULL;
    if (sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL))
        cloud_copy(ret_error->message, sizeof(ret_error->message), sl_json_str(json, "message"));
}

const struct cloud GITHUB = {
    .id = CLOUD_GITHUB,
    .name = "github",
    .section = "cloud github",
    .required = required,
    .required_count = SL_ARRAY_LEN(required),
    .read_limits = read_limits,
    .read_error = read_error,
};

bool github_start(struct cloud_request *request, const struct cloud_account *account, const char *method,
                  const char *part, struct sl_err *err)
{
    if (!cloud_request_start(request, account, method, err, "/repos/"))
        return false;
    cloud_request_header(request, "Accept", SL_STR("application/vnd.github+json"));
    cloud_request_header(request, "X-GitHub-Api-Version", sl_str_of(account->api_version));
    cloud_request_encoded(request, sl_str_of(account->owner));
    cloud_request_plain(request, "/");
    cloud_request_encoded(request, sl_str_of(account->repo));
    cloud_request_plain(request, part);
    return true;
}

static void write_member(struct sl_buf *body, const char *name, struct sl_str value)
{
    sl_buf_printf(body, "\"%s\":", name);
    sl_json_write_str(body, value);
}

/* The callback URL carries the user only to choose the partition: the worker takes the user from the job. */
static void write_callback_url(struct sl_buf *body, const struct cloud_account *account, struct sl_str user_id)
{
    struct cloud_request scratch;
    cloud_request_init(&scratch);
    cloud_request_plain(&scratch, account->app_url);
    cloud_request_plain(&scratch, "/api/webhooks/github?user=");
    cloud_request_encoded(&scratch, user_id);
    write_member(body, "callback_url", sl_buf_str(&scratch.url));
    body->overflow = body->overflow || scratch.url.overflow;
    cloud_request_deinit(&scratch);
}

bool github_dispatch_workflow(const struct cloud_account *account, const struct github_dispatch *dispatch,
                              struct cloud_request *request, struct sl_err *err)
{
    if (!github_start(request, account, "POST", "/actions/", err))
        return false;
    cloud_request_plain(request, "workflows/");
    cloud_request_encoded(request, sl_str_of(account->workflow));
    cloud_request_plain(request, "/dispatches");
    cloud_request_header(request, "Content-Type", SL_STR("application/json"));
    struct sl_buf *body = &request->body;
    sl_buf_append_char(body, '{');
    write_member(body, "ref", sl_str_of(account->ref));
    sl_buf_append_cstr(body, ",\"inputs\":{");
    write_member(body, "job_id", dispatch->job_id);
    sl_buf_append_char(body, ',');
    write_member(body, "agent_id", dispatch->agent_id);
    sl_buf_append_char(body, ',');
    write_member(body, "region", dispatch->region);
    sl_buf_append_char(body, ',');
    write_callback_url(body, account, dispatch->user_id);
    sl_buf_append_char(body, '}');
    /* version 2026-03-10 always gives them, and has no such parameter */
    if (!dispatch->without_details && strcmp(account->api_version, "2026-03-10") < 0)
        sl_buf_append_cstr(body, ",\"return_run_details\":true");
    sl_buf_append_char(body, '}');
    return cloud_request_finish(request, err);
}

bool github_list_runs(const struct cloud_account *account, int64_t created_from_ms, int page,
                      struct cloud_request *request, struct sl_err *err)
{
    char since[SL_CLOCK_ISO_BYTES];
    sl_clock_format_iso(created_from_ms, since);
    if (!github_start(request, account, "GET", "/actions/", err))
        return false;
    cloud_request_plain(request, "workflows/");
    cloud_request_encoded(request, sl_str_of(account->workflow));
    cloud_request_plain(request, "/runs?event=workflow_dispatch&created=%3E%3D");
    cloud_request_encoded(request, (struct sl_str){.ptr = since, .len = strlen("2026-11-21T10:00:00")});
    sl_buf_printf(&request->url, "Z&per_page=%d&page=%d", GITHUB_RUNS_PER_PAGE, page);
    return cloud_request_finish(request, err);
}

static bool start_run(struct cloud_request *request, const struct cloud_account *account, const char *method,
                      struct sl_str run_id, struct sl_err *err)
{
    if (!cloud_id_is_safe(run_id, GITHUB_ID_BYTES - 1, true)) {
        char text[40];
        cloud_copy(text, sizeof(text), run_id);
        return sl_err_set(err, SL_ERR_PERMANENT, "\"%s\" is no id of a workflow run", text);
    }
    if (!github_start(request, account, method, "/actions/", err))
        return false;
    cloud_request_plain(request, "runs/");
    cloud_request_encoded(request, run_id);
    return true;
}

bool github_get_run(const struct cloud_account *account, struct sl_str run_id, struct cloud_request *request,
                    struct sl_err *err)
{
    return start_run(request, account, "GET", run_id, err) && cloud_request_finish(request, err);
}

bool github_cancel_run(const struct cloud_account *account, struct sl_str run_id, struct cloud_request *request,
                       struct sl_err *err)
{
    if (!start_run(request, account, "POST", run_id, err))
        return false;
    cloud_request_plain(request, "/cancel");
    return cloud_request_finish(request, err);
}

void github_read_dispatched(const struct sl_http_response *response, char ret_run_id[GITHUB_ID_BYTES])
{
    ret_run_id[0] = '\0';
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL))
        return;
    char digits[24];
    struct sl_str id = sl_json_id(json, "workflow_run_id", digits);
    if (cloud_id_is_safe(id, GITHUB_ID_BYTES - 1, true))
        cloud_copy(ret_run_id, GITHUB_ID_BYTES, id);
}

static bool read_one(const json_t *json, struct github_run *ret_run)
{
    char digits[24];
    struct sl_str id = sl_json_id(json, "id", digits);
    struct sl_str status = sl_json_str(json, "status");
    if (!cloud_id_is_safe(id, GITHUB_ID_BYTES - 1, true) || sl_str_empty(status))
        return false;
    struct github_run run = {.completed = sl_str_is(status, "completed")};
    cloud_copy(run.id, sizeof(run.id), id);
    cloud_copy(run.title, sizeof(run.title), sl_json_str(json, "display_title"));
    cloud_copy(run.conclusion, sizeof(run.conclusion), sl_json_str(json, "conclusion"));
    if (!sl_clock_parse(sl_json_str(json, "created_at"), &run.created_at_ms))
        run.created_at_ms = 0;
    *ret_run = run;
    return true;
}

bool github_read_found(const struct sl_http_response *response, struct sl_str title, bool *ret_found,
                       struct github_run *ret_run, bool *ret_more)
{
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL))
        return false;
    const json_t *runs = sl_json_at(json, "workflow_runs");
    if (!json_is_array(runs))
        return false;
    bool found = false;
    struct github_run best = {0};
    for (size_t i = 0; i < json_array_size(runs); i++) {
        const json_t *item = json_array_get(runs, i);
        struct github_run run;
        if (!sl_str_equal(sl_json_str(item, "display_title"), title))
            continue;
        if (!read_one(item, &run))
            return false;
        if (!found || (best.completed && !run.completed))
            best = run;
        found = true;
    }
    if (found)
        *ret_run = best;
    *ret_found = found;
    *ret_more = json_array_size(runs) >= GITHUB_RUNS_PER_PAGE;
    return true;
}

bool github_read_run(const struct sl_http_response *response, struct github_run *ret_run)
{
    SL_JSON_AUTO *json = NULL;
    return sl_json_parse(response->body, REPLY_BYTES_MAX, &json, NULL) && read_one(json, ret_run);
}
