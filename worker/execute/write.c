/* write.c - what is to be committed about flights, many in one transaction: intents, findings, ends, the calls made,
 * the events.
 *
 * Two trips: BEGIN and the UPDATE, which tells whose fence still holds; then the events of those, the calls, COMMIT.
 * Nothing is told of a flight whose row was not touched. A failure that would come again is cornered by halving the
 * batch, down to the one flight that causes it.
 */
#include "common/clock.h"
#include "common/fault.h"
#include "common/log.h"
#include "worker/execute/engine_internal.h"
#include "worker/execute/report.h"

#define CUT_OFF " w.status IN ('queued', 'waiting') AND w.may_cancel AND j.cancel_requested "

/* In id order, as apply locks them: so that nobody waits in a circle. */
static const char LOCK_JOBS[] = "SELECT id FROM sluice.jobs WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE";
/* One row for each flight. A job that is cancelled while it goes back to the queue or to wait for callbacks ends here
 * and now: nobody else would see the request. */
static const char UPDATE_JOBS[] =
    "UPDATE sluice.jobs j SET"
    "  status = CASE WHEN" CUT_OFF "THEN 'running' ELSE w.status END, settled = w.settled OR (" CUT_OFF "),"
    "  step = w.step, attempt = w.attempt, result = w.result,"
    "  error = CASE WHEN w.settled AND w.error IS NULL THEN NULL ELSE coalesce(w.error, j.error) END,"
    "  run_after = CASE WHEN w.status = 'queued' THEN now() + w.after_ms * interval '1 millisecond' ELSE j.run_after "
    "END,"
    "  lease_until = CASE WHEN w.status = 'running' AND NOT w.settled THEN now() + $11 * interval '1 millisecond' END,"
    "  worker = CASE WHEN w.status = 'running' THEN j.worker END, updated_at = now()"
    " FROM unnest($1::uuid[], $2::int8[], $3::text[], $4::bool[], $5::text[], $6::int4[], $7::jsonb[], $8::text[],"
    "  $9::int8[], $10::bool[]) WITH ORDINALITY"
    "  AS w (id, fence, status, settled, step, attempt, result, error, after_ms, may_cancel, place)"
    " WHERE j.id = w.id AND j.fence = w.fence AND j.status = 'running' AND NOT j.settled"
    " RETURNING w.place, j.cancel_requested, j.settled AND NOT w.settled";

static const char *status_of(const struct flight *flight)
{
    static const char *const statuses[FLIGHT_END_COUNT] = {
        [FLIGHT_END_NONE] = "running",       [FLIGHT_END_SUCCEEDED] = "running", [FLIGHT_END_FAILED] = "running",
        [FLIGHT_END_CANCELLED] = "running",  [FLIGHT_END_WAITING] = "waiting",   [FLIGHT_END_RETRY] = "queued",
        [FLIGHT_END_HANDED_BACK] = "queued",
    };
    return statuses[flight->end];
}

static bool settles(enum flight_end end)
{
    return end == FLIGHT_END_SUCCEEDED || end == FLIGHT_END_FAILED || end == FLIGHT_END_CANCELLED;
}

bool write_pending(const struct engine *engine)
{
    return engine->writes.count > 0 || engine->calls.count > 0 || outbox_has_confirmed(engine->outbox);
}

static bool queue_locks(struct engine *engine, struct flight *const *flights, size_t count, struct sl_err *err)
{
    struct sl_pg_array *ids = sl_pg_array_create(engine->arena, SL_PG_UUID);
    struct sl_pg_params params;
    for (size_t i = 0; i < count; i++)
        sl_pg_array_uuid(ids, flights[i]->job.id);
    sl_pg_params_init(&params, engine->arena);
    sl_pg_array(&params, ids);
    return sl_pg_queue(engine->pg, LOCK_JOBS, &params, err);
}

