"""The last test of all: what everybody before it had written holds no secret. Logs, results, Postgres, every topic."""

import base64
import pathlib
import urllib.parse
import uuid

import psycopg
import pytest
from kit import log
from kit.system import load_env

from .domain import WAIT_S, applied, connections, share, workspace

TOPICS = ("sluice.events.v1", "sluice.directory.v1", "sluice.outcomes.v1", "sluice.replies.v1", "sluice.dead-letters.v1")
SECRET_BYTES_MIN = 8
MESSAGES_AT_ONCE = 2_000


def spellings(secret):
    """The ways a secret's bytes may stand in a text."""
    raw = secret.encode()
    return {raw, urllib.parse.quote(secret, safe="").encode(), base64.b64encode(raw).rstrip(b"=")}


@pytest.fixture(scope="module")
def secrets(system):
    """Name to value, lists taken apart."""
    found = {}
    for name, value in load_env(system.dev_dir / "secrets").items():
        for number, part in enumerate(value.split(",")):
            found[f"{name}[{number}]"] = part.partition(":")[2] if name == "SLUICE_DATA_KEYS" else part
    assert len(found) > 12 and all(len(value) >= SECRET_BYTES_MIN for value in found.values())
    return found


@pytest.fixture(scope="module")
def tokens(world):
    """What users entrust to us, sent both ways just now: the tokens of a connection and of an invitation."""
    owner, _, row, _ = workspace(world)
    guest, _ = world.user()
    sent = {f"a connection's token by {way}": f"xoxb-{way}-{uuid.uuid4().hex}" for way in ("rest", "dashboard")}
    by_rest, by_dashboard = sent.values()
    applied(share(world, owner, row["id"], "c1", token=by_rest))
    applied(world.ingress.dashboard("connection.share", {"user_id": owner, "workspace_id": str(row["id"]), "connection_id": "c2",
                                                         "provider": "slack", "token": by_dashboard}, wait_s=WAIT_S))
    assert set(connections(world, row["id"])) == {"c1", "c2"}
    invitation = sent["an invitation's token"] = f"invitation-{uuid.uuid4().hex}"
    assert world.ingress.api(guest, f"/api/invites/{invitation}/accept").status_code == 404
    bearer = sent["a user's token"] = world.console.token(guest)
    assert world.console.session.get(world.console.url + "/api/agents", headers={"Authorization": f"Bearer {bearer}"}).ok
    return sent


def assert_clean(text, wanted, where):
    for name, secret in wanted.items():
        for spelling in spellings(secret):
            assert spelling not in text, f"{name} stands in {where}"


def files_of(system):
    """What programs, servers and tests wrote; the keys' own files are meant to hold them."""
    base = system.dev_dir
    yield from (base / "log").glob("*.log")
    yield from (base.parent / "results").glob("*.xml")
    yield from (base / "run").glob("*.pid")


def test_no_log_holds_a_secret(world, secrets, tokens):
    count = 0
    for path in files_of(world.system):
        assert_clean(path.read_bytes(), {**secrets, **tokens}, path)
        count += 1
    assert count >= 8


def test_no_topic_holds_a_secret(world, secrets, tokens):
    for topic in TOPICS:
        messages = log.read_topic(world.system.env, topic)
        for start in range(0, len(messages), MESSAGES_AT_ONCE):
            part = messages[start:start + MESSAGES_AT_ONCE]
            text = b"\n".join(b"\n".join([key or b"", value or b"", repr(headers).encode()]) for _, _, key, value, headers in part)
            assert_clean(text, {**secrets, **tokens}, f"{topic} between {part[0][:2]} and {part[-1][:2]}")


def test_no_table_holds_a_secret(world, secrets, tokens):
    with psycopg.connect(world.system.env["DATABASE_URL"]) as connection:
        tables = [name for name, in connection.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'sluice'")]
        assert len(tables) > 20
        for table in tables:
            with connection.cursor().copy(f"COPY (SELECT * FROM ONLY {table}) TO STDOUT (FORMAT binary)") as rows:
                text = b"".join(bytes(part) for part in rows)
            assert_clean(text, {**secrets, **tokens}, table)


def test_no_argument_of_a_process_holds_a_secret(secrets):
    """Of none at all: those of ./dev and of the tests count too."""
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert_clean(path.read_bytes(), secrets, path)
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile


def test_the_search_finds_what_is_there(world):
    """Else all of the above would be worth nothing: an address that must be in logs, in a topic and in a table."""
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    with pytest.raises(AssertionError):
        assert_clean((world.system.dev_dir / "log" / "worker-1.log").read_bytes(), {"the program": "sluice-worker"}, "the log")
    with pytest.raises(AssertionError):
        for _, _, key, value, _ in log.read_topic(world.system.env, "sluice.events.v1"):
            assert_clean((key or b"") + (value or b""), {"the customer": customer}, "the topic")
