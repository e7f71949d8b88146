"""Simulated Resend (api.resend.com): POST /emails, and nothing else.

Invariant: one Idempotency-Key accepts one e-mail in 24 hours; the same key and payload answers the same id.
"""

import collections
import contextlib
import hashlib
import json
import re
import uuid

from .idempotency import IdempotencyKeys
from .web import Cloud, Refusal, Reply, decode_json, json_reply

DAY_S = 24 * 3600
MAX_EMAILS = 100_000
MAX_RECIPIENTS = 50
ADDRESS = re.compile(r"[^\s@<>,]+@[^\s@<>,.]+(\.[^\s@<>,.]+)+")
SENDER = re.compile(rf"(?:[^<>]*<({ADDRESS.pattern})>|({ADDRESS.pattern}))")
ADDRESS_FORM = "The email address needs to follow the `email@example.com` or `Name <email@example.com>` format."
TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")


class Resend(Cloud):
    name = "resend"

    def __init__(self, simulation):
        super().__init__(simulation)
        self.key = simulation.options.resend_api_key
        self._idempotency = IdempotencyKeys(self.clock, DAY_S)
        self.reset()

    def reset(self):
        self.emails = collections.OrderedDict()
        self._idempotency.clear()
        self._second = 0
        self._in_second = 0
        self._day = 0
        self._in_day = 0

    def routes(self):
        return [("POST", "/emails", self._send)]

    def admit(self, request):
        if not request.headers.get("User-Agent"):
            return Reply(403, b"error code: 1010", {"Content-Type": "text/plain"})
        if not request.headers.get("Authorization"):
            return failure(401, "missing_api_key", "Missing API key in the authorization header.")
        if request.bearer() != self.key:
            return failure(403, "invalid_api_key", "API key is invalid.")
        second = int(self.clock.now())
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        limit = self.settings.rate_limit_per_s
        return self.rate_limited_reply() if limit and self._in_second > limit else None

    def decorate(self, request, reply):
        limit = self.settings.rate_limit_per_s
        if limit:
            reply.headers.setdefault("ratelimit-limit", str(limit))
            reply.headers.setdefault("ratelimit-remaining", str(max(0, limit - self._in_second)))
            reply.headers.setdefault("ratelimit-reset", "1")

    def rate_limited_reply(self):
        limit = self.settings.rate_limit_per_s or 10
        reply = failure(429, "rate_limit_exceeded", f"Too many requests. You can only make {limit} requests per second."
                                                    " See rate limit response headers for more information.")
        reply.headers.update({"retry-after": "1", "ratelimit-remaining": "0"})
        return reply

    def error_reply(self, status):
        name = {400: "validation_error", 401: "restricted_api_key", 403: "invalid_api_key", 404: "not_found",
                405: "method_not_allowed", 409: "concurrent_idempotent_requests", 422: "invalid_parameter",
                429: "daily_quota_exceeded", 500: "internal_server_error"}.get(status, "application_error")
        return failure(status, name, "Something went wrong.")

    def no_route(self, request, allowed):
        if allowed:
            return failure(405, "method_not_allowed", "Method is not allowed for the requested path.")
        return failure(404, "not_found", "The requested endpoint does not exist.")

    def idempotency_key(self, request):
        return request.headers.get("Idempotency-Key")

    async def execute(self, request):
        key = self.idempotency_key(request)
        if key is None or request.path != "/emails" or request.method != "POST":
            return await super().execute(request)
        if not 1 <= len(key) <= 256:
            return failure(400, "invalid_idempotency_key", "The key must be between 1-256 chars.")
        fingerprint = content_hash(request.body)
        entry = self._idempotency.find(key)
        if entry is None:
            entry = self._idempotency.begin(key, "/emails", fingerprint)
            return await self.detach(self._first_time(request, key, entry))
        if entry.fingerprint != fingerprint:
            return failure(409, "invalid_idempotent_request",
                           "Same idempotency key used with a different request payload.")
        if entry.reply is None:
            return failure(409, "concurrent_idempotent_requests",
                           "Same idempotency key used while original request is still in progress.")
        return Reply(entry.reply.status, entry.reply.payload, {"Content-Type": "application/json; charset=utf-8"})

    async def _first_time(self, request, key, entry):
        try:
            reply = await super().execute(request)
        except BaseException:
            self._idempotency.release(key)
            raise
        if reply.status >= 400:
            self._idempotency.release(key)
        else:
            entry.reply = Reply(reply.status, reply.payload)
        return reply

    def _send(self, request):
        body = decode_json(request, lambda message: failure(400, "validation_error", f"Invalid JSON: {message}"))
        if not isinstance(body, dict):
            raise Refusal(failure(400, "validation_error", "The body must be a JSON object."))
        self._check(body)
        self._spend_quota()
        while len(self.emails) >= MAX_EMAILS:
            self.emails.popitem(last=False)
        email_id = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        key = self.idempotency_key(request)
        self.emails[email_id] = {
            "id": email_id, "idempotency_key": key, "at": self.clock.now(), "from": body["from"],
            "to": recipients(body["to"]), "subject": body["subject"], "text": body.get("text"),
            "html": body.get("html"), "tags": body.get("tags", []), "content": content_hash(request.body)}
        self.ledger.made("resend", "email", email_id, name=body["subject"], job_id=key,
                         extra={"to": recipients(body["to"]), "idempotency_key": key})
        self.ledger.ended("resend", "email", email_id, "sent")
        request.effect(f"sent {email_id}")
        return json_reply(200, {"id": email_id})

    def _check(self, body):
        """Refuses what Resend refuses."""
        for name in ("from", "to", "subject"):
            if not body.get(name):
                raise Refusal(failure(422, "missing_required_field", f"Missing `{name}` field."))
        if not any(body.get(name) for name in ("html", "text", "template")):
            raise Refusal(failure(422, "missing_required_field", "Missing `html` or `text` field."))
        sender = SENDER.fullmatch(body["from"]) if isinstance(body["from"], str) else None
        if sender is None:
            raise Refusal(failure(422, "invalid_from_address", f"Invalid `from` field. {ADDRESS_FORM}"))
        if not isinstance(body["subject"], str):
            raise Refusal(failure(422, "invalid_parameter", "The `subject` field must be a string."))
        for name in ("to", "cc", "bcc", "reply_to"):
            self._check_addresses(name, body.get(name))
        for tag in body.get("tags") or []:
            if not isinstance(tag, dict) or not (TAG.fullmatch(str(tag.get("name", "")))
                                                 and TAG.fullmatch(str(tag.get("value", "")))):
                raise Refusal(failure(422, "invalid_parameter", "Tags should only contain ASCII letters, numbers, "
                                                                "underscores, or dashes."))
        headers = body.get("headers", {})
        if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
            raise Refusal(failure(422, "invalid_parameter", "The `headers` field must be an object of strings."))
        domain = (sender[1] or sender[3]).rpartition("@")[2]
        if self.settings.verified_domains is not None and domain not in self.settings.verified_domains:
            raise Refusal(failure(403, "validation_error", f"The {domain} domain is not verified. Please, add and "
                                                           "verify your domain on https://resend.com/domains"))

    def _check_addresses(self, name, value):
        if value is None:
            return
        addresses = recipients(value)
        if len(addresses) > MAX_RECIPIENTS:
            raise Refusal(failure(422, "invalid_parameter", f"The `{name}` field can have at most 50 addresses."))
        if not addresses or not all(isinstance(each, str) and SENDER.fullmatch(each) for each in addresses):
            raise Refusal(failure(422, "validation_error", f"Invalid `{name}` field. {ADDRESS_FORM}"))

    def _spend_quota(self):
        day = int(self.clock.now()) // DAY_S
        if day != self._day:
            self._day, self._in_day = day, 0
        quota = self.settings.daily_quota
        if quota is not None and self._in_day >= quota:
            raise Refusal(failure(429, "daily_quota_exceeded", "You have reached your daily email sending quota."))
        self._in_day += 1

    def summary(self):
        keys = collections.Counter(email["idempotency_key"] for email in self.emails.values()
                                   if email["idempotency_key"] is not None)
        contents = {email["content"] for email in self.emails.values()}
        return {"emails": len(self.emails), "same_content": len(self.emails) - len(contents),
                "unkeyed": sum(email["idempotency_key"] is None for email in self.emails.values()),
                "double_keys": {key: count for key, count in keys.items() if count > 1}}


def recipients(value):
    return value if isinstance(value, list) else [value]


def content_hash(body):
    """The payload's identity: the parsed JSON where it parses, so that key order doesn't count."""
    with contextlib.suppress(ValueError):
        body = json.dumps(json.loads(body), sort_keys=True).encode()
    return hashlib.sha256(body).hexdigest()


def failure(status, name, message):
    return json_reply(status, {"statusCode": status, "name": name, "message": message})
