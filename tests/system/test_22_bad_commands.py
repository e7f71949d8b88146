"""Commands that can't be: refused at the door with every bad field named, or by the rules with the code of the refusal.

What stands in proto/examples is sent as it is, both ways: signed by the dashboard, and as REST where a request can.
"""

import http.client
import json
import pathlib
import urllib.parse
import uuid

import pytest
from kit import log, signing
from kit.commands import COMMANDS
from kit.system import ROOT

EXAMPLES = {path.name.removeprefix("command.").removesuffix(".json"): json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(pathlib.Path(ROOT, "proto", "examples").glob("command.*.*.json"))}
NIL = "00000000-0000-0000-0000-000000000000"


def path_of(template, data):
    """The path with its fields percent-encoded, or None where one can't stand in a path."""
    for name in [part.strip("{}") for part in template.split("/") if part.startswith("{")]:
        value = data.get(name)
        if not isinstance(value, str) or not value:
            return None
        template = template.replace("{%s}" % name, urllib.parse.quote(value, safe=""))
    return template


def rest(world, user_id, command_type, data):
    """The command as a REST request of the user, or None where a request can't say it."""
    method, template = COMMANDS[command_type]
    path = path_of(template, data)
    if path is None or (command_type != "early_access.join" and data.get("user_id") != user_id):
        return None
    in_path = {part.strip("{}") for part in template.split("/") if part.startswith("{")}
    body = json.dumps({name: data[name] for name in data if name not in in_path and name != "user_id"}).encode()
    token = signing.jwt(world.system.env["SLUICE_JWT_SECRET"], user_id, role="admin")
    headers = {"Content-Type": "application/json"}
    if command_type == "early_access.join":
        headers["X-Forwarded-For"] = f"198.51.100.{uuid.uuid4().int % 250 + 1}"
    else:
        headers["Authorization"] = f"Bearer {token}"
    return world.ingress.session.request(method, world.ingress.url + path, data=body, headers=headers, timeout=20)


def bad_fields(answer, *fields):
    assert answer.status_code == 400, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    document = answer.json()
    assert document["errorCode"] == "INVALID_COMMAND", answer.text
    assert [error["field"] for error in document["errors"]] == list(fields), answer.text
    assert "Sluice-Receipt" not in answer.headers


def refused(answer, status, code):
    assert (answer.status_code, answer.json()["errorCode"]) == (status, code), answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json()["outcome"]["result"] == "rejected"


def invalid_json(answer):
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "INVALID_JSON"), answer.text


def test_every_command_has_examples():
    assert set(EXAMPLES) == set(COMMANDS)


@pytest.mark.parametrize("command_type", list(COMMANDS))
def test_bad_examples_name_their_fields(world, command_type):
    user_id, _ = world.user()
    for example in EXAMPLES[command_type]["bad"]:
        data = dict(example["value"])
        if data.get("user_id") == "user-4711":
            data["user_id"] = user_id
        bad_fields(world.ingress.dashboard(command_type, data), *example["fields"])
        answer = rest(world, user_id, command_type, data)
        if answer is not None:
            bad_fields(answer, *example["fields"])


DOCUMENTS = json.loads((ROOT / "proto/examples/command.json").read_text(encoding="utf-8"))["bad"]


@pytest.mark.parametrize("example", DOCUMENTS, ids=lambda example: example["name"])
def test_bad_documents_name_their_fields(world, example):
    body = json.dumps(example["value"]).encode()
    bad_fields(signed(world, body), *example["fields"])


def signed(world, body, message_id=None, **headers):
    secret = world.system.env["DASHBOARD_WEBHOOK_SECRET"].split(",")[0]
    head = signing.standard_headers(secret, message_id or f"msg_{uuid.uuid4().hex}", body)
    return world.ingress.post("/webhooks/dashboard", body, {**head, "Content-Type": "application/json", **headers})


def test_long_values(world):
    user_id, _ = world.user()
    workspace = str(uuid.uuid4())
    share = {"user_id": user_id, "workspace_id": workspace, "connection_id": "c", "provider": "slack"}
    bad_fields(world.ingress.dashboard("connection.share", {**share, "token": "t" * 4097}), "token")
    bad_fields(world.ingress.dashboard("workspace.plan_change", {
        "user_id": user_id, "plan_tier": "workspace", "shared_workflow_ids": ["w"] * 1001}), "shared_workflow_ids")
    bad_fields(world.ingress.dashboard("checkout.start", {
        "user_id": user_id, "plan": "starter", "success_url": "https://a.example/" + "a" * 2048,
        "cancel_url": "https://a.example"}), "success_url")
    # 128 characters, 256 bytes
    bad_fields(world.ingress.api(user_id, "/api/agents", {"name": "ü" * 128}), "name")
    assert world.ingress.api(user_id, "/api/agents", {"name": "ü" * 127}).status_code == 200


