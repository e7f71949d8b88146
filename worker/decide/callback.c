/* callback.c - what the provisioning workflow reports: its own callbacks, and GitHub's workflow_run when it ends
 * badly.
 *
 * The first run that claims a job has it; any report of an unclaimed job is a claim too. Everything of another run,
 * or about a job that has ended or is about to, is refused and changes nothing: the run takes the refusal as the
 * order to stop.
 */
#include "worker/decide/effects.h"
#include "worker/decide/families.h"
#include "worker/decide/provision.h"

static const struct job *reported_job(const struct facts *facts, const struct input *input)
{
    return effect_own_job(facts, input->as.callback.job_id);
}

/* No workflow's; or ended, settled, told to end: the outcome is on its way. */
static bool takes_no_report(const struct job *job)
{
    return job->kind != JOB_PROVISION || !sl_str_is(job->backend, "github-actions") ||
           !job_status_is_open(job->status) || job->settled || job->cancel_requested;
}

WHEN(callback_job_unknown)
{
    return yes_if(!reported_job(facts, input));
}

THEN(callback_job_unknown)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_JOB_NOT_FOUND, "there is no such job");
}

WHEN(callback_without_run)
{
    (void)facts;
    return yes_if(sl_str_empty(input->as.callback.run_id));
}

THEN(callback_without_run)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "the report names no run");
}

WHEN(callback_job_ended)
{
    return yes_if(takes_no_report(reported_job(facts, input)));
}

THEN(callback_job_ended)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_JOB_ENDED, "the job has ended: the run must stop");
}

WHEN(callback_out_of_turn)
{
    return yes_if(provision_is_out_of_turn(facts, reported_job(facts, input)));
}

THEN(callback_out_of_turn)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_JOB_ENDED, "the run belongs to an earlier attempt of the job: it must stop");
}

WHEN(callback_other_run)
{
    struct sl_str run_id = reported_job(facts, input)->run_id;
    return yes_if(!sl_str_empty(run_id) && !sl_str_equal(run_id, input->as.callback.run_id));
}

THEN(callback_other_run)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_ALREADY_CLAIMED, "another run has claimed the job: this one must stop");
}

WHEN(callback_unclaimed)
{
    return yes_if(sl_str_empty(reported_job(facts, input)->run_id));
}

THEN(callback_claim)
{
    provision_claim(plan, facts, reported_job(facts, input), input->as.callback.run_id);
    plan_applied(plan, "the job is the run's");
}

THEN(callback_beat)
{
    provision_beat(plan, facts, reported_job(facts, input));
    plan_applied(plan, "the run is alive");
}

static struct input_job found_by(const struct input_callback *callback)
{
    return (struct input_job){
        .server_id = callback->server_id,
        .server_ip = callback->server_ip,
        .tailscale_device_id = callback->tailscale_device_id,
        .tailscale_ip = callback->tailscale_ip,
    };
}

THEN(callback_completed)
{
    struct input_job found = found_by(&input->as.callback);
    provision_complete(plan, facts, reported_job(facts, input), input->as.callback.run_id, &found);
    plan_applied(plan, "the agent is provisioned");
}

THEN(callback_failed)
{
    const struct input_callback *callback = &input->as.callback;
    struct input_job found = found_by(callback);
    struct sl_str reason =
        sl_str_empty(callback->error) ? SL_STR("the workflow failed without saying why") : callback->error;
    provision_fail(plan, facts, reported_job(facts, input), callback->run_id, reason, &found);
    plan_applied(plan, "the provision failed; what it left is removed");
}

static const struct job *job_of_run(const struct facts *facts, const struct input *input)
{
    return effect_own_job(facts, input->as.workflow_run.job_id);
}

WHEN(run_not_ours)
{
    return yes_if(sl_uuid_is_nil(input->as.workflow_run.job_id) || !job_of_run(facts, input));
}

THEN(run_not_ours)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the run is none of a job known here");
}

WHEN(run_not_bad)
{
    static const char *const BAD[] = {"failure",         "cancelled",       "timed_out",
                                      "startup_failure", "action_required", "stale"};
    (void)facts;
    const struct input_workflow_run *run = &input->as.workflow_run;
    bool is_bad = false;
    for (size_t i = 0; i < SL_ARRAY_LEN(BAD); i++)
        is_bad = is_bad || sl_str_is(run->conclusion, BAD[i]);
    return yes_if(!sl_str_is(run->action, "completed") || !is_bad);
}

THEN(run_not_bad)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the run did not end badly: its own callbacks say the rest");
}

WHEN(run_job_ended)
{
    return yes_if(takes_no_report(job_of_run(facts, input)));
}

THEN(run_job_ended)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the job has ended");
}

/* The run of an attempt that was rolled back may end long after the job is queued anew. */
WHEN(run_not_dispatched)
{
    const struct job *job = job_of_run(facts, input);
    return yes_if(provision_is_out_of_turn(facts, job) || (job->status == JOB_QUEUED && !effect_job_made_call(job)));
}

THEN(run_not_dispatched)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the run belongs to an earlier attempt of the job");
}

WHEN(run_other)
{
    const struct job *job = job_of_run(facts, input);
    struct sl_str expected = sl_str_empty(job->run_id) ? job->dispatched_run_id : job->run_id;
    return yes_if(!sl_str_empty(expected) && !sl_str_equal(expected, input->as.workflow_run.run_id));
}

THEN(run_other)
{
    (void)facts, (void)input;
    plan_ignored(plan, "the run is not the one that has the job");
}

THEN(run_failed)
{
    const struct input_workflow_run *run = &input->as.workflow_run;
    struct sl_str reason =
        sl_arena_printf(plan->arena, "the workflow run ended: %" SL_STR_FMT, SL_STR_ARG(run->conclusion));
    provision_fail(plan, facts, job_of_run(facts, input), run->run_id, reason, NULL);
    plan_applied(plan, "the provision failed; what it left is removed");
}