static bool queue_update(struct engine *engine, struct flight *const *flights, size_t count, struct sl_err *err)
{
    static const enum sl_pg_type types[] = {SL_PG_UUID, SL_PG_INT8,  SL_PG_TEXT, SL_PG_BOOL, SL_PG_TEXT,
                                            SL_PG_INT4, SL_PG_JSONB, SL_PG_TEXT, SL_PG_INT8, SL_PG_BOOL};
    struct sl_pg_array *columns[SL_ARRAY_LEN(types)];
    struct sl_buf json;
    for (size_t i = 0; i < SL_ARRAY_LEN(types); i++)
        columns[i] = sl_pg_array_create(engine->arena, types[i]);
    sl_buf_init(&json, FINDINGS_JSON_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct flight *flight = flights[i];
        sl_buf_reset(&json);
        bool fits = findings_write(&flight->job.found, &json);
        SL_ASSERT(fits); /* every finding is bounded */
        sl_pg_array_uuid(columns[0], flight->job.id);
        sl_pg_array_int(columns[1], flight->fence);
        sl_pg_array_text(columns[2], sl_str_of(status_of(flight)));
        sl_pg_array_bool(columns[3], settles(flight->end));
        sl_pg_array_text(columns[4], sl_str_of(flight->step->name));
        sl_pg_array_int(columns[5], flight->attempt);
        sl_pg_array_text(columns[6], sl_arena_str(engine->arena, sl_buf_str(&json)));
        sl_pg_array_text_or_null(columns[7], sl_str_of(flight->end == FLIGHT_END_NONE ? "" : flight->error));
        sl_pg_array_int(columns[8], flight->after_ms);
        sl_pg_array_bool(columns[9], flight->recipe->may_cancel);
    }
    sl_buf_deinit(&json);
    struct sl_pg_params params;
    sl_pg_params_init(&params, engine->arena);
    for (size_t i = 0; i < SL_ARRAY_LEN(types); i++)
        sl_pg_array(&params, columns[i]);
    sl_pg_int8(&params, engine->settings->lease_ms);
    return sl_pg_queue(engine->pg, UPDATE_JOBS, &params, err);
}

/* What the UPDATE said of each flight. */
struct written {
    struct flight *flight;
    bool kept; /* its fence held */
    bool cancel_requested;
    enum flight_end end; /* as written: an end that was cut off by a cancellation is CANCELLED */
};

static void read_update(const PGresult *result, struct written *written, size_t count)
{
    for (int row = 0; row < PQntuples(result); row++) {
        size_t place = (size_t)sl_pg_get_int(result, row, 0) - 1;
        SL_ASSERT(place < count && !written[place].kept);
        written[place].kept = true;
        written[place].cancel_requested = sl_pg_get_bool(result, row, 1);
        if (sl_pg_get_bool(result, row, 2))
            written[place].end = FLIGHT_END_CANCELLED;
    }
}

static void stage_events(struct engine *engine, const struct written *written, size_t count)
{
    int64_t now_ms = sl_clock_wall_ms();
    for (size_t i = 0; i < count; i++) {
        if (!written[i].kept || !(settles(written[i].end) || written[i].end == FLIGHT_END_WAITING))
            continue;
        struct sl_event event;
        report_event(written[i].flight, written[i].end, now_ms, engine->arena, &event);
        outbox_add_event(engine->outbox, SL_TOPIC_EVENTS, &event);
    }
}

/* The second trip. */
static bool commit(struct engine *engine, struct sl_err *err)
{
    PGresult *results[8] = {NULL};
    int call_count = 0;
    if (engine->write_part != WRITE_FLIGHT && !calls_queue(&engine->calls, engine->pg, engine->arena, &call_count, err))
        return false;
    bool staged = outbox_has_staged(engine->outbox);
    int outbox_count = outbox_queue(engine->outbox, engine->pg, engine->arena, err);
    if (outbox_count < 0 || !sl_pg_queue(engine->pg, SL_PG_COMMIT, NULL, err))
        return false;
    size_t count = (size_t)(call_count + outbox_count) + 1;
    sl_fault_if(staged, "execute.before_write_back");
    if (!sl_pg_flush(engine->pg, results, count, err))
        return false;
    sl_fault_if(staged, "execute.after_write_back");
    calls_committed(&engine->calls);
    outbox_committed(engine->outbox, staged ? results[count - 2] : NULL);
    sl_fault_if(staged, "execute.after_outbox");
    for (size_t i = 0; i < count; i++)
        PQclear(results[i]);
    return true;
}

static void log_end(const struct engine *engine, const struct flight *flight, enum flight_end end)
{
    enum sl_log_level level = end == FLIGHT_END_FAILED ? SL_LOG_WARN : SL_LOG_INFO;
    sl_metric_add(sl_metric_with(engine->jobs_total, job_kind_name(flight->recipe->kind), flight_end_name(end)), 1);
    sl_log(level, "execute", "job left", LOG_CSTR("end", flight_end_name(end)), LOG_CSTR("job", flight->job.id_text),
           LOG_CSTR("kind", job_kind_name(flight->recipe->kind)), LOG_CSTR("agent", flight->job.agent_text),
           LOG_CSTR("user", flight->job.user_id), LOG_CSTR("step", flight->step->name),
           LOG_INT("attempt", flight->attempt), LOG_INT("fence", flight->fence), LOG_CSTR("reason", flight->error),
           LOG_INT("again_in_ms", flight->after_ms));
}

