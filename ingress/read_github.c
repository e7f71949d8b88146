/* read_github.c - GitHub's webhooks of repositories and organisations. */
#include "ingress/form.h"
#include "ingress/media.h"
#include "ingress/read.h"

#define EVENT_BYTES_MAX    64
#define DELIVERY_BYTES_MAX 128

/* "workflow_run": GitHub's names are lower case with underscores. */
static bool is_event_name(struct sl_str name)
{
    if (name.len == 0 || name.len > EVENT_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char byte = name.ptr[i];
        if (!((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '_'))
            return false;
    }
    return true;
}

/* The JSON: the body itself, or the field `payload` of a form. */
static bool payload_of(const struct read_request *request, struct sl_str *ret_payload, struct problem *ret_problem)
{
    if (media_type_of(headers_get(request->headers, "content-type")) != MEDIA_FORM) {
        *ret_payload = request->body;
        return true;
    }
    if (!form_get(request->body, "payload", request->arena, ret_payload))
        return problem_set(ret_problem, PROBLEM_INVALID_JSON, "the form has no readable field \"payload\"");
    return true;
}

static void read_key(const json_t *json, struct sl_arena *arena, struct key_parts *key)
{
    static const char *const paths[] = {"repository.full_name", "organization.login", "sender.login"};
    for (size_t i = 0; i < SL_ARRAY_LEN(paths) && sl_str_empty(key->object); i++) {
        struct sl_str name = sl_json_str(json, paths[i]);
        if (key_is_usable(name))
            key->object = sl_arena_str(arena, name);
    }
}

bool read_github(const struct read_request *request, struct reading *ret_reading, struct problem *ret_problem)
{
    struct sl_str event = headers_get(request->headers, "x-github-event");
    struct sl_str delivery = headers_get(request->headers, "x-github-delivery");
    if (!is_event_name(event) || headers_count(request->headers, "x-github-event") != 1)
        return problem_set(ret_problem, PROBLEM_INVALID_EVENT, "X-GitHub-Event must name one event");
    if (!headers_value_is_plain(delivery, DELIVERY_BYTES_MAX, false) ||
        headers_count(request->headers, "x-github-delivery") != 1)
        return problem_set(ret_problem, PROBLEM_INVALID_EVENT, "X-GitHub-Delivery must hold one delivery id");
    struct sl_str payload;
    SL_JSON_AUTO *json = NULL;
    if (!payload_of(request, &payload, ret_problem) ||
        !read_object(payload, PROBLEM_INVALID_EVENT, request->arena, &json, ret_problem))
        return false;
    struct reading reading = {.id = delivery, .data = request->body, .time_ms = request->received_at_ms};
    reading.is_ping = sl_str_is(event, "ping");
    reading.type = sl_arena_printf(request->arena, "github.%" SL_STR_FMT, SL_STR_ARG(event));
    read_key(json, request->arena, &reading.key);
    char digits[24];
    reading.subject = sl_arena_str(request->arena, sl_json_id(json, "workflow_run.id", digits));
    if (!headers_value_is_plain(reading.subject, READ_ID_BYTES_MAX, false))
        reading.subject = SL_STR_NONE;
    *ret_reading = reading;
    return true;
}
