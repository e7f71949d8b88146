/* breaker.c - the circuit breaker's table and its one setter. */
#include "worker/execute/breaker.h"

#define WAIT_DOUBLINGS_MAX 8

/* from × to */
static const bool may_move[BREAKER_STATE_COUNT][BREAKER_STATE_COUNT] = {
    [BREAKER_CLOSED] = {[BREAKER_OPEN] = true},
    [BREAKER_OPEN] = {[BREAKER_HALF_OPEN] = true},
    [BREAKER_HALF_OPEN] = {[BREAKER_CLOSED] = true, [BREAKER_OPEN] = true},
};

const char *breaker_state_name(enum breaker_state state)
{
    static const char *const names[BREAKER_STATE_COUNT] = {[BREAKER_CLOSED] = "closed",
                                                           [BREAKER_OPEN] = "open",
                                                           [BREAKER_HALF_OPEN] = "half_open",
                                                           [BREAKER_UNCONFIGURED] = "unconfigured"};
    SL_ASSERT(state >= BREAKER_CLOSED && state < BREAKER_STATE_COUNT);
    return names[state];
}

void breaker_init(struct breaker *breaker, int failures_max, int64_t open_ms, const char *missing_variable)
{
    SL_ASSERT(failures_max > 0 && open_ms > 0);
    *breaker = (struct breaker){.state = missing_variable ? BREAKER_UNCONFIGURED : BREAKER_CLOSED,
                                .failures_max = failures_max,
                                .open_ms = open_ms,
                                .wait_ms = open_ms,
                                .reason = missing_variable ? missing_variable : ""};
}

void breaker_check(const struct breaker *breaker)
{
    SL_ASSERT(breaker->state >= BREAKER_CLOSED && breaker->state < BREAKER_STATE_COUNT);
    SL_ASSERT(!breaker->probing || breaker->state == BREAKER_HALF_OPEN);
    SL_ASSERT(breaker->state == BREAKER_CLOSED || breaker->reason[0] != '\0');
    SL_ASSERT(breaker->failures >= 0 && breaker->failures <= breaker->failures_max);
}

static void move(struct breaker *breaker, enum breaker_state to)
{
    SL_ASSERT(may_move[breaker->state][to]);
    breaker->state = to;
    breaker->probing = false;
    breaker_check(breaker);
}

static void open(struct breaker *breaker, const char *reason, int64_t now_ms)
{
    breaker->reason = reason;
    breaker->retry_at_ms = now_ms + breaker->wait_ms;
    if (breaker->wait_ms < breaker->open_ms * WAIT_DOUBLINGS_MAX)
        breaker->wait_ms *= 2;
    move(breaker, BREAKER_OPEN);
}

bool breaker_may_call(struct breaker *breaker, int64_t now_ms)
{
    if (breaker->state == BREAKER_OPEN && now_ms >= breaker->retry_at_ms)
        move(breaker, BREAKER_HALF_OPEN);
    return breaker->state == BREAKER_CLOSED || (breaker->state == BREAKER_HALF_OPEN && !breaker->probing);
}

void breaker_called(struct breaker *breaker)
{
    SL_ASSERT(breaker->state == BREAKER_CLOSED || breaker->state == BREAKER_HALF_OPEN);
    breaker->probing = breaker->state == BREAKER_HALF_OPEN;
}

void breaker_uncalled(struct breaker *breaker)
{
    breaker->probing = false;
}

static bool record_healthy(struct breaker *breaker)
{
    if (breaker->state == BREAKER_OPEN)
        return false; /* sent before it opened: the probe decides */
    breaker->failures = 0;
    if (breaker->state == BREAKER_CLOSED)
        return false;
    breaker->wait_ms = breaker->open_ms;
    breaker->reason = "";
    move(breaker, BREAKER_CLOSED);
    return true;
}

bool breaker_record(struct breaker *breaker, enum breaker_signal signal, int64_t now_ms)
{
    SL_ASSERT(signal >= BREAKER_HEALTHY && signal < BREAKER_SIGNAL_COUNT);
    if (breaker->state == BREAKER_UNCONFIGURED)
        return false;
    if (signal == BREAKER_HEALTHY)
        return record_healthy(breaker);
    if (breaker->failures < breaker->failures_max)
        breaker->failures++;
    if (breaker->state == BREAKER_OPEN)
        return false;
    if (signal == BREAKER_AUTH) {
        open(breaker, "auth", now_ms);
        return true;
    }
    if (breaker->state == BREAKER_HALF_OPEN || breaker->failures >= breaker->failures_max) {
        open(breaker, "failures", now_ms);
        return true;
    }
    return false;
}

int64_t breaker_wait_ms(const struct breaker *breaker, int64_t now_ms)
{
    switch (breaker->state) {
    case BREAKER_CLOSED:
        return 0;
    case BREAKER_OPEN:
        return breaker->retry_at_ms > now_ms ? breaker->retry_at_ms - now_ms : 0;
    case BREAKER_HALF_OPEN:
        return breaker->probing ? 1000 : 0;
    case BREAKER_UNCONFIGURED:
    case BREAKER_STATE_COUNT:
        break;
    }
    return breaker->open_ms;
}
