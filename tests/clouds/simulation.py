"""The simulated world: all clouds, their ports, and what they share (clock, ledger, faults, settings, randomness).

One Simulation lives on one event loop; start() listens, stop() ends everything it started. Ids of clouds are never
used again, not even after reset(), so that what is late from an earlier life meets nothing of a new one.
"""

import asyncio
import dataclasses
import os
import random
import shlex
import tempfile

import aiohttp

from .clock import Clock
from .control import Control
from .faults import Faults
from .github import GitHub
from .graph import Graph
from .hetzner import Hetzner
from .hooks import Hooks
from .ledger import Ledger
from .provisioner import Provisioner
from .resend import Resend
from .runner import Runner
from .settings import Settings
from .stripe import Stripe
from .tailscale import Tailscale
from .web import Listener, complain

CLOUDS = ("hetzner", "tailscale", "github", "stripe", "resend", "provisioner", "graph")
MAX_RUNNER_CONNECTIONS = 1024


@dataclasses.dataclass(slots=True)
class Options:
    """What a simulation is started with: credentials it accepts, secrets it signs with, ports (0: any)."""

    hcloud_token: str = "sim" + "0" * 61
    tailscale_api_key: str = "tskey-api-sim"
    tailscale_oauth_client_id: str = "sim-client"
    tailscale_oauth_client_secret: str = "tskey-client-sim"
    tailscale_tailnet: str = "sluice.example"
    github_pat: str = "ghp_sim"
    github_repository: str = "sluice-sim/agents"
    stripe_secret_key: str = "sk_test_sim"
    resend_api_key: str = "re_sim"
    provisioner_api_key: str = "prov_sim"
    ingress_url: str = ""
    callback_secret: str = ""
    github_webhook_secret: str = ""
    seed: int = 1
    ports: dict = dataclasses.field(default_factory=dict)


class Simulation:
    def __init__(self, options=None):
        self.options = options or Options()
        self.clock = Clock()
        self.random = random.Random(self.options.seed)
        self.settings = Settings()
        self.ledger = Ledger(self.clock)
        self.faults = Faults(CLOUDS, self.options.seed)
        self.hooks = Hooks(self)
        self.hetzner = Hetzner(self)
        self.tailscale = Tailscale(self)
        self.github = GitHub(self)
        self.stripe = Stripe(self)
        self.resend = Resend(self)
        self.provisioner = Provisioner(self)
        self.graph = Graph(self)
        self.runner = Runner(self)
        self.control = Control(self)
        self.http = None
        self.listeners = {name: Listener(getattr(self, name), self.options.ports.get(name, 0))
                          for name in (*CLOUDS, "control")}

    @property
    def clouds(self):
        return {name: getattr(self, name) for name in CLOUDS}

    def url(self, name):
        """The base of a cloud's (or control's) port."""
        return f"http://127.0.0.1:{self.listeners[name].port}"

    async def start(self):
        """Listens on all ports; none are left open when one cannot be had."""
        self.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=MAX_RUNNER_CONNECTIONS))
        try:
            for listener in self.listeners.values():
                await listener.open()
        except OSError:
            await self.stop()
            raise

    async def stop(self):
        """Ends runs, deliveries and listeners."""
        self.clock.stop()
        await self.runner.stop()
        await self.hooks.stop()
        for listener in self.listeners.values():
            await listener.close()
        if self.http is not None:
            await self.http.close()

    async def take_down(self, name, duration_ms):
        """A cloud's port refuses connections, for good or for duration_ms."""
        await self.listeners[name].close()
        if duration_ms is not None:
            self.clock.schedule(duration_ms, lambda: asyncio.ensure_future(self.end_outage(name)))

    async def end_outage(self, name):
        """An outage is over: its faults are gone and the port answers again."""
        for fault in [fault for fault in self.faults.as_list() if fault["cloud"] == name and fault["kind"] == "down"]:
            self.faults.remove(name, fault["id"])
        await self.bring_back(name)

    async def bring_back(self, name):
        """The cloud listens again, on its old port, unless a fault keeps it down."""
        if self.faults.is_down(name):
            return
        try:
            await self.listeners[name].open()
        except OSError as error:
            complain(f"cannot bring {name} back on port {self.listeners[name].port}: {error}")

    async def reset(self, names=CLOUDS, keep_config=False):
        """Forgets the state of the clouds named, their faults, calls and resources, and their settings."""
        for name in names:
            self.faults.remove(name)
            await self.bring_back(name)
        if "github" in names:
            self.runner.reset()
            self.hooks.reset()
        for name in names:
            getattr(self, name).reset()
        self.ledger.forget(names)
        if not keep_config:
            self.settings.restore(names)
            if "github" in names:
                self.settings.restore(["runner"])

    def environment(self):
        """Names a product is configured by: where the clouds are, and credentials they accept."""
        options = self.options
        owner, _slash, repository = options.github_repository.partition("/")
        return {
            "HCLOUD_ENDPOINT": self.url("hetzner") + "/v1", "HCLOUD_TOKEN": options.hcloud_token,
            "TAILSCALE_BASE_URL": self.url("tailscale"), "TAILSCALE_API_KEY": options.tailscale_api_key,
            "TAILSCALE_TAILNET": options.tailscale_tailnet,
            "GITHUB_API_URL": self.url("github"), "GITHUB_PAT": options.github_pat,
            "GITHUB_REPO_OWNER": owner, "GITHUB_REPO_NAME": repository,
            "STRIPE_API_BASE": self.url("stripe"), "STRIPE_SECRET_KEY": options.stripe_secret_key,
            "RESEND_BASE_URL": self.url("resend"), "RESEND_API_KEY": options.resend_api_key,
            "DOKKU_PROVISIONER_URL": self.url("provisioner"), "PROVISIONER_API_KEY": options.provisioner_api_key,
            "GRAPH_BASE_URL": self.url("graph"),
            "SLUICE_CLOUDS_CONTROL_URL": self.url("control")}

    def write_environment(self, path):
        """Writes environment() as shell assignments, all at once, readable by its owner only."""
        text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in self.environment().items())
        folder = os.path.dirname(os.path.abspath(path))
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".clouds-env-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise

    def summary(self):
        """The state of the world in one object; `duplicates` must be empty whatever happened."""
        parts = {name: cloud.summary() for name, cloud in self.clouds.items()}
        hetzner, tailscale, github = parts["hetzner"], parts["tailscale"], parts["github"]
        return {
            "live_servers": hetzner["live_servers"], "running_servers": hetzner["running_servers"],
            "live_devices": tailscale["live_devices"], "live_apps": parts["provisioner"]["live_apps"],
            "unrevoked_keys": tailscale["unrevoked_keys"], "usable_keys": tailscale["usable_keys"],
            "emails": parts["resend"]["emails"], "dispatches": github["dispatches"], "runs": github["runs"],
            "runs_by_state": github["runs_by_state"],
            "duplicates": {"servers_by_agent": hetzner["duplicate_agents"],
                           "devices_by_hostname": tailscale["duplicate_hostnames"],
                           "emails_by_key": parts["resend"]["double_keys"],
                           "effects_by_key": self.ledger.double_effects()},
            "same_content_emails": parts["resend"]["same_content"],
            "unkeyed_emails": parts["resend"]["unkeyed"],
            "stripe": parts["stripe"], "runner": self.runner.summary(), "hooks": self.hooks.summary(),
            "calls": dict(self.ledger.calls_total), "dropped_resources": self.ledger.dropped,
            "simulator_errors": self.clock.callback_errors + sum(cloud.crashes for cloud in self.clouds.values())}
