/* repair.c - agent.repair: ops have looked at the clouds, and what they saw isn't as the books say.
 *
 * What was seen is of a moment ago: each rule asks first whether the books still stand as they stood then. The books
 * are what the user ordered, so a server that is off or runs against them is brought back to them; one that is gone
 * fails its agent; what belongs to nobody goes.
 */
#include "worker/decide/effects.h"
#include "worker/decide/families.h"
#include "worker/decide/instance.h"

static const struct agent *seen_agent(const struct facts *facts, const struct input *input)
{
    return facts_agent(facts, input->as.agent.agent_id);
}

static bool has_open_job(const struct facts *facts, const struct agent *agent)
{
    for (size_t i = 0; i < facts->job_count; i++)
        if (job_status_is_open(facts->jobs[i].status) && sl_uuid_equal(facts->jobs[i].agent_id, agent->id))
            return true;
    return false;
}

/* What was seen is the agent's own: the one server or app that it has. */
static bool is_its_own(const struct agent *agent, const struct input_agent *seen)
{
    if (instance_is_provisioners(agent))
        return !sl_str_empty(seen->app_name) && sl_str_equal(agent->app_name, seen->app_name);
    return !sl_str_empty(seen->server_id) && sl_str_equal(agent->server_id, seen->server_id);
}

static bool has_anything(const struct agent *agent)
{
    return !sl_str_empty(agent->server_id) || !sl_str_empty(agent->tailscale_device_id) ||
           !sl_str_empty(agent->app_name);
}

WHEN(repair_busy)
{
    return yes_if(has_open_job(facts, seen_agent(facts, input)));
}

THEN(repair_busy)
{
    (void)facts, (void)input;
    plan_ignored(plan, "a job of the agent is open, and sees to it");
}

/* A failed start or stop leaves its agent with a server, and the data on it: nothing of such an agent is an orphan, for
 * a removal goes by its name too, and would take that server with it. */
WHEN(repair_orphan)
{
    const struct agent *agent = seen_agent(facts, input);
    bool is_nobodys = agent->status == AGENT_DRAFT || agent->status == AGENT_DESTROYED ||
                      (agent->status == AGENT_FAILED && !has_anything(agent));
    return yes_if(sl_str_is(input->as.agent.found, "orphan") && is_nobodys);
}

THEN(repair_orphan)
{
    struct agent remains = *seen_agent(facts, input);
    remains.server_id = input->as.agent.server_id;
    remains.tailscale_device_id = input->as.agent.tailscale_device_id;
    remains.app_name = input->as.agent.app_name;
    effect_remove(plan, facts, &remains, JOB_ROLLBACK, NULL);
    plan_audit(plan, "orphan_removal_queued", plan_target(plan, "agent", remains.id), SL_STR_NONE);
    plan_applied(plan, "the removal of the orphan is queued");
}

static bool is_settled(const struct agent *agent)
{
    return agent->status == AGENT_ACTIVE || agent->status == AGENT_PAUSED;
}

WHEN(repair_lost)
{
    const struct agent *agent = seen_agent(facts, input);
    return yes_if(sl_str_is(input->as.agent.found, "gone") && is_settled(agent) && is_its_own(agent, &input->as.agent));
}

/* The rollback finds the device that is left, if there is one, and makes room for another provision. */
THEN(repair_lost)
{
    const struct agent *agent = seen_agent(facts, input);
    struct agent *copy = plan_agent(plan, agent);
    const char *reason =
        instance_is_provisioners(agent) ? "its app is gone from the provisioner" : "its server is gone from the cloud";
    plan_move_agent(plan, facts, copy, AGENT_FAILED, sl_str_of(reason));
    effect_remove(plan, facts, copy, JOB_ROLLBACK, NULL);
    plan_audit(plan, "agent_lost", plan_target(plan, "agent", agent->id), SL_STR_NONE);
    plan_applied(plan, "the agent has failed: what it ran on is gone");
}

WHEN(repair_off)
{
    const struct agent *agent = seen_agent(facts, input);
    return yes_if(sl_str_is(input->as.agent.found, "off") && agent->status == AGENT_ACTIVE &&
                  !instance_is_provisioners(agent) && is_its_own(agent, &input->as.agent));
}

THEN(repair_off)
{
    effect_start(plan, facts, seen_agent(facts, input));
    plan_applied(plan, "the start is queued");
}

WHEN(repair_on)
{
    const struct agent *agent = seen_agent(facts, input);
    return yes_if(sl_str_is(input->as.agent.found, "on") && agent->status == AGENT_PAUSED &&
                  !instance_is_provisioners(agent) && is_its_own(agent, &input->as.agent));
}

/* Who stopped it did so before: what a payment would start again stays marked. */
THEN(repair_on)
{
    const struct agent *agent = seen_agent(facts, input);
    struct sl_str stopped_by = agent->stopped_by;
    effect_stop(plan, facts, agent);
    plan_agent(plan, agent)->stopped_by = stopped_by;
    plan_applied(plan, "the stop is queued");
}

THEN(repair_overtaken)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the books say otherwise by now: look again");
}
