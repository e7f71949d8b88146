"""sluicectl explain and events tail: the whole way of an event, from the request to what came of it."""

import json
import subprocess
import threading

from kit import stripe_events
from kit.system import ROOT


def texts(node):
    """All kinds and texts of a tree, in order."""
    return [(node["kind"], node["text"]), *(pair for child in node["children"] for pair in texts(child))]


def explain(world, noun, name, *arguments):
    done = world.system.ctl("explain", noun, name, *arguments, "--json")
    assert done.returncode == 0, done.stdout
    return texts(json.loads(done.stdout))


def has(found, kind, *words):
    return any(kind == of and all(word in text for word in words) for of, text in found)


def provisioned(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    agent_id = world.active_agent(user_id)
    world.books.user_settled(user_id)
    return user_id, agent_id, world.books.jobs(agent_id, "provision")[0]


def test_an_event_from_its_request_to_the_last_report(world):
    user_id, agent_id, job = provisioned(world)
    found = explain(world, "event", job["cause_event_id"])
    row = world.books.event(job["cause_event_id"])
    assert found[0][0] == "event" and "command.agent.provision" in found[0][1] and user_id in found[0][1]
    assert has(found, "position", f"partition {row['partition']} offset {row['offset']}")
    assert has(found, "header", "traceparent: 00-")
    assert has(found, "decision", "applied", row["rule"])
    assert has(found, "audit", "agent_provision_queued", agent_id)
    assert has(found, "job", str(job["id"]), "provision", "succeeded")
    assert has(found, "call", "github POST", "/dispatches", "done")
    for report in ("callback.claimed", "callback.completed"):
        assert has(found, "event", report), f"no {report} in {found}"
    assert has(found, "decision", "callback.completed.provisions")


def test_a_job_and_an_agent_lead_to_the_same_event(world):
    _user_id, agent_id, job = provisioned(world)
    assert explain(world, "job", str(job["id"])) == explain(world, "event", job["cause_event_id"])
    found = explain(world, "agent", agent_id)
    assert found[0][0] == "agent" and "active" in found[0][1]
    assert has(found, "event", "command.agent.create") and has(found, "event", job["cause_event_id"])
    assert has(found, "call", "github POST")


def test_people_read_lines_with_times(world):
    _user_id, _agent_id, job = provisioned(world)
    done = world.system.ctl("explain", "event", job["cause_event_id"])
    assert done.returncode == 0
    assert "└─ " in done.stdout and "+0.000s" in done.stdout and "the rule:" in done.stdout


def test_what_waits_says_for_what(world):
    _user_id, customer = world.user()
    event = world.send("customer.subscription.updated",
                       stripe_events.subscription(stripe_events.new_id("sub"), customer, "active", "price_starter"))
    world.books.decided(event["id"])
    found = explain(world, "event", event["id"])
    assert has(found, "parked", "waits since then", customer)
    user_id, _other = world.user()
    world.send("customer.created", {"id": customer, "object": "customer", "metadata": {"user_id": user_id}})
    until_decided(world, event["id"])
    found = explain(world, "event", event["id"])
    assert has(found, "earlier", "parked first") and not has(found, "parked", "")
    assert has(found, "position", "a replay")


def until_decided(world, event_id):
    from kit.wait import until  # noqa: PLC0415
    until(lambda: world.books.event(event_id)["outcome"] == "applied", f"{event_id} to be decided", 30)


def test_what_is_not_known_is_said(world):
    for noun in ("event", "job", "agent"):
        done = world.system.ctl("explain", noun, "nothing-at-all")
        assert done.returncode == 1 and "nothing-at-all" in done.stdout


def test_tail_shows_decisions_as_they_are_made(world):
    user_id, customer = world.user()
    other_id, other_customer = world.user()
    program = ROOT / "build" / world.system.env["SLUICE_PRESET"] / "bin" / "sluicectl"
    tail = subprocess.Popen([program, "events", "tail", "--json", "--user", user_id, "--type", "stripe.*", "--limit", "2"],
                            env=world.system.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    guard = threading.Timer(60, tail.kill)
    guard.start()
    assert "following" in tail.stderr.readline()
    first = world.send("customer.created", {"id": customer, "object": "customer", "metadata": {"user_id": user_id}})
    world.send("customer.created", {"id": other_customer, "object": "customer", "metadata": {"user_id": other_id}})
    world.create_agent(user_id)
    second = world.send("payout.paid", {"id": "po_1", "object": "payout", "metadata": {"user_id": user_id}})
    lines = [json.loads(line) for line in tail.stdout]
    guard.cancel()
    assert tail.wait() == 0
    assert [(line["id"], line["result"]) for line in lines] == [(first["id"], "applied"), (second["id"], "ignored")]
