/* workspace.c - the conditions that commands about a workspace share: who may, and what its plan allows.
 *
 * To who is no member a workspace doesn't exist. A workspace whose plan is no longer configured has no limits that
 * could be kept: what would need them is refused.
 */
#include "worker/decide/families.h"
#include "worker/decide/workspace_effects.h"

static struct sl_uuid named_id(const struct input *input)
{
    return input->as.workspace.workspace_id;
}

WHEN(workspace_unknown)
{
    return yes_if(!workspace_membership(facts, named_id(input)));
}

THEN(workspace_unknown)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_WORKSPACE_NOT_FOUND, "there is no such workspace");
}

WHEN(workspace_not_administered)
{
    return yes_if(workspace_membership(facts, named_id(input))->role < ROLE_ADMIN);
}

THEN(workspace_not_administered)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_FORBIDDEN, "only the workspace's owner and admins may do that");
}

WHEN(workspace_plan_gone)
{
    const struct workspace *workspace = commons_workspace(facts->commons, named_id(input));
    return yes_if(!policy_offer(facts->policy, workspace->tier));
}

THEN(workspace_plan_gone)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_INVALID_STATE, "the workspace's plan is no longer configured");
}

WHEN(workspace_on_solo)
{
    const struct workspace *workspace = commons_workspace(facts->commons, named_id(input));
    return yes_if(!workspace_tier_is_paid(facts, workspace->tier));
}

THEN(workspace_on_solo)
{
    (void)facts, (void)input;
    plan_rejected(plan, ERROR_WORKSPACE_PLAN_REQUIRED, "the workspace's plan is for one person: change the plan first");
}
