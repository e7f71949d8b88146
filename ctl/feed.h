/* feed.h - many events published in their order through one producer, at a rate if one is asked for. */
#ifndef CTL_FEED_H
#define CTL_FEED_H

#include "common/event.h"
#include "ctl/ctl.h"

struct feed;

/* `rate` events a second at most; 0: as fast as Kafka takes them. */
SL_MUST_CHECK struct feed *feed_open(const struct sl_config *config, int64_t rate, struct sl_err *err);
/* Waits for room in the queue and for the rate. False when Kafka can't take it, or an earlier one failed. */
SL_MUST_CHECK bool feed_send(struct feed *feed, const struct sl_event *event, struct sl_err *err);
/* Waits for all delivery reports; false when one failed or is missing. */
SL_MUST_CHECK bool feed_flush(struct feed *feed, struct sl_err *err);
size_t feed_delivered(const struct feed *feed);
void feed_close(struct feed *feed); /* what isn't delivered is given up; accepts NULL */

#endif
