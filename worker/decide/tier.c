/* tier.c - see tier.h. */
#include "worker/decide/tier.h"

bool tier_is_live(const struct subscription *subscription)
{
    return sl_str_is(subscription->status, "active") || sl_str_is(subscription->status, "trialing");
}

bool tier_is_granting(const struct subscription *subscription)
{
    return tier_is_live(subscription) || sl_str_is(subscription->status, "past_due");
}

/* The user's subscriptions, one by one: those held, the version in the place of its own, and a new version last.
 * NULL for another user's. */
static const struct subscription *nth(const struct facts *facts, const struct subscription *version, size_t index)
{
    if (index == facts->subscription_count)
        return version && !facts_subscription(facts, version->id) ? version : NULL;
    const struct subscription *held = &facts->subscriptions[index];
    if (!sl_str_equal(held->user_id, facts->user.id))
        return NULL;
    return version && sl_str_equal(held->id, version->id) ? version : held;
}

bool tier_has_live(const struct facts *facts, const struct subscription *version, struct sl_str except)
{
    for (size_t i = 0; i <= facts->subscription_count; i++) {
        const struct subscription *one = nth(facts, version, i);
        if (one && tier_is_live(one) && !sl_str_equal(one->id, except))
            return true;
    }
    return false;
}

static bool is_larger(int a, int b)
{
    return a != b && (a < 0 || (b >= 0 && a > b));
}

/* More agents, then more messages, memory, members: -1 is unlimited. The last tells a workspace from the free offer. */
static bool grants_more(const struct facts *facts, const struct subscription *a, const struct subscription *b)
{
    if (a->max_agents != b->max_agents)
        return is_larger(a->max_agents, b->max_agents);
    if (a->max_messages_per_day != b->max_messages_per_day)
        return is_larger(a->max_messages_per_day, b->max_messages_per_day);
    const struct offer *of_a = policy_offer_of_price(facts->policy, a->price_id);
    const struct offer *of_b = policy_offer_of_price(facts->policy, b->price_id);
    if (of_a->memory_mb != of_b->memory_mb)
        return is_larger(of_a->memory_mb, of_b->memory_mb);
    if (of_a->max_members != of_b->max_members)
        return is_larger(of_a->max_members, of_b->max_members);
    return sl_str_compare(a->id, b->id) < 0;
}

const struct subscription *tier_best(const struct facts *facts, const struct subscription *version)
{
    const struct subscription *best = NULL;
    for (size_t i = 0; i <= facts->subscription_count; i++) {
        const struct subscription *one = nth(facts, version, i);
        if (one && tier_is_granting(one) && (!best || grants_more(facts, one, best)))
            best = one;
    }
    return best;
}

const struct offer *tier_offer(const struct facts *facts, const struct subscription *version)
{
    const struct subscription *best = tier_best(facts, version);
    return best ? policy_offer_of_price(facts->policy, best->price_id) : &facts->policy->free_offer;
}

int tier_agents_max(const struct facts *facts, const struct subscription *version)
{
    if (!tier_has_live(facts, version, SL_STR_NONE))
        return facts->policy->free_offer.max_agents;
    int most = 0;
    for (size_t i = 0; i <= facts->subscription_count; i++) {
        const struct subscription *one = nth(facts, version, i);
        if (one && tier_is_live(one) && is_larger(one->max_agents, most))
            most = one->max_agents;
    }
    return most;
}

int tier_agents_counted(const struct facts *facts, const struct agent *except)
{
    int count = 0;
    for (size_t i = 0; i < facts->agent_count; i++) {
        const struct agent *agent = &facts->agents[i];
        bool counts = agent->status != AGENT_DRAFT && agent->status != AGENT_FAILED && agent->status != AGENT_DESTROYED;
        if (counts && sl_str_equal(agent->user_id, facts->user.id) &&
            (!except || !sl_uuid_equal(agent->id, except->id)))
            count++;
    }
    return count;
}
