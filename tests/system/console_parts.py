"""What the tests of the console share: rows put in by SQL, outcomes as a worker tells them, clients that read nothing."""

import json
import socket
import uuid

import confluent_kafka

OUTCOMES = "sluice.outcomes.v1"
CATALOG = json.dumps([{"id": f"{number:032}", "name": f"{number:032}", "channels": []} for number in range(600)])


def problem(answer, status, code):
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["errorCode"] == code
    return answer.json()


def insert(world, table, **columns):
    names = ", ".join(columns)
    marks = ", ".join(["%s"] * len(columns))
    world.books.rows(f"INSERT INTO sluice.{table} ({names}) VALUES ({marks}) RETURNING 1 AS done", *columns.values())


def publish(world, user_id, count, data_bytes=0, event_type="outcome.test.said"):
    """Outcomes as a worker tells them, to the partition of the user's; gives their ids."""
    producer = confluent_kafka.Producer({"bootstrap.servers": world.system.env["KAFKA_BROKERS"],
                                         "message.max.bytes": 2000000})
    ids = [str(uuid.uuid4()) for _ in range(count)]
    for number, event_id in enumerate(ids):
        value = json.dumps({"id": event_id, "type": "test.said", "user_id": user_id, "result": "applied",
                            "data": {"number": number, "filling": "x" * data_bytes}})
        producer.produce(OUTCOMES, value=value.encode(), key=user_id.encode(),
                         headers={"ce_specversion": "1.0", "ce_id": event_id, "ce_source": "/tests", "ce_type": event_type})
        producer.poll(0)
    assert producer.flush(30) == 0
    return ids


def ids_of(events):
    return [json.loads(event["data"])["id"] for event in events]


def join(world, workspace_id, user_id, role):
    insert(world, "workspace_members", workspace_id=workspace_id, user_id=user_id, role=role, joined_at="2026-01-02T00:00:00Z")


def make_workspace(world, owner, name="Works", tier="workspace"):
    workspace_id = str(uuid.uuid4())
    insert(world, "workspaces", id=workspace_id, name=name, owner_id=owner, tier=tier)
    join(world, workspace_id, owner, "owner")
    return workspace_id


def make_user(world, email=None, **columns):
    user_id, _ = world.user()
    insert(world, "users", id=user_id, email=email, **columns)
    return user_id


def share_catalogs(world, workspace_id, user_id, count):
    for number in range(count):
        insert(world, "connections", workspace_id=workspace_id, id=f"c{number:03}", provider="microsoft", shared_by=user_id,
               sealed="k1:x", catalog=CATALOG, shared_at=f"2026-01-03T00:{number // 60:02}:{number % 60:02}Z")


def connect_and_read_nothing(console, user_id, path="/api/events/stream"):
    """A client that takes not a byte: the socket's buffers fill up."""
    host, port = console.url.removeprefix("http://").split(":")
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect((host, int(port)))
    reader.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n"
                   f"Authorization: Bearer {console.token(user_id)}\r\n\r\n".encode())
    return reader
