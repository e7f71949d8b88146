/* system.c - the system's own events: job.* by the executor, timer.* by the sweep. */
#include "common/clock.h"
#include "worker/payload/reader.h"

static const char *const USER_PATHS[] = {"user_id", NULL};

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

bool system_read(const struct reader *reader, struct sl_err *err)
{
    reader->input->user_named = reader_user(reader, USER_PATHS);
    bool is_job = sl_str_starts_with(reader->event->type, SL_STR("job."));
    return is_job ? read_job(reader, err) : read_timer(reader, err);
}
