/* read_command.c - commands: the dashboard's signed ones as they came, REST's made into the same document. */
#include <string.h>

#include "common/clock.h"
#include "ingress/read.h"
#include "ingress/sealing.h"

#define IDEMPOTENCY_KEY_LEN_MAX 255
#define EARLY_ACCESS_PREFIX     "early-access"

static const char TIMESTAMP_EXPECTED[] = "must be a time in ISO 8601 or Unix seconds where it is given";

/* Commands without a user are kept together by the address, whatever its case. */
static struct sl_str lower_case(struct sl_str text, struct sl_arena *arena)
{
    struct sl_str copy = sl_arena_str(arena, text);
    char *bytes = sl_arena_alloc(arena, copy.len + 1, 1);
    for (size_t i = 0; i < copy.len; i++)
        bytes[i] = copy.ptr[i] >= 'A' && copy.ptr[i] <= 'Z' ? (char)(copy.ptr[i] + ('a' - 'A')) : copy.ptr[i];
    return (struct sl_str){.ptr = bytes, .len = copy.len};
}

static void fill(const struct command *command, const json_t *data, struct sl_arena *arena, struct reading *reading)
{
    reading->type = sl_arena_printf(arena, "command.%s", command->type);
    reading->subject = sl_arena_str(arena, commands_subject(data));
    reading->key.user = command->anonymous ? lower_case(sl_json_str(data, "email"), arena)
                                           : sl_arena_str(arena, sl_json_str(data, "user_id"));
}

static struct sl_str write_json(const json_t *document, struct sl_arena *arena)
{
    size_t len = json_dumpb(document, NULL, 0, JSON_COMPACT);
    char *text = sl_arena_alloc(arena, len + 1, 1);
    size_t written = json_dumpb(document, text, len, JSON_COMPACT);
    SL_ASSERT(len > 0 && written == len);
    return (struct sl_str){.ptr = text, .len = len};
}

/* A signed command with a secret is published as a document of ours: the one exception to "as it came". */
static bool seal_document(const struct read_request *request, const struct command *command, json_t *json,
                          struct reading *reading, struct problem *ret_problem)
{
    if (!sealing_is_due(command))
        return true;
    if (!sealing_apply(command, request->ring, request->ce_source, reading->id, json_object_get(json, "data"),
                       ret_problem))
        return false;
    reading->data = write_json(json, request->arena);
    return true;
}

bool read_dashboard(const struct read_request *request, struct reading *ret_reading, struct problem *ret_problem)
{
    SL_JSON_AUTO *json = NULL;
    if (!read_object(request->body, PROBLEM_INVALID_COMMAND, request->arena, &json, ret_problem))
        return false;
    const struct command *command = commands_find(sl_json_str(json, "type"));
    if (!command) {
        (void)problem_set(ret_problem, PROBLEM_INVALID_COMMAND, "no command of this name");
        problem_add_field(ret_problem, "type", "must name a command");
        return false;
    }
    struct reading reading = {.time_ms = request->received_at_ms, .data = request->body};
    char digits[24];
    const json_t *timestamp = json_object_get(json, "timestamp");
    bool timed = !timestamp || json_is_null(timestamp) ||
                 sl_clock_parse(sl_json_id(json, "timestamp", digits), &reading.time_ms);
    const json_t *data = json_object_get(json, "data");
    if (!commands_check(command, data, ret_problem)) {
        if (!timed)
            problem_add_field(ret_problem, "timestamp", TIMESTAMP_EXPECTED);
        return false;
    }
    if (!timed) {
        (void)problem_set(ret_problem, PROBLEM_INVALID_COMMAND, "the command's time can't be read");
        problem_add_field(ret_problem, "timestamp", TIMESTAMP_EXPECTED);
        return false;
    }
    reading.id = headers_get(request->headers, "webhook-id"); /* the verifier has judged its form */
    fill(command, data, request->arena, &reading);
    if (!seal_document(request, command, json, &reading, ret_problem))
        return false;
    *ret_reading = reading;
    return true;
}

/* The id of a repeatable command is "<user>:<key>". Two users must never meet in one id, so a user that holds one of
 * the characters below, or the name that stands for "nobody", has it percent-encoded. */
