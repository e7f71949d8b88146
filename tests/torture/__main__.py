"""./dev torture: load and faults together, then quiet, then the invariants. Exits 0 when all held, 1 when not."""

import argparse
import datetime
import os
import pathlib
import shutil
import signal
import sys
import threading
import time
import traceback

from kit.system import ROOT
from system.model.world import Policy

from . import schedule, shrink
from .check import check
from .faults import KINDS, Size, Storm
from .finding import Finding
from .fleet import INGRESSES_MAX, WORKERS_MAX, Fleet
from .load import Load
from .report import Report
from .settle import Eyes, is_settled, settle, tell

POLICY = Policy(grace_ms=3000, resume_on_payment=True)  # as torture.conf has it
SHORT = {"minutes": 1.25, "events": 6000, "seed": 1}
SETTLE_S = 240
SETTLE_EVENTS_PER_S = 200
TELL_EVERY_S = 5
TAKEN_MIN = 0.5  # of the events; what was broken for long refuses many
GLANCE_S = 1.0  # in the storm nobody waits for a broker
CLOUDS = {"hetzner": {"rate_limit": 0}, "github": {"rate_limit": 0}, "stripe": {"rate_limit_per_s": 0},
          "resend": {"rate_limit_per_s": 0}, "graph": {"rate_limit_per_s": 0},
          # a workflow's step goes on trying for as long as an outage takes
          "runner": {"callback_timeout_ms": 10_000, "callback_attempts": 60, "callback_retry_ms": 500}}
COUNTS = (
    ("decided: {}", "SELECT outcome, count(*) FROM sluice.events GROUP BY 1 ORDER BY 1"),
    ("jobs: {}", "SELECT kind || ' ' || status, count(*) FROM sluice.jobs GROUP BY 1 ORDER BY 1"),
    ("calls: {}", "SELECT cloud || ' ' || verdict, count(*) FROM sluice.job_calls GROUP BY 1 ORDER BY 1"),
    ("dead letters: {}", "SELECT stage || ', ' || cause, count(*) FROM sluice.dead_letters GROUP BY 1 ORDER BY 1"),
)


def say(line):
    print(line, file=sys.stderr, flush=True)


class Run:
    """One run of a schedule on a fleet of its own."""

    def __init__(self, options, folder):
        self._options, self._folder = options, folder
        self._seconds = options.minutes * 60

    def go(self, entries, impossible=None, keep=False):
        """Gives the Report. The fleet is down afterwards, unless it is kept."""
        options = self._options
        fleet = Fleet(self._folder, options.workers, options.ingresses)
        impossible = dict(impossible or {})
        if fleet.wal_disk.why_not:
            impossible["wal-full"] = fleet.wal_disk.why_not
        entries = [entry for entry in entries if entry.fault not in impossible]
        try:
            fleet.up()
            fleet.system.clouds().configure(**CLOUDS)
            return self._story(fleet, entries, impossible)
        finally:
            if keep:
                fleet.keep()
                say(f"left running: SLUICE_DEV_DIR={fleet.dev_dir} ./dev down stops it")
            else:
                fleet.down()

    def _story(self, fleet, entries, impossible):
        out_path = self._folder / "load.jsonl"
        load = Load(fleet.urls, fleet.env, self._options.seed, self._options.events, self._seconds, out_path)
        books = fleet.system.books()
        eyes = Eyes(fleet.env, books)
        storm = Storm(fleet, entries)
        findings = []
        load.start()
        storm.start()
        self._watch(load, storm, eyes)
        storm.end()
        say("heal")
        findings.append(self._heal(fleet))
        load.stop()
        limit_s = SETTLE_S + self._options.events / SETTLE_EVENTS_PER_S
        left, settled_s = settle(eyes, lambda: answered(load), limit_s)
        findings.append(settled(left, eyes))
        findings.append(taken(load.counts(), self._options.events))
        findings.append(Finding("nothing ended by itself", not fleet.ended, len(fleet.programs()) + 3,
                                [f"{at} s: {name} {why}: {' | '.join(lines)}" for at, name, why, lines in fleet.ended]))
        say("check")
        began = time.monotonic()
        findings += checked(fleet.env, out_path)
        counts = {**load.counts(), **counted(books), "settled after (s)": round(settled_s, 1),
                  "checked in (s)": round(time.monotonic() - began, 1)}
        eyes.close()
        books.close()
        return Report(self._about(), storm.records, counts, findings, impossible)

    def _watch(self, load, storm, eyes):
        """Until the time is over; tells what is being done and what is left."""
        pause, told, shown = threading.Event(), 0.0, 0
        while storm.now_s() < self._seconds:
            pause.wait(0.2)
            for record in storm.records[shown:]:
                say(f"  {record.entry}")
            shown = len(storm.records)
            if storm.now_s() - told >= TELL_EVERY_S:
                told = storm.now_s()
                left = None if storm.is_at("postgres", "kafka") else eyes.look(GLANCE_S)
                tell(sys.stderr, "storm ", told, answered(load), left)

    @staticmethod
    def _heal(fleet):
        try:
            fleet.heal()
        except AssertionError as error:
            return Finding("everything came back", False, len(fleet.base()), [str(error)])
        return Finding("everything came back", True, len(fleet.base()), [])

    def _about(self):
        options = self._options
        return {"seed": options.seed, "date": datetime.date.today().isoformat(), "minutes": options.minutes,
                "events": options.events, "workers": options.workers, "ingresses": options.ingresses}


