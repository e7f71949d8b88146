/* checkout.c - checkout.session.completed and .async_payment_succeeded: a paid checkout whose metadata names a user
 * and an agent provisions it.
 *
 * It is money: no gate, no limit, and where something else is under way the job waits its turn. Its id derives from
 * Stripe's event id, so one event makes one job.
 */
#include "worker/decide/effects.h"
#include "worker/decide/families.h"
#include "worker/decide/provision.h"

static const struct agent *named_agent(const struct facts *facts, const struct input *input)
{
    return facts_agent(facts, input->as.checkout.agent_id);
}

WHEN(checkout_unpaid)
{
    (void)facts;
    return yes_if(sl_str_is(input->as.checkout.payment_status, "unpaid"));
}

THEN(checkout_unpaid)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the checkout waits for the payment");
}

WHEN(checkout_switched_off)
{
    (void)input;
    return yes_if(!facts->policy->checkout_provisions);
}

THEN(checkout_switched_off)
{
    (void)facts, (void)input;
    plan_ignored(plan, "checkouts provision nothing by policy");
}

WHEN(checkout_without_agent)
{
    (void)facts;
    const struct input_checkout *checkout = &input->as.checkout;
    return yes_if(sl_uuid_is_nil(checkout->agent_id) || checkout->agent_id_malformed || !checkout->names_user);
}

THEN(checkout_without_agent)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the checkout's metadata doesn't name both an agent and a user");
}

WHEN(checkout_agent_new)
{
    return yes_if(!named_agent(facts, input));
}

THEN(checkout_agent_new)
{
    struct agent *agent = plan_agent_new(plan, facts, input->as.checkout.agent_id);
    agent->name = effect_default_name(plan, agent->id);
    agent->backend = SL_STR("github-actions");
    plan_audit(plan, "agent_created", plan_target(plan, "agent", agent->id), SL_STR_NONE);
    provision_queue(plan, facts, agent, input->as.checkout.region);
    plan_applied(plan, "the agent is made and its provision queued");
}

WHEN(checkout_agent_foreign)
{
    return yes_if(!sl_str_equal(named_agent(facts, input)->user_id, facts->user.id));
}

THEN(checkout_agent_foreign)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_FORBIDDEN, "the agent is another user's");
}

WHEN(checkout_provisioned)
{
    enum agent_status status = named_agent(facts, input)->status;
    return yes_if(status == AGENT_ACTIVE || status == AGENT_STOPPING || status == AGENT_PAUSED ||
                  status == AGENT_STARTING);
}

THEN(checkout_provisioned)
{
    (void)facts, (void)input;
    plan_ignored(plan, "agent is provisioned already");
}

WHEN(checkout_blocked)
{
    const struct agent *agent = named_agent(facts, input);
    return yes_if(agent->status == AGENT_FAILED && provision_is_blocked_by_leftovers(facts, agent));
}

THEN(checkout_blocked)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "the agent failed with a server on its books: destroy it first");
}

WHEN(checkout_waits)
{
    enum agent_status status = named_agent(facts, input)->status;
    return yes_if(status == AGENT_PROVISIONING || status == AGENT_DESTROYING);
}

static void queue(const struct facts *facts, const struct input *input, struct plan *plan)
{
    provision_queue(plan, facts, named_agent(facts, input), input->as.checkout.region);
}

THEN(checkout_waits)
{
    queue(facts, input, plan);
    plan_applied(plan, "the provision waits for what is under way for the agent");
}

THEN(checkout_provisions)
{
    queue(facts, input, plan);
    plan_applied(plan, "the provision is queued");
}
