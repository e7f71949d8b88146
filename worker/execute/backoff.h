/* backoff.h - how long to wait before the next attempt. Pure: randomness is an argument. */
#ifndef EXECUTE_BACKOFF_H
#define EXECUTE_BACKOFF_H

#include "common/base.h"

struct backoff {
    int64_t base_ms; /* the first attempt waits between 0 and this */
    int64_t cap_ms;  /* no attempt waits longer, unless the cloud asked for it */
};

/* Full jitter: somewhere between 0 and min(cap, base × 2^attempt), `attempt` counting failures from 0, `random` any 64
 * bits. Never less than `at_least_ms` (a Retry-After, or what the kind of failure needs): then the jitter comes on top
 * of it, so that those told the same time don't all come back at once. */
int64_t backoff_ms(const struct backoff *backoff, int attempt, int64_t at_least_ms, uint64_t random);

/* The next interval of a poll: twice the last, from `first_ms` (last 0) up to `cap_ms`. */
int64_t backoff_poll_ms(int64_t last_ms, int64_t first_ms, int64_t cap_ms);

#endif
