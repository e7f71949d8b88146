/* customer.c - whose an event is, and what it teaches about that user.
 *
 * Any verified event of Stripe's that names both a user and a customer makes the customer the user's, unless it is
 * somebody's already; the user's e-mail is the newest that any event gives. Both hold whatever a row decides about
 * the rest of the event (they are facts about the payer, and true of a stale or refused event as well), with one
 * exception: a refused command changes nothing at all.
 */
#include "worker/decide/families.h"

static bool user_is_unknown(const struct facts *facts)
{
    return sl_str_empty(facts->user.id);
}

WHEN(customer_unknown)
{
    bool waits = user_is_unknown(facts) && input_type_is_stripe(input->type) && !sl_str_empty(input->customer_id);
    return waits ? MATCH_CANNOT_TELL : MATCH_NO;
}

WHEN(stripe_of_nobody)
{
    return yes_if(user_is_unknown(facts) && input_type_is_stripe(input->type));
}

THEN(stripe_of_nobody)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the event names neither a user nor a customer");
}

WHEN(command_of_nobody)
{
    /* Early access is for people whom nobody knows yet. */
    return yes_if(user_is_unknown(facts) && input_type_is_command(input->type) &&
                  input->type != INPUT_EARLY_ACCESS_JOIN);
}

THEN(command_of_nobody)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_FORBIDDEN, "the command names no user");
}

THEN(customer_noted)
{
    (void)facts, (void)input;
    plan_applied(plan, "the customer is noted");
}

static void learn_customer(const struct facts *facts, const struct input *input, struct plan *plan)
{
    if (sl_str_empty(input->customer_id))
        return;
    bool is_anothers = !sl_str_empty(input->customer_user_id) && !sl_str_equal(input->customer_user_id, facts->user.id);
    if (is_anothers)
        return;
    bool is_named = sl_str_equal(input->user_named, facts->user.id);
    if (sl_str_empty(input->customer_user_id) && is_named) {
        plan->link_customer_id = input->customer_id;
        plan_audit(plan, "customer_linked", plan_target_named(plan, "customer", input->customer_id), SL_STR_NONE);
    }
    /* A user may have had several customers; the first stays the one that is shown. */
    if (sl_str_empty(facts->user.stripe_customer_id) && (is_named || !sl_str_empty(input->customer_user_id)))
        plan_user(plan, facts)->stripe_customer_id = input->customer_id;
}

static void learn_email(const struct facts *facts, const struct input *input, struct plan *plan)
{
    int64_t created_s = input->created_s ? input->created_s : input->received_at_ms / 1000;
    if (sl_str_empty(input->email) || created_s < facts->user.email_created_s)
        return;
    if (sl_str_equal(input->email, facts->user.email) && created_s == facts->user.email_created_s)
        return;
    struct user *user = plan_user(plan, facts);
    user->email = input->email;
    user->email_created_s = created_s;
}

void customer_learn(const struct facts *facts, const struct input *input, struct plan *plan)
{
    bool refused_command = plan->outcome == OUTCOME_REJECTED && input_type_is_command(input->type);
    if (user_is_unknown(facts) || refused_command)
        return;
    learn_customer(facts, input, plan);
    learn_email(facts, input, plan);
}
