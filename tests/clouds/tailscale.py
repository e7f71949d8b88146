"""Simulated Tailscale (api.tailscale.com/api/v2): OAuth tokens, auth keys, devices.

Devices come into being by an auth key (a server's first boot, or control) or by the workflow runner. Keys are one-off
unless reusable, and expire. Invariant: a one-off key admits one device.
"""

import base64
import dataclasses
import datetime
import itertools
import re
import urllib.parse

from .clock import iso_zulu
from .web import Cloud, Refusal, Reply, decode_json, json_reply

DEFAULT_EXPIRY_S = 90 * 24 * 3600
TOKEN_LIFE_S = 3600
MAX_KEYS = 100_000
MAX_TOKENS = 10_000
DESCRIPTION = re.compile(r"[A-Za-z0-9 -]{0,50}")
ID_LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclasses.dataclass(slots=True)
class Key:
    id: str
    secret: str
    created: float
    expires: float
    expiry_s: int
    reusable: bool
    ephemeral: bool
    preauthorized: bool
    tags: list
    description: str
    revoked_at: float | None = None
    uses: int = 0


@dataclasses.dataclass(slots=True)
class Device:
    id: str
    node_id: str
    hostname: str
    name: str
    address: str
    tags: list
    created: float
    ephemeral: bool
    authorized: bool
    connected: bool = True
    last_seen: float | None = None


