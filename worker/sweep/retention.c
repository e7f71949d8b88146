/* retention.c - the audit log has partitions for the months to come. */
#include "worker/sweep/chores.h"

static const char ENSURE[] = "SELECT sluice.ensure_partitions(now(), 6)";

bool retention_keep(struct sweeper *sweeper, bool *ret_more, struct sl_err *err)
{
    SL_PG_AUTO *made = NULL;
    (void)ret_more;
    return sl_pg_run(sweeper->pg, ENSURE, NULL, &made, err);
}
