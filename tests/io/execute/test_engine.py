"""The engine against clouds that misbehave, killed, cut off from Postgres, drained: the same end, and nothing twice."""

import collections
import time
import uuid

import pytest
from kit.wait import until

UNAUTHORIZED = {"error": {"code": "unauthorized", "message": "unable to authenticate", "details": None}}
LOCKED = {"error": {"code": "locked", "message": "server is locked", "details": None}}
LIMITED = {"error": {"code": "rate_limit_exceeded", "message": "limit reached", "details": None}}

HETZNER_FAULTS = [
    {"kind": "lose_answer", "match": "POST actions", "times": 5},
    {"kind": "lose_answer", "match": "DELETE .*", "times": 5},
    {"kind": "reset", "match": "* servers", "times": 5},
    {"kind": "hang", "match": "* servers", "times": 2, "skip": 3},
    {"kind": "html_error", "match": "* servers", "times": 5, "skip": 9},
    {"kind": "half_answer", "match": "* servers", "times": 5, "skip": 15},
    {"kind": "status", "status": 423, "body": LOCKED, "match": "POST .*", "times": 4},
    {"kind": "status", "status": 423, "body": LOCKED, "match": "DELETE .*", "times": 4},
    {"kind": "status", "status": 429, "body": LIMITED, "headers": {"Retry-After": "1"}, "match": "* servers",
     "times": 2, "skip": 25},
]
GITHUB_FAULTS = [
    {"kind": "lose_answer", "match": "POST dispatches", "times": 3},
    {"kind": "reset", "match": "POST dispatches", "times": 3},
    {"kind": "hang_after", "match": "POST dispatches", "times": 1, "skip": 4},
    {"kind": "html_error", "match": "POST dispatches", "times": 3},
    {"kind": "rate_limited", "times": 2, "skip": 12},
    {"kind": "html_error", "match": "GET runs", "times": 2},
]


def test_twenty_dispatches_make_twenty_runs_whatever_github_does(world):
    world.clouds.configure(github={"visible_after_ms": 300})
    world.strike("github", GITHUB_FAULTS)
    jobs = [world.plan(world.agent(), "provision", {"region": "us-east"}) for _ in range(20)]
    world.engine("worker-a")
    world.engine("worker-b")
    until(lambda: all(world.job(job)["status"] == "waiting" for job in jobs), "all jobs to wait for callbacks", 60)
    runs = collections.Counter(run["job_id"] for run in world.clouds.ledger()["github"]["runs"])
    assert runs == {job: 1 for job in jobs}
    assert world.struck("github") == sum(fault["times"] for fault in GITHUB_FAULTS)
    dispatched = collections.Counter(event["job_id"] for event in world.events() if event["type"] == "job.dispatched")
    assert dispatched == {job: 1 for job in jobs}


def test_stops_and_destroys_end_whatever_hetzner_does(world):
    agents = [world.live_agent() for _ in range(20)]
    world.strike("hetzner", HETZNER_FAULTS)
    world.clouds.fault("tailscale", "lose_answer", times=3, match="DELETE .*")
    stops = [world.plan(agent, "stop") for agent in agents]
    destroys = [world.plan(agent, "destroy") for agent in agents[:10]]
    world.engine("worker-a")
    world.engine("worker-b")
    world.ended(*stops, timeout_s=90)
    world.ended(*destroys, timeout_s=90)
    assert [world.status(agent_id) for agent_id, _ in agents[10:]] == ["off"] * 10
    gone = {agent_id for agent_id, _ in agents[:10]}
    assert not gone & {server["agent_id"] for server in world.live("hetzner", "servers")}
    devices = {device["name"] for device in world.live("tailscale", "devices")}
    assert not devices & {f"agent-{agent_id}" for agent_id in gone}
    assert len(world.events()) == 30
    assert world.struck("hetzner") == sum(fault["times"] for fault in HETZNER_FAULTS)
    assert world.rows("SELECT 1 FROM sluice.jobs WHERE status = 'running'") == []


def test_an_agents_jobs_run_one_after_the_other_in_the_order_decided(world):
    agent = world.live_agent()
    jobs = [world.plan(agent, kind) for kind in ("stop", "start", "stop", "destroy")]
    world.engine()
    world.ended(*jobs)
    assert [event["job_id"] for event in world.events()] == jobs
    powers = [call["path"].rsplit("/", 1)[1] for call in world.clouds.calls("hetzner")
              if call["method"] == "POST" and "/actions/" in call["path"]]
    assert powers == ["shutdown", "poweron", "shutdown"]


