"""Plans and their instances: what a subscription brings, changes and takes away again."""

import json
import uuid

import pytest
from kit import stripe_events
from kit.wait import until

from .conftest import settled
from .domain import address_of, app_of, instance, mail, mails, subscription, user_is, user_row


def calls_about(world, method, text):
    """The calls to the provisioner by one method whose body names something."""
    return [call for call in world.clouds.calls("provisioner") if call["method"] == method and text in call["body"]]


@pytest.mark.parametrize("price, tier, memory, cpu", [
    ("price_starter", "starter", 512, 0.5), ("price_professional", "professional", 2048, 2),
    ("price_enterprise", "enterprise", 8192, 4)])
def test_a_subscription_brings_an_instance(world, price, tier, memory, cpu):
    user_id, customer = world.user()
    subscription_id, _ = subscription(world, user_id, customer, price=price)
    agent = instance(world, subscription_id, "active")
    app = app_of(world, subscription_id)
    assert agent["backend"] == "provisioner" and agent["user_id"] == user_id
    assert agent["app_name"] == app["name"]
    assert agent["frontend_url"].startswith("https://") and agent["backend_url"].startswith("https://")
    assert (agent["memory_limit_mb"], float(agent["cpu_limit"])) == (memory, cpu)
    assert (app["account_id"], app["tier"]) == (user_id, tier)
    assert user_row(world, user_id)["plan"] == tier
    welcome = mail(world, address_of(user_id), "welcome")
    assert agent["frontend_url"] in welcome["text"] and agent["frontend_url"] in welcome["html"]
    call, = calls_about(world, "POST", subscription_id)
    order = json.loads(call["body"])
    assert {"subscriptionId", "accountId", "tier", "limits"} == set(order)
    assert memory in order["limits"].values() and cpu in order["limits"].values()


def test_a_trial_is_enough_and_both_layouts_are(world):
    user_id, customer = world.user()
    subscription_id, _ = subscription(world, user_id, customer, status="trialing", layout="old")
    assert instance(world, subscription_id, "active")["status"] == "active"


@pytest.mark.parametrize("status", ["incomplete", "past_due", "unpaid", "paused", "canceled"])
def test_nothing_is_brought_by_one_that_is_not_live(world, status):
    user_id, customer = world.user()
    subscription_id, row = subscription(world, user_id, customer, status=status)
    assert row["outcome"] == "applied"
    assert world.books.value("SELECT count(*) FROM sluice.agents WHERE user_id = %s", user_id) == 0
    assert app_of(world, subscription_id) is None


def test_the_instance_comes_when_it_becomes_live(world):
    user_id, customer = world.user()
    subscription_id, _ = subscription(world, user_id, customer, status="incomplete")
    subscription(world, user_id, customer, "updated", subscription_id)
    instance(world, subscription_id, "active")
    subscription(world, user_id, customer, "updated", subscription_id)
    world.books.user_settled(user_id)
    assert world.books.value("SELECT count(*) FROM sluice.agents WHERE user_id = %s", user_id) == 1
    assert len(calls_about(world, "POST", subscription_id)) == 1


def test_an_unknown_price_is_free(world):
    user_id, customer = world.user()
    subscription_id, _ = subscription(world, user_id, customer, price="price_nobody_named")
    row = world.books.row("SELECT * FROM sluice.subscriptions WHERE id = %s", subscription_id)
    assert (row["tier"], row["max_agents"], row["max_messages_per_day"]) == ("free", 1, 100)
    assert user_row(world, user_id)["plan"] == "free"
    assert world.books.value("SELECT count(*) FROM sluice.agents WHERE user_id = %s", user_id) == 0


def test_another_tier_changes_the_limits(world):
    user_id, customer = world.user()
    subscription_id, _ = subscription(world, user_id, customer)
    agent = instance(world, subscription_id, "active")
    subscription(world, user_id, customer, "updated", subscription_id, price="price_professional")
    world.books.user_settled(user_id)
    after = world.books.agent(agent["id"])
    assert (after["status"], after["memory_limit_mb"], float(after["cpu_limit"])) == ("active", 2048, 2)
    assert after["app_name"] == agent["app_name"]
    call, = calls_about(world, "PUT", agent["app_name"])
    assert call["status"] == 200 and 2048 in json.loads(call["body"])["limits"].values()
    assert user_row(world, user_id)["plan"] == "professional"
    subscription(world, user_id, customer, "updated", subscription_id, price="price_professional",
                 cancel_at_period_end=True)
    world.books.user_settled(user_id)
    assert len(calls_about(world, "PUT", agent["app_name"])) == 1, "nothing had changed"
    assert len(mails(world, address_of(user_id), "welcome")) == 1


