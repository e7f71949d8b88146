/* pause.c - sluicectl pause|resume BACKEND: queued jobs of a backend, or of a cloud, stay where they are.
 *
 * A job under way goes on until it ends, or until it has to wait for another attempt: then it is queued, and stays.
 * Events are decided all the while, and an answer that a command waits for still ends at its deadline.
 */
#include <stdio.h>
#include <string.h>

#include "ctl/command.h"
#include "ctl/query.h"

static const char *const NAMES[] = {"hetzner", "github-actions", "provisioner", "github", "resend", "stripe", "graph"};

static const char PAUSE[] =
    "WITH paused AS (INSERT INTO sluice.paused (backend, by_whom, reason) VALUES ($1, $2, $3)"
    " ON CONFLICT (backend) DO NOTHING RETURNING backend),"
    " waiting AS (SELECT count(*) FILTER (WHERE status = 'queued') AS queued,"
    "  count(*) FILTER (WHERE status <> 'queued') AS under_way FROM sluice.jobs"
    "  WHERE status IN ('queued', 'running', 'waiting') AND $1 IN (backend, sluice.cloud_of(kind, backend))),"
    " told AS (INSERT INTO sluice.audit_log (at, actor, action, target, detail)"
    "  SELECT now(), $2, 'backend_paused', 'backend:' || $1, jsonb_strip_nulls(jsonb_build_object('reason', $3::text,"
    "  'queued', w.queued, 'under_way', w.under_way)) FROM paused CROSS JOIN waiting w)"
    " SELECT $1 AS backend, (SELECT count(*) FROM paused) = 0 AS was_paused, queued, under_way FROM waiting";

static const char RESUME[] =
    "WITH resumed AS (DELETE FROM sluice.paused WHERE backend = $1 RETURNING paused_at, by_whom),"
    " waiting AS (SELECT count(*) AS queued FROM sluice.jobs"
    "  WHERE status = 'queued' AND $1 IN (backend, sluice.cloud_of(kind, backend))),"
    " told AS (INSERT INTO sluice.audit_log (at, actor, action, target, detail)"
    "  SELECT now(), $2, 'backend_resumed', 'backend:' || $1, jsonb_build_object('paused_at', r.paused_at,"
    "  'paused_by', r.by_whom, 'queued', w.queued) FROM resumed r CROSS JOIN waiting w)"
    " SELECT $1 AS backend, (SELECT count(*) FROM resumed) > 0 AS was_paused, queued FROM waiting";

/* The name given, if there is such a backend or cloud. */
static const char *known_name(const struct ctl *ctl)
{
    const char *given = ctl->options.words[1];
    for (size_t i = 0; i < SL_ARRAY_LEN(NAMES); i++)
        if (strcmp(given, NAMES[i]) == 0)
            return NAMES[i];
    (void)fprintf(stderr, "sluicectl: no jobs are of \"%s\"; a backend or a cloud is one of", given);
    for (size_t i = 0; i < SL_ARRAY_LEN(NAMES); i++)
        (void)fprintf(stderr, "%s %s", i ? "," : "", NAMES[i]);
    (void)fprintf(stderr, "\n");
    if (strcmp(given, "tailscale") == 0)
        (void)fprintf(stderr, "  hint: devices come and go with their servers: pause hetzner\n");
    return NULL;
}

/* `*ret_row` in text; the session's transaction is one statement. */
static bool change(struct ctl *ctl, const char *sql, const char *name, const char *reason, PGresult **ret_row,
                   struct sl_err *err)
{
    char actor[COMMAND_ACTOR_BYTES];
    command_actor(actor);
    const char *values[] = {name, actor, reason};
    return query_run(ctl, sql, values, sql == PAUSE ? 3 : 2, ret_row, err);
}

enum ctl_exit pause_run(struct ctl *ctl)
{
    struct sl_err err = {0};
    SL_PG_AUTO *row = NULL;
    const char *name = known_name(ctl);
    if (!name)
        return CTL_USAGE;
    if (!change(ctl, PAUSE, name, ctl->options.values[OPTION_REASON], &row, &err))
        return ctl_fail(&err);
    bool was_paused = PQgetvalue(row, 0, 1)[0] == 't';
    if (ctl->options.json)
        printf("{\"backend\":\"%s\",\"paused\":true,\"was_paused\":%s,\"queued\":%s,\"under_way\":%s}\n", name,
               was_paused ? "true" : "false", PQgetvalue(row, 0, 2), PQgetvalue(row, 0, 3));
    else
        printf("%s %s paused: %s jobs wait, %s are under way and go on\n", name, was_paused ? "was already" : "is",
               PQgetvalue(row, 0, 2), PQgetvalue(row, 0, 3));
    return CTL_DONE;
}

enum ctl_exit resume_run(struct ctl *ctl)
{
    struct sl_err err = {0};
    SL_PG_AUTO *row = NULL;
    const char *name = known_name(ctl);
    if (!name)
        return CTL_USAGE;
    if (!change(ctl, RESUME, name, NULL, &row, &err))
        return ctl_fail(&err);
    bool was_paused = PQgetvalue(row, 0, 1)[0] == 't';
    if (ctl->options.json)
        printf("{\"backend\":\"%s\",\"paused\":false,\"was_paused\":%s,\"queued\":%s}\n", name,
               was_paused ? "true" : "false", PQgetvalue(row, 0, 2));
    else if (was_paused)
        printf("%s goes on: %s jobs are queued\n", name, PQgetvalue(row, 0, 2));
    else
        printf("%s was not paused\n", name);
    return CTL_DONE;
}
