"""Fixtures: a whole simulation in this process, a client per cloud with good credentials, and an ingress to call back.

Nothing sleeps: what takes time is advanced by the simulated clock, or polled against a deadline.
"""

import asyncio
import hashlib
import hmac
import json
import time

import aiohttp
import pytest_asyncio
from aiohttp import web

from clouds.simulation import Options, Simulation

DEADLINE_S = 10
CALLBACK_SECRET = "callback-secret"
WEBHOOK_SECRET = "webhook-secret"


class Answer:
    """An HTTP answer, read to its end."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


class Api:
    """A client of one cloud."""

    def __init__(self, session, base, headers):
        self._session = session
        self.base = base
        self.headers = headers

    async def __call__(self, method, path, body=None, *, form=None, headers=None, bare=False, timeout_s=10):
        """One request. bare: without credentials. A header given as None is left out."""
        sent = {} if bare else dict(self.headers)
        sent.update(headers or {})
        skipped = [name for name, value in sent.items() if value is None]
        sent = {name: value for name, value in sent.items() if value is not None}
        async with self._session.request(method, self.base + path, json=body, data=form, headers=sent,
                                         skip_auto_headers=skipped,
                                         timeout=aiohttp.ClientTimeout(total=timeout_s)) as answer:
            return Answer(answer.status, answer.headers, await answer.read())


class Ingress:
    """Stands in for the product: records signed callbacks and webhooks, answers callbacks as a test likes."""

    def __init__(self):
        self.callbacks = []
        self.webhooks = []
        self.webhook_status = 200
        self.decide = self.grant_first_claim
        self._claims = {}

    async def serve(self, http):
        body = await http.read()
        if "X-GitHub-Event" in http.headers:
            assert http.headers["X-Hub-Signature-256"] == signature(WEBHOOK_SECRET, body)
            self.webhooks.append((http.headers["X-GitHub-Event"], http.headers["X-GitHub-Delivery"], json.loads(body)))
            return web.Response(status=self.webhook_status)
        assert http.headers["X-Hub-Signature-256"] == signature(CALLBACK_SECRET, body)
        assert http.headers["Prefer"].startswith("wait=")
        callback = json.loads(body)
        self.callbacks.append(callback)
        status, document = self.decide(callback)
        return web.json_response(document, status=status)

    def grant_first_claim(self, callback):
        """As the product: the first run to claim a job has it, others are refused."""
        owner = self._claims.setdefault(callback["job_id"], callback["run_id"])
        if owner != callback["run_id"]:
            return 409, {"errorCode": "ALREADY_CLAIMED", "result": "rejected"}
        return 200, {"result": "applied"}

    def statuses(self):
        return [callback["status"] for callback in self.callbacks]


def signature(secret, body):
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


async def until(condition, what="the condition"):
    """Polls until condition() is true; answers its value. Fails after a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} never came true"
        await asyncio.sleep(0.002)


@pytest_asyncio.fixture
async def ingress():
    stand_in = Ingress()
    server = web.Server(stand_in.serve)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    stand_in.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield stand_in
    listening.close()
    await server.shutdown(0.1)


@pytest_asyncio.fixture
async def sim(ingress):
    simulation = Simulation(Options(ingress_url=ingress.url, callback_secret=CALLBACK_SECRET,
                                    github_webhook_secret=WEBHOOK_SECRET))
    await simulation.start()
    yield simulation
    await simulation.stop()
    assert simulation.summary()["simulator_errors"] == 0


@pytest_asyncio.fixture
async def http():
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


@pytest_asyncio.fixture
async def control(sim, http):
    return Api(http, sim.url("control"), {})


@pytest_asyncio.fixture
async def hetzner(sim, http):
    return Api(http, sim.url("hetzner") + "/v1", {"Authorization": f"Bearer {sim.options.hcloud_token}"})


@pytest_asyncio.fixture
async def tailscale(sim, http):
    return Api(http, sim.url("tailscale") + "/api/v2", {"Authorization": f"Bearer {sim.options.tailscale_api_key}"})


@pytest_asyncio.fixture
async def github(sim, http):
    return Api(http, sim.url("github"), {
        "Authorization": f"Bearer {sim.options.github_pat}", "Accept": "application/vnd.github+json",
        "User-Agent": "test"})


@pytest_asyncio.fixture
async def stripe(sim, http):
    return Api(http, sim.url("stripe") + "/v1", {"Authorization": f"Bearer {sim.options.stripe_secret_key}"})


@pytest_asyncio.fixture
async def resend(sim, http):
    return Api(http, sim.url("resend"), {"Authorization": f"Bearer {sim.options.resend_api_key}", "User-Agent": "test"})


@pytest_asyncio.fixture
async def provisioner(sim, http):
    return Api(http, sim.url("provisioner"), {"X-API-Key": sim.options.provisioner_api_key})
