/* problem.c - see problem.h. */
#include "web/problem.h"

#include "common/json.h"

struct problem_row {
    int status;
    const char *name;
    const char *title;
};

static const struct problem_row ROWS[PROBLEM_CODE_COUNT] = {
    [PROBLEM_NONE] = {500, "INTERNAL", "Internal error"},
    [PROBLEM_INVALID_SIGNATURE] = {400, "INVALID_SIGNATURE", "The signature does not verify"},
    [PROBLEM_TIMESTAMP_OUT_OF_RANGE] = {400, "TIMESTAMP_OUT_OF_RANGE", "The signed time is too far from now"},
    [PROBLEM_INVALID_JSON] = {400, "INVALID_JSON", "The body is not JSON as it is taken here"},
    [PROBLEM_INVALID_EVENT] = {400, "INVALID_EVENT", "The event lacks what identifies it"},
    [PROBLEM_INVALID_COMMAND] = {400, "INVALID_COMMAND", "The command is not one of the table"},
    [PROBLEM_BAD_REQUEST] = {400, "BAD_REQUEST", "The request is not acceptable HTTP"},
    [PROBLEM_UNAUTHENTICATED] = {401, "UNAUTHENTICATED", "A valid token is needed"},
    [PROBLEM_FORBIDDEN] = {403, "FORBIDDEN", "Not allowed"},
    [PROBLEM_NOT_FOUND] = {404, "NOT_FOUND", "No such path"},
    [PROBLEM_METHOD_NOT_ALLOWED] = {405, "METHOD_NOT_ALLOWED", "The path does not take this method"},
    [PROBLEM_REQUEST_TIMEOUT] = {408, "REQUEST_TIMEOUT", "The request took too long to arrive"},
    [PROBLEM_PAYLOAD_TOO_LARGE] = {413, "PAYLOAD_TOO_LARGE", "The body is too large"},
    [PROBLEM_UNSUPPORTED_MEDIA_TYPE] = {415, "UNSUPPORTED_MEDIA_TYPE", "The body's type is not taken here"},
    [PROBLEM_RATE_LIMITED] = {429, "RATE_LIMITED", "Too many requests"},
    [PROBLEM_UNAVAILABLE] = {503, "UNAVAILABLE", "Not available right now"},
};

int problem_status(enum problem_code code)
{
    SL_ASSERT(code >= 0 && code < PROBLEM_CODE_COUNT);
    return ROWS[code].status;
}

const char *problem_name(enum problem_code code)
{
    SL_ASSERT(code >= 0 && code < PROBLEM_CODE_COUNT);
    return ROWS[code].name;
}

bool problem_set(struct problem *problem, enum problem_code code, const char *detail)
{
    *problem = (struct problem){.code = code, .detail = sl_str_of(detail)};
    return false;
}

void problem_add_field(struct problem *problem, const char *name, const char *expected)
{
    if (problem->field_count < PROBLEM_FIELDS_MAX)
        problem->fields[problem->field_count++] = (struct problem_field){.name = name, .expected = expected};
}

static void write_member(struct sl_buf *out, const char *name, struct sl_str value)
{
    (void)sl_buf_printf(out, ",\"%s\":", name);
    (void)sl_json_write_str(out, value);
}

void problem_write(const struct problem *problem, struct sl_buf *out)
{
    const struct problem_row *row = &ROWS[problem->code];
    (void)sl_buf_printf(out, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"errorCode\":\"%s\"",
                        row->title, row->status, row->name);
    if (!sl_str_empty(problem->detail))
        write_member(out, "detail", problem->detail);
    for (size_t i = 0; i < problem->field_count; i++) {
        (void)sl_buf_append_cstr(out, i == 0 ? ",\"errors\":[{\"field\":" : ",{\"field\":");
        (void)sl_json_write_str(out, sl_str_of(problem->fields[i].name));
        write_member(out, "detail", sl_str_of(problem->fields[i].expected));
        (void)sl_buf_append_cstr(out, i + 1 == problem->field_count ? "}]" : "}");
    }
    (void)sl_buf_append_char(out, '}');
}

void problem_write_outcome(int status, struct sl_str error_code, struct sl_str message, struct sl_str outcome_json,
                           struct sl_buf *out)
{
    (void)sl_buf_printf(out, "{\"type\":\"about:blank\",\"title\":\"The command was rejected\",\"status\":%d", status);
    write_member(out, "errorCode", sl_str_empty(error_code) ? SL_STR("REJECTED") : error_code);
    if (!sl_str_empty(message))
        write_member(out, "detail", message);
    (void)sl_buf_append_cstr(out, ",\"outcome\":");
    (void)sl_buf_append_str(out, outcome_json);
    (void)sl_buf_append_char(out, '}');
}
