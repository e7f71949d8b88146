"""Stripe: both layouts, late, duplicate, reordered and same-second events, parking, checkout, payment failures."""

import time
import uuid

import pytest
from kit import stripe_events
from kit.wait import until


def subscription_row(world, subscription_id):
    return world.books.row("SELECT * FROM sluice.subscriptions WHERE id = %s", subscription_id)


@pytest.mark.parametrize("layout", ["basil", "old"])
def test_both_layouts_keep_the_period(world, layout):
    user_id, customer = world.user()
    subscription_id = stripe_events.new_id("sub")
    obj = stripe_events.subscription(subscription_id, customer, user_id=user_id, layout=layout)
    event = world.send("customer.subscription.created", obj)
    world.books.decided(event["id"])
    row = subscription_row(world, subscription_id)
    assert row["status"] == "active" and row["tier"] == "starter" and row["max_agents"] == 3
    assert row["current_period_end"].timestamp() == pytest.approx(time.time() + 30 * 86400, abs=120)


def test_a_duplicate_is_decided_once(world):
    user_id, customer = world.user()
    subscription_id = stripe_events.new_id("sub")
    event = stripe_events.event("customer.subscription.created",
                                stripe_events.subscription(subscription_id, customer, user_id=user_id))
    for _ in range(3):
        assert world.ingress.stripe(event).status_code == 200
    world.books.decided(event["id"])
    marker = world.send("customer.created", {"id": customer, "object": "customer", "metadata": {"user_id": user_id}})
    world.books.decided(marker["id"])
    assert world.books.value("SELECT count(*) FROM sluice.events WHERE id = %s", event["id"]) == 1
    assert world.books.audits(user_id).count("subscription_changed") == 1


def test_older_is_ignored_and_deleted_is_final(world):
    user_id, customer = world.user()
    now = int(time.time())
    subscription_id = stripe_events.new_id("sub")

    def send(kind, status, created):
        obj = stripe_events.subscription(subscription_id, customer, status, user_id=user_id)
        return world.books.decided(world.send(f"customer.subscription.{kind}", obj, created=created)["id"])

    assert send("updated", "past_due", now)["outcome"] == "applied"
    assert send("created", "active", now - 60)["outcome"] == "ignored"
    assert send("created", "active", now)["outcome"] == "ignored"  # the same second: created ranks below updated
    assert subscription_row(world, subscription_id)["status"] == "past_due"
    assert send("deleted", "canceled", now)["outcome"] == "applied"
    assert send("updated", "active", now + 60)["outcome"] == "ignored"
    assert subscription_row(world, subscription_id)["status"] == "canceled"


def test_events_of_an_unknown_customer_wait_for_its_user(world):
    user_id, customer = world.user()
    subscription_id = stripe_events.new_id("sub")
    parked = world.send("customer.subscription.created", stripe_events.subscription(subscription_id, customer))
    assert world.books.decided(parked["id"])["outcome"] == "parked"
    assert subscription_row(world, subscription_id) is None
    world.send("checkout.session.completed", stripe_events.checkout(customer, user_id=user_id))
    until(lambda: world.books.event(parked["id"])["outcome"] == "applied", "the parked event to be decided")
    assert subscription_row(world, subscription_id)["user_id"] == user_id
    assert world.books.value("SELECT count(*) FROM sluice.parked_events WHERE customer_id = %s", customer) == 0