@pytest.mark.parametrize("raw", [
    b'{"name": "\xff"}', b'{"name": "\xc0\x80"}', b'{"name": "\xed\xa0\x80"}',
    b'{"name": "\\ud800"}', b'{"name": "\\udc00\\ud800"}', b'{"name": "\\u0000"}', b'{"na\\u0000me": "a"}',
    b'{"name": "a\x00"}', b'{"name": "a\nb"}', b"{'name': 'a'}", b'{"name": "a"} {}', b'{"name": "a"',
    b'{"name": NaN}', b'{"name": Infinity}', b'{"x": 9223372036854775808}', b'{"x": -9223372036854775809}',
    b'{"x": 1e999}', b'{"x": 01}', b'{"x": ' + b"[" * 70 + b"]" * 70 + b"}", b"\xef\xbb\xbf{}", b" ", b"\x00",
], ids=repr)
def test_bodies_that_are_no_json(world, raw):
    user_id, _ = world.user()
    token = signing.jwt(world.system.env["SLUICE_JWT_SECRET"], user_id)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    invalid_json(world.ingress.post("/api/agents", raw, headers))
    invalid_json(signed(world, b'{"type": "agent.create", "data": ' + raw + b"}"))


@pytest.mark.parametrize("raw", [b"[]", b'"a"', b"null", b"7", b"true"])
def test_bodies_that_are_no_object(world, raw):
    user_id, _ = world.user()
    token = signing.jwt(world.system.env["SLUICE_JWT_SECRET"], user_id)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    answer = world.ingress.post("/api/agents", raw, headers)
    assert answer.status_code == 400 and answer.json()["errorCode"] in ("INVALID_COMMAND", "INVALID_JSON"), answer.text


def test_of_a_name_given_twice_the_last_counts(world):
    user_id, _ = world.user()
    token = signing.jwt(world.system.env["SLUICE_JWT_SECRET"], user_id)
    agent_id = str(uuid.uuid4())
    body = b'{"name": "\\u0007", "name": "last", "agent_id": "%s"}' % agent_id.encode()
    answer = world.ingress.post("/api/agents", body, {"Content-Type": "application/json", "Prefer": "wait=10",
                                                      "Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    assert world.books.agent(agent_id)["name"] == "last"


@pytest.mark.parametrize("segment, status", [
    ("42", 400), (NIL, 400), ("3f0e1a3452a54c7f9d1e6a51c1d0a001", 400),
    ("%7B3f0e1a34-52a5-4c7f-9d1e-6a51c1d0a001%7D", 400),
    ("a%0Ab", 400), ("%00", 404), ("%FF", 400), ("%ED%A0%80", 400), ("%C2%85", 400), ("x" * 300, 400),
    ("a%2Fb", (400, 404)), ("", 404), ("..", (400, 404)), (".", (400, 404)),
])
def test_ids_in_paths(world, segment, status):
    user_id, _ = world.user()
    token = signing.jwt(world.system.env["SLUICE_JWT_SECRET"], user_id)
    host = world.ingress.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=20)
    try:  # a library of higher level would tidy the path
        connection.request("POST", f"/api/agents/{segment}/stop", b"", {"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        document = json.loads(answer.read())
    finally:
        connection.close()
    assert answer.status in (status if isinstance(status, tuple) else (status,)), document
    assert document["errorCode"] == {400: "INVALID_COMMAND", 404: "NOT_FOUND"}[answer.status]
    if answer.status == 400:
        assert [error["field"] for error in document["errors"]] == ["agent_id"]


def test_a_body_may_not_contradict_path_or_token(world):
    user_id, _ = world.user()
    agent_id = world.create_agent(user_id)
    bad_fields(world.ingress.api(user_id, f"/api/agents/{agent_id}/stop", {"agent_id": str(uuid.uuid4())}), "agent_id")
    bad_fields(world.ingress.api(user_id, f"/api/agents/{agent_id}/destroy", {"user_id": "somebody-else"}), "user_id")
    assert world.books.agent(agent_id)["status"] == "draft"


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "über"])
def test_idempotency_keys(world, key):
    user_id, _ = world.user()
    token = signing.jwt(world.system.env["SLUICE_JWT_SECRET"], user_id)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}", "Idempotency-Key": key.encode()}
    bad_fields(world.ingress.post("/api/agents", b'{"name":"a"}', headers), "Idempotency-Key")


def test_somebody_elses_and_nobodys(world):
    """Well formed, but not the user's: the code of section 7, and nothing has changed."""
    owner, customer = world.user()
    stranger, _ = world.user()
    world.subscribe(owner, customer)
    agent_id = world.active_agent(owner)
    job, = world.books.jobs(agent_id)
    unknown = str(uuid.uuid4())
    for verb in ("provision", "start", "stop", "destroy"):
        refused(world.command(stranger, agent_id, verb), 403, "FORBIDDEN")
        refused(world.command(stranger, unknown, verb), 404, "AGENT_NOT_FOUND")
    for verb in ("retry", "cancel"):
        answer = world.ingress.api(stranger, f"/api/jobs/{job['id']}/{verb}")
        assert (answer.status_code, answer.json()["errorCode"]) in ((403, "FORBIDDEN"), (404, "JOB_NOT_FOUND"))
        refused(world.ingress.api(stranger, f"/api/jobs/{unknown}/{verb}"), 404, "JOB_NOT_FOUND")
    answer = world.ingress.api(stranger, "/api/agents", {"agent_id": agent_id, "name": "mine now"})
    assert answer.status_code in (403, 409), answer.text
    assert world.books.agent(agent_id)["status"] == "active" and world.books.agent(agent_id)["user_id"] == owner


