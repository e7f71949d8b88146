"""The read side: the stream of a user's outcomes, live, resumed, and by the thousand."""

import json
import os
import socket
import subprocess
import time
import uuid

import pytest
import requests
from kit import log
from kit.console import Console
from kit.system import ROOT
from kit.wait import until
from system.console_parts import OUTCOMES, connect_and_read_nothing, ids_of, problem, publish


def test_stream_of_ones_own_outcomes(console, world):
    user_id, _ = world.user()
    stranger, _ = world.user()
    stream = console.stream(user_id).opened()
    other = console.stream(stranger).opened()
    agent_id = world.create_agent(user_id)
    world.create_agent(stranger)
    event, = stream.got(1)
    assert event["event"] == "outcome.command.agent.create"
    outcome = json.loads(event["data"])
    assert (outcome["user_id"], outcome["agent_id"], outcome["result"]) == (user_id, agent_id, "applied")
    message, = log.find_event(world.system.env, outcome["id"], OUTCOMES)
    assert event["data"].encode() == message[3]
    assert json.loads(other.got(1)[0]["data"])["user_id"] == stranger
    said = publish(world, user_id, 50)
    assert ids_of(stream.got(51))[1:] == said
    assert len(other.events) == 1
    stream.close()
    other.close()


def test_heartbeats(console, world):
    user_id, _ = world.user()
    stream = console.stream(user_id).opened()
    until(lambda: stream.comments.count("heartbeat") >= 2, "two heartbeats")
    assert stream.events == []
    stream.close()


def test_a_stream_resumes_where_it_was(console, world):
    user_id, _ = world.user()
    stream = console.stream(user_id).opened()
    begin = stream.last_id
    said = publish(world, user_id, 20)
    events = stream.got(20)
    stream.close()
    said += publish(world, user_id, 20)
    for from_id, count in ((begin, 40), (events[4]["id"], 35), (events[19]["id"], 20)):
        resumed = console.stream(user_id, from_id).opened()
        assert ids_of(resumed.got(count)) == said[-count:]
        resumed.close()
    last = console.stream(user_id, begin).opened()
    last.got(40)
    said += publish(world, user_id, 5)
    assert ids_of(last.got(45)) == said
    last.close()


def test_no_loss_and_no_double_while_joining(console, world):
    """Streams that resume while outcomes pour in: the join between what is read again and what comes is seamless."""
    user_id, _ = world.user()
    stream = console.stream(user_id).opened()
    said, seen, last_id = [], [], stream.last_id
    for _ in range(8):
        said += publish(world, user_id, 200)
        resumed = console.stream(user_id, last_id)
        said += publish(world, user_id, 50)
        resumed.got(100)
        resumed.close()
        seen += resumed.events
        last_id = resumed.last_id
    resumed = console.stream(user_id, last_id)
    seen += resumed.got(len(said) - len(seen))
    assert ids_of(seen) == said
    resumed.close()
    stream.got(len(said))
    assert ids_of(stream.events) == said
    stream.close()


def test_across_a_restart_of_the_console(console, world):
    user_id, _ = world.user()
    said, events, last_id = [], [], None
    for stop in (lambda: world.system.dev("stop", "console"), lambda: world.system.kill("console")):
        stream = console.stream(user_id, last_id).opened()
        said += publish(world, user_id, 100)
        until(lambda: len(stream.events) >= 30, "some of the events")
        stop()
        stream.ended()
        events += stream.events
        last_id = stream.last_id
        said += publish(world, user_id, 100)
        world.system.start("console")
    stream = console.stream(user_id, last_id).opened()
    events += stream.got(len(said) - len(events))
    assert ids_of(events) == said
    stream.close()


@pytest.mark.parametrize("cursor", ["nonsense", "0-99999999999", "9999-0", "-1-5", "3-", "0-0x1", "1" * 500])
def test_a_cursor_that_is_none_goes_on_from_now(console, world, cursor):
    user_id, _ = world.user()
    before = console.stream(user_id).opened()
    publish(world, user_id, 3)
    before.got(3)
    before.close()
    stream = console.stream(user_id, cursor).opened()
    until(lambda: any("Last-Event-ID" in comment for comment in stream.comments), "the comment")
    said = publish(world, user_id, 2)
    assert ids_of(stream.got(2)) == said
    stream.close()


def test_a_token_that_expires_ends_the_stream(console, world):
    user_id, _ = world.user()
    stream = console.stream(user_id, lifetime_s=-57).opened()  # sixty seconds of leeway are granted
    assert "expired" in stream.ended().comments


