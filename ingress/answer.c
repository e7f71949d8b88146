/* answer.c - see answer.h. */
#include "ingress/answer.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/json.h"

static const char JSON[] = "application/json";
static const char PROBLEM_JSON[] = "application/problem+json";

/* What an outcome's result means where it brings no status of its own. */
static const struct {
    const char *result;
    int status;
    bool is_problem;
} RESULTS[] = {
    {"applied", 200, false}, {"ignored", 200, false}, {"parked", 202, false},
    {"held", 202, false},    {"rejected", 409, true}, {"dead", 500, true},
};

static struct sl_str taken(struct sl_buf *buf, struct sl_arena *arena)
{
    SL_ASSERT(!buf->overflow);
    struct sl_str body = sl_arena_str(arena, sl_buf_str(buf));
    sl_buf_deinit(buf);
    return body;
}

struct answer answer_problem(const struct problem *problem, struct sl_arena *arena)
{
    struct sl_buf buf;
    sl_buf_init(&buf, ANSWER_BYTES_MAX);
    problem_write(problem, &buf);
    return (struct answer){.status = problem_status(problem->code),
                           .content_type = PROBLEM_JSON,
                           .body = taken(&buf, arena),
                           .retry_after_s = problem->retry_after_s};
}

struct answer answer_received(void)
{
    return (struct answer){.status = 200, .content_type = JSON, .body = SL_STR("{\"received\":true}")};
}

struct answer answer_accepted(struct sl_str event_id, struct sl_arena *arena)
{
    struct sl_buf buf;
    sl_buf_init(&buf, ANSWER_BYTES_MAX);
    (void)sl_buf_append_cstr(&buf, "{\"id\":");
    (void)sl_json_write_str(&buf, event_id);
    (void)sl_buf_append_cstr(&buf, ",\"status\":\"accepted\"}");
    return (struct answer){.status = 202, .content_type = JSON, .body = taken(&buf, arena)};
}

bool answer_outcome(struct sl_str outcome, struct sl_arena *arena, struct answer *ret_answer)
{
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(outcome, ANSWER_BYTES_MAX / 2, &json, NULL))
        return false;
    struct sl_str result = sl_json_str(json, "result");
    for (size_t i = 0; i < SL_ARRAY_LEN(RESULTS); i++) {
        int64_t status = 0;
        if (!sl_str_is(result, RESULTS[i].result))
            continue;
        if (!sl_json_int(json, "http_status", &status) || status < 200 || status > 599)
            status = RESULTS[i].status;
        struct sl_str body = outcome;
        if (RESULTS[i].is_problem) {
            struct sl_buf buf;
            sl_buf_init(&buf, 4 * ANSWER_BYTES_MAX);
            problem_write_outcome((int)status, sl_json_str(json, "errorCode"), sl_json_str(json, "message"), outcome,
                                  &buf);
            body = taken(&buf, arena);
        }
        *ret_answer = (struct answer){
            .status = (int)status, .content_type = RESULTS[i].is_problem ? PROBLEM_JSON : JSON, .body = body};
        return true;
    }
    return false;
}

void answer_set_receipt(struct answer *answer, const char *topic, int32_t partition, int64_t offset)
{
    (void)snprintf(answer->receipt, sizeof(answer->receipt), "%s/%" PRId32 "/%" PRId64, topic, partition, offset);
}
