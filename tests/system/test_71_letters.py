"""Dead letters as ops handle them: listed by cause, shown whole, tried dry, decided again, given up."""

import json

import pytest
from kit import stripe_events
from kit.poison import Poison
from kit.wait import until

from .domain import instance, subscription


@pytest.fixture
def poison(world):
    poison = Poison(world.books.url)
    yield poison
    poison.cure()


def ctl(world, *arguments, code=0):
    done = world.system.ctl(*arguments)
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}"
    return done.stdout


def bury(world, poison):
    """(user, event) of a user whose event is in the dead letters."""
    user_id, customer = world.user()
    obj = stripe_events.subscription(poison.subscription_id, customer, "active", "price_unlimited", user_id=user_id)
    event = world.send("customer.subscription.created", obj)
    assert world.books.decided(event["id"])["outcome"] == "dead"
    return user_id, event


def letters(world, user_id):
    return world.books.rows("SELECT * FROM sluice.dead_letters WHERE user_id = %s ORDER BY seq", user_id)


def hold(world, user_id, number):
    """Agents that are created once the hold is lifted."""
    agents = []
    for n in range(number):
        answer = world.ingress.api(user_id, "/api/agents", {"name": f"a{n}", "region": "us-east"})
        assert answer.status_code == 202, answer.text
        agents.append(answer.json()["id"])
    assert {world.books.decided(each)["outcome"] for each in agents} == {"held"}
    return agents


def order_of_creation(world, user_id):
    return [row["event_id"] for row in world.books.rows(
        "SELECT event_id FROM sluice.audit_log WHERE user_id = %s AND action = 'agent_created' ORDER BY at, id", user_id)]


def test_a_letter_is_listed_shown_tried_replayed_and_its_user_goes_on(world, poison):
    user_id, event = bury(world, poison)
    held = hold(world, user_id, 3)
    letter, = letters(world, user_id)
    groups = json.loads(ctl(world, "dlq", "list", "--json"))
    group, = [row for row in groups if (row["cause"], row["stage"], row["source"]) == (
        "database", "commit", "/webhooks/stripe")]
    assert group["letters"] >= 1 and group["example"] and "poison" in group["error"]
    assert "under_way" in ctl(world, "dlq", "list")
    for more in (("--user", user_id), ("--id", event["id"]), ("--user", user_id, "--type", "stripe.customer.*"),
                 ("--user", user_id, "--since", "1h", "--cause", "database", "--stage", "commit"),
                 ("--user", user_id, "--source", "/webhooks/stripe", "--status", "open")):
        row, = json.loads(ctl(world, "dlq", "list", *more, "--json"))
        assert row["id"] == str(letter["id"]), more
    assert json.loads(ctl(world, "dlq", "list", "--user", user_id, "--until", "1h", "--json")) == []
    shown = ctl(world, "dlq", "show", str(letter["id"]))
    for word in ("P0001", "database", "ce_id: " + event["id"], '"object": "event"', "held_behind_it", "3"):
        assert word in shown, shown
    assert json.loads(ctl(world, "dlq", "show", event["id"], "--raw")) == event
    assert json.loads(json.loads(ctl(world, "dlq", "show", event["id"], "--json"))["message"]) == event

    poison.cure()
    dry = json.loads(ctl(world, "dlq", "replay", event["id"], "--dry-run", "--json"))
    assert [row["verdict"] for row in dry["letters"]] == ["would apply"]
    assert world.books.event(event["id"])["outcome"] == "dead"
    assert "1 published again" in ctl(world, "dlq", "replay", "--user", user_id, "--canary", "1", "--rate", "10")
    for each in held:
        until(lambda each=each: world.books.event(each)["outcome"] == "applied", f"{each} to be applied")
    assert order_of_creation(world, user_id) == held
    letter, = letters(world, user_id)
    assert letter["status"] == "replayed" and letter["replayed_at"] is None and letter["closed_at"]
    assert "0 published again" in ctl(world, "dlq", "replay", "--user", user_id)
    actors = {row["actor"] for row in world.books.rows(
        "SELECT actor FROM sluice.audit_log WHERE user_id = %s AND action = 'dead_letter_replayed'", user_id)}
    assert len(actors) == 1 and actors.pop().startswith("ops:")


