/* resolve.h - whose event it is: by the user it names, else by its customer, its subscription, its job. */
#ifndef APPLY_RESOLVE_H
#define APPLY_RESOLVE_H

#include "worker/apply/attempt.h"

/* The ids that an event names; empty or nil where it names none. Pure. */
struct sl_str resolve_subscription_id(const struct input *input);
struct sl_str resolve_customer_id(const struct input *input); /* also one that a job has made */
struct sl_uuid resolve_job_id(const struct input *input);
struct sl_uuid resolve_agent_id(const struct input *input);
struct sl_uuid resolve_timer_id(const struct input *input);
struct sl_uuid resolve_workspace_id(const struct input *input);
struct sl_str resolve_run_id(const struct input *input);       /* a workflow's run in a workspace */
struct sl_str resolve_token_sha256(const struct input *input); /* of an invitation */
struct sl_str resolve_early_access(const struct input *input); /* an address */
/* What its rules read beside the user's own rows, of enum input_reads: by its type, and of a job's end by what it
 * brings. */
unsigned resolve_reads(const struct input *input);

/* Opens the transaction, and looks up whose the batch's customers, subscriptions and jobs are: one round trip. Fills
 * customers, subscriptions, jobs, users and unlinked of the attempt. */
SL_MUST_CHECK bool resolve_owners(struct attempt *attempt, struct sl_err *err);

/* The user of the event as far as the batch knows by now; empty: nobody's. Where the policy makes the account of an
 * unknown customer from the customer, that is the customer's id. */
struct sl_str resolve_user(const struct attempt *attempt, const struct input *input);
/* Is it so for this event? */
bool resolve_is_made_of_customer(const struct attempt *attempt, const struct input *input);

#endif
