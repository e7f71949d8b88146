"""Programs that end at a named point: started here, outside ./dev's care, so that the way they end can be seen.

Each worker is in a consumer group of its own: it doesn't wait for the session of one that was killed to run out, and a
zombie finds no group that keeps it from writing. Positions and fences in Postgres have to do that alone.
"""

import os
import pathlib
import re
import signal
import subprocess
import urllib.parse
import uuid

import confluent_kafka
from kit.system import ROOT, load_env
from kit.verdict import disagreements
from kit.wait import until

EVENTS = "sluice.events.v1"
OUTCOMES = "sluice.outcomes.v1"
END_TIMEOUT_S = 60
FASTER = {"SLUICE_WORKER_LEASE": "1500ms", "SLUICE_WORKER_SWEEP_INTERVAL": "100ms", "SLUICE_WORKER_POLL_INTERVAL": "50ms"}


def points():
    """{name: what it means} of common/fault_points.inc."""
    text = (ROOT / "common" / "fault_points.inc").read_text(encoding="utf-8")
    return dict(re.findall(r'^FAULT\("([^"]+)", "([^"]+)"\)', text, re.MULTILINE))


class Program:
    """One process, with what it wrote and which points it passed."""

    def __init__(self, bench, name, arguments, variables, fault):
        self.folder = bench.folder / f"{bench.count}"
        bench.count += 1
        self.folder.mkdir(parents=True)
        environment = {**bench.variables, **variables, "SLUICE_FAULT_LOG": str(self.folder / "points")}
        if fault:
            environment["SLUICE_FAULT"] = fault
        program = ROOT / "build" / bench.preset / "bin" / name
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen([program, *arguments], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=subprocess.STDOUT)

    def log(self):
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def passed(self):
        path = self.folder / "points"
        return path.read_text(encoding="ascii").splitlines() if path.exists() else []

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def ended(self):
        """Waits for the end, and gives the status as a shell would not: -9 for SIGKILL."""
        try:
            return self.process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            last = [line for line in self.log().splitlines() if "level=debug" not in line][-15:]
            raise AssertionError(f"it still runs; it passed {sorted(set(self.passed()))}; it says\n" +
                                 "\n".join(last)) from None

    def died_at(self, point):
        """Asserts that it killed itself at the point."""
        assert self.ended() == -signal.SIGKILL, f"{self.process.returncode}: {self.log()[-3000:]}"
        assert f"{point} kill" in self.passed()  # another thread may have passed a point before the signal came

    def stopped_at(self, point):
        """Waits until it has stopped itself at the point."""
        def probe():
            assert self.process.poll() is None, self.log()[-3000:]
            stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
            return stat.rpartition(")")[2].split()[0] == "T"
        until(probe, f"a stop at {point}", END_TIMEOUT_S)
        assert f"{point} stop" in self.passed()


