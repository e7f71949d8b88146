"""What all clouds share: faults, the ledger, the clock, reset, the process itself, and how much it stands."""

import asyncio
import os
import signal
import struct
import sys
import time

import aiohttp
import pytest

from clouds.clock import Clock
from clouds.ledger import Ledger

from .conftest import Api, until

pytestmark = pytest.mark.asyncio

SERVER = {"name": "agent-a1", "server_type": "cx22", "image": "ubuntu-24.04", "ssh_keys": ["default"],
          "labels": {"sluice-agent": "a1", "sluice-job": "j1"}}


async def fault(control, **fields):
    added = await control("POST", "/faults", {"cloud": "hetzner", **fields})
    assert added.status == 201, added.body
    return added.json


async def test_status_fault_in_the_clouds_own_shape(sim, hetzner, control):
    await fault(control, kind="status", status=412, match="POST /servers$", times=2)
    for _ in range(2):
        refused = await hetzner("POST", "/servers", SERVER)
        assert (refused.status, refused.json["error"]["code"]) == (412, "resource_unavailable")
    assert (await control("GET", "/faults")).json == {"faults": []}
    assert (await hetzner("POST", "/servers", SERVER)).status == 201
    call = sim.ledger.select_calls(1, cloud="hetzner")[0]
    assert (call["fault"], call["effect"], call["status"]) == ("status", None, 412)


async def test_status_fault_with_body_and_headers(hetzner, control):
    await fault(control, kind="status", status=429, body={"a": 1}, headers={"Retry-After": "7"})
    refused = await hetzner("GET", "/servers")
    assert (refused.status, refused.json, refused.headers["Retry-After"]) == (429, {"a": 1}, "7")


@pytest.mark.parametrize("cloud", ["hetzner", "tailscale", "github", "stripe", "resend", "provisioner", "graph"])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500, 503])
async def test_every_cloud_has_its_own_error_shape(sim, http, control, cloud, status):
    await control("POST", "/faults", {"cloud": cloud, "kind": "status", "status": status})
    await control("POST", "/faults", {"cloud": cloud, "kind": "rate_limited"})
    api = Api(http, sim.url(cloud), {})
    shape = {"hetzner": "error", "stripe": "error", "provisioner": "error", "graph": "error"}.get(cloud, "message")
    refused = await api("GET", "/anything")
    assert refused.status == status and shape in refused.json
    limited = await api("GET", "/anything")
    assert limited.status == (403 if cloud == "github" else 429) and shape in limited.json


async def test_skip_times_and_filters(hetzner, control):
    await fault(control, kind="status", status=500, match="GET /v1/servers$", skip=1, query="name=agent-x")
    assert (await hetzner("GET", "/servers")).status == 200
    assert (await hetzner("GET", "/servers?name=agent-x")).status == 200
    assert (await hetzner("GET", "/servers?name=agent-x")).status == 500
    assert (await hetzner("GET", "/servers?name=agent-x")).status == 200
    await fault(control, kind="status", status=500, match="POST|PUT .*", body_match="agent-a2")
    assert (await hetzner("POST", "/servers", SERVER)).status == 201
    assert (await hetzner("POST", "/servers", {**SERVER, "name": "agent-a2"})).status == 500


async def test_rate_strikes_some(hetzner, control):
    await fault(control, kind="status", status=500, rate=0.5, times=-1)
    statuses = [(await hetzner("GET", "/servers")).status for _ in range(60)]
    assert 10 < statuses.count(500) < 50


async def test_html_error(hetzner, control):
    await fault(control, kind="html_error")
    answer = await hetzner("GET", "/servers")
    assert answer.status == 502 and answer.headers["Content-Type"] == "text/html" and b"<html>" in answer.body


@pytest.mark.parametrize(("kind", "effect"), [("reset", 0), ("lose_answer", 1), ("half_answer", 1)])
async def test_cut_connections(sim, hetzner, control, kind, effect):
    await fault(control, kind=kind, match="POST /servers$")
    with pytest.raises(aiohttp.ClientError):
        await hetzner("POST", "/servers", SERVER)
    assert len(sim.hetzner.servers) == effect
    call = sim.ledger.select_calls(1, cloud="hetzner", method="POST")[0]
    assert (call["fault"], call["status"], call["effect"] is not None) == (kind, 0, effect == 1)


