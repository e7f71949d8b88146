/* drain.h - how the process ends: in steps, each left when its work is done or its time is over. Pure: the caller acts
 * on them.
 *
 * SERVING until a signal; REFUSING: readyz 503, new work 503, what is under way goes on; FORCING: the time is over,
 * waits end and publishing is closed, so that everybody has an answer; DONE: nothing is under way, the process exits 0.
 */
#ifndef WEB_DRAIN_H
#define WEB_DRAIN_H

#include "common/base.h"

enum drain_step { DRAIN_SERVING = 0, DRAIN_REFUSING, DRAIN_FORCING, DRAIN_DONE };

struct drain {
    enum drain_step step;
    int64_t since_ms; /* of the step */
};

#define DRAIN_FORCING_MS 2000 /* for the last answers to go out */

/* The step that comes next, given that a signal has come (`is_asked`), how many requests are under way, and the time
 * (monotonic). */
enum drain_step drain_next(const struct drain *drain, bool is_asked, int64_t requests, int64_t timeout_ms,
                           int64_t now_ms);

#endif