def test_a_tier_that_changes_while_the_instance_comes_up(world):
    user_id, customer = world.user()
    world.clouds.fault("provisioner", "delay", match="POST /provision", ms=1500, body_match=user_id)
    subscription_id, _ = subscription(world, user_id, customer)
    subscription(world, user_id, customer, "updated", subscription_id, price="price_professional")
    instance(world, subscription_id, "active")
    world.books.user_settled(user_id)
    agent = instance(world, subscription_id, "active")
    assert (agent["memory_limit_mb"], float(agent["cpu_limit"])) == (2048, 2)
    last = [json.loads(call["body"])["limits"] for method in ("POST", "PUT")
            for call in calls_about(world, method, subscription_id if method == "POST" else agent["app_name"])][-1]
    assert 2048 in last.values()


def test_deleted_takes_the_instance_away(world):
    user_id, customer = world.user()
    subscription_id, _ = subscription(world, user_id, customer)
    agent = instance(world, subscription_id, "active")
    subscription(world, user_id, customer, "deleted", subscription_id, status="canceled")
    world.books.agent_in(agent["id"], "destroyed")
    call, = calls_about(world, "DELETE", agent["app_name"])
    assert call["status"] == 200 and app_of(world, subscription_id) is None
    row = world.books.row("SELECT * FROM sluice.subscriptions WHERE id = %s", subscription_id)
    assert row["status"] == "canceled" and row["canceled_at"]
    mail(world, address_of(user_id), "cancelled")
    assert user_row(world, user_id)["plan"] == "free"


def test_deleted_goes_with_its_own_instance_alone(world):
    user_id, customer = world.user()
    first, _ = subscription(world, user_id, customer)
    second, _ = subscription(world, user_id, customer, price="price_professional")
    agents = [instance(world, each, "active") for each in (first, second)]
    subscription(world, user_id, customer, "deleted", first, status="canceled")
    world.books.agent_in(agents[0]["id"], "destroyed")
    assert world.books.agent(agents[1]["id"])["status"] == "active"
    assert app_of(world, first) is None and app_of(world, second)
    assert user_row(world, user_id)["plan"] == "professional"


def test_a_smaller_plan_destroys_nothing(world):
    user_id, customer = world.user()
    subscription_id, _ = subscription(world, user_id, customer, price="price_unlimited")
    agents = [world.active_agent(user_id) for _ in range(2)]
    _, row = subscription(world, user_id, customer, "updated", subscription_id, price="price_nobody_named")  # free: 1
    assert row["outcome"] == "applied"
    told = mail(world, address_of(user_id), "limit_reached")
    assert "agents" in told["text"]
    assert [world.books.agent(agent_id)["status"] for agent_id in agents] == ["active", "active"]
    third = world.create_agent(user_id)
    answer = world.command(user_id, third, "provision")
    assert (answer.status_code, answer.json()["errorCode"]) == (403, "AGENT_LIMIT_REACHED"), answer.text
    subscription(world, user_id, customer, "updated", subscription_id, price="price_nobody_named")
    world.books.user_settled(user_id)
    assert len(mails(world, address_of(user_id), "limit_reached")) == 1, "told once a change"


def test_a_provision_that_can_not_be_is_told_to_the_admin(world):
    user_id, customer = world.user()
    world.clouds.fault("provisioner", "status", status=400, times=-1, match="POST /provision", body_match=user_id)
    subscription_id, _ = subscription(world, user_id, customer)
    agent = instance(world, subscription_id, "failed")
    job, = world.books.jobs(agent["id"], "provision")
    assert job["status"] == "failed" and job["error"]

    def alert():
        found = [row for row in mails(world, "ops@example.org", "admin_alert")
                 if row["args"].get("job_id") == str(job["id"]) and row["status"] == "succeeded"]
        return found[0] if found else None

    told = until(alert, "the admin to be told", 60)
    sent, = [row for row in world.clouds.emails("ops@example.org") if row["idempotency_key"] == str(told["id"])]
    for word in (user_id, str(agent["id"]), str(job["id"])):
        assert word in sent["text"], sent["text"]
    letter = world.books.row("SELECT * FROM sluice.dead_letters WHERE user_id = %s AND stage = 'execute'", user_id)
    assert letter and letter["status"] == "open"
    assert mails(world, address_of(user_id), "welcome") == []
    assert app_of(world, subscription_id) is None


