/* resolve.h - whose event it is: by the user it names, else by its customer, its subscription, its job. */
#ifndef APPLY_RESOLVE_H
#define APPLY_RESOLVE_H

#include "worker/apply/attempt.h"

/* The ids that an event names; empty or nil where it names none. Pure. */
struct sl_str resolve_subscription_id(const struct input *input);
struct sl_uuid resolve_job_id(const struct input *input);
struct sl_uuid resolve_agent_id(const struct input *input);
struct sl_uuid resolve_timer_id(const struct input *input);

/* Opens the transaction, and looks up whose the batch's customers, subscriptions and jobs are: one round trip. Fills
 * customers, subscriptions, jobs, users and unlinked of the attempt. */
SL_MUST_CHECK bool resolve_owners(struct attempt *attempt, struct sl_err *err);

/* The user of the event as far as the batch knows by now; empty: nobody's. */
struct sl_str resolve_user(const struct attempt *attempt, const struct input *input);

#endif
