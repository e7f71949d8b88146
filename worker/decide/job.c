/* job.c - job.*: what the executor reports of a job. The job ends, and its agent moves on if it still waits for
 * this job.
 *
 * An agent that is in another state by now (to be stopped, to be destroyed) has a newer job that will see to it. A
 * report under an older fence than the job's is of an attempt that a later decision has overtaken: it changes
 * nothing.
 */
#include "worker/decide/detail.h"
#include "worker/decide/effects.h"
#include "worker/decide/email.h"
#include "worker/decide/families.h"
#include "worker/decide/provision.h"

static const char *const OUT_OF_ATTEMPTS = "attempts_exhausted";

static const struct job *reported_job(const struct facts *facts, const struct input *input)
{
    return effect_own_job(facts, input->as.job.job_id);
}

WHEN(job_unknown)
{
    return yes_if(!reported_job(facts, input));
}

THEN(job_unknown_ignored)
{
    (void)facts, (void)input;
    plan_ignored(plan, "there is no such job");
}

WHEN(job_stale)
{
    const struct job *job = reported_job(facts, input);
    return yes_if(job->status != JOB_RUNNING || input->as.job.fence < job->fence);
}

THEN(job_stale)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the job has moved on since");
}

WHEN(dispatch_stale)
{
    const struct job *job = reported_job(facts, input);
    return yes_if(job->kind != JOB_PROVISION || !sl_str_is(job->backend, "github-actions") ||
                  job->status != JOB_WAITING || input->as.job.fence < job->fence);
}

/* The run is noted, but has no claim yet: a dispatch whose answer was lost may have started another. */
THEN(job_dispatched)
{
    const struct job *job = reported_job(facts, input);
    plan_job(plan, job)->dispatched_run_id = input->as.job.run_id;
    plan_timer_set(plan, facts, "provision_timeout", effect_subject(plan, job),
                   input->received_at_ms + facts->policy->provision_timeout_ms);
    plan_applied(plan, "the workflow is dispatched; the job waits for its callbacks");
}

static enum match is_kind(const struct facts *facts, const struct input *input, enum job_kind kind)
{
    return yes_if(reported_job(facts, input)->kind == kind);
}

WHEN(job_is_provision)
{
    return is_kind(facts, input, JOB_PROVISION);
}

WHEN(job_is_start)
{
    return is_kind(facts, input, JOB_START);
}

WHEN(job_is_stop)
{
    return is_kind(facts, input, JOB_STOP);
}

WHEN(job_is_destroy)
{
    return is_kind(facts, input, JOB_DESTROY);
}

WHEN(job_is_rollback)
{
    return is_kind(facts, input, JOB_ROLLBACK);
}

WHEN(job_is_deprovision)
{
    return is_kind(facts, input, JOB_DEPROVISION);
}

/* Ends the job, and gives the plan's copy of its agent if that is in `status` and waits for no younger one. */
static struct agent *end_job(const struct facts *facts, const struct input *input, struct plan *plan,
                             enum job_status ending, struct sl_str error, enum agent_status status)
{
    const struct job *job = reported_job(facts, input);
    plan_move_job(plan, plan_job(plan, job), ending, error);
    const struct agent *agent = effect_own_agent(facts, job->agent_id);
    bool waits = agent && agent->status == status && !effect_is_overtaken(facts, job);
    return waits ? plan_agent(plan, agent) : NULL;
}

static void audit_agent(struct plan *plan, const char *action, const struct agent *agent)
{
    const struct detail members[] = {{"reason", agent->status_reason}};
    plan_audit(plan, action, plan_target(plan, "agent", agent->id),
               detail_object(plan->arena, members, SL_ARRAY_LEN(members)));
}

static void forget_remains(struct agent *agent)
{
    agent->app_name = SL_STR_NONE;
    agent->frontend_url = SL_STR_NONE;
    agent->backend_url = SL_STR_NONE;
    agent->server_id = SL_STR_NONE;
    agent->server_ip = SL_STR_NONE;
    agent->tailscale_device_id = SL_STR_NONE;
    agent->tailscale_ip = SL_STR_NONE;
}

THEN(provision_succeeded)
{
    provision_complete(plan, facts, reported_job(facts, input), SL_STR_NONE, &input->as.job);
    plan_applied(plan, "the agent is provisioned");
}

