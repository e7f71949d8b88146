"""Simulated Hetzner Cloud (api.hetzner.cloud/v1): servers, their actions, the rate limit.

Invariants: a name belongs to at most one server; a server with an unfinished action is locked (423); a server that is
being deleted stays visible, with its name taken, until its delete_server action ends. Booting a server whose user_data
holds a Tailscale auth key makes a device join. Told by: the HTTP API, and control (control.py).
"""

import dataclasses
import itertools
import math
import re
import secrets

from . import hetzner_rules as rules
from .clock import iso_offset
from .web import Cloud, Refusal, decode_json, json_reply, next_link, positive

MAX_ACTIONS = 200_000
AUTH_KEY = re.compile(r"tskey-auth-[A-Za-z0-9-]+")


@dataclasses.dataclass(slots=True)
class Action:
    id: int
    command: str
    server_id: int
    started: float
    duration_ms: float
    status: str = "running"
    finished: float | None = None
    error: dict | None = None

    def view(self, now):
        if self.status == "running":
            elapsed_ms = (now - self.started) * 1000
            progress = min(99, int(100 * elapsed_ms / self.duration_ms)) if self.duration_ms else 99
        else:
            progress = 100
        return {"id": self.id, "command": self.command, "status": self.status, "progress": progress,
                "started": iso_offset(self.started),
                "finished": None if self.finished is None else iso_offset(self.finished),
                "resources": [{"id": self.server_id, "type": "server"}], "error": self.error}


@dataclasses.dataclass(slots=True)
class Server:
    id: int
    name: str
    created: float
    server_type: str
    image: str
    location: str
    labels: dict
    user_data: str
    networks: list
    firewalls: list
    volumes: list
    has_ipv4: bool
    has_ipv6: bool
    status: str = "initializing"
    running_actions: int = 0
    held_locked: bool = False  # by control, until it says otherwise
    power_epoch: int = 0  # counts power changes, so that a late ACPI shutdown doesn't hit a later life
    booted: bool = False
    acpi_ms: object = "default"
    actions: list = dataclasses.field(default_factory=list)

    @property
    def locked(self):
        return self.held_locked or self.running_actions > 0

    @property
    def ipv4(self):
        # 198.18.0.0/15 is reserved for benchmarks: it reaches nobody
        return f"198.{18 + self.id // 65536 % 2}.{self.id // 256 % 256}.{self.id % 256}" if self.has_ipv4 else None


