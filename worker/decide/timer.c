/* timer.c - timer.*: a run that went silent, or takes too long, fails its provision; a grace period nears its end, or
 * runs out.
 *
 * A timer's event may come long after it fired, and after those of timers due later: it counts only if the timer stands
 * as it was when it fired.
 */
#include "worker/decide/effects.h"
#include "worker/decide/email.h"
#include "worker/decide/families.h"
#include "worker/decide/grace.h"
#include "worker/decide/provision.h"

WHEN(timer_unset)
{
    const struct timer *timer = facts_timer(facts, input->as.timer.timer_id);
    return yes_if(!timer || timer->cancelled || timer->decided);
}

THEN(timer_unset)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the timer is not set");
}

WHEN(timer_moved)
{
    return yes_if(facts_timer(facts, input->as.timer.timer_id)->due_at_ms != input->as.timer.due_at_ms);
}

THEN(timer_moved)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the timer was moved since");
}

WHEN(timer_job_ended)
{
    const struct job *job = effect_own_job(facts, input->as.timer.job_id);
    return yes_if(!job || job->kind != JOB_PROVISION || !job_status_is_open(job->status) || job->settled ||
                  job->cancel_requested);
}

THEN(timer_job_ended)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the job has ended");
}

static void fail(const struct facts *facts, const struct input *input, struct plan *plan, const char *reason)
{
    const struct job *job = effect_own_job(facts, input->as.timer.job_id);
    provision_fail(plan, facts, job, SL_STR_NONE, sl_str_of(reason), NULL);
    plan_applied(plan, "the provision failed; what it left is removed");
}

THEN(timer_heartbeat_missed)
{
    fail(facts, input, plan, "the workflow's heartbeats stopped");
}

THEN(timer_provision_timeout)
{
    fail(facts, input, plan, "the provision took too long");
}

WHEN(timer_grace_settled)
{
    return yes_if(!grace_is_unpaid(facts, input->as.timer.subject));
}

THEN(timer_grace_settled)
{
    (void)facts, (void)input;
    plan_ignored(plan, "it is paid, or the subscription has ended");
}

THEN(timer_grace_ending)
{
    const struct timer *end = facts_timer(facts, timer_id_of("grace_expired", input->as.timer.subject));
    const struct detail members[] = {{"ends_at", detail_time(plan->arena, end ? end->due_at_ms / 1000 : 0)}};
    effect_email(plan, facts, "grace_ending", email_of_user(facts, input), members, SL_ARRAY_LEN(members));
    plan_applied(plan, "the grace period ends soon; the user is warned");
}

THEN(timer_grace_expired)
{
    grace_expire(plan, facts, input->as.timer.subject);
    plan_timer_cancel(plan, facts, "grace_ending", input->as.timer.subject);
    effect_email(plan, facts, "suspended", email_of_user(facts, input), NULL, 0);
    plan_applied(plan, "the grace period is over; what the provisioner ran for it is removed");
}
