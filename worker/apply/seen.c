/* seen.c - see seen.h. */
#include "worker/apply/seen.h"

#include "common/json.h"
#include "worker/apply/resolve.h"

#define SEEN_BYTES_MAX ((size_t)8 * 1024 * 1024)

/* What the executor's step is called when its report alone says that there was one. */
#define STEP_REPORTED SL_STR("reported")

enum { SEEN_STATUS = 0, SEEN_STEP, SEEN_SETTLED, SEEN_FENCE };

/* Types that come in numbers and whose rules look at no job. */
static bool looks_at_jobs(enum input_type type)
{
    return type != INPUT_USAGE_RECORD && type != INPUT_RUN_START && type != INPUT_RUN_FINISH && type != INPUT_UNKNOWN &&
           type != INPUT_EARLY_ACCESS_JOIN;
}

/* In which state a job is that the event is the report of; NONE: the event is no report. */
static enum job_status status_reported(enum input_type type)
{
    switch (type) {
    case INPUT_JOB_DISPATCHED:
        return JOB_WAITING;
    case INPUT_JOB_SUCCEEDED:
    case INPUT_JOB_FAILED:
    case INPUT_JOB_CANCELLED:
        return JOB_RUNNING;
    default:
        return JOB_STATUS_NONE;
    }
}

static bool is_as_reported(const struct job *job, const struct input *input)
{
    enum job_status status = status_reported(input->type);
    return status != JOB_STATUS_NONE && sl_uuid_equal(job->id, input->as.job.job_id) && job->status == status &&
           job->settled == (status == JOB_RUNNING) && job->fence == input->as.job.fence && !sl_str_empty(job->step);
}

static bool is_claimed(const struct job *job)
{
    return job->status == JOB_RUNNING || job->settled || !sl_str_empty(job->step);
}

struct sl_str seen_write(struct sl_arena *arena, const struct facts *facts, const struct input *input)
{
    struct sl_buf text;
    char id[SL_UUID_TEXT_BYTES];
    bool is_first = true;
    if (!looks_at_jobs(input->type))
        return SL_STR_NONE;
    sl_buf_init(&text, SEEN_BYTES_MAX);
    for (size_t i = 0; i < facts->job_count; i++) {
        const struct job *job = &facts->jobs[i];
        if (!job_status_is_open(job->status) || !is_claimed(job) || is_as_reported(job, input))
            continue;
        sl_uuid_format(job->id, id);
        sl_buf_printf(&text, "%s\"%s\":[\"%s\",", is_first ? "{" : ",", id, job_status_name(job->status));
        sl_json_write_str(&text, job->step);
        sl_buf_printf(&text, ",%s,%lld]", job->settled ? "true" : "false", (long long)job->fence);
        is_first = false;
    }
    if (!is_first)
        sl_buf_append_char(&text, '}');
    SL_ASSERT(!text.overflow); /* a user's open jobs are fewer */
    struct sl_str copy = is_first ? SL_STR_NONE : sl_arena_str(arena, sl_buf_str(&text));
    sl_buf_deinit(&text);
    return copy;
}

static struct job *job_of(struct facts *facts, struct sl_uuid id)
{
    for (size_t i = 0; i < facts->job_count; i++) {
        if (sl_uuid_equal(facts->jobs[i].id, id))
            return &facts->jobs[i];
    }
    return NULL;
}

static bool put_back(struct job *job, const json_t *seen, struct sl_arena *arena)
{
    const json_t *fence = json_array_get(seen, SEEN_FENCE);
    enum job_status status = job_status_parse(sl_json_str(seen, "0"));
    if (status == JOB_STATUS_NONE || !json_is_integer(fence))
        return false;
    job->status = status;
    job->step = sl_arena_str(arena, sl_json_str(seen, "1"));
    job->settled = json_is_true(json_array_get(seen, SEEN_SETTLED));
    job->fence = json_integer_value(fence);
    return true;
}

static void put_reported(struct facts *facts, const struct input *input, const json_t *seen)
{
    enum job_status status = status_reported(input->type);
    char id[SL_UUID_TEXT_BYTES];
    if (status == JOB_STATUS_NONE)
        return;
    sl_uuid_format(input->as.job.job_id, id);
    struct job *job = job_of(facts, input->as.job.job_id);
    /* A report of a job that a decision has overtaken finds it as that decision left it. */
    if (!job || !job_status_is_open(job->status) || json_object_get(seen, id) || job->fence > input->as.job.fence)
        return;
    job->status = status;
    job->settled = status == JOB_RUNNING;
    job->fence = input->as.job.fence;
    job->step = sl_str_empty(job->step) ? STEP_REPORTED : job->step;
}

bool seen_apply(struct facts *facts, const struct input *input, struct sl_str seen_json, struct sl_arena *arena,
                struct sl_err *err)
{
    SL_JSON_AUTO *seen = NULL;
    const char *key;
    json_t *value;
    if (!sl_str_empty(seen_json) && !sl_json_parse(seen_json, SEEN_BYTES_MAX, &seen, err))
        return false;
    json_object_foreach(seen, key, value)
    {
        struct sl_uuid id;
        struct job *job = sl_uuid_parse(sl_str_of(key), &id) ? job_of(facts, id) : NULL;
        if (job && !put_back(job, value, arena))
            return sl_err_set(err, SL_ERR_PERMANENT, "what was seen of job %s can't be read", key);
    }
    put_reported(facts, input, seen);
    return true;
}
