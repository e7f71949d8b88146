"""Servers made without a workflow: the key, the server, the machine's way into the tailnet, and nothing left behind."""

import uuid

import pytest
from kit.wait import until


def hetzner_agent(world, user_id, name="h"):
    agent_id = str(uuid.uuid4())
    answer = world.ingress.api(user_id, "/api/agents", {"agent_id": agent_id, "name": name, "region": "us-east",
                                                        "backend": "hetzner"})
    assert answer.status_code == 200 and answer.json()["result"] == "applied", answer.text
    return agent_id


def provision(world, user_id, agent_id):
    answer = world.command(user_id, agent_id, "provision")
    assert answer.status_code == 200, answer.text


@pytest.fixture
def user_id(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    return user_id


def creations(world, agent_id):
    """The calls that asked Hetzner for the agent's server."""
    return [call for call in world.clouds.calls("hetzner")
            if (call["method"], call["path"]) == ("POST", "/v1/servers") and f"agent-{agent_id}" in call["body"]]


def live_keys(world):
    return [key for key in world.clouds.ledger()["tailscale"]["keys"] if key["live"]]


def test_up_without_a_workflow(world, user_id):
    agent_id = hetzner_agent(world, user_id)
    dispatched = len(world.clouds.calls("github"))
    provision(world, user_id, agent_id)
    agent = world.books.agent_in(agent_id, "active", timeout_s=60)
    server, = world.servers_of(agent_id)
    device, = world.devices_of(agent_id)
    job, = world.books.jobs(agent_id, "provision")
    assert (str(server["id"]), server["name"]) == (agent["server_id"], f"agent-{agent_id}")
    assert server["labels"]["sluice-job"] == str(job["id"])
    assert agent["server_ip"] and agent["tailscale_device_id"] == str(device["id"])
    assert len(world.clouds.calls("github")) == dispatched, "no workflow has a part in it"
    assert str(job["id"]) not in str(live_keys(world)) and agent_id not in str(live_keys(world)), "the key is gone"
    assert creations(world, agent_id)


def test_no_secret_but_the_key_leaves_with_the_server(world, user_id):
    agent_id = hetzner_agent(world, user_id)
    provision(world, user_id, agent_id)
    world.books.agent_in(agent_id, "active", timeout_s=60)
    call = creations(world, agent_id)[-1]
    env = world.system.env
    for name in ("HCLOUD_TOKEN", "TAILSCALE_API_KEY", "GITHUB_PAT", "GITHUB_CALLBACK_SECRET", "SLUICE_JWT_SECRET",
                 "STRIPE_SECRET_KEY", "SLUICE_DATA_KEYS"):
        assert env[name] not in call["body"], f"{name} stands in the server's user data"
    held = world.books.rows("SELECT * FROM sluice.jobs WHERE agent_id = %s", agent_id)
    assert "tskey-auth" not in str(held), "a key is nowhere kept"
    for name in ("worker-1", "worker-2"):
        assert "tskey-auth" not in world.system.log(name)


def test_stop_start_destroy(world, user_id):
    agent_id = hetzner_agent(world, user_id)
    provision(world, user_id, agent_id)
    world.books.agent_in(agent_id, "active", timeout_s=60)
    assert world.command(user_id, agent_id, "stop").status_code == 200
    world.books.agent_in(agent_id, "paused")
    assert world.servers_of(agent_id)[0]["status"] == "off"
    assert world.command(user_id, agent_id, "start").status_code == 200
    world.books.agent_in(agent_id, "active")
    assert world.command(user_id, agent_id, "destroy").status_code == 200
    agent = world.books.agent_in(agent_id, "destroyed")
    assert agent["server_id"] is None
    assert world.servers_of(agent_id) == [] and world.devices_of(agent_id) == []


@pytest.mark.parametrize("kind", ["lose_answer", "half_answer", "reset", "html_error"])
def test_an_unsure_creation_makes_one_server(world, user_id, kind):
    agent_id = hetzner_agent(world, user_id)
    world.clouds.fault("hetzner", kind, match="POST /servers$", body_match=agent_id)
    provision(world, user_id, agent_id)
    world.books.agent_in(agent_id, "active", timeout_s=60)
    assert len(world.servers_of(agent_id)) == 1 and len(world.devices_of(agent_id)) == 1
    made = [server for server in world.clouds.ledger()["hetzner"]["servers"]
            if server["labels"].get("sluice-agent") == agent_id]
    assert len(made) == 1, "one was made, and one is"


def test_a_lost_key_dies_unused(world, user_id):
    agent_id = hetzner_agent(world, user_id)
    world.clouds.fault("tailscale", "lose_answer", match="POST /keys$")
    provision(world, user_id, agent_id)
    world.books.agent_in(agent_id, "active", timeout_s=60)
    assert len(world.devices_of(agent_id)) == 1


def test_no_capacity_here_but_there(world, user_id):
    agent_id = hetzner_agent(world, user_id)
    first = hetzner_agent(world, user_id)
    provision(world, user_id, first)
    world.books.agent_in(first, "active", timeout_s=60)
    preferred = world.servers_of(first)[0]["location"]
    preferred = preferred["name"] if isinstance(preferred, dict) else preferred
    world.clouds.configure(hetzner={"unavailable_locations": [preferred]})
    try:
        provision(world, user_id, agent_id)
        world.books.agent_in(agent_id, "active", timeout_s=60)
    finally:
        world.clouds.configure(hetzner={"unavailable_locations": []})
    elsewhere = world.servers_of(agent_id)[0]["location"]
    assert (elsewhere["name"] if isinstance(elsewhere, dict) else elsewhere) != preferred


def test_a_machine_that_never_joins_is_rolled_back(world, user_id):
    agent_id = hetzner_agent(world, user_id)
    world.clouds.configure(tailscale={"join_ms": None})
    try:
        provision(world, user_id, agent_id)
        world.books.agent_in(agent_id, "failed", timeout_s=90)
    finally:
        world.clouds.configure(tailscale={"join_ms": 100})
    world.books.user_settled(user_id, 60)
    assert world.servers_of(agent_id) == [] and world.devices_of(agent_id) == []
    job, = world.books.jobs(agent_id, "provision")
    assert job["status"] == "failed" and job["error"]


def test_cancelled_under_way_leaves_nothing(world, user_id):
    agent_id = hetzner_agent(world, user_id)
    world.clouds.configure(hetzner={"action_ms": 1500})
    try:
        provision(world, user_id, agent_id)
        job = until(lambda: next((row for row in world.books.jobs(agent_id, "provision") if row["status"] == "running"),
                                 None), "the provision to be under way")
        answer = world.ingress.api(user_id, f"/api/jobs/{job['id']}/cancel")
        assert answer.status_code == 200, answer.text
        world.books.user_settled(user_id, 60)
    finally:
        world.clouds.configure(hetzner={"action_ms": 150})
    assert world.servers_of(agent_id) == [] and world.devices_of(agent_id) == []
    assert world.books.agent(agent_id)["status"] in ("draft", "failed", "destroyed")
