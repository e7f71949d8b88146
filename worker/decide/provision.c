/* provision.c - see provision.h. */
#include "worker/decide/provision.h"

#include "worker/decide/detail.h"
#include "worker/decide/effects.h"
#include "worker/decide/email.h"
#include "worker/decide/instance.h"
#include "worker/decide/tier.h"

bool provision_is_paid_for(const struct facts *facts)
{
    return facts->policy->free_tier || tier_has_live(facts, NULL, SL_STR_NONE);
}

bool provision_limit_is_reached(const struct facts *facts, const struct agent *agent)
{
    int most = tier_agents_max(facts, NULL);
    return most >= 0 && tier_agents_counted(facts, agent) >= most;
}

bool provision_is_in_progress(const struct facts *facts)
{
    for (size_t i = 0; i < facts->job_count; i++) {
        const struct job *job = &facts->jobs[i];
        if (job->kind == JOB_PROVISION && job_status_is_open(job->status) && sl_str_equal(job->user_id, facts->user.id))
            return true;
    }
    return false;
}

bool provision_is_blocked_by_leftovers(const struct facts *facts, const struct agent *agent)
{
    bool leftovers =
        !sl_str_empty(agent->server_id) || !sl_str_empty(agent->tailscale_device_id) || !sl_str_empty(agent->app_name);
    return leftovers && !effect_open_rollback(facts, agent->id);
}

bool provision_is_rollback(const struct job *job)
{
    /* The rules by which a provision ends badly; a deprovision of any other rule was to destroy. */
    static const char *const RULES[] = {"job.failed.provision", "job.cancelled.provision", "job.cancel.ends_job"};
    bool rolls_back = false;
    for (size_t i = 0; i < SL_ARRAY_LEN(RULES); i++)
        rolls_back = rolls_back || sl_str_is(job->rule, RULES[i]);
    return job->kind == JOB_ROLLBACK || (job->kind == JOB_DEPROVISION && rolls_back);
}

bool provision_is_out_of_turn(const struct facts *facts, const struct job *job)
{
    if (job->status != JOB_QUEUED)
        return false;
    bool is_older = true;
    for (size_t i = 0; i < facts->job_count; i++) {
        const struct job *other = &facts->jobs[i];
        if (sl_uuid_equal(other->id, job->id)) {
            is_older = false;
            continue;
        }
        bool under_way = other->status == JOB_RUNNING || other->status == JOB_WAITING;
        bool same_agent = sl_uuid_equal(other->agent_id, job->agent_id);
        bool same_user = sl_str_equal(other->user_id, job->user_id);
        if (same_agent && job_status_is_open(other->status) && (is_older || under_way))
            return true;
        if (same_user && under_way && other->kind == JOB_PROVISION)
            return true;
    }
    return false;
}

/* What the backend has to know. The limits are those that hold with what the event changes: at most one subscription,
 * the plan's. */
static struct sl_str args_of(struct plan *plan, const struct facts *facts, const struct agent *agent,
                             struct sl_str region)
{
    const struct offer *offer = instance_offer(facts, agent, plan->subscriptions);
    if (instance_is_provisioners(agent))
        return instance_provision_args(plan, facts, agent, offer);
    bool takes_tier = sl_str_is(agent->backend, "hetzner");
    const struct detail members[] = {{"region", region}, {"tier", takes_tier ? offer->name : SL_STR_NONE}};
    return detail_object(plan->arena, members, SL_ARRAY_LEN(members));
}

static void take_limits(const struct plan *plan, const struct facts *facts, struct agent *agent)
{
    if (!instance_is_provisioners(agent))
        return;
    const struct offer *offer = instance_offer(facts, agent, plan->subscriptions);
    agent->memory_limit_mb = offer->memory_mb;
    agent->cpu_limit = offer->cpu;
}

void provision_renew(struct plan *plan, const struct facts *facts, struct job *job)
{
    const struct agent *agent = effect_own_agent(facts, job->agent_id);
    if (!agent || !instance_is_provisioners(agent))
        return;
    struct agent *copy = plan_agent(plan, agent);
    take_limits(plan, facts, copy);
    job->args = args_of(plan, facts, copy, SL_STR_NONE);
}

