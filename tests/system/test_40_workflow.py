"""The workflow's callbacks: one claim, lost runs, failures rolled back, refusals; GitHub's own word about a run."""

import uuid

import pytest
from kit.wait import until


@pytest.fixture
def user(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    return user_id


def provision(world, user_id, outcome, **more):
    agent_id = world.create_agent(user_id)
    world.clouds.plan(outcome, agent_id, **more)
    assert world.command(user_id, agent_id, "provision").status_code == 200
    return agent_id


def rolled_back(world, agent_id):
    agent = world.books.agent_in(agent_id, "failed", timeout_s=60)
    until(lambda: [job["status"] for job in world.books.jobs(agent_id, "rollback")] == ["succeeded"], "the rollback")
    assert world.servers_of(agent_id) == [] and world.devices_of(agent_id) == []
    assert world.books.agent(agent_id)["server_id"] is None
    return agent


@pytest.mark.parametrize("outcome", ["fail_before_server", "fail_after_server", "silent_after_claim",
                                     "silent_after_server", "startup_failure", "fail_silently", "never_claim"])
def test_a_run_that_fails_is_rolled_back(world, user, outcome):
    agent_id = provision(world, user, outcome)
    agent = rolled_back(world, agent_id)
    assert agent["status_reason"]
    job, = world.books.jobs(agent_id, "provision")
    assert job["status"] == "failed" and job["error"]
    assert "agent_provision_failed" in world.books.audits(user)


def test_two_runs_of_one_dispatch_make_one_server(world, user):
    agent_id = provision(world, user, "duplicate_run")
    world.books.agent_in(agent_id, "active")
    assert len(world.servers_of(agent_id)) == 1


def test_a_dispatch_that_github_took_without_an_answer(world, user):
    agent_id = world.create_agent(user)
    world.clouds.fault("github", "lose_answer", match="POST .*/dispatches")
    assert world.command(user, agent_id, "provision").status_code == 200
    world.books.agent_in(agent_id, "active")
    assert len(world.servers_of(agent_id)) == 1


@pytest.mark.parametrize("kind, more", [("status", {"status": 502}), ("reset", {}), ("html_error", {}),
                                        ("rate_limited", {}), ("status", {"status": 500})])
def test_a_trigger_that_fails_is_tried_again(world, user, kind, more):
    agent_id = world.create_agent(user)
    world.clouds.fault("github", kind, times=2, match="POST .*/dispatches", **more)
    assert world.command(user, agent_id, "provision").status_code == 200
    world.books.agent_in(agent_id, "active", timeout_s=60)
    assert len(world.servers_of(agent_id)) == 1


def test_claims_and_reports_that_are_refused(world, user):
    agent_id = provision(world, user, "silent_after_claim")
    job = until(lambda: next((j for j in world.books.jobs(agent_id) if j["run_id"]), None), "the claim")
    ingress, job_id = world.ingress, str(job["id"])
    other = ingress.callback(job_id, "claimed", 4711, user, wait_s=10)
    assert (other.status_code, other.json()["errorCode"]) == (409, "ALREADY_CLAIMED")
    again = ingress.callback(job_id, "claimed", job["run_id"], user, wait_s=10)
    assert again.status_code == 200
    unknown = ingress.callback(str(uuid.uuid4()), "claimed", 1, user, wait_s=10)
    assert (unknown.status_code, unknown.json()["errorCode"]) == (404, "JOB_NOT_FOUND")
    rolled_back(world, agent_id)
    ended = ingress.callback(job_id, "completed", job["run_id"], user, wait_s=10, server_id=1, server_ip="198.18.0.1",
                             tailscale_device_id="n1", tailscale_ip="100.64.0.1")
    assert (ended.status_code, ended.json()["errorCode"]) == (409, "JOB_ENDED")
    assert world.books.agent(agent_id)["status"] == "failed"
    late = ingress.callback(job_id, "failed", job["run_id"], user, error="late")
    assert late.status_code == 200  # without waiting: received


def test_a_failed_job_can_be_tried_again(world, user):
    agent_id = provision(world, user, "fail_after_server")
    rolled_back(world, agent_id)
    job, = world.books.jobs(agent_id, "provision")
    answer = world.ingress.api(user, f"/api/jobs/{job['id']}/retry")
    assert answer.status_code == 200, answer.text
    world.books.agent_in(agent_id, "active")
    assert "job_retried" in world.books.audits(user)
    assert len(world.servers_of(agent_id)) == 1


def test_cancel_of_a_provision_under_way_rolls_back(world, user):
    agent_id = provision(world, user, "complete", hang_ms=2000)
    job = until(lambda: next((j for j in world.books.jobs(agent_id) if j["run_id"]), None), "the claim")
    answer = world.ingress.api(user, f"/api/jobs/{job['id']}/cancel")
    assert answer.status_code == 200, answer.text
    world.books.user_settled(user)
    assert world.books.jobs(agent_id, "provision")[0]["status"] == "cancelled"
    assert world.servers_of(agent_id) == [] and world.devices_of(agent_id) == []
    refused = world.ingress.api(user, f"/api/jobs/{job['id']}/cancel")
    assert (refused.status_code, refused.json()["errorCode"]) == (409, "JOB_ENDED")