class Hetzner(Cloud):
    name = "hetzner"

    def __init__(self, simulation):
        super().__init__(simulation)
        self.token = simulation.options.hcloud_token
        self._ids = itertools.count(40_000_001)  # ids are never used again, not even after a reset
        self._action_ids = itertools.count(900_000_001)
        self.reset()

    def reset(self):
        self.servers = {}
        self._by_name = {}
        self._by_label = {}
        self.actions = {}
        self.action_failures = []
        self._ssh_keys = {1: {"id": 1, "name": "default", "fingerprint": "00:" * 15 + "00", "labels": {},
                              "public_key": "ssh-ed25519 AAAA default", "created": iso_offset(self.clock.now())}}
        self._bucket = None
        self._bucket_at = self.clock.now()

    def routes(self):
        return [
            ("POST", "/v1/servers/{id}/actions/poweron", self._poweron),
            ("POST", "/v1/servers/{id}/actions/poweroff", self._poweroff),
            ("POST", "/v1/servers/{id}/actions/shutdown", self._shutdown),
            ("POST", "/v1/servers/{id}/actions/reboot", self._reboot),
            ("POST", "/v1/servers/{id}/actions/reset", self._reset_server),
            ("POST", "/v1/servers", self._create_server),
            ("GET", "/v1/servers", self._list_servers),
            ("GET", "/v1/servers/actions", self._get_actions),
            ("GET", "/v1/servers/{id}", self._get_server),
            ("PUT", "/v1/servers/{id}", self._update_server),
            ("DELETE", "/v1/servers/{id}", self._delete_server),
            ("GET", "/v1/servers/{id}/actions", self._list_server_actions),
            ("GET", "/v1/servers/{id}/actions/{action_id}", self._get_server_action),
            ("GET", "/v1/actions", self._get_actions),
            ("GET", "/v1/actions/{id}", self._get_action),
            ("GET", "/v1/locations", self._list_locations),
            ("GET", "/v1/server_types", self._list_server_types),
            ("GET", "/v1/images", self._list_images),
            ("GET", "/v1/ssh_keys", self._list_ssh_keys),
            ("POST", "/v1/ssh_keys", self._create_ssh_key),
            ("GET", "/v1/pricing", self._get_pricing),
            ("GET", "/v1/datacenters", self._gone_datacenters),
            ("GET", "/v1/datacenters/{id}", self._gone_datacenters),
        ]

    # Admission: the rate limit counts every request, authenticated or not.

    def admit(self, request):
        self._refill()
        is_charged = request.client == "product" or request.method == "POST"  # the real workflow doesn't poll actions
        if self.settings.rate_limit and is_charged:
            if self._bucket < 1:
                return self.rate_limited_reply()
            self._bucket -= 1
        if request.bearer() != self.token:
            return error(401, "unauthorized", "unable to authenticate")
        return None

    def decorate(self, request, reply):
        reply.headers["X-Correlation-Id"] = f"{self.random.getrandbits(64):016x}"
        reply.headers.setdefault("Access-Control-Expose-Headers", "Link,X-Correlation-ID")
        limit = self.settings.rate_limit
        if limit:
            self._refill()
            missing = limit - self._bucket
            reply.headers.setdefault("RateLimit-Limit", str(limit))
            reply.headers.setdefault("RateLimit-Remaining", str(int(self._bucket)))
            full_at = math.ceil(self.clock.now() + missing / self._refill_rate())
            reply.headers.setdefault("RateLimit-Reset", str(full_at))

    def rate_limited_reply(self):
        now = self.clock.now()
        limit = self.settings.rate_limit or 3600
        return error(429, "rate_limit_exceeded", f"limit of {limit} requests per hour reached", headers={
            "RateLimit-Limit": str(limit), "RateLimit-Remaining": "0",
            "RateLimit-Reset": str(math.ceil(now + limit / self._refill_rate()))})

    def error_reply(self, status):
        code, message = rules.ERRORS.get(status, ("server_error", "internal server error"))
        return error(status, code, message)

    def no_route(self, request, allowed):
        if allowed:
            return error(405, "method_not_allowed", "method not allowed")
        return error(404, "not_found", "resource not found")

    def _refill_rate(self):
        return self.settings.rate_refill_per_s or max(1, self.settings.rate_limit) / 3600

    def _refill(self):
        now, limit = self.clock.now(), self.settings.rate_limit
        if self._bucket is None:
            self._bucket = float(limit)
        self._bucket = min(float(limit), self._bucket + (now - self._bucket_at) * self._refill_rate())
        self._bucket_at = now

    # Servers.

    def _create_server(self, request):
        body = self._json(request)
        problems = rules.creation_problems(body, self._ssh_keys.values())
        if problems:
            raise Refusal(invalid(problems))
        if body["name"] in self._by_name:
            raise Refusal(error(409, "uniqueness_error", "server name is already used", {"fields": [{"name": "name"}]}))
        self._known("network", body.get("networks"), self.settings.network_ids)
        self._known("firewall", [item["firewall"] for item in body.get("firewalls") or []], self.settings.firewall_ids)
        self._known("volume", body.get("volumes"), self.settings.volume_ids)
        group = body.get("placement_group")
        self._known("placement group", [] if group is None else [group], self.settings.placement_group_ids)
        location = rules.lookup(rules.LOCATIONS, body.get("location")) or "fsn1"
        if len(self.servers) >= self.settings.server_limit:
            raise Refusal(error(403, "resource_limit_exceeded", "server limit exceeded",
                                {"limits": [{"name": "server_limit"}]}))
        if location in self.settings.unavailable_locations:
            raise Refusal(error(412, "resource_unavailable", "error during placement"))
        server, actions = self._make(body, location)
        request.effect(f"created server {server.id}")
        password = None if body.get("ssh_keys") else secrets.token_urlsafe(15)
        now = self.clock.now()
        return json_reply(201, {"server": self.view(server), "action": actions[0].view(now),
                                "next_actions": [action.view(now) for action in actions[1:]],
                                "root_password": password})

    def _make(self, body, location):
        """Enters a valid server and starts its first actions; answers (server, [actions])."""
        public = body.get("public_net") or {}
        server = Server(
            id=next(self._ids), name=body["name"], created=self.clock.now(), location=location,
            server_type=rules.lookup(rules.SERVER_TYPES, body["server_type"]),
            image=rules.lookup(rules.IMAGES, body["image"]), labels=dict(body.get("labels") or {}),
            user_data=body.get("user_data") or "", networks=list(body.get("networks") or []),
            firewalls=[item["firewall"] for item in body.get("firewalls") or []],
            volumes=list(body.get("volumes") or []), has_ipv4=public.get("enable_ipv4", True) is not False,
            has_ipv6=public.get("enable_ipv6", True) is not False)
        self.servers[server.id] = server
        self._by_name[server.name] = server.id
        self._index_labels(server, server.labels)
        self.ledger.made("hetzner", "server", server.id, name=server.name, labels=server.labels,
                         agent_id=server.labels.get("sluice-agent"), job_id=server.labels.get("sluice-job"),
                         extra={"ip": server.ipv4, "location": location})
        start = body.get("start_after_create", True) is not False
        action_ms = self.settings.action_ms

        def created():
            self.set_status(server, "starting" if start else "off")

        actions = [self._begin(server, "create_server", action_ms, created)]
        if start:
            actions.append(self._begin(server, "start_server", 2 * action_ms, lambda: self._power_on(server)))
        return server, actions

    def _list_servers(self, request):
        found = self._candidates(request)
        wanted = request.query.getall("status", [])
        if wanted:
            found = [server for server in found if server.status in wanted]
        for order in reversed(request.query.getall("sort", [])):
            field, _colon, direction = order.partition(":")
            if field not in ("id", "name", "created") or direction not in ("", "asc", "desc"):
                raise Refusal(invalid([("sort", f"cannot sort by {order}")]))
            found.sort(key=lambda server, by=field: getattr(server, by), reverse=direction == "desc")
        page, meta, headers = self._page(request, found)
        return json_reply(200, {"servers": [self.view(server) for server in page], "meta": meta}, headers)

    def _candidates(self, request):
        """Servers by name and label selector, through an index where one serves."""
        name, selector = request.query.get("name"), request.query.get("label_selector")
        try:
            terms = rules.parse_selector(selector) if selector else []
        except ValueError as problem:
            raise Refusal(invalid([("label_selector", str(problem))])) from problem
        if name is not None:
            ids = [self._by_name[name]] if name in self._by_name else []
        else:
            exact = [(key, values[0]) for operator, key, values in terms if operator == "in" and len(values) == 1]
            ids = sorted(self._by_label.get(exact[0], ())) if exact else list(self.servers)
        return [self.servers[number] for number in ids if rules.selects(terms, self.servers[number].labels)]

    def _get_server(self, request):
        return json_reply(200, {"server": self.view(self._server(request))})

    def _update_server(self, request):
        server, body = self._server(request), self._json(request)
        name, labels = body.get("name"), body.get("labels")
        if name is not None and rules.hostname_problem(name):
            raise Refusal(invalid([("name", rules.hostname_problem(name))]))
        if labels is not None and rules.labels_problem(labels):
            raise Refusal(invalid([("labels", rules.labels_problem(labels))]))
        if name is not None and self._by_name.get(name, server.id) != server.id:
            raise Refusal(error(409, "uniqueness_error", "server name is already used", {"fields": [{"name": "name"}]}))
        if name is not None:
            del self._by_name[server.name]
            server.name = name
            self._by_name[name] = server.id
        if labels is not None:
            self._unindex_labels(server)
            server.labels = dict(labels)
            self._index_labels(server, labels)
        request.effect(f"updated server {server.id}")
        return json_reply(200, {"server": self.view(server)})

    def _delete_server(self, request):
        server = self._unlocked(request)
        self.set_status(server, "deleting")
        delete_ms = self.settings.action_ms if self.settings.delete_ms is None else self.settings.delete_ms
        action = self._begin(server, "delete_server", delete_ms, lambda: self.remove(server, "DELETE"))
        request.effect(f"deleted server {server.id}")
        return json_reply(200, {"action": action.view(self.clock.now())})

    # Power.

    def _poweron(self, request):
        server = self._unlocked(request)
        if server.status != "running":
            self.set_status(server, "starting")
        return self._command(request, server, "start_server", lambda: self._power_on(server))

    def _poweroff(self, request):
        server = self._unlocked(request)
        if server.status == "running":
            self.set_status(server, "stopping")
        return self._command(request, server, "stop_server", lambda: self.set_status(server, "off"))

    def _shutdown(self, request):
        server = self._unlocked(request)
        return self._command(request, server, "shutdown_server", lambda: self._send_acpi(server))

    def _reboot(self, request):
        server = self._unlocked(request)
        return self._command(request, server, "reboot_server", lambda: None)

    def _reset_server(self, request):
        server = self._unlocked(request)
        return self._command(request, server, "reset_server", lambda: None)

    def _command(self, request, server, command, on_done):
        action = self._begin(server, command, self.settings.action_ms, on_done)
        request.effect(f"{command} {server.id}")
        return json_reply(201, {"action": action.view(self.clock.now())})

    def _power_on(self, server):
        self.set_status(server, "running")
        if not server.booted:
            server.booted = True
            self._first_boot(server)

    def _first_boot(self, server):
        """cloud-init: an auth key in user_data makes the machine join the tailnet under its own name."""
        key = AUTH_KEY.search(server.user_data)
        tailscale = self.simulation.tailscale
        if key is None or tailscale.settings.join_ms is None:
            return

        def join():
            if server.id not in self.servers or server.status != "running":
                return
            problem = tailscale.join_with_key(key.group(), server.name)
            record = self.ledger.find("hetzner", "server", server.id)
            if problem and record is not None:
                record.extra["join_error"] = problem

        self.clock.schedule(tailscale.settings.join_ms, join)

    def _send_acpi(self, server):
        """The guest may go off some time later, if nothing else changed its power meanwhile, or never."""
        acpi_ms = self.settings.acpi_ms if server.acpi_ms == "default" else server.acpi_ms
        epoch = server.power_epoch
        if acpi_ms is None or server.status != "running":
            return

        def go_off():
            if server.id in self.servers and server.power_epoch == epoch and server.status == "running":
                self.set_status(server, "off")

        self.clock.schedule(acpi_ms, go_off)

    def set_status(self, server, status):
        """The one place where a server's status changes."""
        if server.status == status:
            return
        server.status = status
        server.power_epoch += 1
        if status in ("running", "off") and server.id in self.servers:
            self.simulation.tailscale.host_power(server.name, status == "running")

    def remove(self, server, ended_by):
        """Takes a server out of the world."""
        if self.servers.pop(server.id, None) is None:
            return
        self._by_name.pop(server.name, None)
        self._unindex_labels(server)
        self.ledger.ended("hetzner", "server", server.id, ended_by)
        self.simulation.tailscale.host_gone(server.name)

    # Actions.

    def _begin(self, server, command, duration_ms, on_done):
        """Starts an action that locks the server, and ends by on_done() or by a failure planned by control."""
        while len(self.actions) >= MAX_ACTIONS:
            self.actions.pop(next(iter(self.actions)))
        action = Action(next(self._action_ids), command, server.id, self.clock.now(), duration_ms)
        self.actions[action.id] = action
        server.actions = server.actions[-99:] + [action.id]
        server.running_actions += 1
        failure = self._planned_failure(command)

        def finish():
            server.running_actions -= 1
            action.finished = self.clock.now()
            if failure is None:
                action.status = "success"
                on_done()
                return
            action.status = "error"
            action.error = {"code": failure["code"], "message": failure["message"]}
            if server.status in ("deleting", "stopping"):
                self.set_status(server, "running")
            elif server.status in ("starting", "initializing"):
                self.set_status(server, "off")

        self.clock.schedule(duration_ms, finish)
        return action

    def _planned_failure(self, command):
        for failure in self.action_failures:
            if failure["command"] == command:
                failure["times"] -= 1
                if failure["times"] == 0:
                    self.action_failures.remove(failure)
                return failure
        return None

    def _get_action(self, request):
        return json_reply(200, {"action": self._action(request.arguments["id"]).view(self.clock.now())})

    def _get_server_action(self, request):
        self._server(request)
        return json_reply(200, {"action": self._action(request.arguments["action_id"]).view(self.clock.now())})

    def _get_actions(self, request):
        ids = request.query.getall("id", [])
        if not ids:
            return error(410, "deprecated_api_endpoint", "listing arbitrary actions was removed: give ids",
                         {"announcement": "https://docs.hetzner.cloud/changelog"})
        found = [self.actions[int(number)] for number in ids if number.isdigit() and int(number) in self.actions]
        return self._actions_page(request, found)

    def _list_server_actions(self, request):
        server = self._server(request)
        return self._actions_page(request, [self.actions[number] for number in server.actions
                                            if number in self.actions])

    def _actions_page(self, request, found):
        page, meta, headers = self._page(request, found)
        now = self.clock.now()
        return json_reply(200, {"actions": [action.view(now) for action in page], "meta": meta}, headers)

    # The catalogue.

    def _list_locations(self, request):
        return self._catalogue(request, "locations", [rules.location_view(name) for name in rules.LOCATIONS])

    def _list_server_types(self, request):
        return self._catalogue(request, "server_types", [rules.server_type_view(name) for name in rules.SERVER_TYPES])

    def _get_pricing(self, _request):
        return json_reply(200, {"pricing": rules.pricing_view()})

    def _list_images(self, request):
        return self._catalogue(request, "images", [rules.image_view(name) for name in rules.IMAGES])

    def _list_ssh_keys(self, request):
        return self._catalogue(request, "ssh_keys", list(self._ssh_keys.values()))

    def _catalogue(self, request, noun, rows):
        name = request.query.get("name")
        page, meta, headers = self._page(request, [row for row in rows if name in (None, row["name"])])
        return json_reply(200, {noun: page, "meta": meta}, headers)

    def _create_ssh_key(self, request):
        body = self._json(request)
        missing = [(field, "Missing data for required field.") for field in ("name", "public_key")
                   if not isinstance(body.get(field), str)]
        if missing:
            raise Refusal(invalid(missing))
        if any(known["name"] == body["name"] for known in self._ssh_keys.values()):
            raise Refusal(error(409, "uniqueness_error", "SSH key not unique", {"fields": [{"name": "name"}]}))
        if len(self._ssh_keys) >= 100:
            raise Refusal(error(403, "resource_limit_exceeded", "SSH key limit exceeded",
                                {"limits": [{"name": "ssh_key_limit"}]}))
        number = max(self._ssh_keys) + 1
        self._ssh_keys[number] = {"id": number, "name": body["name"], "public_key": body["public_key"], "labels": {},
                                  "fingerprint": "00:" * 15 + "00", "created": iso_offset(self.clock.now())}
        request.effect(f"created ssh key {number}")
        return json_reply(201, {"ssh_key": self._ssh_keys[number]})

    def _gone_datacenters(self, request):
        return error(410, "deprecated_api_endpoint", "datacenters were removed: use locations",
                     {"announcement": "https://docs.hetzner.cloud/changelog"})

    # Helpers.

    def view(self, server):
        """A server as the API shows it."""
        number = server.id
        ipv6 = {"id": number + 1, "ip": f"2001:db8:{number >> 16 & 0xffff:x}:{number & 0xffff:x}::/64",
                "blocked": False, "dns_ptr": []}
        ipv4 = {"id": number, "ip": server.ipv4, "blocked": False, "dns_ptr": f"static.{server.ipv4}.clients.test"}
        return {
            "id": number, "name": server.name, "status": server.status, "created": iso_offset(server.created),
            "public_net": {"ipv4": ipv4 if server.has_ipv4 else None, "ipv6": ipv6 if server.has_ipv6 else None,
                           "floating_ips": [],
                           "firewalls": [{"id": wall, "status": "applied"} for wall in server.firewalls]},
            "private_net": [{"network": network, "ip": "10.0.0.2", "alias_ips": [], "mac_address": "86:00:00:00:00:01"}
                            for network in server.networks],
            "server_type": rules.server_type_view(server.server_type), "included_traffic": 21990232555520,
            "outgoing_traffic": None, "ingoing_traffic": None, "backup_window": None, "rescue_enabled": False,
            "iso": None, "locked": server.locked, "location": rules.location_view(server.location),
            "image": rules.image_view(server.image), "protection": {"delete": False, "rebuild": False},
            "labels": server.labels, "volumes": server.volumes,
            "primary_disk_size": rules.SERVER_TYPES[server.server_type][3], "placement_group": None,
            "load_balancers": []}

    def summary(self):
        by_agent = {}
        for server in self.servers.values():
            agent = server.labels.get("sluice-agent")
            if agent is not None:
                by_agent.setdefault(agent, []).append(server.id)
        return {"live_servers": len(self.servers),
                "running_servers": sum(server.status == "running" for server in self.servers.values()),
                "duplicate_agents": {agent: ids for agent, ids in by_agent.items() if len(ids) > 1}}

    def ledger_row(self, resource):
        server = self.servers.get(resource.id)
        return {"status": "gone" if server is None else server.status}

    def _server(self, request):
        number = request.arguments["id"]
        server = self.servers.get(int(number)) if number.isdigit() else None
        if server is None:
            raise Refusal(error(404, "not_found", f"server with ID '{number}' not found"))
        return server

    def _unlocked(self, request):
        server = self._server(request)
        if server.locked:
            raise Refusal(error(423, "locked", "cannot perform operation because server is locked"))
        return server

    def _action(self, number):
        action = self.actions.get(int(number)) if number.isdigit() else None
        if action is None:
            raise Refusal(error(404, "not_found", f"action with ID '{number}' not found"))
        return action

    def _json(self, request):
        body = decode_json(request, lambda message: error(400, "json_error", f"Invalid JSON: {message}"))
        if not isinstance(body, dict):
            raise Refusal(error(400, "json_error", "the body must be a JSON object"))
        return body

    def _known(self, noun, ids, known):
        for number in ids or []:
            if number not in known:
                raise Refusal(error(404, "not_found", f"{noun} with ID '{number}' not found"))

    def _page(self, request, rows):
        page, per_page = positive(request.query.get("page"), 1), positive(request.query.get("per_page"), 25, 50)
        last = max(1, -(-len(rows) // per_page))
        meta = {"pagination": {"page": page, "per_page": per_page, "previous_page": page - 1 if page > 1 else None,
                               "next_page": page + 1 if page < last else None, "last_page": last,
                               "total_entries": len(rows)}}
        link = next_link(self.simulation.url(self.name), request, last)
        return rows[(page - 1) * per_page:page * per_page], meta, {"Link": link} if link else {}

    def _index_labels(self, server, labels):
        for pair in labels.items():
            self._by_label.setdefault(pair, set()).add(server.id)

    def _unindex_labels(self, server):
        for pair in server.labels.items():
            holders = self._by_label.get(pair, set())
            holders.discard(server.id)
            if not holders:
                self._by_label.pop(pair, None)


def error(status, code, message, details=None, headers=None):
    return json_reply(status, {"error": {"code": code, "message": message, "details": details}}, headers)


def invalid(problems):
    """422 for [(field, message)]."""
    fields = {}
    for field, message in problems:
        fields.setdefault(field, []).append(message)
    names = ", ".join(f"'{name}'" for name in fields)
    return error(422, "invalid_input", f"invalid input in field{'s' if len(fields) > 1 else ''} {names}",
                 {"fields": [{"name": name, "messages": messages} for name, messages in fields.items()]})
