/* instance.c - see instance.h. */
#include "worker/decide/instance.h"

#include "worker/decide/detail.h"
#include "worker/decide/effects.h"
#include "worker/decide/grace.h"
#include "worker/decide/provision.h"
#include "worker/decide/tier.h"

struct sl_uuid instance_id_of(struct sl_str subscription_id)
{
    const struct sl_str parts[] = {SL_STR("instance"), subscription_id};
    if (sl_str_empty(subscription_id))
        return (struct sl_uuid){.bytes = {0}};
    return sl_uuid_v5(SL_UUID_SPACE, parts, SL_ARRAY_LEN(parts));
}

const struct agent *instance_of(const struct facts *facts, struct sl_str subscription_id)
{
    const struct agent *found = NULL;
    for (size_t i = 0; i < facts->agent_count && !sl_str_empty(subscription_id); i++) {
        const struct agent *agent = &facts->agents[i];
        if (sl_str_equal(agent->user_id, facts->user.id) && sl_str_equal(agent->subscription_id, subscription_id) &&
            (!found || found->status == AGENT_DESTROYED))
            found = agent;
    }
    return found;
}

static bool is_wanted(const struct facts *facts, const struct subscription *version)
{
    return tier_is_live(version) && policy_offer_of_price(facts->policy, version->price_id)->on_subscribe_provision;
}

bool instance_is_missing(const struct facts *facts, const struct subscription *version)
{
    return is_wanted(facts, version) && !instance_of(facts, version->id);
}

/* Not one that is about to end because the agent is removed. */
static bool has_provision_to_come(const struct facts *facts, const struct agent *agent)
{
    for (size_t i = 0; i < facts->job_count; i++) {
        const struct job *job = &facts->jobs[i];
        if (job->kind == JOB_PROVISION && job->status == JOB_QUEUED && !job->cancel_requested &&
            sl_uuid_equal(job->agent_id, agent->id))
            return true;
    }
    return false;
}

/* Only the end of a grace period leaves a removed agent with the mark of what stopped it. */
bool instance_may_return(const struct facts *facts, const struct subscription *version)
{
    const struct agent *agent = instance_of(facts, version->id);
    if (!agent || !is_wanted(facts, version) || version->invoice_rank == INVOICE_FAILED)
        return false;
    bool was_users = sl_str_equal(agent->stopped_by, facts->user.id);
    if (was_users && grace_is_unpaid(facts, facts->user.id))
        return false;
    bool is_removed =
        agent->status == AGENT_DESTROYED || (agent->status == AGENT_DESTROYING && !has_provision_to_come(facts, agent));
    return is_removed && !sl_str_empty(agent->stopped_by);
}

void instance_provide(struct plan *plan, const struct facts *facts, const struct subscription *version)
{
    if (instance_may_return(facts, version)) {
        const struct agent *gone = instance_of(facts, version->id);
        plan_agent(plan, gone)->stopped_by = SL_STR_NONE;
        provision_queue(plan, facts, gone, SL_STR_NONE);
        return;
    }
    if (!instance_is_missing(facts, version))
        return;
    struct sl_uuid id = instance_id_of(version->id);
    /* Anybody may have given an agent of his this id. */
    if (facts_agent(facts, id))
        id = plan_derive_id(plan);
    struct agent *agent = plan_agent_new(plan, facts, id);
    agent->name = effect_default_name(plan, id);
    agent->backend = policy_offer_of_price(facts->policy, version->price_id)->backend;
    agent->subscription_id = version->id;
    plan_audit(plan, "agent_created", plan_target(plan, "agent", id), SL_STR_NONE);
    provision_queue(plan, facts, agent, SL_STR_NONE);
}

const struct offer *instance_offer(const struct facts *facts, const struct agent *agent,
                                   const struct subscription *version)
{
    if (sl_str_empty(agent->subscription_id))
        return tier_offer(facts, version);
    const struct subscription *own = facts_subscription(facts, agent->subscription_id);
    if (version && sl_str_equal(version->id, agent->subscription_id))
        own = version;
    return own ? policy_offer_of_price(facts->policy, own->price_id) : &facts->policy->free_offer;
}

