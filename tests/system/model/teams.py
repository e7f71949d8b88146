"""Rules of usage, workspaces and their billing, members, connections and runs."""

import datetime

from .agents import queue
from .rules import APPLIED, IGNORED, rejected, rule
from .world import GRANTING, OFFERS, PRICES, Invite, best_tier

MICROSOFT = ("microsoft", "microsoft-teams", "teams")


def day_of(at_ms):
    return datetime.datetime.fromtimestamp(at_ms / 1000, datetime.timezone.utc).date().isoformat()


def owned(model, user):
    return [row for row in model.workspaces.values() if row.owner == user.id and not row.closed]


def owned_by_tier(model, user, is_workspace):
    return [row for row in owned(model, user) if OFFERS[row.tier].is_workspace == is_workspace]


def owns_workspace_tier(model, user):
    return bool(owned_by_tier(model, user, True))


def seat_of(user, *statuses):
    """The subscription that grants workspaces, or None."""
    return next((row for row in user.granted(*statuses) if row.offer.is_workspace), None)


def follow_subscription(model, user, held, was_workspace):
    """The cycles of the workspaces that the subscription pays for are its period; when it stops, so do they."""
    if held.offer.is_workspace and held.status in GRANTING:
        for row in owned_by_tier(model, user, True):
            if all(held.period) and (payer_of(row, user) is held or is_unpaid(row, user)):
                row.cycle = (held.id, *held.period)
    elif was_workspace and not held.offer.is_workspace:
        end_subscription(model, user, held)


def payer_of(row, user):
    return user.subscriptions.get(row.cycle[0]) if row.cycle else None


def is_unpaid(row, user):
    """Nobody pays for the workspace, or a subscription of the user's that grants nothing now."""
    payer = payer_of(row, user)
    return row.cycle is None or payer is not None and not (payer.offer.is_workspace and payer.status in GRANTING)


def end_subscription(model, user, held):
    """It pays no longer: another one does, or the workspaces are solo."""
    other = seat_of(user)
    for row in list(model.workspaces.values()):
        mine = row.cycle[0] == held.id if row.cycle else row in owned_by_tier(model, user, True)
        if not mine or row.closed:
            continue
        if other is not None and all(other.period):
            row.cycle = (other.id, *other.period)
        elif other is None:
            downgrade(row)


def downgrade(row):
    row.tier, row.cycle = "solo", None
    row.connections.clear()


def end_pending(model, user, event):
    """A payment for the workspace has failed: nothing is pending any longer, and the user is told why."""
    if event.created < user.billing_at:
        return IGNORED
    user.billing_at = event.created
    if OFFERS[user.plan].is_workspace and seat_of(user) is None:
        user.plan = "solo"
    user.pending, user.last_error = None, True
    return APPLIED


def payment_failed(model, user, event):
    if user.pending is None and not OFFERS[user.plan].is_workspace:
        return IGNORED
    return end_pending(model, user, event)


# Usage.


@rule("command.usage.record")
def usage(model, user, event):
    metric, count, day = event.data["metric"], event.data["count"], day_of(event.at_ms)
    limit = user.offer.messages if metric == "messages" else -1
    if 0 <= limit < user.usage[day, metric] + count:
        if day not in user.told:
            user.told.add(day)
            model.email(user, event, "limit_reached")
        return rejected("USAGE_LIMIT_REACHED")
    user.usage[day, metric] += count
    return APPLIED


@rule("command.early_access.join")
def early_access(model, user, event):
    email = event.data["email"].lower()
    if email in model.early_access:
        return IGNORED
    model.early_access.add(email)
    return APPLIED


# Billing.


@rule("command.checkout.start")
def checkout_start(model, user, event):
    if event.data["plan"] not in PRICES.values() or OFFERS[event.data["plan"]].is_workspace:
        return rejected("INVALID_STATE")
    queue(user, event, "stripe", detail={"op": "checkout"})
    model.defer(event)
    return APPLIED


