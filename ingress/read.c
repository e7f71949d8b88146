/* read.c - what the readers share. */
#include "ingress/read.h"

bool read_object(struct sl_str text, enum problem_code not_object, struct sl_arena *arena, json_t **ret_json,
                 struct problem *ret_problem)
{
    struct sl_err err = {0};
    json_t *json = NULL;
    if (!sl_json_parse(text, 0, &json, &err)) {
        struct sl_str detail = sl_arena_str(arena, sl_str_of(err.message));
        return problem_set(ret_problem, PROBLEM_INVALID_JSON, detail.ptr);
    }
    if (!json_is_object(json)) {
        json_decref(json);
        return problem_set(ret_problem, not_object, "the body must be a JSON object");
    }
    *ret_json = json;
    return true;
}