def test_a_user_has_one_provision_at_a_time_oldest_first(world):
    user = f"user-{uuid.uuid4().hex[:8]}"
    jobs = [world.plan(world.agent(user), "provision") for _ in range(3)]
    world.engine()
    until(lambda: world.job(jobs[0])["status"] == "waiting", "the first dispatch")
    for previous, following in zip(jobs, jobs[1:]):
        assert world.job(following)["status"] == "queued"
        world.rows("UPDATE sluice.jobs SET status = 'succeeded', fence = fence + 1 WHERE id = %s", previous)
        until(lambda: world.job(following)["status"] == "waiting", "the next dispatch")


def test_a_guest_that_ignores_the_shutdown_is_cut_off(world):
    agent = world.live_agent()
    world.clouds.configure(hetzner={"acpi_ms": None})
    job = world.plan(agent, "stop")
    world.engine()
    world.ended(job)
    assert world.status(agent[0]) == "off"
    assert any(call["path"].endswith("/poweroff") for call in world.clouds.calls("hetzner"))


def test_what_a_killed_engine_dispatched_is_found_and_not_made_again(world):
    world.clouds.fault("github", "hang_after", match="POST dispatches")
    job = world.plan(world.agent(), "provision")
    first = world.engine("worker-a")
    until(lambda: world.clouds.ledger()["github"]["runs"], "the run to start")
    first.kill()
    row = world.job(job)
    assert (row["status"], row["step"], row["result"]["intent"]) == ("running", "dispatch", "dispatch")
    until(world.sweep, "the lease to run out")
    world.engine("worker-b")
    until(lambda: world.job(job)["status"] == "waiting", "the second engine to find the run")
    run, = world.clouds.ledger()["github"]["runs"]
    event, = world.events(job)
    assert (event["type"], event["run_id"]) == ("job.dispatched", str(run["id"]))


def test_what_a_killed_engine_began_to_destroy_is_destroyed(world):
    agent = world.live_agent()
    world.clouds.fault("hetzner", "hang_after", match="DELETE .*")
    job = world.plan(agent, "destroy")
    first = world.engine("worker-a")
    until(lambda: world.status(agent[0]) in ("deleting", None), "the deletion to take effect")
    first.kill()
    until(world.sweep, "the lease to run out")
    world.engine("worker-b")
    world.ended(job)
    assert world.live("hetzner", "servers") == [] and world.live("tailscale", "devices") == []


def test_what_a_killed_engine_had_not_begun_keeps_its_server(world):
    agent = world.live_agent()
    world.clouds.fault("hetzner", "hang", match="GET .*")
    job = world.plan(agent, "stop")
    first = world.engine("worker-a")
    until(lambda: world.struck("hetzner"), "the first look at the server")
    first.kill()
    assert (world.job(job)["step"], world.job(job)["result"]) == ("look_server", {})
    until(world.sweep, "the lease to run out")
    world.engine("worker-b")
    world.ended(job)
    assert world.status(agent[0]) == "off"


@pytest.mark.parametrize("kind, request_of", (("update_limits", "PUT update"), ("deprovision", "DELETE deprovision")))
def test_what_a_killed_engine_had_only_claimed_still_knows_its_instance(world, kind, request_of):
    """Its first step changes something, so that the claim itself records an intent, and nothing else is known yet."""
    agent = world.agent()
    world.rows("UPDATE sluice.agents SET app_name = 'app-of-ours' WHERE id = %s", agent[0])
    world.clouds.fault("provisioner", "hang", match=request_of)
    limits = {"tier": "starter", "agents": "3", "messages_per_day": "1000", "memory_mb": "512", "cpu": "0.5"}
    job = world.plan(agent, kind, limits, "provisioner")
    first = world.engine("worker-a")
    until(lambda: world.struck("provisioner"), "the call")
    first.kill()
    assert set(world.job(job)["result"]) == {"intent", "intent_at_ms"}
    until(world.sweep, "the lease to run out")
    world.engine("worker-b")
    until(lambda: [row for row in world.clouds.calls("provisioner") if row["status"]],
          "the second engine to call for the same instance")
    assert "app-of-ours" in world.clouds.calls("provisioner")[-1]["body"]


def test_a_github_that_is_away_saves_no_server(world):
    agent = world.agent()
    provision = world.plan(agent, "provision")
    world.engine()
    until(lambda: world.job(provision)["status"] == "waiting", "the dispatch")
    world.server(agent[0])
    world.rows("UPDATE sluice.jobs SET status = 'failed', fence = fence + 1 WHERE id = %s", provision)
    world.clouds.fault("github", "html_error", times=-1)
    rollback = world.plan(agent, "rollback", {"provision_job_id": provision})
    world.ended(rollback, timeout_s=60)
    assert world.live("hetzner", "servers") == []


