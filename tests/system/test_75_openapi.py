"""The written interfaces and the real ones: examples through the system, random requests, what the topics hold.

Stands behind the tests of all flows, so that the topics are full of what they made.
"""

import json
import tempfile
import urllib.parse
import uuid

import hypothesis
import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator, FormatChecker
from kit import log, signing
from kit.system import ROOT
from referencing import Registry, Resource
from schemathesis import checks as all_checks

from .domain import applied, invite, member, share, workspace

PROTO = ROOT / "proto"
BASE = "file:///proto/"
EXAMPLES_AT_MOST = 6  # a schemathesis operation
WAIT_S = 15
PLACES = ("3f0e1a34-52a5-4c7f-9d1e-6a51c1d0a001", "3f0e1a34-52a5-4c7f-9d1e-6a51c1d0a002",
          "3f0e1a34-52a5-4c7f-9d1e-6a51c1d0a003", "user-4711")

hypothesis.configuration.set_hypothesis_home_dir(tempfile.mkdtemp(prefix="hypothesis-"))
BOUNDED = settings(max_examples=EXAMPLES_AT_MOST, derandomize=True, database=None, deadline=None,
                   suppress_health_check=list(HealthCheck))


def load(name):
    return json.loads((PROTO / name).read_text(encoding="utf-8"))


OPENAPI = yaml.safe_load((PROTO / "openapi.yaml").read_text(encoding="utf-8"))
REGISTRY = Registry().with_resources(
    [(f"{BASE}schemas/{path.name}", Resource.from_contents(load(f"schemas/{path.name}")))
     for path in (PROTO / "schemas").glob("*.json")]
    + [(BASE + "openapi.yaml", Resource.from_contents(
        {"$schema": "https://json-schema.org/draft/2020-12/schema", **OPENAPI}))])
COMMANDS = {operation["operationId"]: (method.upper(), path)
            for path, item in OPENAPI["paths"].items() for method, operation in item.items()
            if isinstance(operation, dict) and operation.get("tags") == ["commands"]}
GOOD = [(command, example["name"], example["value"]) for command in COMMANDS
        for example in load(f"examples/command.{command}.json")["good"]]


def violations(value, reference):
    """What is wrong with a value by "schemas/outcome.json" or "openapi.yaml#/…", at most a few words of each."""
    checker = FormatChecker(formats=["date-time"])
    schema = Draft202012Validator({"$ref": BASE + reference}, registry=REGISTRY, format_checker=checker)
    return [f"{'/'.join(map(str, error.path))}: {error.message[:300]}" for error in schema.iter_errors(value)]


def as_written(answer, path, method):
    """The answer is one that openapi.yaml has for the operation: status, type, body, receipt."""
    operation = OPENAPI["paths"][path][method.lower()]
    assert str(answer.status_code) in operation["responses"], answer.text
    name = operation["responses"][str(answer.status_code)]["$ref"].rpartition("/")[2]
    media = answer.headers["Content-Type"].partition(";")[0]
    assert media in OPENAPI["components"]["responses"][name]["content"], (name, media)
    pointer = f"openapi.yaml#/components/responses/{name}/content/{media.replace('/', '~1')}/schema"
    assert violations(answer.json(), pointer) == [], answer.text
    assert ("Sluice-Receipt" in answer.headers) == (answer.status_code < 300)


def of_ones_own(value, user_id):
    """The example with the user in it, and with ids that nobody else has, the same ones each time."""
    text = json.dumps(value)
    for place in PLACES:
        mine = user_id if place == "user-4711" else str(uuid.uuid5(uuid.NAMESPACE_URL, user_id + place))
        text = text.replace(place, mine)
    return json.loads(text)


@pytest.mark.parametrize("command, name, example", GOOD, ids=[f"{row[0]}-{row[1]}" for row in GOOD])
def test_good_examples_are_decided(world, command, name, example):
    """Signed by the dashboard and as REST: decided, never taken for malformed, and answered as written."""
    user_id, _ = world.user()
    data = of_ones_own(example, user_id)
    answer = world.ingress.dashboard(command, data, wait_s=WAIT_S)
    assert answer.status_code not in (202, 400), answer.text
    as_written(answer, "/webhooks/dashboard", "POST")
    method, path = COMMANDS[command]
    in_path = {part.strip("{}") for part in path.split("/") if part.startswith("{")}
    url = path
    for field in in_path:
        url = url.replace("{%s}" % field, urllib.parse.quote(data[field], safe=""))
    body = {field: data[field] for field in data if field not in in_path and field != "user_id"}
    headers = {"Content-Type": "application/json", "Prefer": f"wait={WAIT_S}",
               "X-Forwarded-For": f"198.51.100.{uuid.uuid4().int % 250 + 1}"}
    if OPENAPI["paths"][path][method.lower()].get("security") != []:
        headers["Authorization"] = "Bearer " + signing.jwt(world.system.env["SLUICE_JWT_SECRET"], user_id, role="admin")
    answer = world.ingress.session.request(method, world.ingress.url + url, data=json.dumps(body), headers=headers,
                                           timeout=WAIT_S + 10)
    assert answer.status_code not in (202, 400), answer.text
    as_written(answer, path, method)


def schema_of(*tags):
    """The document's operations, without what schemathesis derives beyond the fuzzing: it is bounded."""
    config = schemathesis.Config.from_dict({"phases": {"coverage": {"enabled": False}, "stateful": {"enabled": False}}})
    whole = schemathesis.openapi.from_path(PROTO / "openapi.yaml", config=config)
    for tag in tags:
        return whole.include(tag=tag)
    return whole


CHECKS = [all_checks.not_a_server_error, all_checks.status_code_conformance, all_checks.content_type_conformance,
          all_checks.response_schema_conformance]


