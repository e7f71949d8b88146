/* parking.h - events that wait in Postgres, whole: parked until their customer is somebody's, or held behind their
 * user's dead letter. */
#ifndef APPLY_PARKING_H
#define APPLY_PARKING_H

#include "worker/apply/attempt.h"
#include "worker/apply/pipeline.h"

/* Is the event held up behind a dead letter of its user? A replay of the dead letter itself passes, and so does the
 * oldest of the events held, once no letter is open. Pure. */
bool parking_is_held(const struct account *account, const struct item *item, const struct known *known);
/* A held event was decided: the next one is the oldest now. */
void parking_was_decided(struct account *account, const struct item *item);

/* Queue the rows of this attempt's parked and held events, the end of those that waited and are decided now, and the
 * release of what was parked for customers that were linked. */
void parking_queue(struct attempt *attempt, struct pipeline *pipeline);
/* The index of the released outbox rows' result, or -1; after parking_queue_release. */
int parking_queue_release(struct attempt *attempt, struct pipeline *pipeline);
/* After the commit: hands the released rows to the outbox. What it does not take, the sweep does. */
void parking_release(struct attempt *attempt);

#endif
