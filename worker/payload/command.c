/* command.c - commands of users and of ops: {"type","timestamp","data":{…,"user_id"},"actor":{…}}.
 *
 * The token's user is data.user_id already (ingress sees to that). An ops command names the user whose state it
 * changes, or none: then it is the job's.
 */
#include "worker/payload/reader.h"

#define OPS_SOURCE  SL_STR("/sluice/ctl")
#define MINUTE_MS   INT64_C(60000)
#define MINUTES_MAX 525600 /* a year */

static const char *const USER_PATHS[] = {"data.user_id", NULL};
static const char *const OPS_PATHS[] = {"actor.name", "actor.user_id", "actor.email", NULL};

static struct sl_str actor_of(const struct reader *reader)
{
    if (sl_str_equal(reader->event->source, OPS_SOURCE)) {
        struct sl_str name = reader_first(reader, OPS_PATHS);
        if (sl_str_empty(name))
            name = reader_str(reader, "actor");
        if (sl_str_starts_with(name, SL_STR("ops:")))
            return name;
        return sl_arena_printf(reader->arena, "ops:%" SL_STR_FMT, SL_STR_ARG(name));
    }
    struct sl_str user = reader_str(reader, "actor.user_id");
    if (sl_str_empty(user))
        user = reader->input->user_named;
    return sl_arena_printf(reader->arena, "user:%" SL_STR_FMT, SL_STR_ARG(user));
}

static bool read_job(const struct reader *reader, struct sl_err *err)
{
    (void)err;
    reader->input->as.job = (struct input_job){.job_id = reader_uuid(reader, "data.job_id")};
    return true;
}

static bool read_agent(const struct reader *reader, struct sl_err *err)
{
    (void)err;
    reader->input->as.agent = (struct input_agent){
        .agent_id = reader_uuid(reader, "data.agent_id"),
        .name = reader_str(reader, "data.name"),
        .region = reader_str(reader, "data.region"),
        .backend = reader_str(reader, "data.backend"),
        .found = reader_str(reader, "data.found"),
        .server_id = reader_str(reader, "data.server_id"),
        .tailscale_device_id = reader_str(reader, "data.tailscale_device_id"),
        .app_name = reader_str(reader, "data.app_name"),
    };
    return true;
}

/* Texts beyond the limit, or of another type, would mean that nobody checked the command: it is not what it claims. */
static bool read_workflow_ids(const struct reader *reader, struct input_billing *billing, struct sl_err *err)
{
    const json_t *ids = sl_json_at(reader->body, "data.shared_workflow_ids");
    size_t count = json_array_size(ids);
    if (!ids || json_is_null(ids))
        return true;
    if (!json_is_array(ids) || count > PAYLOAD_WORKFLOW_IDS_MAX)
        return sl_err_set(err, SL_ERR_PERMANENT, "shared_workflow_ids is no array of at most %d texts",
                          PAYLOAD_WORKFLOW_IDS_MAX);
    struct sl_str *texts = sl_arena_alloc(reader->arena, count + 1, sizeof(*texts));
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_array_get(ids, i);
        if (!json_is_string(id) || !json_string_length(id))
            return sl_err_set(err, SL_ERR_PERMANENT, "element %zu of shared_workflow_ids is no text", i);
        texts[i] =
            sl_arena_str(reader->arena, (struct sl_str){.ptr = json_string_value(id), .len = json_string_length(id)});
    }
    billing->shared_workflow_ids = texts;
    billing->shared_workflow_count = count;
    return true;
}

static bool read_checkout_start(const struct reader *reader, struct sl_err *err)
{
    (void)err;
    reader->input->as.billing = (struct input_billing){
        .plan = reader_str(reader, "data.plan"),
        .success_url = reader_str(reader, "data.success_url"),
        .cancel_url = reader_str(reader, "data.cancel_url"),
    };
    return true;
}

static bool read_plan_change(const struct reader *reader, struct sl_err *err)
{
    struct input_billing *billing = &reader->input->as.billing;
    *billing = (struct input_billing){
        .plan = reader_str(reader, "data.plan_tier"),
        .success_url = reader_str(reader, "data.success_url"),
        .cancel_url = reader_str(reader, "data.cancel_url"),
        .workspace_name = reader_str(reader, "data.workspace_name"),
    };
    return read_workflow_ids(reader, billing, err);
}

