/* command.c - see command.h. */
#include "ctl/command.h"

#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"
#include "ctl/publish.h"
#include "ctl/query.h"

#define OUTCOME_POLL_MS 100

void command_actor(char ret_actor[COMMAND_ACTOR_BYTES])
{
    const char *sudo = getenv("SUDO_USER");
    /* cppcheck-suppress getpwuidCalled ; there is one thread */
    const struct passwd *entry = getpwuid(getuid());
    const char *login = entry ? entry->pw_name : "unknown";
    (void)snprintf(ret_actor, COMMAND_ACTOR_BYTES, "ops:%s", sudo && *sudo ? sudo : login);
}

/* `data` is taken. */
static bool make(const char *type, const char *subject, const char *user_id, json_t *data, const char *event_id,
                 int64_t now_ms, struct sl_buf *body, struct sl_event *ret_event, struct sl_err *err)
{
    static char ce_type[64];
    char actor[COMMAND_ACTOR_BYTES];
    char now[SL_CLOCK_ISO_BYTES];
    command_actor(actor);
    (void)snprintf(ce_type, sizeof(ce_type), "command.%s", type);
    sl_clock_format_iso(now_ms, now);
    (void)json_object_set_new(data, "user_id", json_string(user_id));
    SL_JSON_AUTO *document = json_pack("{s:s, s:s, s:o, s:{s:s, s:s}}", "type", type, "timestamp", now, "data", data,
                                       "actor", "user_id", actor, "role", "admin");
    if (!document || !sl_json_write(document, body))
        return sl_err_set(err, SL_ERR_PERMANENT, "the command does not fit a message");
    *ret_event = (struct sl_event){
        .id = sl_str_of(event_id),
        .source = SL_STR(COMMAND_SOURCE),
        .type = sl_str_of(ce_type),
        .subject = sl_str_of(subject),
        .partition_key = sl_str_of(user_id),
        .content_type = SL_STR("application/json"),
        .data = sl_buf_str(body),
        .time_ms = now_ms,
        .received_at_ms = now_ms,
    };
    return true;
}

bool command_about_job(const char *type, const char *job_id, const char *user_id, const char *event_id, int64_t now_ms,
                       struct sl_buf *body, struct sl_event *ret_event, struct sl_err *err)
{
    return make(type, job_id, user_id, json_pack("{s:s}", "job_id", job_id), event_id, now_ms, body, ret_event, err);
}

bool command_publish(struct ctl *ctl, const char *type, const char *user_id, const char *subject, json_t *data,
                     char ret_event_id[SL_UUID_TEXT_BYTES], struct sl_err *err)
{
    uint8_t random[10];
    struct sl_buf body;
    struct sl_event event;
    const int64_t now_ms = sl_clock_wall_ms();
    sl_random_bytes(random, sizeof(random));
    sl_uuid_format(sl_uuid_v7(now_ms, random), ret_event_id);
    sl_buf_init(&body, COMMAND_BYTES_MAX);
    bool ok = make(type, subject, user_id, data, ret_event_id, now_ms, &body, &event, err) &&
              publish_event(ctl->config, &event, err);
    sl_buf_deinit(&body);
    return ok;
}

/* Polls for the decision: it is a row of another process, so there is nothing to wait on but time. */
enum ctl_exit command_await(struct ctl *ctl, const char *event_id, int64_t wait_s)
{
    static const char OUTCOME[] = "SELECT outcome, error_code, result->>'message' FROM sluice.events"
                                  " WHERE id = $1 AND source = '" COMMAND_SOURCE "'";
    const char *values[] = {event_id};
    const int64_t deadline_ms = sl_clock_mono_ms() + wait_s * 1000;
    struct sl_err err = {0};
    while (sl_clock_mono_ms() < deadline_ms) {
        SL_PG_AUTO *row = NULL;
        if (!query_run(ctl, OUTCOME, values, 1, &row, &err))
            return ctl_fail(&err);
        if (PQntuples(row) == 1) {
            bool applied = sl_str_is(sl_str_of(PQgetvalue(row, 0, 0)), "applied");
            printf("%s%s%s%s%s\n", PQgetvalue(row, 0, 0), PQgetisnull(row, 0, 1) ? "" : " ", PQgetvalue(row, 0, 1),
                   PQgetisnull(row, 0, 2) ? "" : ": ", PQgetvalue(row, 0, 2));
            return applied ? CTL_DONE : CTL_FOUND;
        }
        (void)poll(NULL, 0, OUTCOME_POLL_MS);
    }
    printf("accepted as event %s; no worker has decided it within %lld s\n", event_id, (long long)wait_s);
    return CTL_UNAVAILABLE;
}
