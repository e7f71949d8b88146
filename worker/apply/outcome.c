/* outcome.c - see outcome.h. */
#include "worker/apply/outcome.h"

#include "common/json.h"

#define OUTCOME_BYTES_MAX ((size_t)1024 * 1024)

static struct sl_str written(struct sl_arena *arena, const json_t *json)
{
    struct sl_buf text;
    sl_buf_init(&text, OUTCOME_BYTES_MAX);
    bool ok = sl_json_write(json, &text);
    struct sl_str copy = ok ? sl_arena_str(arena, sl_buf_str(&text)) : SL_STR("{}");
    sl_buf_deinit(&text);
    return copy;
}

static void put(json_t *object, const char *key, struct sl_str value)
{
    if (!sl_str_empty(value))
        (void)json_object_set_new(object, key, json_stringn(value.ptr, value.len));
}

static void put_uuid(json_t *object, const char *key, struct sl_uuid id)
{
    char text[SL_UUID_TEXT_BYTES];
    sl_uuid_format(id, text);
    if (!sl_uuid_is_nil(id))
        (void)json_object_set_new(object, key, json_string(text));
}

/* Rules write their data themselves, as text. */
static void put_data(json_t *result, struct sl_str data)
{
    json_t *parsed = NULL;
    if (sl_str_empty(data))
        return;
    bool ok = sl_json_parse(data, OUTCOME_BYTES_MAX, &parsed, NULL);
    SL_ASSERT(ok);
    (void)json_object_set_new(result, "data", parsed);
}

struct sl_str outcome_result_of_answer(struct sl_arena *arena, const struct answer *answer, struct sl_uuid job_id)
{
    SL_JSON_AUTO *result = json_object();
    json_t *jobs = json_array();
    char text[SL_UUID_TEXT_BYTES];
    sl_uuid_format(job_id, text);
    (void)json_array_append_new(jobs, json_string(text));
    (void)json_object_set_new(result, "job_ids", jobs);
    put(result, "message", answer->message);
    put_data(result, answer->data);
    return written(arena, result);
}

struct sl_str outcome_result_of_plan(struct sl_arena *arena, const struct plan *plan)
{
    SL_JSON_AUTO *result = json_object();
    json_t *jobs = json_array();
    for (size_t i = 0; i < plan->job_count; i++) {
        char text[SL_UUID_TEXT_BYTES];
        sl_uuid_format(plan->jobs[i].id, text);
        (void)json_array_append_new(jobs, json_string(text));
    }
    put_uuid(result, "agent_id", plan->agent_id);
    (void)json_object_set_new(result, "job_ids", jobs);
    put(result, "message", plan->message);
    put_data(result, plan->data);
    if (plan->answers_later)
        (void)json_object_set_new(result, "pending", json_true());
    return written(arena, result);
}

struct sl_str outcome_result_of_message(struct sl_arena *arena, const char *message)
{
    SL_JSON_AUTO *result = json_object();
    put(result, "message", sl_str_of(message));
    return written(arena, result);
}

bool outcome_is_pending(struct sl_str result_json)
{
    SL_JSON_AUTO *result = NULL;
    return !sl_str_empty(result_json) && sl_json_parse(result_json, OUTCOME_BYTES_MAX, &result, NULL) &&
           sl_json_bool(result, "pending", false);
}

enum outcome outcome_parse(struct sl_str name)
{
    for (int i = OUTCOME_NONE + 1; i < OUTCOME_COUNT; i++) {
        if (sl_str_is(name, outcome_name((enum outcome)i)))
            return (enum outcome)i;
    }
    return OUTCOME_NONE;
}

int outcome_http_status(enum outcome outcome, struct sl_str error_code)
{
    static const int STATUSES[OUTCOME_COUNT] = {
        [OUTCOME_APPLIED] = 200, [OUTCOME_IGNORED] = 200, [OUTCOME_PARKED] = 202,
        [OUTCOME_HELD] = 202,    [OUTCOME_DEAD] = 500,    [OUTCOME_REJECTED] = 409,
    };
    if (outcome == OUTCOME_REJECTED) {
        for (int i = ERROR_NONE + 1; i < ERROR_CODE_COUNT; i++) {
            if (sl_str_is(error_code, error_code_name((enum error_code)i)))
                return error_code_http_status((enum error_code)i);
        }
    }
    return STATUSES[outcome];
}

struct sl_str outcome_write(struct sl_arena *arena, const struct outcome_head *head, struct sl_str result_json)
{
    static const char *const COPIED[] = {"message", "agent_id", "job_ids", "data"};
    SL_JSON_AUTO *result = NULL;
    SL_JSON_AUTO *outcome = json_object();
    if (sl_str_empty(result_json) || !sl_json_parse(result_json, OUTCOME_BYTES_MAX, &result, NULL))
        result = json_object();
    put(outcome, "id", head->id);
    put(outcome, "type", head->type);
    put(outcome, "user_id", head->user_id);
    put(outcome, "result", sl_str_of(outcome_name(head->outcome)));
    put(outcome, "errorCode", head->error_code);
    (void)json_object_set_new(outcome, "http_status",
                              json_integer(outcome_http_status(head->outcome, head->error_code)));
    for (size_t i = 0; i < SL_ARRAY_LEN(COPIED); i++) {
        json_t *value = json_object_get(result, COPIED[i]);
        if (value)
            (void)json_object_set(outcome, COPIED[i], value);
    }
    if (!json_object_get(outcome, "job_ids"))
        (void)json_object_set_new(outcome, "job_ids", json_array());
    if (!json_object_get(outcome, "data"))
        (void)json_object_set_new(outcome, "data", json_object());
    return written(arena, outcome);
}
