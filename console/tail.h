/* tail.h - the end of sluice.outcomes.v1, read once for all streams.
 *
 * One thread with one consumer, assigned by hand to all partitions from their ends. Keeps the part "kafka" of
 * readiness: an instance takes streams once it knows where each partition ends.
 */
#ifndef CONSOLE_TAIL_H
#define CONSOLE_TAIL_H

#include "common/admin.h"
#include "common/config.h"
#include "console/hub.h"

struct tail_options {
    const struct sl_config *config; /* for the start alone */
    struct hub *hub;
    struct sl_readiness *readiness;
};

struct tail;

SL_MUST_CHECK struct tail *tail_start(const struct tail_options *options, struct sl_err *err);
void tail_stop(struct tail *tail); /* joins and frees; accepts NULL */

#endif
