/* lanes_fuzz.c - any sequence of calls, answers and waiting at one cloud: its limiter and its breaker.
 *
 * Never more calls in the air than allowed, and none while the cloud wants to be left alone; creating leaves something
 * of the budget for stopping and deleting; an open breaker lets nothing through before its time, a half-open one a
 * single probe at a time; whatever was learned, when all calls have ended and a day has passed, a call may start again.
 *
 * Input: a byte for the limits, then for each act its kind and what it needs.
 */
#include "tests/support/draws.h"
#include "worker/execute/breaker.h"
#include "worker/execute/limiter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WAIT_MAX_MS 1000
#define DAY_MS      INT64_C(86400000)

struct lane {
    struct draws draws;
    struct limiter limiter;
    struct breaker breaker;
    int64_t now_ms;
    int in_air;
};

static unsigned draw(struct lane *lane, unsigned below)
{
    return draws_below(&lane->draws, below);
}

static void check(const struct lane *lane)
{
    int64_t remaining = limiter_remaining(&lane->limiter, lane->now_ms);
    breaker_check(&lane->breaker);
    SL_ASSERT(lane->limiter.in_flight == lane->in_air && lane->in_air <= lane->limiter.concurrency);
    SL_ASSERT(remaining >= -1);
    for (int priority = 0; priority < LIMITER_PRIORITIES; priority++) {
        int64_t wait_ms = limiter_wait_ms(&lane->limiter, priority, lane->now_ms);
        bool may = limiter_may_start(&lane->limiter, priority, lane->now_ms);
        SL_ASSERT(wait_ms >= 0 && wait_ms <= WAIT_MAX_MS);
        SL_ASSERT(!may || (lane->in_air < lane->limiter.concurrency && lane->now_ms >= lane->limiter.paused_until_ms));
        /* Who may less, may only where who may more may too. */
        SL_ASSERT(!may || priority == 0 || limiter_may_start(&lane->limiter, priority - 1, lane->now_ms));
    }
    SL_ASSERT(breaker_wait_ms(&lane->breaker, lane->now_ms) >= 0);
    SL_ASSERT(breaker_state_name(lane->breaker.state)[0] != '\0');
}

static void try_call(struct lane *lane)
{
    int priority = (int)draw(lane, LIMITER_PRIORITIES);
    enum breaker_state before = lane->breaker.state;
    int64_t wait_ms = breaker_wait_ms(&lane->breaker, lane->now_ms);
    if (!limiter_may_start(&lane->limiter, priority, lane->now_ms) || !breaker_may_call(&lane->breaker, lane->now_ms))
        return;
    SL_ASSERT(before != BREAKER_UNCONFIGURED && lane->breaker.state != BREAKER_OPEN);
    SL_ASSERT(before != BREAKER_OPEN || wait_ms == 0);
    SL_ASSERT(lane->breaker.state != BREAKER_HALF_OPEN || !lane->breaker.probing);
    limiter_started(&lane->limiter);
    breaker_called(&lane->breaker);
    lane->in_air++;
}

static void answer(struct lane *lane)
{
    if (lane->in_air == 0)
        return;
    lane->in_air--;
    limiter_ended(&lane->limiter);
    if (draw(lane, 8) == 0) {
        breaker_uncalled(&lane->breaker);
        return;
    }
    enum breaker_state before = lane->breaker.state;
    enum breaker_signal signal = (enum breaker_signal)(BREAKER_HEALTHY + draw(lane, BREAKER_SIGNAL_COUNT - 1));
    bool changed = breaker_record(&lane->breaker, signal, lane->now_ms);
    SL_ASSERT(changed == (before != lane->breaker.state));
    SL_ASSERT(before != BREAKER_UNCONFIGURED || lane->breaker.state == BREAKER_UNCONFIGURED);
    SL_ASSERT(signal != BREAKER_AUTH || before == BREAKER_UNCONFIGURED || lane->breaker.state == BREAKER_OPEN);
}

static void learn(struct lane *lane)
{
    struct cloud_limits limits = {
        .known = draw(lane, 4) > 0,
        .limit = 1 + draw(lane, 1000),
        .reset_at_ms = draw(lane, 2) ? lane->now_ms + (int64_t)draw(lane, 5000) - 1000 : 0,
        .refill_ms = draw(lane, 2) ? (int64_t)draw(lane, 2000) : 0,
        .retry_after_ms = (int64_t)draw(lane, 3000) - 1,
    };
    limits.remaining = draw(lane, 1000);
    limiter_learn(&lane->limiter, &limits, draw(lane, 4) ? 0 : (int64_t)draw(lane, 60000), lane->now_ms);
}

static void wait_a_while(struct lane *lane)
{
    lane->now_ms += draw(lane, 2) ? (int64_t)draw(lane, 200) : (int64_t)draw(lane, 60000) * 10;
}

/* Nothing that a cloud says may keep us away from it for good. */
static void check_recovery(struct lane *lane)
{
    while (lane->in_air > 0) {
        lane->in_air--;
        limiter_ended(&lane->limiter);
        breaker_uncalled(&lane->breaker);
    }
    lane->now_ms += DAY_MS;
    check(lane);
    for (int priority = 0; priority < LIMITER_PRIORITIES; priority++)
        SL_ASSERT(limiter_may_start(&lane->limiter, priority, lane->now_ms));
    SL_ASSERT(lane->breaker.state == BREAKER_UNCONFIGURED || breaker_may_call(&lane->breaker, lane->now_ms));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const ACTS[])(struct lane *) = {try_call, try_call, try_call, answer, answer, learn, wait_a_while};
    struct lane lane = {.draws = draws_of_bytes(data, size), .now_ms = INT64_C(1763712000000)};
    limiter_init(&lane.limiter, 1 + (int)draw(&lane, 8));
    breaker_init(&lane.breaker, 1 + (int)draw(&lane, 5), 1000, draw(&lane, 16) == 15 ? "HCLOUD_TOKEN" : NULL);
    while (lane.draws.bytes_left > 0) {
        ACTS[draw(&lane, SL_ARRAY_LEN(ACTS))](&lane);
        check(&lane);
    }
    check_recovery(&lane);
    return 0;
}
