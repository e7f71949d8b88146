/* run.c - run.start within the plan's quota, run.finish, and admin.purge_stale_runs.
 *
 * The quota counts runs started since the billing cycle began; without one, since the UTC month began. The count is
 * kept on the workspace with the begin of its window: another begin means a new window. An id is a run's for good.
 */
#include "worker/decide/calendar.h"
#include "worker/decide/detail.h"
#include "worker/decide/families.h"
#include "worker/decide/workspace_effects.h"

static const struct workspace *named_workspace(const struct facts *facts, const struct input *input)
{
    return commons_workspace(facts->commons, input->as.workspace.workspace_id);
}

WHEN(run_repeated)
{
    const struct input_workspace *command = &input->as.workspace;
    return yes_if(!sl_str_empty(command->run_id) &&
                  commons_run(facts->commons, command->workspace_id, command->run_id));
}

THEN(run_repeated)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "the workspace has a run of this id already");
}

static int64_t window_begin_ms(const struct workspace *workspace, const struct input *input)
{
    bool has_cycle = !sl_str_empty(workspace->cycle_subscription_id) && workspace->cycle_started_at_s > 0;
    return has_cycle ? workspace->cycle_started_at_s * 1000 : calendar_month_begin_ms(input->received_at_ms);
}

static int runs_used(const struct workspace *workspace, const struct input *input)
{
    return workspace->runs_since_ms == window_begin_ms(workspace, input) ? workspace->runs_used : 0;
}

WHEN(run_over_limit)
{
    const struct workspace *workspace = named_workspace(facts, input);
    int runs_max = policy_offer(facts->policy, workspace->tier)->max_runs;
    return yes_if(runs_max >= 0 && runs_used(workspace, input) >= runs_max);
}

THEN(run_over_limit)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_WORKSPACE_RUN_LIMIT, "the runs that the workspace's plan allows are used up");
}

static struct sl_str id_text(struct plan *plan, struct sl_uuid id)
{
    char text[SL_UUID_TEXT_BYTES];
    sl_uuid_format(id, text);
    return sl_arena_str(plan->arena, sl_str_of(text));
}

THEN(run_start)
{
    const struct input_workspace *command = &input->as.workspace;
    const struct workspace *workspace = named_workspace(facts, input);
    struct sl_str id = sl_str_empty(command->run_id) ? id_text(plan, plan_derive_id(plan)) : command->run_id;
    struct run *run = plan_run_new(plan, workspace->id, id);
    run->workflow_id = command->workflow_id;
    run->user_id = facts->user.id;
    struct workspace *copy = plan_workspace(plan, workspace);
    copy->runs_used = runs_used(workspace, input) + 1;
    copy->runs_since_ms = window_begin_ms(workspace, input);
    const struct detail data[] = {{"run_id", id}};
    plan_data(plan, detail_object(plan->arena, data, SL_ARRAY_LEN(data)));
    plan_applied(plan, "the run is started");
}

/* A run of that id in a workspace of the user's: the named one, or any; an open one first, then the newest. */
static const struct run *named_run(const struct facts *facts, const struct input *input)
{
    const struct input_workspace *command = &input->as.workspace;
    const struct run *best = NULL;
    for (size_t i = 0; i < facts->commons->run_count; i++) {
        const struct run *run = facts->commons->runs[i];
        bool is_meant =
            sl_str_equal(run->id, command->run_id) &&
            (sl_uuid_is_nil(command->workspace_id) || sl_uuid_equal(run->workspace_id, command->workspace_id)) &&
            workspace_membership(facts, run->workspace_id);
        if (!is_meant)
            continue;
        bool is_open = !run->ended_at_ms, best_is_open = best && !best->ended_at_ms;
        bool is_newer =
            best &&
            (run->started_at_ms > best->started_at_ms ||
             (run->started_at_ms == best->started_at_ms && sl_uuid_compare(run->workspace_id, best->workspace_id) < 0));
        if (!best || (is_open && !best_is_open) || (is_open == best_is_open && is_newer))
            best = run;
    }
    return best;
}

WHEN(run_elsewhere)
{
    struct sl_uuid workspace_id = input->as.workspace.workspace_id;
    return yes_if(!sl_uuid_is_nil(workspace_id) && !workspace_membership(facts, workspace_id));
}

WHEN(run_unknown)
{
    return yes_if(!named_run(facts, input));
}

THEN(run_unknown)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "there is no such run");
}

WHEN(run_ended)
{
    const struct run *run = named_run(facts, input);
    SL_ASSERT(run); /* or the row before would have refused */
    return yes_if(run->ended_at_ms != 0);
}

THEN(run_ended)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "the run has ended");
}

static void end_run(struct plan *plan, const struct run *run, struct sl_str reason)
{
    struct run *copy = plan_run(plan, run);
    copy->ended_at_ms = plan->input->received_at_ms;
    copy->end_reason = reason;
}

THEN(run_finish)
{
    end_run(plan, named_run(facts, input), SL_STR("finished"));
    plan_applied(plan, "the run is finished");
}

/* admin.purge_stale_runs: whosever they are; ingress has seen that an admin asks. */

THEN(runs_purge)
{
    int64_t age_ms = input->as.purge.older_than_ms;
    int64_t before_ms = input->received_at_ms - (age_ms > 0 ? age_ms : facts->policy->stale_run_ms);
    int64_t purged = 0;
    for (size_t i = 0; i < facts->commons->run_count; i++) {
        const struct run *run = facts->commons->runs[i];
        if (run->ended_at_ms || run->started_at_ms >= before_ms)
            continue;
        end_run(plan, run, SL_STR("purged"));
        purged++;
    }
    const struct detail members[] = {{"purged", detail_number(plan->arena, purged)}};
    if (purged)
        plan_audit(plan, "runs_purged", plan_target_named(plan, "user", facts->user.id),
                   detail_object(plan->arena, members, SL_ARRAY_LEN(members)));
    plan_data(plan, sl_arena_printf(plan->arena, "{\"purged\":%lld}", (long long)purged));
    plan_applied(plan, "the stale runs are ended");
}