def asked(world, case, base_url, **claims):
    """Sends it as a user of its own, waiting a moment, from an address of its own; holds the answer to the checks."""
    user_id, _ = world.user()
    case.headers = dict(case.headers or {})
    if case.headers.pop("Prefer", None):
        case.headers["Prefer"] = "wait=2"
    if case.operation.definition.raw.get("security") != []:
        token = signing.jwt(world.system.env["SLUICE_JWT_SECRET"], user_id, **claims)
        case.headers["Authorization"] = f"Bearer {token}"
    case.headers["X-Forwarded-For"] = f"203.0.{uuid.uuid4().int % 250}.{uuid.uuid4().int % 250 + 1}"
    response = case.call(base_url=base_url, timeout=20)
    case.validate_response(response, checks=CHECKS)


@schema_of("commands").parametrize()
@BOUNDED
def test_random_commands(world, case):
    asked(world, case, world.ingress.url, role="admin")


@schema_of("webhooks").parametrize()
@BOUNDED
def test_random_webhooks(world, case):
    asked(world, case, world.ingress.url)


@schema_of("health").parametrize()
@BOUNDED
def test_health_of_ingress(world, case):
    asked(world, case, world.ingress.url)


@schema_of("reads").exclude(operation_id="streamEvents").parametrize()
@BOUNDED
def test_random_reads(world, case):
    case.query = {name: value for name, value in (case.query or {}).items() if name != "user_id"}
    asked(world, case, world.system.env["SLUICE_CONSOLE_URL"])


@schema_of("health").parametrize()
@BOUNDED
def test_health_of_the_console(world, case):
    asked(world, case, world.system.env["SLUICE_CONSOLE_URL"])


def read(world, user_id, path, **query):
    """A read of the user's own token, held against what is written; gives the document."""
    headers = {"Authorization": "Bearer " + signing.jwt(world.system.env["SLUICE_JWT_SECRET"], user_id)}
    ids = [part for part in path.split("/") if part.count("-") == 4]
    template = path.replace(ids[0], "{agent_id}" if "/agents/" in path else "{job_id}") if ids else path
    answer = world.ingress.session.get(world.system.env["SLUICE_CONSOLE_URL"] + path, params=query, headers=headers,
                                       timeout=20)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    schema = OPENAPI["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert violations(answer.json(), "openapi.yaml" + schema["$ref"]) == [], answer.text
    return answer.json()


def test_reads_of_somebody_who_has_something(world):
    """Every read, full: what a schema of an empty list would let through shows here."""
    owner, customer, row, _ = workspace(world)
    guest = member(world, owner, row["id"])
    applied(share(world, guest, row["id"], "conn-1"))
    applied(invite(world, owner, row["id"], f"{uuid.uuid4().hex}@example.org"))
    world.subscribe(owner, customer)
    agent_id = world.active_agent(owner)
    applied(world.ingress.api(owner, "/api/usage", {"metric": "messages", "count": 3}))
    agents = read(world, owner, "/api/agents")["agents"]
    assert agent_id in [agent["id"] for agent in agents]
    jobs = read(world, owner, f"/api/agents/{agent_id}")["jobs"]
    assert read(world, owner, f"/api/jobs/{jobs[0]['id']}")["calls"]
    held, = read(world, owner, "/api/workspaces")["workspaces"]
    assert len(held["members"]) == 2 and held["connections"][0]["id"] == "conn-1" and held["cycle"]
    assert read(world, owner, "/api/invites")["invites"]
    assert read(world, owner, "/api/workspaces/onboarding")["billing"]["subscription"]
    assert read(world, owner, "/api/usage")["today"]["messages"] == 3
    first = read(world, owner, "/api/agents", limit=1)
    assert first["next"] is None or read(world, owner, "/api/agents", limit=1, after=first["next"])


def families(headers):
    """Which schema the value of an event of this type has, if we have one."""
    kind = headers["ce_type"].partition(".")[0]
    if headers["ce_type"] == "command.agent.repair":
        return "agent.repair.json"
    known = {"command": "command.json", "job": "job.json", "timer": "timer.json", "member": "member.removed.json"}
    if kind == "callback" and headers["ce_type"].partition(".")[2] in ("claimed", "heartbeat", "completed", "failed"):
        return "callback.json"
    return known.get(kind)


def test_events_are_as_written(world):
    wrong = []
    for partition, offset, key, value, headers in log.read_topic(world.system.env, "sluice.events.v1"):
        faults = violations(headers, "schemas/headers.event.json")
        schema = families(headers)
        if schema and not faults:
            faults = violations(json.loads(value), f"schemas/{schema}")
        if key.decode() != headers.get("ce_partitionkey"):
            faults.append("the key is not ce_partitionkey")
        if faults:
            wrong.append((partition, offset, headers.get("ce_type"), faults[:3], value[:300]))
    assert wrong == []


@pytest.mark.parametrize("topic, headers_schema, value_schema", [
    ("sluice.outcomes.v1", "headers.outcome.json", "outcome.json"),
    ("sluice.replies.v1", "headers.reply.json", "outcome.json"),
    ("sluice.dead-letters.v1", "headers.dead-letter.json", None),
])
def test_other_topics_are_as_written(world, topic, headers_schema, value_schema):
    wrong = []
    for partition, offset, _, value, headers in log.read_topic(world.system.env, topic):
        faults = violations(headers, f"schemas/{headers_schema}")
        if value_schema:
            faults += violations(json.loads(value), f"schemas/{value_schema}")
        if faults:
            wrong.append((partition, offset, headers.get("ce_type"), faults[:3], value[:300]))
    assert wrong == []
