"""Signatures as the senders make them, with Python's own hmac: independent of the C code under test."""

import base64
import hashlib
import hmac
import json
import time


def _bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def stripe_header(secret, body, at=None):
    """Stripe-Signature: the key is the whole whsec_ text."""
    at = int(time.time() if at is None else at)
    mac = hmac.new(_bytes(secret), b"%d." % at + _bytes(body), hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"


def github_header(secret, body):
    """X-Hub-Signature-256 over the raw body."""
    return "sha256=" + hmac.new(_bytes(secret), _bytes(body), hashlib.sha256).hexdigest()


def standard_headers(secret, message_id, body, at=None):
    """Standard Webhooks: the key is the base64 behind whsec_."""
    at = int(time.time() if at is None else at)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{at}.".encode() + _bytes(body)
    mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(at), "webhook-signature": f"v1,{mac}"}


def jwt(secret, subject, lifetime_s=3600, **claims):
    """An HS256 token of the dashboard's user."""
    now = int(time.time())
    header = {"alg": "HS256", "typ": "JWT"}
    payload = {"sub": subject, "iat": now, "exp": now + lifetime_s, **claims}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, payload)]
    signature = hmac.new(_bytes(secret), b".".join(parts), hashlib.sha256).digest()
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()
