/* effects.c - see effects.h. */
#include "worker/decide/effects.h"

#include "worker/decide/detail.h"
#include "worker/decide/instance.h"

const struct agent *effect_own_agent(const struct facts *facts, struct sl_uuid id)
{
    const struct agent *agent = facts_agent(facts, id);
    return agent && sl_str_equal(agent->user_id, facts->user.id) ? agent : NULL;
}

const struct job *effect_own_job(const struct facts *facts, struct sl_uuid id)
{
    const struct job *job = facts_job(facts, id);
    return job && sl_str_equal(job->user_id, facts->user.id) ? job : NULL;
}

const struct job *effect_open_job(const struct facts *facts, struct sl_uuid agent_id, enum job_kind kind,
                                  const struct job *except)
{
    for (size_t i = 0; i < facts->job_count; i++) {
        const struct job *job = &facts->jobs[i];
        if (job != except && job->kind == kind && job_status_is_open(job->status) &&
            sl_uuid_equal(job->agent_id, agent_id))
            return job;
    }
    return NULL;
}

bool effect_job_made_call(const struct job *job)
{
    return !sl_str_empty(job->step) || job->status == JOB_WAITING || !sl_str_empty(job->run_id) ||
           !sl_str_empty(job->dispatched_run_id);
}

struct sl_str effect_default_name(struct plan *plan, struct sl_uuid agent_id)
{
    char text[SL_UUID_TEXT_BYTES];
    sl_uuid_format(agent_id, text);
    return sl_arena_printf(plan->arena, "agent-%.8s", text);
}

void effect_start(struct plan *plan, const struct facts *facts, const struct agent *agent)
{
    struct agent *copy = plan_agent(plan, agent);
    struct sl_str target = plan_target(plan, "agent", agent->id);
    plan_move_agent(plan, facts, copy, AGENT_STARTING, SL_STR_NONE);
    if (sl_str_empty(agent->server_id)) {
        plan_move_agent(plan, facts, copy, AGENT_ACTIVE, SL_STR_NONE);
        plan_audit(plan, "agent_started", target, SL_STR_NONE);
        return;
    }
    (void)plan_job_new(plan, facts, copy, JOB_START, SL_STR_NONE);
    plan_audit(plan, "agent_start_queued", target, SL_STR_NONE);
}

void effect_stop(struct plan *plan, const struct facts *facts, const struct agent *agent)
{
    struct agent *copy = plan_agent(plan, agent);
    struct sl_str target = plan_target(plan, "agent", agent->id);
    plan_move_agent(plan, facts, copy, AGENT_STOPPING, SL_STR_NONE);
    copy->stopped_by = SL_STR_NONE;
    if (sl_str_empty(agent->server_id)) {
        plan_move_agent(plan, facts, copy, AGENT_PAUSED, SL_STR_NONE);
        plan_audit(plan, "agent_stopped", target, SL_STR_NONE);
        return;
    }
    (void)plan_job_new(plan, facts, copy, JOB_STOP, SL_STR_NONE);
    plan_audit(plan, "agent_stop_queued", target, SL_STR_NONE);
}

struct sl_str effect_subject(struct plan *plan, const struct job *job)
{
    char text[SL_UUID_TEXT_BYTES];
    sl_uuid_format(job->id, text);
    return sl_arena_str(plan->arena, sl_str_of(text));
}

void effect_cancel_timers(struct plan *plan, const struct facts *facts, const struct job *job)
{
    struct sl_str subject = effect_subject(plan, job);
    plan_timer_cancel(plan, facts, "heartbeat_missed", subject);
    plan_timer_cancel(plan, facts, "provision_timeout", subject);
}

void effect_cancel_job(struct plan *plan, const struct facts *facts, const struct job *job, struct sl_str error)
{
    struct job *copy = plan_job(plan, job);
    if (job->status == JOB_RUNNING) {
        /* The fence stays: the executor has to be able to write back that it has stopped. */
        copy->cancel_requested = true;
        return;
    }
    effect_cancel_timers(plan, facts, job);
    plan_move_job(plan, copy, JOB_CANCELLED, error);
}

void effect_forget_link(struct plan *plan, const struct job *job)
{
    struct sl_str template_name = detail_text(plan->arena, job->args, "template");
    if (job->kind != JOB_EMAIL || !sl_str_is(template_name, "invite"))
        return;
    const struct detail members[] = {{"template", template_name}, {"to", detail_text(plan->arena, job->args, "to")}};
    plan_job(plan, job)->args = detail_object(plan->arena, members, SL_ARRAY_LEN(members));
}

/* The agent's youngest open start or stop but for `except`: what its state waits for. NULL: there is none. */
static const struct job *awaited_job(const struct facts *facts, struct sl_uuid agent_id, const struct job *except)
{
    for (size_t i = facts->job_count; i > 0; i--) {
        const struct job *job = &facts->jobs[i - 1];
        if (job != except && (job->kind == JOB_START || job->kind == JOB_STOP) && job_status_is_open(job->status) &&
            sl_uuid_equal(job->agent_id, agent_id))
            return job;
    }
    return NULL;
}

bool effect_is_overtaken(const struct facts *facts, const struct job *job)
{
    bool runs = job->kind == JOB_START || job->kind == JOB_STOP;
    return runs && awaited_job(facts, job->agent_id, NULL) != job;
}

