/* workspace_effects.h - what rules of several families do to workspaces: follow a subscription, fall back to solo, lose
 * a member, give up a checkout.
 *
 * Private to decide/; see effects.h. A tier is paid for when its [plan NAME] is a workspace's and not `solo`. A
 * workspace's cycle names the subscription that pays for it: mostly its owner's, or still that of an owner who handed
 * it over. Invariants: an open workspace has one owner, who is a member of it; a closed one has no members, connections
 * or open invitations.
 */
#ifndef DECIDE_WORKSPACE_EFFECTS_H
#define DECIDE_WORKSPACE_EFFECTS_H

#include "worker/decide/plan.h"

bool workspace_tier_is_paid(const struct facts *facts, struct sl_str tier);
/* Of a paid workspace tier, whatever its status. */
bool workspace_is_subscription(const struct facts *facts, const struct subscription *subscription);
/* The user's subscription of a paid workspace tier that is active, trialing or past due; NULL when there is none. The
 * plan's versions count where it has some; `plan` may be NULL. */
const struct subscription *workspace_subscription(const struct plan *plan, const struct facts *facts);

/* Carries the subscription's tier and period to the workspaces that it pays for, and to those that its user owns at a
 * paid tier and nobody pays for. `version` is the plan's. One that is no workspace's any more is as if it had ended. */
void workspace_follow_subscription(struct plan *plan, const struct facts *facts, const struct subscription *version);

/* After the end of a workspace's subscription (its version is in the plan), or on the user's wish: the workspaces that
 * nobody pays for any more are solo, without connections and cycle, and nothing is pending. Leaves users.plan alone. */
void workspace_downgrade_owned(struct plan *plan, const struct facts *facts);

/* A payment came to nothing. Where a workspace's checkout is pending, or users.plan is a paid workspace tier: nothing
 * is pending any more, users.last_error is `message` (for the user's eyes, in the plan's arena or static), and
 * users.plan is solo unless a subscription grants the tier. Nothing where the event is older than what was applied to
 * the billing before, or an invoice of a subscription that is not a workspace's. */
void workspace_payment_failed(struct plan *plan, const struct facts *facts, struct sl_str message);
/* Whether workspace_payment_failed would change anything but for the event's age. */
bool workspace_is_billed(const struct facts *facts);
void workspace_forget_pending(struct user *user);

/* NULL: not open, or the user is no member of it; then the two are the same to the user. */
const struct member *workspace_membership(const struct facts *facts, struct sl_uuid workspace_id);
/* Open workspaces that the user is a member of, but for `except` (nil: none). */
size_t workspace_count(const struct facts *facts, struct sl_uuid except);
size_t workspace_member_count(const struct facts *facts, struct sl_uuid workspace_id);

/* A new workspace of the user's, who owns it; its id derived. */
struct workspace *workspace_make(struct plan *plan, const struct facts *facts, struct sl_str name, struct sl_str tier);
struct workspace *workspace_make_personal(struct plan *plan, const struct facts *facts); /* solo, "Personal" */

/* The member goes, and the connections that the member shared with it. Neither ownership nor what becomes of the user
 * is seen to. */
void workspace_remove_member(struct plan *plan, const struct facts *facts, const struct member *member);
/* All of the workspace's connections; with `shared_by` (not empty) that member's alone. */
void workspace_purge_connections(struct plan *plan, const struct facts *facts, struct sl_uuid workspace_id,
                                 struct sl_str shared_by);

#endif