/* After the commit, each flight goes on, or is over. */
static void go_on(struct engine *engine, const struct written *written, int64_t lease_until_mono_ms)
{
    struct flight *flight = written->flight;
    write_set_remove(&engine->writes, flight);
    if (!written->kept) {
        drive_lost(engine, flight);
        return;
    }
    if (flight->state == FLIGHT_ENDING) {
        log_end(engine, flight, written->end);
        if (written->end == FLIGHT_END_RETRY || written->end == FLIGHT_END_HANDED_BACK) {
            int64_t again_at_ms = sl_clock_mono_ms() + flight->after_ms;
            if (again_at_ms < engine->claim_at_mono_ms)
                engine->claim_at_mono_ms = again_at_ms;
        }
        drive_free(engine, flight);
        return;
    }
    flight->lease_until_mono_ms = lease_until_mono_ms;
    if (written->cancel_requested && !flight->cancel_requested)
        drive_cancel_asked(engine, flight);
    if (flight->state != FLIGHT_INTENT)
        return;
    sl_fault("execute.after_intent");
    flight->intent_committed = true;
    if (flight->cancel_requested && flight->recipe->may_cancel)
        drive_end(engine, flight, FLIGHT_END_CANCELLED, 0, "cancelled on request");
    else if (engine->drain != DRAIN_NOT)
        drive_end(engine, flight, FLIGHT_END_HANDED_BACK, 0, "");
    else
        drive_call(engine, flight);
}

/* Postgres refuses this for good. With more than one flight in it, fewer next time; alone, without the calls' rows;
 * when that fails as well, it is let go: its lease runs out. */
static void corner(struct engine *engine, struct flight *const *flights, size_t count, const struct sl_err *err)
{
    if (count > 1) {
        engine->writes_at_once = count / 2;
        return;
    }
    if (count == 1 && engine->write_part == WRITE_ALL && engine->calls.count > 0) {
        engine->writes_at_once = 1;
        engine->write_part = WRITE_FLIGHT;
        return;
    }
    engine->writes_at_once = ENGINE_WRITES_AT_ONCE_MAX;
    engine->write_part = WRITE_ALL;
    if (count == 0) {
        sl_log(SL_LOG_ERROR, "execute", "rows of job_calls can't be written: they are let go", LOG_ERR(err));
        calls_let_go(&engine->calls);
        return;
    }
    struct flight *flight = flights[0];
    sl_log(SL_LOG_ERROR, "execute", "what is to be written about a job can't be: it is let go",
           LOG_CSTR("job", flight->job.id_text), LOG_CSTR("user", flight->job.user_id),
           LOG_CSTR("step", flight->step->name), LOG_ERR(err));
    write_set_remove(&engine->writes, flight);
    drive_lost(engine, flight);
}

static bool run_transaction(struct engine *engine, struct flight *const *flights, size_t count, struct written *written,
                            struct sl_err *err)
{
    PGresult *results[3] = {NULL};
    if (!sl_pg_queue(engine->pg, SL_PG_BEGIN, NULL, err))
        return false;
    if (count > 0 && (!queue_locks(engine, flights, count, err) || !queue_update(engine, flights, count, err)))
        return false;
    if (!sl_pg_flush(engine->pg, results, count > 0 ? 3 : 1, err))
        return false;
    if (count > 0)
        read_update(results[2], written, count);
    for (size_t i = 0; i < SL_ARRAY_LEN(results); i++)
        PQclear(results[i]);
    stage_events(engine, written, count);
    return commit(engine, err);
}

bool write_some(struct engine *engine, struct sl_err *err)
{
    struct flight *flights[ENGINE_WRITES_AT_ONCE_MAX];
    struct written written[ENGINE_WRITES_AT_ONCE_MAX];
    int64_t began_ms = sl_clock_mono_ms();
    int64_t lease_until_mono_ms = began_ms + engine->settings->lease_ms;
    size_t count = write_set_first(&engine->writes, engine->writes_at_once, ENGINE_WRITE_BYTES_MAX);
    if (engine->write_part == WRITE_CALLS)
        count = 0;
    sl_arena_reset(engine->arena);
    for (size_t i = 0; i < count; i++) {
        flights[i] = engine->writes.items[i];
        written[i] = (struct written){.flight = flights[i], .end = flights[i]->end};
        sl_fault_if(flights[i]->state == FLIGHT_INTENT, "execute.before_intent");
    }
    if (!run_transaction(engine, flights, count, written, err)) {
        outbox_rolled_back(engine->outbox);
        calls_rolled_back(&engine->calls);
        sl_pg_rollback(engine->pg);
        if (err->error_class == SL_ERR_RETRY)
            return false;
        corner(engine, flights, count, err);
        return false;
    }
    engine->writes_at_once = ENGINE_WRITES_AT_ONCE_MAX;
    engine->write_part = engine->write_part == WRITE_FLIGHT ? WRITE_CALLS : WRITE_ALL;
    sl_metric_add(engine->writes_total, (int64_t)count);
    sl_metric_observe_ms(engine->write_seconds, (double)(sl_clock_mono_ms() - began_ms));
    for (size_t i = 0; i < count; i++)
        go_on(engine, &written[i], lease_until_mono_ms);
    return true;
}