void provision_queue(struct plan *plan, const struct facts *facts, const struct agent *agent, struct sl_str region)
{
    if (sl_str_empty(region))
        region = sl_str_empty(agent->region) ? facts->policy->default_region : agent->region;
    /* While another provision of the agent is open its region is the one that holds. */
    if (agent->status != AGENT_PROVISIONING) {
        struct agent *copy = plan_agent(plan, agent);
        copy->region = region;
        take_limits(plan, facts, copy);
        if (copy->status != AGENT_DESTROYING)
            plan_move_agent(plan, facts, copy, AGENT_PROVISIONING, copy->status_reason);
    }
    struct sl_str args = args_of(plan, facts, agent, region);
    (void)plan_job_new(plan, facts, agent, JOB_PROVISION, args);
    plan_audit(plan, "agent_provision_queued", plan_target(plan, "agent", agent->id), args);
}

void provision_beat(struct plan *plan, const struct facts *facts, const struct job *job)
{
    const struct policy *policy = facts->policy;
    int64_t now_ms = plan->input->received_at_ms;
    plan_job(plan, job)->heartbeat_at_ms = now_ms;
    plan_timer_set(plan, facts, "heartbeat_missed", effect_subject(plan, job),
                   now_ms + policy->heartbeat_ms * policy->heartbeats_missed_max);
}

/* Makes an unclaimed job the run's; one that is queued or running waits for the run from now on. */
static struct job *claimed_copy(struct plan *plan, const struct job *job, struct sl_str run_id)
{
    struct job *copy = plan_job(plan, job);
    if (sl_str_empty(run_id))
        return copy;
    bool claims = sl_str_empty(copy->run_id);
    if (claims) {
        copy->run_id = run_id;
        copy->claimed_at_ms = plan->input->received_at_ms;
        copy->heartbeat_at_ms = plan->input->received_at_ms;
    }
    if (copy->status != JOB_WAITING)
        plan_move_job(plan, copy, JOB_WAITING, SL_STR_NONE);
    else if (claims)
        copy->fence++;
    return copy;
}

void provision_claim(struct plan *plan, const struct facts *facts, const struct job *job, struct sl_str run_id)
{
    SL_ASSERT(!sl_str_empty(run_id));
    struct sl_str subject = effect_subject(plan, job);
    (void)claimed_copy(plan, job, run_id);
    provision_beat(plan, facts, job);
    const struct timer *timeout = facts_timer(facts, timer_id_of("provision_timeout", subject));
    if (!timeout || timeout->decided || timeout->cancelled)
        plan_timer_set(plan, facts, "provision_timeout", subject,
                       plan->input->received_at_ms + facts->policy->provision_timeout_ms);
    const struct detail members[] = {{"run_id", run_id}};
    plan_audit(plan, "job_claimed", plan_target(plan, "job", job->id),
               detail_object(plan->arena, members, SL_ARRAY_LEN(members)));
}

/* An instance is ready: its user is told where. */
static void welcome(struct plan *plan, const struct facts *facts, const struct agent *agent)
{
    const struct detail members[] = {{"url", agent->frontend_url}};
    if (!sl_str_empty(agent->subscription_id))
        effect_email(plan, facts, "welcome", email_of_user(facts, plan->input), members, SL_ARRAY_LEN(members));
}

static void note_found(struct agent *agent, const struct input_job *found)
{
    const struct {
        struct sl_str *member;
        struct sl_str value;
    } notes[] = {
        {&agent->server_id, found->server_id},
        {&agent->server_ip, found->server_ip},
        {&agent->tailscale_device_id, found->tailscale_device_id},
        {&agent->tailscale_ip, found->tailscale_ip},
        {&agent->app_name, found->app_name},
        {&agent->frontend_url, found->frontend_url},
        {&agent->backend_url, found->backend_url},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(notes); i++) {
        if (!sl_str_empty(notes[i].value))
            *notes[i].member = notes[i].value;
    }
}

/* Other provisions of the agent that wait for their turn: only queued ones can be there beside one under way. */
static bool is_queued_behind(const struct job *other, const struct job *job)
{
    return other->kind == JOB_PROVISION && other->status == JOB_QUEUED &&
           sl_uuid_equal(other->agent_id, job->agent_id) && !sl_uuid_equal(other->id, job->id);
}

void provision_complete(struct plan *plan, const struct facts *facts, const struct job *job, struct sl_str run_id,
                        const struct input_job *found)
{
    struct job *copy = claimed_copy(plan, job, run_id);
    effect_cancel_timers(plan, facts, job);
    plan_move_job(plan, copy, JOB_SUCCEEDED, SL_STR_NONE);
    const struct agent *agent = effect_own_agent(facts, job->agent_id);
    if (!agent || agent->status != AGENT_PROVISIONING)
        return;
    struct agent *version = plan_agent(plan, agent);
    note_found(version, found);
    plan_move_agent(plan, facts, version, AGENT_ACTIVE, SL_STR_NONE);
    for (size_t i = 0; i < facts->job_count; i++) {
        if (is_queued_behind(&facts->jobs[i], job))
            effect_cancel_job(plan, facts, &facts->jobs[i], SL_STR("agent is provisioned already"));
    }
    const struct detail members[] = {
        {"server_id", version->server_id}, {"server_ip", version->server_ip}, {"app_name", version->app_name}};
    plan_audit(plan, "agent_provisioned", plan_target(plan, "agent", agent->id),
               detail_object(plan->arena, members, SL_ARRAY_LEN(members)));
    welcome(plan, facts, version);
}

