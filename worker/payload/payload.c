/* payload.c - which reader reads which family of events. */
#include "worker/payload/payload.h"

#include <stdio.h>

#include "common/utf8.h"
#include "worker/payload/reader.h"

#define SECONDS_MAX    INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define PATH_BYTES_MAX 128

struct family {
    const char *prefix; /* of ce_type */
    const char *actor;  /* for the audit, unless the reader knows better */
    bool (*read)(const struct reader *reader, struct sl_err *err);
    bool unknown_types; /* its bodies are read even when no rule knows the type: they may name a user and a customer */
};

static const struct family families[] = {
    {"stripe.", "stripe", stripe_read, true},        {"github.", "github", github_read, false},
    {"callback.", "workflow", callback_read, false}, {"command.", "user", command_read, true},
    {"job.", "system", system_read, false},          {"timer.", "system", system_read, false},
    {"member.", "system", system_read, false},
};

struct sl_str reader_str(const struct reader *reader, const char *path)
{
    struct sl_str text = sl_json_str(reader->body, path);
    return sl_str_empty(text) ? SL_STR_NONE : sl_arena_str(reader->arena, text);
}

struct sl_str reader_lower(const struct reader *reader, const char *path)
{
    struct sl_str text = sl_json_str(reader->body, path);
    char *copy = sl_arena_alloc(reader->arena, text.len + 1, 1);
    for (size_t i = 0; i < text.len; i++)
        copy[i] = text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? (char)(text.ptr[i] - 'A' + 'a') : text.ptr[i];
    return text.len ? (struct sl_str){.ptr = copy, .len = text.len} : SL_STR_NONE;
}

struct sl_str reader_id(const struct reader *reader, const char *path)
{
    char digits[24];
    struct sl_str text = sl_json_id(reader->body, path, digits);
    return sl_str_empty(text) ? SL_STR_NONE : sl_arena_str(reader->arena, text);
}

struct sl_str reader_ref(const struct reader *reader, const char *path)
{
    char inner[PATH_BYTES_MAX];
    struct sl_str text = reader_str(reader, path);
    if (!sl_str_empty(text))
        return text;
    int len = snprintf(inner, sizeof(inner), "%s.id", path);
    SL_ASSERT(len > 0 && (size_t)len < sizeof(inner));
    return reader_str(reader, inner);
}

struct sl_str reader_first(const struct reader *reader, const char *const *paths)
{
    for (; *paths; paths++) {
        struct sl_str text = reader_str(reader, *paths);
        if (!sl_str_empty(text))
            return text;
    }
    return SL_STR_NONE;
}

bool reader_is_key(struct sl_str id)
{
    return id.len <= PAYLOAD_ID_BYTES_MAX && sl_utf8_is_plain(id);
}

struct sl_str reader_user(const struct reader *reader, const char *const *paths)
{
    struct sl_str user = reader_first(reader, paths);
    /* What ingress takes as a key: an id with control characters would not come back from the executor as it went. */
    return reader_is_key(user) ? user : SL_STR_NONE;
}

int64_t reader_seconds(const struct reader *reader, const char *path)
{
    int64_t seconds = 0;
    return sl_json_int(reader->body, path, &seconds) && seconds > 0 && seconds <= SECONDS_MAX ? seconds : 0;
}

struct sl_uuid reader_uuid(const struct reader *reader, const char *path)
{
    struct sl_uuid id = {0};
    return sl_json_uuid(reader->body, path, &id) ? id : (struct sl_uuid){0};
}

static const struct family *family_of(struct sl_str ce_type)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(families); i++) {
        if (sl_str_starts_with(ce_type, sl_str_of(families[i].prefix)))
            return &families[i];
    }
    return NULL;
}

static struct sl_str text_of_body(const struct sl_event *event, struct sl_arena *arena)
{
    const struct sl_str form = SL_STR("application/x-www-form-urlencoded");
    bool is_form = event->content_type.len >= form.len &&
                   sl_str_equal_ignore_case((struct sl_str){event->content_type.ptr, form.len}, form);
    return is_form ? github_form_payload(event->data, arena) : event->data;
}

bool payload_read(const struct sl_event *event, struct sl_arena *arena, struct input *ret_input, struct sl_err *err)
{
    const struct family *family = family_of(event->type);
    struct input input = {
        .type = input_type_of(event->type),
        .ce_type = event->type,
        .event_id = event->id,
        .source = event->source,
        .received_at_ms = event->received_at_ms,
        .reply_to = event->reply_to,
        .actor = family ? sl_str_of(family->actor) : SL_STR("unknown"),
    };
    if (!family || (input.type == INPUT_UNKNOWN && !family->unknown_types)) {
        *ret_input = input;
        return true;
    }
    SL_JSON_AUTO *body = NULL;
    if (!sl_json_parse(text_of_body(event, arena), PAYLOAD_BODY_BYTES_MAX, &body, err))
        return false;
    if (!json_is_object(body))
        return sl_err_set(err, SL_ERR_PERMANENT, "the body is no JSON object");
    const struct reader reader = {.event = event, .arena = arena, .body = body, .input = &input};
    if (!family->read(&reader, err))
        return false;
    *ret_input = input;
    return true;
}
