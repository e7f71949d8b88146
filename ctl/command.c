/* command.c - see command.h. */
#include "ctl/command.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"

void command_actor(char ret_actor[COMMAND_ACTOR_BYTES])
{
    const char *sudo = getenv("SUDO_USER");
    const struct passwd *entry = getpwuid(getuid());
    const char *name = sudo && *sudo ? sudo : entry ? entry->pw_name : "unknown";
    (void)snprintf(ret_actor, COMMAND_ACTOR_BYTES, "ops:%s", name);
}

bool command_about_job(const char *type, const char *job_id, const char *user_id, const char *event_id, int64_t now_ms,
                       struct sl_buf *body, struct sl_event *ret_event, struct sl_err *err)
{
    static char ce_type[64];
    char actor[COMMAND_ACTOR_BYTES];
    char now[SL_CLOCK_ISO_BYTES];
    command_actor(actor);
    (void)snprintf(ce_type, sizeof(ce_type), "command.%s", type);
    sl_clock_format_iso(now_ms, now);
    SL_JSON_AUTO *document =
        json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s}}", "type", type, "timestamp", now, "data", "user_id", user_id,
                  "job_id", job_id, "actor", "user_id", actor, "role", "admin");
    if (!document || !sl_json_write(document, body))
        return sl_err_set(err, SL_ERR_PERMANENT, "the command does not fit a message");
    *ret_event = (struct sl_event){
        .id = sl_str_of(event_id),
        .source = SL_STR(COMMAND_SOURCE),
        .type = sl_str_of(ce_type),
        .subject = sl_str_of(job_id),
        .partition_key = sl_str_of(user_id),
        .content_type = SL_STR("application/json"),
        .data = sl_buf_str(body),
        .time_ms = now_ms,
        .received_at_ms = now_ms,
    };
    return true;
}
