"""Latency: from the HTTP request to the outcome that a waiting client gets, and to the cloud call leaving."""

import concurrent.futures
import time
import uuid

from kit import stripe_events
from kit.ingress import Ingress
from kit.wait import until

from . import worker

ROUNDS = 3
USERS = 120
THREADS = 4


def run(system, median):
    books = system.books()
    worker.catch_up(system, books)
    books.close()
    rounds = [measure(system) for _ in range(ROUNDS)]

    def of(name, quantile):
        return float(median(sorted(figures[name])[int(quantile * (len(figures[name]) - 1))] for figures in rounds))

    return [{"what": what, "samples": len(rounds[0][name]), "p50 ms": of(name, 0.5), "p99 ms": of(name, 0.99)}
            for name, what in (("wait", "Prefer: wait answered"), ("call", "request received to cloud call ended"))]


def measure(system):
    """Users who subscribe, create an agent and provision it, each over an own connection's thread."""
    books, clouds = system.books(), system.clouds()
    clouds.configure(runner={"outcome": "never_claim"}, github={"rate_limit": 0})
    mark = uuid.uuid4().hex[:8]
    waits = []

    def one(ingress, number):
        user_id, customer, agent_id = f"lat-{mark}-{number}", f"cus_lat{mark}{number}", str(uuid.uuid4())
        obj = stripe_events.subscription(stripe_events.new_id("sub"), customer, price="price_unlimited", user_id=user_id)
        assert ingress.stripe(stripe_events.event("customer.subscription.created", obj)).status_code == 200
        answers = [timed(ingress, user_id, "/api/agents", {"agent_id": agent_id, "name": "latency"}),
                   timed(ingress, user_id, f"/api/agents/{agent_id}/provision", {})]
        waits.extend(answers)

    def many(thread):
        ingress = Ingress(system.env)
        for number in range(thread, USERS, THREADS):
            one(ingress, number)

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(many, range(THREADS)))
    sql = ("SELECT extract(epoch FROM c.at - e.received_at) * 1000 AS ms FROM sluice.job_calls c JOIN sluice.jobs j"
           " ON j.id = c.job_id JOIN sluice.events e ON e.id = j.cause_event_id WHERE j.user_id LIKE %s"
           " AND c.path LIKE '%%/dispatches'")
    calls = until(lambda: found if len(found := books.rows(sql, f"lat-{mark}-%")) >= USERS else None,
                  "all dispatches to be recorded", 60)
    books.close()
    return {"wait": waits, "call": [float(row["ms"]) for row in calls]}


def timed(ingress, user_id, path, data):
    began = time.perf_counter()
    answer = ingress.api(user_id, path, data)
    took_ms = (time.perf_counter() - began) * 1e3
    assert answer.status_code == 200, answer.text
    return took_ms
