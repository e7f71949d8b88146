/* command.c - commands of users and of ops: {"type","timestamp","data":{…,"user_id"},"actor":{…}}.
 *
 * The token's user is data.user_id already (ingress sees to that). An ops command names the user whose state it
 * changes, or none: then it is the job's.
 */
#include "worker/payload/reader.h"

#define OPS_SOURCE SL_STR("/sluice/ctl")

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

bool command_read(const struct reader *reader, struct sl_err *err)
{
    struct input *input = reader->input;
    (void)err;
    input->user_named = reader_user(reader, USER_PATHS);
    input->email = reader_str(reader, "actor.email");
    input->created_s = reader->event->time_ms / 1000;
    input->actor = actor_of(reader);
    if (sl_str_equal(reader->event->source, OPS_SOURCE))
        input->email = SL_STR_NONE; /* the operator's, not the user's */
    if (input->type == INPUT_JOB_RETRY || input->type == INPUT_JOB_CANCEL) {
        input->as.job = (struct input_job){.job_id = reader_uuid(reader, "data.job_id")};
    } else if (input->type != INPUT_UNKNOWN) {
        input->as.agent = (struct input_agent){
            .agent_id = reader_uuid(reader, "data.agent_id"),
            .name = reader_str(reader, "data.name"),
            .region = reader_str(reader, "data.region"),
            .backend = reader_str(reader, "data.backend"),
        };
    }
    return true;
}