THEN(start_succeeded)
{
    struct agent *agent = end_job(facts, input, plan, JOB_SUCCEEDED, SL_STR_NONE, AGENT_STARTING);
    if (agent) {
        plan_move_agent(plan, facts, agent, AGENT_ACTIVE, SL_STR_NONE);
        audit_agent(plan, "agent_started", agent);
    }
    plan_applied(plan, "the agent is started");
}

THEN(stop_succeeded)
{
    struct agent *agent = end_job(facts, input, plan, JOB_SUCCEEDED, SL_STR_NONE, AGENT_STOPPING);
    if (agent) {
        plan_move_agent(plan, facts, agent, AGENT_PAUSED, SL_STR_NONE);
        audit_agent(plan, "agent_stopped", agent);
    }
    plan_applied(plan, "the agent is stopped");
}

THEN(destroy_succeeded)
{
    struct agent *agent = end_job(facts, input, plan, JOB_SUCCEEDED, SL_STR_NONE, AGENT_DESTROYING);
    if (agent) {
        plan_move_agent(plan, facts, agent, AGENT_DESTROYED, SL_STR_NONE);
        forget_remains(agent);
        audit_agent(plan, "agent_destroyed", agent);
        provision_go_on(plan, facts, agent);
    }
    plan_applied(plan, "the agent is destroyed");
}

/* The agent may be provisioning or being destroyed by now: those jobs come after this one, and its server is gone
 * all the same. */
THEN(rollback_succeeded)
{
    const struct job *job = reported_job(facts, input);
    plan_move_job(plan, plan_job(plan, job), JOB_SUCCEEDED, SL_STR_NONE);
    const struct agent *agent = effect_own_agent(facts, job->agent_id);
    bool waits = agent && (agent->status == AGENT_FAILED || agent->status == AGENT_PROVISIONING ||
                           agent->status == AGENT_DESTROYING);
    if (waits) {
        struct agent *version = plan_agent(plan, agent);
        forget_remains(version);
        audit_agent(plan, "agent_rolled_back", version);
        provision_go_on(plan, facts, version);
    }
    plan_applied(plan, "what the provision left is removed");
}

/* One job for both: what was to be destroyed is, and what a provision left is gone. */
THEN(deprovision_succeeded)
{
    const struct agent *agent = effect_own_agent(facts, reported_job(facts, input)->agent_id);
    if (agent && agent->status == AGENT_DESTROYING)
        then_destroy_succeeded(facts, input, plan);
    else
        then_rollback_succeeded(facts, input, plan);
}

THEN(other_succeeded)
{
    (void)end_job(facts, input, plan, JOB_SUCCEEDED, SL_STR_NONE, AGENT_NONE);
    effect_forget_link(plan, reported_job(facts, input));
    plan_applied(plan, "the job is done");
}

static struct sl_str reason_of(const struct input *input)
{
    return sl_str_empty(input->as.job.error) ? SL_STR("the job failed without saying why") : input->as.job.error;
}

/* A job of the agent ends badly: so does the agent, if it waits for this job. */
static void fail_agent(const struct facts *facts, const struct input *input, struct plan *plan,
                       enum agent_status status, const char *action)
{
    struct agent *agent = end_job(facts, input, plan, JOB_FAILED, reason_of(input), status);
    if (agent) {
        plan_move_agent(plan, facts, agent, AGENT_FAILED, reason_of(input));
        audit_agent(plan, action, agent);
    }
}

/* A removal ends without having removed. What was to come after it can't come; an agent that is to be destroyed has
 * a job for it. */
static void fail_removal(const struct facts *facts, const struct input *input, struct plan *plan,
                         enum job_status ending, const char *action)
{
    const struct job *job = reported_job(facts, input);
    struct sl_str reason = ending == JOB_CANCELLED ? SL_STR("cancelled") : reason_of(input);
    plan_move_job(plan, plan_job(plan, job), ending, reason);
    const struct agent *agent = effect_own_agent(facts, job->agent_id);
    bool waits = agent && (agent->status == AGENT_FAILED || agent->status == AGENT_PROVISIONING ||
                           (agent->status == AGENT_DESTROYING && job->kind != JOB_ROLLBACK));
    if (!waits)
        return;
    struct agent *version = plan_agent(plan, agent);
    if (agent->status == AGENT_FAILED)
        version->status_reason = reason;
    else
        plan_move_agent(plan, facts, version, AGENT_FAILED, reason);
    audit_agent(plan, action, version);
    provision_give_up(plan, facts, agent);
}

