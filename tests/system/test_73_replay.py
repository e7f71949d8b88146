"""sluicectl replay: the log of many random histories, decided again in memory, is decided as it was; a change of the plans, or
a row that was tampered with, is found with exactly the decisions that it touches.

A system of its own, so that the log has nothing but these histories in it, from its beginning.
"""

import json
import os
import pathlib
import subprocess
import uuid

import pytest
from kit import stripe_events
from kit.system import ROOT, System

from .conftest import CONFIG, World
from .model.generate import generate
from .model.histories import Trial
from .model.world import Policy

SEEDS = range(1000, 1120)
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
    assert document["read"] == rows + again and document["compared"] == document["decided"] > 1000
