/* usage.c - usage.record within the day's limit, and early_access.join.
 *
 * A day is UTC's, of the receipt. Messages are limited by what the user's plan grants, calls of the API are not. What
 * would pass the limit is refused whole; that the user is told of it once a day is the one thing that a refused command
 * may change.
 */
#include "worker/decide/calendar.h"
#include "worker/decide/email.h"
#include "worker/decide/families.h"
#include "worker/decide/tier.h"

#define UNLIMITED (-1)

/* What the best granting subscription allows; else the plan of a workspace's user; else what is free. */
static int messages_max(const struct facts *facts)
{
    const struct subscription *best = tier_best(facts, NULL);
    if (best)
        return best->max_messages_per_day;
    const struct offer *offer = policy_offer(facts->policy, facts->user.plan);
    bool is_workspaces = offer && offer->is_workspace;
    return is_workspaces ? offer->max_messages_per_day : facts->policy->free_offer.max_messages_per_day;
}

static const struct usage *usage_of_day(const struct facts *facts, const struct input *input)
{
    return facts_usage(facts, calendar_day(input->received_at_ms), input->as.usage.metric);
}

static int64_t used(const struct facts *facts, const struct input *input)
{
    const struct usage *row = usage_of_day(facts, input);
    return row ? row->count : 0;
}

WHEN(usage_senseless)
{
    (void)facts;
    const struct input_usage *command = &input->as.usage;
    bool is_known = sl_str_is(command->metric, "messages") || sl_str_is(command->metric, "api_calls");
    return yes_if(!is_known || command->count <= 0);
}

THEN(usage_senseless)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "usage is a count of messages or api_calls, from 1 on");
}

static bool is_over(const struct facts *facts, const struct input *input)
{
    int limit = messages_max(facts);
    return sl_str_is(input->as.usage.metric, "messages") && limit != UNLIMITED &&
           used(facts, input) > limit - input->as.usage.count;
}

WHEN(usage_over_limit)
{
    return yes_if(is_over(facts, input));
}

WHEN(usage_over_limit_untold)
{
    const struct usage *row = usage_of_day(facts, input);
    return yes_if(is_over(facts, input) && !(row && row->told_at_ms));
}

static struct sl_str resets_at(struct plan *plan, const struct input *input)
{
    return detail_time(plan->arena, (calendar_day(input->received_at_ms) + INT64_C(1)) * (CALENDAR_DAY_MS / 1000));
}

THEN(usage_over_limit)
{
    static const char FORMAT[] = "{\"limit\":%d,\"used\":%lld,\"resets_at\":\"%" SL_STR_FMT "\"}";
    plan_data(plan, sl_arena_printf(plan->arena, FORMAT, messages_max(facts), (long long)used(facts, input),
                                    SL_STR_ARG(resets_at(plan, input))));
    plan_rejected(plan, ERROR_USAGE_LIMIT_REACHED, "the day's messages of your plan are used up");
}

THEN(usage_over_limit_tells)
{
    struct usage *row = plan_usage(plan, facts, calendar_day(input->received_at_ms), input->as.usage.metric);
    row->told_at_ms = input->received_at_ms;
    const struct detail members[] = {
        {"what", SL_STR("messages")},
        {"limit", detail_number(plan->arena, messages_max(facts))},
        {"resets_at", resets_at(plan, input)},
    };
    effect_email(plan, facts, "limit_reached", email_of_user(facts, input), members, SL_ARRAY_LEN(members));
    then_usage_over_limit(facts, input, plan);
}

THEN(usage_counts)
{
    struct usage *row = plan_usage(plan, facts, calendar_day(input->received_at_ms), input->as.usage.metric);
    row->count += input->as.usage.count;
    plan_data(plan, sl_arena_printf(plan->arena, "{\"used\":%lld}", (long long)row->count));
    plan_applied(plan, "the usage is counted");
}

/* early_access.join: of nobody in particular. */

WHEN(early_access_repeated)
{
    return yes_if(commons_early_access(facts->commons, input->as.workspace.email) != NULL);
}

THEN(early_access_repeated)
{
    (void)facts, (void)input;
    plan_data(plan, SL_STR("{\"duplicate\":true}"));
    plan_ignored(plan, "the address is on the list already");
}

THEN(early_access_join)
{
    (void)facts;
    (void)plan_early_access_new(plan, input->as.workspace.email);
    plan_data(plan, SL_STR("{\"duplicate\":false}"));
    plan_applied(plan, "the address is on the list");
}
