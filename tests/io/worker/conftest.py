"""A bench for sluice-worker: real Postgres and Kafka (DATABASE_URL, KAFKA_BROKERS), no ingress, no clouds.

Events are produced the way ingress does it. Every test has users and customers of its own; the database's other rows
stay.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import uuid

import psycopg
import pytest
import requests
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from kit import stripe_events
from kit.wait import until

ROOT = pathlib.Path(__file__).resolve().parents[3]
EVENTS = "sluice.events.v1"
START_TIMEOUT_S = 60


def programs():
    """The folder of the built programs."""
    return pathlib.Path(os.environ.get("SLUICE_BIN", ROOT / "build" / os.environ.get("SLUICE_PRESET", "asan") / "bin"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Worker:
    """One sluice-worker process."""

    program = "sluice-worker"

    def __init__(self, log_path, **settings):
        self.port = free_port()
        environment = {
            name: value for name, value in os.environ.items()
            if not name.startswith(("GITHUB_", "HCLOUD_", "TAILSCALE_", "SLUICE_"))
        }
        environment.update(SLUICE_WORKER_ADMIN_LISTEN=f"127.0.0.1:{self.port}", SLUICE_LOG_LEVEL="debug",
                           SLUICE_WORKER_SWEEP_INTERVAL="50ms", STRIPE_PRICE_UNLIMITED="price_unlimited",
                           ASAN_OPTIONS="halt_on_error=1:abort_on_error=1:detect_leaks=1"
                                        ":detect_stack_use_after_return=1:strict_string_checks=1",
                           UBSAN_OPTIONS="halt_on_error=1:abort_on_error=1:print_stacktrace=1")
        environment.update({name: str(value) for name, value in settings.items()})
        self.log_path = log_path
        with open(log_path, "ab") as log:
            self.process = subprocess.Popen([programs() / self.program], cwd=ROOT, env=environment, stderr=log,
                                            stdin=subprocess.DEVNULL)

    def ready(self):
        def probe():
            assert self.process.poll() is None, self.log()[-4000:]
            try:
                return requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=2).status_code == 200
            except requests.RequestException:
                return False
        until(probe, "the worker to be ready", START_TIMEOUT_S)
        return self

    def log(self):
        return pathlib.Path(self.log_path).read_text(encoding="utf-8", errors="replace")

    def metric(self, name):
        """The sum over a family's series whose line begins with `name`."""
        lines = requests.get(f"http://127.0.0.1:{self.port}/metrics", timeout=5).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def signal(self, number):
        self.process.send_signal(number)

    def drain(self):
        """SIGTERM; gives the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


class Bench:
    def __init__(self, tmp_path):
        self.tmp_path = tmp_path
        self.workers = []
        self.brokers = os.environ["KAFKA_BROKERS"]
        self.producer = Producer({"bootstrap.servers": self.brokers, "enable.idempotence": True, "linger.ms": 5})

    def worker(self, group=None, **settings):
        """A worker in a consumer group of its own, so that it doesn't wait for the session of one that was killed before
        to run out: positions stand in Postgres, whatever the group."""
        settings["SLUICE_WORKER_GROUP"] = group or f"worker-{uuid.uuid4()}"
        worker = Worker(self.tmp_path / f"worker-{len(self.workers)}.log", **settings)
        self.workers.append(worker)
        return worker.ready()

    def stop(self):
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.send_signal(signal.SIGCONT)
                worker.kill()

    def connect(self, **more):
        return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, **more)

    def rows(self, sql, *parameters):
        with self.connect() as connection:
            cursor = connection.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    def value(self, sql, *parameters):
        rows = self.rows(sql, *parameters)
        return rows[0][0] if rows else None

    def produce(self, key, headers, body):
        self.producer.produce(EVENTS, key=key, value=body, headers=headers)
        self.producer.poll(0)

    def flush(self):
        assert self.producer.flush(30) == 0

    def send(self, ce_type, source, key, body, event_id=None, **headers):
        """One event; gives its id."""
        event_id = event_id or str(uuid.uuid4())
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        names = {"content-type": "application/json", "ce_specversion": "1.0", "ce_id": event_id, "ce_source": source,
                 "ce_type": ce_type, "ce_time": moment, "ce_partitionkey": key,
                 **{name.replace("_", "-"): value for name, value in headers.items()}}
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.produce(key, [(name, value.encode()) for name, value in names.items()], text)
        return event_id

    def stripe(self, event_type, obj, key, **more):
        event = stripe_events.event(event_type, obj, **{k: more.pop(k) for k in ("created", "event_id") if k in more})
        return self.send("stripe." + event_type, "/webhooks/stripe", key, event, event["id"], **more)

    def command(self, command_type, user, event_id=None, headers=None, **data):
        body = {"type": command_type, "timestamp": "2026-11-21T10:00:00Z", "data": {**data, "user_id": user},
                "actor": {"user_id": user, "email": f"{user}@example.org", "role": "user"}}
        return self.send("command." + command_type, "/api", user, body, event_id, **(headers or {}))

    def callback(self, status, job_id, run_id, key, **more):
        body = {"job_id": job_id, "status": status, "run_id": run_id, "timestamp": int(time.time()), **more}
        return self.send("callback." + status, "/webhooks/github/callback", key, body)

    def user(self):
        mark = uuid.uuid4().hex[:12]
        return f"user-{mark}", f"cus_{mark}"

    def poison(self):
        """A subscription's id that this database refuses, as only the database can know."""
        self.rows("DO $$ BEGIN ALTER TABLE sluice.subscriptions ADD CONSTRAINT no_poison"
                  " CHECK (position('sub_poison' IN id) = 0); EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        return f"sub_poison{uuid.uuid4().hex}"

    def outcome(self, event_id, expected=None, timeout_s=30):
        """Waits for the event's row (in the expected outcome) and gives (outcome, error_code, rule)."""
        def probe():
            rows = self.rows("SELECT outcome, error_code, rule FROM sluice.events WHERE id = %s", event_id)
            return rows and (expected is None or rows[0][0] == expected) and rows[0]
        return until(probe, f"event {event_id} to be {expected or 'decided'}", timeout_s)

    def decided(self, event_ids, timeout_s=60):
        """Waits until each of the ids has a row."""
        wanted = list(event_ids)
        until(lambda: self.value("SELECT count(*) FROM sluice.events WHERE id = ANY(%s)", wanted) == len(wanted),
              f"{len(wanted)} events to be decided", timeout_s)

    def caught_up(self):
        """Waits until every position is at the log's end, published too."""
        def probe():
            ends = self.ends(EVENTS)
            rows = self.rows("SELECT partition, next_offset, published_offset FROM sluice.offsets WHERE topic = %s",
                             EVENTS)
            at = {partition: (following, published) for partition, following, published in rows}
            return all(at.get(p) == (end, end) or (end == 0 and p not in at) for p, end in ends.items())
        until(probe, "all positions to be at the end", 60)

    def ends(self, topic):
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": "bench-ends"})
        try:
            return until(lambda: self.ends_now(consumer, topic), f"the partitions of {topic} and their leaders")
        finally:
            consumer.close()

    @staticmethod
    def ends_now(consumer, topic):
        """None while a topic that was made a moment ago has no partitions to show, or no leaders."""
        try:
            partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
            return {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1] for p in partitions}
        except KafkaException as failure:
            if not failure.args[0].retriable() and failure.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION:
                raise
            return None

    def messages(self, topic, since, wanted=None, timeout_s=30):
        """What came to the topic since `since` (from ends()): until `wanted(messages)`, or what is there now."""
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": "bench-read", "enable.auto.commit": False})
        found = []
        try:
            consumer.assign([TopicPartition(topic, p, offset) for p, offset in since.items()])
            def probe():
                for message in consumer.consume(500, timeout=0.05):
                    assert not message.error(), message.error()
                    found.append(message)
                if wanted:
                    return wanted(found)
                at = {p.partition: p.offset for p in consumer.position(consumer.assignment())}
                return all(at[p] >= end or (at[p] < 0 and since[p] >= end) for p, end in self.ends(topic).items())
            until(probe, f"messages of {topic}", timeout_s)
            return found
        finally:
            consumer.close()


def header(message, name):
    return dict(message.headers() or []).get(name, b"").decode()


@pytest.fixture(scope="session", autouse=True)
def schema():
    for command in (["migrate"], ["topics", "create"]):
        subprocess.run([programs() / "sluicectl", *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.stop()
    for worker in bench.workers:
        for sign in ("AddressSanitizer", "runtime error:", "LeakSanitizer", "assertion"):
            assert sign not in worker.log(), worker.log()[-6000:]