def answered(load):
    return load.counts().get("accepted", 0)


def taken(counts, events):
    """A run in which hardly anything was taken shows nothing."""
    accepted = counts.get("accepted", 0)
    if accepted >= events * TAKEN_MIN:
        return Finding("the load was taken", True, accepted, [])
    return Finding("the load was taken", False, accepted, [f"{accepted} of {events} events were answered with 2xx"])


def settled(left, eyes):
    if is_settled(left):
        return Finding("all came to its end", True, left["decided"], [])
    return Finding("all came to its end", False, (left or {}).get("decided", 0),
                   [" ".join(f"{name}={value}" for name, value in (left or {"servers": "away"}).items()), *eyes.open_jobs()])


def checked(env, out_path):
    """The check's findings; one that breaks off has found something too: what ran before it is told all the same."""
    try:
        return check(env, out_path, POLICY)
    except Exception:
        return [Finding("the check came to its end", False, 0, traceback.format_exc().splitlines()[-12:])]


def counted(books):
    counts = {}
    for name, sql in COUNTS:
        for row in books.rows(sql):
            what, count = row.values()
            counts[name.format(what)] = count
    return counts


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev torture", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, help="of load and faults (3); settling and checking come on top")
    parser.add_argument("--events", type=int, help="that the senders have to say (30 a second)")
    parser.add_argument("--seed", type=int, help="of load and schedule (1)")
    parser.add_argument("--short", action="store_true", help=f"the form of ./dev test: {SHORT}")
    parser.add_argument("--workers", type=int, default=2, help=f"at rest, 1 to {WORKERS_MAX} (2)")
    parser.add_argument("--ingresses", type=int, default=2, help=f"at rest, 1 to {INGRESSES_MAX} (2)")
    parser.add_argument("--faults", help="only these kinds, comma-separated; none: the load alone\n" + kinds_text())
    parser.add_argument("--schedule", help="a file that an earlier run has written; its numbers count")
    parser.add_argument("--shrink-minutes", type=float, help="for finding a smaller schedule that fails (20; short: 0)")
    parser.add_argument("--keep", action="store_true", help="leave the system running at the end")
    parser.add_argument("--markdown", help="file to which the tables are added, as in docs/torture.md")
    parser.add_argument("--json", help="file for everything")
    parser.add_argument("--junit", help="file for a test report")
    options = parser.parse_args(arguments)
    defaults = {**SHORT, "shrink_minutes": 0.0} if options.short else {"minutes": 3.0, "seed": 1, "shrink_minutes": 20.0}
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    problem = complain(options)
    if problem:
        parser.error(problem)
    return options


