/* calls.h - what is to be told of calls that have ended: rows of sluice.job_calls, until they are written.
 *
 * A ring with a maximum: while it has no room for those in the air, no call may start (calls_room), so nothing is
 * dropped. Engine's thread.
 */
#ifndef EXECUTE_CALLS_H
#define EXECUTE_CALLS_H

#include "common/pg.h"
#include "worker/execute/classify.h"

#define CALLS_MAX         8192
#define CALLS_AT_ONCE_MAX 1024 /* rows of one transaction */

struct call_record {
    struct sl_uuid job_id;
    int64_t fence;
    int number;       /* of the job's calls under that fence, from 1: no such call is told twice */
    const char *step; /* static */
    int attempt;
    const char *cloud;  /* static */
    const char *method; /* static */
    char path[256];
    int status;
    enum verdict verdict;
    char error[200];
    int64_t took_ms;
    int64_t at_ms; /* Unix time of its end */
};

struct calls {
    struct call_record *ring;
    size_t first, count;
    size_t writing; /* of the transaction under way */
};

void calls_init(struct calls *calls);
void calls_deinit(struct calls *calls);
/* May another call start, with `in_flight` in the air? */
bool calls_room(const struct calls *calls, size_t in_flight);
struct call_record *calls_add(struct calls *calls); /* to be filled by the caller */
/* Queues one INSERT of the oldest, those aside that are there already (a COMMIT whose answer was lost); *ret_count says
 * how many statements (0 or 1). */
SL_MUST_CHECK bool calls_queue(struct calls *calls, struct sl_pg *pg, struct sl_arena *arena, int *ret_count,
                               struct sl_err *err);
void calls_committed(struct calls *calls);
void calls_rolled_back(struct calls *calls);
void calls_let_go(struct calls *calls); /* the oldest that calls_queue would write: they can't be */

#endif
