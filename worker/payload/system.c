/* system.c - the system's own events: job.* by the executor, timer.* by the sweep, member.* by apply itself. */
#include "common/clock.h"
#include "worker/payload/reader.h"

static const char *const USER_PATHS[] = {"user_id", NULL};

/* An array's JSON text; empty when there is none, or a larger one than anybody makes. */
static struct sl_str reader_array(const struct reader *reader, const char *path)
{
    const json_t *array = sl_json_at(reader->body, path);
    struct sl_buf text;
    if (!json_is_array(array))
        return SL_STR_NONE;
    sl_buf_init(&text, PAYLOAD_CATALOG_BYTES_MAX);
    bool fits = sl_json_write(array, &text);
    struct sl_str copy = fits ? sl_arena_str(reader->arena, sl_buf_str(&text)) : SL_STR_NONE;
    sl_buf_deinit(&text);
    return copy;
}

static bool read_job(const struct reader *reader, struct sl_err *err)
{
    struct input_job *job = &reader->input->as.job;
    int64_t fence = 0;
    *job = (struct input_job){
        .job_id = reader_uuid(reader, "job_id"),
        .error = reader_str(reader, "error"),
        .run_id = reader_id(reader, "run_id"),
        .server_id = reader_id(reader, "result.server_id"),
        .server_ip = reader_str(reader, "result.server_ip"),
        .tailscale_device_id = reader_id(reader, "result.tailscale_device_id"),
        .tailscale_ip = reader_str(reader, "result.tailscale_ip"),
        .app_name = reader_str(reader, "result.app_name"),
        .frontend_url = reader_str(reader, "result.frontend_url"),
        .backend_url = reader_str(reader, "result.backend_url"),
        .checkout_url = reader_str(reader, "result.checkout_url"),
        .session_id = reader_str(reader, "result.session_id"),
        .customer_id = reader_str(reader, "result.customer_id"),
        .effective_at_s = reader_seconds(reader, "result.effective_at"),
        .renews_at_s = reader_seconds(reader, "result.renews_at"),
        .catalog = reader_array(reader, "result.catalog"),
    };
    if (sl_uuid_is_nil(job->job_id) || !sl_json_int(reader->body, "fence", &fence))
        return sl_err_set(err, SL_ERR_PERMANENT, "the event names no job or no fence");
    job->fence = fence;
    return true;
}

static bool read_timer(const struct reader *reader, struct sl_err *err)
{
    struct input_timer *timer = &reader->input->as.timer;
    int64_t due_at_ms = 0;
    *timer = (struct input_timer){
        .timer_id = reader_uuid(reader, "timer_id"),
        .subject = reader_str(reader, "subject"),
        .job_id = reader_uuid(reader, "subject"),
    };
    if (sl_uuid_is_nil(timer->timer_id) || !sl_clock_parse(sl_json_str(reader->body, "due_at"), &due_at_ms))
        return sl_err_set(err, SL_ERR_PERMANENT, "the event names no timer or no time");
    timer->due_at_ms = due_at_ms;
    return true;
}

static bool read_member(const struct reader *reader, struct sl_err *err)
{
    struct input_workspace *workspace = &reader->input->as.workspace;
    *workspace = (struct input_workspace){.workspace_id = reader_uuid(reader, "workspace_id")};
    if (sl_uuid_is_nil(workspace->workspace_id) || sl_str_empty(reader->input->user_named))
        return sl_err_set(err, SL_ERR_PERMANENT, "the event names no workspace or no user");
    return true;
}

bool system_read(const struct reader *reader, struct sl_err *err)
{
    const struct sl_str type = reader->event->type;
    reader->input->user_named = reader_user(reader, USER_PATHS);
    if (reader->input->type == INPUT_MEMBER_REMOVED)
        return read_member(reader, err);
    return sl_str_starts_with(type, SL_STR("job.")) ? read_job(reader, err) : read_timer(reader, err);
}
