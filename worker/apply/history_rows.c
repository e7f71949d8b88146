/* history_rows.c - see history_rows.h. */
#include "worker/apply/history_rows.h"

#include <stdlib.h>
#include <string.h>

#define TEXTS_MAX 16

struct row_shape {
    size_t bytes;
    size_t text_count;
    size_t texts[TEXTS_MAX]; /* where the struct sl_str members are */
};

#define TEXT(noun, member) offsetof(struct noun, member)
#define SHAPE(noun, n, ...)                                                                                            \
    {                                                                                                                  \
        .bytes = sizeof(struct noun), .text_count = (n), .texts = { __VA_ARGS__ }                                      \
    }

static const struct row_shape SHAPES[ROW_KIND_COUNT] = {
    [ROW_USER] = SHAPE(user, 8, TEXT(user, id), TEXT(user, email), TEXT(user, plan), TEXT(user, stripe_customer_id),
                       TEXT(user, pending_session_id), TEXT(user, pending_plan), TEXT(user, pending_workspace_name),
                       TEXT(user, last_error)),
    [ROW_SUBSCRIPTION] =
        SHAPE(subscription, 6, TEXT(subscription, id), TEXT(subscription, user_id), TEXT(subscription, customer_id),
              TEXT(subscription, status), TEXT(subscription, price_id), TEXT(subscription, tier)),
    [ROW_AGENT] = SHAPE(agent, 14, TEXT(agent, user_id), TEXT(agent, name), TEXT(agent, backend), TEXT(agent, region),
                        TEXT(agent, status_reason), TEXT(agent, server_id), TEXT(agent, server_ip),
                        TEXT(agent, tailscale_device_id), TEXT(agent, tailscale_ip), TEXT(agent, app_name),
                        TEXT(agent, frontend_url), TEXT(agent, backend_url), TEXT(agent, subscription_id),
                        TEXT(agent, stopped_by)),
    [ROW_JOB] = SHAPE(job, 12, TEXT(job, user_id), TEXT(job, backend), TEXT(job, args), TEXT(job, step),
                      TEXT(job, run_id), TEXT(job, dispatched_run_id), TEXT(job, error), TEXT(job, cause_event_id),
                      TEXT(job, cause_source), TEXT(job, rule), TEXT(job, answer_type), TEXT(job, reply_to)),
    [ROW_TIMER] = SHAPE(timer, 3, TEXT(timer, user_id), TEXT(timer, kind), TEXT(timer, subject)),
    [ROW_USAGE] = SHAPE(usage, 2, TEXT(usage, user_id), TEXT(usage, metric)),
    [ROW_LINK] = SHAPE(row_link, 2, TEXT(row_link, customer_id), TEXT(row_link, user_id)),
    [ROW_WORKSPACE] = SHAPE(workspace, 4, TEXT(workspace, name), TEXT(workspace, owner_id), TEXT(workspace, tier),
                            TEXT(workspace, cycle_subscription_id)),
    [ROW_MEMBER] = SHAPE(member, 1, TEXT(member, user_id)),
    [ROW_INVITE] = SHAPE(invite, 4, TEXT(invite, email), TEXT(invite, token_sha256), TEXT(invite, invited_by),
                         TEXT(invite, accepted_by)),
    [ROW_CONNECTION] = SHAPE(connection, 5, TEXT(connection, id), TEXT(connection, provider),
                             TEXT(connection, shared_by), TEXT(connection, sealed), TEXT(connection, catalog)),
    [ROW_SHARED_WORKFLOW] =
        SHAPE(shared_workflow, 2, TEXT(shared_workflow, workflow_id), TEXT(shared_workflow, shared_by)),
    [ROW_RUN] = SHAPE(run, 4, TEXT(run, id), TEXT(run, workflow_id), TEXT(run, user_id), TEXT(run, end_reason)),
    [ROW_EARLY_ACCESS] = SHAPE(early_access, 1, TEXT(early_access, email)),
};

static struct sl_str text_at(const void *row, size_t offset)
{
    struct sl_str text;
    memcpy(&text, (const char *)row + offset, sizeof(text));
    return text;
}

/* Copies the text to `*room` and moves it on. */
static struct sl_str move_in(struct sl_str text, char **room)
{
    if (sl_str_empty(text))
        return SL_STR_NONE;
    struct sl_str copy = {.ptr = memcpy(*room, text.ptr, text.len), .len = text.len};
    (*room)[text.len] = '\0';
    *room += text.len + 1;
    return copy;
}

static void *keep_user(const struct user *user, const struct row_shape *shape, size_t text_bytes)
{
    size_t ids_bytes = user->pending_workflow_count * sizeof(struct sl_str);
    for (size_t i = 0; i < user->pending_workflow_count; i++)
        text_bytes += user->pending_workflow_ids[i].len + 1;
    struct user *copy = sl_malloc(shape->bytes + ids_bytes + text_bytes);
    struct sl_str *ids = (struct sl_str *)(copy + 1);
    char *room = (char *)copy + shape->bytes + ids_bytes;
    *copy = *user;
    for (size_t i = 0; i < shape->text_count; i++) {
        struct sl_str text = move_in(text_at(user, shape->texts[i]), &room);
        memcpy((char *)copy + shape->texts[i], &text, sizeof(text));
    }
    for (size_t i = 0; i < user->pending_workflow_count; i++)
        ids[i] = move_in(user->pending_workflow_ids[i], &room);
    copy->pending_workflow_ids = ids;
    return copy;
}

void *row_keep(enum row_kind kind, const void *row)
{
    const struct row_shape *shape = &SHAPES[kind];
    size_t text_bytes = 0;
    for (size_t i = 0; i < shape->text_count; i++)
        text_bytes += text_at(row, shape->texts[i]).len + 1;
    if (kind == ROW_USER)
        return keep_user(row, shape, text_bytes);
    char *copy = sl_malloc(shape->bytes + text_bytes);
    char *room = copy + shape->bytes;
    memcpy(copy, row, shape->bytes);
    for (size_t i = 0; i < shape->text_count; i++) {
        struct sl_str text = move_in(text_at(row, shape->texts[i]), &room);
        memcpy(copy + shape->texts[i], &text, sizeof(text));
    }
    return copy;
}

void row_list_deinit(struct row_list *list)
{
    free(list->items);
    *list = (struct row_list){0};
}

void row_list_add(struct row_list *list, void *item)
{
    if (list->count == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 4;
        list->items = sl_realloc(list->items, list->cap * sizeof(*list->items));
    }
    list->items[list->count++] = item;
}

void row_list_replace(struct row_list *list, const void *before, void *now)
{
    for (size_t i = list->count; before && i > 0; i--) {
        if (list->items[i - 1] == before) {
            list->items[i - 1] = now;
            return;
        }
    }
    row_list_add(list, now);
}

void row_list_remove(struct row_list *list, const void *item)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i] == item) {
            memmove(&list->items[i], &list->items[i + 1], (list->count - i - 1) * sizeof(*list->items));
            list->count--;
            return;
        }
    }
}
