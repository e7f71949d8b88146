/* agent.c - agent.*: the commands of users about their agents.
 *
 * Refusals come in the order of the rows: unknown, another's, the gate, the state, the limit. A refused command
 * changes nothing.
 */
#include "worker/decide/effects.h"
#include "worker/decide/families.h"
#include "worker/decide/provision.h"

static const struct agent *named_agent(const struct facts *facts, const struct input *input)
{
    return facts_agent(facts, input->as.agent.agent_id);
}

WHEN(agent_unknown)
{
    return yes_if(!named_agent(facts, input));
}

THEN(agent_unknown)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_AGENT_NOT_FOUND, "there is no such agent");
}

WHEN(agent_foreign)
{
    const struct agent *agent = named_agent(facts, input);
    return yes_if(agent && !sl_str_equal(agent->user_id, facts->user.id));
}

THEN(agent_foreign)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_FORBIDDEN, "the agent is another user's");
}

WHEN(agent_known)
{
    return yes_if(named_agent(facts, input) != NULL);
}

THEN(agent_exists)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "an agent with this id exists already");
}

THEN(agent_create)
{
    const struct input_agent *command = &input->as.agent;
    struct sl_uuid id = sl_uuid_is_nil(command->agent_id) ? plan_derive_id(plan) : command->agent_id;
    struct agent *agent = plan_agent_new(plan, facts, id);
    agent->name = sl_str_empty(command->name) ? effect_default_name(plan, id) : command->name;
    agent->backend = sl_str_empty(command->backend) ? SL_STR("github-actions") : command->backend;
    if (!sl_str_empty(command->region))
        agent->region = command->region;
    plan->agent_id = id;
    plan_audit(plan, "agent_created", plan_target(plan, "agent", id), SL_STR_NONE);
    plan_applied(plan, "the agent is made, as a draft");
}

WHEN(provision_unpaid)
{
    (void)input;
    return yes_if(!provision_is_paid_for(facts));
}

THEN(provision_unpaid)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_NO_ACTIVE_SUBSCRIPTION, "provisioning needs a subscription that is active or trialing");
}

WHEN(provision_in_progress)
{
    return yes_if(provision_is_in_progress(facts) || named_agent(facts, input)->status == AGENT_PROVISIONING);
}

THEN(provision_in_progress)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_PROVISION_IN_PROGRESS, "another provision of the user is in progress");
}

WHEN(provision_misplaced)
{
    const struct agent *agent = named_agent(facts, input);
    bool may_begin = agent->status == AGENT_DRAFT ||
                     (agent->status == AGENT_FAILED && !provision_is_blocked_by_leftovers(facts, agent));
    return yes_if(!may_begin);
}

THEN(provision_misplaced)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "only a draft, or a failed agent without a server, can be provisioned");
}

WHEN(provision_over_limit)
{
    return yes_if(provision_limit_is_reached(facts, named_agent(facts, input)));
}

THEN(provision_over_limit)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_AGENT_LIMIT_REACHED, "the plan's number of agents is reached");
}

THEN(provision)
{
    provision_queue(plan, facts, named_agent(facts, input), input->as.agent.region);
    plan_applied(plan, "the provision is queued");
}

WHEN(agent_not_paused)
{
    return yes_if(named_agent(facts, input)->status != AGENT_PAUSED);
}

THEN(agent_not_paused)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "only a paused agent can be started");
}

WHEN(agent_not_active)
{
    return yes_if(named_agent(facts, input)->status != AGENT_ACTIVE);
}

THEN(agent_not_active)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "only an active agent can be stopped");
}

WHEN(agent_serverless)
{
    return yes_if(sl_str_empty(named_agent(facts, input)->server_id));
}

THEN(agent_start_at_once)
{
    effect_start(plan, facts, named_agent(facts, input));
    plan_applied(plan, "the agent has no server: it is active at once");
}

THEN(agent_start)
{
    effect_start(plan, facts, named_agent(facts, input));
    plan_applied(plan, "the start is queued");
}

THEN(agent_stop_at_once)
{
    effect_stop(plan, facts, named_agent(facts, input));
    plan_applied(plan, "the agent has no server: it is paused at once");
}

THEN(agent_stop)
{
    effect_stop(plan, facts, named_agent(facts, input));
    plan_applied(plan, "the stop is queued");
}

WHEN(agent_destroyed)
{
    return yes_if(named_agent(facts, input)->status == AGENT_DESTROYED);
}

THEN(agent_destroyed)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "the agent is destroyed already");
}

/* Asked twice, the answer is the same; but a provision that was paid for since is called off by the second. */
WHEN(agent_destroying)
{
    const struct agent *agent = named_agent(facts, input);
    return yes_if(agent->status == AGENT_DESTROYING && !effect_open_job(facts, agent->id, JOB_PROVISION, NULL));
}

THEN(agent_destroying)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the agent is being destroyed already");
}

THEN(agent_destroy)
{
    effect_destroy(plan, facts, named_agent(facts, input));
    plan_applied(plan, "the agent is destroyed");
}
