"""sluicectl replay: the log of many random histories, decided again in memory, is decided as it was; a change of the plans, or
a row that was tampered with, is found with exactly the decisions that it touches.

A system of its own, so that the log has nothing but these histories in it, from its beginning.
"""

import json
import os
import pathlib
import subprocess

import pytest
from kit import stripe_events
from kit.system import ROOT, System

from .conftest import CONFIG, World
from .model.generate import generate
from .model.histories import Trial
from .model.world import Policy

SEEDS = range(1000, 1060)
POLICY = Policy(grace_ms=3000, resume_on_payment=True)
VARIABLES = {"SLUICE_POLICY_GRACE": "3s", "SLUICE_POLICY_RESUME_ON_PAYMENT": "on"}


@pytest.fixture(scope="module")
def past():
    """A world with a history, in which nothing is under way any more."""
    base = pathlib.Path(os.environ.get("SLUICE_DEV_DIR", ROOT / ".dev" / "test"))
    system = System(base / "replay", CONFIG, variables=VARIABLES)
    system.wipe()
    system.up()
    system.ready()
    system.clouds().configure(github={"rate_limit": 0}, resend={"rate_limit_per_s": 0}, stripe={"rate_limit_per_s": 0},
                              graph={"rate_limit_per_s": 0}, hetzner={"rate_limit": 0})
    Trial(system, POLICY).tell([generate(seed) for seed in SEEDS])
    yield World(system)
    system.down()


def replay(world, *arguments, **variables):
    """(exit code, document) of sluicectl replay --dry-run --json; `variables` change its configuration alone."""
    program = ROOT / "build" / world.system.env["SLUICE_PRESET"] / "bin" / "sluicectl"
    environment = {**os.environ, **world.system.env, **VARIABLES, **variables}
    done = subprocess.run([program, "replay", "--dry-run", "--json", *arguments, "--config", ROOT / "deploy" / "sluice.conf"],
                          env={**environment, "SLUICE_CONFIG": str(CONFIG)}, text=True, capture_output=True, check=False,
                          timeout=120)
    assert done.returncode in (0, 1) and done.stdout, done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)


def told(document):
    return "\n".join(json.dumps(one) for one in document["differences"][:20])


def test_nothing_is_decided_otherwise(past):
    code, document = replay(past)
    rows = past.books.value("SELECT count(*) FROM sluice.events")
    again = past.books.value("SELECT coalesce(sum(jsonb_array_length(earlier)), 0) FROM sluice.events")
    assert document["different"] == 0, f"{document['groups']}\n{told(document)}"
    assert code == 0 and document["not_comparable"] == 0
    assert document["read"] == rows + again and document["compared"] == document["decided"] > 500


def test_a_smaller_plan_refuses_what_did_not_fit(past):
    """Just the third provision, and what came of it; and the subscription, whose limits are other ones."""
    user_id, customer = past.user()
    subscription = past.send("customer.subscription.created", stripe_events.subscription(
        stripe_events.new_id("sub"), customer, "active", "price_unlimited", user_id=user_id))
    past.books.decided(subscription["id"])
    for _ in range(2):
        past.active_agent(user_id)
    last = past.active_agent(user_id)
    past.books.user_settled(user_id)
    assert replay(past, "--user", user_id)[1]["different"] == 0
    code, document = replay(past, "--user", user_id, SLUICE_PLAN_UNLIMITED_AGENTS="2")
    job = past.books.jobs(last, "provision")[0]
    touched = {row["id"] for row in past.books.rows(
        "SELECT id FROM sluice.events WHERE user_id = %s AND result->'job_ids' ? %s", user_id, str(job["id"]))}
    assert code == 1
    assert {one["id"] for one in document["differences"]} == {subscription["id"], *touched}
    refused = next(one for one in document["differences"] if one["id"] == job["cause_event_id"])
    assert refused["then"]["outcome"] == "applied" and refused["now"]["outcome"] == "rejected"
    assert refused["now"]["error_code"] == "AGENT_LIMIT_REACHED" and refused["now"]["jobs"] == []
    assert refused["then"]["jobs"][0]["kind"] == "provision"


def test_a_row_that_was_tampered_with_is_the_one_that_differs(past):
    row = past.books.row("SELECT id, source, result FROM sluice.events WHERE outcome = 'rejected' AND decided_no IS NOT NULL"
                         " ORDER BY decided_no LIMIT 1")
    where = (row["id"], row["source"])
    for change, names in (("outcome = 'applied'", ["outcome"]), ("rule = 'of.another.day'", ["rule"]),
                          ("effects = effects + 1", ["effects"])):
        before = past.books.row("SELECT outcome, rule, effects FROM sluice.events WHERE id = %s AND source = %s", *where)
        past.books.rows(f"UPDATE sluice.events SET {change} WHERE id = %s AND source = %s RETURNING 1", *where)
        code, document = replay(past)
        past.books.rows("UPDATE sluice.events SET outcome = %s, rule = %s, effects = %s WHERE id = %s AND source = %s"
                        " RETURNING 1", *before.values(), *where)
        assert code == 1
        assert [(one["id"], one["differs"]) for one in document["differences"]] == [(row["id"], names)]


def test_only_what_is_asked_for_is_compared(past):
    whole = replay(past)[1]["compared"]
    assert replay(past, "--from", "2000-01-01T00:00:00Z", "--to", "2001-01-01T00:00:00Z")[1]["compared"] == 0
    parts = past.books.row("SELECT partition, max(\"offset\") AS last FROM sluice.events GROUP BY 1 ORDER BY 2 DESC LIMIT 1")
    assert 0 < replay(past, "--from", f"{parts['partition']}:{parts['last']}")[1]["compared"] < whole


def test_it_never_writes_and_says_so(past):
    done = past.system.ctl("replay")
    assert done.returncode == 2 and "--dry-run" in done.stdout
    done = past.system.ctl("replay", "--dry-run", "--from", "yesterday")
    assert done.returncode == 2 and "PARTITION:OFFSET" in done.stdout
    done = past.system.ctl("replay", "--dry-run")
    assert done.returncode == 0 and " 0 decided otherwise" in done.stdout


def test_who_has_lost_the_beginning_is_not_compared(past):
    """Deletes the log's beginning, as retention does, and finds the users whose first events are gone."""
    from confluent_kafka import TopicPartition  # noqa: PLC0415
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415
    cut = past.books.row("SELECT partition, count(*), max(\"offset\") / 2 AS middle FROM sluice.events GROUP BY 1"
                         " ORDER BY 2 DESC LIMIT 1")
    admin = AdminClient({"bootstrap.servers": past.system.env["KAFKA_BROKERS"]})
    for future in admin.delete_records([TopicPartition("sluice.events.v1", cut["partition"], cut["middle"])]).values():
        future.result(30)
    code, document = replay(past)
    assert document["different"] == 0, told(document)
    assert code == 0 and document["not_comparable"] > 0 and document["compared"] > 0
    assert {"partition": cut["partition"], "first_offset": cut["middle"]}.items() <= next(
        one for one in document["log"] if one["partition"] == cut["partition"]).items()
