"""Memory: flat over many events, and bounded while Kafka or Postgres stands still."""

import contextlib
import os
import signal
import threading

from bench import load, process
from kit import log
from kit.wait import until

from .door import ingress_of, read_all, statuses
from .test_93_http_attacks import stripe_request

WARM_UP, EVENTS, USERS = 25_000, 75_000, 500
# What may come on top of the warm-up: fragments; for a worker also what it has read ahead, and longer batches.
FLAT_MB = {"ingress": 16, "worker-1": 64, "worker-2": 64}
# AddressSanitizer keeps freed memory back, 256 MB of it, to find its late uses: growth can't be seen behind that
FRUGAL = "halt_on_error=1:abort_on_error=1:detect_leaks=1:quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
PROGRAMS = ("ingress", "worker-1", "worker-2")


def decided(books):
    return books.value("SELECT coalesce(sum(next_offset), 0)::bigint FROM sluice.offsets WHERE topic = 'sluice.events.v1'")


def caught_up(world, timeout_s=300):
    end = log.end_of_topic(world.system.env, "sluice.events.v1")
    until(lambda: decided(world.books) >= end, f"{end} events to be decided", timeout_s)


@contextlib.contextmanager
def frugal(system):
    """The programs without the sanitizer's hoard, and with it again afterwards."""
    before = os.environ.get("ASAN_OPTIONS")
    try:
        system.set_variable("ASAN_OPTIONS", FRUGAL)
        system.dev("restart", *PROGRAMS)
        system.ready()
        yield
    finally:
        system.set_variable("ASAN_OPTIONS", before)
        system.dev("restart", *PROGRAMS)
        system.ready()


def test_memory_is_flat_over_many_events(world):
    system = world.system
    with frugal(system):
        def sizes(count):
            figures = load.send(system, connections=64, seconds=280, count=count, users=USERS)
            assert figures["ok"] == count, figures
            caught_up(world)
            return {name: process.rss_mb(system.pid(name)) for name in PROGRAMS}

        before, after = sizes(WARM_UP), sizes(EVENTS)
    print(f"RSS in MB after {WARM_UP} events and after {EVENTS} more: {before}, {after}")
    for name in PROGRAMS:
        assert after[name] - before[name] < FLAT_MB[name], f"{name}: {before[name]:.0f} MB, then {after[name]:.0f} MB"


def test_a_broker_that_stands_still_costs_what_may_be_under_way(world):
    """in_flight_max is all that waits for it, however many come; afterwards everybody is served again."""
    system = world.system
    with ingress_of(system, SLUICE_INGRESS_IN_FLIGHT_MAX="4MiB", SLUICE_INGRESS_IN_FLIGHT_PER_ADDRESS="4MiB",
                    SLUICE_INGRESS_PUBLISH_DEADLINE="1s", ASAN_OPTIONS=FRUGAL) as door:
        def burst():
            _, head, body = stripe_request(door.env, headers="Connection: close\r\n", event={
                "id": "evt_big", "type": "customer.created", "object": "event", "data": {"object": {"id": "c", "x": "x" * 500_000}}})
            with door.connect() as connection:
                try:
                    connection.sendall(head + body)
                except OSError:
                    pass
                return statuses(read_all(connection))

        def many(count):
            answers = []
            threads = [threading.Thread(target=lambda: answers.extend(burst())) for _ in range(count)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return answers

        many(20)
        before = door.rss_mb()
        system.signal("kafka", signal.SIGSTOP)
        try:
            answers = [status for _ in range(6) for status in many(40)]  # 120 MB, of which 4 may wait
            grown = door.rss_mb() - before
        finally:
            system.signal("kafka", signal.SIGCONT)
        assert set(answers) == {503}, answers
        assert grown < 64, f"{grown:.0f} MB more, of 4 MiB that may be under way"
        until(lambda: burst() == [200], "events to be taken again", 60)
    system.ready()


def test_a_database_that_stands_still_costs_what_may_be_read_ahead(world):
    """The worker reads ahead no more than it may, and decides all of it when the database goes on."""
    system = world.system
    load.send(system, connections=16, seconds=60, count=2_000, users=USERS)
    caught_up(world)
    pids = [row["pid"] for row in
            world.books.rows("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'sluice-worker%%'")]
    before = {name: process.rss_mb(system.pid(name)) for name in PROGRAMS[1:]}
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        load.send(system, connections=32, seconds=120, count=8_000, users=USERS)  # about 20 MB
        grown = {name: process.rss_mb(system.pid(name)) - before[name] for name in PROGRAMS[1:]}
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    assert all(megabytes < 128 for megabytes in grown.values()), grown
    caught_up(world)
