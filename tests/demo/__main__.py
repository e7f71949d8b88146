"""Tells the story of a few users against the running system (see ./dev demo), then checks the clouds' ledger.

Everything shown is read from Postgres and from the simulated clouds after it happened; nothing is assumed. Exits 1 when
the books and the ledger disagree.
"""

import os
import sys
import time
import uuid

from kit import stripe_events
from kit.books import Books
from kit.clouds import Clouds
from kit.ingress import Ingress
from kit.verdict import disagreements
from kit.wait import until

from . import pages

USERS = ("ada", "bob", "cleo", "dan", "eve", "finn")


class Story:
    def __init__(self, env):
        self.ingress, self.books, self.clouds = Ingress(env), Books(env), Clouds(env)
        self.page = pages.Page(sys.stdout)
        mark = uuid.uuid4().hex[:6]
        self.users = {name: f"{name}-{mark}" for name in USERS}
        self.customers = {name: f"cus_{name}{mark}" for name in USERS}
        self.subscriptions = {name: stripe_events.new_id(f"sub_{name}") for name in USERS}

    def stripe(self, event_type, obj, **more):
        event = stripe_events.event(event_type, obj, **more)
        answer = self.ingress.stripe(event)
        assert answer.status_code == 200, answer.text
        row = self.books.decided(event["id"])
        return event, row

    def subscription(self, name, kind, status="active", price="price_unlimited", **more):
        obj = stripe_events.subscription(self.subscriptions[name], self.customers[name], status, price,
                                         user_id=self.users[name])
        return self.stripe(f"customer.subscription.{kind}", obj, **more)

    def invoice(self, name, kind, created):
        obj = stripe_events.invoice(self.customers[name], self.subscriptions[name], self.users[name])
        return self.stripe(f"invoice.{kind}", obj, created=created)

    def address(self, name):
        return f"{self.users[name]}@example.org"

    def introduce(self, name):
        """Stripe has the customer, and tells the user's e-mail address."""
        self.clouds.customer(self.customers[name], self.address(name))
        obj = stripe_events.customer(self.customers[name], self.address(name), self.users[name])
        return self.stripe("customer.updated", obj)

    def instance(self, name, *statuses):
        """The agent that the user's subscription brought, once it is in one of the states."""
        def probe():
            row = self.books.row("SELECT * FROM sluice.agents WHERE subscription_id = %s", self.subscriptions[name])
            return row if row and row["status"] in statuses else None
        return until(probe, f"{name}'s instance to be {' or '.join(statuses)}", 60)

    def app(self, app_name):
        """The app as the provisioner has it, or None."""
        return next((row for row in self.clouds.apps() if row["name"] == app_name), None)

    def mailed(self, name, template):
        """Waits until the e-mail made from the template has been sent; gives its subject."""
        sent = until(lambda: self.books.row(
            "SELECT id FROM sluice.jobs WHERE user_id = %s AND kind = 'email' AND status = 'succeeded'"
            " AND args ->> 'template' = %s ORDER BY seq DESC LIMIT 1", self.users[name], template),
            f"the e-mail '{template}' to {name}", 60)
        return next(row["subject"] for row in self.clouds.emails() if row["idempotency_key"] == str(sent["id"]))

    def billing(self, name):
        return self.books.row("SELECT * FROM sluice.users WHERE id = %s", self.users[name])

    def agent(self, name, label):
        agent_id = str(uuid.uuid4())
        answer = self.ingress.api(self.users[name], "/api/agents", {"agent_id": agent_id, "name": label})
        assert answer.status_code == 200, answer.text
        return agent_id

    def command(self, name, agent_id, verb):
        return self.ingress.api(self.users[name], f"/api/agents/{agent_id}/{verb}")

    def provision(self, name, label):
        agent_id = self.agent(name, label)
        answer = self.command(name, agent_id, "provision")
        assert answer.status_code == 200, answer.text
        return self.books.agent_in(agent_id, "active")


def subscribe_and_provision(story):
    page = story.page
    page.heading("Ada subscribes and brings up an agent")
    _, row = story.subscription("ada", "created")
    page.line("stripe", "customer.subscription.created", f"{row['outcome']} by {row['rule']}")
    agent = story.provision("ada", "research")
    job, = story.books.jobs(agent["id"], "provision")
    page.line("dashboard", "agent.create, agent.provision", "202, decided, GitHub workflow dispatched")
    page.line("workflow", f"run {job['run_id']} claimed, built, completed",
              f"agent active on server {agent['server_id']} ({agent['server_ip']})")
    return agent["id"]


def refused_without_subscription(story):
    page = story.page
    page.heading("Bob has not paid")
    agent_id = story.agent("bob", "hopeful")
    answer = story.command("bob", agent_id, "provision")
    page.line("dashboard", "agent.provision", f"{answer.status_code} {answer.json()['errorCode']}")
    assert answer.status_code == 403