static struct sl_str id_owner(const struct read_request *request)
{
    if (request->command->anonymous)
        return SL_STR(EARLY_ACCESS_PREFIX);
    struct sl_str user = request->user_id;
    char *bytes = sl_arena_alloc(request->arena, 3 * user.len + 1, 1);
    size_t len = 0;
    for (size_t i = 0; i < user.len; i++) {
        if (user.ptr[i] == ':' || user.ptr[i] == '%') {
            memcpy(bytes + len, user.ptr[i] == ':' ? "%3A" : "%25", 3);
            len += 3;
        } else {
            bytes[len++] = user.ptr[i];
        }
    }
    if (sl_str_is(user, EARLY_ACCESS_PREFIX))
        return SL_STR("early%2Daccess");
    return (struct sl_str){.ptr = bytes, .len = len};
}

/* Idempotency-Key: draft-ietf-httpapi-idempotency-key-header; we take any visible text, quoted or not, as it stands. */
static bool read_id(const struct read_request *request, struct sl_str *ret_id, struct problem *ret_problem)
{
    size_t count = headers_count(request->headers, "idempotency-key");
    struct sl_str key = headers_get(request->headers, "idempotency-key");
    if (count == 0) {
        *ret_id = request->fresh_id;
        return true;
    }
    if (count != 1 || !headers_value_is_plain(key, IDEMPOTENCY_KEY_LEN_MAX, true)) {
        (void)problem_set(ret_problem, PROBLEM_INVALID_COMMAND, "the Idempotency-Key can't be used");
        problem_add_field(ret_problem, "Idempotency-Key", "must be one line of 1 to 255 visible ASCII characters");
        return false;
    }
    *ret_id =
        sl_arena_printf(request->arena, "%" SL_STR_FMT ":%" SL_STR_FMT, SL_STR_ARG(id_owner(request)), SL_STR_ARG(key));
    return true;
}

static json_t *text_json(struct sl_str text)
{
    return json_stringn(text.ptr ? text.ptr : "", text.len);
}

/* What path and token say goes into data; a body that says otherwise is refused rather than overruled. */
static bool complete_data(const struct read_request *request, json_t *data, struct problem *ret_problem)
{
    struct read_param params[READ_PARAMS_MAX + 1];
    size_t count = request->param_count;
    memcpy(params, request->params, count * sizeof(params[0]));
    if (!request->command->anonymous)
        params[count++] = (struct read_param){.name = "user_id", .value = request->user_id};
    for (size_t i = 0; i < count; i++) {
        const json_t *given = json_object_get(data, params[i].name);
        if (given && !json_is_null(given) && !sl_str_equal(sl_json_str(data, params[i].name), params[i].value)) {
            (void)problem_set(ret_problem, PROBLEM_INVALID_COMMAND, "the body contradicts the path or the token");
            problem_add_field(ret_problem, params[i].name, "must be left out, or be that of the path or the token");
            return false;
        }
        if (json_object_set_new(data, params[i].name, text_json(params[i].value)) != 0) {
            (void)problem_set(ret_problem, PROBLEM_INVALID_COMMAND, "the path is not UTF-8");
            problem_add_field(ret_problem, params[i].name, "must be UTF-8");
            return false;
        }
    }
    return true;
}

static struct sl_str write_document(const struct read_request *request, json_t *data)
{
    char at[SL_CLOCK_ISO_BYTES];
    sl_clock_format_iso(request->received_at_ms, at);
    SL_JSON_AUTO *document = json_object();
    (void)json_object_set_new(document, "type", json_string(request->command->type));
    (void)json_object_set_new(document, "timestamp", json_string(at));
    (void)json_object_set(document, "data", data);
    if (!request->command->anonymous) {
        json_t *actor = json_object();
        (void)json_object_set_new(actor, "user_id", text_json(request->user_id));
        if (!sl_str_empty(request->email))
            (void)json_object_set_new(actor, "email", text_json(request->email));
        if (!sl_str_empty(request->role))
            (void)json_object_set_new(actor, "role", text_json(request->role));
        (void)json_object_set_new(document, "actor", actor);
    }
    return write_json(document, request->arena);
}

bool read_rest(const struct read_request *request, struct reading *ret_reading, struct problem *ret_problem)
{
    SL_JSON_AUTO *data = NULL;
    if (sl_str_empty(request->body))
        data = json_object();
    else if (!read_object(request->body, PROBLEM_INVALID_COMMAND, request->arena, &data, ret_problem))
        return false;
    struct reading reading = {.time_ms = request->received_at_ms};
    if (!complete_data(request, data, ret_problem) || !commands_check(request->command, data, ret_problem) ||
        !read_id(request, &reading.id, ret_problem))
        return false;
    if (sealing_is_due(request->command) &&
        !sealing_apply(request->command, request->ring, request->ce_source, reading.id, data, ret_problem))
        return false;
    fill(request->command, data, request->arena, &reading);
    reading.data = write_document(request, data);
    *ret_reading = reading;
    return true;
}