def test_rows_of_calls_that_cannot_be_written_hold_up_no_job(world):
    world.rows("ALTER TABLE sluice.job_calls ADD CHECK (cloud <> 'hetzner')")
    agents = [world.live_agent() for _ in range(3)]
    jobs = [world.plan(agent, "stop") for agent in agents]
    engine = world.engine()
    world.ended(*jobs)
    assert "moved on without us" not in engine.log.read_text()
    assert {world.job(job)["attempt"] for job in jobs} == {0}


def test_refused_credentials_keep_jobs_queued_and_burn_no_attempt(world):
    agents = [world.live_agent() for _ in range(5)]
    world.clouds.fault("hetzner", "status", times=-1, status=401, body=UNAUTHORIZED)
    jobs = [world.plan(agent, "stop") for agent in agents]
    world.engine()
    opened = "SELECT * FROM sluice.cloud_state WHERE cloud = 'hetzner' AND breaker <> 'closed'"
    state = until(lambda: world.rows(opened), "the breaker to open")
    assert state[0]["reason"] == "auth"
    until(lambda: len([call for call in world.clouds.calls("hetzner") if call["status"] == 401]) > 5, "some probes")
    assert {world.job(job)["attempt"] for job in jobs} == {0}
    assert {world.job(job)["status"] for job in jobs} <= {"queued", "running"}
    world.clouds.clear_faults()
    world.ended(*jobs)


def test_a_cloud_that_is_not_configured_keeps_its_jobs_and_no_others(world):
    stop, provision = world.plan(world.live_agent(), "stop"), world.plan(world.agent(), "provision")
    world.engine(without=["HCLOUD_TOKEN"])
    until(lambda: world.job(provision)["status"] == "waiting", "the dispatch")
    row, = until(lambda: world.rows("SELECT * FROM sluice.cloud_state WHERE cloud = 'hetzner'"), "the cloud's state")
    assert (row["breaker"], row["reason"]) == ("unconfigured", "HCLOUD_TOKEN")
    job = world.job(stop)
    assert (job["status"], job["attempt"], job["step"]) == ("queued", 0, None)


def test_a_dispatch_that_always_fails_is_given_up(world):
    world.clouds.fault("github", "status", times=-1, status=422, match="POST dispatches",
                       body={"message": "No ref found for: main", "status": "422"})
    job = world.plan(world.agent(), "provision")
    world.engine()
    world.ended(job, how="job.failed")
    event, = world.events(job)
    assert "No ref found" in event["error"] and event["attempts"] == 4
    calls = until(lambda: world.rows("SELECT verdict FROM sluice.job_calls WHERE job_id = %s", job), "the calls' rows")
    assert [call["verdict"] for call in calls] == ["refused"] * 4


def test_a_write_under_an_old_fence_is_dropped(world):
    agent = world.live_agent()
    world.clouds.fault("hetzner", "delay", match="POST shutdown", ms=600)
    job = world.plan(agent, "stop")
    engine = world.engine()
    until(lambda: world.job(job)["step"] == "shut_down", "the shutdown to be asked for")
    world.rows("""UPDATE sluice.jobs SET fence = fence + 1, worker = 'worker-z', step = 'another', attempt = 7,
        lease_until = now() + interval '1 hour' WHERE id = %s""", job)
    until(lambda: "moved on without us" in engine.log.read_text(), "the engine to notice")
    row = world.job(job)
    assert (row["status"], row["worker"], row["step"], row["attempt"]) == ("running", "worker-z", "another", 7)
    assert not row["settled"] and world.events(job) == []


def test_a_cancellation_is_honoured_between_two_calls(world):
    agent = world.live_agent()
    world.clouds.configure(hetzner={"acpi_ms": None})
    world.rows("UPDATE sluice.agents SET status = 'stopping' WHERE id = %s", agent[0])
    job = world.plan(agent, "stop")
    world.engine()
    until(lambda: world.job(job)["step"] in ("shut_down", "wait_off"), "the shutdown to be asked for")
    world.rows("UPDATE sluice.jobs SET cancel_requested = true WHERE id = %s", job)
    world.ended(job, how="job.cancelled")


def test_a_queued_job_that_is_cancelled_never_calls(world):
    world.clouds.fault("github", "status", times=-1, status=503, match="POST dispatches", body={"message": "x"})
    job = world.plan(world.agent(), "provision")
    world.rows("UPDATE sluice.jobs SET cancel_requested = true WHERE id = %s", job)
    world.engine()
    world.ended(job, how="job.cancelled")
    assert world.clouds.calls("github") == []