def test_a_letter_given_up_lets_the_others_go_on(world, poison):
    user_id, event = bury(world, poison)
    held = hold(world, user_id, 2)
    assert "--yes" in ctl(world, "dlq", "discard", event["id"], code=2)
    assert "1 letters were discarded" in ctl(world, "dlq", "discard", event["id"], "--yes", "--reason", "made by a test")
    for each in held:
        until(lambda each=each: world.books.event(each)["outcome"] == "applied", f"{each} to be applied")
    assert order_of_creation(world, user_id) == held
    assert world.books.event(event["id"])["outcome"] == "dead"
    row, = json.loads(ctl(world, "dlq", "list", "--user", user_id, "--status", "discarded", "--json"))
    assert row["event_id"] == event["id"]


def refuse(world, user_id):
    """The provisioner refuses the user's next app."""
    world.clouds.fault("provisioner", "status", status=400, times=1, match="POST /provision", body_match=user_id)


def dead_job(world):
    """(user, agent, letter) of a new subscription whose instance could not be made."""
    user_id, customer = world.user()
    refuse(world, user_id)
    subscription_id, _ = subscription(world, user_id, customer)
    agent = instance(world, subscription_id, "failed")
    world.books.user_settled(user_id)
    letter, = letters(world, user_id)
    return user_id, str(agent["id"]), letter


def test_a_dead_job_is_retried_by_its_letter_and_keeps_each_cause(world):
    user_id, agent_id, letter = dead_job(world)
    job, = world.books.jobs(agent_id, "provision")
    assert (letter["stage"], letter["status"], letter["job_id"]) == ("execute", "open", job["id"])
    dry = json.loads(ctl(world, "dlq", "replay", str(letter["id"]), "--dry-run", "--json"))
    assert [row["verdict"] for row in dry["letters"]] == ["would apply"]

    refuse(world, user_id)
    ctl(world, "dlq", "replay", "--user", user_id, "--stage", "execute")
    again = until(lambda: [row for row in letters(world, user_id) if row["attempts"] == 2], "the job to fail again", 60)
    assert [row["id"] for row in again] == [letter["id"]] and again[0]["status"] == "open"
    assert [death["cause"] for death in again[0]["previous"]] == [letter["cause"]]
    world.books.agent_in(agent_id, "failed")
    world.books.user_settled(user_id)
    ctl(world, "dlq", "replay", str(letter["id"]), "--canary", "1")
    world.books.agent_in(agent_id, "active", timeout_s=60)
    assert [row["status"] for row in letters(world, user_id)] == ["replayed"]


def test_a_retry_by_hand_closes_the_letter_too(world):
    user_id, agent_id, letter = dead_job(world)
    ctl(world, "jobs", "retry", str(letter["job_id"]), "--yes")
    assert [row["status"] for row in letters(world, user_id)] == ["replayed"]
    world.books.agent_in(agent_id, "active", timeout_s=60)


def test_a_dry_run_gives_nothing_up(world, poison):
    user_id, _event = bury(world, poison)
    dry = json.loads(ctl(world, "dlq", "discard", "--user", user_id, "--dry-run", "--yes", "--json"))
    assert dry["would_discard"] == 1
    assert [row["status"] for row in letters(world, user_id)] == ["open"]
    job = "00000000-0000-4000-8000-000000000000"
    for changes in (("jobs", "retry", job), ("jobs", "cancel", job), ("pause", "hetzner"), ("resume", "hetzner")):
        assert "does not take --dry-run" in ctl(world, *changes, "--dry-run", "--yes", code=2)
    ctl(world, "dlq", "discard", "--user", user_id, "--yes")  # at the end of all tests none is open


def test_what_is_meant_must_be_said(world):
    assert "which letters" in ctl(world, "dlq", "replay", code=2)
    assert "which letters" in ctl(world, "dlq", "discard", "--yes", code=2)
    assert "no dead letter" in ctl(world, "dlq", "show", "nothing-of-that-name", code=1)
    for way in ("--yes", "--dry-run"):
        for verb in ("replay", "discard"):
            assert "has the id nothing-of-that-name" in ctl(world, "dlq", verb, "nothing-of-that-name", way, code=1)
    assert "is no time" in ctl(world, "dlq", "list", "--since", "yesterday", code=2)
    assert "does not take --canary" in ctl(world, "dlq", "discard", "--all", "--canary", "3", code=2)
    assert "0 published again" in ctl(world, "dlq", "replay", "--user", "nobody-at-all")
