"""Rules of Stripe's events: customers, subscriptions and their instances, invoices, grace, checkouts that name an agent."""

from . import teams
from .agents import destroy_agent, find_agent, has_machine, queue, start_agent, stop_agent, take_limits
from .rules import APPLIED, IGNORED, rejected, rule
from .world import GRANTING, LIVE, PRICES, Agent, Subscription, best_tier

RANKS = {"created": 1, "updated": 2, "deleted": 3}
DELETED = 3
FAILED, PAID = 1, 2  # of invoices of one second


@rule("stripe.customer.created", "stripe.customer.updated")
def customer(model, user, event):
    return APPLIED  # what it teaches about the user is taken from every event of Stripe's


def subscription_of(model, user, subscription_id):
    """(subscription or None, whether it is another user's)."""
    held = user.subscriptions.get(subscription_id)
    return held, held is None and any(subscription_id in other.subscriptions for other in model.users.values())


@rule(*(f"stripe.customer.subscription.{name}" for name in (
    "created", "updated", "deleted", "paused", "resumed", "trial_will_end", "pending_update_applied",
    "pending_update_expired")))
def subscription(model, user, event):
    row, rank = event.object, RANKS.get(event.type.rpartition(".")[2], RANKS["updated"])
    if not row.get("id"):
        return IGNORED
    held, foreign = subscription_of(model, user, row["id"])
    if foreign:
        return rejected("FORBIDDEN")
    if held is not None and (held.order[1] == DELETED or (event.created, rank) < held.order):
        return IGNORED
    held = held or user.subscriptions.setdefault(row["id"], Subscription(row["id"]))
    limit_before, was_workspace = user.max_agents(free_tier=True), held.offer.is_workspace
    held.order = event.created, rank
    take_version(held, row, rank)
    has_ended = held.status not in GRANTING and not held.status.startswith("incomplete")
    user.plan = plan_of(model, user, has_ended and (was_workspace or held.offer.is_workspace))
    if rank == DELETED:
        deleted(model, user, event, held)
    else:
        changed(model, user, event, held, limit_before, was_workspace)
    return APPLIED


def take_version(held, row, rank):
    """What the subscription says of itself, in either layout."""
    items = (row.get("items") or {}).get("data") or []
    if rank == DELETED:
        held.status = "canceled"
    else:
        held.status = row["status"]
    if items or rank != DELETED:
        held.price = items[0]["price"]["id"] if items else None
        held.tier = PRICES.get(held.price, "free")
    period = [row.get(name, items[0].get(name) if items else None)
              for name in ("current_period_start", "current_period_end")]
    if any(period):
        held.period = tuple(period)
    held.cancel_at, held.cancel_at_period_end = row.get("cancel_at"), bool(row.get("cancel_at_period_end"))


def plan_of(model, user, had_workspace):
    """The best that is granted; without one, who has or had a workspace is solo."""
    best = best_tier(row.tier for row in user.granted())
    if best is not None:
        return best
    return "solo" if had_workspace or teams.owned(model, user) else "free"


def changed(model, user, event, held, limit_before, was_workspace):
    """A subscription was made or has changed: its instance and everybody's limits follow."""
    brought = False
    if held.status in LIVE and held.offer.instance:
        brought = bring_instance(user, event, held)
    follow_limits(user, event)
    limit = user.max_agents(model.free_tier)
    if limit is not None and 0 <= limit < len(user.counted_agents) and (limit != limit_before or brought):
        model.email(user, event, "limit_reached")
    teams.follow_subscription(model, user, held, was_workspace)


def bring_instance(user, event, held):
    """The agent that a subscription brings, once; one that a grace period has ended comes back when all is paid."""
    agent = user.agents.get(f"instance:{held.id}")
    if agent is None:
        agent = user.agents.setdefault(f"instance:{held.id}", Agent(f"instance:{held.id}", "provisioner", "destroyed",
                                                                    subscription=held.id))
    elif not is_suspended(user, agent):
        return False
    if agent.status == "destroyed":
        agent.status = "provisioning"
    agent.stopped_by, agent.limits = None, held.offer.limits
    queue(user, event, "provision", agent, paid=True)
    return True


def is_suspended(user, agent):
    """Whether a grace period took it, and what that was for is paid."""
    holder = user if agent.stopped_by == user.id else user.subscriptions.get(agent.stopped_by)
    return agent.status in ("destroying", "destroyed") and holder is not None and holder.invoice_order[1] == PAID


def follow_limits(user, event):
    """Each app has its subscription's limits, one of no subscription those of the best that is live."""
    for agent in user.agents.values():
        if agent.backend != "provisioner" or not will_have_app(user, agent):
            continue
        held = user.subscriptions.get(agent.subscription)
        wanted = (held.offer if held else user.granted_offer).limits
        if agent.limits != wanted:
            agent.limits = wanted
            queue(user, event, "update_limits", agent)


def will_have_app(user, agent):
    if agent.status == "destroying":
        return any(not job.cancelling for job in user.open_jobs(agent.id, "provision"))
    return agent.status not in ("draft", "failed", "destroyed")


def deleted(model, user, event, held):
    """Its own instance goes in any case, all other agents where nothing else is live."""
    for kind in ("grace_ending", "grace_expired"):
        user.timers.pop((kind, held.id), None)
    ends_all = not user.granted(*LIVE) and model.policy.destroy_on_deletion
    for agent in list(user.agents.values()):
        if ends_all or agent.subscription == held.id:
            destroy_agent(model, user, event, agent)
    follow_limits(user, event)
    if held.offer.is_workspace:
        user.pending = None
        teams.end_subscription(model, user, held)
    model.email(user, event, "cancelled")


