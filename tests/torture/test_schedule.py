"""A schedule comes of its seed alone, hits nothing twice at a time, leaves the end quiet, and survives its file."""

import itertools

import pytest

from . import schedule
from .faults import KINDS, Size

SIZE = Size(2, 2)
SEEDS = range(30)


def plan(seed, seconds=180, kinds=None, size=SIZE):
    return schedule.plan(seed, seconds, kinds or KINDS, size)


def test_the_same_seed_gives_the_same_schedule_and_another_one_another():
    assert plan(7) == plan(7)
    assert plan(7) != plan(8)


@pytest.mark.parametrize("seconds", [75, 180, 600])
def test_the_end_is_quiet(seconds):
    for seed in SEEDS:
        last = max(entry.at_s for entry in plan(seed, seconds))
        assert last < seconds - max(15, 0.15 * seconds)


def test_nothing_is_hit_twice_at_a_time():
    for seed in SEEDS:
        for one, other in itertools.combinations(plan(seed), 2):
            if KINDS[one.fault].holds(one) & KINDS[other.fault].holds(other):
                assert one.end_s <= other.at_s + 0.01, f"seed {seed}: {one} and {other}"


def test_different_things_fail_at_the_same_time():
    overlapping = [(one, other) for one, other in itertools.pairwise(plan(1)) if other.at_s < one.end_s]
    assert len(overlapping) > 5


def test_a_long_run_sees_every_kind_and_a_short_one_most():
    assert {entry.fault for entry in plan(1, 600)} == set(KINDS)
    assert len({entry.fault for entry in plan(1, 75)}) > len(KINDS) / 2


def test_only_the_kinds_that_were_asked_for():
    some = {name: KINDS[name] for name in ("kill", "cut")}
    assert {entry.fault for entry in plan(3, kinds=some)} == {"kill", "cut"}


def test_targets_are_there():
    for seed in SEEDS:
        for entry in plan(seed, size=Size(1, 1)):
            assert entry.target not in ("worker-2", "ingress-2"), entry


def test_a_schedule_survives_its_file(tmp_path):
    path, about = tmp_path / "schedule.json", {"seed": 5, "minutes": 3.0, "events": 100, "workers": 2, "ingresses": 2}
    schedule.write(path, plan(5), about)
    assert schedule.read(path, KINDS) == (plan(5), about)


def test_a_file_with_an_unknown_fault_is_refused(tmp_path):
    path = tmp_path / "schedule.json"
    schedule.write(path, [schedule.Entry(1.0, "earthquake", "all", {}, 1.0)], {})
    with pytest.raises(ValueError, match="earthquake"):
        schedule.read(path, KINDS)
