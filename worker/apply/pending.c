/* pending.c - see pending.h. */
#include "worker/apply/pending.h"

#include "common/json.h"

#define PENDING_BYTES_MAX ((size_t)2 * 1024 * 1024) /* a thousand ids, escaped */

void pending_read(struct sl_str json, struct sl_arena *arena, struct user *user)
{
    SL_JSON_AUTO *pending = NULL;
    if (sl_str_empty(json) || !sl_json_parse(json, PENDING_BYTES_MAX, &pending, NULL) ||
        !sl_json_uuid(pending, "job_id", &user->pending_job_id))
        return;
    user->pending_session_id = sl_arena_str(arena, sl_json_str(pending, "session_id"));
    user->pending_plan = sl_arena_str(arena, sl_json_str(pending, "plan"));
    user->pending_workspace_name = sl_arena_str(arena, sl_json_str(pending, "workspace_name"));
    const json_t *ids = sl_json_at(pending, "shared_workflow_ids");
    size_t count = json_array_size(ids);
    struct sl_str *texts = sl_arena_alloc(arena, count + 1, sizeof(*texts));
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_array_get(ids, i);
        if (json_is_string(id))
            texts[user->pending_workflow_count++] =
                sl_arena_str(arena, (struct sl_str){.ptr = json_string_value(id), .len = json_string_length(id)});
    }
    user->pending_workflow_ids = texts;
}

static void put(json_t *object, const char *key, struct sl_str value)
{
    if (!sl_str_empty(value))
        (void)json_object_set_new(object, key, json_stringn(value.ptr, value.len));
}

struct sl_str pending_write(const struct user *user, struct sl_arena *arena)
{
    char job_id[SL_UUID_TEXT_BYTES];
    struct sl_buf text;
    if (sl_uuid_is_nil(user->pending_job_id))
        return SL_STR_NONE;
    SL_JSON_AUTO *pending = json_object();
    json_t *ids = json_array();
    sl_uuid_format(user->pending_job_id, job_id);
    put(pending, "job_id", sl_str_of(job_id));
    put(pending, "session_id", user->pending_session_id);
    put(pending, "plan", user->pending_plan);
    put(pending, "workspace_name", user->pending_workspace_name);
    for (size_t i = 0; i < user->pending_workflow_count; i++)
        (void)json_array_append_new(ids,
                                    json_stringn(user->pending_workflow_ids[i].ptr, user->pending_workflow_ids[i].len));
    (void)json_object_set_new(pending, "shared_workflow_ids", ids);
    sl_buf_init(&text, PENDING_BYTES_MAX);
    bool fits = sl_json_write(pending, &text);
    SL_ASSERT(fits); /* commands are smaller than this */
    struct sl_str copy = sl_arena_str(arena, sl_buf_str(&text));
    sl_buf_deinit(&text);
    return copy;
}
