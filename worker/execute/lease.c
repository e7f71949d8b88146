/* lease.c - keeps the leases of all flights, and writes down what is seen of the clouds. */
#include "common/clock.h"
#include "common/fault.h"
#include "worker/execute/engine_internal.h"

#define CLOUD_STATE_EVERY_MS 5000
#define RENEWALS_PER_LEASE   3

static const char RENEW[] = "UPDATE sluice.jobs j SET lease_until = now() + $3 * interval '1 millisecond'"
                            " FROM unnest($1::uuid[], $2::int8[]) WITH ORDINALITY AS w (id, fence, place)"
                            " WHERE j.id = w.id AND j.fence = w.fence AND j.status = 'running' AND NOT j.settled"
                            " RETURNING w.place, j.cancel_requested";

static const char CLOUD_STATE[] =
    "INSERT INTO sluice.cloud_state (cloud, worker, breaker, reason, remaining, reset_at, updated_at)"
    " SELECT cloud, $1, breaker, reason, remaining, reset_at, now()"
    " FROM unnest($2::text[], $3::text[], $4::text[], $5::int4[], $6::timestamptz[])"
    "  AS s (cloud, breaker, reason, remaining, reset_at)"
    " ON CONFLICT (cloud, worker) DO UPDATE SET breaker = excluded.breaker, reason = excluded.reason,"
    "  remaining = excluded.remaining, reset_at = excluded.reset_at, updated_at = excluded.updated_at";

static void renewed(struct engine *engine, struct flight *const *flights, size_t count, const PGresult *result,
                    int64_t lease_until_mono_ms)
{
    bool *kept = sl_arena_alloc(engine->arena, count, sizeof(*kept));
    for (int row = 0; row < PQntuples(result); row++) {
        size_t place = (size_t)sl_pg_get_int(result, row, 0) - 1;
        SL_ASSERT(place < count);
        kept[place] = true;
        flights[place]->lease_until_mono_ms = lease_until_mono_ms;
        if (sl_pg_get_bool(result, row, 1) && !flights[place]->cancel_requested)
            drive_cancel_asked(engine, flights[place]);
    }
    for (size_t i = 0; i < count; i++)
        if (!kept[i])
            drive_lost(engine, flights[i]);
}

bool lease_renew(struct engine *engine, struct sl_err *err)
{
    int64_t mono_ms = sl_clock_mono_ms();
    engine->renew_at_mono_ms = mono_ms + engine->settings->lease_ms / RENEWALS_PER_LEASE;
    if (engine->flying == 0)
        return true;
    sl_arena_reset(engine->arena);
    struct flight **flights = sl_arena_alloc(engine->arena, engine->pool.capacity, sizeof(struct flight *));
    struct sl_pg_array *ids = sl_pg_array_create(engine->arena, SL_PG_UUID);
    struct sl_pg_array *fences = sl_pg_array_create(engine->arena, SL_PG_INT8);
    size_t count = 0;
    for (size_t i = 0; i < engine->pool.capacity; i++) {
        struct flight *flight = &engine->pool.flights[i];
        if (flight->state == FLIGHT_FREE || flight->state == FLIGHT_ENDING || flight->lost)
            continue;
        sl_pg_array_uuid(ids, flight->job.id);
        sl_pg_array_int(fences, flight->fence);
        flights[count++] = flight;
    }
    if (count == 0)
        return true;
    struct sl_pg_params params;
    SL_PG_AUTO *result = NULL;
    sl_pg_params_init(&params, engine->arena);
    sl_pg_array(&params, ids);
    sl_pg_array(&params, fences);
    sl_pg_int8(&params, engine->settings->lease_ms);
    if (!sl_pg_run(engine->pg, RENEW, &params, &result, err))
        return false;
    sl_fault("execute.after_renew");
    renewed(engine, flights, count, result, mono_ms + engine->settings->lease_ms);
    return true;
}

bool lease_write_cloud_state(struct engine *engine, struct sl_err *err)
{
    int64_t mono_ms = sl_clock_mono_ms();
    int64_t wall_ms = sl_clock_wall_ms();
    sl_arena_reset(engine->arena);
    struct sl_pg_array *clouds = sl_pg_array_create(engine->arena, SL_PG_TEXT);
    struct sl_pg_array *breakers = sl_pg_array_create(engine->arena, SL_PG_TEXT);
    struct sl_pg_array *reasons = sl_pg_array_create(engine->arena, SL_PG_TEXT);
    struct sl_pg_array *remainders = sl_pg_array_create(engine->arena, SL_PG_INT4);
    struct sl_pg_array *resets = sl_pg_array_create(engine->arena, SL_PG_TIMESTAMPTZ);
    for (int id = CLOUD_NONE + 1; id < CLOUD_COUNT; id++) {
        struct lane *lane = &engine->lanes[id];
        int64_t remaining = limiter_remaining(&lane->limiter, wall_ms);
        sl_pg_array_text(clouds, sl_str_of(lane->cloud->name));
        sl_pg_array_text(breakers, sl_str_of(breaker_state_name(lane->breaker.state)));
        sl_pg_array_text_or_null(reasons, sl_str_of(lane->breaker.reason));
        if (remaining < 0)
            sl_pg_array_null(remainders);
        else
            sl_pg_array_int(remainders, remaining > INT32_MAX ? INT32_MAX : remaining);
        sl_pg_array_at_ms_or_null(resets, lane->limiter.known ? lane->limiter.reset_at_ms : 0);
    }
    struct sl_pg_params params;
    SL_PG_AUTO *result = NULL;
    sl_pg_params_init(&params, engine->arena);
    sl_pg_text(&params, sl_str_of(engine->worker_id));
    sl_pg_array(&params, clouds);
    sl_pg_array(&params, breakers);
    sl_pg_array(&params, reasons);
    sl_pg_array(&params, remainders);
    sl_pg_array(&params, resets);
    if (!sl_pg_run(engine->pg, CLOUD_STATE, &params, &result, err))
        return false;
    for (int id = CLOUD_NONE + 1; id < CLOUD_COUNT; id++)
        engine->lanes[id].changed = false;
    engine->state_at_mono_ms = mono_ms + CLOUD_STATE_EVERY_MS;
    return true;
}
