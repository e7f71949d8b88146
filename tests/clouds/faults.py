"""Fault injection: what goes wrong, for whom, and how often.

A fault names a cloud, optionally a request (regular expressions on method and path, on the query, on the body),
how many matching calls it strikes (`times`, -1 for all), after how many it lets pass (`skip`), and with which
probability (`rate`, drawn from a seeded generator, so that a run can be repeated). The oldest live match wins.
By default faults strike the product only, not the simulated workflow runner, which is a client of the clouds too.
"""

import dataclasses
import itertools
import random
import re

KINDS = {
    "status": "answers `status` without effect; `body` defaults to the cloud's own error shape",
    "rate_limited": "answers as the cloud does when its rate limit is used up, without effect",
    "html_error": "answers 502 (or `status`) with an HTML page, without effect",
    "hang": "never answers, has no effect; cuts after `ms` where given",
    "reset": "the connection is reset (RST) before anything takes effect",
    "delay": "takes effect and answers `ms` later, even if the client has left by then",
    "lose_answer": "takes effect, then the connection is closed without an answer",
    "hang_after": "takes effect, then never answers; cuts after `ms` where given",
    "half_answer": "takes effect, then cuts the connection in the middle of the answer's body",
    "down": "the cloud's port refuses connections until the fault is removed, or for `ms`",
}
CLIENTS = ("product", "runner", "any")
MAX_FAULTS = 1000


class FaultError(ValueError):
    """A fault that cannot be: the message says why."""


@dataclasses.dataclass(slots=True)
class Fault:
    id: int
    cloud: str
    kind: str
    method: re.Pattern | None
    path: re.Pattern | None
    query: re.Pattern | None
    body_match: re.Pattern | None
    client: str
    times: int
    skip: int
    rate: float
    status: int
    body: object
    headers: dict
    ms: float | None
    struck: int = 0

    def matches(self, request):
        """Whether this request is one of those meant (without counting it)."""
        if self.client not in ("any", request.client):
            return False
        if self.method is not None and not self.method.fullmatch(request.method):
            return False
        if self.path is not None and not self.path.search(request.path):
            return False
        if self.query is not None and not self.query.search(request.query_string):
            return False
        return self.body_match is None or self.body_match.search(request.body.decode("utf-8", "replace")) is not None

    def as_dict(self):
        return {"id": self.id, "cloud": self.cloud, "kind": self.kind, "client": self.client,
                "match": " ".join([self.method.pattern if self.method else "*",
                                   self.path.pattern if self.path else ""]).strip(),
                "times": self.times, "skip": self.skip, "rate": self.rate, "status": self.status, "ms": self.ms,
                "struck": self.struck}


class Faults:
    def __init__(self, cloud_names, seed=1):
        self._clouds = tuple(cloud_names)
        self._faults = []
        self._ids = itertools.count(1)
        self._random = random.Random(seed)

    def add(self, document):
        """Adds a fault from its JSON form; FaultError names what is wrong with it."""
        if len(self._faults) >= MAX_FAULTS:
            raise FaultError(f"there are {MAX_FAULTS} faults already")
        fault = _parse(document, self._clouds, next(self._ids))
        self._faults.append(fault)
        return fault

    def pick(self, cloud, request):
        """The fault that strikes this request, or None. Counts it down."""
        if not self._faults:
            return None
        for fault in self._faults:
            if fault.cloud != cloud or fault.kind == "down" or not fault.matches(request):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.rate < 1 and self._random.random() >= fault.rate:
                continue
            self._strike(fault)
            return fault
        return None

    def remove(self, cloud=None, fault_id=None):
        """Removes all faults, those of one cloud, or one. Answers the removed."""
        removed = [fault for fault in self._faults
                   if cloud in (None, fault.cloud) and fault_id in (None, fault.id)]
        self._faults = [fault for fault in self._faults if fault not in removed]
        return removed

    def as_list(self):
        return [fault.as_dict() for fault in self._faults]

    def is_down(self, cloud):
        return any(fault.kind == "down" and fault.cloud == cloud for fault in self._faults)

    def _strike(self, fault):
        fault.struck += 1
        if fault.times > 0:
            fault.times -= 1
            if fault.times == 0:
                self._faults.remove(fault)


FIELDS = {"cloud", "kind", "match", "query", "body_match", "client", "times", "skip", "rate", "status", "body",
          "headers", "ms"}


def _parse(document, clouds, fault_id):
    if not isinstance(document, dict):
        raise FaultError("a fault is an object")
    unknown = set(document) - FIELDS
    if unknown:
        raise FaultError(f"unknown fields: {', '.join(sorted(unknown))}")
    cloud, kind = document.get("cloud"), document.get("kind")
    if cloud not in clouds:
        raise FaultError(f"cloud must be one of {', '.join(clouds)}")
    if kind not in KINDS:
        raise FaultError(f"kind must be one of {', '.join(KINDS)}")
    client = document.get("client", "product")
    if client not in CLIENTS:
        raise FaultError(f"client must be one of {', '.join(CLIENTS)}")
    if kind == "status" and "status" not in document:
        raise FaultError("kind 'status' needs a status")
    if kind == "delay" and document.get("ms") is None:
        raise FaultError("kind 'delay' needs ms")
    method, path = _parse_match(document.get("match"))
    headers = document.get("headers", {})
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise FaultError("headers must be an object of strings")
    return Fault(
        id=fault_id, cloud=cloud, kind=kind, method=method, path=path,
        query=_pattern("query", document.get("query")), body_match=_pattern("body_match", document.get("body_match")),
        client=client, times=_number(document, "times", 1, -1, integer=True),
        skip=_number(document, "skip", 0, 0, integer=True), rate=_number(document, "rate", 1.0, 0),
        status=_number(document, "status", 502 if kind == "html_error" else 500, 200, 599, integer=True),
        body=document.get("body"), headers=headers, ms=_number(document, "ms", None, 0))


def _parse_match(match):
    if match is None:
        return None, None
    if not isinstance(match, str) or not match.strip():
        raise FaultError("match is \"METHOD path\", two regular expressions, such as \"POST /servers$\"")
    method, _space, path = match.strip().partition(" ")
    return (None if method == "*" else _pattern("match", method)), _pattern("match", path.strip() or None)


def _pattern(name, source):
    if source is None:
        return None
    try:
        return re.compile(source)
    except (re.error, TypeError) as error:
        raise FaultError(f"{name}: not a regular expression: {error}") from error


def _number(document, name, default, least, most=None, integer=False):
    value = document.get(name, default)
    if value is None:
        return None if default is None else default
    if isinstance(value, bool) or not isinstance(value, int if integer else (int, float)):
        raise FaultError(f"{name} must be a number")
    if value < least or (most is not None and value > most) or (name == "times" and value == 0):
        raise FaultError(f"{name} cannot be {value}")
    return value