def complain(options):
    if not 1 <= options.workers <= WORKERS_MAX or not 1 <= options.ingresses <= INGRESSES_MAX:
        return "there are 1 to 4 workers and ingresses"
    if options.minutes * 60 <= schedule.QUIET_MIN_S:
        return f"--minutes: at least {schedule.QUIET_MIN_S} s are without faults"
    unknown = set(kinds_chosen(options)) - set(KINDS)
    return f"there is no fault {', '.join(sorted(unknown))}" if unknown else None


def kinds_text():
    return "\n".join(f"  {name:<17} {kind.what}" for name, kind in KINDS.items())


def kinds_chosen(options):
    if options.faults is None:
        return list(KINDS)
    return [name for name in options.faults.split(",") if name and name != "none"]


def entries_of(options):
    """The schedule, and the numbers that it was made for where it comes from a file."""
    if options.schedule:
        entries, about = schedule.read(options.schedule, KINDS)
        for name in ("seed", "events", "minutes", "workers", "ingresses"):
            setattr(options, name, about[name])
        return entries
    kinds = {name: KINDS[name] for name in kinds_chosen(options)}
    if not kinds:
        return []
    return schedule.plan(options.seed, options.minutes * 60, kinds, Size(options.workers, options.ingresses))


def shrunk(options, folder, entries):
    """The smallest schedule that was seen to fail, in a file."""
    deadline = time.monotonic() + options.shrink_minutes * 60
    one_run_s = options.minutes * 60

    def fails(some):
        say(f"shrink: {len(some)} of {len(entries)} faults, {deadline - time.monotonic():.0f} s left")
        return not Run(options, folder).go(some).held

    few = shrink.shrink(entries, fails, lambda: time.monotonic() + one_run_s < deadline)
    path = folder / "shrunk.json"
    schedule.write(path, few, about_of(options))
    say(f"a schedule of {len(few)} faults that fails: ./dev torture --schedule {path}")
    for entry in few:
        say(f"  {entry}")


def about_of(options):
    return {name: getattr(options, name) for name in ("seed", "events", "minutes", "workers", "ingresses")}


def write_evidence(folder, report):
    """What was found, and the histories of those it is about: nothing is left of the system after a second run."""
    path = folder / "violations.json"
    report.write_json(path)
    shutil.copyfile(folder / "load.jsonl", folder / "load-violated.jsonl")
    say(f"what was found, with the histories: {path}")


def main(arguments):
    options = parse(arguments)
    if options.events is None:
        options.events = int(options.minutes * 60 * 30)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = pathlib.Path(os.environ.get("SLUICE_DEV_DIR", ROOT / ".dev" / "torture"))
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    entries = entries_of(options)
    schedule.write(folder / "schedule.json", entries, about_of(options))
    say(f"seed {options.seed}: {len(entries)} faults in {options.minutes} minutes, {options.events} events")
    report = Run(options, folder).go(entries, keep=options.keep)
    print(report.text(KINDS))
    if options.json:
        report.write_json(options.json)
    if options.junit:
        report.write_junit(options.junit, time.monotonic() - began)
    if options.markdown:
        with open(options.markdown, "a", encoding="utf-8") as file:
            file.write("\n" + report.markdown(KINDS))
    if not report.held:
        write_evidence(folder, report)
    if not report.held and options.shrink_minutes > 0 and len(entries) > 1 and not options.keep:
        shrunk(options, folder, entries)
    print(f"seed {options.seed}: {'all invariants held' if report.held else 'VIOLATED'}")
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
