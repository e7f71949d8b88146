/* report.c - the body and the envelope of a job.* event. */
#include "worker/execute/report.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/json.h"

static const char *type_of(enum flight_end end)
{
    static const char *const types[FLIGHT_END_COUNT] = {[FLIGHT_END_SUCCEEDED] = "job.succeeded",
                                                        [FLIGHT_END_FAILED] = "job.failed",
                                                        [FLIGHT_END_CANCELLED] = "job.cancelled",
                                                        [FLIGHT_END_WAITING] = "job.dispatched"};
    SL_ASSERT(end < FLIGHT_END_COUNT && types[end]);
    return types[end];
}

static void write_member(struct sl_buf *out, const char *name, const char *value)
{
    sl_buf_printf(out, ",\"%s\":", name);
    if (value[0] != '\0')
        sl_json_write_str(out, sl_str_of(value));
    else
        sl_buf_append_cstr(out, "null");
}

static struct sl_str write_body(const struct flight *flight, enum flight_end end, struct sl_arena *arena)
{
    const struct recipe_job *job = &flight->job;
    struct sl_buf body;
    sl_buf_init(&body, REPORT_BYTES_MAX);
    sl_buf_printf(&body, "{\"job_id\":\"%s\",\"kind\":\"%s\"", job->id_text, job_kind_name(flight->recipe->kind));
    write_member(&body, "agent_id", job->agent_text);
    write_member(&body, "user_id", job->user_id);
    sl_buf_printf(&body, ",\"fence\":%" PRId64 ",\"generation\":%d,\"attempts\":%d", flight->fence, flight->generation,
                  flight->attempt);
    write_member(&body, "error", end == FLIGHT_END_FAILED || end == FLIGHT_END_CANCELLED ? flight->error : "");
    write_member(&body, "run_id", end == FLIGHT_END_WAITING ? job->found.run_id : "");
    sl_buf_append_cstr(&body, ",\"result\":");
    bool fits = findings_write_outcome(&job->found, &body);
    sl_buf_append_char(&body, '}');
    SL_ASSERT(fits && !body.overflow); /* every member is bounded */
    struct sl_str copy = sl_arena_str(arena, sl_buf_str(&body));
    sl_buf_deinit(&body);
    return copy;
}

void report_event(const struct flight *flight, enum flight_end end, int64_t now_ms, struct sl_arena *arena,
                  struct sl_event *ret_event)
{
    const char *type = type_of(end);
    char fence[24];
    (void)snprintf(fence, sizeof(fence), "%" PRId64, flight->fence);
    const struct sl_str parts[] = {sl_str_of(flight->job.id_text), sl_str_of(fence), sl_str_of(type)};
    char id[SL_UUID_TEXT_BYTES];
    sl_uuid_format(sl_uuid_v5(SL_UUID_SPACE, parts, SL_ARRAY_LEN(parts)), id);
    *ret_event = (struct sl_event){.id = sl_arena_str(arena, sl_str_of(id)),
                                   .source = SL_STR("/sluice/execute"),
                                   .type = sl_str_of(type),
                                   .subject = sl_str_of(flight->job.id_text),
                                   .partition_key = sl_str_of(flight->job.user_id),
                                   .content_type = SL_STR("application/json"),
                                   .data = write_body(flight, end, arena),
                                   .time_ms = now_ms,
                                   .received_at_ms = now_ms};
}
