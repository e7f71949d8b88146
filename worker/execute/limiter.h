/* limiter.h - how many calls of a cloud may be in the air, and what its budget of requests has left for whom.
 *
 * The budget is learned from the cloud's headers, which count the whole fleet's calls. Shares are kept back: stopping
 * and deleting (priority 0) may use all, creating (1) leaves some for them, the rest (2) leaves more. Pure: time is an
 * argument, Unix milliseconds as in the headers. One owner thread.
 */
#ifndef EXECUTE_LIMITER_H
#define EXECUTE_LIMITER_H

#include "worker/clouds/cloud.h"

#define LIMITER_PRIORITIES 3

struct limiter {
    int concurrency;
    int in_flight;
    int64_t paused_until_ms;  /* the cloud said so */
    bool known;               /* the budget is */
    int64_t limit, remaining; /* as last seen, less what was started since */
    int64_t seen_at_ms, reset_at_ms, refill_ms;
};

void limiter_init(struct limiter *limiter, int concurrency);
/* May a call of that priority start now? */
bool limiter_may_start(const struct limiter *limiter, int priority, int64_t now_ms);
void limiter_started(struct limiter *limiter);
void limiter_ended(struct limiter *limiter);
/* Learns from a reply's headers. `refused_ms` > 0: the cloud refused for its limit; nothing starts for so long. */
void limiter_learn(struct limiter *limiter, const struct cloud_limits *limits, int64_t refused_ms, int64_t now_ms);
/* What is left now, with what has come back since the last reply; -1 when unknown. */
int64_t limiter_remaining(const struct limiter *limiter, int64_t now_ms);
/* When something may start that may not now; at most a second from now. */
int64_t limiter_wait_ms(const struct limiter *limiter, int priority, int64_t now_ms);

#endif
