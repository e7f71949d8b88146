/* jobs.c - sluicectl jobs list|show|retry|cancel. Retry and cancel are commands like any other: they are published for
 * the job's user, decided by a worker, and their outcome is read from the events table.
 */
#include <jansson.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/uuid.h"
#include "ctl/page.h"
#include "ctl/publish.h"
#include "ctl/query.h"

#define OUTCOME_POLL_MS   100
#define COMMAND_BYTES_MAX 2048

static const struct page_part PARTS[] = {
    {"calls", "Calls to clouds", "none",
     "SELECT at, fence, number, step, attempt, cloud, method, path, status, verdict, took_ms, error FROM "
     "sluice.job_calls"
     " WHERE job_id::text = lower($1) ORDER BY id"},
    {"timers", "Timers", "none",
     "SELECT kind, due_at, fired_at, cancelled_at FROM sluice.timers WHERE subject = lower($1) ORDER BY due_at"},
    {"events", "Events about it", "none",
     "SELECT received_at, type, outcome, error_code, rule, id FROM sluice.events e WHERE user_id ="
     " (SELECT user_id FROM sluice.jobs WHERE id::text = lower($1)) AND (result->'job_ids' ? lower($1)"
     " OR id = (SELECT cause_event_id FROM sluice.jobs WHERE id::text = lower($1))) ORDER BY received_at LIMIT 100"},
};

/* An invitation's link is for whom it was sent to alone; a catalog may be as long as a book. */
static const struct page PAGE = {
    .noun = "job",
    .record =
        "SELECT id, seq, user_id, agent_id, kind, backend, status, priority, step, attempt, generation, fence, run_id,"
        " CASE WHEN kind = 'email' THEN args - 'url' ELSE args END AS args,"
        " CASE WHEN jsonb_typeof(result->'catalog') = 'array' THEN (result - 'link') || jsonb_build_object('catalog',"
        "  jsonb_array_length(result->'catalog') || ' teams') ELSE result END AS result,"
        " answer_type, rule, cause_source, cause_event_id, error, worker, settled, cancel_requested, run_after,"
        " lease_until, deadline_at, claimed_at, heartbeat_at, created_at, updated_at, ended_at"
        " FROM sluice.jobs WHERE id::text = lower($1)",
    .parts = PARTS,
    .part_count = SL_ARRAY_LEN(PARTS),
};

static const char LIST[] =
    "SELECT id, kind, status, step, attempt, user_id, agent_id, error, created_at, run_after FROM sluice.jobs"
    " WHERE ($1::text IS NULL OR user_id = $1) AND ($2::text IS NULL OR agent_id::text = lower($2))"
    " AND ($3::text IS NULL OR status = $3) AND ($4::text IS NULL OR kind = $4) ORDER BY seq DESC LIMIT $5::bigint";

enum ctl_exit jobs_list(struct ctl *ctl)
{
    struct sl_err err = {0};
    char limit_text[24];
    int64_t limit = 0;
    if (!options_int(&ctl->options, OPTION_LIMIT, 50, 1, 100000, &limit, &err)) {
        (void)ctl_fail(&err);
        return CTL_USAGE;
    }
    (void)snprintf(limit_text, sizeof(limit_text), "%lld", (long long)limit);
    const char *const *given = ctl->options.values;
    const char *values[] = {given[OPTION_USER], given[OPTION_AGENT], given[OPTION_STATUS], given[OPTION_KIND],
                            limit_text};
    return query_print(ctl, LIST, values, 5, "no jobs match", &err) < 0 ? ctl_fail(&err) : CTL_DONE;
}

enum ctl_exit jobs_show(struct ctl *ctl)
{
    return page_show(ctl, &PAGE, ctl->options.words[2]);
}

/* Who asks, for the audit: the login behind sudo where there is one. */
static const char *operator_name(void)
{
    const char *sudo = getenv("SUDO_USER");
    /* cppcheck-suppress getpwuidCalled ; there is one thread */
    const struct passwd *entry = getpwuid(getuid());
    if (sudo && *sudo)
        return sudo;
    return entry ? entry->pw_name : "unknown";
}

static bool publish_command(struct ctl *ctl, const char *type, const char *job_id, const char *user_id,
                            const char *event_id, struct sl_err *err)
{
    char actor[128];
    char now[SL_CLOCK_ISO_BYTES];
    struct sl_buf body;
    const int64_t now_ms = sl_clock_wall_ms();
    char ce_type[64];
    (void)snprintf(actor, sizeof(actor), "ops:%s", operator_name());
    (void)snprintf(ce_type, sizeof(ce_type), "command.%s", type);
    sl_clock_format_iso(now_ms, now);
    SL_JSON_AUTO *document =
        json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s}}", "type", type, "timestamp", now, "data", "user_id", user_id,
                  "job_id", job_id, "actor", "user_id", actor, "role", "admin");
    sl_buf_init(&body, COMMAND_BYTES_MAX);
    if (!document || !sl_json_write(document, &body)) {
        sl_buf_deinit(&body);
        return sl_err_set(err, SL_ERR_PERMANENT, "the command does not fit a message");
    }
    struct sl_event event = {
        .id = sl_str_of(event_id),
        .source = SL_STR("/sluice/ctl"),
        .type = sl_str_of(ce_type),
        .subject = sl_str_of(job_id),
        .partition_key = sl_str_of(user_id),
        .content_type = SL_STR("application/json"),
        .data = sl_buf_str(&body),
        .time_ms = now_ms,
        .received_at_ms = now_ms,
    };
    bool ok = publish_event(ctl->config, &event, err);
    sl_buf_deinit(&body);
    return ok;
}

/* Polls for the decision: it is a row of another process, so there is nothing to wait on but time. */
static enum ctl_exit await_outcome(struct ctl *ctl, const char *event_id, int64_t wait_s)
{
    static const char OUTCOME[] = "SELECT outcome, error_code, result->>'message' FROM sluice.events"
                                  " WHERE id = $1 AND source = '/sluice/ctl'";
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

static enum ctl_exit command(struct ctl *ctl, const char *type)
{
    static const char WHOSE[] = "SELECT user_id, id FROM sluice.jobs WHERE id::text = lower($1)";
    struct sl_err err = {0};
    const char *values[] = {ctl->options.words[2]};
    uint8_t random[10];
    char event_id[SL_UUID_TEXT_BYTES];
    int64_t wait_s = 0;
    if (!options_int(&ctl->options, OPTION_WAIT, 15, 0, 600, &wait_s, &err)) {
        (void)ctl_fail(&err);
        return CTL_USAGE;
    }
    SL_PG_AUTO *job = NULL;
    if (!query_run(ctl, WHOSE, values, 1, &job, &err))
        return ctl_fail(&err);
    if (PQntuples(job) == 0) {
        (void)fprintf(stderr, "sluicectl: no job has the id \"%s\"\n", values[0]);
        return CTL_FOUND;
    }
    sl_random_bytes(random, sizeof(random));
    sl_uuid_format(sl_uuid_v7(sl_clock_wall_ms(), random), event_id);
    if (!publish_command(ctl, type, PQgetvalue(job, 0, 1), PQgetvalue(job, 0, 0), event_id, &err))
        return ctl_fail(&err);
    return await_outcome(ctl, event_id, wait_s);
}

enum ctl_exit jobs_retry(struct ctl *ctl)
{
    return command(ctl, "job.retry");
}

enum ctl_exit jobs_cancel(struct ctl *ctl)
{
    return command(ctl, "job.cancel");
}
