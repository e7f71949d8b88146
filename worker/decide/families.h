/* families.h - the conditions and effects that the rows of rulebook.c name, by family. Private to decide/. */
#ifndef DECIDE_FAMILIES_H
#define DECIDE_FAMILIES_H

#include "worker/decide/rulebook.h"

#define WHEN(name) enum match when_##name(const struct facts *facts, const struct input *input)
#define THEN(name) void then_##name(const struct facts *facts, const struct input *input, struct plan *plan)

static inline enum match yes_if(bool condition)
{
    return condition ? MATCH_YES : MATCH_NO;
}

/* customer.c: whoever it is about */
WHEN(customer_unknown);
WHEN(stripe_of_nobody);
THEN(stripe_of_nobody);
WHEN(command_of_nobody);
THEN(command_of_nobody);
THEN(customer_noted);
/* Not a row: what any event teaches about its user, whatever a row decides. */
void customer_learn(const struct facts *facts, const struct input *input, struct plan *plan);

/* subscription.c */
WHEN(subscription_unnamed);
THEN(subscription_unnamed);
WHEN(subscription_foreign);
THEN(subscription_foreign);
WHEN(subscription_ended);
THEN(subscription_ended);
WHEN(subscription_stale);
THEN(subscription_stale);
WHEN(subscription_brings_instance);
THEN(subscription_brings_instance);
WHEN(subscription_exceeds_limit);
THEN(subscription_exceeds_limit);
THEN(subscription_applies);
WHEN(subscription_deletion_destroys);
THEN(subscription_deleted_destroys);
THEN(subscription_deleted_keeps);

/* invoice.c */
WHEN(invoice_foreign);
THEN(invoice_foreign);
WHEN(invoice_stale);
THEN(invoice_stale);
WHEN(invoice_of_ended);
THEN(invoice_of_ended);
WHEN(invoice_returns_instance);
THEN(invoice_returns_instance);
WHEN(invoice_resumes);
THEN(invoice_resumes);
THEN(invoice_paid);
WHEN(invoice_failure_keeps);
THEN(invoice_failed_keeps);
THEN(invoice_failed_stops);

/* checkout.c */
WHEN(checkout_unpaid);
THEN(checkout_unpaid);
WHEN(checkout_switched_off);
THEN(checkout_switched_off);
WHEN(checkout_without_agent);
THEN(checkout_without_agent);
WHEN(checkout_agent_new);
THEN(checkout_agent_new);
WHEN(checkout_agent_foreign);
THEN(checkout_agent_foreign);
WHEN(checkout_provisioned);
THEN(checkout_provisioned);
WHEN(checkout_blocked);
THEN(checkout_blocked);
WHEN(checkout_waits);
THEN(checkout_waits);
THEN(checkout_provisions);

/* agent.c */
WHEN(agent_unknown);
THEN(agent_unknown);
WHEN(agent_foreign);
THEN(agent_foreign);
WHEN(agent_known);
THEN(agent_exists);
THEN(agent_create);
WHEN(provision_unpaid);
THEN(provision_unpaid);
WHEN(provision_in_progress);
THEN(provision_in_progress);
WHEN(provision_misplaced);
THEN(provision_misplaced);
WHEN(provision_over_limit);
THEN(provision_over_limit);
THEN(provision);
WHEN(agent_not_paused);
THEN(agent_not_paused);
WHEN(agent_not_active);
THEN(agent_not_active);
WHEN(agent_serverless);
THEN(agent_start_at_once);
THEN(agent_start);
THEN(agent_stop_at_once);
THEN(agent_stop);
WHEN(agent_destroyed);
THEN(agent_destroyed);
WHEN(agent_destroying);
THEN(agent_destroying);
THEN(agent_destroy);
WHEN(repair_busy);
THEN(repair_busy);
WHEN(repair_orphan);
THEN(repair_orphan);
WHEN(repair_lost);
THEN(repair_lost);
WHEN(repair_off);
THEN(repair_off);
WHEN(repair_on);
THEN(repair_on);
THEN(repair_overtaken);

/* callback.c: the workflow's callbacks and GitHub's workflow_run */
WHEN(callback_job_unknown);
THEN(callback_job_unknown);
WHEN(callback_without_run);
THEN(callback_without_run);
WHEN(callback_job_ended);
THEN(callback_job_ended);
WHEN(callback_out_of_turn);
THEN(callback_out_of_turn);
WHEN(callback_other_run);
THEN(callback_other_run);
WHEN(callback_unclaimed);
THEN(callback_claim);
THEN(callback_beat);
THEN(callback_completed);
THEN(callback_failed);
WHEN(run_not_ours);
THEN(run_not_ours);
WHEN(run_not_bad);
THEN(run_not_bad);
WHEN(run_job_ended);
THEN(run_job_ended);
WHEN(run_not_dispatched);
THEN(run_not_dispatched);
WHEN(run_other);
THEN(run_other);
THEN(run_failed);

/* job.c: outcomes of the executor, and the commands about jobs */
WHEN(job_unknown);
THEN(job_unknown_ignored);
WHEN(job_stale);
THEN(job_stale);
WHEN(dispatch_stale);
THEN(job_dispatched);
WHEN(job_is_provision);
WHEN(job_is_start);
WHEN(job_is_stop);
WHEN(job_is_destroy);
WHEN(job_is_rollback);
WHEN(job_is_deprovision);
THEN(provision_succeeded);
THEN(start_succeeded);
THEN(stop_succeeded);
THEN(destroy_succeeded);
THEN(rollback_succeeded);
THEN(deprovision_succeeded);
THEN(other_succeeded);
THEN(provision_failed);
THEN(start_failed);
THEN(stop_failed);
THEN(destroy_failed);
THEN(rollback_failed);
THEN(deprovision_failed);
THEN(other_failed);
THEN(provision_cancelled);
THEN(start_cancelled);
THEN(stop_cancelled);
THEN(destroy_cancelled);
THEN(rollback_cancelled);
THEN(deprovision_cancelled);
THEN(other_cancelled);

