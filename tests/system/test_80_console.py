"""The read side: what a user may see.

Workspaces, invitations, usage and billing are put into the tables by SQL: this file is about reading them.
"""

import hashlib
import json
import uuid

import requests
from kit.wait import until
from system.console_parts import (
    CATALOG, connect_and_read_nothing, insert, join, make_user, make_workspace, problem, share_catalogs)

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