def test_ingress_learns_whose_customer_it_is(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    obj = stripe_events.subscription(stripe_events.new_id("sub"), customer)  # names no user

    def keyed_by_user():
        event = stripe_events.event("customer.subscription.updated", obj)
        answer = world.ingress.stripe(event)
        row = world.books.decided(event["id"])
        return answer.status_code == 200 and row["user_id"] == user_id

    until(keyed_by_user, "an event without a user to be the user's")


def test_checkout_provisions_the_agent_of_its_metadata(world):
    user_id, customer = world.user()
    agent_id = str(uuid.uuid4())
    event = world.send("checkout.session.completed",
                       stripe_events.checkout(customer, {"agentId": agent_id, "userId": user_id}))
    world.ingress.stripe(event)  # Stripe sends twice
    agent = world.books.agent_in(agent_id, "active")
    assert agent["region"] == "us-east" and agent["user_id"] == user_id
    job, = world.books.jobs(agent_id, "provision")
    assert job["cause_event_id"] == event["id"]
    assert len(world.servers_of(agent_id)) == 1


def test_checkout_without_metadata_makes_nothing(world):
    user_id, customer = world.user()
    event = world.send("checkout.session.completed", stripe_events.checkout(customer, user_id=user_id))
    world.books.decided(event["id"])
    assert world.books.value("SELECT count(*) FROM sluice.jobs WHERE user_id = %s", user_id) == 0


def test_a_second_paid_checkout_waits_its_turn(world):
    user_id, customer = world.user()
    agents = [str(uuid.uuid4()) for _ in range(3)]
    for agent_id in agents:
        world.send("checkout.session.completed",
                   stripe_events.checkout(customer, {"agentId": agent_id, "userId": user_id}))
    for agent_id in agents:
        world.books.agent_in(agent_id, "active", timeout_s=60)
    jobs = [world.books.jobs(agent_id, "provision")[0] for agent_id in agents]
    assert [job["status"] for job in jobs] == ["succeeded"] * 3
    claims = [(job["claimed_at"], job["ended_at"]) for job in jobs]
    assert all(claims[i][1] <= claims[i + 1][0] for i in range(2)), "two provisions of one user ran at once"


def test_payment_failed_stops_and_keeps(world):
    user_id, customer = world.user()
    subscription_id = world.subscribe(user_id, customer)
    running = [world.active_agent(user_id), world.active_agent(user_id)]
    draft = world.create_agent(user_id)
    now = int(time.time())
    world.send("invoice.payment_failed", stripe_events.invoice(customer, subscription_id, user_id), created=now)
    for agent_id in running:
        assert world.books.agent_in(agent_id, "paused")["server_id"]
        assert world.servers_of(agent_id)[0]["status"] == "off"
    assert world.books.agent(draft)["status"] == "draft"
    late = world.send("invoice.paid", stripe_events.invoice(customer, subscription_id, user_id), created=now + 1)
    world.books.decided(late["id"])
    assert {world.books.agent(agent_id)["status"] for agent_id in running} == {"paused"}


@pytest.mark.parametrize("layout", ["basil", "old"])
def test_a_payment_failure_older_than_the_payment_changes_nothing(world, layout):
    user_id, customer = world.user()
    subscription_id = world.subscribe(user_id, customer)
    agent_id = world.active_agent(user_id)
    now = int(time.time())
    world.send("invoice.paid", stripe_events.invoice(customer, subscription_id, user_id, layout), created=now)
    late = world.send("invoice.payment_failed", stripe_events.invoice(customer, subscription_id, user_id, layout),
                      created=now - 5)
    assert world.books.decided(late["id"])["outcome"] == "ignored"
    assert world.books.agent(agent_id)["status"] == "active"


def test_subscription_deleted_destroys_all(world):
    user_id, customer = world.user()
    subscription_id = world.subscribe(user_id, customer)
    active, paused, draft = world.active_agent(user_id), world.active_agent(user_id), world.create_agent(user_id)
    assert world.command(user_id, paused, "stop").status_code == 200
    world.books.agent_in(paused, "paused")
    world.send("customer.subscription.deleted",
               stripe_events.subscription(subscription_id, customer, "canceled", user_id=user_id))
    for agent_id in (active, paused, draft):
        world.books.agent_in(agent_id, "destroyed")
        assert world.servers_of(agent_id) == [] and world.devices_of(agent_id) == []
    assert world.books.value("SELECT count(*) FROM sluice.jobs WHERE user_id = %s AND kind = 'destroy'", user_id) == 2


def test_another_live_subscription_keeps_the_agents(world):
    user_id, customer = world.user()
    first = world.subscribe(user_id, customer)
    world.subscribe(user_id, customer)
    agent_id = world.active_agent(user_id)
    gone = world.send("customer.subscription.deleted",
                      stripe_events.subscription(first, customer, "canceled", user_id=user_id))
    world.books.decided(gone["id"])
    assert world.books.agent(agent_id)["status"] == "active"


def test_deleted_while_the_workflow_provisions(world):
    user_id, customer = world.user()
    subscription_id = world.subscribe(user_id, customer)
    agent_id = world.create_agent(user_id)
    world.clouds.plan("complete", agent_id, hang_ms=800)
    assert world.command(user_id, agent_id, "provision").status_code == 200
    until(lambda: world.books.jobs(agent_id, "provision")[0]["run_id"], "the run to claim its job")
    world.send("customer.subscription.deleted",
               stripe_events.subscription(subscription_id, customer, "canceled", user_id=user_id))
    world.books.agent_in(agent_id, "destroyed")
    world.books.user_settled(user_id)
    assert world.servers_of(agent_id) == [] and world.devices_of(agent_id) == []
