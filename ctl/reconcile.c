/* reconcile.c - sluicectl reconcile [--fix]: the clouds against Postgres.
 *
 * One look finds; --fix mends what at least two looks found, with books that have stood still since the first, which
 * must be older than the grace. It changes nothing itself: each agent concerned gets one command (agent.repair), and
 * the rules have the last word.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"
#include "ctl/audit.h"
#include "ctl/command.h"
#include "ctl/output.h"
#include "ctl/progress.h"
#include "ctl/query.h"
#include "worker/repair/ledger.h"

#define FIXES_MAX 500 /* of one run */

static const enum cloud_id CLOUDS[] = {CLOUD_HETZNER, CLOUD_TAILSCALE, CLOUD_PROVISIONER};

/* $1 is the look. What another cloud's look has left open is older, and stands in the ledger alone. */
#define OF_THIS_LOOK " FROM sluice.findings WHERE gone_at IS NULL AND last_seen = $1::timestamptz"

static const char FOUND[] =
    "SELECT finding, cloud, resource_id AS resource, name, agent_id AS agent, user_id AS \"user\", detail,"
    " cost_per_day, currency, first_seen, looks, coalesce(mend, 'by hand') AS mend" OF_THIS_LOOK
    " ORDER BY finding, cloud, first_seen, resource_id";

static const char COSTS[] =
    "SELECT count(*) AS orphans, coalesce(sum(cost_per_day), 0) AS per_day, max(currency) AS currency,"
    " coalesce(round(sum(cost_per_day * extract(epoch FROM now() - first_seen)::numeric / 86400), 4), 0) AS "
    "so_far" OF_THIS_LOOK " AND finding = 'orphaned'";

/* One command an agent: the removal of a server takes its device along. $2: the grace in ms. What was asked for is
 * given that long to show. */
static const char DUE[] =
    "SELECT DISTINCT ON (f.agent_id) f.finding, f.cloud, f.resource_id, f.name, f.agent_id, f.user_id, f.mend,"
    " (SELECT o.resource_id FROM sluice.findings o WHERE o.agent_id = f.agent_id AND o.cloud = 'tailscale'"
    "  AND o.mend = 'orphan' AND o.gone_at IS NULL LIMIT 1) AS device"
    " FROM sluice.findings f WHERE f.gone_at IS NULL AND f.last_seen = $1::timestamptz AND f.mend IS NOT NULL"
    " AND f.agent_id IS NOT NULL AND f.looks >= 2"
    " AND f.first_seen <= now() - $2::bigint * interval '1 millisecond'"
    " AND (f.fix_asked_at IS NULL OR f.fix_asked_at < f.first_seen"
    "  OR f.fix_asked_at <= now() - $2::bigint * interval '1 millisecond')"
    " ORDER BY f.agent_id, f.cloud = 'tailscale', f.finding LIMIT $3::bigint";
static const char ASKED[] =
    "UPDATE sluice.findings SET fix_event_id = $2, fix_asked_at = now() WHERE agent_id = $1::uuid AND gone_at IS NULL"
    " AND mend IS NOT NULL";

/* What of the clouds couldn't be seen, on stderr; how many. */
static int say_unseen(const struct look *look)
{
    int unseen = 0;
    for (size_t i = 0; i < SL_ARRAY_LEN(CLOUDS); i++) {
        const struct sl_err *problem = &look->sights.problems[CLOUDS[i]];
        if (look->sights.is_seen[CLOUDS[i]])
            continue;
        unseen++;
        (void)fprintf(stderr, "sluicectl: %s was not seen: %s\n", cloud_of(CLOUDS[i])->name, problem->message);
        if (problem->hint[0])
            (void)fprintf(stderr, "  hint: %s\n", problem->hint);
    }
    return unseen;
}

static void count_seen(const struct look *look, enum cloud_id cloud, int *ret_count)
{
    *ret_count = 0;
    for (size_t i = 0; i < look->sights.count; i++)
        *ret_count += look->sights.items[i].cloud == cloud;
}

