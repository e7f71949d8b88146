/* limiter.c - concurrency and budget of one cloud. */
#include "worker/execute/limiter.h"

#define BUDGET_UNKNOWN_MS INT64_C(60000)

/* per mille of concurrency and budget that a priority leaves for those before it */
static const int64_t kept_back[LIMITER_PRIORITIES] = {0, 100, 250};

void limiter_init(struct limiter *limiter, int concurrency)
{
    SL_ASSERT(concurrency > 0);
    *limiter = (struct limiter){.concurrency = concurrency};
}

int64_t limiter_remaining(const struct limiter *limiter, int64_t now_ms)
{
    if (!limiter->known)
        return -1;
    if (limiter->reset_at_ms > 0 && now_ms >= limiter->reset_at_ms)
        return limiter->limit;
    int64_t remaining = limiter->remaining;
    if (limiter->refill_ms > 0 && now_ms > limiter->seen_at_ms)
        remaining += (now_ms - limiter->seen_at_ms) / limiter->refill_ms;
    return remaining > limiter->limit ? limiter->limit : remaining;
}

bool limiter_may_start(const struct limiter *limiter, int priority, int64_t now_ms)
{
    SL_ASSERT(priority >= 0 && priority < LIMITER_PRIORITIES);
    if (now_ms < limiter->paused_until_ms)
        return false;
    /* integer division: a concurrency too small to share keeps nothing back */
    int64_t room = limiter->concurrency - limiter->concurrency * kept_back[priority] / 1000;
    if (limiter->in_flight >= room)
        return false;
    if (!limiter->known)
        return true;
    return limiter_remaining(limiter, now_ms) > limiter->limit * kept_back[priority] / 1000;
}

void limiter_started(struct limiter *limiter)
{
    limiter->in_flight++;
    if (limiter->known && limiter->remaining > 0)
        limiter->remaining--;
}

void limiter_ended(struct limiter *limiter)
{
    SL_ASSERT(limiter->in_flight > 0);
    limiter->in_flight--;
}

void limiter_learn(struct limiter *limiter, const struct cloud_limits *limits, int64_t refused_ms, int64_t now_ms)
{
    if (limits->known) {
        limiter->known = true;
        limiter->limit = limits->limit;
        /* calls in the air aren't counted by the cloud yet */
        limiter->remaining = limits->remaining - limiter->in_flight;
        if (limiter->remaining < 0)
            limiter->remaining = 0;
        limiter->seen_at_ms = now_ms;
        limiter->reset_at_ms = limits->reset_at_ms;
        limiter->refill_ms = limits->refill_ms;
        /* a budget that never comes back would stop us for good: look again after a minute */
        if (limiter->reset_at_ms == 0)
            limiter->reset_at_ms = now_ms + BUDGET_UNKNOWN_MS;
    }
    if (refused_ms > 0 && now_ms + refused_ms > limiter->paused_until_ms)
        limiter->paused_until_ms = now_ms + refused_ms;
}

int64_t limiter_wait_ms(const struct limiter *limiter, int priority, int64_t now_ms)
{
    const int64_t longest_ms = 1000;
    if (limiter_may_start(limiter, priority, now_ms))
        return 0;
    int64_t wait_ms = longest_ms;
    if (limiter->paused_until_ms > now_ms)
        wait_ms = limiter->paused_until_ms - now_ms;
    else if (limiter->known && limiter->refill_ms > 0)
        wait_ms = limiter->refill_ms;
    if (wait_ms < 1)
        wait_ms = 1;
    return wait_ms < longest_ms ? wait_ms : longest_ms;
}
