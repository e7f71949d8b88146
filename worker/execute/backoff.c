/* backoff.c - full-jitter exponential back-off. */
#include "worker/execute/backoff.h"

int64_t backoff_ms(const struct backoff *backoff, int attempt, int64_t at_least_ms, uint64_t random)
{
    SL_ASSERT(attempt >= 0 && backoff->base_ms >= 0 && backoff->cap_ms >= backoff->base_ms);
    int64_t span_ms = backoff->base_ms;
    for (int i = 0; i < attempt && span_ms < backoff->cap_ms; i++)
        span_ms = span_ms > backoff->cap_ms / 2 ? backoff->cap_ms : span_ms * 2;
    if (at_least_ms > 0) {
        int64_t spread_ms = span_ms < at_least_ms / 4 ? span_ms : at_least_ms / 4;
        return at_least_ms + (int64_t)(random % ((uint64_t)spread_ms + 1));
    }
    return (int64_t)(random % ((uint64_t)span_ms + 1));
}

int64_t backoff_poll_ms(int64_t last_ms, int64_t first_ms, int64_t cap_ms)
{
    int64_t next_ms = last_ms <= 0 ? first_ms : last_ms * 2;
    return next_ms > cap_ms ? cap_ms : next_ms;
}
