"""Senders as the real ones are: they sign each attempt anew, keep connections open, and try again until a 2xx.

A Delivery is what one of them wants to be known: it does not know of Sluice, nor how often it was sent. Raw HTTP/1.1 over
asyncio, because the load must leave the machine to what is under it. Everything here runs on one event loop.
"""

import asyncio
import base64
import dataclasses
import hmac
import itertools
import json
import time
from urllib.parse import urlsplit

from kit import signing

from .bodies import sha256_of

ANSWER_TIMEOUT_S = 12  # ingress answers after 8 s at the latest
CONNECT_TIMEOUT_S = 3
AT_ONCE_MAX = 200  # attempts under way; the others wait for one to end, as behind a sender's own limits
ANSWER_BYTES_MAX = 1 << 20
NO_ANSWER = 0
TOKEN_LIFETIME_S = 6 * 3600


@dataclasses.dataclass(slots=True)
class Delivery:
    """One event of the outside. `path` and `method` are the REST door's; `key` is whose order it wants to be in."""

    source: str
    id: str
    type: str
    user: str | None
    key: str
    body: bytes
    path: str
    method: str = "POST"
    wait_s: int = 0  # asks for the outcome
    email: str | None = None  # of the token
    attempts: int = 0
    is_promised: bool = False

    @property
    def sha256(self):
        """Of the body that must stand in the log; None where ingress makes the document itself."""
        return None if self.source == "/api" else sha256_of(self.type, self.body)


@dataclasses.dataclass(slots=True)
class Answer:
    """What came back: status 0 for nothing. `receipt` is where Kafka has it; `outcome` what was decided, if told."""

    status: int
    receipt: str | None = None
    outcome: dict | None = None

    @property
    def is_accepted(self):
        """A 2xx; or what was decided, with its own status."""
        return self.status in range(200, 300) or self.outcome is not None

    @property
    def is_final(self):
        """Whether its sender is content: it was accepted, or refused so that more of the same won't change it."""
        return self.is_accepted or 400 <= self.status < 500 and self.status not in (408, 429)


class Signer:
    """The headers of an attempt, by the source's scheme; secrets are the system's."""

    def __init__(self, env):
        self._stripe = env["STRIPE_WEBHOOK_SECRET"].split(",")[0]
        self._dashboard = base64.b64decode(env["DASHBOARD_WEBHOOK_SECRET"].split(",")[0].removeprefix("whsec_"))
        self._callback = env["GITHUB_CALLBACK_SECRET"].split(",")[0]
        self._jwt = env["SLUICE_JWT_SECRET"].split(",")[0]
        self._tokens = {}

    def headers(self, delivery, now_s):
        headers = getattr(self, "_of_" + SCHEMES[delivery.source])(delivery, int(now_s))
        if delivery.wait_s:
            headers.append(("Prefer", f"wait={delivery.wait_s}"))
        return headers

    def _of_stripe(self, delivery, now_s):
        return [("Stripe-Signature", signing.stripe_header(self._stripe, delivery.body, now_s))]

    def _of_dashboard(self, delivery, now_s):
        mac = hmac.digest(self._dashboard, f"{delivery.id}.{now_s}.".encode() + delivery.body, "sha256")
        return [("webhook-id", delivery.id), ("webhook-timestamp", str(now_s)),
                ("webhook-signature", "v1," + base64.b64encode(mac).decode())]

    def _of_callback(self, delivery, _now_s):
        return [("X-Hub-Signature-256", signing.github_header(self._callback, delivery.body))]

    def _of_api(self, delivery, _now_s):
        whose = delivery.user, delivery.email
        if whose not in self._tokens:
            claims = {"email": delivery.email} if delivery.email else {}
            self._tokens[whose] = signing.jwt(self._jwt, delivery.user, TOKEN_LIFETIME_S, **claims)
        key = delivery.id.removeprefix(f"{delivery.user}:")
        return [("Authorization", f"Bearer {self._tokens[whose]}"), ("Idempotency-Key", key)]


SCHEMES = {"/webhooks/stripe": "stripe", "/webhooks/dashboard": "dashboard", "/webhooks/github/callback": "callback",
           "/api": "api"}


