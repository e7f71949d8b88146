"""A payment that fails: told with the way to pay, stopped at once, warned, and in the end taken away; or paid in time.

The spans are days, as configured; a test lets a timer run out by hand.
"""

import contextlib
import signal
import time

import pytest
from kit import stripe_events
from kit.wait import until

from .domain import address_of, app_of, due_now, instance, mail, mails, subscription, timers

DAY_S = 86400
AGAIN = "have been read again"  # what a worker logs after a SIGHUP


def fail(world, user_id, customer, subscription_id, created=None, **more):
    event = world.send("invoice.payment_failed", stripe_events.invoice(customer, subscription_id, user_id, **more),
                       created=created)
    return world.books.decided(event["id"])


def pay(world, user_id, customer, subscription_id, created=None, kind="paid", **more):
    event = world.send(f"invoice.{kind}", stripe_events.invoice(customer, subscription_id, user_id, **more),
                       created=created)
    return world.books.decided(event["id"])


def in_arrears(world, layout="basil"):
    """(user, customer, subscription, instance) after a failed payment."""
    user_id, customer = world.user()
    subscription_id, _ = subscription(world, user_id, customer)
    agent = instance(world, subscription_id, "active")
    fail(world, user_id, customer, subscription_id, layout=layout,
         hosted_invoice_url=f"https://invoice.stripe.com/i/{user_id}")
    return user_id, customer, subscription_id, agent["id"]


@pytest.mark.parametrize("layout", ["basil", "old"])
def test_told_stopped_and_warned(world, layout):
    user_id, _, subscription_id, agent_id = in_arrears(world, layout)
    world.books.agent_in(agent_id, "paused")
    assert app_of(world, subscription_id), "data is kept"
    told = mail(world, address_of(user_id), "payment_failed")
    link = f"https://invoice.stripe.com/i/{user_id}"
    assert link in told["text"] and link in told["html"]
    kinds = timers(world, subscription_id)
    now = time.time()
    assert kinds["grace_expired"]["due_at"].timestamp() == pytest.approx(now + 7 * DAY_S, abs=300)
    assert kinds["grace_ending"]["due_at"].timestamp() == pytest.approx(now + 6 * DAY_S, abs=300)
    assert kinds["grace_expired"]["due_at"].strftime("%Y-%m-%dT%H:%M") in told["text"] or \
        kinds["grace_expired"]["due_at"].strftime("%Y-%m-%d") in told["text"], told["text"]


def test_unpaid_to_the_end(world):
    user_id, _, subscription_id, agent_id = in_arrears(world)
    due_now(world, "grace_ending", subscription_id)
    mail(world, address_of(user_id), "grace_ending")
    assert world.books.agent(agent_id)["status"] in ("active", "stopping", "paused"), "a warning takes nothing away"
    due_now(world, "grace_expired", subscription_id)
    world.books.agent_in(agent_id, "destroyed")
    assert app_of(world, subscription_id) is None
    mail(world, address_of(user_id), "suspended")
    assert len(mails(world, address_of(user_id), "cancelled")) == 0


@pytest.mark.parametrize("kind", ["paid", "payment_succeeded"])
def test_paid_in_time(world, kind):
    user_id, customer, subscription_id, agent_id = in_arrears(world)
    world.books.agent_in(agent_id, "paused")
    assert pay(world, user_id, customer, subscription_id, int(time.time()) + 5, kind)["outcome"] == "applied"
    assert all(row["cancelled_at"] for row in timers(world, subscription_id).values())
    world.books.user_settled(user_id)
    assert world.books.agent(agent_id)["status"] == "paused", "resume_on_payment is off"
    assert app_of(world, subscription_id)
    assert mails(world, address_of(user_id), "suspended") == []


def test_paid_between_warning_and_end(world):
    user_id, customer, subscription_id, agent_id = in_arrears(world)
    due_now(world, "grace_ending", subscription_id)
    mail(world, address_of(user_id), "grace_ending")
    pay(world, user_id, customer, subscription_id, int(time.time()) + 5)
    assert timers(world, subscription_id)["grace_expired"]["cancelled_at"]
    world.books.user_settled(user_id)
    assert world.books.agent(agent_id)["status"] == "paused" and app_of(world, subscription_id)


