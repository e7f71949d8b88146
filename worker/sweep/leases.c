/* leases.c - jobs whose worker is gone go back to the queue: the fence is raised, so that the worker writes nothing if
 * it was only slow, and no attempt is counted. A settled job is left alone: its outcome is on its way to apply.
 */
#include "common/fault.h"
#include "common/log.h"
#include "worker/sweep/chores.h"

#define LEASES_AT_ONCE_MAX 500

static const char RECLAIM[] =
    "WITH lost AS (SELECT id, worker FROM sluice.jobs WHERE status = 'running' AND NOT settled AND lease_until < now()"
    " ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)"
    " UPDATE sluice.jobs j SET status = 'queued', run_after = now(), fence = j.fence + 1, worker = NULL,"
    " lease_until = NULL, updated_at = now() FROM lost WHERE j.id = lost.id"
    " RETURNING j.id, j.user_id, j.kind, coalesce(j.step, ''), coalesce(lost.worker, '')";

bool leases_reclaim(struct sweeper *sweeper, bool *ret_more, struct sl_err *err)
{
    struct sl_pg_params limit;
    SL_PG_AUTO *lost = NULL;
    sl_pg_params_init(&limit, sweeper->arena);
    sl_pg_int8(&limit, LEASES_AT_ONCE_MAX);
    if (!sl_pg_run(sweeper->pg, RECLAIM, &limit, &lost, err))
        return false;
    int count = PQntuples(lost);
    sl_fault_if(count > 0, "sweep.after_leases");
    for (int row = 0; row < count; row++) {
        char id[SL_UUID_TEXT_BYTES];
        sl_uuid_format(sl_pg_get_uuid(lost, row, 0), id);
        sl_log(SL_LOG_WARN, "leases", "a job's lease ran out: queued again", LOG_CSTR("job", id),
               LOG_STR("user", sl_pg_get_text(lost, row, 1)), LOG_STR("kind", sl_pg_get_text(lost, row, 2)),
               LOG_STR("step", sl_pg_get_text(lost, row, 3)), LOG_STR("worker", sl_pg_get_text(lost, row, 4)));
    }
    sl_metric_add(sweeper->leases_total, count);
    *ret_more = count == LEASES_AT_ONCE_MAX;
    if (count)
        sweeper->wake(sweeper->wake_arg);
    return true;
}
