/* grace.h - the time between a failed payment and the end of instances.
 *
 * Private to decide/. Its subject is the subscription that is not paid for, or the user where the invoice names none.
 * Invariant: a grace period begins with the first failure after a payment and ends once, with a payment, with the
 * subscription, or by running out: a second failure within it changes neither of its two timers.
 */
#ifndef DECIDE_GRACE_H
#define DECIDE_GRACE_H

#include "worker/decide/plan.h"

enum invoice_rank { INVOICE_NONE = 0, INVOICE_FAILED, INVOICE_PAID };

/* The subscription's id, or the user's for an empty one. */
struct sl_str grace_subject(const struct facts *facts, struct sl_str subscription_id);

/* The newest invoice of the subject failed, and its subscription has not ended. */
bool grace_is_unpaid(const struct facts *facts, struct sl_str subject);

/* A payment failed: sets both timers, unless the one before it failed too. Gives the end; 0: it is over already. */
int64_t grace_begin(struct plan *plan, const struct facts *facts, struct sl_str subject);
void grace_end(struct plan *plan, const struct facts *facts, struct sl_str subject);

/* It has run out: the provisioner's agents that the subject paid for are removed, and marked to return. */
void grace_expire(struct plan *plan, const struct facts *facts, struct sl_str subject);

#endif
