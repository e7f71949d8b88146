/* rulebook.c - every rule, in the order tried: the first row of the event's type whose condition holds decides.
 *
 * decide() adds two things to what a row does, whatever the row: a row that cannot tell parks the event, and what
 * the event teaches about its user (customer, e-mail) is part of the plan, except where a command is refused: a
 * refused command changes nothing. Names are permanent: they are stored on what a rule decides, and ids derive from
 * them. A row may go, its name is not given again. The rows about workspaces stand in rulebook_workspace.inc.
 */
#include "worker/decide/rulebook.h"

#include "worker/decide/effects.h"
#include "worker/decide/families.h"

/* when_always needs no asking; then_nothing stands in a row that only parks. */
#define when_always  NULL
#define then_nothing NULL
#define ROW(name, type, when, then, condition, effect)                                                                 \
    {                                                                                                                  \
        name, INPUT_##type, when_##when, then_##then, condition, effect                                                \
    }

/* A row reads as one sentence. */
/* clang-format off */
static const struct rule ROWS[] = {
    /* whoever it is about */
    ROW("customer.unknown.parks", TYPE_COUNT, customer_unknown, nothing,
        "Stripe's, the user unknown, a customer named", "parked until the customer is somebody's"),
    ROW("stripe.nobody.ignored", TYPE_COUNT, stripe_of_nobody, stripe_of_nobody,
        "Stripe's, neither a user nor a customer", "ignored"),
    ROW("command.nobody.refused", TYPE_COUNT, command_of_nobody, command_of_nobody,
        "a command that names no user", "FORBIDDEN"),
    /* customer.subscription.* */
    ROW("subscription.created.unnamed", STRIPE_SUBSCRIPTION_CREATED, subscription_unnamed, subscription_unnamed,
        "no subscription named", "ignored"),
    ROW("subscription.created.foreign", STRIPE_SUBSCRIPTION_CREATED, subscription_foreign, subscription_foreign,
        "the subscription is another user's", "FORBIDDEN"),
    ROW("subscription.created.after_deleted", STRIPE_SUBSCRIPTION_CREATED, subscription_ended, subscription_ended,
        "the subscription was deleted before", "ignored"),
    ROW("subscription.created.stale", STRIPE_SUBSCRIPTION_CREATED, subscription_stale, subscription_stale,
        "older than what was applied", "ignored"),
    ROW("subscription.created.brings_instance", STRIPE_SUBSCRIPTION_CREATED,
        subscription_brings_instance, subscription_brings_instance,
        "live, its plan provisions on subscribing, and its instance was never made, or went with a grace period",
        "as below; the instance and its provision"),
    ROW("subscription.created.exceeds_limit", STRIPE_SUBSCRIPTION_CREATED,
        subscription_exceeds_limit, subscription_exceeds_limit,
        "one is live, another number of agents allowed, and more are there", "as below; the user is told by e-mail"),
    ROW("subscription.created.applies", STRIPE_SUBSCRIPTION_CREATED, always, subscription_applies,
        "else", "subscription, users.plan, agents' limits and the workspaces' cycle as the event says"),
    ROW("subscription.updated.unnamed", STRIPE_SUBSCRIPTION_UPDATED, subscription_unnamed, subscription_unnamed,
        "no subscription named", "ignored"),
    ROW("subscription.updated.foreign", STRIPE_SUBSCRIPTION_UPDATED, subscription_foreign, subscription_foreign,
        "the subscription is another user's", "FORBIDDEN"),
    ROW("subscription.updated.after_deleted", STRIPE_SUBSCRIPTION_UPDATED, subscription_ended, subscription_ended,
        "the subscription was deleted before", "ignored"),
    ROW("subscription.updated.stale", STRIPE_SUBSCRIPTION_UPDATED, subscription_stale, subscription_stale,
        "older than what was applied", "ignored"),
    ROW("subscription.updated.brings_instance", STRIPE_SUBSCRIPTION_UPDATED,
        subscription_brings_instance, subscription_brings_instance,
        "live, its plan provisions on subscribing, and its instance was never made, or went with a grace period",
        "as below; the instance and its provision"),
    ROW("subscription.updated.exceeds_limit", STRIPE_SUBSCRIPTION_UPDATED,
        subscription_exceeds_limit, subscription_exceeds_limit,
        "one is live, another number of agents allowed, and more are there", "as below; the user is told by e-mail"),
    ROW("subscription.updated.applies", STRIPE_SUBSCRIPTION_UPDATED, always, subscription_applies,
        "else", "subscription, users.plan, agents' limits and the workspaces' cycle as the event says"),
    ROW("subscription.deleted.unnamed", STRIPE_SUBSCRIPTION_DELETED, subscription_unnamed, subscription_unnamed,
        "no subscription named", "ignored"),
    ROW("subscription.deleted.foreign", STRIPE_SUBSCRIPTION_DELETED, subscription_foreign, subscription_foreign,
        "the subscription is another user's", "FORBIDDEN"),
    ROW("subscription.deleted.repeated", STRIPE_SUBSCRIPTION_DELETED, subscription_ended, subscription_ended,
        "the subscription was deleted before", "ignored"),
    ROW("subscription.deleted.stale", STRIPE_SUBSCRIPTION_DELETED, subscription_stale, subscription_stale,
        "older than what was applied", "ignored"),
    ROW("subscription.deleted.destroys_agents", STRIPE_SUBSCRIPTION_DELETED,
        subscription_deletion_destroys, subscription_deleted_destroys,
        "policy destroy, no other active or trialing",
        "canceled; every agent destroyed, a job each; grace ended; e-mail; workspaces downgraded if it was theirs"),
    ROW("subscription.deleted.keeps_agents", STRIPE_SUBSCRIPTION_DELETED, always, subscription_deleted_keeps,
        "else", "the same, but only its own instance is destroyed"),
    /* invoice.* */
    ROW("invoice.paid.foreign", STRIPE_INVOICE_PAID, invoice_foreign, invoice_foreign,
        "its subscription is another user's", "FORBIDDEN"),
    ROW("invoice.paid.stale", STRIPE_INVOICE_PAID, invoice_stale, invoice_stale,
        "older than what was applied", "ignored"),
    ROW("invoice.paid.returns_instance", STRIPE_INVOICE_PAID, invoice_returns_instance, invoice_returns_instance,
        "its instance went with the grace period, the subscription is live",
        "as below; the instance provisioned anew; agents started by policy"),
    ROW("invoice.paid.resumes", STRIPE_INVOICE_PAID, invoice_resumes, invoice_resumes,
        "policy resume_on_payment, agents that its failure stopped", "as below; those agents started, a job each"),
    ROW("invoice.paid.updates", STRIPE_INVOICE_PAID, always, invoice_paid,
        "else", "takes its place in the invoices' order; the grace period ends"),
    ROW("invoice.payment_failed.foreign", STRIPE_INVOICE_PAYMENT_FAILED, invoice_foreign, invoice_foreign,
        "its subscription is another user's", "FORBIDDEN"),
    ROW("invoice.payment_failed.stale", STRIPE_INVOICE_PAYMENT_FAILED, invoice_stale, invoice_stale,
        "older than what was applied", "ignored"),
    ROW("invoice.payment_failed.after_deleted", STRIPE_INVOICE_PAYMENT_FAILED, invoice_of_ended, invoice_of_ended,
        "its subscription has ended", "ignored"),
    ROW("invoice.payment_failed.keeps_agents", STRIPE_INVOICE_PAYMENT_FAILED,
        invoice_failure_keeps, invoice_failed_keeps,
        "policy keep", "noted; a grace period begins; e-mail; what waits for a checkout is told"),
    ROW("invoice.payment_failed.stops_agents", STRIPE_INVOICE_PAYMENT_FAILED, always, invoice_failed_stops,
        "else", "the same; every active or starting agent stopped, a job each"),
    /* checkout.session.* */
    ROW("checkout.completed.unpaid", STRIPE_CHECKOUT_COMPLETED, checkout_unpaid, checkout_unpaid,
        "payment_status is unpaid", "ignored: waits for the payment"),
    ROW("checkout.completed.stale", STRIPE_CHECKOUT_COMPLETED, session_stale, billing_stale,
        "no agent named, the pending session, older than what was applied", "ignored"),
    ROW("checkout.completed.upgrades_workspace", STRIPE_CHECKOUT_COMPLETED, session_pending, session_completes,
        "no agent named, the pending session", "workspace made or upgraded, users.plan; nothing pending"),
    ROW("checkout.completed.not_pending", STRIPE_CHECKOUT_COMPLETED, session_not_pending, session_not_pending,
        "no agent named, another session", "ignored"),
    ROW("checkout.completed.switched_off", STRIPE_CHECKOUT_COMPLETED, checkout_switched_off, checkout_switched_off,
        "policy checkout_provisions is off", "ignored"),
    ROW("checkout.completed.without_agent", STRIPE_CHECKOUT_COMPLETED, checkout_without_agent, checkout_without_agent,
        "no agent, or no user, in the metadata", "ignored"),
    ROW("checkout.completed.creates_agent", STRIPE_CHECKOUT_COMPLETED, checkout_agent_new, checkout_agent_new,
        "the agent is unknown", "agent made, provision queued"),
    ROW("checkout.completed.foreign", STRIPE_CHECKOUT_COMPLETED, checkout_agent_foreign, checkout_agent_foreign,
        "the agent is another user's", "FORBIDDEN"),
    ROW("checkout.completed.provisioned", STRIPE_CHECKOUT_COMPLETED, checkout_provisioned, checkout_provisioned,
        "active, stopping, paused or starting", "ignored"),
    ROW("checkout.completed.leftovers", STRIPE_CHECKOUT_COMPLETED, checkout_blocked, checkout_blocked,
        "failed with a server, no rollback open", "INVALID_STATE"),
    ROW("checkout.completed.waits", STRIPE_CHECKOUT_COMPLETED, checkout_waits, checkout_waits,
        "provisioning or destroying", "provision queued behind"),
    ROW("checkout.completed.provisions", STRIPE_CHECKOUT_COMPLETED, always, checkout_provisions,
        "else: draft, failed, destroyed", "provision queued, agent provisioning"),
    ROW("checkout.async_succeeded.unpaid", STRIPE_CHECKOUT_ASYNC_SUCCEEDED, checkout_unpaid, checkout_unpaid,
        "payment_status is unpaid", "ignored: waits for the payment"),
    ROW("checkout.async_succeeded.stale", STRIPE_CHECKOUT_ASYNC_SUCCEEDED, session_stale, billing_stale,
        "no agent named, the pending session, older than what was applied", "ignored"),
    ROW("checkout.async_succeeded.upgrades_workspace", STRIPE_CHECKOUT_ASYNC_SUCCEEDED,
        session_pending, session_completes,
        "no agent named, the pending session", "workspace made or upgraded, users.plan; nothing pending"),
    ROW("checkout.async_succeeded.not_pending", STRIPE_CHECKOUT_ASYNC_SUCCEEDED,
        session_not_pending, session_not_pending,
        "no agent named, another session", "ignored"),
    ROW("checkout.async_succeeded.switched_off", STRIPE_CHECKOUT_ASYNC_SUCCEEDED,
        checkout_switched_off, checkout_switched_off,
        "policy checkout_provisions is off", "ignored"),
    ROW("checkout.async_succeeded.without_agent", STRIPE_CHECKOUT_ASYNC_SUCCEEDED,
        checkout_without_agent, checkout_without_agent,
        "no agent, or no user, in the metadata", "ignored"),
    ROW("checkout.async_succeeded.creates_agent", STRIPE_CHECKOUT_ASYNC_SUCCEEDED,
        checkout_agent_new, checkout_agent_new,
        "the agent is unknown", "agent made, provision queued"),
    ROW("checkout.async_succeeded.foreign", STRIPE_CHECKOUT_ASYNC_SUCCEEDED,
        checkout_agent_foreign, checkout_agent_foreign,
        "the agent is another user's", "FORBIDDEN"),
    ROW("checkout.async_succeeded.provisioned", STRIPE_CHECKOUT_ASYNC_SUCCEEDED,
        checkout_provisioned, checkout_provisioned,
        "active, stopping, paused or starting", "ignored"),
    ROW("checkout.async_succeeded.leftovers", STRIPE_CHECKOUT_ASYNC_SUCCEEDED, checkout_blocked, checkout_blocked,
        "failed with a server, no rollback open", "INVALID_STATE"),
    ROW("checkout.async_succeeded.waits", STRIPE_CHECKOUT_ASYNC_SUCCEEDED, checkout_waits, checkout_waits,
        "provisioning or destroying", "provision queued behind"),
    ROW("checkout.async_succeeded.provisions", STRIPE_CHECKOUT_ASYNC_SUCCEEDED, always, checkout_provisions,
        "else: draft, failed, destroyed", "provision queued, agent provisioning"),
    /* customer.created, customer.updated */
    ROW("customer.noted", STRIPE_CUSTOMER, always, customer_noted, "always", "the newest e-mail is kept"),
    /* commands about agents */
    ROW("agent.create.foreign", AGENT_CREATE, agent_foreign, agent_foreign,
        "the id is another user's agent", "FORBIDDEN"),
    ROW("agent.create.exists", AGENT_CREATE, agent_known, agent_exists, "the user has it", "INVALID_STATE"),
    ROW("agent.create.drafts", AGENT_CREATE, always, agent_create, "else", "a draft"),
    ROW("agent.provision.not_found", AGENT_PROVISION, agent_unknown, agent_unknown, "no such agent", "AGENT_NOT_FOUND"),
    ROW("agent.provision.foreign", AGENT_PROVISION, agent_foreign, agent_foreign, "another user's", "FORBIDDEN"),
    ROW("agent.provision.without_subscription", AGENT_PROVISION, provision_unpaid, provision_unpaid,
        "none active or trialing, free_tier off", "NO_ACTIVE_SUBSCRIPTION"),
    ROW("agent.provision.in_progress", AGENT_PROVISION, provision_in_progress, provision_in_progress,
        "the user has an open provision", "PROVISION_IN_PROGRESS"),
    ROW("agent.provision.misplaced", AGENT_PROVISION, provision_misplaced, provision_misplaced,
        "not draft, nor failed without a server", "INVALID_STATE"),
    ROW("agent.provision.over_limit", AGENT_PROVISION, provision_over_limit, provision_over_limit,
        "the plan's agents are used up", "AGENT_LIMIT_REACHED"),
    ROW("agent.provision.queues_job", AGENT_PROVISION, always, provision,
        "else", "provision queued, agent provisioning"),
    ROW("agent.start.not_found", AGENT_START, agent_unknown, agent_unknown, "no such agent", "AGENT_NOT_FOUND"),
    ROW("agent.start.foreign", AGENT_START, agent_foreign, agent_foreign, "another user's", "FORBIDDEN"),
    ROW("agent.start.not_paused", AGENT_START, agent_not_paused, agent_not_paused, "not paused", "INVALID_STATE"),
    ROW("agent.start.at_once", AGENT_START, agent_serverless, agent_start_at_once,
        "it has no server", "active, without a job"),
    ROW("agent.start.queues_job", AGENT_START, always, agent_start, "else", "start queued, agent starting"),
    ROW("agent.stop.not_found", AGENT_STOP, agent_unknown, agent_unknown, "no such agent", "AGENT_NOT_FOUND"),
    ROW("agent.stop.foreign", AGENT_STOP, agent_foreign, agent_foreign, "another user's", "FORBIDDEN"),
    ROW("agent.stop.not_active", AGENT_STOP, agent_not_active, agent_not_active, "not active", "INVALID_STATE"),
    ROW("agent.stop.at_once", AGENT_STOP, agent_serverless, agent_stop_at_once,
        "it has no server", "paused, without a job"),
    ROW("agent.stop.queues_job", AGENT_STOP, always, agent_stop, "else", "stop queued, agent stopping"),
    ROW("agent.destroy.not_found", AGENT_DESTROY, agent_unknown, agent_unknown, "no such agent", "AGENT_NOT_FOUND"),
    ROW("agent.destroy.foreign", AGENT_DESTROY, agent_foreign, agent_foreign, "another user's", "FORBIDDEN"),
    ROW("agent.destroy.destroyed", AGENT_DESTROY, agent_destroyed, agent_destroyed, "destroyed", "INVALID_STATE"),
    ROW("agent.destroy.under_way", AGENT_DESTROY, agent_destroying, agent_destroying,
        "destroying, nothing queued behind", "ignored"),
    ROW("agent.destroy.destroys", AGENT_DESTROY, always, agent_destroy,
        "else", "open jobs end, destroy queued, or destroyed at once"),
    /* commands about jobs */
    ROW("agent.repair.not_found", AGENT_REPAIR, agent_unknown, agent_unknown, "no such agent", "AGENT_NOT_FOUND"),
    ROW("agent.repair.foreign", AGENT_REPAIR, agent_foreign, agent_foreign, "another user's", "FORBIDDEN"),
    ROW("agent.repair.busy", AGENT_REPAIR, repair_busy, repair_busy, "a job of the agent is open", "ignored"),
    ROW("agent.repair.removes_orphan", AGENT_REPAIR, repair_orphan, repair_orphan,
        "an orphan: draft, destroyed, or failed and without it", "a rollback (a deprovision) is queued"),
    ROW("agent.repair.fails_lost", AGENT_REPAIR, repair_lost, repair_lost,
        "its server (app) is gone: active or paused, and with that one", "agent failed; a rollback removes the rest"),
    ROW("agent.repair.starts", AGENT_REPAIR, repair_off, repair_off,
        "its server is off: active, and with that one", "agent starting; a start is queued"),
    ROW("agent.repair.stops", AGENT_REPAIR, repair_on, repair_on,
        "its server runs: paused, and with that one", "agent stopping; a stop is queued"),
    ROW("agent.repair.overtaken", AGENT_REPAIR, always, repair_overtaken, "else", "ignored"),
    ROW("job.retry.not_found", JOB_RETRY, job_unknown_anywhere, job_unknown_rejected, "no such job", "JOB_NOT_FOUND"),
    ROW("job.retry.forbidden", JOB_RETRY, job_forbidden, job_forbidden,
        "another user's, not asked by ops", "FORBIDDEN"),
    ROW("job.retry.not_failed", JOB_RETRY, retry_not_failed, retry_not_failed, "not failed", "INVALID_STATE"),
    ROW("job.retry.answered", JOB_RETRY, retry_answered, retry_answered, "a call to Stripe", "INVALID_STATE"),
    ROW("job.retry.misplaced", JOB_RETRY, retry_misplaced, retry_misplaced, "its agent has moved on", "INVALID_STATE"),
    ROW("job.retry.without_subscription", JOB_RETRY, retry_unpaid, provision_unpaid,
        "a commanded provision, the gate closed", "NO_ACTIVE_SUBSCRIPTION"),
    ROW("job.retry.in_progress", JOB_RETRY, retry_in_progress, provision_in_progress,
        "a commanded provision, another open", "PROVISION_IN_PROGRESS"),
    ROW("job.retry.over_limit", JOB_RETRY, retry_over_limit, provision_over_limit,
        "a commanded provision, the limit reached", "AGENT_LIMIT_REACHED"),
    ROW("job.retry.requeues", JOB_RETRY, always, retry, "else", "queued anew, last in order; agent as its kind says"),
    ROW("job.cancel.not_found", JOB_CANCEL, job_unknown_anywhere, job_unknown_rejected, "no such job", "JOB_NOT_FOUND"),
    ROW("job.cancel.forbidden", JOB_CANCEL, job_forbidden, job_forbidden,
        "another user's, not asked by ops", "FORBIDDEN"),
    ROW("job.cancel.ended", JOB_CANCEL, cancel_ended, cancel_ended, "ended, or its outcome on the way", "JOB_ENDED"),
    ROW("job.cancel.removal", JOB_CANCEL, cancel_cleanup, cancel_cleanup,
        "destroy, rollback or deprovision", "INVALID_STATE"),
    ROW("job.cancel.repeated", JOB_CANCEL, cancel_requested, cancel_requested, "asked for before", "ignored"),
    ROW("job.cancel.asks_executor", JOB_CANCEL, cancel_running, cancel_running, "running", "cancel_requested"),
    ROW("job.cancel.answers", JOB_CANCEL, cancel_unbegun_call, cancel_unbegun_call,
        "a call to Stripe, queued", "cancelled; the command that waits is answered"),
    ROW("job.cancel.ends_job", JOB_CANCEL, always, cancel,
        "else: queued, waiting", "cancelled; agent as before, or undone by a job"),
    /* callbacks of the workflow */
    ROW("callback.claimed.job_not_found", CALLBACK_CLAIMED, callback_job_unknown, callback_job_unknown,
        "no such job", "JOB_NOT_FOUND"),
    ROW("callback.claimed.without_run", CALLBACK_CLAIMED, callback_without_run, callback_without_run,
        "no run_id", "INVALID_STATE"),
    ROW("callback.claimed.job_ended", CALLBACK_CLAIMED, callback_job_ended, callback_job_ended,
        "ended, settled, being cancelled, no workflow's", "JOB_ENDED"),
    ROW("callback.claimed.out_of_turn", CALLBACK_CLAIMED, callback_out_of_turn, callback_out_of_turn,
        "queued behind another job", "JOB_ENDED"),
    ROW("callback.claimed.other_run", CALLBACK_CLAIMED, callback_other_run, callback_other_run,
        "claimed by another run", "ALREADY_CLAIMED"),
    ROW("callback.claimed.grants", CALLBACK_CLAIMED, callback_unclaimed, callback_claim,
        "unclaimed", "the run has the job; timers set"),
    ROW("callback.claimed.repeated", CALLBACK_CLAIMED, always, callback_beat, "else: by the same run", "granted again"),
    ROW("callback.heartbeat.job_not_found", CALLBACK_HEARTBEAT, callback_job_unknown, callback_job_unknown,
        "no such job", "JOB_NOT_FOUND"),
    ROW("callback.heartbeat.without_run", CALLBACK_HEARTBEAT, callback_without_run, callback_without_run,
        "no run_id", "INVALID_STATE"),
    ROW("callback.heartbeat.job_ended", CALLBACK_HEARTBEAT, callback_job_ended, callback_job_ended,
        "ended, settled, being cancelled, no workflow's", "JOB_ENDED"),
    ROW("callback.heartbeat.out_of_turn", CALLBACK_HEARTBEAT, callback_out_of_turn, callback_out_of_turn,
        "queued behind another job", "JOB_ENDED"),
    ROW("callback.heartbeat.other_run", CALLBACK_HEARTBEAT, callback_other_run, callback_other_run,
        "claimed by another run", "ALREADY_CLAIMED"),
    ROW("callback.heartbeat.claims", CALLBACK_HEARTBEAT, callback_unclaimed, callback_claim,
        "unclaimed", "the run has the job; timers set"),
    ROW("callback.heartbeat.beats", CALLBACK_HEARTBEAT, always, callback_beat, "else", "heartbeat_missed moved"),
    ROW("callback.completed.job_not_found", CALLBACK_COMPLETED, callback_job_unknown, callback_job_unknown,
        "no such job", "JOB_NOT_FOUND"),
    ROW("callback.completed.without_run", CALLBACK_COMPLETED, callback_without_run, callback_without_run,
        "no run_id", "INVALID_STATE"),
    ROW("callback.completed.job_ended", CALLBACK_COMPLETED, callback_job_ended, callback_job_ended,
        "ended, settled, being cancelled, no workflow's", "JOB_ENDED"),
    ROW("callback.completed.out_of_turn", CALLBACK_COMPLETED, callback_out_of_turn, callback_out_of_turn,
        "queued behind another job", "JOB_ENDED"),
    ROW("callback.completed.other_run", CALLBACK_COMPLETED, callback_other_run, callback_other_run,
        "claimed by another run", "ALREADY_CLAIMED"),
    ROW("callback.completed.provisions", CALLBACK_COMPLETED, always, callback_completed,
        "else", "job succeeded, agent active"),
    ROW("callback.failed.job_not_found", CALLBACK_FAILED, callback_job_unknown, callback_job_unknown,
        "no such job", "JOB_NOT_FOUND"),
    ROW("callback.failed.without_run", CALLBACK_FAILED, callback_without_run, callback_without_run,
        "no run_id", "INVALID_STATE"),
    ROW("callback.failed.job_ended", CALLBACK_FAILED, callback_job_ended, callback_job_ended,
        "ended, settled, being cancelled, no workflow's", "JOB_ENDED"),
    ROW("callback.failed.out_of_turn", CALLBACK_FAILED, callback_out_of_turn, callback_out_of_turn,
        "queued behind another job", "JOB_ENDED"),
    ROW("callback.failed.other_run", CALLBACK_FAILED, callback_other_run, callback_other_run,
        "claimed by another run", "ALREADY_CLAIMED"),
    ROW("callback.failed.rolls_back", CALLBACK_FAILED, always, callback_failed,
        "else", "job and agent failed, rollback queued"),
    /* GitHub's own report of a run */
    ROW("workflow_run.not_ours", WORKFLOW_RUN, run_not_ours, run_not_ours, "of no job of ours", "ignored"),
    ROW("workflow_run.not_bad", WORKFLOW_RUN, run_not_bad, run_not_bad, "not completed, or not badly", "ignored"),
    ROW("workflow_run.job_ended", WORKFLOW_RUN, run_job_ended, run_job_ended,
        "ended, settled or being cancelled", "ignored"),
    ROW("workflow_run.earlier_attempt", WORKFLOW_RUN, run_not_dispatched, run_not_dispatched,
        "queued, not dispatched in this attempt", "ignored"),
    ROW("workflow_run.other_run", WORKFLOW_RUN, run_other, run_other,
        "neither the claimant nor the one dispatched", "ignored"),
    ROW("workflow_run.rolls_back", WORKFLOW_RUN, always, run_failed, "else", "job and agent failed, rollback queued"),
    /* reports of the executor */
    ROW("job.dispatched.unknown", JOB_DISPATCHED, job_unknown, job_unknown_ignored, "no such job", "ignored"),
    ROW("job.dispatched.stale", JOB_DISPATCHED, dispatch_stale, job_stale,
        "no workflow's, not waiting, or of an older fence", "ignored"),
    ROW("job.dispatched.waits", JOB_DISPATCHED, always, job_dispatched, "else", "provision_timeout set, the run noted"),
    ROW("job.succeeded.unknown", JOB_SUCCEEDED, job_unknown, job_unknown_ignored, "no such job", "ignored"),
    ROW("job.succeeded.stale", JOB_SUCCEEDED, job_stale, job_stale, "not running, or of an older fence", "ignored"),
    ROW("job.succeeded.provision", JOB_SUCCEEDED, job_is_provision, provision_succeeded, "a provision",
        "agent active; the user of an instance welcomed by e-mail"),
    ROW("job.succeeded.start", JOB_SUCCEEDED, job_is_start, start_succeeded, "a start", "agent active"),
    ROW("job.succeeded.stop", JOB_SUCCEEDED, job_is_stop, stop_succeeded, "a stop", "agent paused"),
    ROW("job.succeeded.destroy", JOB_SUCCEEDED, job_is_destroy, destroy_succeeded, "a destroy", "agent destroyed"),
    ROW("job.succeeded.rollback", JOB_SUCCEEDED, job_is_rollback, rollback_succeeded,
        "a rollback", "server forgotten; on to a queued provision"),
    ROW("job.succeeded.stripe", JOB_SUCCEEDED, job_is_stripe, stripe_succeeded,
        "a call to Stripe", "the command that waits is answered; the session is pending's"),
    ROW("job.succeeded.graph", JOB_SUCCEEDED, job_is_graph, graph_succeeded,
        "a reading of Graph", "the connection's catalog, if it is still the one that was read"),
    ROW("job.succeeded.deprovision", JOB_SUCCEEDED, job_is_deprovision, deprovision_succeeded,
        "a deprovision", "agent destroyed, or its app forgotten; on to a queued provision"),
    ROW("job.succeeded.other", JOB_SUCCEEDED, always, other_succeeded, "else", "job succeeded"),
    ROW("job.failed.unknown", JOB_FAILED, job_unknown, job_unknown_ignored, "no such job", "ignored"),
    ROW("job.failed.stale", JOB_FAILED, job_stale, job_stale, "not running, or of an older fence", "ignored"),
    ROW("job.failed.provision", JOB_FAILED, job_is_provision, provision_failed,
        "a provision", "agent failed, rollback queued, e-mail to the admin"),
    ROW("job.failed.start", JOB_FAILED, job_is_start, start_failed, "a start", "agent failed"),
    ROW("job.failed.stop", JOB_FAILED, job_is_stop, stop_failed, "a stop", "agent failed"),
    ROW("job.failed.destroy", JOB_FAILED, job_is_destroy, destroy_failed, "a destroy", "agent failed"),
    ROW("job.failed.rollback", JOB_FAILED, job_is_rollback, rollback_failed,
        "a rollback", "agent stays failed, with the reason"),
    ROW("job.failed.stripe", JOB_FAILED, job_is_stripe, stripe_failed,
        "a call to Stripe", "CLOUD_UNAVAILABLE to the command that waits; nothing pending"),
    ROW("job.failed.deprovision", JOB_FAILED, job_is_deprovision, deprovision_failed,
        "a deprovision", "agent failed"),
    ROW("job.failed.other", JOB_FAILED, always, other_failed, "else", "job failed"),
    ROW("job.cancelled.unknown", JOB_CANCELLED, job_unknown, job_unknown_ignored, "no such job", "ignored"),
    ROW("job.cancelled.stale", JOB_CANCELLED, job_stale, job_stale, "not running, or of an older fence", "ignored"),
    ROW("job.cancelled.provision", JOB_CANCELLED, job_is_provision, provision_cancelled,
        "a provision", "agent a draft, or failed and rolled back"),
    ROW("job.cancelled.start", JOB_CANCELLED, job_is_start, start_cancelled,
        "a start", "agent paused, or a stop queued"),
    ROW("job.cancelled.stop", JOB_CANCELLED, job_is_stop, stop_cancelled, "a stop", "agent active, or a start queued"),
    ROW("job.cancelled.destroy", JOB_CANCELLED, job_is_destroy, destroy_cancelled, "a destroy", "agent failed"),
    ROW("job.cancelled.rollback", JOB_CANCELLED, job_is_rollback, rollback_cancelled,
        "a rollback", "agent stays failed"),
    ROW("job.cancelled.stripe", JOB_CANCELLED, job_is_stripe, stripe_cancelled,
        "a call to Stripe", "CLOUD_UNAVAILABLE to the command that waits; nothing pending"),
    ROW("job.cancelled.deprovision", JOB_CANCELLED, job_is_deprovision, deprovision_cancelled,
        "a deprovision", "agent failed"),
    ROW("job.cancelled.other", JOB_CANCELLED, always, other_cancelled, "else", "job cancelled"),
    /* timers */
    ROW("timer.heartbeat_missed.unset", TIMER_HEARTBEAT_MISSED, timer_unset, timer_unset,
        "not set, or cancelled", "ignored"),
    ROW("timer.heartbeat_missed.moved", TIMER_HEARTBEAT_MISSED, timer_moved, timer_moved,
        "due at another time now", "ignored"),
    ROW("timer.heartbeat_missed.job_ended", TIMER_HEARTBEAT_MISSED, timer_job_ended, timer_job_ended,
        "the job has ended", "ignored"),
    ROW("timer.heartbeat_missed.rolls_back", TIMER_HEARTBEAT_MISSED, always, timer_heartbeat_missed,
        "else", "job and agent failed, rollback queued"),
    ROW("timer.provision_timeout.unset", TIMER_PROVISION_TIMEOUT, timer_unset, timer_unset,
        "not set, or cancelled", "ignored"),
    ROW("timer.provision_timeout.moved", TIMER_PROVISION_TIMEOUT, timer_moved, timer_moved,
        "due at another time now", "ignored"),
    ROW("timer.provision_timeout.job_ended", TIMER_PROVISION_TIMEOUT, timer_job_ended, timer_job_ended,
        "the job has ended", "ignored"),
    ROW("timer.provision_timeout.rolls_back", TIMER_PROVISION_TIMEOUT, always, timer_provision_timeout,
        "else", "job and agent failed, rollback queued"),
    ROW("timer.grace_ending.unset", TIMER_GRACE_ENDING, timer_unset, timer_unset, "not set, or cancelled", "ignored"),
    ROW("timer.grace_ending.moved", TIMER_GRACE_ENDING, timer_moved, timer_moved, "due at another time now", "ignored"),
    ROW("timer.grace_ending.settled", TIMER_GRACE_ENDING, timer_grace_settled, timer_grace_settled,
        "paid since, or the subscription has ended", "ignored"),
    ROW("timer.grace_ending.warns", TIMER_GRACE_ENDING, always, timer_grace_ending, "else", "e-mail"),
    ROW("timer.grace_expired.unset", TIMER_GRACE_EXPIRED, timer_unset, timer_unset, "not set, or cancelled", "ignored"),
    ROW("timer.grace_expired.moved", TIMER_GRACE_EXPIRED, timer_moved, timer_moved,
        "due at another time now", "ignored"),
    ROW("timer.grace_expired.settled", TIMER_GRACE_EXPIRED, timer_grace_settled, timer_grace_settled,
        "paid since, or the subscription has ended", "ignored"),
    ROW("timer.grace_expired.suspends", TIMER_GRACE_EXPIRED, always, timer_grace_expired,
        "else", "the provisioner's agents of the subject deprovisioned, a job each; e-mail"),
    /* workspaces, their billing, usage, early access */
#include "worker/decide/rulebook_workspace.inc"
    /* the rest */
    ROW("unknown.ignored", UNKNOWN, always, unknown, "always", "ignored"),
};
/* clang-format on */

