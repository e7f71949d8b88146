"""The read side: what a user may see, and the stream of the user's outcomes.

Workspaces, invitations, usage and billing are put into the tables by SQL: this file is about reading them.
"""

import hashlib
import json
import os
import socket
import subprocess
import time
import uuid

import confluent_kafka
import pytest
import requests
from kit import log
from kit.console import Console
from kit.system import ROOT
from kit.wait import until

OUTCOMES = "sluice.outcomes.v1"


@pytest.fixture
def console(world):
    return world.console


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


# --- who may read what

def test_without_a_good_token(console, world):
    url = console.url + "/api/agents"
    answer = requests.get(url, timeout=10)
    problem(answer, 401, "UNAUTHENTICATED")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    for token in ("nonsense", console.token("u") + "x", console.token("u", lifetime_s=-3600)):
        answer = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        problem(answer, 401, "UNAUTHENTICATED")
        assert "invalid_token" in answer.headers["WWW-Authenticate"]
    problem(requests.get(console.url + "/api/events/stream", timeout=10), 401, "UNAUTHENTICATED")


def test_ops_name_the_user(console, world):
    user_id, _ = world.user()
    agent_id = world.create_agent(user_id)
    problem(console.ops("/api/agents"), 400, "BAD_REQUEST")
    agents = console.ops("/api/agents", user_id).json()["agents"]
    assert [agent["id"] for agent in agents] == [agent_id]
    problem(console.get("somebody", "/api/agents", params={"user_id": user_id}), 403, "FORBIDDEN")
    assert console.read(user_id, "/api/agents", {"user_id": user_id})["agents"] == agents


def test_paths_and_methods(console):
    problem(console.get("u", "/api/nothing"), 404, "NOT_FOUND")
    problem(console.get("u", "/api/agents/not-a-uuid"), 404, "NOT_FOUND")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = console.get("u", "/api/agents", method=method)
        problem(answer, 405, "METHOD_NOT_ALLOWED")
        assert answer.headers["Allow"] == "GET, HEAD"
    for path in ("/api/agents", "/api/events/stream", "/", "/healthz"):
        answer = console.get("u", path, method="HEAD")
        assert answer.status_code == 200 and answer.content == b""
    page = requests.get(console.url + "/", timeout=10)
    assert page.headers["Content-Type"].startswith("text/html") and "/api/events/stream" in page.text


def test_health(console):
    assert requests.get(console.url + "/health", timeout=10).json() == {"status": "healthy", "service": "sluice-console"}
    assert requests.get(console.url + "/healthz", timeout=10).status_code == 200
    assert requests.get(console.url + "/readyz", timeout=10).json() == {"ready": True}
    until(lambda: console.metrics()["sluice_console_connections"] >= 1, "our own connection to be counted")


def test_sessions_are_read_only(console, world):
    """Whatever a statement of the console's said, Postgres would not write."""
    console.read("u", "/api/agents")
    rows = world.books.rows("SELECT DISTINCT query FROM pg_stat_activity WHERE application_name = 'sluice-console'")
    assert rows
    for row in rows:
        assert not any(word in row["query"].upper() for word in ("INSERT ", "UPDATE ", "DELETE "))


# --- reads

