"""A poison event of one user among a thousand busy ones: nobody else loses time, and the user loses nothing."""

import concurrent.futures
import threading
import uuid

from kit import stripe_events
from kit.ingress import Ingress
from kit.poison import Poison
from kit.wait import until

USERS = 1000
SENDERS = 16
LATER = 6
PAIRS_MAX = 5  # of runs with and without a poison: what else the machine does differs from run to run


def send_one(world, here, user_id):
    """One command; gives its event's id."""
    if not hasattr(here, "ingress"):
        here.ingress = Ingress(world.system.env)
    answer = here.ingress.api(user_id, "/api/agents", {"name": "busy", "region": "us-east"}, wait_s=0)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def p99_s(world, middle=lambda: None):
    """How long 99 of 100 events waited for their decision, each of another user; `middle` is called among them."""
    users = [f"busy-{uuid.uuid4().hex[:16]}" for _ in range(USERS)]
    here = threading.local()
    with concurrent.futures.ThreadPoolExecutor(SENDERS) as pool:
        before = [pool.submit(send_one, world, here, user) for user in users[:USERS // 2]]
        concurrent.futures.wait(before[:USERS // 4])
        among = pool.submit(middle)
        after = [pool.submit(send_one, world, here, user) for user in users[USERS // 2:]]
        ids = [each.result() for each in before + after]
        among.result()
    until(lambda: world.books.value("SELECT count(*) FROM sluice.events WHERE id = ANY(%s) AND outcome = 'applied'",
                                    ids) == USERS, "all to be applied", 60)
    return float(world.books.value(
        "SELECT percentile_disc(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM decided_at - received_at))"
        " FROM sluice.events WHERE id = ANY(%s)", ids))


class Victim:
    """A user with a poison event, and what comes behind it."""

    def __init__(self, world):
        self.world = world
        self.poison = Poison(world.books.url)
        self.user_id, self.customer = world.user()
        self.event = None
        self.later = []

    def send(self):
        obj = stripe_events.subscription(self.poison.subscription_id, self.customer, "active", "price_unlimited",
                                         user_id=self.user_id)
        ingress = Ingress(self.world.system.env)
        event = stripe_events.event("customer.subscription.created", obj)
        assert ingress.stripe(event).status_code == 200
        self.event = event["id"]
        for _ in range(LATER):
            self.later.append(ingress.api(self.user_id, "/api/agents", {"name": "later"}, wait_s=0).json()["id"])

    def outcomes(self):
        rows = self.world.books.rows("SELECT id, outcome FROM sluice.events WHERE id = ANY(%s)",
                                     [self.event, *self.later])
        found = {row["id"]: row["outcome"] for row in rows}
        return [found.get(each) for each in (self.event, *self.later)]


def test_a_poison_event_costs_nobody_else_time_and_its_user_nothing(world):
    p99_s(world)  # warm
    clean, poisoned, victims = [], [], []
    try:
        while not poisoned or (min(poisoned) > 2 * min(clean) and len(poisoned) < PAIRS_MAX):
            clean.append(p99_s(world))
            victims.append(Victim(world))
            poisoned.append(p99_s(world, victims[-1].send))
        assert min(poisoned) <= 2 * min(clean), f"p99 with a poison {poisoned}, without {clean}"
        for victim in victims:
            until(lambda victim=victim: victim.outcomes() == ["dead"] + ["held"] * LATER, "the hold")
            victim.poison.cure()
            done = world.system.ctl("dlq", "replay", "--user", victim.user_id)
            assert done.returncode == 0, done.stdout
            until(lambda victim=victim: victim.outcomes() == ["applied"] * (1 + LATER), "the hold to drain", 60)
            order = world.books.rows("SELECT event_id FROM sluice.audit_log WHERE user_id = %s AND action ="
                                     " 'agent_created' ORDER BY at, id", victim.user_id)
            assert [row["event_id"] for row in order] == victim.later
    finally:
        for victim in victims:
            victim.poison.cure()