@rule("command.workspace.plan_change")
def plan_change(model, user, event):
    if event.data["plan_tier"] == "solo":
        return to_solo(model, user, event)
    if event.data["plan_tier"] != "workspace":
        return rejected("INVALID_STATE")
    owns, seat = owns_workspace_tier(model, user), seat_of(user)
    if owns and (seat is not None or user.plan == "workspace"):
        return rejected("INVALID_STATE")
    wanted = {"plan": "workspace", "name": event.data.get("workspace_name", ""),
              "workflows": list(event.data.get("shared_workflow_ids", []))}
    if seat is not None:
        upgrade(model, user, event, wanted)
        return APPLIED
    user.pending, user.last_error = {**wanted, "job": event.id, "session": None}, False
    queue(user, event, "stripe", detail={"op": "checkout"})
    model.defer(event)
    return APPLIED


def to_solo(model, user, event):
    """What is paid for lasts as long as it is paid for; else at once."""
    if seat_of(user) is not None:
        queue(user, event, "stripe", detail={"op": "cancel_at_period_end"})
        model.defer(event)
        return APPLIED
    user.pending, user.last_error = None, False
    user.plan = best_tier(row.tier for row in user.granted()) or "solo"
    for row in owned_by_tier(model, user, True):
        if row.cycle is None or row.cycle[0] in user.subscriptions:
            downgrade(row)
    return APPLIED


def upgrade(model, user, event, wanted):
    """The oldest workspace becomes the paid one, one that nobody pays for first; or there is a new one."""
    workspace = next(iter([*owned_by_tier(model, user, False), *owned(model, user)]), None)
    if workspace is None:
        workspace = model.new_workspace(event, wanted["name"] or "Workspace", user, wanted["plan"])
    workspace.name, workspace.tier = wanted["name"] or workspace.name, wanted["plan"]
    workspace.workflows |= set(wanted["workflows"])
    user.plan, user.onboarded, user.pending, user.last_error = wanted["plan"], True, None, False
    seat = seat_of(user)
    workspace.cycle = (seat.id, *seat.period) if seat is not None and all(seat.period) else None


@rule("command.subscription.resume")
def resume(model, user, event):
    if not any(row.cancel_at_period_end and row.offer.is_workspace for row in user.granted()):
        return rejected("INVALID_STATE")
    queue(user, event, "stripe", detail={"op": "resume"})
    model.defer(event)
    return APPLIED


def is_pending(user, event):
    """Whether the event is about the session that is pending, and no older than what was applied last."""
    return user.pending is not None and user.pending["session"] == event.object["id"] and (
        event.created >= user.billing_at)


def checkout_completed(model, user, event):
    """Of the pending session alone."""
    if not is_pending(user, event) or event.object.get("payment_status") == "unpaid":
        return IGNORED
    user.billing_at = event.created
    upgrade(model, user, event, user.pending)
    return APPLIED


@rule("stripe.checkout.session.async_payment_failed", "stripe.checkout.session.expired")
def checkout_failed(model, user, event):
    return end_pending(model, user, event) if is_pending(user, event) else IGNORED


@rule("stripe.payment_intent.payment_failed")
def payment_intent_failed(model, user, event):
    return payment_failed(model, user, event)


# Members.


def place_of(model, user, event, *roles):
    """(workspace, None) where the user is a member of one of the roles, else (None, the refusal)."""
    workspace = model.workspaces.get(event.data.get("workspace_id"))
    if workspace is None or workspace.closed or user.id not in workspace.members:
        return None, rejected("WORKSPACE_NOT_FOUND")
    if roles and workspace.members[user.id] not in roles:
        return None, rejected("FORBIDDEN")
    return workspace, None


@rule("command.workspace.invite")
def invite(model, user, event):
    workspace, refusal = place_of(model, user, event, "owner", "admin")
    if workspace is None:
        return refusal
    if not OFFERS[workspace.tier].is_workspace:
        return rejected("workspace_plan_required")
    email = event.data["email"].lower()
    if email == (user.email or "").lower():
        return rejected("INVALID_STATE")
    same = [row for row in workspace.open_invites(event.at_ms) if row.email == email]
    if workspace.places_taken(event.at_ms) - len(same) >= OFFERS[workspace.tier].members:
        return rejected("workspace_member_limit")
    for row in same:
        row.state = "revoked"
    workspace.invites.append(Invite(email, model.invite_hash(event), user.id,
                                    event.at_ms + model.policy.invite_expiry_ms))
    model.email(user, event, "invite", email)
    return APPLIED


@rule("command.invite.accept")
def accept(model, user, event):
    wanted = model.accepted_hash(event)
    for workspace in model.workspaces.values():
        for row in workspace.invites:
            if row.hash == wanted:
                return accept_invite(workspace, row, user, event)
    return rejected("INVITE_NOT_FOUND")