static bool print_json(struct ctl *ctl, const struct look *look, const char *at, struct sl_err *err)
{
    const char *values[] = {at};
    char *found = NULL;
    char *costs = NULL;
    bool ok = query_json(ctl, FOUND, values, 1, &found, err) && query_json(ctl, COSTS, values, 1, &costs, err);
    if (ok) {
        printf("{\"looked_at\":\"%s\",\"clouds\":[", at);
        for (size_t i = 0; i < SL_ARRAY_LEN(CLOUDS); i++) {
            int count = 0;
            bool is_seen = look->sights.is_seen[CLOUDS[i]];
            SL_JSON_AUTO *problem = is_seen ? json_null() : json_string(look->sights.problems[CLOUDS[i]].message);
            char *text = json_dumps(problem, JSON_ENCODE_ANY);
            count_seen(look, CLOUDS[i], &count);
            printf("%s{\"cloud\":\"%s\",\"seen\":%s,\"ours\":%d,\"problem\":%s}", i ? "," : "",
                   cloud_of(CLOUDS[i])->name, is_seen ? "true" : "false", count, text ? text : "null");
            free(text);
        }
        printf("],\"in_motion\":%zu,\"orphans\":%s,\"findings\":%s}\n", look->findings.in_motion, costs, found);
    }
    free(found);
    free(costs);
    return ok;
}

static bool print_tables(struct ctl *ctl, const struct look *look, const char *at, struct sl_err *err)
{
    const char *values[] = {at};
    for (size_t i = 0; i < SL_ARRAY_LEN(CLOUDS); i++) {
        int count = 0;
        count_seen(look, CLOUDS[i], &count);
        if (look->sights.is_seen[CLOUDS[i]])
            printf("%s: %d of ours are there\n", cloud_of(CLOUDS[i])->name, count);
    }
    if (look->findings.in_motion)
        printf("%zu are in motion: nothing is said of them\n", look->findings.in_motion);
    output_heading("Findings");
    if (query_print(ctl, FOUND, values, 1, "the clouds are as the books say", err) < 0)
        return false;
    SL_PG_AUTO *costs = NULL;
    if (!query_run(ctl, COSTS, values, 1, &costs, err))
        return false;
    if (!sl_str_is(sl_str_of(PQgetvalue(costs, 0, 0)), "0"))
        printf("\n%s orphans cost %s %s a day, and have cost %s since they were first seen\n", PQgetvalue(costs, 0, 0),
               PQgetvalue(costs, 0, 1), PQgetvalue(costs, 0, 2), PQgetvalue(costs, 0, 3));
    return true;
}

/* The command's data by what was found: the resource under the name that the agent's row has for it. */
static json_t *repair_data(const PGresult *due, int row)
{
    static const char *const columns[][2] = {
        {"hetzner", "server_id"}, {"tailscale", "tailscale_device_id"}, {"provisioner", "app_name"}};
    json_t *data = json_pack("{s:s, s:s}", "agent_id", PQgetvalue(due, row, 4), "found", PQgetvalue(due, row, 6));
    for (size_t i = 0; i < SL_ARRAY_LEN(columns); i++)
        if (sl_str_is(sl_str_of(PQgetvalue(due, row, 1)), columns[i][0]))
            (void)json_object_set_new(data, columns[i][1], json_string(PQgetvalue(due, row, 2)));
    bool is_orphan = sl_str_is(sl_str_of(PQgetvalue(due, row, 6)), "orphan");
    if (is_orphan && !PQgetisnull(due, row, 7))
        (void)json_object_set_new(data, "tailscale_device_id", json_string(PQgetvalue(due, row, 7)));
    return data;
}

static bool fix_one(struct ctl *ctl, const PGresult *due, int row, char ret_event_id[SL_UUID_TEXT_BYTES],
                    struct sl_err *err)
{
    const char *agent_id = PQgetvalue(due, row, 4);
    const char *user_id = PQgetvalue(due, row, 5);
    char target[64];
    SL_PG_AUTO *asked = NULL;
    SL_JSON_AUTO *data = repair_data(due, row);
    char *detail = json_dumps(data, JSON_COMPACT);
    (void)snprintf(target, sizeof(target), "agent:%.36s", agent_id);
    bool ok = audit_write(ctl, "reconcile_fix_asked", target, user_id, detail, err) &&
              command_publish(ctl, "agent.repair", user_id, agent_id, json_incref(data), ret_event_id, err);
    free(detail);
    const char *values[] = {agent_id, ret_event_id};
    return ok && query_run(ctl, ASKED, values, 2, &asked, err);
}

