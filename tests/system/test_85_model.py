"""500 random histories through the whole pipeline end as the independent model of the rules says they must.

They have a system of their own: grace periods of seconds, and agents that start again once all is paid, so that a history
sees the whole of them. On failure: the seeds, the first history shrunk, and where Postgres and the model differ.
"""

import os
import pathlib

import pytest
from kit.system import ROOT, System
from kit.verdict import disagreements

from .conftest import CONFIG
from .model.generate import generate
from .model.histories import Trial, report
from .model.world import Policy

SEEDS = range(500)
POLICY = Policy(grace_ms=3000, resume_on_payment=True)
VARIABLES = {"SLUICE_POLICY_GRACE": "3s", "SLUICE_POLICY_RESUME_ON_PAYMENT": "on"}


@pytest.fixture
def trial():
    base = pathlib.Path(os.environ.get("SLUICE_DEV_DIR", ROOT / ".dev" / "test"))
    system = System(base / "model", CONFIG, variables=VARIABLES)
    system.wipe()
    system.up()
    system.ready()
    # the repository's webhook has a partition of its own: its place among a user's events can't be told
    system.clouds().configure(github={"webhooks": False, "rate_limit": 0}, resend={"rate_limit_per_s": 0},
                              stripe={"rate_limit_per_s": 0}, graph={"rate_limit_per_s": 0}, hetzner={"rate_limit": 0})
    yield Trial(system, POLICY)
    system.down()


def test_random_histories_end_as_the_model_says(trial):
    told = trial.tell([generate(seed) for seed in SEEDS])
    wrong = [(history, lines) for history, lines, _users in told if lines]
    assert not wrong, report(trial, wrong)
    assert disagreements(trial.books, trial.system.clouds()) == []
    assert trial.system.clouds().summary()["simulator_errors"] == 0