def test_streams_of_one_user_are_limited(console, world):
    user_id, _ = world.user()
    streams = [console.stream(user_id).opened() for _ in range(3)]
    answer = console.get(user_id, "/api/events/stream")
    problem(answer, 503, "UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) >= 1
    console.stream(world.user()[0]).opened().close()
    # a client that has gone makes room, however long nothing has been written to it
    streams[0].close()

    def again():
        answer = requests.get(console.url + "/api/events/stream", stream=True, timeout=10,
                              headers={"Authorization": f"Bearer {console.token(user_id)}"})
        answer.close()
        return answer.status_code == 200
    until(again, "a place to be free again")
    for stream in streams:
        stream.close()


def test_who_reads_too_slowly_is_cut_off(console, world):
    slow, quick = world.user()[0], world.user()[0]
    before = console.metrics().get('sluice_console_streams_ended_total{reason="slow"}', 0)
    until(lambda: console.metrics()["sluice_console_streams"] == 0, "the streams of other tests to be closed")
    reader = connect_and_read_nothing(console, slow)
    until(lambda: console.metrics()["sluice_console_streams"] == 1, "the stream to be open")
    stream = console.stream(quick).opened()

    def is_cut():
        publish(world, slow, 20, data_bytes=50_000)
        return console.metrics().get('sluice_console_streams_ended_total{reason="slow"}', 0) > before

    until(is_cut, "the slow reader to be cut off", 5)
    until(lambda: console.metrics()["sluice_console_stream_bytes"] == 0, "its buffer to be free")
    said = publish(world, quick, 3)
    assert ids_of(stream.got(3)) == said
    reader.close()
    stream.close()


def test_more_than_a_buffer_is_caught_up(console, world):
    """What a returning client has missed may be larger than its buffer: it is read as fast as the client takes it."""
    user_id, _ = world.user()
    stream = console.stream(user_id).opened()
    stream.close()
    said = publish(world, user_id, 60, data_bytes=20_000)
    resumed = console.stream(user_id, stream.last_id)
    assert ids_of(resumed.got(60)) == said
    said = publish(world, user_id, 2)
    assert ids_of(resumed.got(62))[60:] == said
    resumed.close()


def test_drain_ends_streams_cleanly(console, world):
    stream = console.stream(world.user()[0]).opened()
    world.system.dev("stop", "console")
    stream.ended()
    assert "drain" in stream.comments
    lines = world.system.log("console")
    assert "msg=drained" in lines and "Sanitizer" not in lines
    world.system.start("console")


def test_secrets_are_read_again(console, world):
    """SIGHUP: nothing that is open ends by it, and the process goes on with what the configuration says."""
    stream = console.stream(world.user()[0]).opened()
    world.system.signal("console", 1)
    until(lambda: "secrets and plans have been read again" in world.system.log("console"), "the reload")
    console.read("u", "/api/usage")
    assert not stream.is_ended
    stream.close()


# --- a thousand streams

STREAMS = 1000
RSS_MAX_MB = 100


@pytest.fixture
def release_console(world, tmp_path):
    """A console as it is shipped, beside the sanitized one: memory under a sanitizer says nothing."""
    for command in (["cmake", "--preset", "release"], ["cmake", "--build", "--preset", "release", "--target", "sluice-console"]):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    names = ("SLUICE_DEV_DIR", "SLUICE_PRESET", "SLUICE_CONSOLE_URL", "SLUICE_INGRESS_URL", "SLUICE_CLOUDS_CONTROL_URL",
             "SLUICE_CONFIG")
    env = {name: value for name, value in {**os.environ, **world.system.env}.items() if name not in names}
    env["SLUICE_CONSOLE_LISTEN"] = f"127.0.0.1:{port}"
    with open(tmp_path / "console.log", "wb") as output:
        process = subprocess.Popen([str(ROOT / "build/release/bin/sluice-console"), "--config",
                                    str(ROOT / "deploy/sluice.conf")], env=env, stderr=output, cwd=ROOT)
    console = Console({**world.system.env, "SLUICE_CONSOLE_URL": f"http://127.0.0.1:{port}"})
    try:
        console.ready()
        yield console, process.pid
    finally:
        process.terminate()
        assert process.wait(30) == 0, (tmp_path / "console.log").read_text()


def rss_mb(pid):
    for line in open(f"/proc/{pid}/status", encoding="ascii"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def test_a_thousand_streams_within_100_mb(release_console, world):
    console, pid = release_console
    users = [f"crowd-{uuid.uuid4().hex[:8]}-{number}" for number in range(STREAMS // 5)]
    host, port = console.url.removeprefix("http://").split(":")
    readers = []
    for number in range(STREAMS):
        reader = socket.create_connection((host, int(port)))
        reader.sendall(f"GET /api/events/stream HTTP/1.1\r\nHost: {host}\r\n"
                       f"Authorization: Bearer {console.token(users[number % len(users)])}\r\n\r\n".encode())
        readers.append(reader)
    until(lambda: console.metrics()["sluice_console_streams"] == STREAMS, f"{STREAMS} streams")
    texts = [b""] * STREAMS
    began = time.monotonic()
    for user_id in users:
        publish(world, user_id, 10, data_bytes=500)
    for number, reader in enumerate(readers):
        reader.settimeout(30)
        while texts[number].count(b"event: outcome.test.said") < 10:
            part = reader.recv(65536)
            assert part, "the stream ended"
            texts[number] += part
    used = rss_mb(pid)
    print(f"{STREAMS} streams, {STREAMS * 10} events: {used:.1f} MB RSS, {time.monotonic() - began:.1f} s")
    for reader in readers:
        reader.close()
    until(lambda: console.metrics()["sluice_console_streams"] == 0, "all streams to be closed")
    assert used < RSS_MAX_MB
