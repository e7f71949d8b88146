"""The stories of the crash table: each leads through the points of its rows, and knows what must have come of it.

A story has three parts. prepare() runs with everything well; act() sends what leads to the point, while no worker runs
(or, for what ingress does, while it is about to die); ended() waits for the end after the restart, and asserts it.
"""

import uuid
import zlib

import psycopg
import requests
from kit import stripe_events
from kit.wait import until

from . import domain
from .crash_bench import EVENTS


class Story:
    held = ""  # what the row of the table says

    def __init__(self, bench):
        self.bench = bench
        self.world = bench.world
        self.books = bench.books
        self.users = []
        self.events = []  # ids of what was answered 2xx

    def prepare(self):
        pass

    def act(self):
        pass

    def ended(self):
        pass

    def user(self):
        user_id, customer = self.world.user()
        self.users.append(user_id)
        return user_id, customer

    def send(self, event_type, obj, **more):
        event = self.world.send(event_type, obj, **more)
        self.events.append(event["id"])
        return event

    def command(self, user_id, path, data=None, **more):
        """Accepted, not waited for."""
        answer = self.world.ingress.api(user_id, path, data, wait_s=0, **more)
        assert answer.status_code == 202, answer.text
        self.events.append(answer.json()["id"])

    def outcome_of(self, event_id, *outcomes):
        def probe():
            row = self.books.event(event_id)
            return row if row and row["outcome"] in outcomes else None
        return until(probe, f"{event_id} to be {' or '.join(outcomes)}", 60)

    def subscribed(self, price="price_unlimited", **more):
        """A new user with a subscription that brings no instance."""
        user_id, customer = self.user()
        subscription_id, _ = domain.subscription(self.world, user_id, customer, price=price, **more)
        return user_id, customer, subscription_id


class Subscription(Story):
    """A new customer subscribes: state, a directory entry through the outbox, an outcome."""

    held = "one subscription, one decision in the audit log"

    def act(self):
        self.user_id, customer = self.user()
        self.subscription_id = stripe_events.new_id("sub")
        self.event = self.send("customer.subscription.created", stripe_events.subscription(
            self.subscription_id, customer, price="price_unlimited", user_id=self.user_id))

    def ended(self):
        self.outcome_of(self.event["id"], "applied")
        row = self.books.row("SELECT * FROM sluice.subscriptions WHERE id = %s", self.subscription_id)
        assert (row["user_id"], row["status"]) == (self.user_id, "active")
        assert self.books.audits(self.user_id).count("subscription_changed") == 1


class Parked(Story):
    """An event of a customer whom nobody knows waits, until one comes that names the user."""

    held = "the parked event is decided, as its user's; nothing stays parked"

    def prepare(self):
        self.user_id, self.customer = self.user()
        self.subscription_id = stripe_events.new_id("sub")
        self.first = self.send("customer.subscription.created",
                               stripe_events.subscription(self.subscription_id, self.customer, price="price_unlimited"))
        self.outcome_of(self.first["id"], "parked")

    def act(self):
        self.send("customer.updated", stripe_events.customer(self.customer, user_id=self.user_id))

    def ended(self):
        self.outcome_of(self.first["id"], "applied")
        assert self.books.value("SELECT user_id FROM sluice.subscriptions WHERE id = %s",
                                self.subscription_id) == self.user_id
        assert self.books.value("SELECT count(*) FROM sluice.parked_events WHERE event_id = %s", self.first["id"]) == 0


def execute(books, sql):
    with psycopg.connect(books.url, autocommit=True) as connection:
        connection.execute(sql)


