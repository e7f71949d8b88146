/* presence.c - this worker's row in sluice.workers, for sluicectl and the console; rows of those long gone are removed.
 */
#include <unistd.h>

#include "worker/sweep/chores.h"

#define HOST_BYTES_MAX 256

static const char NOTE[] =
    "INSERT INTO sluice.workers (id, host, pid, version, started_at, seen_at) VALUES ($1, $2, $3, $4, $5, now())"
    " ON CONFLICT (id) DO UPDATE SET seen_at = now()";
static const char FORGET[] = "DELETE FROM sluice.workers WHERE seen_at < now() - interval '1 day'";

bool presence_note(struct sweeper *sweeper, bool *ret_more, struct sl_err *err)
{
    char host[HOST_BYTES_MAX] = "unknown";
    struct sl_pg_params params;
    SL_PG_AUTO *noted = NULL;
    SL_PG_AUTO *forgotten = NULL;
    (void)ret_more;
    (void)gethostname(host, sizeof(host) - 1);
    sl_pg_params_init(&params, sweeper->arena);
    sl_pg_text(&params, sl_str_of(sweeper->worker_id));
    sl_pg_text(&params, sl_str_of(host));
    sl_pg_int4(&params, (int32_t)getpid());
    sl_pg_text(&params, SL_STR(SLUICE_VERSION));
    sl_pg_at_ms(&params, sweeper->started_at_ms);
    return sl_pg_run(sweeper->pg, NOTE, &params, &noted, err) && sl_pg_run(sweeper->pg, FORGET, NULL, &forgotten, err);
}
