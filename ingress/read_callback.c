/* read_callback.c - what the provisioning workflow reports: {"job_id","status","run_id","timestamp",…}. */
#include "common/clock.h"
#include "common/sign.h"
#include "ingress/read.h"

#define STATUS_BYTES_MAX 64

/* A status that nobody knows is published all the same, and recorded as ignored. */
static bool is_status(struct sl_str status)
{
    if (status.len == 0 || status.len > STATUS_BYTES_MAX)
        return false;
    for (size_t i = 0; i < status.len; i++) {
        char byte = status.ptr[i];
        if (!((byte >= 'a' && byte <= 'z') || byte == '_' || byte == '-'))
            return false;
    }
    return true;
}

/* ISO 8601 or Unix seconds, as text or number. A clock that can't be read doesn't hold a rollback up: then it is the
 * receipt's. */
static int64_t read_time(const json_t *json, int64_t fallback_ms)
{
    char digits[24];
    int64_t at_ms = 0;
    return sl_clock_parse(sl_json_id(json, "timestamp", digits), &at_ms) ? at_ms : fallback_ms;
}

bool read_callback(const struct read_request *request, struct reading *ret_reading, struct problem *ret_problem)
{
    SL_JSON_AUTO *json = NULL;
    if (!read_object(request->body, PROBLEM_INVALID_EVENT, request->arena, &json, ret_problem))
        return false;
    struct sl_str job_id = sl_json_str(json, "job_id");
    struct sl_str status = sl_json_str(json, "status");
    char digits[24];
    struct sl_str run_id = sl_json_id(json, "run_id", digits);
    struct sl_uuid uuid;
    (void)problem_set(ret_problem, PROBLEM_INVALID_EVENT, "a callback needs \"job_id\", \"status\" and \"run_id\"");
    if (!sl_uuid_parse(job_id, &uuid))
        problem_add_field(ret_problem, "job_id", "must be a UUID");
    if (!is_status(status))
        problem_add_field(ret_problem, "status", "must be claimed, heartbeat, completed or failed");
    if (!headers_value_is_plain(run_id, READ_ID_BYTES_MAX, false))
        problem_add_field(ret_problem, "run_id", "must be a number or a text");
    if (ret_problem->field_count > 0)
        return false;
    char id[SL_SHA256_HEX_BYTES];
    sl_sign_sha256_hex(request->body, id);
    struct reading reading = {.id = sl_arena_str(request->arena, sl_str_of(id)), .data = request->body};
    reading.type = sl_arena_printf(request->arena, "callback.%" SL_STR_FMT, SL_STR_ARG(status));
    reading.subject = sl_arena_str(request->arena, job_id);
    reading.time_ms = read_time(json, request->received_at_ms);
    reading.key.user = request->callback_user;
    reading.key.object = reading.subject;
    *ret_reading = reading;
    return true;
}