class Tailscale(Cloud):
    name = "tailscale"

    def __init__(self, simulation):
        super().__init__(simulation)
        self.api_key = simulation.options.tailscale_api_key
        self.tailnet = simulation.options.tailscale_tailnet
        self.oauth_client = (simulation.options.tailscale_oauth_client_id,
                             simulation.options.tailscale_oauth_client_secret)
        self._numbers = itertools.count(1)
        self.reset()

    def reset(self):
        self.keys = {}
        self._key_by_secret = {}
        self.devices = {}
        self._by_hostname = {}
        self._names = set()
        self._tokens = {}

    def routes(self):
        tailnet = "/api/v2/tailnet/{tailnet}"
        return [
            ("POST", "/api/v2/oauth/token", self._issue_token),
            ("POST", tailnet + "/keys", self._create_key),
            ("GET", tailnet + "/keys", self._list_keys),
            ("GET", tailnet + "/keys/{id}", self._get_key),
            ("DELETE", tailnet + "/keys/{id}", self._delete_key),
            ("GET", tailnet + "/devices", self._list_devices),
            ("GET", "/api/v2/device/{id}", self._get_device),
            ("DELETE", "/api/v2/device/{id}", self._delete_device),
        ]

    def admit(self, request):
        if request.path == "/api/v2/oauth/token" or self._token_kind(request) is not None:
            return None
        return failure(401, "API token invalid")

    def decorate(self, request, reply):
        moment = datetime.datetime.fromtimestamp(self.clock.now(), datetime.timezone.utc)
        stamp = moment.strftime("%Y%m%d%H%M%S") + f"{moment.microsecond // 1000:03d}"
        reply.headers["x-tailscale-request-id"] = f"REQ-{stamp}{self.random.getrandbits(64):016x}"

    def error_reply(self, status):
        return failure(status, {401: "API token invalid", 404: "not found", 429: "rate limit exceeded"}
                       .get(status, "internal server error"))

    def rate_limited_reply(self):
        return failure(429, "rate limit exceeded")

    def no_route(self, request, allowed):
        return failure(405, "method not allowed") if allowed else failure(404, "not found")

    def _token_kind(self, request):
        """"user" for an API key, "oauth" for an issued token, None for neither."""
        token = request.bearer()
        if token is None:
            token = (basic(request) or (None, None))[0]
        if token == self.api_key:
            return "user"
        return "oauth" if self._tokens.get(token, 0) > self.clock.now() else None

    # OAuth.

    def _issue_token(self, request):
        form = dict(urllib.parse.parse_qsl(request.body.decode("utf-8", "replace")))
        client = basic(request) or (form.get("client_id"), form.get("client_secret"))
        if client != self.oauth_client:
            raise Refusal(failure(401, "API token invalid"))
        if form.get("grant_type", "client_credentials") != "client_credentials":
            raise Refusal(failure(400, "unsupported grant_type"))
        while len(self._tokens) >= MAX_TOKENS:
            self._tokens.pop(next(iter(self._tokens)))
        token = f"tskey-api-{self._letters(12)}CNTRL-{self._letters(32)}"
        self._tokens[token] = self.clock.now() + TOKEN_LIFE_S
        request.effect("issued a token")
        return json_reply(200, {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_LIFE_S,
                                "scope": form.get("scope", "auth_keys devices:core")})

    # Keys.

    def _create_key(self, request):
        self._own_tailnet(request)
        body = self._json(request)
        create, expiry_s = self._checked_key(body, self._token_kind(request))
        while len(self.keys) >= MAX_KEYS:
            oldest = self.keys.pop(next(iter(self.keys)))
            self._key_by_secret.pop(oldest.secret, None)
        key_id = f"k{self._letters(9)}CNTRL"
        now = self.clock.now()
        key = Key(key_id, f"tskey-auth-{key_id}-{self._letters(32)}", now, now + expiry_s, expiry_s,
                  create.get("reusable", False), create.get("ephemeral", False), create.get("preauthorized", False),
                  list(create.get("tags") or []), body.get("description") or "")
        self.keys[key_id] = key
        self._key_by_secret[key.secret] = key_id
        self.ledger.made("tailscale", "key", key_id, name=key.description, extra={"tags": key.tags})
        request.effect(f"created key {key_id}")
        return json_reply(200, {**self._key_view(key), "key": key.secret})

    def _checked_key(self, body, token_kind):
        """(capabilities.devices.create, expiry in seconds) of a valid request; refuses others."""
        if body.get("keyType", "auth") != "auth":
            raise Refusal(failure(400, f"unsupported keyType {body['keyType']!r}"))
        capabilities = body.get("capabilities")
        devices = capabilities.get("devices") if isinstance(capabilities, dict) else None
        if not isinstance(devices, dict):
            raise Refusal(failure(400, "capabilities.devices is required"))
        create = devices.get("create", {})
        if not isinstance(create, dict):
            raise Refusal(failure(400, "capabilities.devices.create must be an object"))
        for name in ("reusable", "ephemeral", "preauthorized"):
            if not isinstance(create.get(name, False), bool):
                raise Refusal(failure(400, f"{name} must be a boolean"))
        tags = create.get("tags") or []
        if not tags and token_kind == "oauth":
            raise Refusal(failure(400, "tailnet-owned auth key must have tags set"))
        wrong = [tag for tag in tags if tag not in self.settings.tags]
        if wrong:
            raise Refusal(failure(400, f"requested tags [{' '.join(map(str, wrong))}] are invalid or not permitted"))
        description = body.get("description") or ""
        if not isinstance(description, str) or not DESCRIPTION.fullmatch(description):
            raise Refusal(failure(400, "description must be at most 50 alphanumeric characters, hyphens or spaces"))
        expiry_s = body.get("expirySeconds") or DEFAULT_EXPIRY_S
        if isinstance(expiry_s, bool) or not isinstance(expiry_s, int) or not 0 < expiry_s <= DEFAULT_EXPIRY_S:
            raise Refusal(failure(400, "expirySeconds must be between 1 and 7776000"))
        return create, expiry_s

    def _list_keys(self, request):
        self._own_tailnet(request)
        everything = request.query.get("all") == "true"
        return json_reply(200, {"keys": [self._key_view(key) for key in self.keys.values()
                                         if everything or self._key_problem(key) is None]})

    def _get_key(self, request):
        self._own_tailnet(request)
        return json_reply(200, self._key_view(self._key(request)))

    def _delete_key(self, request):
        self._own_tailnet(request)
        key = self._key(request)
        if key.revoked_at is None:
            key.revoked_at = self.clock.now()
            self.ledger.ended("tailscale", "key", key.id, "DELETE")
            request.effect(f"revoked key {key.id}")
        return Reply(200, b"null", {"Content-Type": "application/json"})

    def _key(self, request):
        key = self.keys.get(request.arguments["id"])
        if key is None:
            raise Refusal(failure(404, "key not found"))
        return key

    def _key_problem(self, key):
        if key.revoked_at is not None:
            return "key revoked"
        if key.expires <= self.clock.now():
            return "key expired"
        return "key already used" if key.uses and not key.reusable else None

    def _key_view(self, key):
        create = {"reusable": key.reusable, "ephemeral": key.ephemeral, "preauthorized": key.preauthorized}
        if key.tags:
            create["tags"] = key.tags
        view = {"id": key.id, "keyType": "auth", "created": iso_zulu(key.created), "expires": iso_zulu(key.expires),
                "expirySeconds": key.expiry_s, "capabilities": {"devices": {"create": create}},
                "description": key.description}
        if key.revoked_at is not None:
            view["revoked"] = iso_zulu(key.revoked_at)
        if key.revoked_at is not None or key.expires <= self.clock.now():
            view["invalid"] = True
        return view

    # Devices.

    def join_with_key(self, secret, hostname):
        """A machine joins by an auth key. Answers why it cannot, or None."""
        key = self.keys.get(self._key_by_secret.get(secret))
        if key is None:
            return "unknown key"
        problem = self._key_problem(key)
        if problem is not None:
            return problem
        device = self.join(hostname, key.tags, key.ephemeral, key.preauthorized)
        if device is None:
            return "too many devices"
        key.uses += 1
        if not key.reusable:
            self.ledger.ended("tailscale", "key", key.id, "used")
        return None

    def join(self, hostname, tags=("tag:agent",), ephemeral=True, authorized=True):
        """A machine joins the tailnet. Answers the Device, or None when the tailnet is full."""
        if len(self.devices) >= self.settings.device_limit:
            return None
        number = next(self._numbers)
        label, suffix = hostname, 0
        while label in self._names:  # the tailnet name is unique, the hostname is not
            suffix += 1
            label = f"{hostname}-{suffix}"
        self._names.add(label)
        address = f"100.{64 + number // 65536 % 64}.{number // 256 % 256}.{number % 256}"
        device = Device(
            id=str(self.random.randrange(10**15, 10**16)), node_id=f"n{self._letters(9)}CNTRL", hostname=hostname,
            name=f"{label}.sluice.ts.net", address=address,
            tags=list(tags), created=self.clock.now(), ephemeral=ephemeral, authorized=authorized)
        self.devices[device.node_id] = device
        self._by_hostname.setdefault(hostname, {})[device.node_id] = device
        self.ledger.made("tailscale", "device", device.node_id, name=hostname,
                         agent_id=hostname.removeprefix("agent-") if hostname.startswith("agent-") else None,
                         extra={"ip": device.address})
        return device

    def remove(self, device, ended_by):
        """Takes a device out of the tailnet."""
        if self.devices.pop(device.node_id, None) is None:
            return
        self._names.discard(device.name.partition(".")[0])
        holders = self._by_hostname.get(device.hostname, {})
        holders.pop(device.node_id, None)
        if not holders:
            self._by_hostname.pop(device.hostname, None)
        self.ledger.ended("tailscale", "device", device.node_id, ended_by)

    def host_power(self, hostname, is_on):
        """The machine of that name went on or off: its devices connect or are last seen now."""
        for device in self._by_hostname.get(hostname, {}).values():
            device.connected = is_on
            device.last_seen = None if is_on else self.clock.now()

    def host_gone(self, hostname):
        """The machine of that name is deleted: its ephemeral devices may vanish after a time."""
        self.host_power(hostname, False)
        gone_ms = self.settings.ephemeral_gone_ms
        if gone_ms is None:
            return
        for device in list(self._by_hostname.get(hostname, {}).values()):
            if device.ephemeral:
                self.clock.schedule(gone_ms, lambda gone=device: self.remove(gone, "ephemeral"))

    def _list_devices(self, request):
        self._own_tailnet(request)
        hostname = request.query.get("hostname")
        found = self.devices.values() if hostname is None else self._by_hostname.get(hostname, {}).values()
        for tag in request.query.getall("tags", []):
            found = [device for device in found if tag in device.tags]
        ephemeral = request.query.get("isEphemeral")
        if ephemeral is not None:
            found = [device for device in found if device.ephemeral == (ephemeral == "true")]
        return json_reply(200, {"devices": [self.view(device) for device in found]})

    def _get_device(self, request):
        return json_reply(200, self.view(self._device(request)))

    def _delete_device(self, request):
        device = self._device(request)
        self.remove(device, "DELETE")
        request.effect(f"deleted device {device.node_id}")
        return Reply(200)

    def _device(self, request):
        wanted = request.arguments["id"]
        device = self.devices.get(wanted)
        if device is None and wanted.isdigit():
            device = next((each for each in self.devices.values() if each.id == wanted), None)
        if device is None:
            raise Refusal(failure(404, "no such device"))
        return device

    def view(self, device):
        """A device as the API shows it; lastSeen only while it is away."""
        shown = {
            "id": device.id, "nodeId": device.node_id, "name": device.name, "hostname": device.hostname,
            "addresses": [device.address], "user": "sluice@example.com", "tags": device.tags, "os": "linux",
            "clientVersion": "1.90.6", "created": iso_zulu(device.created), "connectedToControl": device.connected,
            "authorized": device.authorized, "isEphemeral": device.ephemeral, "isExternal": False,
            "keyExpiryDisabled": bool(device.tags), "expires": "0001-01-01T00:00:00Z", "updateAvailable": False,
            "machineKey": f"mkey:{device.id}", "nodeKey": f"nodekey:{device.id}",
            "blocksIncomingConnections": False}
        if device.last_seen is not None:
            shown["lastSeen"] = iso_zulu(device.last_seen)
        return shown

    def summary(self):
        return {"live_devices": len(self.devices),
                "usable_keys": sum(self._key_problem(key) is None for key in self.keys.values()),
                "unrevoked_keys": sum(key.revoked_at is None for key in self.keys.values()),
                "duplicate_hostnames": {hostname: list(devices) for hostname, devices in self._by_hostname.items()
                                        if len(devices) > 1}}

    def ledger_row(self, resource):
        return {"hostname": resource.name} if resource.kind == "device" else {}

    # Helpers.

    def _own_tailnet(self, request):
        if request.arguments["tailnet"] not in ("-", self.tailnet):
            raise Refusal(failure(404, "tailnet not found"))

    def _json(self, request):
        body = decode_json(request, lambda message: failure(400, f"invalid JSON: {message}"))
        if not isinstance(body, dict):
            raise Refusal(failure(400, "the body must be a JSON object"))
        return body

    def _letters(self, count):
        return "".join(self.random.choices(ID_LETTERS, k=count))


def basic(request):
    """(user, password) of Basic credentials, or None."""
    scheme, _space, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return None
    return user, password


def failure(status, message):
    return json_reply(status, {"message": message})
