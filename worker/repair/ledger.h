/* ledger.h - one look at the clouds, from its beginning to the rows of sluice.findings and sluice.looks.
 *
 * A finding that comes back with the same books counts one look more; with other books it begins anew. What a look that
 * saw the whole cloud didn't find any more is gone. Two looks at once are kept apart by an advisory lock.
 */
#ifndef REPAIR_LEDGER_H
#define REPAIR_LEDGER_H

#include "worker/repair/compare.h"

struct look {
    struct sights sights;
    struct books books;
    struct findings findings;
    int64_t began_at_ms; /* on the database's clock: last_seen of what this look found */
    struct sl_arena *arena;
};

/* Looks, compares and writes it down; `record` false: writes nothing. What of the clouds wasn't seen stands in
 * `sights`. RETRY: Postgres is away, another look is under way, or it is to stop. */
SL_MUST_CHECK bool ledger_look(struct sl_pg *pg, struct ask *ask, bool record, struct look *ret_look,
                               struct sl_err *err);
void ledger_look_deinit(struct look *look); /* idempotent */

#endif