class Bench:
    def __init__(self, world, folder):
        self.world = world
        self.books = world.books
        self.clouds = world.clouds
        self.folder = folder
        self.count = 0
        self.preset = world.system.env["SLUICE_PRESET"]
        self.variables = {**os.environ, **load_env(world.system.dev_dir / "run" / "programs"), **FASTER}
        self.variables.update(ASAN_OPTIONS="halt_on_error=1:abort_on_error=1:detect_leaks=1",
                              UBSAN_OPTIONS="halt_on_error=1:abort_on_error=1:print_stacktrace=1")
        self.programs = []
        self.well = None  # the worker that has no fault
        self.told = {}  # event id: how many outcomes
        settings = {"bootstrap.servers": world.system.env["KAFKA_BROKERS"], "group.id": f"crash-{uuid.uuid4()}",
                    "enable.auto.commit": False}
        self.consumer = confluent_kafka.Consumer(settings)
        self.asker = confluent_kafka.Consumer(settings)  # the other one's connection is busy with fetches that wait
        self.consumer.assign([confluent_kafka.TopicPartition(OUTCOMES, number, self.end_of(OUTCOMES, number))
                              for number in self.partitions(OUTCOMES)])

    def partitions(self, topic):
        return list(self.asker.list_topics(topic, timeout=20).topics[topic].partitions)

    def end_of(self, topic, number):
        return self.asker.get_watermark_offsets(confluent_kafka.TopicPartition(topic, number), timeout=20)[1]

    def listen(self):
        for message in self.consumer.consume(500, timeout=0.01):
            assert not message.error(), message.error()
            event_id = dict(message.headers() or [])["ce_id"].decode()
            self.told[event_id] = self.told.get(event_id, 0) + 1

    def start(self, name, *arguments, fault=None, **variables):
        options = ["--config", str(ROOT / "deploy" / "sluice.conf")]
        program = Program(self, name, [*options, *arguments], variables, fault)
        self.programs.append(program)
        return program

    def worker(self, fault=None):
        return self.start("sluice-worker", fault=fault, SLUICE_WORKER_GROUP=f"crash-{uuid.uuid4()}",
                          SLUICE_WORKER_ADMIN_LISTEN="127.0.0.1:0")

    def ingress(self, fault=None):
        """On the system's own port, whose ingress is not running."""
        where = urllib.parse.urlsplit(self.world.system.env["SLUICE_INGRESS_URL"]).netloc
        return self.start("sluice-ingress", fault=fault, SLUICE_INGRESS_LISTEN=where)

    def be_well(self):
        """A worker without a fault runs."""
        if self.well is None or self.well.process.poll() is not None:
            self.well = self.worker()
        return self.well

    def be_alone(self):
        """No worker runs."""
        if self.well:
            self.well.kill()
            self.well = None

    def close(self):
        for program in self.programs:
            if program.process.poll() is None:
                program.process.send_signal(signal.SIGCONT)
                program.kill()
        self.consumer.close()
        self.asker.close()

    def hurry(self):
        """Lets ten seconds pass for what a crash left in the outbox: a sweep leaves younger rows to their worker."""
        self.books.rows("UPDATE sluice.outbox SET created_at = created_at - interval '10 seconds' RETURNING id")

    # What holds after each crash.

    def at_rest(self, users):
        """Waits until nothing of the users is under way, all is published and every position is at the log's end."""
        until(lambda: self.books.value("SELECT count(*) FROM sluice.jobs WHERE user_id = ANY(%s) AND status IN"
                                       " ('queued', 'running', 'waiting')", users) == 0, "no job to be open", END_TIMEOUT_S)
        until(lambda: self.books.value("SELECT count(*) FROM sluice.outbox") == 0, "the outbox to be empty", END_TIMEOUT_S)
        until(self.at_the_end, "positions to be at the log's end", END_TIMEOUT_S)

    def at_the_end(self):
        rows = self.books.rows("SELECT partition, next_offset, published_offset FROM sluice.offsets WHERE topic = %s",
                               EVENTS)
        at = {row["partition"]: (row["next_offset"], row["published_offset"]) for row in rows}
        for number in self.partitions(EVENTS):
            end = self.end_of(EVENTS, number)
            if at.get(number, (0, 0)) != (end, end):
                return False
        return True

    def holds(self, users, events):
        """The invariants, of these users and of these events, which were answered 2xx."""
        self.at_rest(users)
        for event_id in events:
            assert self.books.value("SELECT count(*) FROM sluice.events WHERE id = %s", event_id) == 1
            until(lambda event_id=event_id: self.listen() or event_id in self.told, f"the outcome of {event_id}")
        twice = self.books.rows(
            "SELECT e.id, a.action, a.target FROM sluice.events e JOIN sluice.audit_log a ON a.event_id = e.id"
            " WHERE e.user_id = ANY(%s) GROUP BY e.id, a.action, a.target, a.rule HAVING count(*) > 1", users)
        assert twice == [], "decided twice"
        leases = self.books.rows("SELECT id FROM sluice.jobs WHERE user_id = ANY(%s) AND lease_until IS NOT NULL", users)
        assert leases == [], "leases of jobs that have ended"
        assert disagreements(self.books, self.clouds, users) == []
