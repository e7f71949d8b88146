"""What tests of dead letters share: letters made of any message, sluicectl, and what it prints."""

import hashlib
import json
import os
import subprocess
import uuid

from .conftest import EVENTS, ROOT, programs


def environment(**more):
    return {**os.environ, "SLUICE_LOG_LEVEL": "debug", "STRIPE_PRICE_UNLIMITED": "price_unlimited", **more}


def start_ctl(*arguments, **more):
    return subprocess.Popen([programs() / "sluicectl", *arguments], cwd=ROOT, env=environment(**more),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ctl(*arguments, code=0):
    """Runs sluicectl; gives what it prints, as bytes."""
    process = start_ctl(*arguments)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == code, f"{arguments}: {process.returncode}\n{out[-4000:]}\n{errors[-4000:].decode()}"
    return out


def ctl_json(*arguments, code=0):
    return json.loads(ctl(*arguments, "--json", code=code))


def letters(bench, messages, stage="commit", cause="database", error="made by a test"):
    """Dead letters of events as if a worker had buried them: the row of the event first, then the message, which every
    worker takes for a duplicate, then the letter. `messages`: (user, ce_type, body). Gives the events' ids, in order."""
    places, rows = {}, []
    for user, ce_type, body in messages:
        event_id = str(uuid.uuid4())
        rows.append((event_id, user, ce_type, json.dumps(body).encode()))
    with bench.connect() as connection, connection.cursor() as cursor:
        with cursor.copy("COPY sluice.events (source, id, type, user_id, topic, partition, \"offset\", sha256, outcome,"
                         " received_at, decided_at) FROM STDIN") as copy:
            for event_id, user, ce_type, body in rows:
                copy.write_row(("/test", event_id, ce_type, user, EVENTS, 0, 0, hashlib.sha256(body).digest(), "dead",
                                "2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"))
        for event_id, user, ce_type, body in rows:
            headers = {"content-type": "application/json", "ce_specversion": "1.0", "ce_id": event_id,
                       "ce_source": "/test", "ce_type": ce_type, "ce_time": "2026-11-21T10:00:00Z",
                       "ce_partitionkey": user}

            def note(error, message, event_id=event_id):
                assert error is None, error
                places[event_id] = (message.partition(), message.offset())

            while True:
                try:
                    bench.producer.produce(EVENTS, key=user, value=body, on_delivery=note,
                                           headers=[(name, value.encode()) for name, value in headers.items()])
                    break
                except BufferError:
                    bench.producer.poll(0.1)
            bench.producer.poll(0)
        bench.flush()
        with cursor.copy("COPY sluice.dead_letters (id, event_id, user_id, source, type, stage, cause, error, topic,"
                         " partition, \"offset\", first_at, last_at) FROM STDIN") as copy:
            for event_id, user, ce_type, _ in rows:
                partition, offset = places[event_id]
                copy.write_row((str(uuid.uuid4()), event_id, user, "/test", ce_type, stage, cause, error, EVENTS,
                                partition, offset, "2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"))
        cursor.execute("ANALYZE sluice.dead_letters")  # as the server does by itself, later
    return [row[0] for row in rows]


def skip_to_the_end(bench):
    """Whatever is in the log counts as decided: for tests whose messages nobody is to decide."""
    for partition, end in bench.ends(EVENTS).items():
        bench.rows("INSERT INTO sluice.offsets (topic, partition, next_offset, published_offset) VALUES (%s, %s, %s, %s)"
                   " ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset,"
                   " published_offset = excluded.published_offset", EVENTS, partition, end, end)