def stop_and_start(story, agent_id):
    page = story.page
    page.heading("Ada pauses for the night")
    for verb, state in (("stop", "paused"), ("start", "active")):
        began = time.monotonic()
        answer = story.command("ada", agent_id, verb)
        assert answer.status_code == 200, answer.text
        story.books.agent_in(agent_id, state)
        calls = story.books.value("SELECT count(*) FROM sluice.job_calls c JOIN sluice.jobs j ON j.id = c.job_id"
                                  " WHERE j.agent_id = %s AND j.kind = %s", agent_id, verb)
        page.line("dashboard", f"agent.{verb}", f"{state} after {calls} Hetzner calls, {time.monotonic() - began:.1f} s")


def duplicate_and_late(story):
    page = story.page
    page.heading("Stripe sends twice, and late")
    event, _ = story.subscription("ada", "updated")
    for _ in range(2):
        assert story.ingress.stripe(event).status_code == 200
    count = story.books.value("SELECT count(*) FROM sluice.events WHERE id = %s", event["id"])
    page.line("stripe", "customer.subscription.updated, three times", f"{count} row in events: decided once")
    _, late = story.subscription("ada", "updated", "incomplete", created=int(time.time()) - 3600)
    status = story.books.value("SELECT status FROM sluice.subscriptions WHERE id = %s", story.subscriptions["ada"])
    page.line("stripe", "an hour-old update says incomplete", f"{late['outcome']}: the subscription stays {status}")
    assert count == 1 and late["outcome"] == "ignored" and status == "active"


def payment_failed(story):
    page = story.page
    page.heading("Cleo's card is declined")
    story.subscription("cleo", "created")
    agent = story.provision("cleo", "assistant")
    now = int(time.time())
    story.invoice("cleo", "payment_failed", now)
    agent = story.books.agent_in(agent["id"], "paused")
    page.line("stripe", "invoice.payment_failed", f"server {agent['server_id']} stopped, data kept")
    story.invoice("cleo", "paid", now + 1)
    _, late = story.invoice("cleo", "payment_failed", now)
    page.line("stripe", "invoice.paid, then the failure again, late", f"late one {late['outcome']}")


def provision_failed(story):
    page = story.page
    page.heading("Dan's workflow breaks half-way, and GitHub loses an answer")
    story.subscription("dan", "created")
    broken = story.agent("dan", "unlucky")
    story.clouds.plan("fail_after_server", broken)
    assert story.command("dan", broken, "provision").status_code == 200
    agent = story.books.agent_in(broken, "failed")
    until(lambda: [job["status"] for job in story.books.jobs(broken, "rollback")] == ["succeeded"], "the rollback")
    page.line("workflow", "failed after it made a server", f"agent failed ({agent['status_reason']}), all rolled back")
    lucky = story.agent("dan", "lucky")
    story.clouds.fault("github", "lose_answer", match="POST .*/dispatches")
    assert story.command("dan", lucky, "provision").status_code == 200
    story.books.agent_in(lucky, "active", timeout_s=60)
    page.line("github", "took a dispatch and never answered", "looked for the run, found it: one server, not two")


def tier_change(story):
    page = story.page
    page.heading("Eve subscribes to starter, and grows")
    story.introduce("eve")
    _, row = story.subscription("eve", "created", price="price_starter")
    page.line("stripe", "customer.subscription.created", f"{row['outcome']} by {row['rule']}")
    agent = story.instance("eve", "active")
    page.line("provisioner", f"POST /provision for {agent['app_name']}", f"up at {agent['frontend_url']}")
    page.line("resend", f"to {story.address('eve')}", f"“{story.mailed('eve', 'welcome')}”")
    before = story.app(agent["app_name"])["limits"]
    story.subscription("eve", "updated", price="price_professional")
    until(lambda: story.app(agent["app_name"])["limits"] != before, "the new limits to be at the provisioner", 60)
    after = story.app(agent["app_name"])["limits"]
    page.line("stripe", "customer.subscription.updated: professional", changes(before, after))


def changes(before, after):
    return ", ".join(f"{name} {before[name]} → {after[name]}" for name in sorted(after) if before[name] != after[name])


def workspace_upgrade(story):
    page = story.page
    page.heading("Finn wants a workspace; his card is declined, then it isn't")
    story.introduce("finn")
    session_id = ask_for_workspace(story)
    story.stripe("payment_intent.payment_failed", stripe_events.payment_intent(
        story.customers["finn"], story.users["finn"], "Your card was declined."), created=int(time.time()))
    user = story.billing("finn")
    assert user["pending_checkout"] is None and user["last_error"], user
    page.line("stripe", "payment_intent.payment_failed", f"nothing pending, plan {user['plan']}: “{user['last_error']}”")
    story.clouds.leave(session_id)
    session_id = ask_for_workspace(story)
    done = story.clouds.pay(session_id, story.address("finn"))
    for event in done["events"]:
        assert story.ingress.stripe(event).status_code == 200
    row = story.books.decided(done["events"][-1]["id"])
    user = story.billing("finn")
    workspace = story.books.row("SELECT * FROM sluice.workspaces WHERE owner_id = %s", story.users["finn"])
    page.line("stripe", "checkout.session.completed", f"{row['outcome']}: “{workspace['name']}” is {workspace['tier']}, "
                                                      f"plan {user['plan']}, no error")
    assert (workspace["tier"], user["plan"], user["last_error"]) == ("workspace", "workspace", None)