static bool is_agreed(const struct ctl *ctl, int count)
{
    char answer[8] = "";
    if (ctl->options.yes)
        return true;
    if (!isatty(STDIN_FILENO)) {
        (void)fprintf(stderr, "sluicectl: reconcile --fix changes things: give --yes\n");
        return false;
    }
    printf("mend %d of them? [y/N] ", count);
    (void)fflush(stdout);
    return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* To stderr with --json, so that stdout stays one document. */
static enum ctl_exit fix(struct ctl *ctl, const char *at, int64_t grace_ms, int64_t wait_s)
{
    struct sl_err err = {0};
    char grace[24];
    char limit[24];
    SL_PG_AUTO *due = NULL;
    (void)snprintf(grace, sizeof(grace), "%" PRId64, grace_ms);
    (void)snprintf(limit, sizeof(limit), "%d", FIXES_MAX);
    const char *values[] = {at, grace, limit};
    if (!query_run(ctl, DUE, values, 3, &due, &err))
        return ctl_fail(&err);
    int count = PQntuples(due);
    if (count == 0) {
        (void)fprintf(stderr,
                      "nothing to mend now: a finding is mended when a second look has seen it, with the same books,"
                      " %" PRId64 " s after the first\n",
                      grace_ms / 1000);
        return CTL_FOUND;
    }
    if (ctl->options.dry_run) {
        for (int row = 0; row < count; row++)
            (void)fprintf(stderr, "would mend %s %s %s (%s) of agent %s\n", PQgetvalue(due, row, 0),
                          PQgetvalue(due, row, 1), PQgetvalue(due, row, 2), PQgetvalue(due, row, 6),
                          PQgetvalue(due, row, 4));
        return CTL_FOUND;
    }
    if (!is_agreed(ctl, count))
        return CTL_USAGE;
    enum ctl_exit code = CTL_DONE;
    for (int row = 0; row < count; row++) {
        if (progress_is_interrupted()) {
            (void)fprintf(stderr, "interrupted: %d of %d were asked for; run it again to go on\n", row, count);
            return CTL_FOUND;
        }
        char event_id[SL_UUID_TEXT_BYTES];
        if (!fix_one(ctl, due, row, event_id, &err))
            return ctl_fail(&err);
        if (ctl->options.json) {
            (void)fprintf(stderr, "asked for %s %s %s: event %s\n", PQgetvalue(due, row, 1), PQgetvalue(due, row, 2),
                          PQgetvalue(due, row, 6), event_id);
            continue;
        }
        printf("%s %s %s: ", PQgetvalue(due, row, 1), PQgetvalue(due, row, 2), PQgetvalue(due, row, 6));
        enum ctl_exit one = command_await(ctl, event_id, wait_s);
        code = one > code ? one : code;
    }
    return code;
}

static bool read_options(struct ctl *ctl, int64_t *ret_grace_ms, int64_t *ret_wait_s, struct sl_err *err)
{
    const int64_t now_ms = sl_clock_wall_ms();
    int64_t since_ms = 0;
    if (!options_int(&ctl->options, OPTION_WAIT, 15, 0, 600, ret_wait_s, err) ||
        !options_time(&ctl->options, OPTION_GRACE, now_ms, &since_ms, err))
        return false;
    *ret_grace_ms = since_ms ? now_ms - since_ms : sl_config_int(ctl->config, "worker", "orphan_grace");
    return true;
}

static enum ctl_exit show_and_fix(struct ctl *ctl, const struct look *look, int64_t grace_ms, int64_t wait_s)
{
    struct sl_err err = {0};
    char at[SL_CLOCK_ISO_BYTES];
    sl_clock_format_iso(look->began_at_ms, at);
    if (!(ctl->options.json ? print_json(ctl, look, at, &err) : print_tables(ctl, look, at, &err)))
        return ctl_fail(&err);
    int unseen = say_unseen(look);
    enum ctl_exit code = look->findings.count ? CTL_FOUND : CTL_DONE;
    if (ctl->options.fix && look->findings.count)
        code = fix(ctl, at, grace_ms, wait_s);
    return unseen && code != CTL_USAGE ? CTL_UNAVAILABLE : code;
}

enum ctl_exit reconcile_run(struct ctl *ctl)
{
    struct sl_err err = {0};
    struct ask ask;
    struct look look;
    int64_t grace_ms = 0;
    int64_t wait_s = 0;
    if (!read_options(ctl, &grace_ms, &wait_s, &err)) {
        (void)ctl_fail(&err);
        return CTL_USAGE;
    }
    struct sl_pg *pg = query_session(ctl, &err);
    if (!pg || !ask_init(&ask, ctl->config, &err))
        return ctl_fail(&err);
    progress_catch_signals();
    ask.stopping = progress_stopping;
    bool looked = ledger_look(pg, &ask, true, &look, &err);
    ask_deinit(&ask);
    if (!looked)
        return ctl_fail(&err);
    enum ctl_exit code = show_and_fix(ctl, &look, grace_ms, wait_s);
    ledger_look_deinit(&look);
    return code;
}