async def raw_request(sim, request):
    """Sends bytes to Hetzner's port; answers (bytes received, whether it ended in a reset)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", sim.listeners["hetzner"].port)
    writer.write(request)
    received = b""
    try:
        while chunk := await asyncio.wait_for(reader.read(65536), 5):
            received += chunk
    except ConnectionResetError:
        return received, True
    finally:
        writer.close()
    return received, False


async def test_reset_is_an_rst_and_a_lost_answer_a_fin(sim, control):
    request = b"GET /v1/servers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n" % (
        sim.options.hcloud_token.encode())
    await fault(control, kind="reset")
    assert await raw_request(sim, request) == (b"", True)
    await fault(control, kind="lose_answer")
    assert await raw_request(sim, request) == (b"", False)
    await fault(control, kind="half_answer")
    half, reset = await raw_request(sim, request)
    head, _blank, body = half.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
    assert head.startswith(b"HTTP/1.1 200") and 0 < len(body) < length and not reset


@pytest.mark.parametrize(("kind", "effect"), [("hang", 0), ("hang_after", 1)])
async def test_hanging(sim, hetzner, control, kind, effect):
    await fault(control, kind=kind, match="POST /servers$")
    waiting = asyncio.ensure_future(hetzner("POST", "/servers", SERVER, timeout_s=60))
    await until(lambda: sim.ledger.select_calls(1, cloud="hetzner", fault=kind))
    assert (await hetzner("GET", "/servers")).json["meta"]["pagination"]["total_entries"] == effect
    assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await until(lambda: sim.ledger.select_calls(1, cloud="hetzner", fault=kind)[0]["status"] == 0)
    assert len(sim.hetzner.servers) == effect


async def test_hanging_ends_with_a_cut(sim, hetzner, control):
    await fault(control, kind="hang", ms=5000)
    waiting = asyncio.ensure_future(hetzner("POST", "/servers", SERVER))  # a client may repeat a GET by itself
    await until(lambda: sim.ledger.select_calls(1, cloud="hetzner", fault="hang"))
    sim.clock.advance(5001)
    with pytest.raises(aiohttp.ClientError):
        await waiting


async def test_delay_takes_effect_though_the_client_left(sim, hetzner, control):
    await fault(control, kind="delay", ms=60_000, match="POST /servers$")
    waiting = asyncio.ensure_future(hetzner("POST", "/servers", SERVER, timeout_s=60))
    await until(lambda: sim.ledger.select_calls(1, cloud="hetzner", fault="delay"))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await until(lambda: sim.ledger.select_calls(1, cloud="hetzner", fault="delay")[0]["status"] == 0)
    assert not sim.hetzner.servers
    sim.clock.advance(60_001)
    await until(lambda: sim.hetzner.servers)


async def test_down_refuses_connections_and_comes_back(sim, hetzner, control):
    down = await fault(control, kind="down")
    with pytest.raises(aiohttp.ClientConnectorError):
        await hetzner("GET", "/servers")
    assert (await control("DELETE", f"/faults/{down['id']}")).status == 200
    assert (await hetzner("GET", "/servers")).status == 200
    await fault(control, kind="down", ms=60_000)
    with pytest.raises(aiohttp.ClientConnectorError):
        await hetzner("GET", "/servers")
    sim.clock.advance(60_001)
    await until(lambda: sim.listeners["hetzner"].is_open)
    assert (await hetzner("GET", "/servers")).status == 200
    assert (await control("GET", "/faults")).json == {"faults": []}


@pytest.mark.parametrize("wrong", [
    {"cloud": "moon"}, {"kind": "odd"}, {"kind": "status", "status": None}, {"match": "GET ("}, {"times": 0},
    {"times": "1"}, {"skip": -1}, {"rate": "x"}, {"ms": -1}, {"client": "me"}, {"surprise": 1}, {"headers": {"a": 1}},
    {"kind": "delay"}, {"query": 5}, {"status": 99}])
async def test_bad_faults_name_their_mistake(control, wrong):
    document = {"cloud": "hetzner", "kind": "status", "status": 500, **wrong}
    if document["status"] is None:
        del document["status"]
    refused = await control("POST", "/faults", document)
    assert refused.status == 400 and refused.json["error"]
    assert (await control("GET", "/faults")).json == {"faults": []}


async def test_ledger_and_calls(sim, hetzner, control):
    created = (await hetzner("POST", "/servers", SERVER)).json["server"]["id"]
    sim.clock.advance(301)
    row = (await control("GET", "/ledger?live=true&agent_id=a1")).json["hetzner"]["servers"][0]
    assert (row["id"], row["name"], row["job_id"], row["live"], row["status"]) == (
        created, "agent-a1", "j1", True, "running")
    assert row["labels"] == SERVER["labels"]
    await hetzner("DELETE", f"/servers/{created}")
    sim.clock.advance(151)
    row = (await control("GET", "/ledger?job_id=j1")).json["hetzner"]["servers"][0]
    assert row["live"] is False and row["ended_at"] > row["created_at"] and row["ended_by"] == "DELETE"
    assert row["status"] == "gone"
    assert (await control("GET", "/ledger?cloud=hetzner&live=true")).json["hetzner"] == {"servers": []}
    calls = (await control("GET", "/calls?cloud=hetzner")).json
    assert [(call["method"], call["status"]) for call in calls] == [("POST", 201), ("DELETE", 200)]
    assert calls[0]["effect"] == f"created server {created}" and "agent-a1" in calls[0]["body"]
    assert (await control("GET", f"/calls?after={calls[-1]['sequence']}")).json == []


async def test_summary_finds_doubles(sim, hetzner):
    await hetzner("POST", "/servers", SERVER)
    assert sim.summary()["duplicates"] == {"servers_by_agent": {}, "devices_by_hostname": {}, "emails_by_key": {},
                                            "effects_by_key": {}}
    await hetzner("POST", "/servers", {**SERVER, "name": "agent-a1-again"})
    assert list(sim.summary()["duplicates"]["servers_by_agent"]) == ["a1"]


async def test_ledger_is_bounded():
    ledger = Ledger(Clock(), max_calls=3, max_resources=3)
    for number in range(5):
        ledger.end(ledger.begin("hetzner", "GET", f"/{number}", ""), 200)
        ledger.made("hetzner", "server", number)
        ledger.ended("hetzner", "server", number, "test")
    assert [call.path for call in ledger.calls] == ["/2", "/3", "/4"]
    assert len(list(ledger.resources())) == 3 and ledger.dropped == 2


async def test_reset_by_cloud_and_config(sim, hetzner, tailscale, control):
    await hetzner("POST", "/servers", SERVER)
    await control("POST", "/tailscale/devices", {"hostname": "agent-a1"})
    await control("POST", "/config", {"hetzner": {"action_ms": 5}, "tailscale": {"join_ms": 5}})
    await fault(control, kind="hang")
    await control("POST", "/reset", {"clouds": ["hetzner"]})
    summary = (await control("GET", "/summary")).json
    assert (summary["live_servers"], summary["live_devices"]) == (0, 1)
    config = (await control("GET", "/config")).json
    assert (config["hetzner"]["action_ms"], config["tailscale"]["join_ms"]) == (150, 5)
    assert (await control("GET", "/faults")).json == {"faults": []}
    await control("POST", "/reset", {"keep_config": True})
    assert (await control("GET", "/config")).json["tailscale"]["join_ms"] == 5
    assert (await control("GET", "/ledger")).json["tailscale"] == {"devices": [], "keys": []}
    assert (await control("POST", "/reset", {"clouds": ["moon"]})).status == 400


@pytest.mark.parametrize("document", [{"moon": {}}, {"hetzner": {"odd": 1}}, {"hetzner": {"action_ms": -1}},
                                      {"hetzner": {"action_ms": True}}, {"hetzner": 5}, [],
                                      {"hetzner": {"action_ms": 5}, "github": {"rate_limit": 1.5}}])
async def test_bad_config_changes_nothing(control, document):
    assert (await control("POST", "/config", document)).status == 400
    assert (await control("GET", "/config")).json["hetzner"]["action_ms"] == 150


async def test_server_state_by_control(hetzner, control):
    created = (await hetzner("POST", "/servers", SERVER)).json["server"]["id"]
    path = f"/hetzner/servers/{created}/state"
    assert (await control("POST", path, {"status": "off", "locked": True})).json["server"]["locked"] is True
    assert (await control("POST", path, {"status": "odd"})).status == 400
    assert (await control("POST", path, {"status": "deleted"})).status == 200
    assert (await hetzner("GET", f"/servers/{created}")).status == 404
    assert (await control("GET", "/ledger")).json["hetzner"]["servers"][0]["ended_by"] == "control"
    assert (await control("POST", path, {})).status == 404


async def test_clock(sim, control):
    before = (await control("GET", "/clock")).json["now"]
    after = (await control("POST", "/clock", {"advance_ms": 3_600_000})).json["now"]
    assert after - before >= 3600
    assert (await control("POST", "/clock", {"advance_ms": -1})).status == 400
    order = []
    for delay in (30, 10, 20):
        sim.clock.schedule(delay, lambda delay=delay: order.append(delay))
    sim.clock.schedule(15, lambda: order.append(15)).cancel()
    sim.clock.advance(100)
    assert order == [10, 20, 30]


@pytest.mark.parametrize("advanced_ms", [600_000, 599_999])
async def test_the_clock_ticks_on_after_a_jump(advanced_ms):
    """The one thing that was waited for lies behind the jump, or right before it; what comes next is on time."""
    clock = Clock()
    happened = []
    clock.schedule(600_000, lambda: happened.append("far"))
    clock.advance(advanced_ms)
    clock.schedule(2, lambda: happened.append("near"))
    await until(lambda: happened == ["far", "near"], "both timers")
    clock.stop()


async def test_control_refuses_what_is_not_json(control):
    for path in ("/faults", "/config", "/clock", "/runner/plan", "/stripe/events", "/tailscale/devices"):
        assert (await control("POST", path, form="{")).status == 400
    assert (await control("GET", "/odd")).status == 404
    assert (await control("DELETE", "/summary")).status == 405


@pytest.mark.parametrize(("path", "document"), [
    ("/tailscale/devices", {}), ("/tailscale/devices", {"hostname": "a", "tags": "x"}),
    ("/tailscale/devices", {"hostname": "a", "key": {}}), ("/tailscale/devices", {"hostname": "a", "key": "unknown"}),
    ("/stripe/customers", {"id": 5}), ("/stripe/customers", {"metadata": {"a": 1}}),
    ("/stripe/subscriptions", {}), ("/stripe/subscriptions", {"customer": "c", "prices": [1]}),
    ("/stripe/subscriptions", {"customer": "c", "trial_end": "soon"}),
    ("/stripe/events", {"type": "a"}), ("/stripe/events", {"type": "a", "object": {}, "created": "now"}),
    ("/hetzner/fail_actions", {}), ("/hetzner/fail_actions", {"command": "start_server", "times": 0}),
    ("/github/webhooks", {"event": "push"}), ("/github/webhooks/drop", {"times": "all"}),
    ("/stripe/checkout/sessions/cs_none/complete", {}),
])
async def test_control_names_mistakes(control, path, document):
    refused = await control("POST", path, document)
    assert refused.status == 400 and refused.json["error"]


async def test_body_too_large(hetzner):
    assert (await hetzner("POST", "/servers", form=b"x" * (1024 * 1024 + 1))).status == 413


async def test_two_thousand_hanging_connections(sim, hetzner, control):
    await fault(control, kind="hang", times=-1, match="GET /v1/servers$", query="^name=hang$")
    request = (f"GET /v1/servers?name=hang HTTP/1.1\r\nHost: x\r\n"
               f"Authorization: Bearer {sim.options.hcloud_token}\r\n\r\n").encode()
    writers = []
    for _ in range(2000):
        _reader, writer = await asyncio.open_connection("127.0.0.1", sim.listeners["hetzner"].port)
        writer.write(request)
        writers.append(writer)
    await until(lambda: sim.ledger.calls_total["hetzner"] == 2000, "2,000 calls")
    assert (await hetzner("POST", "/servers", SERVER)).status == 201
    for writer in writers:
        writer.transport.abort()
    await until(lambda: all(call.status is not None for call in sim.ledger.calls), "the end of all calls")


async def start_process(tmp_path, *extra):
    """The real program; answers (process, its environment file as a dict)."""
    env_file = tmp_path / "clouds.env"
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clouds", "--env-file", str(env_file), *extra, cwd=folder,
        env={**os.environ, "PYTHONPATH": folder, "HCLOUD_TOKEN": "t" * 64, "GITHUB_CALLBACK_SECRET": "new,old"},
        stderr=asyncio.subprocess.PIPE)
    deadline = time.monotonic() + 10
    while not env_file.exists() and process.returncode is None and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    text = env_file.read_text() if env_file.exists() else ""
    return process, dict(line.split("=", 1) for line in text.splitlines())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_process_starts_writes_and_ends(tmp_path, http, number):
    process, environment = await start_process(tmp_path)
    assert set(environment) >= {"HCLOUD_ENDPOINT", "TAILSCALE_BASE_URL", "STRIPE_API_BASE", "GITHUB_API_URL",
                                "RESEND_BASE_URL", "DOKKU_PROVISIONER_URL", "SLUICE_CLOUDS_CONTROL_URL"}
    assert environment["HCLOUD_ENDPOINT"].endswith("/v1") and environment["HCLOUD_TOKEN"] == "t" * 64
    assert oct((tmp_path / "clouds.env").stat().st_mode & 0o777) == "0o600"
    api = Api(http, environment["HCLOUD_ENDPOINT"], {"Authorization": f"Bearer {'t' * 64}"})
    assert (await api("GET", "/servers")).status == 200
    health = await Api(http, environment["SLUICE_CLOUDS_CONTROL_URL"], {})("GET", "/healthz")
    assert health.json == {"status": "healthy"}
    process.send_signal(number)
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_process_refuses_a_taken_port(tmp_path, sim):
    process, environment = await start_process(tmp_path, "--stripe-port", str(sim.listeners["stripe"].port))
    assert await asyncio.wait_for(process.wait(), 10) == 1 and environment == {}
    assert b"cannot start" in await process.stderr.read()


async def test_ipv4_addresses_are_reserved_ones(sim, hetzner):
    address = (await hetzner("POST", "/servers", SERVER)).json["server"]["public_net"]["ipv4"]["ip"]
    first, second, *_rest = struct.unpack("4B", bytes(int(part) for part in address.split(".")))
    assert first == 198 and second in (18, 19)
