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
from kit.wait import until

from . import pages

USERS = ("ada", "bob", "cleo", "dan")


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

    def subscription(self, name, kind, status="active", **more):
        obj = stripe_events.subscription(self.subscriptions[name], self.customers[name], status, "price_starter",
                                         user_id=self.users[name])
        return self.stripe(f"customer.subscription.{kind}", obj, **more)

    def invoice(self, name, kind, created):
        obj = stripe_events.invoice(self.customers[name], self.subscriptions[name], self.users[name])
        return self.stripe(f"invoice.{kind}", obj, created=created)

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
    """True when every live server and device belongs to exactly one of our agents, and none is there twice."""
    users = list(story.users.values())
    owned = {str(row["id"]): row["server_id"] for row in
             story.books.rows("SELECT id, server_id FROM sluice.agents WHERE user_id = ANY(%s)", users)}
    ledger = story.clouds.ledger()
    live = [server for server in ledger["hetzner"]["servers"]
            if server["live"] and server["labels"].get("sluice-agent") in owned]
    made = [server for server in ledger["hetzner"]["servers"] if server["labels"].get("sluice-agent") in owned]
    devices = [device for device in ledger["tailscale"]["devices"]
               if device["live"] and device["hostname"].removeprefix("agent-") in owned]
    labels = [server["labels"]["sluice-agent"] for server in live]
    doubles = len(labels) - len(set(labels))
    orphans = [server for server in live if owned[server["labels"]["sluice-agent"]] != str(server["id"])]
    missing = [agent for agent, server_id in owned.items() if server_id and agent not in labels]
    story.page.heading("The clouds' own ledger")
    story.page.line("hetzner", f"{len(made)} servers made, {len(live)} live", f"{doubles} double, {len(orphans)} orphaned")
    story.page.line("tailscale", f"{len(devices)} devices live", f"{len(missing)} servers missing")
    return doubles == 0 and not orphans and not missing and len(devices) == len(live)


def main():
    story = Story(os.environ)
    began = time.monotonic()
    agent_id = subscribe_and_provision(story)
    refused_without_subscription(story)
    stop_and_start(story, agent_id)
    duplicate_and_late(story)
    payment_failed(story)
    provision_failed(story)
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
