/* drain.c - see drain.h. */
#include "web/drain.h"

enum drain_step drain_next(const struct drain *drain, bool is_asked, int64_t requests, int64_t timeout_ms,
                           int64_t now_ms)
{
    int64_t spent_ms = now_ms - drain->since_ms;
    switch (drain->step) {
    case DRAIN_SERVING:
        return is_asked ? DRAIN_REFUSING : DRAIN_SERVING;
    case DRAIN_REFUSING:
        if (requests == 0)
            return DRAIN_DONE;
        return spent_ms >= timeout_ms ? DRAIN_FORCING : DRAIN_REFUSING;
    case DRAIN_FORCING:
        return requests == 0 || spent_ms >= DRAIN_FORCING_MS ? DRAIN_DONE : DRAIN_FORCING;
    case DRAIN_DONE:
        break;
    }
    return DRAIN_DONE;
}
