"""proto/schemas are JSON Schema 2020-12, and proto/examples are what they say: good ones pass, bad ones don't."""

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from .conftest import BASE, EXAMPLES, SCHEMAS, load


def validator(name, registry):
    """Formats count: a date-time has to be one."""
    checker = FormatChecker(formats=["date-time"])
    return Draft202012Validator({"$ref": BASE + name}, registry=registry, format_checker=checker)


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one(name, registry):
    document = load(f"schemas/{name}")
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["title"] and document["description"]
    Draft202012Validator.check_schema(document)
    for reference in references(document):
        registry.resolver(BASE + name).lookup(reference)  # raises where there is nothing


def test_every_schema_has_examples():
    assert set(SCHEMAS) - {"common.json"} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_what_they_say(name, registry):
    document = load(f"examples/{name}")
    assert document["schema"] == name
    assert document["good"] and document["bad"]
    check = validator(name, registry)
    for example in document["good"]:
        check.validate(example["value"])
    for example in document["bad"]:
        assert not check.is_valid(example["value"]), f"{name}: {example['name']} passes"


def test_names_of_examples_are_their_own():
    for name in EXAMPLES:
        document = load(f"examples/{name}")
        names = [example["name"] for kind in ("good", "bad") for example in document[kind]]
        assert len(names) == len(set(names)), name
