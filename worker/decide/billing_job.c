/* billing_job.c - the end of a call to Stripe that a command waits for: its answer.
 *
 * A checkout whose pending entry is another's by now is not handed out: its payment would bring no plan. A job that
 * fails or is cancelled ends what it had made pending.
 */
#include "worker/decide/detail.h"
#include "worker/decide/effects.h"
#include "worker/decide/families.h"
#include "worker/decide/workspace_effects.h"

static const struct job *reported_job(const struct facts *facts, const struct input *input)
{
    return effect_own_job(facts, input->as.job.job_id);
}

WHEN(job_is_stripe)
{
    return yes_if(reported_job(facts, input)->kind == JOB_STRIPE);
}

static bool is_pendings(const struct facts *facts, const struct job *job)
{
    return sl_uuid_equal(facts->user.pending_job_id, job->id);
}

static bool is_of_plan_change(const struct job *job)
{
    return sl_str_is(job->answer_type, "command.workspace.plan_change");
}

/* The command is answered once: a retry of the job has nobody to tell. */
static void answer(const struct facts *facts, struct plan *plan, const struct job *job, enum error_code error,
                   const char *message, struct sl_str data)
{
    enum outcome outcome = error == ERROR_NONE ? OUTCOME_APPLIED : OUTCOME_REJECTED;
    plan_answer(plan, job, outcome, error, message, data);
    struct job *copy = plan_job(plan, job);
    copy->answer_type = SL_STR_NONE;
    copy->reply_to = SL_STR_NONE;
    if (error != ERROR_NONE && is_pendings(facts, job))
        workspace_forget_pending(plan_user(plan, facts));
}

static void keep_customer(const struct facts *facts, const struct input *input, struct plan *plan)
{
    struct sl_str customer_id = input->as.job.customer_id;
    bool is_somebodys = !sl_str_empty(input->customer_user_id);
    if (sl_str_empty(customer_id) || is_somebodys || sl_str_equal(customer_id, facts->user.stripe_customer_id))
        return;
    plan->link_customer_id = customer_id;
    plan_audit(plan, "customer_linked", plan_target_named(plan, "customer", customer_id), SL_STR_NONE);
    if (sl_str_empty(facts->user.stripe_customer_id))
        plan_user(plan, facts)->stripe_customer_id = customer_id;
}

static void answer_checkout(const struct facts *facts, const struct input *input, struct plan *plan,
                            const struct job *job)
{
    const struct input_job *result = &input->as.job;
    if (sl_str_empty(result->checkout_url) || sl_str_empty(result->session_id)) {
        answer(facts, plan, job, ERROR_CLOUD_UNAVAILABLE, "Stripe opened no checkout", SL_STR_NONE);
        return;
    }
    if (is_of_plan_change(job) && !is_pendings(facts, job)) {
        answer(facts, plan, job, ERROR_INVALID_STATE, "the plan was changed otherwise since", SL_STR_NONE);
        return;
    }
    if (is_pendings(facts, job))
        plan_user(plan, facts)->pending_session_id = result->session_id;
    const struct detail members[] = {{"checkout_url", result->checkout_url}};
    struct sl_str url = detail_object(plan->arena, members, SL_ARRAY_LEN(members));
    url = (struct sl_str){.ptr = url.ptr + 1, .len = url.len - 1}; /* without its brace */
    answer(facts, plan, job, ERROR_NONE, "the checkout is open",
           sl_arena_printf(plan->arena, "{\"success\":true,%" SL_STR_FMT, SL_STR_ARG(url)));
}

static void answer_downgrade(const struct facts *facts, const struct input *input, struct plan *plan,
                             const struct job *job)
{
    struct sl_str effective_at = detail_time(plan->arena, input->as.job.effective_at_s);
    static const char FORMAT[] = "{\"success\":true,\"scheduled_downgrade\":{\"effective_at\":\"%" SL_STR_FMT "\"}}";
    if (sl_str_empty(effective_at))
        answer(facts, plan, job, ERROR_CLOUD_UNAVAILABLE, "Stripe did not say when the plan ends", SL_STR_NONE);
    else
        answer(facts, plan, job, ERROR_NONE, "the plan ends with the period that is paid for",
               sl_arena_printf(plan->arena, FORMAT, SL_STR_ARG(effective_at)));
}

static void answer_resume(const struct facts *facts, const struct input *input, struct plan *plan,
                          const struct job *job)
{
    struct sl_str renews_at = detail_time(plan->arena, input->as.job.renews_at_s);
    static const char FORMAT[] = "{\"success\":true,\"renews_at\":\"%" SL_STR_FMT "\"}";
    if (sl_str_empty(renews_at))
        answer(facts, plan, job, ERROR_CLOUD_UNAVAILABLE, "Stripe did not say when the plan renews", SL_STR_NONE);
    else
        answer(facts, plan, job, ERROR_NONE, "the subscription goes on",
               sl_arena_printf(plan->arena, FORMAT, SL_STR_ARG(renews_at)));
}

THEN(stripe_succeeded)
{
    const struct job *job = reported_job(facts, input);
    struct sl_str operation = detail_text(plan->arena, job->args, "op");
    plan_move_job(plan, plan_job(plan, job), JOB_SUCCEEDED, SL_STR_NONE);
    keep_customer(facts, input, plan);
    if (sl_str_is(operation, "checkout"))
        answer_checkout(facts, input, plan, job);
    else if (sl_str_is(operation, "resume"))
        answer_resume(facts, input, plan, job);
    else
        answer_downgrade(facts, input, plan, job);
    plan_applied(plan, "Stripe has answered");
}

THEN(stripe_failed)
{
    const struct job *job = reported_job(facts, input);
    struct sl_str error = input->as.job.error;
    plan_move_job(plan, plan_job(plan, job), JOB_FAILED,
                  sl_str_empty(error) ? SL_STR("the job failed without saying why") : error);
    answer(facts, plan, job, ERROR_CLOUD_UNAVAILABLE, "Stripe did not do it: please try again", SL_STR_NONE);
    plan_applied(plan, "Stripe's failure is told to who waits for it");
}

static void cancel(const struct facts *facts, struct plan *plan, const struct job *job)
{
    plan_move_job(plan, plan_job(plan, job), JOB_CANCELLED, SL_STR("cancelled"));
    answer(facts, plan, job, ERROR_CLOUD_UNAVAILABLE, "the call to Stripe was cancelled", SL_STR_NONE);
}

THEN(stripe_cancelled)
{
    cancel(facts, plan, reported_job(facts, input));
    plan_applied(plan, "the call to Stripe is cancelled");
}

/* job.retry and job.cancel */

WHEN(retry_answered)
{
    return yes_if(facts_job(facts, input->as.job.job_id)->kind == JOB_STRIPE);
}

THEN(retry_answered)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "the command that asked for it was answered: send it again");
}

/* One that is not under way; a running one is ended by the executor. */
WHEN(cancel_unbegun_call)
{
    return yes_if(facts_job(facts, input->as.job.job_id)->kind == JOB_STRIPE);
}

THEN(cancel_unbegun_call)
{
    const struct job *job = facts_job(facts, input->as.job.job_id);
    plan_audit(plan, "job_cancelled", plan_target(plan, "job", job->id), SL_STR_NONE);
    cancel(facts, plan, job);
    plan_applied(plan, "the job is cancelled");
}
