/* held.c - events held behind a dead letter go on once their user has none open: published again in the order they
 * came.
 *
 * Their rows stay until they are decided, so that apply keeps the order: what comes for that user meanwhile is held
 * behind them. A user's next ones go when all that went before are decided: what a crash left in the outbox for a
 * while would else be overtaken, and those behind it held, and published, again and again.
 */
#include "worker/sweep/chores.h"

#define HELD_AT_ONCE_MAX 500

static const char RELEASE[] =
    "WITH due AS (SELECT h.seq FROM sluice.held_events h WHERE h.released_at IS NULL AND NOT EXISTS ("
    " SELECT FROM sluice.dead_letters l WHERE l.user_id = h.user_id AND l.status = 'open'"
    " AND l.stage IN ('decide', 'commit')) AND NOT EXISTS (SELECT FROM sluice.held_events p"
    " WHERE p.user_id = h.user_id AND p.released_at IS NOT NULL) ORDER BY h.seq LIMIT $1 FOR UPDATE SKIP LOCKED),"
    " released AS (UPDATE sluice.held_events h SET released_at = now() FROM due WHERE h.seq = due.seq"
    " RETURNING h.seq, h.source, h.event_id, h.user_id, h.headers, h.value)"
    " INSERT INTO sluice.outbox (topic, key, headers, value)"
    " SELECT $2, convert_to(r.user_id, 'UTF8'), sluice.replay_headers(r.headers, r.user_id, e.generation + 1), r.value"
    " FROM released r CROSS JOIN LATERAL (SELECT generation, outcome FROM sluice.events"
    " WHERE id = r.event_id AND source = r.source LIMIT 1) AS e WHERE e.outcome = 'held'"
    " ORDER BY r.seq RETURNING id, topic, key, headers, value";
/* One worker at a time, so that a user's events are not published by two in an order of chance. */
static const char LOCK[] = "SELECT pg_advisory_xact_lock(hashtext('sluice.held'))";

bool held_release(struct sweeper *sweeper, bool *ret_more, struct sl_err *err)
{
    struct sl_pg_params params;
    PGresult *results[4] = {0};
    sl_pg_params_init(&params, sweeper->arena);
    sl_pg_int8(&params, HELD_AT_ONCE_MAX);
    sl_pg_text(&params, SL_STR(SL_TOPIC_EVENTS));
    if (!sl_pg_queue(sweeper->pg, SL_PG_BEGIN, NULL, err) || !sl_pg_queue(sweeper->pg, LOCK, NULL, err) ||
        !sl_pg_queue(sweeper->pg, RELEASE, &params, err) || !sl_pg_queue(sweeper->pg, SL_PG_COMMIT, NULL, err) ||
        !sl_pg_flush(sweeper->pg, results, SL_ARRAY_LEN(results), err)) {
        sl_pg_rollback(sweeper->pg);
        return false;
    }
    const PGresult *rows = results[2];
    int count = PQntuples(rows);
    bool taken = true;
    for (int row = 0; row < count && taken; row++) {
        struct sl_str value = sl_pg_get_text(rows, row, 4);
        /* What is not taken now is a left-over in ten seconds, and so are those behind it. */
        taken = outbox_adopt(sweeper->outbox, sl_pg_get_int(rows, row, 0), sl_pg_get_text(rows, row, 1),
                             sl_pg_get_text(rows, row, 2), sl_pg_get_text(rows, row, 3), &value, NULL);
    }
    sl_metric_add(sweeper->held_total, count);
    *ret_more = count == HELD_AT_ONCE_MAX;
    for (size_t i = 0; i < SL_ARRAY_LEN(results); i++)
        PQclear(results[i]);
    return true;
}
