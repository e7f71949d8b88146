"""Clouds that fail, hang, lose answers, lock and rate-limit: the same end, and nothing twice."""

import pytest
from kit.wait import until


@pytest.fixture
def user(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    return user_id


FAULTS = [
    ("lose_answer", {}), ("reset", {}), ("html_error", {}), ("half_answer", {}), ("hang", {}),
    ("rate_limited", {}), ("status", {"status": 503, "body": {"error": {"code": "unavailable", "message": "x"}}}),
    ("status", {"status": 423, "body": {"error": {"code": "locked", "message": "server is locked"}}}),
]


@pytest.mark.parametrize("kind, more", FAULTS)
def test_stop_ends_paused_whatever_hetzner_does(world, user, kind, more):
    agent_id = world.active_agent(user)
    world.clouds.fault("hetzner", kind, times=2, match="POST .*/actions/.*", **more)
    assert world.command(user, agent_id, "stop").status_code == 200
    world.books.agent_in(agent_id, "paused", timeout_s=60)
    assert world.servers_of(agent_id)[0]["status"] == "off"


@pytest.mark.parametrize("kind, more", FAULTS)
def test_destroy_leaves_nothing_whatever_hetzner_does(world, user, kind, more):
    agent_id = world.active_agent(user)
    world.clouds.fault("hetzner", kind, times=2, match="DELETE .*", **more)
    assert world.command(user, agent_id, "destroy").status_code == 200
    world.books.agent_in(agent_id, "destroyed", timeout_s=60)
    assert world.servers_of(agent_id) == [] and world.devices_of(agent_id) == []


def test_tailscale_loses_the_answer_to_a_delete(world, user):
    agent_id = world.active_agent(user)
    world.clouds.fault("tailscale", "lose_answer", match="DELETE .*")
    assert world.command(user, agent_id, "destroy").status_code == 200
    world.books.agent_in(agent_id, "destroyed", timeout_s=60)
    assert world.devices_of(agent_id) == []


def test_a_server_deleted_by_hand_is_destroyed_all_the_same(world, user):
    agent_id = world.active_agent(user)
    server, = world.servers_of(agent_id)
    world.clouds._call("POST", f"/hetzner/servers/{server['id']}/state", {"status": "deleted"})
    assert world.command(user, agent_id, "destroy").status_code == 200
    world.books.agent_in(agent_id, "destroyed")


def test_a_refused_credential_keeps_jobs_queued_without_burning_attempts(world, user):
    agent_id = world.active_agent(user)
    refused = {"error": {"code": "unauthorized", "message": "unable to authenticate", "details": None}}
    world.clouds.fault("hetzner", "status", times=1000, status=401, body=refused)
    assert world.command(user, agent_id, "stop").status_code == 200
    until(lambda: any(row["breaker"] != "closed" for row in
                      world.books.rows("SELECT breaker FROM sluice.cloud_state WHERE cloud = 'hetzner'")),
          "the breaker to open")
    job, = world.books.jobs(agent_id, "stop")
    assert job["status"] in ("queued", "running") and job["attempt"] <= 1
    world.clouds.clear_faults()
    world.books.agent_in(agent_id, "paused", timeout_s=60)


def test_one_agents_failure_does_not_hold_up_the_others(world, user):
    broken, fine = world.active_agent(user), world.active_agent(user)
    server, = world.servers_of(broken)
    world.clouds.fault("hetzner", "status", times=1000, match=f".* .*/servers/{server['id']}.*", status=503,
                       body={"error": {"code": "unavailable", "message": "x"}})
    for agent_id in (broken, fine):
        assert world.command(user, agent_id, "stop").status_code == 200
    world.books.agent_in(fine, "paused")
    assert world.books.agent(broken)["status"] == "stopping"
    world.clouds.clear_faults()
    world.books.agent_in(broken, "paused", "failed", timeout_s=60)
