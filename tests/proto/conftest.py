"""What the tests of proto/ share: the files, read once, and references resolved between them."""

import json
import pathlib

import pytest
import yaml
from referencing import Registry, Resource

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"
SCHEMAS = sorted(path.name for path in (PROTO / "schemas").glob("*.json"))
EXAMPLES = sorted(path.name for path in (PROTO / "examples").glob("*.json"))
BASE = "file:///proto/schemas/"


def load(path):
    return json.loads((PROTO / path).read_text(encoding="utf-8"))


def load_yaml(path):
    return yaml.safe_load((PROTO / path).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def registry():
    """Every schema under its file's name, as they refer to each other."""
    return Registry().with_resources(
        (BASE + name, Resource.from_contents(load(f"schemas/{name}"))) for name in SCHEMAS)
