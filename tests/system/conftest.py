"""One real system for all system tests: ingress, two workers, the console, Kafka, Postgres and the simulated clouds.

Every test makes users of its own, so that tests don't see each other; those that take servers down stand last, by name.
At the end the clouds' ledger must agree with the books: no double, no orphan.
"""

import os
import pathlib
import shutil
import uuid

import pytest
from kit import stripe_events
from kit.system import ROOT, System
from kit.wait import until

CONFIG = pathlib.Path(__file__).with_name("fast.conf")


class World:
    """Users and what they do, through the front door only."""

    def __init__(self, system):
        self.system = system
        self.ingress = system.ingress()
        self.books = system.books()
        self.clouds = system.clouds()
        self.console = system.console()
        self.bent = set()  # users whose rows a test changed by hand, or decided over by another policy: not told by the log

    def user(self):
        """(user id, customer id), both new."""
        mark = uuid.uuid4().hex[:12]
        return f"user-{mark}", f"cus_{mark}"

    def send(self, event_type, obj, **more):
        """A Stripe event; gives it after it was accepted."""
        event = stripe_events.event(event_type, obj, **more)
        answer = self.ingress.stripe(event)
        assert answer.status_code == 200, answer.text
        return event

    def subscribe(self, user_id, customer, status="active", price="price_unlimited", subscription_id=None, **more):
        """customer.subscription.created, decided; gives the subscription id."""
        subscription_id = subscription_id or stripe_events.new_id("sub")
        obj = stripe_events.subscription(subscription_id, customer, status, price, user_id=user_id)
        event = self.send("customer.subscription.created", obj, **more)
        self.books.decided(event["id"])
        return subscription_id

    def create_agent(self, user_id, name="agent"):
        agent_id = str(uuid.uuid4())
        answer = self.ingress.api(user_id, "/api/agents", {"agent_id": agent_id, "name": name, "region": "us-east"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["result"] == "applied", answer.text
        return agent_id

    def command(self, user_id, agent_id, verb, **more):
        return self.ingress.api(user_id, f"/api/agents/{agent_id}/{verb}", more)

    def active_agent(self, user_id):
        """A subscribed user's new agent, brought up by the workflow."""
        agent_id = self.create_agent(user_id)
        answer = self.command(user_id, agent_id, "provision")
        assert answer.status_code == 200, answer.text
        self.books.agent_in(agent_id, "active")
        return agent_id

    def servers_of(self, agent_id):
        """The live servers in the ledger that carry the agent's label."""
        servers = self.clouds.ledger()["hetzner"]["servers"]
        return [server for server in servers if server["live"] and server["labels"].get("sluice-agent") == agent_id]

    def devices_of(self, agent_id):
        devices = self.clouds.ledger()["tailscale"]["devices"]
        return [device for device in devices if device["live"] and device["hostname"] == f"agent-{agent_id}"]


@pytest.fixture(scope="session")
def system():
    base = pathlib.Path(os.environ.get("SLUICE_DEV_DIR", ROOT / ".dev" / "test"))
    base.mkdir(parents=True, exist_ok=True)
    system = System(base / "system", shutil.copy(CONFIG, base))  # a copy, which tests may change
    system.wipe()  # what an earlier run left behind is not this one's to explain
    system.up()
    system.ready()
    yield system
    system.down()


@pytest.fixture(scope="session")
def world(system):
    return World(system)


@pytest.fixture(autouse=True)
def no_faults_left(world):
    yield
    world.clouds.clear_faults()


@pytest.fixture
def console(world):
    return world.console


def pytest_collection_modifyitems(items):
    """By file name, so that the tests that take servers down come last."""
    items.sort(key=lambda item: item.fspath.basename)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failed test shows the end of the programs' logs."""
    outcome = yield
    report = outcome.get_result()
    world = item.funcargs.get("world")
    if report.when == "call" and report.failed and world:
        for name in ("ingress", "worker-1", "worker-2", "console"):
            try:
                lines = [line for line in world.system.log(name).splitlines() if "level=debug" not in line]
                report.sections.append((f"log of {name}", "\n".join(lines[-25:])))
            except OSError:
                continue


def settled(world, timeout_s=60):
    """Waits until nothing is open anywhere: no job, no outbox row."""
    until(lambda: world.books.value("SELECT count(*) FROM sluice.jobs WHERE status IN ('queued','running','waiting')") == 0,
          "all jobs to end", timeout_s)
    until(lambda: world.books.value("SELECT count(*) FROM sluice.outbox") == 0, "the outbox to be empty", timeout_s)
