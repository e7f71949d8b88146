/* read.c - see read.h. */
#include "console/read.h"

#include <inttypes.h>
#include <stdio.h>

bool read_run(struct sl_pg *pg, const struct read_ask *ask, struct sl_arena *arena, struct sl_str *ret_json,
              bool *ret_found, struct sl_err *err)
{
    struct sl_pg_params params;
    SL_PG_AUTO *result = NULL;
    sl_pg_params_init(&params, arena);
    sl_pg_text(&params, ask->user_id);
    sl_pg_text(&params, ask->email);
    sl_pg_uuid(&params, ask->id);
    sl_pg_int8(&params, ask->limit);
    sl_pg_int8(&params, ask->has_after ? ask->after.number : -1);
    sl_pg_uuid(&params, ask->after.id);
    sl_pg_at_ms(&params, ask->now_ms);
    sl_pg_jsonb(&params, ask->plans);
    if (!sl_pg_run(pg, ask->read->sql, &params, &result, err))
        return false;
    if (PQntuples(result) == 0) {
        *ret_found = false;
        return true;
    }
    struct sl_str json = sl_pg_get_text(result, 0, 0);
    if (json.len > READ_ANSWER_BYTES_MAX)
        return sl_err_set(err, SL_ERR_PERMANENT, "the answer is larger than %zu bytes", READ_ANSWER_BYTES_MAX);
    *ret_json = sl_arena_str(arena, json);
    *ret_found = true;
    return true;
}

bool read_prepare(struct sl_pg *pg, int64_t statement_timeout_ms, struct sl_err *err)
{
    char script[160];
    (void)snprintf(script, sizeof(script),
                   "SET default_transaction_read_only = on; SET TimeZone = 'UTC'; SET statement_timeout = %" PRId64,
                   statement_timeout_ms);
    return sl_pg_script(pg, script, err);
}
