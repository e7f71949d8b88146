"""The ledger: every call that came in, and every resource ever made, in order.

It is what tests hold against the product's own books: no orphan, no double. Bounded: a ring of calls, and at most
MAX_RESOURCES resources, of which only ended ones are dropped to make room (`dropped` counts them).
"""

import collections
import itertools

MAX_CALLS = 200_000
MAX_RESOURCES = 400_000
MAX_BODY = 1024  # bytes of a request kept with its call


class Call:
    """One request as a cloud saw it. status 0: the client got no answer (it was cut off, or it left)."""

    __slots__ = ("body", "client", "cloud", "effect", "ended_at", "fault", "idempotency_key", "method", "path", "query",
                 "sequence", "started_at", "status")

    def __init__(self, sequence, cloud, method, path, query, started_at):
        self.sequence = sequence
        self.cloud = cloud
        self.method = method
        self.path = path
        self.query = query
        self.started_at = started_at
        self.ended_at = None
        self.status = None
        self.effect = None
        self.fault = None
        self.idempotency_key = None
        self.client = "product"
        self.body = b""

    def as_dict(self):
        shown = {name: getattr(self, name) for name in
                 ("sequence", "cloud", "method", "path", "query", "status", "effect", "idempotency_key", "fault",
                  "client", "started_at", "ended_at")}
        shown["body"] = self.body.decode("utf-8", "replace")
        return shown


class Resource:
    """Something a cloud made: a server, a device, a key, a run, an e-mail, an app, a Stripe object."""

    __slots__ = ("agent_id", "cloud", "created_at", "ended_at", "ended_by", "extra", "id", "job_id", "kind", "labels",
                 "live", "name")

    def __init__(self, cloud, kind, resource_id, created_at):
        self.cloud = cloud
        self.kind = kind
        self.id = resource_id
        self.created_at = created_at
        self.ended_at = None
        self.ended_by = None
        self.live = True
        self.name = None
        self.labels = {}
        self.agent_id = None
        self.job_id = None
        self.extra = {}

    def as_dict(self):
        shown = {name: getattr(self, name) for name in
                 ("cloud", "kind", "id", "name", "labels", "agent_id", "job_id", "created_at", "ended_at", "ended_by",
                  "live")}
        shown.update(self.extra)
        return shown


class Ledger:
    def __init__(self, clock, max_calls=MAX_CALLS, max_resources=MAX_RESOURCES):
        self._clock = clock
        self.calls = collections.deque(maxlen=max_calls)
        self._max_resources = max_resources
        self._resources = {}
        self._ended = collections.deque()
        self._sequence = itertools.count(1)
        self.dropped = 0
        self.calls_total = collections.Counter()

    def begin(self, cloud, method, path, query):
        """Opens the record of a call that has just arrived."""
        call = Call(next(self._sequence), cloud, method, path, query, self._clock.now())
        self.calls.append(call)
        self.calls_total[cloud] += 1
        return call

    def end(self, call, status):
        """Closes the record: status is what the client was answered, 0 for nothing."""
        call.status = status
        call.ended_at = self._clock.now()

    def made(self, cloud, kind, resource_id, *, name=None, labels=None, agent_id=None, job_id=None, extra=None):
        """Enters a new resource; answers its record."""
        self._make_room()
        resource = Resource(cloud, kind, resource_id, self._clock.now())
        resource.name = name
        resource.labels = dict(labels or {})
        resource.agent_id = agent_id
        resource.job_id = job_id
        resource.extra = dict(extra or {})
        self._resources[(cloud, kind, resource_id)] = resource
        return resource

    def ended(self, cloud, kind, resource_id, ended_by):
        """Marks a resource as gone. Ending twice keeps the first."""
        resource = self._resources.get((cloud, kind, resource_id))
        if resource is None or not resource.live:
            return
        resource.live = False
        resource.ended_at = self._clock.now()
        resource.ended_by = ended_by
        self._ended.append((cloud, kind, resource.id))

    def find(self, cloud, kind, resource_id):
        """The record of a resource, or None."""
        return self._resources.get((cloud, kind, resource_id))

    def resources(self, **wanted):
        """Records whose attributes equal those given (cloud, live, agent_id, job_id), oldest first."""
        for resource in self._resources.values():
            if all(getattr(resource, name) == value for name, value in wanted.items()):
                yield resource

    def select_calls(self, limit, after=0, **wanted):
        """Up to `limit` calls in order with a sequence above `after`, filtered by attribute."""
        chosen = []
        for call in self.calls:
            if call.sequence <= after:
                continue
            if all(getattr(call, name) == value for name, value in wanted.items()):
                chosen.append(call.as_dict())
                if len(chosen) >= limit:
                    break
        return chosen

    def double_effects(self):
        """{"cloud path key": [sequences]} of calls that took effect twice under one idempotency key; none may."""
        effects = {}
        for call in self.calls:
            if call.idempotency_key is not None and call.effect is not None:
                effects.setdefault(f"{call.cloud} {call.path} {call.idempotency_key}", []).append(call.sequence)
        return {name: sequences for name, sequences in effects.items() if len(sequences) > 1}

    def forget(self, clouds):
        """Drops calls and resources of the clouds named."""
        names = set(clouds)
        kept = [call for call in self.calls if call.cloud not in names]
        self.calls.clear()
        self.calls.extend(kept)
        for name in names:
            self.calls_total.pop(name, None)
        self._resources = {key: value for key, value in self._resources.items() if key[0] not in names}
        self._ended = collections.deque(key for key in self._ended if key in self._resources)

    def _make_room(self):
        while len(self._resources) >= self._max_resources and self._ended:
            if self._resources.pop(self._ended.popleft(), None) is not None:
                self.dropped += 1