def test_agents_jobs_and_calls(console, world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    agent_id = world.active_agent(user_id)
    row = world.books.agent(agent_id)
    agent, = console.read(user_id, "/api/agents")["agents"]
    assert (agent["id"], agent["status"], agent["server_id"]) == (agent_id, "active", row["server_id"])
    assert agent["created_at"].endswith("Z") and len(agent["created_at"]) == 24
    detail = console.read(user_id, f"/api/agents/{agent_id}")
    assert {name: detail[name] for name in agent} == agent
    job = detail["jobs"][0]
    assert (job["kind"], job["status"], job["agent_id"]) == ("provision", "succeeded", agent_id)
    with_calls = console.read(user_id, f"/api/jobs/{job['id']}")
    assert with_calls["id"] == job["id"]
    made = world.books.rows("SELECT step, cloud, status, verdict, took_ms FROM sluice.job_calls WHERE job_id = %s ORDER BY id",
                            job["id"])
    shown = [{name: call[name] for name in ("step", "cloud", "status", "verdict", "took_ms")} for call in with_calls["calls"]]
    assert shown == made and made
    assert all(call["at"].endswith("Z") for call in with_calls["calls"])


def test_what_is_somebody_elses_is_not_there(console, world):
    owner, customer = world.user()
    world.subscribe(owner, customer)
    agent_id = world.active_agent(owner)
    job, = world.books.jobs(agent_id, "provision")
    stranger, _ = world.user()
    world.create_agent(stranger)
    missing = problem(console.get(stranger, f"/api/agents/{uuid.uuid4()}"), 404, "NOT_FOUND")
    assert problem(console.get(stranger, f"/api/agents/{agent_id}"), 404, "NOT_FOUND") == missing
    problem(console.get(stranger, f"/api/jobs/{job['id']}"), 404, "NOT_FOUND")
    problem(console.ops(f"/api/agents/{agent_id}", stranger), 404, "NOT_FOUND")
    assert agent_id not in console.get(stranger, "/api/agents").text


def test_pages_of_a_list(console, world):
    user_id, _ = world.user()
    made = [world.create_agent(user_id, f"agent {number}") for number in range(5)]
    seen, after, pages = [], None, 0
    while pages == 0 or after:
        page = console.read(user_id, "/api/agents", {"limit": 2, **({"after": after} if after else {})})
        seen += [agent["id"] for agent in page["agents"]]
        after, pages = page["next"], pages + 1
    assert pages == 3 and sorted(seen) == sorted(made) and len(set(seen)) == 5
    created = world.books.rows("SELECT id::text FROM sluice.agents WHERE user_id = %s ORDER BY created_at DESC, id DESC", user_id)
    assert seen == [row["id"] for row in created]
    for params in ({"limit": 0}, {"limit": 501}, {"limit": "x"}, {"after": "x"}, {"after": ""}):
        fields = problem(console.get(user_id, "/api/agents", params=params), 400, "BAD_REQUEST")["errors"]
        assert [field["field"] for field in fields] == list(params)


def test_pages_of_jobs_and_of_calls(console, world):
    user_id, _ = world.user()
    agent_id = world.create_agent(user_id)
    jobs = [str(uuid.uuid4()) for _ in range(3)]
    for job_id in jobs:
        insert(world, "jobs", id=job_id, user_id=user_id, agent_id=agent_id, kind="start", status="succeeded")
    for number in range(3):
        insert(world, "job_calls", job_id=jobs[0], fence=1, step=f"step {number}", attempt=0, cloud="hetzner", method="GET",
               path="/", status=200, verdict="done", took_ms=number, at="2026-01-02T03:04:05Z")
    first = console.read(user_id, f"/api/agents/{agent_id}", {"limit": 2})
    rest = console.read(user_id, f"/api/agents/{agent_id}", {"limit": 2, "after": first["next"]})
    assert [job["id"] for job in first["jobs"] + rest["jobs"]] == jobs[::-1] and rest["next"] is None
    first = console.read(user_id, f"/api/jobs/{jobs[0]}", {"limit": 2})
    rest = console.read(user_id, f"/api/jobs/{jobs[0]}", {"limit": 2, "after": first["next"]})
    assert [call["step"] for call in first["calls"] + rest["calls"]] == ["step 0", "step 1", "step 2"]
    assert first["calls"][0]["at"] == "2026-01-02T03:04:05.000Z" and rest["next"] is None


def make_workspace(world, owner, name="Works", tier="workspace"):
    workspace_id = str(uuid.uuid4())
    insert(world, "workspaces", id=workspace_id, name=name, owner_id=owner, tier=tier)
    join(world, workspace_id, owner, "owner")
    return workspace_id


def join(world, workspace_id, user_id, role):
    insert(world, "workspace_members", workspace_id=workspace_id, user_id=user_id, role=role, joined_at="2026-01-02T00:00:00Z")


def make_user(world, email=None, **columns):
    user_id, _ = world.user()
    insert(world, "users", id=user_id, email=email, **columns)
    return user_id


def test_workspaces(console, world):
    owner, member, stranger = (make_user(world, f"{name}-{uuid.uuid4().hex}@example.org") for name in ("own", "mem", "str"))
    workspace_id = make_workspace(world, owner)
    join(world, workspace_id, member, "member")
    closed = make_workspace(world, owner, "Closed")
    world.books.rows("UPDATE sluice.workspaces SET closed_at = now() WHERE id = %s RETURNING 1 AS done", closed)
    insert(world, "connections", workspace_id=workspace_id, id="c1", provider="microsoft", shared_by=member,
           sealed="k1:c2VjcmV0LXRva2Vu", catalog='[{"id":"t1","name":"Team","channels":[]}]', shared_at="2026-01-03T00:00:00Z")
    insert(world, "shared_workflows", workspace_id=workspace_id, workflow_id="w1", shared_by=owner,
           shared_at="2026-01-03T00:00:00Z")
    for user_id, role in ((owner, "owner"), (member, "member")):
        answer = console.get(user_id, "/api/workspaces")
        assert "c2VjcmV0" not in answer.text and "sealed" not in answer.text
        workspace, = answer.json()["workspaces"]
        assert (workspace["id"], workspace["role"], workspace["tier"]) == (workspace_id, role, "workspace")
        assert [(m["user_id"], m["role"]) for m in workspace["members"]] == sorted([(member, "member"), (owner, "owner")])
        assert workspace["limits"] == {"members": 10, "runs": 1000}
        assert workspace["cycle"] is None and workspace["runs_used"] == 0
        connection, = workspace["connections"]
        assert connection == {"id": "c1", "provider": "microsoft", "shared_by": member, "shared_at": "2026-01-03T00:00:00.000Z",
                              "catalog": [{"id": "t1", "name": "Team", "channels": []}]}
        assert workspace["shared_workflows"] == ["w1"]
    assert console.read(stranger, "/api/workspaces") == {"workspaces": [], "next": None}


CATALOG = json.dumps([{"id": f"{number:032}", "name": f"{number:032}", "channels": []} for number in range(600)])


def share_catalogs(world, workspace_id, user_id, count):
    for number in range(count):
        insert(world, "connections", workspace_id=workspace_id, id=f"c{number:03}", provider="microsoft", shared_by=user_id,
               sealed="k1:x", catalog=CATALOG, shared_at=f"2026-01-03T00:{number // 60:02}:{number % 60:02}Z")


def test_catalogs_beyond_the_room_of_a_page_are_left_out(console, world):
    """However many long catalogs are shared, a workspace can be read; a page of one workspace has 4 MiB for them."""
    owner = make_user(world)
    workspace_id = make_workspace(world, owner)
    share_catalogs(world, workspace_id, owner, 150)
    shown = {}
    for limit in (1, 100):
        workspace, = console.read(owner, f"/api/workspaces?limit={limit}")["workspaces"]
        assert len(workspace["connections"]) == 150
        shown[limit] = [connection["catalog"] for connection in workspace["connections"]]
    assert shown[1][0] == json.loads(CATALOG) and shown[1][-1] is None
    assert 40 < sum(found is not None for found in shown[1]) <= 4 * 1024 * 1024 // len(CATALOG)
    assert shown[100] == [None] * 150


def test_runs_count_within_the_window(console, world):
    owner = make_user(world)
    workspace_id = make_workspace(world, owner)

    def used():
        return console.read(owner, "/api/workspaces")["workspaces"][0]["runs_used"]

    world.books.rows("UPDATE sluice.workspaces SET runs_used = 7, runs_since = date_trunc('month', now() AT TIME ZONE 'UTC')"
                     " AT TIME ZONE 'UTC' WHERE id = %s RETURNING 1 AS done", workspace_id)
    assert used() == 7
    insert(world, "workspace_billing_cycles", workspace_id=workspace_id, subscription_id="sub_1",
           cycle_started_at="2031-01-01T00:00:00Z", renews_at="2031-02-01T00:00:00Z")
    assert used() == 0
    assert console.read(owner, "/api/workspaces")["workspaces"][0]["cycle"] == {
        "cycle_started_at": "2031-01-01T00:00:00.000Z", "renews_at": "2031-02-01T00:00:00.000Z"}


def test_invites(console, world):
    email = f"Guest-{uuid.uuid4().hex}@Example.org"
    owner, admin, member, guest = make_user(world), make_user(world), make_user(world), make_user(world, email)
    workspace_id = make_workspace(world, owner)
    join(world, workspace_id, admin, "admin")
    join(world, workspace_id, member, "member")

    def invite(to, expires="2031-01-01T00:00:00Z", **more):
        invite_id = str(uuid.uuid4())
        insert(world, "invites", id=invite_id, workspace_id=workspace_id, email=to, invited_by=owner,
               token_sha256=hashlib.sha256(invite_id.encode()).digest(), created_at="2026-01-01T00:00:00Z",
               expires_at=expires, **more)
        return invite_id

    open_one = invite(email.lower())
    invite(email.lower(), expires="2026-01-02T00:00:00Z")
    invite(email.lower(), revoked_at="2026-01-02T00:00:00Z")
    invite(email.lower(), accepted_at="2026-01-02T00:00:00Z", accepted_by=guest)
    for user_id, direction in ((owner, "sent"), (admin, "sent"), (guest, "received")):
        answer = console.get(user_id, "/api/invites")
        assert "token" not in answer.text
        shown, = answer.json()["invites"]
        assert shown == {"id": open_one, "workspace_id": workspace_id, "workspace_name": "Works", "email": email.lower(),
                         "direction": direction, "invited_by": owner, "created_at": "2026-01-01T00:00:00.000Z",
                         "expires_at": "2031-01-01T00:00:00.000Z"}
    assert console.read(member, "/api/invites")["invites"] == []
    # an address that the token claims counts too, before anything is known of its user
    newcomer, _ = world.user()
    assert [shown["id"] for shown in console.read(newcomer, "/api/invites", email=email)["invites"]] == [open_one]


def test_onboarding(console, world):
    user_id = make_user(world)
    nothing = console.read(user_id, "/api/workspaces/onboarding")
    assert nothing == {"onboarding_complete": False, "plan": "free", "workspaces": [], "billing": {
        "last_error": None, "last_error_at": None, "has_pending_checkout": False, "subscription": None}}
    workspace_id = make_workspace(world, user_id, "Mine")
    subscription = f"sub_{uuid.uuid4().hex}"
    world.books.rows("UPDATE sluice.users SET plan = 'workspace', onboarding_complete = true, last_error = 'card declined',"
                     " last_error_at = '2026-02-03T04:05:06Z', pending_checkout = '{\"session_id\":\"cs_1\"}' WHERE id = %s"
                     " RETURNING 1 AS done", user_id)
    insert(world, "subscriptions", id=f"old-{subscription}", user_id=user_id, status="canceled", tier="workspace")
    insert(world, "subscriptions", id=f"starter-{subscription}", user_id=user_id, status="active", tier="starter")
    insert(world, "subscriptions", id=subscription, user_id=user_id, status="active", tier="workspace",
           current_period_end="2031-02-01T00:00:00Z", cancel_at="2031-02-01T00:00:00Z", cancel_at_period_end=True)
    insert(world, "workspace_billing_cycles", workspace_id=workspace_id, subscription_id=subscription,
           cycle_started_at="2031-01-01T00:00:00Z", renews_at="2031-02-01T00:00:00Z")
    assert console.read(user_id, "/api/workspaces/onboarding") == {
        "onboarding_complete": True, "plan": "workspace",
        "workspaces": [{"id": workspace_id, "name": "Mine", "role": "owner", "tier": "workspace"}],
        "billing": {
            "last_error": "card declined", "last_error_at": "2026-02-03T04:05:06.000Z", "has_pending_checkout": True,
            "subscription": {"id": subscription, "status": "active", "tier": "workspace",
                             "renews_at": "2031-02-01T00:00:00.000Z", "cancel_at": "2031-02-01T00:00:00.000Z",
                             "cancel_at_period_end": True, "cycle_started_at": "2031-01-01T00:00:00.000Z"}}}


def test_usage(console, world):
    user_id = make_user(world, plan="starter")
    today = world.books.value("SELECT (now() AT TIME ZONE 'UTC')::date")
    for days_ago, metric, count in ((0, "messages", 12), (0, "api_calls", 3), (29, "messages", 5), (30, "messages", 99)):
        world.books.rows("INSERT INTO sluice.usage_daily (user_id, day, metric, count) VALUES (%s, %s - %s::int, %s, %s)"
                         " RETURNING 1 AS done", user_id, today, days_ago, metric, count)
    usage = console.read(user_id, "/api/usage")
    assert usage["plan"] == "starter" and usage["limits"] == {"agents": 3, "messages_per_day": 1000}
    assert usage["today"] == {"day": today.isoformat(), "messages": 12, "api_calls": 3} == usage["days"][0]
    assert len(usage["days"]) == 30 and usage["days"][29]["messages"] == 5
    assert sum(day["messages"] for day in usage["days"]) == 17
    assert usage["resets_at"].endswith("T00:00:00.000Z") and usage["resets_at"] > today.isoformat()
    # what the subscription was sold with counts, whatever the plan says by now
    insert(world, "subscriptions", id=f"sub_{uuid.uuid4().hex}", user_id=user_id, status="active", tier="starter",
           max_agents=4, max_messages_per_day=-1)
    assert console.read(user_id, "/api/usage")["limits"] == {"agents": 4, "messages_per_day": -1}


# --- the stream

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


def connect_and_read_nothing(console, user_id, path="/api/events/stream"):
    """A client that takes not a byte: the socket's buffers fill up."""
    host, port = console.url.removeprefix("http://").split(":")
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect((host, int(port)))
    reader.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n"
                   f"Authorization: Bearer {console.token(user_id)}\r\n\r\n".encode())
    return reader


def test_answers_that_nobody_takes_have_a_bound(console, world):
    """Each is of 4 MiB, and 128 MiB may wait for their readers; who takes them, or goes, makes room again."""
    owner = make_user(world)
    share_catalogs(world, make_workspace(world, owner), owner, 80)
    path = "/api/workspaces?limit=1"
    assert len(console.get(owner, path).content) > 4000000
    readers, heads = [], []
    for _ in range(40):  # one by one: who waits for a session too long is refused as well
        readers.append(connect_and_read_nothing(console, owner, path))
        readers[-1].settimeout(60)
        heads.append(readers[-1].recv(12))
    assert heads.count(b"HTTP/1.1 200") in (31, 32) and heads.count(b"HTTP/1.1 503") in (8, 9)
    problem(console.get(owner, path), 503, "UNAVAILABLE")
    for reader in readers:
        reader.close()
    until(lambda: console.get(owner, path).status_code == 200, "room for an answer")


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
