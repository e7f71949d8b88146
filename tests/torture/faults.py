"""The kinds of failure: each is drawn by the schedule, made, and undone after its time.

A kind is one row of KINDS and one function: a context manager that breaks something, yields how much it hit (a number, or a
function that says it at the end), and mends it. What stays broken longer than its time is mended by Fleet.heal().
"""

import contextlib
import dataclasses
import os
import signal
import threading
import time

import psycopg
from kit.wait import until

from .fleet import CLOUDS, INGRESSES_MAX, WORKERS_MAX, ingress_name

CLAIM_WAIT_S = 15
WAL_SEGMENTS = 100  # more than the disk could hold


@dataclasses.dataclass(frozen=True)
class Kind:
    """`holds` gives the names that nothing else may touch meanwhile; `weight` is how often it is in the deck."""

    what: str
    make: object
    target: object
    seconds: tuple
    parameters: object = lambda rng, size: {}
    holds: object = lambda entry: {entry.target}
    weight: int = 1
    rest_s: float = 2
    unit: str = "times"


@dataclasses.dataclass
class Size:
    """What there is at rest."""

    workers: int
    ingresses: int


@dataclasses.dataclass
class Record:
    """What came of an entry; times in seconds since the start."""

    entry: object
    began_s: float = 0.0
    ended_s: float = 0.0
    hits: int = 0
    problem: str = ""


# Targets.

def a_program(rng, size):
    return rng.choice([a_worker(rng, size), a_worker(rng, size), an_ingress(rng, size), "console"])


def a_worker(rng, size):
    return f"worker-{rng.randint(1, size.workers)}"


def an_ingress(rng, size):
    return ingress_name(rng.randint(1, size.ingresses))


def a_way(rng, size):
    """A proxy, or all those to one server."""
    program = rng.choice([a_worker(rng, size), a_worker(rng, size), an_ingress(rng, size), "*"])
    if program.startswith("ingress"):
        return f"{program}/kafka"
    return f"{program}/{rng.choice(('kafka', 'kafka', 'postgres', 'postgres', rng.choice(CLOUDS)))}"


def a_cloud(rng, _size):
    return rng.choice(CLOUDS)


def always(name):
    return lambda rng, size: name


# Processes.

@contextlib.contextmanager
def kill(fleet, entry):
    fleet.kill(entry.target)
    yield 1
    fleet.start(entry.target)
    come_back(fleet, entry.target)


@contextlib.contextmanager
def restart(fleet, entry):
    fleet.stop(entry.target)
    yield 1
    fleet.start(entry.target)
    come_back(fleet, entry.target)


def come_back(fleet, name):
    """A server is hit again only after it has answered: one that never gets up is no storm. Programs are hit anyhow."""
    if name in ("kafka", "postgres"):
        fleet.ready(name)


@contextlib.contextmanager
def pause(fleet, entry):
    fleet.signal(entry.target, signal.SIGSTOP)
    try:
        yield 1
    finally:
        fleet.signal(entry.target, signal.SIGCONT)


@contextlib.contextmanager
def numbers(fleet, entry):
    """So many instances instead of the usual number; they come and go by SIGTERM or SIGKILL."""
    base, many, name_of = ((fleet.workers, WORKERS_MAX, "worker-{}".format) if entry.target == "workers"
                           else (fleet.ingresses, INGRESSES_MAX, ingress_name))
    names = [name_of(number) for number in range(1, many + 1)]
    leave = fleet.kill if entry.parameters["kill"] else fleet.stop
    count = entry.parameters["count"]
    for name in names[count:base]:
        leave(name)
    for name in names[base:count]:
        fleet.start(name)
    yield abs(count - base)
    for name in names[base:count]:
        leave(name)
    for name in names[count:base]:
        fleet.start(name)


@contextlib.contextmanager
def rolling(fleet, entry):
    """An upgrade: one after another is drained and started again."""
    names = [name for name in fleet.base() if name.startswith("worker" if entry.target == "workers" else "ingress")]
    for name in names:
        fleet.stop(name)
        fleet.start(name)
        with contextlib.suppress(AssertionError):
            fleet.ready(name, 20)
    yield len(names)