static void alert_admin(const struct facts *facts, const struct input *input, struct plan *plan)
{
    const struct job *job = reported_job(facts, input);
    char agent_id[SL_UUID_TEXT_BYTES];
    sl_uuid_format(job->agent_id, agent_id);
    const struct detail members[] = {
        {"user_id", facts->user.id},           {"agent_id", sl_str_of(agent_id)},
        {"job_id", effect_subject(plan, job)}, {"kind", sl_str_of(job_kind_name(job->kind))},
        {"cause", reason_of(input)},
    };
    effect_email(plan, facts, "admin_alert", facts->policy->admin_email, members, SL_ARRAY_LEN(members));
}

THEN(provision_failed)
{
    provision_fail(plan, facts, reported_job(facts, input), SL_STR_NONE, reason_of(input), NULL);
    alert_admin(facts, input, plan);
    plan->dead_letter_cause = OUT_OF_ATTEMPTS;
    plan_applied(plan, "the provision failed; what it left is removed");
}

THEN(start_failed)
{
    fail_agent(facts, input, plan, AGENT_STARTING, "agent_start_failed");
    plan->dead_letter_cause = OUT_OF_ATTEMPTS;
    plan_applied(plan, "the agent could not be started");
}

THEN(stop_failed)
{
    fail_agent(facts, input, plan, AGENT_STOPPING, "agent_stop_failed");
    plan->dead_letter_cause = OUT_OF_ATTEMPTS;
    plan_applied(plan, "the agent could not be stopped");
}

THEN(destroy_failed)
{
    fail_removal(facts, input, plan, JOB_FAILED, "agent_destroy_failed");
    plan->dead_letter_cause = OUT_OF_ATTEMPTS;
    plan_applied(plan, "the agent could not be destroyed");
}

THEN(rollback_failed)
{
    fail_removal(facts, input, plan, JOB_FAILED, "agent_rollback_failed");
    plan->dead_letter_cause = OUT_OF_ATTEMPTS;
    plan_applied(plan, "what the provision left could not be removed");
}

THEN(deprovision_failed)
{
    fail_removal(facts, input, plan, JOB_FAILED, "agent_deprovision_failed");
    plan->dead_letter_cause = OUT_OF_ATTEMPTS;
    plan_applied(plan, "the agent's app could not be removed");
}

THEN(other_failed)
{
    (void)end_job(facts, input, plan, JOB_FAILED, reason_of(input), AGENT_NONE);
    plan->dead_letter_cause = OUT_OF_ATTEMPTS;
    plan_applied(plan, "the job failed");
}

THEN(provision_cancelled)
{
    provision_cancel(plan, facts, reported_job(facts, input));
    plan_applied(plan, "the provision is cancelled");
}

THEN(start_cancelled)
{
    effect_cancel_start(plan, facts, reported_job(facts, input));
    plan_applied(plan, "the start is cancelled");
}

THEN(stop_cancelled)
{
    effect_cancel_stop(plan, facts, reported_job(facts, input));
    plan_applied(plan, "the stop is cancelled");
}

THEN(destroy_cancelled)
{
    fail_removal(facts, input, plan, JOB_CANCELLED, "agent_destroy_failed");
    plan_applied(plan, "the destruction was called off");
}

THEN(rollback_cancelled)
{
    fail_removal(facts, input, plan, JOB_CANCELLED, "agent_rollback_failed");
    plan_applied(plan, "the rollback was called off");
}

THEN(deprovision_cancelled)
{
    fail_removal(facts, input, plan, JOB_CANCELLED, "agent_deprovision_failed");
    plan_applied(plan, "the removal of the agent's app was called off");
}

THEN(other_cancelled)
{
    (void)end_job(facts, input, plan, JOB_CANCELLED, SL_STR("cancelled"), AGENT_NONE);
    effect_forget_link(plan, reported_job(facts, input));
    plan_applied(plan, "the job is cancelled");
}
