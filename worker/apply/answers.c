/* answers.c - see answers.h. */
#include "worker/apply/answers.h"

#include "common/json.h"
#include "worker/apply/columns.h"
#include "worker/apply/outcome.h"
#include "worker/apply/resolve.h"

#define NOTE_BYTES_MAX ((size_t)1024 * 1024)

static const char ANSWERS[] =
    "WITH n AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::text[],"
    " $7::text[], $8::jsonb[], $9::bigint[]) AS n (command_source, command_id, outcome, error_code, result, "
    "event_source,"
    " event_id, note, place)),"
    " answered AS (UPDATE sluice.events e SET outcome = n.outcome, error_code = n.error_code, result = n.result FROM n"
    " WHERE e.id = n.command_id AND e.source = n.command_source AND e.result @> '{\"pending\": true}'"
    " RETURNING n.place),"
    " noted AS (UPDATE sluice.events e SET result = e.result || jsonb_build_object('answer', n.note)"
    " FROM n JOIN answered USING (place) WHERE e.id = n.event_id AND e.source = n.event_source)"
    " SELECT place FROM answered";

static struct sl_str error_text(enum error_code error)
{
    return error ? sl_str_of(error_code_name(error)) : SL_STR_NONE;
}

static struct sl_str result_of(const struct attempt *attempt, const struct decision *decision)
{
    return outcome_result_of_answer(attempt->arena, &decision->plan->answer, resolve_job_id(decision->input));
}

static void put(json_t *object, const char *key, struct sl_str value)
{
    if (!sl_str_empty(value))
        (void)json_object_set_new(object, key, json_stringn(value.ptr, value.len));
}

static struct sl_str note_of(const struct attempt *attempt, const struct decision *decision, struct sl_str result_json)
{
    const struct answer *answer = &decision->plan->answer;
    SL_JSON_AUTO *note = json_object();
    SL_JSON_AUTO *result = NULL;
    struct sl_buf text;
    put(note, "source", answer->source);
    put(note, "id", answer->event_id);
    put(note, "type", answer->ce_type);
    put(note, "user_id", decision->input->user_id);
    put(note, "reply_to", answer->reply_to);
    put(note, "outcome", sl_str_of(outcome_name(answer->outcome)));
    put(note, "error_code", error_text(answer->error));
    if (sl_json_parse(result_json, 0, &result, NULL))
        (void)json_object_set(note, "result", result);
    sl_buf_init(&text, NOTE_BYTES_MAX);
    bool fits = sl_json_write(note, &text);
    SL_ASSERT(fits); /* a result is bounded by less */
    struct sl_str copy = sl_arena_str(attempt->arena, sl_buf_str(&text));
    sl_buf_deinit(&text);
    return copy;
}

int answers_queue(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct columns columns;
    columns_init(&columns, attempt->arena, "ttttjttji");
    for (size_t i = 0; i < attempt->decided; i++) {
        const struct decision *decision = &attempt->decisions[i];
        if (!decision->plan || !decision->plan->has_answer)
            continue;
        const struct answer *answer = &decision->plan->answer;
        struct sl_str result_json = result_of(attempt, decision);
        columns_text(&columns, answer->source);
        columns_text(&columns, answer->event_id);
        columns_text(&columns, sl_str_of(outcome_name(answer->outcome)));
        columns_text_or_null(&columns, error_text(answer->error));
        columns_text(&columns, result_json);
        columns_text(&columns, decision->item->event.source);
        columns_text(&columns, decision->item->event.id);
        columns_text(&columns, note_of(attempt, decision, result_json));
        columns_int(&columns, (int64_t)i);
    }
    return columns_queue(&columns, ANSWERS, pipeline);
}

void answers_read(struct attempt *attempt, const PGresult *result)
{
    for (int row = 0; result && row < PQntuples(result); row++) {
        size_t place = (size_t)sl_pg_get_int(result, row, 0);
        SL_ASSERT(place < attempt->decided);
        attempt->decisions[place].answered = true;
    }
}

static struct answer_told told(struct sl_arena *arena, const struct answer_told *whose, struct sl_str outcome,
                               struct sl_str error_code, struct sl_str result_json)
{
    struct answer_told answer = *whose;
    const struct outcome_head head = {
        .id = answer.id,
        .type = answer.type,
        .user_id = answer.user_id,
        .outcome = outcome_parse(outcome),
        .error_code = error_code,
    };
    answer.outcome_json = outcome_write(arena, &head, result_json);
    return answer;
}

struct answer_told answers_told(const struct attempt *attempt, const struct decision *decision)
{
    const struct answer *answer = &decision->plan->answer;
    const struct answer_told whose = {
        .source = answer->source,
        .id = answer->event_id,
        .type = answer->ce_type,
        .user_id = decision->input->user_id,
        .reply_to = answer->reply_to,
    };
    return told(attempt->arena, &whose, sl_str_of(outcome_name(answer->outcome)), error_text(answer->error),
                result_of(attempt, decision));
}

bool answers_told_again(struct sl_arena *arena, struct sl_str result_json, struct answer_told *ret_told)
{
    SL_JSON_AUTO *json = NULL;
    struct sl_buf result;
    if (sl_str_empty(result_json) || !sl_json_parse(result_json, 0, &json, NULL) || !sl_json_at(json, "answer"))
        return false;
    const struct answer_told whose = {
        .source = sl_arena_str(arena, sl_json_str(json, "answer.source")),
        .id = sl_arena_str(arena, sl_json_str(json, "answer.id")),
        .type = sl_arena_str(arena, sl_json_str(json, "answer.type")),
        .user_id = sl_arena_str(arena, sl_json_str(json, "answer.user_id")),
        .reply_to = sl_arena_str(arena, sl_json_str(json, "answer.reply_to")),
    };
    const json_t *inner = sl_json_at(json, "answer.result");
    sl_buf_init(&result, NOTE_BYTES_MAX);
    bool fits = inner && sl_json_write(inner, &result);
    *ret_told = told(arena, &whose, sl_json_str(json, "answer.outcome"), sl_json_str(json, "answer.error_code"),
                     fits ? sl_buf_str(&result) : SL_STR_NONE);
    sl_buf_deinit(&result);
    return true;
}