def accept_invite(workspace, row, user, event):
    if row.state != "open" or workspace.closed:
        return rejected("INVITE_NOT_FOUND")
    if row.expires_ms <= event.at_ms:
        return rejected("INVITE_EXPIRED")
    if user.id in workspace.members:
        return rejected("INVALID_STATE")
    if workspace.places_taken(event.at_ms) > OFFERS[workspace.tier].members:
        return rejected("workspace_member_limit")
    row.state = "accepted"
    workspace.members[user.id] = "member"
    return APPLIED


@rule("command.workspace.leave")
def leave(model, user, event):
    workspace, refusal = place_of(model, user, event)
    if workspace is None:
        return refusal
    take_out(workspace, user.id)
    give_personal(model, user, event)
    return APPLIED


def take_out(workspace, user_id):
    """Without a member: their connections go, the oldest other one owns it, or it closes."""
    role = workspace.members.pop(user_id)
    for connection_id in [key for key, by in workspace.connections.items() if by == user_id]:
        del workspace.connections[connection_id]
    if not workspace.members:
        workspace.closed, workspace.cycle = True, None
        workspace.connections.clear()
        for row in workspace.invites:
            row.state = "revoked" if row.state == "open" else row.state
    elif role == "owner":
        workspace.owner = next(iter(workspace.members))
        workspace.members[workspace.owner] = "owner"


def give_personal(model, user, event):
    """Nobody is without a workspace; whether one had to be made."""
    if any(user.id in row.members for row in model.workspaces.values() if not row.closed):
        return False
    model.new_workspace(event, "Personal", user, "solo")
    return True


@rule("command.workspace.revoke")
def revoke(model, user, event):
    workspace, refusal = place_of(model, user, event, "owner", "admin")
    if workspace is None:
        return refusal
    member = event.data["member_id"]
    if member not in workspace.members or workspace.members[member] == "owner":
        return rejected("INVALID_STATE")
    take_out(workspace, member)
    return APPLIED


@rule("member.removed")
def member_removed(model, user, event):
    return APPLIED if give_personal(model, user, event) else IGNORED


# Connections and runs.


@rule("command.connection.share")
def share(model, user, event):
    workspace, refusal = place_of(model, user, event)
    if workspace is None:
        return refusal
    connection_id = event.data["connection_id"]
    if workspace.connections.get(connection_id, user.id) != user.id:
        return rejected("NOT_CONNECTION_OWNER")
    workspace.connections[connection_id] = user.id
    if event.data["provider"].lower() in MICROSOFT:
        queue(user, event, "graph")
    return APPLIED


@rule("command.connection.unshare")
def unshare(model, user, event):
    workspace, refusal = place_of(model, user, event)
    if workspace is None:
        return refusal
    connection_id = event.data["connection_id"]
    if connection_id not in workspace.connections:
        return rejected("CONNECTION_NOT_FOUND")
    if workspace.connections[connection_id] != user.id:
        return rejected("NOT_CONNECTION_OWNER")
    del workspace.connections[connection_id]
    return APPLIED


@rule("command.run.start")
def run_start(model, user, event):
    workspace, refusal = place_of(model, user, event)
    if workspace is None:
        return refusal
    run_id = event.data.get("run_id") or event.id
    if run_id in workspace.runs:
        return rejected("INVALID_STATE")
    month = day_of(event.at_ms)[:7]
    window = workspace.cycle[1] if workspace.cycle else month
    if workspace.window != window:
        workspace.window, workspace.runs_used = window, 0
    if workspace.runs_used >= OFFERS[workspace.tier].runs:
        return rejected("workspace_run_limit")
    workspace.runs_used += 1
    workspace.runs[run_id] = None
    return APPLIED


@rule("command.run.finish")
def run_finish(model, user, event):
    run_id = event.data["run_id"]
    for workspace in model.workspaces.values():
        if user.id in workspace.members and not workspace.closed and workspace.runs.get(run_id, "none") is None:
            workspace.runs[run_id] = "finished"
            return APPLIED
    return rejected("INVALID_STATE")


@rule("command.admin.purge_stale_runs")
def purge(model, user, event):
    return APPLIED  # histories ask for runs older than any of them
