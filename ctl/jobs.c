/* jobs.c - sluicectl jobs list|show|retry|cancel. Retry and cancel are commands like any other: they are published for
 * the job's user, decided by a worker, and their outcome is read from the events table.
 */
#include <stdio.h>

#include "ctl/command.h"
#include "ctl/page.h"
#include "ctl/query.h"

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

static enum ctl_exit command(struct ctl *ctl, const char *type)
{
    static const char WHOSE[] = "SELECT user_id, id FROM sluice.jobs WHERE id::text = lower($1)";
    struct sl_err err = {0};
    const char *values[] = {ctl->options.words[2]};
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
    json_t *data = json_pack("{s:s}", "job_id", PQgetvalue(job, 0, 1));
    if (!command_publish(ctl, type, PQgetvalue(job, 0, 0), PQgetvalue(job, 0, 1), data, event_id, &err))
        return ctl_fail(&err);
    return command_await(ctl, event_id, wait_s);
}

enum ctl_exit jobs_retry(struct ctl *ctl)
{
    return command(ctl, "job.retry");
}

enum ctl_exit jobs_cancel(struct ctl *ctl)
{
    return command(ctl, "job.cancel");
}