/* job_command.c */
WHEN(job_unknown_anywhere);
THEN(job_unknown_rejected);
WHEN(job_forbidden);
THEN(job_forbidden);
WHEN(retry_not_failed);
THEN(retry_not_failed);
WHEN(retry_misplaced);
THEN(retry_misplaced);
WHEN(retry_unpaid);
WHEN(retry_in_progress);
WHEN(retry_over_limit);
THEN(retry);
WHEN(cancel_ended);
THEN(cancel_ended);
WHEN(cancel_cleanup);
THEN(cancel_cleanup);
WHEN(cancel_requested);
THEN(cancel_requested);
WHEN(cancel_running);
THEN(cancel_running);
THEN(cancel);

/* timer.c */
WHEN(timer_unset);
THEN(timer_unset);
WHEN(timer_moved);
THEN(timer_moved);
WHEN(timer_job_ended);
THEN(timer_job_ended);
THEN(timer_heartbeat_missed);
THEN(timer_provision_timeout);
WHEN(timer_grace_settled);
THEN(timer_grace_settled);
THEN(timer_grace_ending);
THEN(timer_grace_expired);

/* workspace.c: what commands about a workspace share */
WHEN(workspace_unknown);
THEN(workspace_unknown);
WHEN(workspace_not_administered);
THEN(workspace_not_administered);
WHEN(workspace_plan_gone);
THEN(workspace_plan_gone);
WHEN(workspace_on_solo);
THEN(workspace_on_solo);

/* billing.c */
WHEN(billing_plan_unknown);
THEN(billing_plan_unknown);
WHEN(checkout_of_workspace);
THEN(checkout_of_workspace);
WHEN(billing_plan_unpriced);
THEN(billing_plan_unpriced);
THEN(checkout_start);
WHEN(billing_tier_unknown);
THEN(billing_tier_unknown);
WHEN(billing_to_solo);
WHEN(billing_to_solo_subscribed);
THEN(billing_schedule_downgrade);
THEN(billing_downgrade);
WHEN(billing_already_there);
THEN(billing_already_there);
WHEN(billing_paid_for);
THEN(billing_upgrade_paid_for);
WHEN(billing_without_app);
THEN(billing_without_app);
THEN(billing_open_checkout);
WHEN(resume_nothing);
THEN(resume_nothing);
THEN(resume);
WHEN(session_stale);
THEN(billing_stale);
WHEN(session_pending);
THEN(session_completes);
WHEN(session_not_pending);
WHEN(failed_session_not_pending);
THEN(session_not_pending);
WHEN(billing_stale);
THEN(session_failed);
THEN(session_expired);
WHEN(payment_of_nothing);
THEN(payment_of_nothing);
THEN(payment_failed);

/* billing_job.c: the end of a call to Stripe */
WHEN(job_is_stripe);
THEN(stripe_succeeded);
THEN(stripe_failed);
THEN(stripe_cancelled);
WHEN(retry_answered);
THEN(retry_answered);
WHEN(cancel_unbegun_call);
THEN(cancel_unbegun_call);

/* member.c */
WHEN(invite_without_key);
THEN(invite_without_key);
WHEN(invite_without_app);
THEN(invite_without_app);
WHEN(invite_oneself);
THEN(invite_oneself);
WHEN(invite_over_limit);
THEN(invite_over_limit);
THEN(invite);
WHEN(invitation_unknown);
THEN(invitation_unknown);
WHEN(invitation_expired);
THEN(invitation_expired);
WHEN(invitation_of_member);
THEN(invitation_of_member);
WHEN(invitation_plan_gone);
WHEN(invitation_over_limit);
THEN(accept);
WHEN(leave_as_last);
WHEN(leave_as_owner);
THEN(leave_closes);
THEN(leave_hands_over);
THEN(leave);
WHEN(revoke_nobody);
THEN(revoke_nobody);
WHEN(revoke_owner);
THEN(revoke_owner);
WHEN(revoke_oneself);
THEN(revoke_oneself);
THEN(revoke);
WHEN(removed_has_workspace);
THEN(removed_has_workspace);
THEN(removed_makes_personal);

/* connection.c */
WHEN(share_without_key);
THEN(share_without_key);
WHEN(connection_of_other);
THEN(connection_of_other);
THEN(share);
WHEN(share_over_limit);
THEN(share_over_limit);
WHEN(share_of_microsoft);
THEN(share_and_read);
WHEN(connection_unknown);
THEN(connection_unknown);
THEN(unshare);
WHEN(job_is_graph);
THEN(graph_succeeded);

/* run.c */
WHEN(run_repeated);
THEN(run_repeated);
WHEN(run_over_limit);
THEN(run_over_limit);
THEN(run_start);
WHEN(run_elsewhere);
WHEN(run_unknown);
THEN(run_unknown);
WHEN(run_ended);
THEN(run_ended);
THEN(run_finish);
THEN(runs_purge);

/* usage.c: and early access */
WHEN(usage_senseless);
THEN(usage_senseless);
WHEN(usage_over_limit);
WHEN(usage_over_limit_untold);
THEN(usage_over_limit);
THEN(usage_over_limit_tells);
THEN(usage_counts);
WHEN(early_access_repeated);
THEN(early_access_repeated);
THEN(early_access_join);

/* rulebook.c */
THEN(unknown);

#endif