struct sl_str instance_key(struct plan *plan, const struct agent *agent)
{
    char text[SL_UUID_TEXT_BYTES];
    if (!sl_str_empty(agent->subscription_id))
        return agent->subscription_id;
    sl_uuid_format(agent->id, text);
    return sl_arena_str(plan->arena, sl_str_of(text));
}

bool instance_is_provisioners(const struct agent *agent)
{
    return sl_str_is(agent->backend, "provisioner");
}

bool instance_has_app(const struct agent *agent)
{
    return agent->status == AGENT_ACTIVE || agent->status == AGENT_STOPPING || agent->status == AGENT_PAUSED ||
           agent->status == AGENT_STARTING;
}

#define LIMITS_COUNT 5

static void put_limits(struct plan *plan, const struct offer *offer, struct detail limits[LIMITS_COUNT])
{
    limits[0] = (struct detail){"tier", offer->name};
    limits[1] = (struct detail){"agents", detail_number(plan->arena, offer->max_agents)};
    limits[2] = (struct detail){"messages_per_day", detail_number(plan->arena, offer->max_messages_per_day)};
    limits[3] = (struct detail){"memory_mb", detail_number(plan->arena, offer->memory_mb)};
    limits[4] = (struct detail){"cpu", sl_arena_printf(plan->arena, "%.6g", offer->cpu)};
}

struct sl_str instance_provision_args(struct plan *plan, const struct facts *facts, const struct agent *agent,
                                      const struct offer *offer)
{
    struct detail members[2 + LIMITS_COUNT] = {
        {"subscription_id", instance_key(plan, agent)},
        {"account_id", facts->user.id},
    };
    put_limits(plan, offer, &members[2]);
    return detail_object(plan->arena, members, SL_ARRAY_LEN(members));
}

struct sl_str instance_update_args(struct plan *plan, const struct agent *agent, const struct offer *offer)
{
    struct detail members[1 + LIMITS_COUNT] = {{"app_name", agent->app_name}};
    put_limits(plan, offer, &members[1]);
    return detail_object(plan->arena, members, SL_ARRAY_LEN(members));
}

static bool is_same(double a, double b)
{
    return !(a < b) && !(a > b);
}

static void follow_limits(struct plan *plan, const struct facts *facts, const struct agent *agent,
                          const struct subscription *version)
{
    const struct offer *before = instance_offer(facts, agent, NULL);
    const struct offer *after = instance_offer(facts, agent, version);
    bool is_unchanged = before->max_agents == after->max_agents &&
                        before->max_messages_per_day == after->max_messages_per_day &&
                        agent->memory_limit_mb == after->memory_mb && is_same(agent->cpu_limit, after->cpu);
    bool will_have_app = instance_has_app(agent) || agent->status == AGENT_PROVISIONING ||
                         (agent->status == AGENT_DESTROYING && has_provision_to_come(facts, agent));
    if (is_unchanged || !will_have_app)
        return;
    struct agent *copy = plan_agent(plan, agent);
    copy->memory_limit_mb = after->memory_mb;
    copy->cpu_limit = after->cpu;
    struct sl_str args = instance_update_args(plan, agent, after);
    (void)plan_job_new(plan, facts, agent, JOB_UPDATE_LIMITS, args);
    plan_audit(plan, "agent_limits_changed", plan_target(plan, "agent", agent->id), args);
}

void instance_follow_limits(struct plan *plan, const struct facts *facts, const struct subscription *version)
{
    bool has_ended = sl_str_is(version->status, "canceled");
    for (size_t i = 0; i < facts->agent_count; i++) {
        const struct agent *agent = &facts->agents[i];
        bool is_its = sl_str_equal(agent->subscription_id, version->id);
        if (!instance_is_provisioners(agent) || !sl_str_equal(agent->user_id, facts->user.id))
            continue;
        if (sl_str_empty(agent->subscription_id) || (is_its && !has_ended))
            follow_limits(plan, facts, agent, version);
    }
}

void instance_drop_updates(struct plan *plan, const struct facts *facts, const struct agent *agent)
{
    for (size_t i = 0; i < facts->job_count; i++) {
        const struct job *job = &facts->jobs[i];
        if (job->kind == JOB_UPDATE_LIMITS && job->status == JOB_QUEUED && sl_uuid_equal(job->agent_id, agent->id))
            effect_cancel_job(plan, facts, job, SL_STR("the agent has no app"));
    }
}
