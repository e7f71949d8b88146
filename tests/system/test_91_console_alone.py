"""The console while what it reads from is away: it says so, waits for nothing long, and comes back by itself."""

import requests
from kit.wait import until


def ready(console):
    return requests.get(console.url + "/readyz", timeout=10)


def test_postgres_goes_and_comes_back(world):
    console = world.console
    console.read("u", "/api/usage")
    world.system.kill("postgres")
    try:
        until(lambda: ready(console).status_code == 503, "readyz to say so")
        assert "postgres" in ready(console).json()["reason"]
        answer = console.get("u", "/api/usage")
        assert answer.status_code == 503 and answer.json()["errorCode"] == "UNAVAILABLE"
        assert int(answer.headers["Retry-After"]) >= 1
        assert requests.get(console.url + "/healthz", timeout=10).status_code == 200
    finally:
        world.system.start("postgres")
    until(lambda: console.get("u", "/api/usage").status_code == 200, "reads to be answered again")
    console.ready()


def test_sessions_lost_unseen_are_made_again(world):
    """Every session ended behind the console's back: the next reads are answered, not failed."""
    world.console.read("u", "/api/usage")
    world.books.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sluice-console'")
    for _ in range(20):
        world.console.read("u", "/api/usage")


def test_kafka_goes_and_comes_back_under_a_stream(world):
    """A stream stays open while the broker is away, and tells what is decided afterwards."""
    user_id, _ = world.user()
    stream = world.console.stream(user_id).opened()
    world.system.kill("kafka")
    try:
        until(lambda: ready(world.console).status_code == 503, "readyz to say so")
        assert "kafka" in ready(world.console).json()["reason"]
        beats = stream.comments.count("heartbeat")
        until(lambda: stream.comments.count("heartbeat") > beats, "a heartbeat")
    finally:
        world.system.start("kafka")
    world.console.ready()
    world.system.ready()

    def created():
        return world.ingress.api(user_id, "/api/agents", {"name": "after"}).status_code == 200
    until(created, "a command to be taken again", 60)
    stream.got(1, 60)
    assert not stream.is_ended
    stream.close()
