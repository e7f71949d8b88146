/* calls.c - the ring of ended calls and its INSERT. */
#include "worker/execute/calls.h"

#include <stdlib.h>

static const char INSERT_CALLS[] =
    "INSERT INTO sluice.job_calls (job_id, fence, step, attempt, cloud, method, path, status, verdict, error, took_ms, "
    "at, number)"
    " SELECT job_id, fence, step, attempt, cloud, method, path, status, verdict, error, took_ms, at, number"
    " FROM unnest($1::uuid[], $2::int8[], $3::text[], $4::int4[], $5::text[], $6::text[], $7::text[], $8::int4[],"
    " $9::text[], $10::text[], $11::int4[], $12::timestamptz[], $13::int4[]) WITH ORDINALITY"
    " AS c (job_id, fence, step, attempt, cloud, method, path, status, verdict, error, took_ms, at, number, position)"
    " ORDER BY position ON CONFLICT (job_id, fence, number) DO NOTHING";

void calls_init(struct calls *calls)
{
    *calls = (struct calls){.ring = sl_calloc(CALLS_MAX, sizeof(*calls->ring))};
}

void calls_deinit(struct calls *calls)
{
    free(calls->ring);
    *calls = (struct calls){0};
}

bool calls_room(const struct calls *calls, size_t in_flight)
{
    return calls->count + in_flight < CALLS_MAX;
}

struct call_record *calls_add(struct calls *calls)
{
    SL_ASSERT(calls->count < CALLS_MAX);
    struct call_record *record = &calls->ring[(calls->first + calls->count++) % CALLS_MAX];
    *record = (struct call_record){0};
    return record;
}

bool calls_queue(struct calls *calls, struct sl_pg *pg, struct sl_arena *arena, int *ret_count, struct sl_err *err)
{
    calls->writing = calls->count < CALLS_AT_ONCE_MAX ? calls->count : CALLS_AT_ONCE_MAX;
    *ret_count = 0;
    if (calls->writing == 0)
        return true;
    static const enum sl_pg_type types[] = {SL_PG_UUID, SL_PG_INT8,        SL_PG_TEXT, SL_PG_INT4, SL_PG_TEXT,
                                            SL_PG_TEXT, SL_PG_TEXT,        SL_PG_INT4, SL_PG_TEXT, SL_PG_TEXT,
                                            SL_PG_INT4, SL_PG_TIMESTAMPTZ, SL_PG_INT4};
    struct sl_pg_array *columns[SL_ARRAY_LEN(types)];
    for (size_t i = 0; i < SL_ARRAY_LEN(types); i++)
        columns[i] = sl_pg_array_create(arena, types[i]);
    for (size_t i = 0; i < calls->writing; i++) {
        const struct call_record *record = &calls->ring[(calls->first + i) % CALLS_MAX];
        sl_pg_array_uuid(columns[0], record->job_id);
        sl_pg_array_int(columns[1], record->fence);
        sl_pg_array_text(columns[2], sl_str_of(record->step));
        sl_pg_array_int(columns[3], record->attempt);
        sl_pg_array_text(columns[4], sl_str_of(record->cloud));
        sl_pg_array_text(columns[5], sl_str_of(record->method));
        sl_pg_array_text(columns[6], sl_str_of(record->path));
        sl_pg_array_int(columns[7], record->status);
        sl_pg_array_text(columns[8], sl_str_of(verdict_name(record->verdict)));
        sl_pg_array_text_or_null(columns[9], sl_str_of(record->error));
        sl_pg_array_int(columns[10], record->took_ms > INT32_MAX ? INT32_MAX : record->took_ms);
        sl_pg_array_at_ms_or_null(columns[11], record->at_ms);
        sl_pg_array_int(columns[12], record->number);
    }
    struct sl_pg_params params;
    sl_pg_params_init(&params, arena);
    for (size_t i = 0; i < SL_ARRAY_LEN(types); i++)
        sl_pg_array(&params, columns[i]);
    *ret_count = 1;
    return sl_pg_queue(pg, INSERT_CALLS, &params, err);
}

void calls_committed(struct calls *calls)
{
    calls->first = (calls->first + calls->writing) % CALLS_MAX;
    calls->count -= calls->writing;
    calls->writing = 0;
}

void calls_rolled_back(struct calls *calls)
{
    calls->writing = 0;
}

void calls_let_go(struct calls *calls)
{
    calls->writing = calls->count < CALLS_AT_ONCE_MAX ? calls->count : CALLS_AT_ONCE_MAX;
    calls_committed(calls);
}
