"""Worker: how fast one worker decides and commits what stands in the log already."""

import time

from kit import log
from kit.wait import until

from . import load, process

ROUNDS = 3
EVENTS = 60_000
USERS = 20_000


def run(system, median):
    rounds = [measure(system) for _ in range(ROUNDS)]

    def of(name):
        return float(median(figures[name] for figures in rounds))

    return [{"events": EVENTS, "users": USERS, "events/s": of("rate"), "cpu us/event": of("cpu_us"),
             "WAL bytes/event": of("wal"), "commits/event": of("commits"), "rss MB": of("rss_mb")}]


def measure(system):
    books = system.books()
    catch_up(system, books)  # what earlier benchmarks left in the log
    system.dev("stop", "worker-1")
    load.send(system, connections=64, seconds=120, count=EVENTS, users=USERS)
    known = decided(books)
    wal, commits = wal_position(books), commit_count(books)
    system.start("worker-1")
    pid = system.pid("worker-1")
    first = until(lambda: decided(books) - known, "the first batch", 60)
    began, cpu = time.monotonic(), process.cpu_s(pid)
    catch_up(system, books)
    took, events = time.monotonic() - began, EVENTS - first
    figures = {"rate": events / took, "cpu_us": (process.cpu_s(pid) - cpu) * 1e6 / events, "rss_mb": process.rss_mb(pid),
               "wal": (wal_position(books) - wal) / EVENTS, "commits": (commit_count(books) - commits) / EVENTS}
    books.close()
    return figures


def catch_up(system, books):
    """Waits until everything in the log is decided."""
    end = log.end_of_topic(system.env, "sluice.events.v1")
    until(lambda: decided(books) >= end, f"{end} events to be decided", 300)


def decided(books):
    """The sum of the positions is cheap to read; the first event of a partition stands at 0."""
    return books.value("SELECT coalesce(sum(next_offset), 0)::bigint FROM sluice.offsets WHERE topic = 'sluice.events.v1'")


def wal_position(books):
    return int(books.value("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"))


def commit_count(books):
    return int(books.value("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"))
