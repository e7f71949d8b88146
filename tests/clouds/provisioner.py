"""Simulated app provisioner (a Dokku behind a small API): one app per subscription.

POST /provision {subscriptionId, accountId, tier, limits} is idempotent per subscriptionId; the app's name derives from
it. PUT /update {appName, limits}; DELETE /deprovision {appName}. X-API-Key. Errors: {"error": "..."}.
"""

import dataclasses
import hashlib

from .web import Cloud, Refusal, decode_json, json_reply

TIERS = ("free", "starter", "professional", "enterprise", "unlimited", "solo", "workspace")


@dataclasses.dataclass(slots=True)
class App:
    name: str
    subscription_id: str
    account_id: str
    tier: str
    limits: dict


class Provisioner(Cloud):
    name = "provisioner"

    def __init__(self, simulation):
        super().__init__(simulation)
        self.key = simulation.options.provisioner_api_key
        self.reset()

    def reset(self):
        self.apps = {}

    def routes(self):
        return [
            ("POST", "/provision", self._provision),
            ("PUT", "/update", self._update),
            ("DELETE", "/deprovision", self._deprovision),
            ("GET", "/apps", self._list_apps),
        ]

    def admit(self, request):
        return None if request.headers.get("X-API-Key") == self.key else failure(401, "Unauthorized")

    def error_reply(self, status):
        return failure(status, "Internal server error" if status >= 500 else "Refused")

    def rate_limited_reply(self):
        reply = failure(429, "Too many requests")
        reply.headers["Retry-After"] = "1"
        return reply

    def no_route(self, request, allowed):
        return failure(405, "Method not allowed") if allowed else failure(404, "Not found")

    def _provision(self, request):
        body = self._json(request)
        subscription, account = self._text(body, "subscriptionId"), self._text(body, "accountId")
        tier, limits = self._text(body, "tier"), self._limits(body)
        if tier not in TIERS:
            raise Refusal(failure(400, f"Invalid tier: {tier}"))
        name = app_name(subscription)
        app = self.apps.get(name)
        if app is None:
            if len(self.apps) >= self.settings.app_limit:
                raise Refusal(failure(503, "No capacity"))
            app = App(name, subscription, account, tier, limits)
            self.apps[name] = app
            self.ledger.made("provisioner", "app", name, name=name,
                             extra={"subscription_id": subscription, "account_id": account, "tier": tier})
            request.effect(f"created app {name}")
        elif app.account_id != account:
            raise Refusal(failure(409, "The subscription belongs to another account"))
        return json_reply(200, self.view(app))

    def _update(self, request):
        body = self._json(request)
        app = self._app(body)
        app.limits = self._limits(body)
        request.effect(f"updated app {app.name}")
        return json_reply(200, {"appName": app.name, "limits": app.limits})

    def _deprovision(self, request):
        app = self._app(self._json(request))
        del self.apps[app.name]
        self.ledger.ended("provisioner", "app", app.name, "DELETE")
        request.effect(f"deleted app {app.name}")
        return json_reply(200, {"appName": app.name, "deleted": True})

    def _list_apps(self, request):
        return json_reply(200, {"apps": [{**self.view(app), "subscriptionId": app.subscription_id, "tier": app.tier,
                                          "accountId": app.account_id, "limits": app.limits}
                                         for app in self.apps.values()]})

    def view(self, app):
        """An app as POST /provision answers it."""
        domain = self.settings.domain
        return {"appName": app.name, "subdomain": app.name, "frontendUrl": f"https://{app.name}.{domain}",
                "backendUrl": f"https://api-{app.name}.{domain}"}

    def summary(self):
        return {"live_apps": len(self.apps)}

    def ledger_row(self, resource):
        app = self.apps.get(resource.id)
        return {} if app is None else {"limits": app.limits}

    def _app(self, body):
        name = self._text(body, "appName")
        if name not in self.apps:
            raise Refusal(failure(404, f"App {name} not found"))
        return self.apps[name]

    def _json(self, request):
        body = decode_json(request, lambda message: failure(400, f"Invalid JSON: {message}"))
        if not isinstance(body, dict):
            raise Refusal(failure(400, "The body must be a JSON object"))
        return body

    def _text(self, body, name):
        value = body.get(name)
        if not isinstance(value, str) or not value or len(value) > 255:
            raise Refusal(failure(400, f"Missing or invalid field: {name}"))
        return value

    def _limits(self, body):
        limits = body.get("limits")
        numbers = isinstance(limits, dict) and all(isinstance(value, (int, float)) and not isinstance(value, bool)
                                                   for value in limits.values())
        if not numbers:
            raise Refusal(failure(400, "Missing or invalid field: limits"))
        return dict(limits)


def app_name(subscription_id):
    """sub_1Nx... -> app-<12 hex>: lower case, fit for a host name, the same every time."""
    return f"app-{hashlib.sha256(subscription_id.encode()).hexdigest()[:12]}"


def failure(status, message):
    return json_reply(status, {"error": message})
