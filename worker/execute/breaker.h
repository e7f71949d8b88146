/* breaker.h - keeps calls away from a cloud that doesn't answer, refuses our credentials, or isn't configured.
 *
 * Pure: time is an argument, on any clock that only moves forward. One owner thread. Invariants (breaker_check): open
 * has a time at which it may be tried again; only half_open probes; unconfigured never calls and never changes but by a
 * new breaker.
 */
#ifndef EXECUTE_BREAKER_H
#define EXECUTE_BREAKER_H

#include "common/base.h"

enum breaker_state { BREAKER_CLOSED = 1, BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_UNCONFIGURED, BREAKER_STATE_COUNT };

/* What a call said about the cloud's health. A refusal of this one request is health. */
enum breaker_signal { BREAKER_HEALTHY = 1, BREAKER_FAILURE, BREAKER_AUTH, BREAKER_SIGNAL_COUNT };

struct breaker {
    enum breaker_state state;
    int failures;     /* in a row */
    int failures_max; /* that many open it */
    int64_t open_ms;  /* how long it stays open the first time; doubled each time a probe fails, up to 8 times */
    int64_t wait_ms;  /* the span in force */
    int64_t retry_at_ms;
    bool probing;
    const char *reason; /* static: "auth", "failures", or the variable that is missing; "" when closed */
};

/* `missing_variable` NULL: configured, closed. Otherwise unconfigured for good; the name is kept (static text). */
void breaker_init(struct breaker *breaker, int failures_max, int64_t open_ms, const char *missing_variable);

/* May a call start now? Open turns half_open when its time has come; half_open lets one probe through at a time. */
bool breaker_may_call(struct breaker *breaker, int64_t now_ms);
void breaker_called(struct breaker *breaker);
/* True when the state changed. Auth opens at once. Late answers of calls from before it opened change nothing but by
 * failing. */
bool breaker_record(struct breaker *breaker, enum breaker_signal signal, int64_t now_ms);
/* A probe that ended without a word about the cloud (handed back before it was sent). */
void breaker_uncalled(struct breaker *breaker);

/* How long until a call may be tried: 0 at once; for unconfigured the span `open_ms`, after which asking again makes
 * sense. */
int64_t breaker_wait_ms(const struct breaker *breaker, int64_t now_ms);
const char *breaker_state_name(enum breaker_state state); /* as in cloud_state.breaker */
void breaker_check(const struct breaker *breaker);

#endif