def numbers_hold(entry):
    many, name_of = (WORKERS_MAX, "worker-{}".format) if entry.target == "workers" else (INGRESSES_MAX, ingress_name)
    return {name_of(number) for number in range(1, many + 1)} | {entry.target}


def how_many(rng, size):
    return {"count": rng.choice([count for count in range(1, 5) if count != size.workers]), "kill": rng.random() < 0.5}


# The database.

@contextlib.contextmanager
def terminate(fleet, entry):
    """pg_terminate_backend of random sessions, again and again."""
    count = 0
    with contextlib.suppress(psycopg.OperationalError):
        with fleet.admin() as connection:
            for _ in range(entry.parameters["rounds"]):
                rows = connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                    " AND datname = current_database() AND application_name <> 'torture'"
                    " ORDER BY random() LIMIT %s) AS chosen", (entry.parameters["sessions"],)).fetchall()
                count += len(rows)
                time.sleep(entry.parameters["gap_s"])
    yield count


@contextlib.contextmanager
def backend_kill(fleet, entry):
    """SIGKILL of one session's process: the postmaster ends all the others and recovers."""
    count = 0
    with contextlib.suppress(psycopg.OperationalError, OSError):
        with fleet.admin() as connection:
            row = connection.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                                     " AND datname = current_database() ORDER BY random() LIMIT 1").fetchone()
        if row:
            os.kill(row[0], signal.SIGKILL)
            count = 1
    yield count


@contextlib.contextmanager
def wal_full(fleet, _entry):
    """No byte is left for the WAL: Postgres gives up at its next segment. Then there is room again."""
    fleet.release("postgres")
    taken = fleet.wal_disk.fill()
    with contextlib.suppress(psycopg.OperationalError):
        with fleet.admin() as connection:
            for _ in range(WAL_SEGMENTS):
                # the load alone would take its time to use up the segment that is there
                connection.execute("SELECT pg_logical_emit_message(true, 'torture', 'x'), pg_switch_wal()")
    yield taken
    fleet.wal_disk.free()
    until(lambda: answers(fleet), "Postgres to come back from a full disk", 60)
    fleet.start("postgres")


def answers(fleet):
    """Whether Postgres takes sessions; one that has ended is started."""
    if not fleet.is_alive("postgres"):
        fleet.system.dev("start", "--no-wait", "postgres", check=False)
    return fleet.is_ready("postgres")


# The ways between.

@contextlib.contextmanager
def cut(fleet, entry):
    count = 0
    for _ in range(entry.parameters["rounds"]):
        count += fleet.proxies.order(entry.target, "cut")["cut"]
        time.sleep(entry.parameters["gap_s"])
    yield count


@contextlib.contextmanager
def refuse(fleet, entry):
    answer = fleet.proxies.order(entry.target, "refuse")
    yield answer["links"]
    fleet.proxies.order(entry.target, "heal")


@contextlib.contextmanager
def delay(fleet, entry):
    answer = fleet.proxies.order(entry.target, "delay", **entry.parameters)
    yield answer["links"]
    fleet.proxies.order(entry.target, "heal")


@contextlib.contextmanager
def slow(fleet, entry):
    answer = fleet.proxies.order(entry.target, "slow", **entry.parameters)
    yield answer["links"]
    fleet.proxies.order(entry.target, "heal")


@contextlib.contextmanager
def blackhole(fleet, entry):
    answer = fleet.proxies.order(entry.target, "stall")
    yield answer["links"]
    fleet.proxies.order(entry.target, "heal", cut=entry.parameters["cut"])


def rounds(rng, _size):
    return {"rounds": rng.randint(1, 4), "gap_s": round(rng.uniform(0.1, 0.8), 2)}


def ways_held(entry):
    """A glob of all workers' ways holds each of them."""
    program, _, server = entry.target.partition("/")
    if program != "*":
        return {f"way {program}/{server}"}
    names = [ingress_name(number) for number in range(1, INGRESSES_MAX + 1)] + ["console"]
    names += [f"worker-{number}" for number in range(1, WORKERS_MAX + 1)]
    return {f"way {name}/{server}" for name in names}


# The clouds.