/* Back to what the agent was before: waiting for the start or stop that this one was to follow, or `otherwise`. */
static void step_back(struct plan *plan, const struct facts *facts, const struct agent *agent, const struct job *job,
                      enum agent_status otherwise)
{
    const struct job *before = awaited_job(facts, agent->id, job);
    enum agent_status status = otherwise;
    if (before)
        status = before->kind == JOB_START ? AGENT_STARTING : AGENT_STOPPING;
    if (status != agent->status)
        plan_move_agent(plan, facts, plan_agent(plan, agent), status, SL_STR_NONE);
}

void effect_cancel_start(struct plan *plan, const struct facts *facts, const struct job *job)
{
    plan_move_job(plan, plan_job(plan, job), JOB_CANCELLED, SL_STR("cancelled"));
    const struct agent *agent = effect_own_agent(facts, job->agent_id);
    if (!agent || agent->status != AGENT_STARTING || effect_is_overtaken(facts, job))
        return;
    if (effect_job_made_call(job))
        effect_stop(plan, facts, agent);
    else
        step_back(plan, facts, agent, job, AGENT_PAUSED);
}

void effect_cancel_stop(struct plan *plan, const struct facts *facts, const struct job *job)
{
    plan_move_job(plan, plan_job(plan, job), JOB_CANCELLED, SL_STR("cancelled"));
    const struct agent *agent = effect_own_agent(facts, job->agent_id);
    if (!agent || agent->status != AGENT_STOPPING || effect_is_overtaken(facts, job))
        return;
    if (effect_job_made_call(job))
        effect_start(plan, facts, agent);
    else
        step_back(plan, facts, agent, job, AGENT_ACTIVE);
}

struct sl_str effect_removal_args(struct plan *plan, const struct agent *agent, const struct job *provision)
{
    struct sl_str run_id = SL_STR_NONE;
    if (provision)
        run_id = sl_str_empty(provision->run_id) ? provision->dispatched_run_id : provision->run_id;
    const struct detail members[] = {
        {"server_id", agent->server_id},
        {"tailscale_device_id", agent->tailscale_device_id},
        {"provision_job_id", provision ? effect_subject(plan, provision) : SL_STR_NONE},
        {"run_id", run_id},
    };
    return detail_object(plan->arena, members, SL_ARRAY_LEN(members));
}

void effect_remove(struct plan *plan, const struct facts *facts, const struct agent *agent, enum job_kind kind,
                   const struct job *provision)
{
    if (!instance_is_provisioners(agent)) {
        (void)plan_job_new(plan, facts, agent, kind, effect_removal_args(plan, agent, provision));
        return;
    }
    const struct detail members[] = {
        {"app_name", agent->app_name},
        {"subscription_id", instance_key(plan, agent)},
    };
    struct sl_str args = detail_object(plan->arena, members, SL_ARRAY_LEN(members));
    (void)plan_job_new(plan, facts, agent, JOB_DEPROVISION, args);
}

const struct job *effect_open_rollback(const struct facts *facts, struct sl_uuid agent_id)
{
    const struct job *rollback = effect_open_job(facts, agent_id, JOB_ROLLBACK, NULL);
    return rollback ? rollback : effect_open_job(facts, agent_id, JOB_DEPROVISION, NULL);
}

/* What becomes of an open job when its agent is to be destroyed; true if it may have left something in a cloud. */
static bool end_for_destroy(struct plan *plan, const struct facts *facts, const struct job *job)
{
    if (job->kind == JOB_ROLLBACK || job->kind == JOB_DESTROY || job->kind == JOB_DEPROVISION)
        return true;
    if (!job->settled && !job->cancel_requested)
        effect_cancel_job(plan, facts, job, SL_STR("the agent is destroyed"));
    /* A retried job may be the heir of a run whose rollback failed. */
    return effect_job_made_call(job) || job->status == JOB_RUNNING || job->generation > 0;
}

/* An agent that failed with nothing on its books may still have a server that nobody reported. */
static bool has_remains(const struct agent *agent)
{
    return !sl_str_empty(agent->server_id) || !sl_str_empty(agent->tailscale_device_id) ||
           !sl_str_empty(agent->app_name) || agent->status == AGENT_FAILED || !sl_str_empty(agent->status_reason) ||
           (instance_is_provisioners(agent) && instance_has_app(agent));
}

void effect_destroy(struct plan *plan, const struct facts *facts, const struct agent *agent)
{
    bool may_exist = has_remains(agent);
    const struct job *provision = NULL;
    for (size_t i = 0; i < facts->job_count; i++) {
        const struct job *job = &facts->jobs[i];
        if (!job_status_is_open(job->status) || !sl_uuid_equal(job->agent_id, agent->id))
            continue;
        if (!end_for_destroy(plan, facts, job))
            continue;
        may_exist = true;
        if (!provision && job->kind == JOB_PROVISION)
            provision = job;
    }
    if (agent->status == AGENT_DESTROYING)
        return;

    struct agent *copy = plan_agent(plan, agent);
    struct sl_str target = plan_target(plan, "agent", agent->id);
    plan_move_agent(plan, facts, copy, AGENT_DESTROYING, SL_STR_NONE);
    copy->stopped_by = SL_STR_NONE;
    if (may_exist) {
        /* Of an app there is one removal at a time: nothing can be made while it is open. */
        if (!effect_open_job(facts, agent->id, JOB_DEPROVISION, NULL))
            effect_remove(plan, facts, copy, JOB_DESTROY, provision);
        plan_audit(plan, "agent_destroy_queued", target, SL_STR_NONE);
        return;
    }
    plan_move_agent(plan, facts, copy, AGENT_DESTROYED, SL_STR_NONE);
    plan_audit(plan, "agent_destroyed", target, SL_STR_NONE);
}