/* `token` is the plain one here, or `token_sealed` has it: apply/tokens.c replaces both before any rule sees the input.
 */
static bool read_workspace(const struct reader *reader, struct sl_err *err)
{
    (void)err;
    reader->input->as.workspace = (struct input_workspace){
        .workspace_id = reader_uuid(reader, "data.workspace_id"),
        .member_id = reader_str(reader, "data.member_id"),
        .email = reader_lower(reader, "data.email"),
        .token = reader_str(reader, "data.token"),
        .token_sealed = reader_str(reader, "data.token_sealed"),
        .connection_id = reader_str(reader, "data.connection_id"),
        .provider = reader_str(reader, "data.provider"),
        .workflow_id = reader_str(reader, "data.workflow_id"),
        .run_id = reader_str(reader, "data.run_id"),
    };
    return true;
}

static bool read_usage(const struct reader *reader, struct sl_err *err)
{
    int64_t count = 0;
    bool has_count = sl_json_int(reader->body, "data.count", &count);
    reader->input->as.usage = (struct input_usage){.metric = reader_str(reader, "data.metric"), .count = count};
    if (!has_count || count < 1 || count > PAYLOAD_USAGE_COUNT_MAX || sl_str_empty(reader->input->as.usage.metric))
        return sl_err_set(err, SL_ERR_PERMANENT, "the command has no metric, or no count from 1 to %d",
                          PAYLOAD_USAGE_COUNT_MAX);
    return true;
}

static bool read_purge(const struct reader *reader, struct sl_err *err)
{
    int64_t minutes = 0;
    (void)err;
    if (!sl_json_int(reader->body, "data.older_than_minutes", &minutes) || minutes < 1 || minutes > MINUTES_MAX)
        minutes = 0;
    reader->input->as.purge = (struct input_purge){.older_than_ms = minutes * MINUTE_MS};
    return true;
}

static const struct {
    enum input_type type;
    bool (*read)(const struct reader *reader, struct sl_err *err);
} data[] = {
    {INPUT_AGENT_CREATE, read_agent},
    {INPUT_AGENT_PROVISION, read_agent},
    {INPUT_AGENT_START, read_agent},
    {INPUT_AGENT_STOP, read_agent},
    {INPUT_AGENT_DESTROY, read_agent},
    {INPUT_AGENT_REPAIR, read_agent},
    {INPUT_JOB_RETRY, read_job},
    {INPUT_JOB_CANCEL, read_job},
    {INPUT_CHECKOUT_START, read_checkout_start},
    {INPUT_WORKSPACE_PLAN_CHANGE, read_plan_change},
    {INPUT_WORKSPACE_INVITE, read_workspace},
    {INPUT_INVITE_ACCEPT, read_workspace},
    {INPUT_WORKSPACE_LEAVE, read_workspace},
    {INPUT_WORKSPACE_REVOKE, read_workspace},
    {INPUT_CONNECTION_SHARE, read_workspace},
    {INPUT_CONNECTION_UNSHARE, read_workspace},
    {INPUT_RUN_START, read_workspace},
    {INPUT_RUN_FINISH, read_workspace},
    {INPUT_USAGE_RECORD, read_usage},
    {INPUT_EARLY_ACCESS_JOIN, read_workspace},
    {INPUT_PURGE_STALE_RUNS, read_purge},
};

bool command_read(const struct reader *reader, struct sl_err *err)
{
    struct input *input = reader->input;
    input->user_named = reader_user(reader, USER_PATHS);
    input->email = reader_str(reader, "actor.email");
    input->created_s = reader->event->time_ms / 1000;
    input->actor = actor_of(reader);
    if (sl_str_equal(reader->event->source, OPS_SOURCE))
        input->email = SL_STR_NONE; /* the operator's, not the user's */
    for (size_t i = 0; i < SL_ARRAY_LEN(data); i++) {
        if (data[i].type == input->type)
            return data[i].read(reader, err);
    }
    return true;
}