class Door:
    """Ingress as a load balancer shows it: some of the instances, changing; each attempt goes to the next one."""

    def __init__(self, urls):
        self._urls = urls  # callable
        self._turn = itertools.count()
        self._idle = {}
        self._room = asyncio.Semaphore(AT_ONCE_MAX)

    async def send(self, method, path, headers, body):
        """One attempt; gives an Answer, status 0 when there was none in time. `headers` makes them when it goes out."""
        async with self._room:
            return await self._send(method, path, headers, body)

    async def _send(self, method, path, headers, body):
        urls = self._urls()
        if not urls:
            return Answer(NO_ANSWER)
        parts = urlsplit(urls[next(self._turn) % len(urls)])
        place = parts.hostname, parts.port
        lines = [f"{method} {path} HTTP/1.1", f"Host: {parts.netloc}", "Content-Type: application/json",
                 f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers()), "", ""]
        request = "\r\n".join(lines).encode() + body
        try:
            return await asyncio.wait_for(self._exchange(place, request), ANSWER_TIMEOUT_S)
        except (OSError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError, ValueError):
            return Answer(NO_ANSWER)

    async def _exchange(self, place, request):
        idle = self._idle.setdefault(place, [])
        if idle:
            reader, writer = idle.pop()
        else:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(*place), CONNECT_TIMEOUT_S)
        is_whole = False
        try:
            writer.write(request)
            answer, keeps = await read_answer(reader)
            is_whole = keeps
        finally:
            if not is_whole:
                writer.close()
        if is_whole:
            idle.append((reader, writer))
        return answer

    def close(self):
        for idle in self._idle.values():
            for _reader, writer in idle:
                writer.close()
        self._idle.clear()


async def read_answer(reader):
    """(Answer, whether the connection may be used again)."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(head[0].split(" ", 2)[1])
    fields = {}
    for line in head[1:]:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    length = int(fields.get("content-length", "0"))
    if length > ANSWER_BYTES_MAX:
        raise ValueError("an answer of that size is none of ours")
    body = await reader.readexactly(length) if length else b""
    return (Answer(status, fields.get("sluice-receipt"), outcome_of(body)),
            fields.get("connection", "keep-alive").lower() != "close")


def outcome_of(body):
    """The outcome that an answer carries, or None: {"result", "errorCode"}."""
    if b'"result"' not in body:
        return None
    document = json.loads(body)
    told = document.get("outcome", document)
    return {name: told.get(name) for name in ("result", "errorCode")}


@dataclasses.dataclass(frozen=True)
class Patience:
    """How a sender tries again: back-off doubles from first_s to cap_s, each with jitter."""

    first_s: float = 0.3
    cap_s: float = 8.0

    def pause_s(self, attempt, rng):
        return min(self.cap_s, self.first_s * 2 ** min(attempt, 20)) * rng.uniform(0.5, 1.0)


class Senders:
    """Sends deliveries until each has its end; tells every attempt's end to `record(delivery, answer, is_retry)`."""

    def __init__(self, door, signer, record, rng, patience=Patience()):
        self._door, self._signer, self._record, self._rng, self._patience = door, signer, record, rng, patience
        self._closing = asyncio.Event()

    def give_up(self):
        """Those that wait for their next attempt make it no more."""
        self._closing.set()

    async def _attempt(self, delivery, is_again):
        delivery.attempts += 1
        answer = await self._door.send(delivery.method, delivery.path,
                                       lambda: self._signer.headers(delivery, time.time()), delivery.body)
        delivery.is_promised = delivery.is_promised or answer.is_accepted
        self._record(delivery, answer, is_again)
        return answer

    async def deliver(self, delivery):
        """Until it has its end; False when the sender gave up."""
        for number in itertools.count():
            answer = await self._attempt(delivery, number > 0)
            if answer.is_final:
                return True
            try:
                await asyncio.wait_for(self._closing.wait(), self._patience.pause_s(number, self._rng))
                return False
            except asyncio.TimeoutError:
                continue
        return False