def cloud_fault(kind, rates=(0.3, 1.0), **more):
    """Makes a maker: a fault of the simulation's own, on some or all requests, for the entry's time."""

    @contextlib.contextmanager
    def make(fleet, entry):
        clouds = fleet.system.clouds()
        fault = clouds.fault(entry.target, kind, times=-1, rate=entry.parameters.get("rate", 1), **more)
        struck = []
        yield lambda: sum(struck)
        struck.append(clouds.remove_fault(fault["id"]))

    return make, lambda rng, size: {"rate": round(rng.uniform(*rates), 2)}


@contextlib.contextmanager
def cloud_down(fleet, entry):
    clouds = fleet.system.clouds()
    fault = clouds.fault(entry.target, "down")
    yield 1
    clouds.remove_fault(fault["id"])


@contextlib.contextmanager
def bad_runs(fleet, entry):
    """The next workflow runs go wrong."""
    fleet.system.clouds().plan(entry.parameters["outcome"], times=entry.parameters["times"])
    yield entry.parameters["times"]


OUTCOMES = ("duplicate_run", "complete_twice", "fail_before_server", "fail_after_server", "silent_after_claim",
            "silent_after_server", "never_claim", "fail_silently", "startup_failure")


def an_outcome(rng, _size):
    return {"outcome": rng.choice(OUTCOMES), "times": rng.randint(1, 3)}


def of_cloud(entry):
    return {f"cloud {entry.target}"}


def cloud_kind(what, kind, seconds, rates=(0.3, 1.0), **more):
    make, parameters = cloud_fault(kind, rates, **more)
    return Kind(what, make, a_cloud, seconds, parameters, of_cloud, rest_s=0, unit="requests")


BROKER, DATABASE = always("kafka"), always("postgres")
AT_ONCE = (0.0, 2.0)

KINDS = {
    "kill": Kind("kill -9 of a program, started again", kill, a_program, (0.0, 4.0), weight=4),
    "restart": Kind("SIGTERM of a program, started again", restart, a_program, AT_ONCE, weight=2),
    "rolling": Kind("rolling restart of all workers or ingresses", rolling,
                    lambda rng, size: rng.choice(("workers", "ingresses")), (0.0, 0.1), holds=numbers_hold, rest_s=8),
    "numbers": Kind("other numbers of workers or ingresses", numbers,
                    lambda rng, size: rng.choice(("workers", "ingresses")), (3.0, 12.0), how_many, numbers_hold, 2),
    "pause": Kind("SIGSTOP of a program past lease and session, SIGCONT", pause, a_program, (7.0, 14.0), weight=2),
    "blink": Kind("SIGSTOP of a program for a moment, SIGCONT", pause, a_program, (0.5, 3.0)),
    "broker-stop": Kind("stop and start of the broker", restart, BROKER, (0.0, 5.0), rest_s=12),
    "broker-kill": Kind("kill -9 and start of the broker", kill, BROKER, (0.0, 5.0), rest_s=12),
    "broker-pause": Kind("SIGSTOP of the broker, SIGCONT", pause, BROKER, (3.0, 10.0), rest_s=5),
    "sessions": Kind("pg_terminate_backend of random sessions", terminate, DATABASE, (0.0, 0.1),
                     lambda rng, size: {**rounds(rng, size), "sessions": rng.randint(1, 8)}, weight=2, unit="sessions"),
    "backend-kill": Kind("kill -9 of one of Postgres' sessions: crash recovery", backend_kill, DATABASE, AT_ONCE, rest_s=5),
    "postmaster-kill": Kind("kill -9 of Postgres, started again", kill, DATABASE, (0.0, 5.0), rest_s=8),
    "postgres-stop": Kind("stop and start of Postgres", restart, DATABASE, (0.0, 3.0), rest_s=8),
    "wal-full": Kind("the disk of Postgres' WAL is full, then has room again", wal_full, DATABASE, (2.0, 6.0), rest_s=10,
                     unit="MiB taken"),
    "cut": Kind("connections reset on their way", cut, a_way, (0.0, 0.1), rounds, ways_held, 3, 1, "connections"),
    "refuse": Kind("connections refused on their way", refuse, a_way, (1.0, 6.0), holds=ways_held, unit="ways"),
    "delay": Kind("a way delayed, with jitter", delay, a_way, (4.0, 12.0),
                  lambda rng, size: {"ms": rng.randint(20, 800), "jitter_ms": rng.randint(5, 20)}, ways_held, 2, unit="ways"),
    "slow": Kind("a narrow way", slow, a_way, (4.0, 10.0),
                 lambda rng, size: {"bytes_per_s": rng.choice((4000, 20_000, 100_000))}, ways_held, unit="ways"),
    "blackhole": Kind("a half-open way: nothing comes, nothing is refused", blackhole, a_way, (3.0, 15.0),
                      lambda rng, size: {"cut": rng.random() < 0.5}, ways_held, 2, unit="ways"),
    "callbacks-cut": Kind("callbacks and hooks reset on their way to ingress", cut, always("public"), (0.0, 0.1), rounds,
                          ways_held, 1, 1, "connections"),
    "cloud-fail": cloud_kind("a cloud answers 500", "status", (2.0, 8.0), status=500),
    "cloud-html": cloud_kind("a cloud answers 502 and a page", "html_error", (2.0, 8.0)),
    "cloud-limit": cloud_kind("a cloud limits the rate", "rate_limited", (2.0, 6.0)),
    "cloud-hang": cloud_kind("a cloud never answers", "hang", (2.0, 8.0), (0.2, 0.8)),
    "cloud-lose": cloud_kind("a cloud does it and loses the answer", "lose_answer", (3.0, 10.0), (0.2, 0.7)),
    "cloud-hang-after": cloud_kind("a cloud does it and never answers", "hang_after", (3.0, 10.0), (0.2, 0.6)),
    "cloud-half": cloud_kind("a cloud does it and answers half", "half_answer", (3.0, 10.0), (0.2, 0.7)),
    "cloud-slow": cloud_kind("a cloud is slow", "delay", (3.0, 10.0), ms=1500),
    "cloud-reset": cloud_kind("a cloud resets connections", "reset", (2.0, 8.0)),
    "cloud-down": Kind("a cloud refuses connections", cloud_down, a_cloud, (2.0, 8.0), holds=of_cloud, rest_s=0),
    "runs": Kind("workflow runs that go wrong", bad_runs, always("github"), (0.0, 0.1), an_outcome,
                 lambda entry: {"runs"}, 2, 0, "runs"),
}


