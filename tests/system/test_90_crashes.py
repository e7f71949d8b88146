"""kill -9 of workers and ingress, restarts of broker and database, in the middle of work: nothing lost, nothing twice."""

import concurrent.futures
import signal
import time

import pytest
from kit import log, stripe_events
from kit.wait import until

from .conftest import settled

EVENTS = 600


@pytest.fixture(autouse=True)
def whole_again(world):
    """Whatever a test took down is up again after it."""
    yield
    for name in ("postgres", "kafka", "clouds", "ingress", "worker-1", "worker-2"):
        world.system.start(name)
    world.system.ready()


def send_all(world, events):
    """Sends like Stripe: again on anything but a 2xx. Gives the ids that were answered 2xx."""

    def send(event):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if world.ingress.__class__(world.system.env).stripe(event).status_code == 200:
                    return event["id"]
            except OSError:
                pass
        raise AssertionError(f"{event['id']} was never accepted")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return list(pool.map(send, events))


def histories(world, users):
    """A few subscription updates for each of many users: the last one's status must stand at the end."""
    events, last = [], {}
    now = int(time.time())
    for _ in range(users):
        user_id, customer = world.user()
        subscription_id = stripe_events.new_id("sub")
        for step, status in enumerate(("trialing", "active", "past_due", "active", "unpaid")):
            obj = stripe_events.subscription(subscription_id, customer, status, user_id=user_id)
            kind = "created" if step == 0 else "updated"
            events.append(stripe_events.event(f"customer.subscription.{kind}", obj, created=now + step))
        last[subscription_id] = "unpaid"
    return events, last


def all_decided_once(world, ids, last):
    def decided():
        count = world.books.value("SELECT count(*) FROM sluice.events WHERE id = ANY(%s)", ids)
        return count == len(ids)

    until(decided, f"{len(ids)} events to be decided", 90)
    rows = world.books.rows("SELECT id, status FROM sluice.subscriptions WHERE id = ANY(%s)", list(last))
    assert {row["id"]: row["status"] for row in rows} == last
    wrong = world.books.rows(
        "SELECT e.id FROM sluice.events e LEFT JOIN sluice.audit_log a ON a.event_id = e.id"
        " AND a.action = 'subscription_changed' WHERE e.id = ANY(%s) GROUP BY e.id, e.outcome"
        " HAVING count(a.*) <> (e.outcome = 'applied')::int", ids)
    assert wrong == [], "effects that do not match their event's outcome"


@pytest.mark.parametrize("name", ["worker-1", "ingress", "kafka", "postgres"])
def test_kill_in_the_middle_of_load(world, name):
    events, last = histories(world, EVENTS // 5)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send_all, world, events)
        until(lambda: world.books.value("SELECT count(*) FROM sluice.events WHERE id = ANY(%s)",
                                        [event["id"] for event in events[:100]]) > 10, "the load to flow")
        world.system.kill(name)
        world.system.start(name)
        ids = sending.result()
    all_decided_once(world, ids, last)
    in_log = {message[4]["ce_id"] for message in log.read_topic(world.system.env, "sluice.events.v1")}
    assert set(ids) <= in_log


def test_kill_of_a_worker_in_the_middle_of_jobs(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    agents = [world.active_agent(user_id) for _ in range(4)]
    world.clouds.configure(hetzner={"action_ms": 1500})
    try:
        for agent_id in agents:
            assert world.command(user_id, agent_id, "stop").status_code == 200
        until(lambda: world.books.value("SELECT count(*) FROM sluice.jobs WHERE user_id = %s AND status = 'running'",
                                        user_id) >= 2, "jobs to be under way")
        for name in ("worker-1", "worker-2"):
            world.system.kill(name)
            world.system.start(name)
        for agent_id in agents:
            world.books.agent_in(agent_id, "paused", timeout_s=60)
    finally:
        world.clouds.configure(hetzner={"action_ms": 150})
    for agent_id in agents:
        assert len(world.books.jobs(agent_id, "stop")) == 1
        assert world.servers_of(agent_id)[0]["status"] == "off"


def test_kill_while_a_dispatch_is_in_flight(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    agent_id = world.create_agent(user_id)
    world.clouds.fault("github", "hang_after", match="POST .*/dispatches", ms=3000)
    assert world.command(user_id, agent_id, "provision").status_code == 200
    until(lambda: world.books.jobs(agent_id)[0]["status"] != "queued", "the dispatch to be in flight")
    for name in ("worker-1", "worker-2"):
        world.system.kill(name)
        world.system.start(name)
    world.books.agent_in(agent_id, "active", timeout_s=60)
    assert len(world.servers_of(agent_id)) == 1


def test_a_worker_that_wakes_after_its_lease_changes_nothing(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    agent_id = world.active_agent(user_id)
    world.clouds.configure(hetzner={"action_ms": 2500})
    try:
        assert world.command(user_id, agent_id, "stop").status_code == 200
        job = until(lambda: next((j for j in world.books.jobs(agent_id, "stop") if j["status"] == "running"), None),
                    "the stop to be under way")
        owner = next(name for name in ("worker-1", "worker-2") if str(world.system.pid(name)) in job["worker"])
        world.system.signal(owner, signal.SIGSTOP)
        try:
            world.books.agent_in(agent_id, "paused", timeout_s=60)
        finally:
            world.system.signal(owner, signal.SIGCONT)
    finally:
        world.clouds.configure(hetzner={"action_ms": 150})
    world.system.ready()
    after, = world.books.jobs(agent_id, "stop")
    assert after["status"] == "succeeded" and after["fence"] > job["fence"]
    settled(world)
    assert world.books.agent(agent_id)["status"] == "paused"


def test_a_drain_is_clean(world):
    events, last = histories(world, 40)
    ids = send_all(world, events)
    world.system.dev("stop", "worker-1")
    world.system.dev("start", "worker-1")
    world.system.dev("stop", "ingress")
    world.system.dev("start", "ingress")
    all_decided_once(world, ids, last)


def test_broker_away_is_a_503_and_nothing_is_lost(world):
    user_id, customer = world.user()
    obj = stripe_events.subscription(stripe_events.new_id("sub"), customer, user_id=user_id)
    event = stripe_events.event("customer.subscription.created", obj)
    world.system.kill("kafka")
    answer = world.ingress.stripe(event)
    assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
    assert answer.json()["errorCode"] == "UNAVAILABLE"
    world.system.start("kafka")
    world.system.ready()
    send_all(world, [event])
    world.books.decided(event["id"], timeout_s=60)


def test_the_books_and_the_clouds_agree_at_the_end(world):
    settled(world, 90)
    ledger = world.clouds.ledger()
    live = {}
    for server in ledger["hetzner"]["servers"]:
        if server["live"]:
            live.setdefault(server["labels"]["sluice-agent"], []).append(str(server["id"]))
    doubles = {agent: ids for agent, ids in live.items() if len(ids) > 1}
    assert doubles == {}
    owned = {str(row["id"]): row["server_id"] for row in
             world.books.rows("SELECT id, server_id FROM sluice.agents WHERE server_id IS NOT NULL")}
    assert {agent: ids[0] for agent, ids in live.items()} == {agent: owned[agent] for agent in owned if agent in live}
    orphans = set(live) - set(owned)
    assert orphans == set(), f"servers that no agent owns: {orphans}"
    assert world.books.value("SELECT count(*) FROM sluice.dead_letters WHERE stage <> 'execute'"
                             " AND status = 'open'") == 0
