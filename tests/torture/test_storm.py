"""The storm carries its schedule out: in time, apart where two want the same, and undone at its end."""

import contextlib
import threading

from .faults import Kind, Storm
from .schedule import Entry

DEADLINE_S = 10


class Stage:
    """A kind of fault that writes down what happens, in place of a fleet."""

    def __init__(self):
        self.lines = []
        self.broken = threading.Event()

    def kinds(self, **more):
        return {"break": Kind("breaks it", self._make, None, (0, 0), **more)}

    @contextlib.contextmanager
    def _make(self, _fleet, entry):
        self.lines.append(f"break {entry.target}")
        self.broken.set()
        if entry.parameters.get("fails"):
            raise OSError("no such thing")
        yield lambda: 3
        self.lines.append(f"mend {entry.target}")


def run(stage, entries, **more):
    storm = Storm(None, entries, stage.kinds(**more))
    storm.start()
    return storm


def test_what_was_broken_is_mended_and_counted():
    stage = Stage()
    storm = run(stage, [Entry(0.0, "break", "a", {}, 0.05)])
    storm.wait()
    assert stage.lines == ["break a", "mend a"]
    record, = storm.records
    assert record.hits == 3 and record.problem == "" and record.ended_s >= record.began_s + 0.05


def test_two_that_want_the_same_wait_for_each_other():
    stage = Stage()
    run(stage, [Entry(0.0, "break", "a", {}, 0.1), Entry(0.02, "break", "a", {}, 0.0)]).wait()
    assert stage.lines == ["break a", "mend a", "break a", "mend a"]


def test_two_that_want_different_things_do_not():
    stage = Stage()
    run(stage, [Entry(0.0, "break", "a", {}, 0.5), Entry(0.02, "break", "b", {}, 0.0)]).wait()
    assert stage.lines == ["break a", "break b", "mend b", "mend a"]


def test_the_end_undoes_what_is_under_way_and_makes_nothing_more():
    stage = Stage()
    storm = run(stage, [Entry(0.0, "break", "a", {}, 3600.0), Entry(3600.0, "break", "b", {}, 1.0)])
    assert stage.broken.wait(DEADLINE_S) and storm.is_at("a")
    storm.end()
    assert stage.lines == ["break a", "mend a"] and not storm.is_at("a")


def test_a_fault_that_cannot_be_made_is_told_and_lets_go():
    stage = Stage()
    storm = run(stage, [Entry(0.0, "break", "a", {"fails": True}, 0.0), Entry(0.05, "break", "a", {}, 0.0)])
    storm.wait()
    assert [record.problem for record in storm.records] == ["OSError: no such thing", ""]
    assert stage.lines == ["break a", "break a", "mend a"]