def test_a_drain_hands_back_and_counts_no_attempt(world):
    agents = [world.live_agent() for _ in range(4)]
    world.clouds.configure(hetzner={"acpi_ms": None})
    world.clouds.fault("hetzner", "hang", match="GET .*", skip=6, times=1)
    jobs = [world.plan(agent, "stop") for agent in agents]
    engine = world.engine(drain_ms=200)
    until(lambda: any(world.job(job)["step"] == "wait_off" for job in jobs), "the jobs to be under way")
    assert engine.stop() == 0
    for job in jobs:
        row = world.job(job)
        handed_back = (row["status"], row["attempt"], row["lease_until"], row["worker"]) == ("queued", 0, None, None)
        assert row["settled"] or handed_back, row
    world.engine("worker-b")
    world.ended(*jobs)


def test_postgres_may_go_and_come_back(world):
    agents = [world.live_agent() for _ in range(6)]
    jobs = [world.plan(agent, "destroy") for agent in agents]
    world.clouds.configure(hetzner={"action_ms": 300})
    engine = world.engine()
    until(lambda: any(call["method"] == "DELETE" for call in world.clouds.calls("hetzner")), "the first deletion")
    world.postgres.stop()
    until(lambda: "postgres is away" in engine.log.read_text(), "the engine to notice")
    world.postgres.start()
    deadline = time.monotonic() + 60

    def done():
        assert time.monotonic() < deadline
        world.sweep()
        world.decide()
        return len({event["job_id"] for event in world.events() if event["type"] == "job.succeeded"}) == len(jobs)
    until(done, "all to be destroyed", 60)
    assert world.live("hetzner", "servers") == [] and world.live("tailscale", "devices") == []


def test_a_rollback_stops_the_run_and_takes_away_what_it_made(world):
    agent = world.agent()
    provision = world.plan(agent, "provision")
    world.engine()
    until(lambda: world.job(provision)["status"] == "waiting", "the dispatch")
    world.server(agent[0])
    world.clouds._call("POST", "/tailscale/devices", {"hostname": f"agent-{agent[0]}"})
    world.rows("UPDATE sluice.jobs SET status = 'failed', fence = fence + 1 WHERE id = %s", provision)
    rollback = world.plan(agent, "rollback", {"provision_job_id": provision})
    world.ended(rollback)
    run, = world.clouds.ledger()["github"]["runs"]
    assert not run["live"]
    assert world.live("hetzner", "servers") == [] and world.live("tailscale", "devices") == []


def test_a_foreign_server_of_the_agents_name_is_left_alone(world):
    agent = world.agent()
    world.server(agent[0], labels={"owner": "somebody"})
    job = world.plan(agent, "destroy")
    engine = world.engine()
    world.ended(job)
    assert len(world.live("hetzner", "servers")) == 1
    assert "left alone" in engine.log.read_text()


def test_an_oauth_client_serves_instead_of_a_key(world):
    agent = world.live_agent()
    job = world.plan(agent, "destroy")
    world.engine(without=["TAILSCALE_API_KEY"],
                 with_={"TAILSCALE_OAUTH_CLIENT_ID": "sim-client", "TAILSCALE_OAUTH_CLIENT_SECRET": "tskey-client-sim"})
    world.ended(job)
    tokens = [call for call in world.clouds.calls("tailscale") if call["path"].endswith("/oauth/token")]
    assert len(tokens) == 1 and world.live("tailscale", "devices") == []


def test_an_answer_without_a_token_opens_the_breaker(world):
    job = world.plan(world.live_agent(), "destroy")
    world.clouds.fault("tailscale", "status", times=-1, status=200, body={}, match="POST token")
    world.engine(without=["TAILSCALE_API_KEY"],
                 with_={"TAILSCALE_OAUTH_CLIENT_ID": "sim-client", "TAILSCALE_OAUTH_CLIENT_SECRET": "tskey-client-sim"})
    opened = "SELECT reason FROM sluice.cloud_state WHERE cloud = 'tailscale' AND breaker <> 'closed'"
    state, = until(lambda: world.rows(opened), "the breaker to open")
    assert state["reason"] == "failures"
    world.clouds.clear_faults()
    world.ended(job)


@pytest.mark.parametrize("cloud", ["hetzner", "tailscale"])
def test_a_cloud_that_is_down_holds_up_its_own_jobs_alone(world, cloud):
    destroy, provision = world.plan(world.live_agent(), "destroy"), world.plan(world.agent(), "provision")
    world.clouds.fault(cloud, "down", times=-1)
    world.engine()
    until(lambda: world.job(provision)["status"] == "waiting", "the dispatch")
    until(lambda: world.rows("SELECT 1 FROM sluice.job_calls WHERE cloud = %s AND verdict = 'not_done'", cloud),
          "a call that could not be made")
    assert world.events(destroy) == []
    world.clouds.clear_faults()
    world.ended(destroy)