@pytest.mark.parametrize("kind", ["lose_answer", "half_answer", "reset", "html_error"])
def test_an_unsure_provision_makes_one_app(world, kind):
    user_id, customer = world.user()
    world.clouds.fault("provisioner", kind, match="POST /provision", body_match=user_id)
    subscription_id, _ = subscription(world, user_id, customer)
    instance(world, subscription_id, "active")
    assert app_of(world, subscription_id)
    mail(world, address_of(user_id), "welcome")


@pytest.mark.parametrize("kind", ["lose_answer", "half_answer", "html_error"])
def test_an_unsure_email_is_one_email(world, kind):
    user_id, customer = world.user()
    world.clouds.fault("resend", kind, match="POST /emails", body_match=address_of(user_id))
    subscription(world, user_id, customer)
    mail(world, address_of(user_id), "welcome")
    assert len(world.clouds.emails(address_of(user_id))) == 1


def test_who_has_no_address_gets_no_email(world):
    user_id, customer = world.user()
    subscription_id, _ = subscription(world, user_id, customer, email=False)
    instance(world, subscription_id, "active")
    until(lambda: "email_skipped" in world.books.audits(user_id), "the e-mail to be skipped")
    assert world.books.value("SELECT count(*) FROM sluice.jobs WHERE user_id = %s AND kind = 'email'", user_id) == 0
    until(lambda: any(user_id in line and "e-mail" in line for name in ("worker-1", "worker-2")
                      for line in world.system.log(name).splitlines()), "the log to say so")


def test_an_instance_stops_and_starts_without_a_server(world):
    user_id, customer = world.user()
    subscription_id, _ = subscription(world, user_id, customer)
    agent = instance(world, subscription_id, "active")
    assert world.command(user_id, agent["id"], "stop").status_code == 200
    world.books.agent_in(agent["id"], "paused")
    assert world.command(user_id, agent["id"], "start").status_code == 200
    world.books.agent_in(agent["id"], "active")
    assert world.command(user_id, agent["id"], "destroy").status_code == 200
    world.books.agent_in(agent["id"], "destroyed")
    assert app_of(world, subscription_id) is None


def test_an_agent_of_the_provisioner_made_by_command(world):
    user_id, customer = world.user()
    subscription(world, user_id, customer, price="price_unlimited")
    agent_id = str(uuid.uuid4())
    answer = world.ingress.api(user_id, "/api/agents", {"agent_id": agent_id, "name": "a", "backend": "provisioner"})
    assert answer.status_code == 200, answer.text
    assert world.command(user_id, agent_id, "provision").status_code == 200
    assert world.books.agent_in(agent_id, "active")["app_name"]
    assert app_of(world, agent_id)["account_id"] == user_id
    assert world.command(user_id, agent_id, "destroy").status_code == 200
    world.books.agent_in(agent_id, "destroyed")
    assert app_of(world, agent_id) is None


def test_a_duplicate_and_an_older_event_bring_nothing_more(world):
    user_id, customer = world.user()
    subscription_id = stripe_events.new_id("sub")
    obj = stripe_events.subscription(subscription_id, customer, user_id=user_id)
    event = stripe_events.event("customer.subscription.created", obj)
    for _ in range(3):
        assert world.ingress.stripe(event).status_code == 200
    world.books.decided(event["id"])
    instance(world, subscription_id, "active")
    _, row = subscription(world, user_id, customer, "updated", subscription_id, created=event["created"] - 60,
                          price="price_enterprise")
    assert row["outcome"] == "ignored"
    user_is(world, user_id, "a starter", lambda user: user["plan"] == "starter")
    settled(world)
    assert len(calls_about(world, "POST", subscription_id)) == 1