def forbid(books, subscription_id):
    """A subscription that this database refuses, as only the database can know."""
    execute(books, "DO $$ BEGIN ALTER TABLE sluice.subscriptions ADD CONSTRAINT no_poison"
                   " CHECK (position('sub_poison' IN id) = 0); EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    return f"sub_poison{subscription_id}"


def allow(books):
    execute(books, "ALTER TABLE sluice.subscriptions DROP CONSTRAINT IF EXISTS no_poison")


class Poison(Story):
    """An event that breaks its transaction, among others of its partition: buried alone."""

    held = "one letter, of the poison alone; its neighbours are applied"

    def neighbour(self):
        """A new user whose events go to the partition of the first one's: librdkafka's crc32 of the key."""
        count = len(self.bench.partitions(EVENTS))
        while True:
            user_id, customer = self.world.user()
            if not self.users or zlib.crc32(user_id.encode()) % count == zlib.crc32(self.users[0].encode()) % count:
                self.users.append(user_id)
                return user_id, customer

    def act(self):
        self.good = []
        for number in range(3):
            user_id, customer = self.neighbour()
            subscription_id = stripe_events.new_id("sub")
            if number == 1:
                subscription_id, self.poisoned = forbid(self.books, subscription_id), user_id
            event = self.send("customer.subscription.created", stripe_events.subscription(
                subscription_id, customer, price="price_unlimited", user_id=user_id))
            if number == 1:
                self.poison = event["id"]
            else:
                self.good.append(event["id"])

    def ended(self):
        self.outcome_of(self.poison, "dead")
        for event_id in self.good:
            self.outcome_of(event_id, "applied")
        places = self.books.rows("SELECT DISTINCT partition FROM sluice.events WHERE user_id = ANY(%s)", self.users)
        assert len(places) == 1, "they were neighbours"
        letters = self.books.rows("SELECT * FROM sluice.dead_letters WHERE user_id = ANY(%s)", self.users)
        assert [(row["event_id"], row["stage"], row["status"]) for row in letters] == [(self.poison, "commit", "open")]
        self.books.rows("UPDATE sluice.dead_letters SET status = 'discarded' WHERE event_id = %s RETURNING id", self.poison)


class Released(Story):
    """What was held behind a dead letter goes on once that is settled."""

    held = "the held events are applied, in the order in which they came"

    def prepare(self):
        self.user_id, customer = self.user()
        self.poison = self.send("customer.subscription.created", stripe_events.subscription(
            forbid(self.books, stripe_events.new_id("sub")), customer, price="price_unlimited", user_id=self.user_id))
        self.outcome_of(self.poison["id"], "dead")
        self.agents = [str(uuid.uuid4()) for _ in range(2)]
        for agent_id in self.agents:
            self.command(self.user_id, "/api/agents", {"agent_id": agent_id, "name": "held", "region": "us-east"})
        for event_id in self.events[1:]:
            self.outcome_of(event_id, "held")

    def act(self):
        self.books.rows("UPDATE sluice.dead_letters SET status = 'discarded' WHERE user_id = %s RETURNING id", self.user_id)

    def ended(self):
        for event_id in self.events[1:]:
            self.outcome_of(event_id, "applied")
        order = [str(row["id"]) for row in
                 self.books.rows("SELECT id FROM sluice.agents WHERE user_id = %s ORDER BY created_at, id", self.user_id)]
        assert sorted(order) == sorted(self.agents)
        decided = [row["event_id"] for row in
                   self.books.rows("SELECT event_id FROM sluice.audit_log WHERE user_id = %s AND action = 'agent_created'"
                                   " ORDER BY id", self.user_id)]
        assert decided == self.events[1:], "in the order in which they came"
        assert self.books.value("SELECT count(*) FROM sluice.held_events WHERE user_id = %s", self.user_id) == 0


class Timer(Story):
    """A timer runs out."""

    held = "one event of the timer, decided once"

    def prepare(self):
        self.user_id, customer, self.subscription_id = self.subscribed(email=False)
        failed = self.send("invoice.payment_failed", stripe_events.invoice(customer, self.subscription_id, self.user_id))
        self.outcome_of(failed["id"], "applied")

    def act(self):
        domain.due_now(self.world, "grace_ending", self.subscription_id)

    def ended(self):
        def fired():
            return self.books.rows("SELECT * FROM sluice.events WHERE user_id = %s AND type = 'timer.grace_ending'",
                                   self.user_id)
        row, = until(fired, "the timer's event to be decided", 60)
        self.events.append(row["id"])
        timer = domain.timers(self.world, self.subscription_id)["grace_ending"]
        assert timer["fired_at"] and not timer["cancelled_at"]


class Server(Story):
    """A server is made without a workflow."""

    held = "one server was ever made, one device; the agent is active"
    backend = "hetzner"

    def prepare(self):
        self.user_id, _, _ = self.subscribed(email=False)
        self.agent_id = str(uuid.uuid4())
        answer = self.world.ingress.api(self.user_id, "/api/agents", {
            "agent_id": self.agent_id, "name": "crash", "region": "us-east", "backend": self.backend})
        domain.applied(answer)

    def act(self):
        self.command(self.user_id, f"/api/agents/{self.agent_id}/provision")

    def ended(self):
        self.books.agent_in(self.agent_id, "active", timeout_s=60)
        assert len(self.world.servers_of(self.agent_id)) == 1
        assert len(self.world.devices_of(self.agent_id)) == 1
        assert len(self.books.jobs(self.agent_id)) == 1
        made = [row for row in self.bench.clouds.ledger()["hetzner"]["servers"]
                if row["labels"].get("sluice-agent") == self.agent_id]
        assert len(made) == 1, "one server was ever made"


class SlowServer(Server):
    """The same, with a cloud that takes its time, so that a lease is renewed on the way."""

    def act(self):
        self.bench.clouds.fault("hetzner", "delay", match="POST /v1/servers", ms=1000)
        super().act()


class Workflow(Server):
    """A server is made by a workflow, which claims its job."""

    held = "one server was ever made; one run's claim was granted"
    backend = "github-actions"

    def ended(self):
        super().ended()
        job, = self.books.jobs(self.agent_id)
        claims = self.books.rows("SELECT outcome FROM sluice.events WHERE type = 'callback.claimed' AND user_id = %s",
                                 self.user_id)
        assert [row["outcome"] for row in claims].count("applied") == 1, "one run may claim"
        assert job["run_id"]


class LostDispatch(Workflow):
    """GitHub executes a dispatch and never answers."""

    def act(self):
        self.bench.clouds.fault("github", "hang_after", match="POST .*/dispatches", ms=20000)
        super().act()


class Destroyed(Server):
    """A server is deleted."""

    held = "no server and no device is left; one job"

    def prepare(self):
        super().prepare()
        super().act()
        super().ended()

    def act(self):
        self.command(self.user_id, f"/api/agents/{self.agent_id}/destroy")

    def ended(self):
        self.books.agent_in(self.agent_id, "destroyed", timeout_s=60)
        assert self.world.servers_of(self.agent_id) == [] and self.world.devices_of(self.agent_id) == []
        assert len(self.books.jobs(self.agent_id, "destroy")) == 1


class Mail(Story):
    """An e-mail is sent."""

    held = "one e-mail, under its job's key"

    def prepare(self):
        self.user_id, self.customer, self.subscription_id = self.subscribed()

    def act(self):
        self.send("invoice.payment_failed", stripe_events.invoice(self.customer, self.subscription_id, self.user_id))

    def ended(self):
        domain.mail(self.world, domain.address_of(self.user_id), "payment_failed")


class Checkout(Story):
    """A checkout is opened at Stripe, for a customer that has to be made first."""

    held = "one session was ever opened"

    def act(self):
        self.user_id, _ = self.user()
        self.command(self.user_id, "/api/workspaces/plan", {"plan_tier": "workspace", "workspace_name": "Fjord"},
                     email=domain.address_of(self.user_id))

    def ended(self):
        user = domain.user_is(self.world, self.user_id, "in an open checkout",
                              lambda row: (row["pending_checkout"] or {}).get("session_id"))
        session_id = user["pending_checkout"]["session_id"]
        opened = [call for call in self.bench.clouds.calls("stripe") if call["path"].endswith("/checkout/sessions")
                  and self.user_id in call["body"] and call["effect"] is not None]
        assert len(opened) == 1 and session_id, opened


class Instance(Story):
    """A subscription brings an instance."""

    held = "one app, which the instance names"

    def act(self):
        self.user_id, customer = self.user()
        self.subscription_id = stripe_events.new_id("sub")
        self.send("customer.subscription.created", stripe_events.subscription(
            self.subscription_id, customer, price="price_starter", user_id=self.user_id))

    def ended(self):
        agent = domain.instance(self.world, self.subscription_id, "active")
        assert domain.app_of(self.world, self.subscription_id)["name"] == agent["app_name"]


class Sender(Story):
    """Stripe sends, and again until it is answered with 2xx: to an ingress that dies under it."""

    held = "what was sent again is decided once"

    def prepare(self):
        self.user_id, customer = self.user()
        self.subscription_id = stripe_events.new_id("sub")
        self.event = stripe_events.event("customer.subscription.created", stripe_events.subscription(
            self.subscription_id, customer, price="price_unlimited", user_id=self.user_id))

    def deliver(self):
        return self.world.ingress.__class__(self.world.system.env).stripe(self.event).status_code == 200

    def act(self):
        """Until the connection breaks: ingress is on its way up first, and then down."""
        def probe():
            try:
                return self.deliver()
            except requests.RequestException:
                return self.bench.programs[-1].process.poll() is not None
        until(probe, "ingress to come up and die", 60)

    def ended(self):
        def probe():
            try:
                return self.deliver()
            except requests.RequestException:
                return False
        until(probe, "the event to be accepted", 60)
        self.events.append(self.event["id"])
        self.outcome_of(self.event["id"], "applied")
        assert self.books.value("SELECT count(*) FROM sluice.subscriptions WHERE id = %s", self.subscription_id) == 1
        assert self.books.audits(self.user_id).count("subscription_changed") == 1


class Waiter(Sender):
    """A command that waits for its outcome, at an ingress that dies with the outcome in its hands."""

    held = "sent again, it has the first outcome; one decision"

    def prepare(self):
        self.user_id, _ = self.user()
        self.agent_id = str(uuid.uuid4())
        self.key = uuid.uuid4().hex

    def deliver(self):
        fresh = self.world.ingress.__class__(self.world.system.env)
        answer = fresh.api(self.user_id, "/api/agents", {"agent_id": self.agent_id, "name": "a", "region": "us-east"},
                           key=self.key)
        return answer.status_code == 200 and answer.json()["result"] == "applied"

    def ended(self):
        def probe():
            try:
                return self.deliver()
            except requests.RequestException:
                return False
        until(probe, "the first outcome, told again", 60)
        self.events.append(f"{self.user_id}:{self.key}")
        assert self.books.audits(self.user_id).count("agent_created") == 1