def ask_for_workspace(story):
    """The command, answered with Stripe's page once Stripe has made the session; gives the session's id."""
    answer = story.ingress.api(story.users["finn"], "/api/workspaces/plan",
                               {"plan_tier": "workspace", "workspace_name": "Finn & friends"}, wait_s=30)
    assert answer.status_code == 200, answer.text
    story.page.line("dashboard", "workspace.plan_change", f"200 {answer.json()['data']['checkout_url'][:44]}…")
    return story.billing("finn")["pending_checkout"]["session_id"]


def grace_period(story):
    page = story.page
    page.heading("Eve's payment fails, and nobody pays in time")
    if not os.environ.get("SLUICE_POLICY_GRACE", "").endswith("s"):
        page.line("policy", "grace periods of days", "left out: this system was up before with a grace too long for a story")
        return
    agent = story.instance("eve", "active")
    story.invoice("eve", "payment_failed", int(time.time()))
    agent = story.instance("eve", "paused", "destroying", "destroyed")
    page.line("stripe", "invoice.payment_failed", f"{agent['app_name']} paused, “{story.mailed('eve', 'payment_failed')}”")
    page.line("timer", "grace_ending", f"“{story.mailed('eve', 'grace_ending')}”")
    story.instance("eve", "destroyed")
    assert story.app(agent["app_name"]) is None
    page.line("timer", "grace_expired", f"{agent['app_name']} deprovisioned, “{story.mailed('eve', 'suspended')}”")


def subscription_deleted(story):
    page = story.page
    page.heading("Ada leaves")
    story.provision("ada", "second")
    story.subscription("ada", "deleted", "canceled")
    until(lambda: not story.books.rows("SELECT id FROM sluice.agents WHERE user_id = %s AND status <> 'destroyed'",
                                       story.users["ada"]), "Ada's agents to be destroyed", 60)
    count = story.books.value("SELECT count(*) FROM sluice.agents WHERE user_id = %s", story.users["ada"])
    page.line("stripe", "customer.subscription.deleted", f"{count} agents destroyed: servers and devices gone")


def table_per_user(story):
    rows = []
    for name in USERS:
        user_id = story.users[name]
        value = story.books.value
        agents = value("SELECT coalesce(string_agg(n || ' ' || status, ', ' ORDER BY status), '-') FROM (SELECT status,"
                       " count(*) n FROM sluice.agents WHERE user_id = %s GROUP BY 1) t", user_id)
        jobs = value("SELECT coalesce(string_agg(n || ' ' || kind || ' ' || status, ', ' ORDER BY kind), '-') FROM"
                     " (SELECT kind, status, count(*) n FROM sluice.jobs WHERE user_id = %s GROUP BY 1, 2) t", user_id)
        events = value("SELECT string_agg(n || ' ' || outcome, ', ' ORDER BY outcome) FROM (SELECT outcome, count(*) n"
                       " FROM sluice.events WHERE user_id = %s GROUP BY 1) t", user_id)
        subscription = value("SELECT status FROM sluice.subscriptions WHERE user_id = %s", user_id) or "none"
        rows.append((name, subscription, agents, jobs, events))
    story.page.heading("What happened, per user")
    story.page.table(("user", "subscription", "agents", "jobs", "events"), rows)


def ledger_agrees(story):
    """True when what lives in the clouds is what the books say: no double, no orphan, nothing missing."""
    users = list(story.users.values())
    faults = disagreements(story.books, story.clouds, users)
    summary = story.clouds.summary()
    story.page.heading("The clouds' own ledger")
    story.page.line("hetzner", f"{summary['live_servers']} servers live", f"{summary['live_devices']} devices with them")
    story.page.line("provisioner", f"{summary['live_apps']} apps live", "each of one subscription")
    story.page.line("resend", f"{summary['emails']} e-mails sent", "one for each decision to send one")
    for fault in faults:
        story.page.line("fault", fault, "")
    return not faults and not any(summary["duplicates"].values())


def main():
    story = Story(os.environ)
    began = time.monotonic()
    agent_id = subscribe_and_provision(story)
    refused_without_subscription(story)
    stop_and_start(story, agent_id)
    duplicate_and_late(story)
    payment_failed(story)
    provision_failed(story)
    tier_change(story)
    workspace_upgrade(story)
    grace_period(story)
    subscription_deleted(story)
    for user_id in story.users.values():
        story.books.user_settled(user_id, 60)
    table_per_user(story)
    agrees = ledger_agrees(story)
    story.page.verdict(agrees, f"the ledger {'agrees' if agrees else 'DISAGREES'} with the books; "
                               f"told in {time.monotonic() - began:.0f} s")
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
