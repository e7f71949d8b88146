"""Waiting, after the faults, until all that can end has ended: nothing left in the log, no open job, nothing in the outbox."""

import sys
import threading
import time

import confluent_kafka
import psycopg
from kit.log import READ_TIMEOUT_S, partitions_of

TOPIC = "sluice.events.v1"
PAUSE_S = 0.5
TELL_EVERY_S = 5
QUIET_LOOKS = 3  # in a row: a decision may make a job, a job an event
NEAR_S = 60  # timers that are due within it are waited for

LEFT = """
SELECT (SELECT count(*) FROM sluice.events) AS decided,
       (SELECT count(*) FROM sluice.jobs WHERE status IN ('queued', 'running', 'waiting')) AS jobs,
       (SELECT count(*) FROM sluice.outbox) AS outbox,
       (SELECT count(*) FROM sluice.timers WHERE fired_at IS NULL AND cancelled_at IS NULL
           AND due_at < now() + make_interval(secs => %s)) AS timers,
       (SELECT count(*) FROM sluice.held_events h WHERE released_at IS NULL AND NOT EXISTS (
           SELECT FROM sluice.dead_letters d WHERE d.user_id = h.user_id AND d.status = 'open'
              AND d.stage IN ('decide', 'commit'))) AS held,
       (SELECT count(*) FROM sluice.parked_events) AS parked,
       (SELECT count(*) FROM sluice.dead_letters WHERE status = 'open') AS letters,
       (SELECT coalesce(sum(next_offset), 0) FROM sluice.offsets WHERE topic = %s) AS next_offset,
       (SELECT coalesce(sum(next_offset - published_offset), 0) FROM sluice.offsets WHERE topic = %s) AS unannounced
"""
OPEN_JOBS = """
SELECT id, kind, backend, status, step, attempt, settled, worker, left(error, 80) AS error,
       round(extract(epoch FROM now() - created_at)) AS age_s, round(extract(epoch FROM lease_until - now())) AS lease_s,
       round(extract(epoch FROM run_after - now())) AS after_s,
       round(extract(epoch FROM deadline_at - now())) AS deadline_s
  FROM sluice.jobs WHERE status IN ('queued', 'running', 'waiting') ORDER BY seq LIMIT 20
"""


class Eyes:
    """What is left to do, as Postgres and Kafka show it; with connections that are made again when they break."""

    def __init__(self, env, books):
        self._env, self._books = env, books
        self._consumer = confluent_kafka.Consumer({
            "bootstrap.servers": env["KAFKA_BROKERS"], "group.id": "torture", "enable.auto.commit": False,
            "logger": _Silent()})
        self._partitions = None

    def close(self):
        self._consumer.close()

    def end(self, timeout_s):
        """The sum of the partitions' ends."""
        if self._partitions is None:
            self._partitions = partitions_of(self._consumer, TOPIC)
        return sum(self._consumer.get_watermark_offsets(confluent_kafka.TopicPartition(TOPIC, number),
                                                        timeout=timeout_s)[1] for number in self._partitions)

    def look(self, timeout_s=READ_TIMEOUT_S):
        """What is left: `lag` and the counts of LEFT; None while a server is away."""
        try:
            end = self.end(timeout_s)
            row = {name: int(value) for name, value in self._books.row(LEFT, NEAR_S, TOPIC, TOPIC).items()}
        except (confluent_kafka.KafkaException, psycopg.Error, AssertionError):
            return None
        return {"lag": end - row.pop("next_offset"), **row}

    def open_jobs(self):
        return [" ".join(f"{name}={value}" for name, value in row.items() if value is not None)
                for row in self._books.rows(OPEN_JOBS)]


class _Silent:
    """Takes the client library's log lines: that the broker is away is what we do here."""

    def log(self, *_arguments, **_more):
        pass


def is_settled(left):
    return left is not None and not any(left[name] for name in ("lag", "jobs", "outbox", "timers", "held", "unannounced"))


def settle(eyes, answered, limit_s, out=sys.stderr):
    """Waits; `answered` gives how many were answered 2xx. Gives (what was left at last, the seconds it took)."""
    began, told, quiet, left = time.monotonic(), 0.0, 0, None
    pause = threading.Event()
    while quiet < QUIET_LOOKS:
        left = eyes.look() or left
        quiet = quiet + 1 if is_settled(left) else 0
        spent = time.monotonic() - began
        if spent - told >= TELL_EVERY_S:
            told = spent
            tell(out, "settle", spent, answered(), left)
        if spent > limit_s:
            break
        pause.wait(PAUSE_S)
    return left, time.monotonic() - began


def tell(out, phase, spent_s, answered, left):
    words = " ".join(f"{name}={value}" for name, value in (left or {"servers": "away"}).items())
    print(f"{phase} {spent_s:5.0f} s  answered={answered} {words}", file=out, flush=True)
