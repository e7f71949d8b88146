/* job_command.c - job.retry and job.cancel, by the job's owner or by ops.
 *
 * A retry puts a failed job at the end of the order again and its agent back into the state of the job's kind; it
 * is refused where anything has happened to the agent since that makes it nonsense. A provision that a command
 * asked for passes the gate again; one that a checkout or a subscription paid for doesn't. A cancelled job leaves its
 * agent as it was before, or undoes what was begun. Removals can't be cancelled: something may be left.
 */
#include "worker/decide/effects.h"
#include "worker/decide/families.h"
#include "worker/decide/instance.h"
#include "worker/decide/provision.h"

static const struct job *named_job(const struct facts *facts, const struct input *input)
{
    return facts_job(facts, input->as.job.job_id);
}

WHEN(job_unknown_anywhere)
{
    return yes_if(!named_job(facts, input));
}

THEN(job_unknown_rejected)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_JOB_NOT_FOUND, "there is no such job");
}

/* The facts are those of the job's user in any case; who asks is the command's user, or ops for any user. */
WHEN(job_forbidden)
{
    const struct job *job = named_job(facts, input);
    if (!job)
        return MATCH_NO;
    bool is_users = sl_str_equal(job->user_id, facts->user.id);
    bool may_ask = sl_str_starts_with(input->actor, SL_STR("ops:")) || sl_str_equal(input->user_named, facts->user.id);
    return yes_if(!is_users || !may_ask);
}

THEN(job_forbidden)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_FORBIDDEN, "the job is another user's");
}

WHEN(retry_not_failed)
{
    return yes_if(named_job(facts, input)->status != JOB_FAILED);
}

THEN(retry_not_failed)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "only a failed job can be retried");
}

/* Where a retry takes a failed agent; failed itself: it stays so. NONE: the kind is of no agent. */
static enum agent_status status_of_job(const struct job *job)
{
    static const enum agent_status STATUSES[JOB_KIND_COUNT] = {
        [JOB_PROVISION] = AGENT_PROVISIONING, [JOB_START] = AGENT_STARTING,  [JOB_STOP] = AGENT_STOPPING,
        [JOB_DESTROY] = AGENT_DESTROYING,     [JOB_ROLLBACK] = AGENT_FAILED, [JOB_DEPROVISION] = AGENT_DESTROYING,
    };
    return provision_is_rollback(job) ? AGENT_FAILED : STATUSES[job->kind];
}

static bool has_open_job_but_rollback(const struct facts *facts, struct sl_uuid agent_id)
{
    for (size_t i = 0; i < facts->job_count; i++) {
        const struct job *job = &facts->jobs[i];
        bool removes = job->kind == JOB_ROLLBACK || job->kind == JOB_DEPROVISION;
        if (!removes && job_status_is_open(job->status) && sl_uuid_equal(job->agent_id, agent_id))
            return true;
    }
    return false;
}

WHEN(retry_misplaced)
{
    const struct job *job = named_job(facts, input);
    const struct agent *agent = effect_own_agent(facts, job->agent_id);
    if (job->kind == JOB_UPDATE_LIMITS)
        return yes_if(!agent || !instance_has_app(agent));
    if (status_of_job(job) == AGENT_NONE)
        return MATCH_NO;
    if (!agent || agent->status != AGENT_FAILED || has_open_job_but_rollback(facts, agent->id))
        return MATCH_YES;
    bool rolls_back = effect_open_rollback(facts, agent->id) != NULL;
    if (job->kind == JOB_PROVISION)
        return yes_if(provision_is_blocked_by_leftovers(facts, agent));
    if (job->kind == JOB_START || job->kind == JOB_STOP)
        return yes_if(rolls_back || sl_str_empty(agent->server_id));
    return yes_if(rolls_back && (job->kind == JOB_ROLLBACK || job->kind == JOB_DEPROVISION));
}

THEN(retry_misplaced)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "the agent has moved on since the job failed");
}

/* A provision that a command asked for. */
static bool is_gated(const struct job *job)
{
    return job->kind == JOB_PROVISION && sl_str_starts_with(job->rule, SL_STR("agent."));
}

WHEN(retry_unpaid)
{
    return yes_if(is_gated(named_job(facts, input)) && !provision_is_paid_for(facts));
}

WHEN(retry_in_progress)
{
    return yes_if(is_gated(named_job(facts, input)) && provision_is_in_progress(facts));
}

WHEN(retry_over_limit)
{
    const struct job *job = named_job(facts, input);
    return yes_if(is_gated(job) && provision_limit_is_reached(facts, facts_agent(facts, job->agent_id)));
}

/* What was to be told to the provisioner may be of yesterday's plan. */
static void renew_args(const struct facts *facts, struct plan *plan, struct job *copy)
{
    const struct agent *agent = effect_own_agent(facts, copy->agent_id);
    if (copy->kind == JOB_PROVISION)
        provision_renew(plan, facts, copy);
    else if (copy->kind == JOB_UPDATE_LIMITS && agent)
        copy->args = instance_update_args(plan, agent, instance_offer(facts, agent, NULL));
}

THEN(retry)
{
    const struct job *job = named_job(facts, input);
    struct job *copy = plan_job(plan, job);
    plan_job_requeue(plan, copy);
    copy->generation++;
    renew_args(facts, plan, copy);
    enum agent_status status = status_of_job(job);
    if (status != AGENT_NONE && status != AGENT_FAILED) {
        struct agent *agent = plan_agent(plan, facts_agent(facts, job->agent_id));
        plan_move_agent(plan, facts, agent, status, agent->status_reason);
    }
    plan_audit(plan, "job_retried", plan_target(plan, "job", job->id), SL_STR_NONE);
    plan_applied(plan, "the job is queued again");
}

WHEN(cancel_ended)
{
    const struct job *job = named_job(facts, input);
    return yes_if(!job_status_is_open(job->status) || job->settled);
}

THEN(cancel_ended)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_JOB_ENDED, "the job has ended");
}

WHEN(cancel_cleanup)
{
    enum job_kind kind = named_job(facts, input)->kind;
    return yes_if(kind == JOB_DESTROY || kind == JOB_ROLLBACK || kind == JOB_DEPROVISION);
}

THEN(cancel_cleanup)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "a removal can't be cancelled");
}

WHEN(cancel_requested)
{
    return yes_if(named_job(facts, input)->cancel_requested);
}

THEN(cancel_requested)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the job is being cancelled already");
}

WHEN(cancel_running)
{
    return yes_if(named_job(facts, input)->status == JOB_RUNNING);
}

THEN(cancel_running)
{
    const struct job *job = named_job(facts, input);
    effect_cancel_job(plan, facts, job, SL_STR_NONE);
    plan_audit(plan, "job_cancel_requested", plan_target(plan, "job", job->id), SL_STR_NONE);
    plan_applied(plan, "the job is under way: it is cancelled as soon as its present call ends");
}

THEN(cancel)
{
    const struct job *job = named_job(facts, input);
    plan_audit(plan, "job_cancelled", plan_target(plan, "job", job->id), SL_STR_NONE);
    if (job->kind == JOB_PROVISION)
        provision_cancel(plan, facts, job);
    else if (job->kind == JOB_START)
        effect_cancel_start(plan, facts, job);
    else if (job->kind == JOB_STOP)
        effect_cancel_stop(plan, facts, job);
    else
        effect_cancel_job(plan, facts, job, SL_STR("cancelled"));
    effect_forget_link(plan, job);
    plan_applied(plan, "the job is cancelled");
}