/* The rollback is made first and what waits is sent behind it: a new provision must not meet the old one's remains. */
static void roll_back(struct plan *plan, const struct facts *facts, struct agent *agent, const struct job *job)
{
    effect_remove(plan, facts, agent, JOB_ROLLBACK, job);
    instance_drop_updates(plan, facts, agent);
    for (size_t i = 0; i < facts->job_count; i++) {
        if (!is_queued_behind(&facts->jobs[i], job))
            continue;
        struct job *next = plan_job(plan, &facts->jobs[i]);
        plan_job_requeue(plan, next);
        provision_renew(plan, facts, next);
    }
}

void provision_fail(struct plan *plan, const struct facts *facts, const struct job *job, struct sl_str run_id,
                    struct sl_str reason, const struct input_job *found)
{
    struct job *copy = plan_job(plan, job);
    if (sl_str_empty(copy->run_id))
        copy->run_id = run_id;
    effect_cancel_timers(plan, facts, job);
    plan_move_job(plan, copy, JOB_FAILED, reason);
    const struct agent *agent = effect_own_agent(facts, job->agent_id);
    if (!agent || agent->status != AGENT_PROVISIONING)
        return;
    struct agent *version = plan_agent(plan, agent);
    if (found)
        note_found(version, found);
    plan_move_agent(plan, facts, version, AGENT_FAILED, reason);
    roll_back(plan, facts, version, copy);
    const struct detail members[] = {{"reason", reason}};
    plan_audit(plan, "agent_provision_failed", plan_target(plan, "agent", agent->id),
               detail_object(plan->arena, members, SL_ARRAY_LEN(members)));
}

void provision_cancel(struct plan *plan, const struct facts *facts, const struct job *job)
{
    static const struct sl_str REASON = {.ptr = "cancelled", .len = sizeof("cancelled") - 1};
    struct job *copy = plan_job(plan, job);
    effect_cancel_timers(plan, facts, job);
    plan_move_job(plan, copy, JOB_CANCELLED, REASON);
    const struct agent *agent = effect_own_agent(facts, job->agent_id);
    if (!agent || agent->status != AGENT_PROVISIONING)
        return;
    plan_audit(plan, "agent_provision_cancelled", plan_target(plan, "agent", agent->id), SL_STR_NONE);
    bool made_call = effect_job_made_call(job);
    if (!made_call && effect_open_job(facts, agent->id, JOB_PROVISION, job))
        return;
    struct agent *version = plan_agent(plan, agent);
    if (made_call) {
        plan_move_agent(plan, facts, version, AGENT_FAILED, REASON);
        roll_back(plan, facts, version, copy);
        return;
    }
    instance_drop_updates(plan, facts, agent);
    /* Back to where it was: a failed agent keeps its reason while it is provisioned anew. */
    bool has_failed_before = job->generation > 0 || !sl_str_empty(agent->status_reason);
    struct sl_str reason = sl_str_empty(agent->status_reason) ? REASON : agent->status_reason;
    plan_move_agent(plan, facts, version, has_failed_before ? AGENT_FAILED : AGENT_DRAFT,
                    has_failed_before ? reason : SL_STR_NONE);
}

void provision_go_on(struct plan *plan, const struct facts *facts, struct agent *agent)
{
    bool may_go_on = agent->status == AGENT_FAILED || agent->status == AGENT_DESTROYED;
    if (may_go_on && effect_open_job(facts, agent->id, JOB_PROVISION, NULL))
        plan_move_agent(plan, facts, agent, AGENT_PROVISIONING, agent->status_reason);
}

void provision_give_up(struct plan *plan, const struct facts *facts, const struct agent *agent)
{
    instance_drop_updates(plan, facts, agent);
    for (size_t i = 0; i < facts->job_count; i++) {
        const struct job *job = &facts->jobs[i];
        if (job->kind == JOB_PROVISION && job->status == JOB_QUEUED && sl_uuid_equal(job->agent_id, agent->id))
            plan_move_job(plan, plan_job(plan, job), JOB_FAILED,
                          SL_STR("what the agent had before could not be removed"));
    }
}