def test_a_second_failure_does_not_prolong_it(world):
    _, customer, subscription_id, agent_id = in_arrears(world)
    user_id = world.books.agent(agent_id)["user_id"]
    before = timers(world, subscription_id)["grace_expired"]["due_at"]
    fail(world, user_id, customer, subscription_id, int(time.time()) + 5)
    assert timers(world, subscription_id)["grace_expired"]["due_at"] == before


def test_a_failure_after_a_payment_begins_anew(world):
    user_id, customer, subscription_id, agent_id = in_arrears(world)
    now = int(time.time())
    pay(world, user_id, customer, subscription_id, now + 5)
    fail(world, user_id, customer, subscription_id, now + 10)
    row = timers(world, subscription_id)["grace_expired"]
    assert row["cancelled_at"] is None and row["fired_at"] is None
    due_now(world, "grace_expired", subscription_id)
    world.books.agent_in(agent_id, "destroyed")


def test_agents_of_other_backends_stop_and_stay(world):
    """Grace takes provisioner instances away; a server is stopped, no more."""
    user_id, customer = world.user()
    subscription_id, _ = subscription(world, user_id, customer, price="price_unlimited")
    agent_id = world.active_agent(user_id)
    fail(world, user_id, customer, subscription_id)
    world.books.agent_in(agent_id, "paused")
    due_now(world, "grace_expired", subscription_id)
    mail(world, address_of(user_id), "suspended")
    world.books.user_settled(user_id)
    assert world.books.agent(agent_id)["status"] == "paused"
    assert len(world.servers_of(agent_id)) == 1


def test_deleted_within_the_grace_ends_it(world):
    user_id, customer, subscription_id, agent_id = in_arrears(world)
    subscription(world, user_id, customer, "deleted", subscription_id, status="canceled", created=int(time.time()) + 5)
    world.books.agent_in(agent_id, "destroyed")
    assert all(row["cancelled_at"] or row["fired_at"] for row in timers(world, subscription_id).values())
    mail(world, address_of(user_id), "cancelled")


@contextlib.contextmanager
def policy(world, lines):
    """The workers' policy with other lines, until the end of the block; what a SIGHUP reads again."""
    path = world.system.config
    before = path.read_text(encoding="utf-8")

    def reload(text):
        logs = {name: world.system.log(name).count(AGAIN) for name in ("worker-1", "worker-2")}
        path.write_text(text, encoding="utf-8")
        for name in logs:
            world.system.signal(name, signal.SIGHUP)
        for name, count in logs.items():
            until(lambda name=name, count=count: world.system.log(name).count(AGAIN) > count, f"{name} to reload")

    reload(before.replace("[policy]\n", f"[policy]\n{lines}\n"))
    try:
        yield
    finally:
        reload(before)


def test_resume_on_payment_starts_what_the_failure_stopped(world):
    user_id, customer = world.user()
    world.bent.add(user_id)
    subscription_id, _ = subscription(world, user_id, customer)
    stopped = instance(world, subscription_id, "active")["id"]
    by_hand = world.create_agent(user_id)
    draft = world.create_agent(user_id)
    assert world.command(user_id, by_hand, "provision").status_code == 200
    world.books.agent_in(by_hand, "active")
    assert world.command(user_id, by_hand, "stop").status_code == 200
    world.books.agent_in(by_hand, "paused")
    with policy(world, "resume_on_payment = on"):
        fail(world, user_id, customer, subscription_id)
        world.books.agent_in(stopped, "paused")
        pay(world, user_id, customer, subscription_id, int(time.time()) + 5)
        world.books.agent_in(stopped, "active")
        world.books.user_settled(user_id)
    assert world.books.agent(by_hand)["status"] == "paused", "the user stopped it, not the failure"
    assert world.books.agent(draft)["status"] == "draft"


def test_keep_stops_nothing_but_the_grace_runs(world):
    with policy(world, "on_payment_failed = keep"):
        user_id, _, subscription_id, agent_id = in_arrears(world)
    world.bent.add(user_id)
    assert world.books.agent(agent_id)["status"] == "active"
    assert timers(world, subscription_id)["grace_expired"]["cancelled_at"] is None
