"""GitHub's webhook of the repository: signed deliveries to the ingress, kept so that they can be asked for again.

As the real one: 2xx within 10 s counts as delivered, nothing is retried by itself, a redelivery keeps its GUID and
works for three days. Without --ingress-url or a secret nothing is sent.
"""

import asyncio
import collections
import dataclasses
import hashlib
import hmac
import itertools
import json
import uuid

import aiohttp

from .clock import iso_millis

MAX_DELIVERIES = 20_000
TIMEOUT_S = 10
CURSOR = "v1_"
REDELIVER_S = 3 * 24 * 3600
ACTIONS = {"requested": "requested", "in_progress": "in_progress", "completed": "completed"}


@dataclasses.dataclass(slots=True)
class Delivery:
    id: int
    guid: str
    event: str
    action: str | None
    body: bytes
    delivered_at: float
    redelivery: bool
    status_code: int = 0
    status: str = "pending"
    duration_s: float = 0.0

    @property
    def succeeded(self):
        return 200 <= self.status_code < 300

    def view(self, whole=False):
        shown = {"id": self.id, "guid": self.guid, "delivered_at": iso_millis(self.delivered_at),
                 "redelivery": self.redelivery, "duration": round(self.duration_s, 3), "status": self.status,
                 "status_code": self.status_code, "event": self.event, "action": self.action,
                 "installation_id": None, "repository_id": 1, "throttled_at": None}
        if whole:
            shown["request"] = {"headers": {"X-GitHub-Delivery": self.guid, "X-GitHub-Event": self.event},
                                "payload": json.loads(self.body)}
            shown["response"] = {"headers": {}, "payload": ""}
        return shown


class Hooks:
    HOOK_ID = 420_001

    def __init__(self, simulation):
        self._simulation = simulation
        self._clock = simulation.clock
        self._tasks = set()
        self._ids = itertools.count(10_000_000_001)
        self.reset()

    def reset(self):
        self._deliveries = collections.OrderedDict()
        self.drop_next = 0  # so many deliveries are lost on their way (recorded as failed)

    @property
    def url(self):
        base = self._simulation.options.ingress_url
        return f"{base.rstrip('/')}/webhooks/github" if base else None

    def hook_views(self):
        return [{"id": self.HOOK_ID, "name": "web", "type": "Repository", "active": True, "events": ["workflow_run"],
                 "config": {"url": self.url or "", "content_type": "json", "insecure_ssl": "0"}}]

    def workflow_run(self, run, status):
        """Tells of a run's change, where webhooks are wanted at all."""
        if not self._simulation.settings.github.webhooks or not self._simulation.options.github_webhook_secret:
            return
        github = self._simulation.github
        view = github.view(run)
        action = "requested" if status == "queued" else status
        self.emit("workflow_run", {"action": ACTIONS[action], "workflow_run": view,
                                   "workflow": {"id": view["workflow_id"], "name": view["name"], "path": view["path"]},
                                   "repository": github.repository_view(), "sender": view["actor"]})

    def emit(self, event, payload):
        """Delivers an event. Answers the Delivery, or None where no webhook is set up."""
        if self.url is None or not self._simulation.options.github_webhook_secret:
            return None
        body = json.dumps(payload, separators=(",", ":")).encode()
        return self._deliver(str(uuid.UUID(int=self._simulation.random.getrandbits(128), version=4)), event,
                             payload.get("action"), body, redelivery=False)

    def redeliver(self, delivery):
        """Sends a delivery again, under the same GUID. False when it is too old."""
        if self._clock.now() - delivery.delivered_at > REDELIVER_S:
            return False
        self._deliver(delivery.guid, delivery.event, delivery.action, delivery.body, redelivery=True)
        return True

    def find(self, number):
        return self._deliveries.get(int(number)) if number.isdigit() else None

    def page(self, status, cursor, per_page):
        """(views newest first, cursor of the next page or None); what is in the cursor is nobody's business outside."""
        below = int(cursor.removeprefix(CURSOR)) if cursor else None
        shown = []
        for delivery in reversed(self._deliveries.values()):
            if below is not None and delivery.id >= below:
                continue
            if status is not None and delivery.succeeded != (status == "success"):
                continue
            if len(shown) == per_page:
                return shown, f"{CURSOR}{shown[-1]['id']}"
            shown.append(delivery.view())
        return shown, None

    def _deliver(self, guid, event, action, body, redelivery):
        while len(self._deliveries) >= MAX_DELIVERIES:
            self._deliveries.popitem(last=False)
        delivery = Delivery(next(self._ids), guid, event, action, body, self._clock.now(), redelivery)
        self._deliveries[delivery.id] = delivery
        if self.drop_next > 0:
            self.drop_next -= 1
            delivery.status_code, delivery.status = 504, "timed out"
            return delivery
        task = asyncio.ensure_future(self._send(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return delivery

    async def _send(self, delivery):
        secret = self._simulation.options.github_webhook_secret.encode()
        headers = {
            "Content-Type": "application/json", "User-Agent": "GitHub-Hookshot/5ca1ab1e", "Accept": "*/*",
            "X-GitHub-Event": delivery.event, "X-GitHub-Delivery": delivery.guid,
            "X-GitHub-Hook-ID": str(self.HOOK_ID), "X-GitHub-Hook-Installation-Target-ID": "1",
            "X-GitHub-Hook-Installation-Target-Type": "repository",
            "X-Hub-Signature": "sha1=" + hmac.new(secret, delivery.body, hashlib.sha1).hexdigest(),
            "X-Hub-Signature-256": "sha256=" + hmac.new(secret, delivery.body, hashlib.sha256).hexdigest()}
        try:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
            async with self._simulation.http.post(self.url, data=delivery.body, headers=headers,
                                                  timeout=timeout) as answer:
                await answer.read()
                delivery.status_code = answer.status
                delivery.status = "OK" if delivery.succeeded else f"Invalid HTTP Response: {answer.status}"
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            delivery.status_code = 504 if isinstance(error, asyncio.TimeoutError) else 502
            delivery.status = "timed out" if delivery.status_code == 504 else "failed to connect to host"
        delivery.duration_s = self._clock.now() - delivery.delivered_at

    async def stop(self):
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def summary(self):
        failed = sum(not delivery.succeeded for delivery in self._deliveries.values() if delivery.status != "pending")
        return {"deliveries": len(self._deliveries), "failed_deliveries": failed}
