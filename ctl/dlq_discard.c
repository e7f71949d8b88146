/* dlq_discard.c - sluicectl dlq discard: letters given up, in portions, each with its audit in one statement.
 *
 * The sweep publishes what was held behind a letter once its user has no open one; nothing else is to be done here. A
 * letter whose replay is under way is left to the decision on it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "ctl/command.h"
#include "ctl/dlq.h"
#include "ctl/query.h"

#define PORTION 1000

static const char COUNT[] =
    "SELECT count(*) FILTER (WHERE l.replayed_at IS NULL), count(*) FILTER (WHERE l.replayed_at IS NOT NULL),"
    " (SELECT count(*) FROM sluice.held_events h WHERE h.user_id IN (SELECT l.user_id FROM sluice.dead_letters l"
    "  WHERE l.status = 'open' AND" DLQ_FILTER "))"
    " FROM sluice.dead_letters l WHERE l.status = 'open' AND" DLQ_FILTER;
static const char DISCARD[] =
    "WITH chosen AS (SELECT l.id FROM sluice.dead_letters l WHERE l.status = 'open' AND l.replayed_at IS NULL"
    " AND" DLQ_FILTER " ORDER BY l.id LIMIT $10::bigint FOR UPDATE),"
    " closed AS (UPDATE sluice.dead_letters l SET status = 'discarded', closed_at = now(), closed_by = $11::text,"
    "  reason = $12::text FROM chosen c WHERE l.id = c.id AND l.status = 'open' AND l.replayed_at IS NULL"
    "  RETURNING l.id, l.user_id, l.event_id, l.stage, l.cause, l.error),"
    " told AS (INSERT INTO sluice.audit_log (at, actor, user_id, action, target, event_id, detail)"
    "  SELECT now(), $11::text, c.user_id, 'dead_letter_discarded', 'letter:' || c.id, c.event_id,"
    "  jsonb_build_object('stage', c.stage, 'cause', c.cause, 'error', c.error, 'reason', $12::text) FROM closed c)"
    " SELECT count(*) FROM closed";

static bool confirmed(const struct ctl *ctl, const PGresult *counts)
{
    char answer[8] = "";
    if (ctl->options.yes)
        return true;
    if (!isatty(STDIN_FILENO)) {
        (void)fprintf(stderr, "sluicectl: dlq discard gives %s letters up for good: give --yes\n",
                      PQgetvalue(counts, 0, 0));
        return false;
    }
    printf("Give %s letters up for good? %s events wait behind their users' letters. [y/N] ", PQgetvalue(counts, 0, 0),
           PQgetvalue(counts, 0, 2));
    (void)fflush(stdout);
    return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static bool discard(struct ctl *ctl, const struct dlq_filter *filter, int64_t limit, int64_t *ret_done,
                    struct sl_err *err)
{
    const char *values[DLQ_FILTER_PARAMS + 3];
    char actor[COMMAND_ACTOR_BYTES];
    char portion[24];
    int64_t done = 0;
    command_actor(actor);
    memcpy(values, filter->values, sizeof(filter->values));
    values[DLQ_FILTER_PARAMS] = portion;
    values[DLQ_FILTER_PARAMS + 1] = actor;
    values[DLQ_FILTER_PARAMS + 2] = ctl->options.values[OPTION_REASON];
    for (int64_t last = 1; last && done < limit; done += last) {
        SL_PG_AUTO *row = NULL;
        (void)snprintf(portion, sizeof(portion), "%" PRId64, limit - done < PORTION ? limit - done : PORTION);
        *ret_done = done;
        if (!query_run(ctl, DISCARD, values, SL_ARRAY_LEN(values), &row, err))
            return false;
        bool ok = sl_str_to_int64(sl_str_of(PQgetvalue(row, 0, 0)), &last);
        SL_ASSERT(ok);
    }
    *ret_done = done;
    return true;
}

static enum ctl_exit say_dry(const struct ctl *ctl, const PGresult *counts)
{
    const char *letters = PQgetvalue(counts, 0, 0);
    if (ctl->options.json)
        printf("{\"would_discard\": %s, \"under_way\": %s}\n", letters, PQgetvalue(counts, 0, 1));
    else
        printf(
            "%s letters would be discarded (--limit not counted), %s are under way; %s events wait behind their users' "
            "letters\n",
            letters, PQgetvalue(counts, 0, 1), PQgetvalue(counts, 0, 2));
    return CTL_DONE;
}

enum ctl_exit dlq_discard(struct ctl *ctl)
{
    struct sl_err err = {0};
    struct dlq_filter filter;
    SL_PG_AUTO *counts = NULL;
    int64_t limit = 0;
    int64_t done = 0;
    if (!dlq_filter_make(&ctl->options, "open", sl_clock_wall_ms(), &filter, &err) ||
        !dlq_filter_is_meant(&ctl->options, &filter, &err) ||
        !options_int(&ctl->options, OPTION_LIMIT, INT64_C(1000000000), 1, INT64_C(1000000000), &limit, &err)) {
        (void)ctl_fail(&err);
        return CTL_USAGE;
    }
    if (!query_run(ctl, COUNT, filter.values, DLQ_FILTER_PARAMS, &counts, &err))
        return ctl_fail(&err);
    bool none = sl_str_is(sl_str_of(PQgetvalue(counts, 0, 0)), "0");
    if (none && sl_str_is(sl_str_of(PQgetvalue(counts, 0, 1)), "0") && dlq_filter_names_nothing(&filter))
        return CTL_FOUND;
    if (ctl->options.dry_run)
        return say_dry(ctl, counts);
    if (!none && !confirmed(ctl, counts))
        return CTL_USAGE;
    bool ok = none || discard(ctl, &filter, limit, &done, &err);
    if (ctl->options.json)
        printf("{\"discarded\": %" PRId64 ", \"under_way\": %s}\n", done, PQgetvalue(counts, 0, 1));
    else
        printf("%" PRId64 " letters were discarded; %s are under way and were left alone\n", done,
               PQgetvalue(counts, 0, 1));
    return ok ? CTL_DONE : ctl_fail(&err);
}