THEN(unknown)
{
    (void)facts, (void)input;
    plan_ignored(plan, "no rule is about events of this type");
}

const struct rule *rulebook_rows(size_t *ret_count)
{
    *ret_count = SL_ARRAY_LEN(ROWS);
    return ROWS;
}

static struct sl_uuid agent_of_job(const struct facts *facts, struct sl_uuid job_id)
{
    const struct job *job = effect_own_job(facts, job_id);
    return job ? job->agent_id : (struct sl_uuid){.bytes = {0}};
}

/* The one agent that the event is about; nil where it is about none or many. */
static struct sl_uuid agent_concerned(const struct facts *facts, const struct input *input)
{
    switch ((int)input->type) {
    case INPUT_STRIPE_CHECKOUT_COMPLETED:
    case INPUT_STRIPE_CHECKOUT_ASYNC_SUCCEEDED:
        return input->as.checkout.agent_id;
    case INPUT_AGENT_CREATE:
    case INPUT_AGENT_PROVISION:
    case INPUT_AGENT_START:
    case INPUT_AGENT_STOP:
    case INPUT_AGENT_DESTROY:
    case INPUT_AGENT_REPAIR:
        return input->as.agent.agent_id;
    case INPUT_CALLBACK_CLAIMED:
    case INPUT_CALLBACK_HEARTBEAT:
    case INPUT_CALLBACK_COMPLETED:
    case INPUT_CALLBACK_FAILED:
        return agent_of_job(facts, input->as.callback.job_id);
    case INPUT_WORKFLOW_RUN:
        return agent_of_job(facts, input->as.workflow_run.job_id);
    case INPUT_JOB_RETRY:
    case INPUT_JOB_CANCEL:
    case INPUT_JOB_DISPATCHED:
    case INPUT_JOB_SUCCEEDED:
    case INPUT_JOB_FAILED:
    case INPUT_JOB_CANCELLED:
        return agent_of_job(facts, input->as.job.job_id);
    case INPUT_TIMER_HEARTBEAT_MISSED:
    case INPUT_TIMER_PROVISION_TIMEOUT:
        return agent_of_job(facts, input->as.timer.job_id);
    default:
        return (struct sl_uuid){.bytes = {0}};
    }
}

static void park(struct plan *plan)
{
    plan->outcome = OUTCOME_PARKED;
    plan->message = SL_STR("the customer is nobody's yet: the event waits until it is");
}

void decide(const struct facts *facts, const struct input *input, struct plan *plan)
{
    SL_ASSERT(plan->outcome == OUTCOME_NONE && plan->input == input);
    SL_ASSERT(facts->policy);
    plan->agent_id = agent_concerned(facts, input);
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        const struct rule *row = &ROWS[i];
        if (row->type != input->type && row->type != RULE_EVERY_TYPE)
            continue;
        enum match match = row->when ? row->when(facts, input) : MATCH_YES;
        if (match == MATCH_NO)
            continue;
        plan->rule = row->name;
        if (match == MATCH_CANNOT_TELL)
            park(plan);
        else
            row->then(facts, input, plan);
        break;
    }
    SL_ASSERT(plan->rule && plan->outcome != OUTCOME_NONE);
    if (plan->outcome != OUTCOME_PARKED)
        customer_learn(facts, input, plan);
}