@pytest.mark.parametrize("method, path, data, status, code", [
    ("POST", "/api/workspaces/{id}/invites", {"email": "a@example.org"}, 404, "WORKSPACE_NOT_FOUND"),
    ("POST", "/api/workspaces/{id}/leave", {}, 404, "WORKSPACE_NOT_FOUND"),
    ("POST", "/api/workspaces/{id}/revoke", {"member_id": "somebody"}, 404, "WORKSPACE_NOT_FOUND"),
    ("POST", "/api/workspaces/{id}/connections/c1", {"provider": "slack", "token": "t"}, 404, "WORKSPACE_NOT_FOUND"),
    ("DELETE", "/api/workspaces/{id}/connections/c1", {}, 404, "WORKSPACE_NOT_FOUND"),
    ("POST", "/api/workflows/wf-1/runs", {"workspace_id": "{id}"}, 404, "WORKSPACE_NOT_FOUND"),
    ("POST", "/api/invites/q1vHYt3VAbVJk2yD0l8uXoGm4fRz6sPnEw7cTiBaQ5M/accept", {}, 404, "INVITE_NOT_FOUND"),
    ("POST", "/api/workspaces/plan", {"plan_tier": "a-plan-of-last-year"}, 409, "INVALID_STATE"),
    ("POST", "/api/checkout", {"plan": "a-plan-of-last-year", "success_url": "https://a.example/",
                               "cancel_url": "https://a.example/"}, 409, "INVALID_STATE"),
    ("POST", "/api/workspaces/billing/subscription/resume", {}, 409, "INVALID_STATE"),
])
def test_what_is_not_there(world, method, path, data, status, code):
    user_id, _ = world.user()
    unknown = str(uuid.uuid4())
    data = {name: value.replace("{id}", unknown) for name, value in data.items()}
    refused(world.ingress.api(user_id, path.replace("{id}", unknown), data, method=method), status, code)


def test_early_access_is_limited_by_address(world):
    address = f"203.0.113.{uuid.uuid4().int % 250 + 1}"
    statuses = []
    for number in range(12):
        body = json.dumps({"email": f"{uuid.uuid4().hex}@example.org"}).encode()
        answer = world.ingress.post("/api/early-access", body, {"Content-Type": "application/json",
                                                                "X-Forwarded-For": address})
        statuses.append(answer.status_code)
        if answer.status_code == 429:
            assert answer.json()["errorCode"] == "RATE_LIMITED" and int(answer.headers["Retry-After"]) >= 1
    assert statuses[:10] == [202] * 10 and 429 in statuses[10:], statuses


def test_a_connections_token_is_told_to_nobody(world):
    """It travels in Kafka sealed; logs and tables never have it, whether the command is good or bad."""
    user_id, _ = world.user()
    secrets = [f"xoxb-{uuid.uuid4().hex}" for _ in range(4)]
    workspace = str(uuid.uuid4())
    good = {"provider": "slack", "token": secrets[0]}
    world.ingress.api(user_id, f"/api/workspaces/{workspace}/connections/c1", good, key=f"key-{user_id}")
    bad_fields(world.ingress.api(user_id, "/api/workspaces/none/connections/c1",
                                 {"provider": "slack", "token": secrets[1]}), "workspace_id")
    bad_fields(world.ingress.api(user_id, f"/api/workspaces/{workspace}/connections/c1",
                                 {"provider": 7, "token": secrets[2] + "\n"}), "provider", "token")
    world.ingress.dashboard("connection.share", {"user_id": user_id, "workspace_id": workspace, "connection_id": "c2",
                                                 "provider": "slack", "token": secrets[3]}, wait_s=10)
    message, = log.find_event(world.system.env, f"{user_id}:key-{user_id}")
    assert secrets[0].encode() not in message[3] and b"token_sealed" in message[3]
    for name in ("ingress", "worker-1", "worker-2"):
        text = world.system.log(name)
        assert not [secret for secret in secrets if secret in text], f"the log of {name} tells a token"
    tables = world.books.rows("SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'sluice'"
                              " AND table_type = 'BASE TABLE'")
    for table in tables:
        for secret in secrets:
            found = world.books.value(f'SELECT count(*) FROM sluice."{table["name"]}" AS t WHERE t::text LIKE %s',
                                      f"%{secret}%")
            assert found == 0, f"{table['name']} holds a token"