# Invoices.


def invoice_subscription(row):
    parent = (row.get("parent") or {}).get("subscription_details") or {}
    return parent.get("subscription") or row.get("subscription")


def invoice_is_news(model, user, event, rank):
    """(subscription or None, None) of an invoice that counts, else (None, the answer)."""
    subscription_id = invoice_subscription(event.object)
    if subscription_id is None:
        holder = user
    else:
        holder, foreign = subscription_of(model, user, subscription_id)
        if foreign:
            return None, rejected("FORBIDDEN")
        holder = holder or user.subscriptions.setdefault(subscription_id, Subscription(subscription_id))
    if (event.created, rank) < holder.invoice_order:
        return None, IGNORED
    if rank == FAILED and holder is not user and holder.order[1] == DELETED:
        return None, IGNORED
    holder.invoice_order = event.created, rank
    return holder, None


@rule("stripe.invoice.paid", "stripe.invoice.payment_succeeded")
def invoice_paid(model, user, event):
    holder, answer = invoice_is_news(model, user, event, PAID)
    if holder is None:
        return answer
    user.lapsed.discard(holder.id)
    for kind in ("grace_ending", "grace_expired"):
        user.timers.pop((kind, holder.id), None)
    for agent in list(user.agents.values()):
        held = user.subscriptions.get(agent.subscription)
        if agent.stopped_by != holder.id:
            continue
        if held is not None and held.status in LIVE and held.offer.instance and is_suspended(user, agent):
            bring_instance(user, event, held)
        elif model.policy.resume_on_payment and agent.status in ("paused", "stopping"):
            agent.stopped_by = None
            start_agent(user, event, agent)
    return APPLIED


@rule("stripe.invoice.payment_failed")
def invoice_failed(model, user, event):
    holder, answer = invoice_is_news(model, user, event, FAILED)
    if holder is None:
        return answer
    if model.policy.stop_on_failed_payment:
        for agent in user.agents.values():
            if agent.status == "active" or (agent.status == "starting" and has_machine(agent)):
                agent.stopped_by = holder.id
                stop_agent(user, event, agent)
    if ("grace_expired", holder.id) not in user.timers and holder.id not in user.lapsed:
        span, warning = model.policy.grace_ms, model.policy.grace_warning_ms
        user.timers["grace_expired", holder.id] = event.timers_from_ms + span
        user.timers["grace_ending", holder.id] = event.timers_from_ms + (
            span - warning if span > warning else span // 7 * 6)
    if holder is user or holder.price is None or holder.offer.is_workspace:
        teams.payment_failed(model, user, event)
    model.email(user, event, "payment_failed")
    return APPLIED


@rule("timer.grace_ending", "timer.grace_expired")
def grace(model, user, event):
    kind, subject = event.type.removeprefix("timer."), event.body["subject"]
    if user is None or user.timers.get((kind, subject)) != event.body_due_ms:
        return IGNORED
    del user.timers[kind, subject]
    holder = user if subject == user.id else user.subscriptions[subject]
    if holder.invoice_order[1] != FAILED or (holder is not user and holder.order[1] == DELETED):
        return IGNORED
    if kind == "grace_ending":
        model.email(user, event, "grace_ending")
        return APPLIED
    user.timers.pop(("grace_ending", subject), None)
    user.lapsed.add(subject)
    for agent in list(user.agents.values()):
        if agent.backend == "provisioner" and agent.status not in ("draft", "destroying", "destroyed") and (
                is_unpaid(user, agent, subject)):
            destroy_agent(model, user, event, agent)
            agent.stopped_by = subject
    model.email(user, event, "suspended")
    return APPLIED


def is_unpaid(user, agent, subject):
    """Whether a grace period's end takes the app: what another live subscription may pay for stays."""
    if agent.subscription == subject:
        return True
    if agent.subscription is not None:
        return subject == user.id and user.subscriptions[agent.subscription].status not in LIVE
    return not [row for row in user.granted(*LIVE) if row.id != subject]


# Checkouts.


@rule("stripe.checkout.session.completed", "stripe.checkout.session.async_payment_succeeded")
def checkout(model, user, event):
    row = event.object
    metadata = row.get("metadata") or {}
    agent_id, names_user = metadata.get("agentId") or metadata.get("agent_id"), (
        metadata.get("userId") or metadata.get("user_id"))
    if not (agent_id and names_user):
        return teams.checkout_completed(model, user, event)
    if row.get("payment_status") == "unpaid":
        return IGNORED
    agent, refusal = find_agent(model, user, agent_id)
    if refusal == rejected("FORBIDDEN"):
        return refusal
    if agent is None:
        agent = user.agents.setdefault(agent_id, Agent(agent_id))
    removing = any(job.kind in ("destroy", "rollback", "deprovision") for job in user.open_jobs(agent.id))
    if agent.status in ("active", "paused", "stopping", "starting"):
        return IGNORED
    if agent.status == "failed" and agent.server and not removing:
        return rejected("INVALID_STATE")
    if agent.status not in ("provisioning", "destroying"):
        agent.status = "provisioning"
    if not user.open_jobs(agent.id, "provision"):
        take_limits(user, agent)
    queue(user, event, "provision", agent, paid=True)
    return APPLIED
