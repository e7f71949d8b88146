"""Without a fault all invariants hold; and a row that somebody changes behind Sluice's back is seen."""

import os
import pathlib

import psycopg
import pytest
from kit.log import end_of_topic
from kit.system import ROOT, System
from kit.wait import until
from system.model.world import Policy

from .check import check
from .load import Load

CONFIG = ROOT / "tests" / "system" / "fast.conf"
POLICY = Policy(grace_ms=3000, resume_on_payment=True)
VARIABLES = {"SLUICE_POLICY_GRACE": "3s", "SLUICE_POLICY_RESUME_ON_PAYMENT": "on", "SLUICE_LOG_LEVEL": "info"}
EVENTS, SECONDS = 2000, 20
UNDER_WAY = """
SELECT (SELECT count(*) FROM sluice.outbox)
     + (SELECT count(*) FROM sluice.jobs WHERE status IN ('queued', 'running', 'waiting'))
     + (SELECT count(*) FROM sluice.timers WHERE decided_at IS NULL AND cancelled_at IS NULL
         AND due_at < now() + interval '1 minute')
     + (SELECT coalesce(sum(next_offset - published_offset), 0) FROM sluice.offsets)
"""


@pytest.fixture(scope="module")
def system():
    base = pathlib.Path(os.environ.get("SLUICE_DEV_DIR", ROOT / ".dev" / "test"))
    system = System(base / "quiet", CONFIG, variables=VARIABLES)
    system.wipe()
    system.up()
    system.ready()
    system.clouds().configure(github={"rate_limit": 0}, resend={"rate_limit_per_s": 0}, stripe={"rate_limit_per_s": 0},
                              graph={"rate_limit_per_s": 0}, hetzner={"rate_limit": 0})
    yield system
    system.down()


def quiet(system, books):
    """Nothing is under way, and the log is decided to its end."""
    def probe():
        decided = books.value("SELECT coalesce(sum(next_offset), 0) FROM sluice.offsets")
        return books.value(UNDER_WAY) == 0 and decided == end_of_topic(system.env, "sluice.events.v1")
    until(probe, "nothing to be under way", 90)


def test_all_holds_where_nothing_fails_and_not_where_a_row_was_changed(system, tmp_path):
    load = Load(lambda: [system.env["SLUICE_INGRESS_URL"]], system.env, 5, EVENTS, SECONDS, tmp_path / "load.jsonl").start()
    load.wait()
    load.stop()
    counts, books = load.counts(), system.books()
    assert counts["events"] >= EVENTS and counts["given up"] == counts["refused"] == 0
    quiet(system, books)
    findings = check(system.env, tmp_path / "load.jsonl", POLICY)
    assert [(finding.invariant, finding.violations[:5]) for finding in findings if not finding.held] == []
    looked_at = {finding.invariant: finding.checked for finding in findings}
    assert looked_at["every event answered 2xx is in the log, where its receipt says"] >= EVENTS
    assert looked_at["the state is what the independent model makes of the log"] >= EVENTS
    tamper(system.env)
    broken = [finding for finding in check(system.env, tmp_path / "load.jsonl", POLICY) if not finding.held]
    assert {finding.invariant.split()[0] for finding in broken} >= {"the", "every", "each"}
    books.close()


def tamper(env):
    """A count too many, a decision lost, and an outcome changed behind everybody's back."""
    with psycopg.connect(env["DATABASE_URL"]) as books:
        books.execute("UPDATE sluice.usage_daily SET count = count + 1 WHERE (user_id, day, metric) IN"
                      " (SELECT user_id, day, metric FROM sluice.usage_daily LIMIT 1)")
        books.execute("DELETE FROM sluice.events WHERE (id, source) IN (SELECT id, source FROM sluice.events"
                      " WHERE type = 'command.usage.record' LIMIT 1)")
        books.execute("UPDATE sluice.events SET outcome = 'ignored' WHERE (id, source) IN (SELECT id, source FROM"
                      " sluice.events WHERE type = 'stripe.customer.updated' AND outcome = 'applied' LIMIT 1)")
