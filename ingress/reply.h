/* reply.h - requests that wait for their outcome (Prefer: wait): who waits for which answer, and until when.
 *
 * The http thread registers a wait before the command is published; the listener's thread delivers the answer from
 * sluice.replies.v1, or ends the wait when its time is over. A wait ends exactly once: by its callback, or by
 * reply_cancel. The callback runs under this table's lock, so that after reply_cancel it is certain not to be running;
 * it must not call back in here.
 */
#ifndef INGRESS_REPLY_H
#define INGRESS_REPLY_H

#include "common/str.h"
#include "common/uuid.h"
#include "web/headers.h"

#define REPLY_WAIT_S_MAX 30

struct replies;

/* In the request's memory; untouched by others between the end of the wait and the next reply_wait. */
struct reply_wait {
    struct sl_uuid id;                              /* the correlation id */
    int64_t deadline_ms;                            /* monotonic */
    void (*done)(void *arg, struct sl_str outcome); /* empty outcome: the time is over. Borrowed for the call */
    void *arg;
    struct reply_wait *next;
};

/* At most `waits_max` at a time. */
SL_MUST_CHECK struct replies *replies_create(size_t waits_max);
void replies_destroy(struct replies *replies); /* nobody may wait any more; accepts NULL */

SL_MUST_CHECK bool reply_wait(struct replies *replies, struct reply_wait *wait); /* false: too many wait */
void reply_cancel(struct replies *replies, struct reply_wait *wait);             /* one that has ended is no error */

/* Listener's thread. False: nobody here waits for it (another instance on the same partition, or too late). */
bool replies_deliver(struct replies *replies, struct sl_uuid id, struct sl_str outcome);
/* Ends what is overdue; with `all`, everything (a drain). Gives how many. */
size_t replies_expire(struct replies *replies, int64_t now_ms, bool all);
size_t replies_count(struct replies *replies);

/* Seconds of `wait=N` in a Prefer field (RFC 7240, 4.3), at most REPLY_WAIT_S_MAX; 0 when not asked for or not
 * readable. */
int reply_preference_s(const struct headers *headers);

#endif
