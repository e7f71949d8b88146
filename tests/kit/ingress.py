"""A sender of everything that ingress takes: webhooks, callbacks, commands; signed with the system's secrets."""

import json
import time
import uuid

import requests

from . import signing

TIMEOUT_S = 40


class Ingress:
    """Talks to one ingress. Every method gives the `requests.Response`."""

    def __init__(self, env):
        self.url = env["SLUICE_INGRESS_URL"]
        self.env = env
        self.session = requests.Session()

    def post(self, path, body, headers=None, timeout_s=TIMEOUT_S):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.session.post(self.url + path, data=data, headers=headers or {}, timeout=timeout_s)

    def stripe(self, event, at=None, path="/webhooks/stripe"):
        body = json.dumps(event).encode()
        secret = self.env["STRIPE_WEBHOOK_SECRET"].split(",")[0]
        headers = {"Content-Type": "application/json", "Stripe-Signature": signing.stripe_header(secret, body, at)}
        return self.post(path, body, headers)

    def github(self, event_type, document, delivery=None):
        body = json.dumps(document).encode()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event_type,
            "X-GitHub-Delivery": delivery or str(uuid.uuid4()),
            "X-Hub-Signature-256": signing.github_header(self.env["GITHUB_WEBHOOK_SECRET"], body),
        }
        return self.post("/webhooks/github", body, headers)

    def callback(self, job_id, status, run_id, user_id=None, wait_s=None, **more):
        document = {"job_id": job_id, "status": status, "run_id": run_id, "timestamp": time.time_ns() // 10**9, **more}
        # two beats in one second are two events
        document.setdefault("nonce", uuid.uuid4().hex)
        body = json.dumps(document).encode()
        headers = {
            "Content-Type": "application/json",
            "X-Hub-Signature-256": signing.github_header(self.env["GITHUB_CALLBACK_SECRET"], body),
        }
        if wait_s:
            headers["Prefer"] = f"wait={wait_s}"
        query = f"?user={user_id}" if user_id else ""
        return self.post("/api/webhooks/github" + query, body, headers)

    def dashboard(self, command_type, data, message_id=None, at=None, wait_s=None):
        document = {"type": command_type, "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "data": data}
        body = json.dumps(document).encode()
        headers = signing.standard_headers(
            self.env["DASHBOARD_WEBHOOK_SECRET"].split(",")[0], message_id or f"msg_{uuid.uuid4().hex}", body, at)
        headers["Content-Type"] = "application/json"
        if wait_s:
            headers["Prefer"] = f"wait={wait_s}"
        return self.post("/webhooks/dashboard", body, headers)

    def api(self, user_id, path, data=None, wait_s=10, key=None, method="POST", **claims):
        """A REST command of the user's own token, waiting for its outcome unless `wait_s` is 0."""
        token = signing.jwt(self.env["SLUICE_JWT_SECRET"], user_id, **claims)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        if wait_s:
            headers["Prefer"] = f"wait={wait_s}"
        if key:
            headers["Idempotency-Key"] = key
        return self.session.request(method, self.url + path, data=json.dumps(data or {}), headers=headers,
                                    timeout=TIMEOUT_S)

    def metrics(self):
        """{'name{labels}': value} of /metrics."""
        text = self.session.get(self.url + "/metrics", timeout=TIMEOUT_S).text
        return parse_metrics(text)


def parse_metrics(text):
    values = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            values[name] = float(value)
    return values
