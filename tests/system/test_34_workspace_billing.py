"""The workspace plan: bought by a checkout, lost by a failed one, given up at the period's end, and resumed."""

import time
import uuid

import pytest
import requests
from kit import stripe_events
from kit.wait import until

from .domain import (WAIT_S, address_of, applied, connections, deliver, pending_session, plan_change, refused, share,
                     subscription, user_is, user_row, workspace, workspaces_of)


def stripes(world, kind, identifier):
    """An object as Stripe has it now."""
    env = world.system.env
    answer = requests.get(f"{env['STRIPE_API_BASE']}/v1/{kind}/{identifier}", timeout=20,
                          headers={"Authorization": f"Bearer {env['STRIPE_SECRET_KEY']}"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_upgrade_waits_for_its_money(world):
    user_id, _ = world.user()
    key = f"up-{user_id}"
    answer = world.ingress.api(user_id, "/api/workspaces/plan", {
        "plan_tier": "workspace", "workspace_name": "Fjord & Co", "shared_workflow_ids": ["wf-1", "wf-2"]},
        wait_s=WAIT_S, key=key, email=address_of(user_id))
    data = applied(answer)
    assert data["success"] is True and data["checkout_url"].startswith("http")
    row = user_row(world, user_id)
    assert row["plan"] != "workspace" and workspaces_of(world, user_id) == [], "nothing is had before it is paid"
    session_id = pending_session(world, user_id)
    pending = user_row(world, user_id)["pending_checkout"]
    assert pending["plan"] == "workspace" and pending["workspace_name"] == "Fjord & Co"
    assert pending["shared_workflow_ids"] == ["wf-1", "wf-2"]
    again = world.ingress.api(user_id, "/api/workspaces/plan", {
        "plan_tier": "workspace", "workspace_name": "Fjord & Co", "shared_workflow_ids": ["wf-1", "wf-2"]},
        wait_s=WAIT_S, key=key, email=address_of(user_id))
    assert applied(again)["checkout_url"] == data["checkout_url"], "a repeated command has the first answer"
    sessions = [row for row in world.clouds.ledger()["stripe"]["checkout_sessions"] if row["id"] == session_id]
    assert len(sessions) == 1
    paid = world.clouds.pay(session_id)
    assert paid["session"]["client_reference_id"] == user_id
    assert paid["session"]["metadata"]["user_id"] == user_id
    decisions = deliver(world, paid["events"])
    assert "dead" not in [row["outcome"] for row in decisions]
    row = user_is(world, user_id, "on the workspace plan", lambda user: user["plan"] == "workspace")
    assert row["onboarding_complete"] is True and row["pending_checkout"] is None and row["last_error"] is None
    owned, = workspaces_of(world, user_id)
    assert (owned["name"], owned["tier"]) == ("Fjord & Co", "workspace")
    assert (owned["owner_id"], owned["role"]) == (user_id, "owner")
    flows = world.books.rows("SELECT workflow_id FROM sluice.shared_workflows WHERE workspace_id = %s ORDER BY 1",
                             owned["id"])
    assert [flow["workflow_id"] for flow in flows] == ["wf-1", "wf-2"]
    cycle = world.books.row("SELECT * FROM sluice.workspace_billing_cycles WHERE workspace_id = %s", owned["id"])
    assert cycle["subscription_id"] == paid["subscription"]["id"] and cycle["renews_at"] > cycle["cycle_started_at"]
    customers = [customer for customer in world.clouds.ledger()["stripe"]["customers"]
                 if customer["id"] == row["stripe_customer_id"]]
    assert len(customers) == 1, "the customer is made once"
    refused(plan_change(world, user_id, "workspace"), 409, "INVALID_STATE")


def test_another_session_changes_nothing(world):
    user_id, _ = world.user()
    applied(plan_change(world, user_id, "workspace"))
    pending = pending_session(world, user_id)
    other = world.send("checkout.session.completed", stripe_events.checkout(None, user_id=user_id))
    assert world.books.decided(other["id"])["outcome"] == "ignored"
    row = user_row(world, user_id)
    assert row["plan"] != "workspace" and row["pending_checkout"]["session_id"] == pending


def test_paid_by_debit_waits_for_the_bank(world):
    user_id, _ = world.user()
    applied(plan_change(world, user_id, "workspace"))
    session_id = pending_session(world, user_id)
    deliver(world, [event for event in world.clouds.pay(session_id, settled=False)["events"]
                    if event["type"].startswith("checkout.")])
    row = user_row(world, user_id)
    assert row["plan"] != "workspace" and row["pending_checkout"]["session_id"] == session_id
    deliver(world, world.clouds.settle(session_id, True)["events"])
    user_is(world, user_id, "on the workspace plan", lambda user: user["plan"] == "workspace")
    assert len(workspaces_of(world, user_id)) == 1


def has_failed(row):
    return row["last_error"] and row["last_error_at"] and row["pending_checkout"] is None


@pytest.mark.parametrize("how", ["debit", "expired", "payment_intent", "invoice"])
def test_a_failure_is_said_and_tried_again(world, how):
    user_id, _ = world.user()
    applied(plan_change(world, user_id, "workspace", workspace_name="Later"))
    session_id = pending_session(world, user_id)
    customer = user_is(world, user_id, "a customer", lambda row: row["stripe_customer_id"])["stripe_customer_id"]
    now = int(time.time())
    if how == "debit":
        deliver(world, [event for event in world.clouds.pay(session_id, settled=False)["events"]
                        if event["type"].startswith("checkout.")])
        deliver(world, [event for event in world.clouds.settle(session_id, False)["events"]
                        if event["type"].startswith("checkout.")])
    elif how == "expired":
        deliver(world, world.clouds.leave(session_id)["events"])
    elif how == "payment_intent":
        event = world.send("payment_intent.payment_failed", stripe_events.payment_intent(customer, user_id),
                           created=now)
        assert world.books.decided(event["id"])["outcome"] == "applied"
    else:
        world.send("invoice.payment_failed", stripe_events.invoice(customer, stripe_events.new_id("sub"), user_id),
                   created=now)
    row = user_is(world, user_id, "told of the failure", has_failed)
    assert row["plan"] != "workspace" and workspaces_of(world, user_id) == []
    assert "Stripe" not in row["last_error"] and session_id not in row["last_error"], "words for a user"
    applied(plan_change(world, user_id, "workspace", workspace_name="At last"))
    row = user_row(world, user_id)
    assert row["last_error"] is None and row["pending_checkout"]["session_id"] != session_id
    deliver(world, world.clouds.pay(pending_session(world, user_id))["events"])
    user_is(world, user_id, "on the workspace plan", lambda user: user["plan"] == "workspace")
    assert [owned["name"] for owned in workspaces_of(world, user_id)] == ["At last"]


def resume(world, user_id):
    return world.ingress.api(user_id, "/api/workspaces/billing/subscription/resume", wait_s=WAIT_S)


def test_down_at_the_periods_end_and_back(world):
    user_id, customer, owned, subscription_id = workspace(world)
    data = applied(plan_change(world, user_id, "solo"))
    assert data["success"] is True and data["scheduled_downgrade"]["effective_at"]
    assert stripes(world, "subscriptions", subscription_id)["cancel_at_period_end"] is True
    row = user_row(world, user_id)
    assert row["plan"] == "workspace" and workspaces_of(world, user_id)[0]["tier"] == "workspace", "nothing changes yet"
    subscription(world, user_id, customer, "updated", subscription_id, price="price_workspace",
                 cancel_at_period_end=True, created=int(time.time()) + 5)
    data = applied(resume(world, user_id))
    assert data["success"] is True and data["renews_at"]
    assert stripes(world, "subscriptions", subscription_id)["cancel_at_period_end"] is False
    subscription(world, user_id, customer, "updated", subscription_id, price="price_workspace",
                 created=int(time.time()) + 10)
    refused(resume(world, user_id), 409, "INVALID_STATE")
    assert workspaces_of(world, user_id)[0]["id"] == owned["id"]


def test_down_at_once_without_a_subscription(world):
    user_id, _ = world.user()
    data = applied(plan_change(world, user_id, "solo"))
    assert data["success"] is True and "scheduled_downgrade" not in data
    assert user_row(world, user_id)["plan"] == "solo"


def test_the_end_of_the_subscription(world):
    user_id, customer, owned, subscription_id = workspace(world)
    applied(share(world, user_id, owned["id"], "conn-1"))
    subscription(world, user_id, customer, "deleted", subscription_id, status="canceled", price="price_workspace",
                 created=int(time.time()) + 5)
    assert user_row(world, user_id)["plan"] == "solo"
    after, = workspaces_of(world, user_id)
    assert (after["id"], after["tier"]) == (owned["id"], "solo")
    assert connections(world, owned["id"]) == {}
    assert world.books.row("SELECT * FROM sluice.workspace_billing_cycles WHERE workspace_id = %s", owned["id"]) is None


def test_the_cycle_follows_the_period(world):
    user_id, customer, owned, subscription_id = workspace(world)
    start = int(time.time()) + 30 * 86400
    item = {"id": "si_1", "object": "subscription_item", "quantity": 1, "current_period_start": start,
            "current_period_end": start + 30 * 86400, "price": {"id": "price_workspace", "object": "price"}}
    subscription(world, user_id, customer, "updated", subscription_id, items={"object": "list", "data": [item]},
                 created=int(time.time()) + 5)
    cycle = world.books.row("SELECT * FROM sluice.workspace_billing_cycles WHERE workspace_id = %s", owned["id"])
    assert cycle["cycle_started_at"].timestamp() == start
    assert cycle["renews_at"].timestamp() == start + 30 * 86400


def test_a_cloud_that_does_not_answer(world):
    user_id, _ = world.user()
    world.clouds.fault("stripe", "status", status=400, times=-1, match="POST /v1/", body_match=user_id)
    refused(plan_change(world, user_id, "workspace"), 503, "CLOUD_UNAVAILABLE")
    world.clouds.clear_faults()
    row = user_row(world, user_id)
    assert row["plan"] != "workspace"
    assert applied(plan_change(world, user_id, "workspace"))["checkout_url"]


def test_a_lost_answer_opens_one_session(world):
    user_id, _ = world.user()
    world.clouds.fault("stripe", "lose_answer", match="POST /v1/checkout/sessions", body_match=user_id)
    applied(plan_change(world, user_id, "workspace"))
    sessions = [row for row in world.clouds.ledger()["stripe"]["checkout_sessions"]
                if row.get("client_reference_id") == user_id]
    assert len(sessions) <= 1
    deliver(world, world.clouds.pay(pending_session(world, user_id))["events"])
    user_is(world, user_id, "on the workspace plan", lambda user: user["plan"] == "workspace")


def test_checkout_of_a_plan(world):
    user_id, _ = world.user()
    order = {"plan": "starter", "success_url": "https://app.example.org/ok", "cancel_url": "https://app.example.org/no"}
    data = applied(world.ingress.api(user_id, "/api/checkout", order, wait_s=WAIT_S, email=address_of(user_id)))
    assert data["checkout_url"].startswith("http")
    for plan in ("workspace", "free", "a-plan-of-last-year"):
        answer = world.ingress.api(user_id, "/api/checkout", {**order, "plan": plan}, wait_s=WAIT_S)
        refused(answer, 409, "INVALID_STATE")


def test_who_does_not_wait_hears_of_it_later(world):
    """The answer is an outcome of the command's own id, when the cloud has answered."""
    user_id, _ = world.user()
    key = uuid.uuid4().hex
    answer = world.ingress.api(user_id, "/api/workspaces/plan", {"plan_tier": "workspace"}, wait_s=0, key=key,
                               email=address_of(user_id))
    assert answer.status_code == 202
    event_id = answer.json()["id"]
    until(lambda: (world.books.event(event_id) or {}).get("result", {}).get("data", {}).get("checkout_url"),
          "the command to be answered", 60)
    again = world.ingress.api(user_id, "/api/workspaces/plan", {"plan_tier": "workspace"}, wait_s=WAIT_S, key=key,
                              email=address_of(user_id))
    assert again.json()["id"] == event_id and applied(again)["checkout_url"]
