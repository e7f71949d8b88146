/* lane.h - the way to one cloud: its breaker, its limits, those waiting for a slot, its access token.
 *
 * Owned by the engine's thread. Two clocks that don't mix: the breaker runs on the monotonic one, the limiter on Unix
 * time as the headers do.
 */
#ifndef EXECUTE_LANE_H
#define EXECUTE_LANE_H

#include "common/metrics.h"
#include "worker/clouds/tailscale.h"
#include "worker/execute/breaker.h"
#include "worker/execute/classify.h"
#include "worker/execute/flight.h"
#include "worker/execute/limiter.h"
#include "worker/execute/settings.h"

enum token_state { TOKEN_NOT_NEEDED = 0, TOKEN_MISSING, TOKEN_ASKED, TOKEN_HELD };

struct lane {
    const struct cloud *cloud;
    const struct cloud_settings *settings;
    struct breaker breaker;
    struct limiter limiter;
    struct flight_list waiting[LIMITER_PRIORITIES];
    bool changed; /* cloud_state is to be written */
    /* an OAuth client's access token, where there is no key */
    enum token_state token_state;
    struct tailscale_token token;
    int64_t token_round; /* raised by each reload: an answer to what was asked before it is of no use */
    int64_t token_until_mono_ms;
    struct sl_metrics *metrics;
    struct sl_metric_series *calls[VERDICT_COUNT];
    struct sl_metric_series *seconds, *in_flight, *waiting_count, *states[BREAKER_STATE_COUNT];
};

void lane_init(struct lane *lane, enum cloud_id id, struct sl_metrics *metrics);
/* (Re)starts it with settings that must outlive their use; what waits stays. Logs a variable that is missing. */
void lane_configure(struct lane *lane, const struct settings *settings);
void lane_deinit(struct lane *lane);

enum lane_answer {
    LANE_GO = 1, /* a slot was taken */
    LANE_FULL,   /* wait for one */
    LANE_CLOSED, /* the breaker is open: hand the job back */
    LANE_TOKEN   /* wait for one; the caller asks for an access token if token_state is TOKEN_MISSING */
};
enum lane_answer lane_enter(struct lane *lane, int priority, int64_t wall_ms, int64_t mono_ms);
/* The slot of a call that was never made. */
void lane_leave(struct lane *lane);
/* The slot of a call that has ended, and what it says of the cloud. */
void lane_learn(struct lane *lane, const struct classification *classification, int64_t took_ms, int64_t wall_ms,
                int64_t mono_ms);
/* How many more jobs may be claimed for it now: 0 while it is closed, one for a probe. */
int lane_claims_max(struct lane *lane, int64_t mono_ms);
/* When to look at those waiting again; -1: nobody waits. */
int64_t lane_wait_ms(const struct lane *lane, int64_t wall_ms);
size_t lane_waiting_count(const struct lane *lane);

void lane_token_held(struct lane *lane, const struct tailscale_token *token, int64_t mono_ms);
void lane_token_failed(struct lane *lane);

#endif