class Storm:
    """Carries a schedule out: each entry in a thread of its own, from its time on."""

    def __init__(self, fleet, entries, kinds=None):
        self._fleet, self._entries, self._kinds = fleet, entries, kinds or KINDS
        self._calm = threading.Event()
        self._free = threading.Condition()
        self._held = set()
        self._threads = []
        self._director = threading.Thread(target=self._direct, daemon=True)
        self._began = 0.0
        self.records = []

    def start(self):
        self._began = time.monotonic()
        self._director.start()

    def end(self):
        """What is under way is undone now, what is to come isn't made."""
        self._calm.set()
        self._director.join()
        for thread in self._threads:
            thread.join()

    def wait(self):
        """Until the last entry is over."""
        self._director.join()
        for thread in self._threads:
            thread.join()

    def is_at(self, *names):
        """Whether something of these is being broken or mended just now."""
        with self._free:
            return bool(self._held & set(names))

    def now_s(self):
        return round(time.monotonic() - self._began, 2)

    def _direct(self):
        for entry in self._entries:
            if self._calm.wait(max(0.0, entry.at_s - (time.monotonic() - self._began))):
                return
            record = Record(entry)
            self.records.append(record)
            thread = threading.Thread(target=self._carry_out, args=(record,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry_out(self, record):
        entry = record.entry
        kind = self._kinds[entry.fault]
        names = kind.holds(entry)
        with self._free:
            if not self._free.wait_for(lambda: not names & self._held, CLAIM_WAIT_S):
                record.problem = "passed over: what it wanted was still being mended"
                return
            self._held |= names
        record.began_s = self.now_s()
        try:
            with kind.make(self._fleet, entry) as hits:
                self._calm.wait(entry.duration_s)
            record.hits = hits() if callable(hits) else hits
        except Exception as error:  # whatever it is belongs into the table; the run goes on, and heal() mends
            record.problem = f"{type(error).__name__}: {error}".splitlines()[0]
        finally:
            record.ended_s = self.now_s()
            with self._free:
                self._held -= names
                self._free.notify_all()
