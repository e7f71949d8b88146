"""The control port: JSON over HTTP for tests, demo and torture. README.md shows it by example.

Every mistake in a request is answered 400 {"error": "..."} and changes nothing.
"""

import json

from . import stripe_payments
from .faults import FaultError
from .graph import SCOPES, teams_problem
from .runner import PlanError
from .settings import SettingError
from .web import ControlService, Refusal, json_reply, positive

MAX_ROWS = 200_000
# (cloud, kind in the ledger) -> its list in GET /ledger
KINDS = {("hetzner", "server"): "servers", ("tailscale", "device"): "devices", ("tailscale", "key"): "keys",
         ("github", "run"): "runs", ("stripe", "customer"): "customers", ("stripe", "subscription"): "subscriptions",
         ("stripe", "checkout.session"): "checkout_sessions", ("resend", "email"): "emails",
         ("provisioner", "app"): "apps"}
STATUSES = ("initializing", "starting", "running", "stopping", "off", "unknown", "deleted")


class Control(ControlService):
    name = "control"

    def __init__(self, simulation):
        self._simulation = simulation
        super().__init__()

    def routes(self):
        return [
            ("GET", "/healthz", lambda request: json_reply(200, {"status": "healthy"})),
            ("GET", "/ledger", self._ledger),
            ("GET", "/calls", self._calls),
            ("GET", "/summary", lambda request: json_reply(200, self._simulation.summary())),
            ("GET", "/faults", self._list_faults),
            ("POST", "/faults", self._add_fault),
            ("DELETE", "/faults", self._remove_faults),
            ("DELETE", "/faults/{id}", self._remove_faults),
            ("POST", "/reset", self._reset),
            ("GET", "/config", lambda request: json_reply(200, self._simulation.settings.as_dict())),
            ("POST", "/config", self._configure),
            ("GET", "/clock", self._show_clock),
            ("POST", "/clock", self._advance_clock),
            ("GET", "/runner/plan", self._list_plans),
            ("POST", "/runner/plan", self._add_plan),
            ("DELETE", "/runner/plan", self._remove_plans),
            ("GET", "/hetzner/servers", self._list_servers),
            ("POST", "/hetzner/servers/{id}/state", self._set_server),
            ("POST", "/hetzner/fail_actions", self._fail_actions),
            ("POST", "/tailscale/devices", self._add_device),
            ("POST", "/github/webhooks", self._send_webhook),
            ("POST", "/github/webhooks/drop", self._drop_webhooks),
            ("GET", "/resend/emails", self._list_emails),
            ("POST", "/graph/tokens", self._add_token),
            ("DELETE", "/graph/tokens", self._remove_token),
            ("POST", "/stripe/customers", self._add_customer),
            ("POST", "/stripe/subscriptions", self._add_subscription),
            ("POST", "/stripe/events", self._add_event),
            ("POST", "/stripe/checkout/sessions/{id}/complete", self._complete_session),
            ("POST", "/stripe/checkout/sessions/{id}/settle", self._settle_session),
            ("POST", "/stripe/checkout/sessions/{id}/expire", self._expire_session),
        ]

    # The books.

    def _ledger(self, request):
        """Every resource ever made: {"hetzner": {"servers": [...]}, ...}; each with its record and present state."""
        query = request.query
        wanted = {name: query[name] for name in ("cloud", "agent_id", "job_id") if name in query}
        if "live" in query:
            wanted["live"] = query["live"] in ("true", "1")
        shown = {"dropped": self._simulation.ledger.dropped}
        for cloud, kind in KINDS:
            shown.setdefault(cloud, {})[KINDS[cloud, kind]] = []
        for resource in self._simulation.ledger.resources(**wanted):
            row = {**resource.as_dict(), **self._simulation.clouds[resource.cloud].ledger_row(resource)}
            shown[resource.cloud][KINDS[resource.cloud, resource.kind]].append(row)
        return json_reply(200, shown)

    def _calls(self, request):
        query = request.query
        wanted = {name: query[name] for name in ("cloud", "method", "client", "path", "idempotency_key", "fault")
                  if name in query}
        after = positive(query.get("after"), 0)
        limit = positive(query.get("limit"), MAX_ROWS, MAX_ROWS)
        return json_reply(200, self._simulation.ledger.select_calls(limit, after, **wanted))

    # Faults.

    def _list_faults(self, request):
        return json_reply(200, {"faults": self._simulation.faults.as_list()})

    async def _add_fault(self, request):
        try:
            fault = self._simulation.faults.add(self._json(request))
        except FaultError as error:
            raise bad(str(error)) from error
        if fault.kind == "down":
            await self._simulation.take_down(fault.cloud, fault.ms)
        return json_reply(201, fault.as_dict())

    async def _remove_faults(self, request):
        number = request.arguments.get("id")
        if number is not None and not number.isdigit():
            raise bad("the id of a fault is a number")
        removed = self._simulation.faults.remove(request.query.get("cloud"), None if number is None else int(number))
        if number is not None and not removed:
            raise Refusal(json_reply(404, {"error": f"no fault {number}"}))
        for name in {fault.cloud for fault in removed if fault.kind == "down"}:
            await self._simulation.bring_back(name)
        return json_reply(200, {"removed": [fault.as_dict() for fault in removed]})

    # The whole.

    async def _reset(self, request):
        body = self._json(request) if request.body else {}
        known = list(self._simulation.clouds)
        names = body.get("clouds", known)
        if not isinstance(names, list) or set(names) - set(known):
            raise bad(f"clouds must be a list of {', '.join(known)}")
        await self._simulation.reset(names, keep_config=body.get("keep_config") is True)
        return json_reply(200, {"reset": names})

    def _configure(self, request):
        try:
            self._simulation.settings.update(self._json(request))
        except SettingError as error:
            raise bad(str(error)) from error
        return json_reply(200, self._simulation.settings.as_dict())

    def _show_clock(self, request):
        return json_reply(200, {"now": self._simulation.clock.now()})

    def _advance_clock(self, request):
        amount_ms = self._json(request).get("advance_ms")
        if isinstance(amount_ms, bool) or not isinstance(amount_ms, (int, float)) or amount_ms < 0:
            raise bad("advance_ms must be a number of milliseconds")
        self._simulation.clock.advance(amount_ms)
        return self._show_clock(request)

    # The runner.

    def _list_plans(self, request):
        return json_reply(200, {"plans": [plan.as_dict() for plan in self._simulation.runner.plans]})

    def _add_plan(self, request):
        try:
            return json_reply(201, self._simulation.runner.add_plan(self._json(request)).as_dict())
        except PlanError as error:
            raise bad(str(error)) from error

    def _remove_plans(self, request):
        self._simulation.runner.plans.clear()
        return self._list_plans(request)

    # One cloud each.

    def _list_servers(self, request):
        hetzner = self._simulation.hetzner
        return json_reply(200, {"servers": [hetzner.view(server) for server in hetzner.servers.values()]})

    def _set_server(self, request):
        hetzner, number = self._simulation.hetzner, request.arguments["id"]
        server = hetzner.servers.get(int(number)) if number.isdigit() else None
        if server is None:
            raise Refusal(json_reply(404, {"error": f"no server {number}"}))
        body = self._json(request)
        if set(body) - {"status", "acpi_ms", "locked", "gone"}:
            raise bad("a state is an object of status, acpi_ms, locked, gone")
        if "status" in body and body["status"] not in STATUSES:
            raise bad(f"status must be one of {', '.join(STATUSES)}")
        acpi_ms = body.get("acpi_ms")
        if acpi_ms is not None and (isinstance(acpi_ms, bool) or not isinstance(acpi_ms, (int, float)) or acpi_ms < 0):
            raise bad("acpi_ms must be a number of milliseconds, or null for never")
        if "acpi_ms" in body:
            server.acpi_ms = acpi_ms
        if "locked" in body:
            server.held_locked = body["locked"] is True
        if body.get("status", "deleted") != "deleted":
            hetzner.set_status(server, body["status"])
        if body.get("gone") is True or body.get("status") == "deleted":
            hetzner.remove(server, "control")
        return json_reply(200, {"server": hetzner.view(server)})

    def _fail_actions(self, request):
        body = self._json(request)
        command, times = body.get("command"), body.get("times", 1)
        if not isinstance(command, str) or isinstance(times, bool) or not isinstance(times, int) or times < 1:
            raise bad("command (such as start_server) and times (>= 1) are needed")
        failures = self._simulation.hetzner.action_failures
        if len(failures) >= 1000:
            raise bad("there are 1000 planned failures already")
        failures.append({"command": command, "times": times, "code": body.get("code", "action_failed"),
                         "message": body.get("message", "Action failed")})
        return json_reply(201, failures[-1])

    def _add_device(self, request):
        body, tailscale = self._json(request), self._simulation.tailscale
        hostname = body.get("hostname")
        if not isinstance(hostname, str) or not hostname:
            raise bad("hostname is needed")
        if not _texts(body.get("tags", [])) or not isinstance(body.get("key", ""), str):
            raise bad("tags must be a list of text, key text")
        if "key" in body:
            problem = tailscale.join_with_key(body["key"], hostname)
            if problem is not None:
                raise bad(problem)
            return json_reply(201, tailscale.view(list(tailscale.devices.values())[-1]))
        device = tailscale.join(hostname, body.get("tags", ["tag:agent"]), body.get("ephemeral", True) is True)
        if device is None:
            raise bad("too many devices")
        return json_reply(201, tailscale.view(device))

    def _send_webhook(self, request):
        body = self._json(request)
        if not isinstance(body.get("event"), str) or not isinstance(body.get("payload"), dict):
            raise bad("event and payload are needed")
        delivery = self._simulation.hooks.emit(body["event"], body["payload"])
        if delivery is None:
            raise bad("no webhook is set up: start with --ingress-url and --github-webhook-secret")
        return json_reply(202, delivery.view())

    def _drop_webhooks(self, request):
        times = self._json(request).get("times", 1)
        if isinstance(times, bool) or not isinstance(times, int) or times < 0:
            raise bad("times must be a number")
        self._simulation.hooks.drop_next = times
        return json_reply(200, {"drop_next": times})

    def _list_emails(self, request):
        return json_reply(200, {"emails": list(self._simulation.resend.emails.values())})

    def _add_token(self, request):
        body = self._json(request)
        scopes, lifetime_s = body.get("scopes", list(SCOPES)), body.get("lifetime_s", 3600)
        problem = teams_problem(body.get("teams"))
        if not _texts([body.get("token")]) or not body["token"]:
            problem = "token must be text"
        elif not _texts(scopes) or set(scopes) - set(SCOPES):
            problem = f"scopes must be a list of {', '.join(SCOPES)}"
        elif isinstance(lifetime_s, bool) or not isinstance(lifetime_s, int) or lifetime_s < 1:
            problem = "lifetime_s must be a positive number of seconds"
        if problem is not None:
            raise bad(problem)
        self._simulation.graph.register(body["token"], body["teams"], scopes, lifetime_s)
        return json_reply(201, {"teams": len(body["teams"])})

    def _remove_token(self, request):
        if not self._simulation.graph.revoke(self._json(request).get("token")):
            raise Refusal(json_reply(404, {"error": "no such token"}))
        return json_reply(200, {})

    def _add_customer(self, request):
        body = self._json(request)
        fields = {name: body[name] for name in ("email", "name") if name in body}
        if not _texts([*fields.values(), body.get("id", "")]):
            raise bad("id, email and name must be text")
        return json_reply(201, self._simulation.stripe.make_customer(fields, self._metadata(body), body.get("id")))

    def _add_subscription(self, request):
        body = self._json(request)
        if not isinstance(body.get("customer"), str):
            raise bad("customer is needed")
        self._metadata(body)
        times = [body[name] for name in ("current_period_start", "current_period_end", "trial_end") if name in body]
        if (not _texts(body.get("prices", [])) or not _texts([body.get("id", ""), body.get("status", "")])
                or not all(isinstance(moment, int) for moment in times)):
            raise bad("prices must be a list of text, id and status text, times Unix seconds")
        return json_reply(201, self._simulation.stripe.make_subscription(body))

    def _add_event(self, request):
        body = self._json(request)
        if not isinstance(body.get("type"), str) or not isinstance(body.get("object"), dict):
            raise bad("type and object are needed")
        created = body.get("created")
        if created is not None and (isinstance(created, bool) or not isinstance(created, int)):
            raise bad("created must be Unix seconds")
        event = self._simulation.stripe.emit(body["type"], body["object"], body.get("previous_attributes"),
                                             event_id=body.get("id"), created=created,
                                             delivered=body.get("delivered", True) is True)
        return json_reply(201, event)

    def _complete_session(self, request):
        body = self._json(request) if request.body else {}
        settled = body.get("settled", True)
        if not isinstance(settled, bool) or not _texts([body.get("email") or ""]):
            raise bad("email must be text, settled true or false")
        done = stripe_payments.pay(self._simulation.stripe, request.arguments["id"], body.get("email"), settled)
        return _payment_reply(done, "no open session of this id")

    def _settle_session(self, request):
        succeeded = self._json(request).get("succeeded")
        if not isinstance(succeeded, bool):
            raise bad("succeeded must be true or false")
        done = stripe_payments.settle(self._simulation.stripe, request.arguments["id"], succeeded)
        return _payment_reply(done, "no session of this id waits for its payment")

    def _expire_session(self, request):
        done = stripe_payments.leave(self._simulation.stripe, request.arguments["id"])
        return _payment_reply(done, "no open session of this id")

    # Helpers.

    def _metadata(self, body):
        metadata = body.get("metadata", {})
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise bad("metadata must be an object of strings")
        return metadata

    def _json(self, request):
        try:
            body = json.loads(request.body)
        except ValueError as error:
            raise bad(f"not JSON: {error}") from error
        if not isinstance(body, dict):
            raise bad("a JSON object is needed")
        return body


def _payment_reply(done, problem):
    if done is None:
        raise bad(problem)
    return json_reply(200, done)


def _texts(value):
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def bad(message):
    return Refusal(json_reply(400, {"error": message}))
