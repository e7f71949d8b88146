/* leftovers.c - outbox rows that their own worker has not published: a crash after the commit, a broker away for long.
 *
 * One worker at a time, by an advisory lock that lasts as long as its session; which ends when the worker says nothing
 * for a while, as one that is stopped: the others' rows must not wait until it wakes. A row that is on its way from
 * here already is not produced twice; one that still flies in another worker may be, and consumers dedupe on ce_id.
 */
#include "common/fault.h"
#include "common/log.h"
#include "worker/sweep/chores.h"

#define ROWS_AT_ONCE_MAX  500
#define BYTES_AT_ONCE_MAX INT64_C(16777216)

/* presence.c is heard of every five seconds. */
static const char LEAD[] = "SELECT pg_try_advisory_lock(hashtext('sluice.outbox')),"
                           " set_config('idle_session_timeout', '10s', false)";
/* At least one row, whatever its size. */
static const char LEFT[] =
    "SELECT o.id, o.topic, o.key, o.headers, o.value FROM sluice.outbox o JOIN ("
    " SELECT id, sum(coalesce(octet_length(value), 0)) OVER (ORDER BY id) - coalesce(octet_length(value), 0) AS before"
    " FROM (SELECT id, value FROM sluice.outbox WHERE id > $1 AND created_at < now() - interval '10 seconds'"
    " ORDER BY id LIMIT $2) AS first) AS sized ON sized.id = o.id WHERE sized.before < $3 ORDER BY o.id";

static bool lead(struct sweeper *sweeper, struct sl_err *err)
{
    SL_PG_AUTO *result = NULL;
    if (sweeper->is_outbox_leader)
        return true;
    if (!sl_pg_run(sweeper->pg, LEAD, NULL, &result, err))
        return false;
    sweeper->is_outbox_leader = sl_pg_get_bool(result, 0, 0);
    return true;
}

/* False when the outbox is full: the row comes again. */
static bool adopt(struct sweeper *sweeper, const PGresult *rows, int row)
{
    struct sl_err err = {0};
    struct sl_str value = sl_pg_get_text(rows, row, 4);
    bool is_tombstone = sl_pg_is_null(rows, row, 4);
    if (outbox_adopt(sweeper->outbox, sl_pg_get_int(rows, row, 0), sl_pg_get_text(rows, row, 1),
                     sl_pg_get_text(rows, row, 2), sl_pg_get_text(rows, row, 3), is_tombstone ? NULL : &value, &err))
        return true;
    if (err.error_class == SL_ERR_RETRY)
        return false;
    sl_log(SL_LOG_ERROR, "leftovers", "an outbox row can't be published", LOG_INT("row", sl_pg_get_int(rows, row, 0)),
           LOG_ERR(&err));
    return true;
}

bool leftovers_publish(struct sweeper *sweeper, bool *ret_more, struct sl_err *err)
{
    struct sl_pg_params params;
    SL_PG_AUTO *rows = NULL;
    if (!lead(sweeper, err))
        return false;
    if (!sweeper->is_outbox_leader || outbox_is_full(sweeper->outbox))
        return true;
    sl_pg_params_init(&params, sweeper->arena);
    sl_pg_int8(&params, sweeper->outbox_cursor);
    sl_pg_int8(&params, ROWS_AT_ONCE_MAX);
    sl_pg_int8(&params, BYTES_AT_ONCE_MAX);
    if (!sl_pg_run(sweeper->pg, LEFT, &params, &rows, err))
        return false;
    int count = PQntuples(rows);
    sl_fault_if(count > 0, "sweep.before_leftovers");
    for (int row = 0; row < count && adopt(sweeper, rows, row); row++) {
        sweeper->outbox_cursor = sl_pg_get_int(rows, row, 0);
        sl_metric_add(sweeper->leftovers_total, 1);
    }
    sl_fault_if(count > 0, "sweep.after_leftovers");
    /* At the end the next round begins at the first row again. */
    if (!count)
        sweeper->outbox_cursor = 0;
    else
        *ret_more = !outbox_is_full(sweeper->outbox);
    return true;
}
