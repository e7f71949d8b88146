"""proto/openapi.yaml and proto/asyncapi.yaml: valid by their own standards, and they name all that there is to name."""

import json
import pathlib
import re

import pytest
from jsonschema import Draft7Validator
from openapi_spec_validator import validate

from .conftest import PROTO, SCHEMAS, load, load_yaml

ROOT = PROTO.parent
ASYNCAPI_SCHEMA = pathlib.Path(__file__).with_name("asyncapi-3.0.0.json")
METHODS = ("get", "post", "delete", "put", "patch", "head", "options")


def operations(document):
    """(path, method, operation) of all."""
    return [(path, method, item[method]) for path, item in document["paths"].items() for method in METHODS
            if method in item]


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def at(document, pointer):
    for step in pointer.lstrip("/").split("/"):
        document = document[step.replace("~1", "/").replace("~0", "~")]
    return document


def test_openapi_is_valid():
    document = load_yaml("openapi.yaml")
    assert document["openapi"].startswith("3.1.")
    validate(document, base_uri=(PROTO / "openapi.yaml").as_uri())


def test_asyncapi_is_valid():
    """References stand in place of what they name, so the schema's own way with them is all it takes."""
    schema = json.loads(ASYNCAPI_SCHEMA.read_text(encoding="utf-8"))
    problems = [f"{'/'.join(map(str, error.path))}: {error.message[:200]}"
                for error in Draft7Validator(schema).iter_errors(load_yaml("asyncapi.yaml"))]
    assert problems == []


@pytest.mark.parametrize("name", ["openapi.yaml", "asyncapi.yaml"])
def test_references_lead_somewhere(name):
    document = load_yaml(name)
    for reference in references(document):
        file, _, pointer = reference.partition("#")
        target = load(file) if file else document
        assert at(target, pointer) is not None if pointer else target, reference


def test_every_schema_is_used():
    used = {reference.partition("#")[0].removeprefix("schemas/")
            for name in ("openapi.yaml", "asyncapi.yaml") for reference in references(load_yaml(name))}
    used |= {reference.partition("#")[0] for name in SCHEMAS for reference in references(load(f"schemas/{name}"))}
    assert set(SCHEMAS) <= used


def test_every_command_has_its_route():
    """The routes of ingress/commands.c and those of openapi.yaml are the same."""
    source = (ROOT / "ingress" / "commands.c").read_text(encoding="utf-8")
    table = re.findall(r'\{ "([a-z_.]+)", "(POST|DELETE)", "(/api/[^"]+)", (true|false), (true|false),', source)
    assert len(table) >= 21
    routes = {(row[0], row[1].lower(), row[2]) for row in table}
    document = load_yaml("openapi.yaml")
    written = {(operation["operationId"], method, path) for path, method, operation in operations(document)
               if operation["tags"] == ["commands"]}
    assert written == routes
    public = {row[0] for row in table if row[4] == "true"}
    assert {operation["operationId"] for _, _, operation in operations(document)
            if operation["tags"] == ["commands"] and operation.get("security") == []} == public


def test_every_webhook_path_is_written():
    source = (ROOT / "ingress" / "source.c").read_text(encoding="utf-8")
    paths = set(re.findall(r'\{"(/[a-z/]+)", SOURCE_[A-Z]+\}', source))
    assert len(paths) >= 7
    document = load_yaml("openapi.yaml")
    assert {path for path, _, operation in operations(document) if operation["tags"] == ["webhooks"]} == paths


def test_bodies_take_what_paths_and_tokens_do_not():
    """Together a route's path and body give each field that its command must have, but for the token's user."""
    for path, _, operation in operations(load_yaml("openapi.yaml")):
        if operation["tags"] != ["commands"]:
            continue
        schema = load(f"schemas/command.{operation['operationId']}.json")
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        in_path = set(re.findall(r"{(\w+)}", path))
        assert in_path | set(body.get("properties", {})) | {"user_id"} == set(schema["properties"]) | {"user_id"}
        assert in_path | set(body.get("required", [])) == set(schema.get("required", [])) - {"user_id"}


def test_every_error_code_is_written():
    """The codes of ingress and of the rules are those of problem.json and outcome.json."""
    door = re.findall(r'\{\d{3}, "([A-Z_]+)", "', (ROOT / "web" / "problem.c").read_text(encoding="utf-8"))
    rules = re.findall(r'\[ERROR_[A-Z_]+\] = \{"([A-Za-z_]+)", \d{3}\}',
                       (ROOT / "worker" / "decide" / "states.c").read_text(encoding="utf-8"))
    assert len(door) > 10 and len(rules) > 10
    assert set(load("schemas/outcome.json")["properties"]["errorCode"]["enum"]) == set(rules)
    written = set(load("schemas/problem.json")["properties"]["errorCode"]["enum"])
    assert written == set(door) | set(rules) | {"REJECTED"}


def test_every_topic_is_written():
    source = (ROOT / "ctl" / "topic_plan.c").read_text(encoding="utf-8") + "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "common").glob("*.h"))
    topics = set(re.findall(r'"(sluice\.[a-z-]+\.v\d)"', source))
    assert len(topics) == 5
    assert {channel["address"] for channel in load_yaml("asyncapi.yaml")["channels"].values()} == topics
