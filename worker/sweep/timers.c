/* timers.c - due timers become timer.* events on their user's partition, where the rules decide what they mean.
 *
 * A timer that is moved or cancelled meanwhile fires in vain: the event says what it was set to, and the rule compares.
 */
#include "common/buf.h"
#include "common/clock.h"
#include "common/fault.h"
#include "common/json.h"
#include "worker/sweep/chores.h"

#define TIMERS_AT_ONCE_MAX 500
#define BODY_BYTES_MAX     16384

static const char DUE[] =
    "SELECT id, user_id, kind, subject, due_at FROM sluice.timers"
    " WHERE due_at <= now() AND fired_at IS NULL AND cancelled_at IS NULL ORDER BY due_at, id LIMIT $1"
    " FOR UPDATE SKIP LOCKED";
static const char FIRED[] = "UPDATE sluice.timers SET fired_at = now() WHERE id = ANY($1::uuid[])";

static struct sl_str body_of(struct sl_arena *arena, const PGresult *due, int row, const char *due_at)
{
    char id[SL_UUID_TEXT_BYTES];
    struct sl_buf body;
    sl_uuid_format(sl_pg_get_uuid(due, row, 0), id);
    sl_buf_init(&body, BODY_BYTES_MAX);
    (void)sl_buf_printf(&body, "{\"timer_id\":\"%s\",\"kind\":", id);
    (void)sl_json_write_str(&body, sl_pg_get_text(due, row, 2));
    (void)sl_buf_append_cstr(&body, ",\"subject\":");
    (void)sl_json_write_str(&body, sl_pg_get_text(due, row, 3));
    (void)sl_buf_printf(&body, ",\"due_at\":\"%s\",\"user_id\":", due_at);
    (void)sl_json_write_str(&body, sl_pg_get_text(due, row, 1));
    (void)sl_buf_append_char(&body, '}');
    SL_ASSERT(!body.overflow); /* kinds are ours, subjects and users are bounded */
    struct sl_str copy = sl_arena_str(arena, sl_buf_str(&body));
    sl_buf_deinit(&body);
    return copy;
}

static void stage(struct sweeper *sweeper, const PGresult *due, int row)
{
    char due_at[SL_CLOCK_ISO_BYTES];
    char id[SL_UUID_TEXT_BYTES];
    int64_t due_at_ms = sl_pg_get_at_ms(due, row, 4);
    struct sl_str due_text = sl_arena_printf(sweeper->arena, "%lld", (long long)due_at_ms);
    struct sl_str kind = sl_pg_get_text(due, row, 2);
    sl_clock_format_iso(due_at_ms, due_at);
    sl_uuid_format(sl_uuid_v5(sl_pg_get_uuid(due, row, 0), &due_text, 1), id);
    const struct sl_event event = {
        .id = sl_str_of(id),
        .source = SL_STR("/sluice/sweep"),
        .type = sl_arena_printf(sweeper->arena, "timer.%" SL_STR_FMT, SL_STR_ARG(kind)),
        .subject = sl_pg_get_text(due, row, 3),
        .partition_key = sl_pg_get_text(due, row, 1),
        .content_type = SL_STR("application/json"),
        .data = body_of(sweeper->arena, due, row, due_at),
        .time_ms = due_at_ms,
        .received_at_ms = sl_clock_wall_ms(),
    };
    outbox_add_event(sweeper->outbox, SL_TOPIC_EVENTS, &event);
}

static bool queue_fired(struct sweeper *sweeper, const PGresult *due, struct sl_err *err)
{
    struct sl_pg_params params;
    struct sl_pg_array *ids = sl_pg_array_create(sweeper->arena, SL_PG_UUID);
    for (int row = 0; row < PQntuples(due); row++) {
        sl_pg_array_uuid(ids, sl_pg_get_uuid(due, row, 0));
        stage(sweeper, due, row);
    }
    sl_pg_params_init(&params, sweeper->arena);
    sl_pg_array(&params, ids);
    return sl_pg_queue(sweeper->pg, FIRED, &params, err);
}

bool timers_fire(struct sweeper *sweeper, bool *ret_more, struct sl_err *err)
{
    struct sl_pg_params limit;
    PGresult *results[2] = {0};
    sl_pg_params_init(&limit, sweeper->arena);
    sl_pg_int8(&limit, TIMERS_AT_ONCE_MAX);
    if (!sl_pg_queue(sweeper->pg, SL_PG_BEGIN, NULL, err) || !sl_pg_queue(sweeper->pg, DUE, &limit, err) ||
        !sl_pg_flush(sweeper->pg, results, SL_ARRAY_LEN(results), err)) {
        sl_pg_rollback(sweeper->pg);
        return false;
    }
    int count = PQntuples(results[1]);
    bool ok = count == 0 || queue_fired(sweeper, results[1], err);
    PQclear(results[0]);
    PQclear(results[1]);
    if (!ok || !count) {
        outbox_rolled_back(sweeper->outbox);
        sl_pg_rollback(sweeper->pg);
        return ok;
    }
    sl_fault("sweep.before_timers");
    if (!chores_commit(sweeper, err))
        return false;
    sl_metric_add(sweeper->timers_total, count);
    *ret_more = count == TIMERS_AT_ONCE_MAX;
    return true;
}
