/* provision.h - the life of a provision job, whoever moves it: the gate, the claim, its good and bad ends, what
 * follows.
 *
 * Private to decide/; see effects.h. Invariants: an agent that is provisioning has an open provision job; what a
 * provision may have left behind is removed by a rollback job of its own, and provisions that wait their turn come
 * after it.
 */
#ifndef DECIDE_PROVISION_H
#define DECIDE_PROVISION_H

#include "worker/decide/plan.h"

/* The gate. `agent` is the one to be provisioned. A subscription in active or trialing, or policy free_tier. */
bool provision_is_paid_for(const struct facts *facts);
bool provision_limit_is_reached(const struct facts *facts, const struct agent *agent);
/* Any open provision job of the user. */
bool provision_is_in_progress(const struct facts *facts);
/* Something stands on the agent's books that no open rollback is about to remove. */
bool provision_is_blocked_by_leftovers(const struct facts *facts, const struct agent *agent);

/* What it removes is what a provision left: its agent is to stay, to be provisioned anew. */
bool provision_is_rollback(const struct job *job);

/* A queued job while an older one of its agent is open, or another job is under way that excludes it: only a run of an
 * earlier attempt can report on it. */
bool provision_is_out_of_turn(const struct facts *facts, const struct job *job);

/* Queues a job; the agent goes to provisioning, unless it is being destroyed or is there already. `region` may be
 * empty: the agent's own. `agent` is the facts' or the plan's. */
void provision_queue(struct plan *plan, const struct facts *facts, const struct agent *agent, struct sl_str region);

/* A provision that is queued again: it takes the limits of today. `job` is the plan's. */
void provision_renew(struct plan *plan, const struct facts *facts, struct job *job);

/* Gives the job to the run, or notes that the run is alive. */
void provision_claim(struct plan *plan, const struct facts *facts, const struct job *job, struct sl_str run_id);
void provision_beat(struct plan *plan, const struct facts *facts, const struct job *job);

/* Ends. `run_id` may be empty. `found` names what the run or the executor made; members may be empty. */
void provision_complete(struct plan *plan, const struct facts *facts, const struct job *job, struct sl_str run_id,
                        const struct input_job *found);
void provision_fail(struct plan *plan, const struct facts *facts, const struct job *job, struct sl_str run_id,
                    struct sl_str reason, const struct input_job *found);
void provision_cancel(struct plan *plan, const struct facts *facts, const struct job *job);

/* After a removal: the agent goes on to provisioning when a provision is queued for it. After one that failed the
 * provisions that waited for it fail too (a retry after the removal's brings them back): a new server would hide
 * the old one. */
void provision_go_on(struct plan *plan, const struct facts *facts, struct agent *agent);
void provision_give_up(struct plan *plan, const struct facts *facts, const struct agent *agent);

#endif
