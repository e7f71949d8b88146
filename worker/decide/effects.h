/* effects.h - what rules of several families do to an agent and its jobs: start, stop, destroy, cancel.
 *
 * Private to decide/. Each function takes the facts as they were before the event, finds or makes the copies in the
 * plan and moves them by the setters of plan.h; none of them gives a verdict. An agent without a server changes in
 * Postgres alone.
 */
#ifndef DECIDE_EFFECTS_H
#define DECIDE_EFFECTS_H

#include "worker/decide/plan.h"

/* NULL when there is none, or when it is another user's. */
const struct agent *effect_own_agent(const struct facts *facts, struct sl_uuid id);
const struct job *effect_own_job(const struct facts *facts, struct sl_uuid id);

/* The agent's oldest open job of the kind, but for `except` (NULL: none); NULL when there is none. */
const struct job *effect_open_job(const struct facts *facts, struct sl_uuid agent_id, enum job_kind kind,
                                  const struct job *except);

/* A cloud has been called for the job's present attempt, or may have been: the intent is stored as its step first. */
bool effect_job_made_call(const struct job *job);

struct sl_str effect_default_name(struct plan *plan, struct sl_uuid agent_id); /* "agent-<first 8 of id>" */

/* From paused or (a stop undone) stopping; from active or starting: a queued job, or at once where there is no
 * server. */
void effect_start(struct plan *plan, const struct facts *facts, const struct agent *agent);
void effect_stop(struct plan *plan, const struct facts *facts, const struct agent *agent);

/* From any state but destroyed. Ends what is open for the agent, but lets rollbacks be (they know which run to
 * stop). Then a job, or destroyed at once when nothing can exist in a cloud; a deprovision that is open already serves
 * for it. One that is being destroyed already only loses what is queued behind. */
void effect_destroy(struct plan *plan, const struct facts *facts, const struct agent *agent);

/* A younger start or stop of its agent is open: what the agent waits for is that one. Of other kinds: never. */
bool effect_is_overtaken(const struct facts *facts, const struct job *job);

/* A start or stop job is cancelled. The agent is as before if no cloud was called; else the opposite is queued,
 * because nobody knows how far it came. An agent that waits for another job by now is left alone. */
void effect_cancel_start(struct plan *plan, const struct facts *facts, const struct job *job);
void effect_cancel_stop(struct plan *plan, const struct facts *facts, const struct job *job);

/* Ends a queued or waiting job, with its timers; asks the executor to end a running one. */
void effect_cancel_job(struct plan *plan, const struct facts *facts, const struct job *job, struct sl_str error);
/* Those that are armed of: heartbeat_missed (since the claim), provision_timeout (since the dispatch or claim). */
void effect_cancel_timers(struct plan *plan, const struct facts *facts, const struct job *job);
/* An invitation's token is for its e-mail alone: its job, sent or cancelled, keeps the template and the address. */
void effect_forget_link(struct plan *plan, const struct job *job);
struct sl_str effect_subject(struct plan *plan, const struct job *job); /* of its timers: the job's id as text */

/* Queues what removes the agent's remains: a `deprovision` at the provisioner, elsewhere a job of `kind` (destroy or
 * rollback). `provision` as below. */
void effect_remove(struct plan *plan, const struct facts *facts, const struct agent *agent, enum job_kind kind,
                   const struct job *provision);
/* An open rollback, or deprovision, of the agent. NULL: none. */
const struct job *effect_open_rollback(const struct facts *facts, struct sl_uuid agent_id);

/* Args of a job that removes what may exist: {"server_id","tailscale_device_id","provision_job_id","run_id"}, those
 * known. `provision` is the job whose run may still be working; NULL: none. */
struct sl_str effect_removal_args(struct plan *plan, const struct agent *agent, const struct job *provision);

#endif
