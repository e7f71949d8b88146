/* instance.h - the instance that a subscription brings, and the limits that agents of the provisioner run under.
 *
 * Private to decide/, but for instance_id_of, by which the shell finds the row. An instance is an agent with a
 * subscription_id. Invariants: a subscription has at most one; it is made once, and one that its user destroyed
 * stays so; one that the end of a grace period destroyed comes back, under its id, when all is paid.
 */
#ifndef DECIDE_INSTANCE_H
#define DECIDE_INSTANCE_H

#include "worker/decide/plan.h"

/* UUIDv5 of "instance" and the subscription's id; nil for an empty one. */
struct sl_uuid instance_id_of(struct sl_str subscription_id);

/* The user's agent that the subscription brought, in any state that the facts hold; NULL: none. */
const struct agent *instance_of(const struct facts *facts, struct sl_str subscription_id);

/* `version`: the subscription as the event makes it. To be made: live, its plan says so, and there never was one. To
 * be brought back: live, its plan says so, no payment failed since, and the end of a grace period destroyed it. */
bool instance_is_missing(const struct facts *facts, const struct subscription *version);
bool instance_may_return(const struct facts *facts, const struct subscription *version);
/* Does what one of the two says, if one does: the agent, and its provision, in turn. */
void instance_provide(struct plan *plan, const struct facts *facts, const struct subscription *version);

/* What an agent of the provisioner may use; `version` as in tier.h. */
const struct offer *instance_offer(const struct facts *facts, const struct agent *agent,
                                   const struct subscription *version);
/* By what the provisioner knows its app: the subscription's id, or the agent's where no subscription brought it. */
struct sl_str instance_key(struct plan *plan, const struct agent *agent);
/* Args of `provision` at the provisioner, and of `update_limits`, under that offer. */
struct sl_str instance_provision_args(struct plan *plan, const struct facts *facts, const struct agent *agent,
                                      const struct offer *offer);
struct sl_str instance_update_args(struct plan *plan, const struct agent *agent, const struct offer *offer);
bool instance_is_provisioners(const struct agent *agent); /* its backend */
bool instance_has_app(const struct agent *agent);         /* by its state: something is there that can be updated */

/* Where the subscription's new version changes what an agent may use: the agent's limits, and a job that tells the
 * provisioner, behind a provision that is still to end. */
void instance_follow_limits(struct plan *plan, const struct facts *facts, const struct subscription *version);
/* There will be no app: updates that wait for one end. */
void instance_drop_updates(struct plan *plan, const struct facts *facts, const struct agent *agent);

#endif
