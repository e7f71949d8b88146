"""The workflow runner: each outcome, what it leaves behind, and how it takes refusals and silence."""

import pytest

from .conftest import until
from .test_github import DISPATCH, dispatch

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def brisk(sim):
    """Shorter timings than the defaults: the tests are about the order of things."""
    sim.settings.update({"hetzner": {"action_ms": 10}, "runner": {
        "queue_ms": 2, "setup_ms": 2, "after_server_ms": 30, "beat_ms": 20, "poll_ms": 5, "callback_retry_ms": 5}})


async def perform(sim, github, ingress, job="j1", agent="a1"):
    """Dispatches and waits for the end; answers the run."""
    before = set(sim.github.runs)
    assert (await github("POST", DISPATCH, dispatch(ingress, job, agent))).status == 204
    run = sim.github.runs[min(set(sim.github.runs) - before)]
    await until(lambda: run.status == "completed", f"the end of {run.title}")
    return run


async def test_complete(sim, github, ingress):
    run = await perform(sim, github, ingress)
    assert run.conclusion == "success"
    statuses = ingress.statuses()
    assert statuses[0] == "claimed" and statuses[-1] == "completed" and set(statuses[1:-1]) == {"heartbeat"}
    server = next(iter(sim.hetzner.servers.values()))
    device = next(iter(sim.tailscale.devices.values()))
    assert server.name == device.hostname == "agent-a1" and server.status == "running"
    assert server.labels == {"sluice-agent": "a1", "sluice-job": "j1"} and server.location == "ash"
    completed = ingress.callbacks[-1]
    assert completed["run_id"] == str(run.id) and completed["job_id"] == "j1" and completed["timestamp"].endswith("Z")
    assert (completed["server_id"], completed["server_ip"]) == (str(server.id), server.ipv4)
    assert (completed["tailscale_device_id"], completed["tailscale_ip"]) == (device.node_id, device.address)
    calls = sim.ledger.select_calls(1000, cloud="hetzner", method="POST")
    assert [call["client"] for call in calls] == ["runner"]


async def test_fail_before_server(sim, github, ingress, control):
    await control("POST", "/runner/plan", {"agent_id": "a1", "outcome": "fail_before_server", "error": "no luck"})
    run = await perform(sim, github, ingress)
    assert run.conclusion == "failure" and not sim.hetzner.servers
    failed = ingress.callbacks[-1]
    assert (failed["status"], failed["error"], failed["server_id"]) == ("failed", "no luck", "")
    assert (await perform(sim, github, ingress, "j2")).conclusion == "success"  # the plan was for one run


async def test_fail_after_server_leaves_it_behind(sim, github, ingress, control):
    await control("POST", "/runner/plan", {"outcome": "fail_after_server"})
    run = await perform(sim, github, ingress)
    failed = ingress.callbacks[-1]
    assert run.conclusion == "failure" and failed["server_id"] == str(next(iter(sim.hetzner.servers)))
    assert failed["tailscale_device_id"] == next(iter(sim.tailscale.devices))


async def test_fail_silently(sim, github, ingress, control):
    await control("POST", "/runner/plan", {"outcome": "fail_silently"})
    run = await perform(sim, github, ingress)
    assert run.conclusion == "failure" and "failed" not in ingress.statuses() and len(sim.hetzner.servers) == 1


async def test_startup_failure(sim, github, ingress, control):
    await control("POST", "/runner/plan", {"outcome": "startup_failure"})
    run = await perform(sim, github, ingress)
    assert run.conclusion == "startup_failure" and ingress.callbacks == []


async def test_ids_may_be_numbers(sim, github, ingress, control):
    await control("POST", "/config", {"runner": {"text_ids": False}})
    run = await perform(sim, github, ingress)
    assert ingress.callbacks[-1]["run_id"] == run.id
    assert ingress.callbacks[-1]["server_id"] == next(iter(sim.hetzner.servers))


@pytest.mark.parametrize(("outcome", "claims", "servers"), [
    ("never_claim", 0, 0), ("silent_after_claim", 1, 0), ("silent_after_server", 1, 1)])
async def test_silence_ends_by_time_out(sim, github, ingress, control, outcome, claims, servers):
    await control("POST", "/runner/plan", {"outcome": outcome})
    await control("POST", "/config", {"runner": {"run_timeout_ms": 300}})
    run = await perform(sim, github, ingress)
    assert run.conclusion == "timed_out"
    assert ingress.statuses().count("claimed") == claims and len(sim.hetzner.servers) == servers
    assert "completed" not in ingress.statuses() and "failed" not in ingress.statuses()


async def test_duplicate_run_and_one_claim(sim, github, ingress, control):
    await control("POST", "/runner/plan", {"outcome": "duplicate_run"})
    await perform(sim, github, ingress)
    await until(lambda: all(run.status == "completed" for run in sim.github.runs.values()))
    assert sorted(run.conclusion for run in sim.github.runs.values()) == ["cancelled", "success"]
    assert ingress.statuses().count("claimed") == 2 and len(sim.hetzner.servers) == 1
    summary = sim.summary()
    assert summary["dispatches"] == 1 and summary["runs"] == 2
    assert summary["runs_by_state"] == {"cancelled": 1, "success": 1}


async def test_refused_claim_creates_nothing(sim, github, ingress):
    ingress.decide = lambda callback: (409, {"errorCode": "JOB_ENDED"})
    run = await perform(sim, github, ingress)
    assert run.conclusion == "cancelled" and ingress.statuses() == ["claimed"] and not sim.hetzner.servers
    sim.settings.runner.refused_conclusion = "failure"
    assert (await perform(sim, github, ingress, "j2")).conclusion == "failure"


@pytest.mark.parametrize("first", [(202, {"status": "accepted"}), (503, {}), (500, {})])
async def test_claim_is_retried_with_the_same_words(sim, github, ingress, first):
    answers = [first, first]
    ingress.decide = lambda callback: answers.pop() if answers else (200, {"result": "applied"})
    run = await perform(sim, github, ingress)
    claims = [callback for callback in ingress.callbacks if callback["status"] == "claimed"]
    assert run.conclusion == "success" and len(claims) == 3 and claims[0] == claims[1] == claims[2]


async def test_claim_never_granted(sim, github, ingress, control):
    await control("POST", "/config", {"runner": {"callback_retry_ms": 1}})
    ingress.decide = lambda callback: (202, {"status": "accepted"})
    run = await perform(sim, github, ingress)
    assert run.conclusion == "failure" and ingress.statuses() == ["claimed"] * 5 and not sim.hetzner.servers


@pytest.mark.parametrize("answer", [(202, {"id": "x", "status": "accepted"}), (200, {"received": True})])
async def test_an_answer_without_the_outcome_is_no_grant(sim, github, ingress, answer):
    answers = [answer, answer]
    ingress.decide = lambda callback: answers.pop() if answers else (200, {"result": "applied"})
    assert (await perform(sim, github, ingress)).conclusion == "success"
    assert ingress.statuses()[:3] == ["claimed"] * 3


async def test_claim_answered_400(sim, github, ingress):
    ingress.decide = lambda callback: (400, {"errorCode": "INVALID_SIGNATURE"})
    run = await perform(sim, github, ingress)
    assert run.conclusion == "failure" and ingress.statuses() == ["claimed"]


async def test_refused_heartbeat_undoes_the_work(sim, github, ingress, control):
    await control("POST", "/config", {"runner": {"beat_ms": 10, "after_server_ms": 60_000}})

    def decide(callback):
        if callback["status"] == "heartbeat" and sim.tailscale.devices:
            return 409, {"errorCode": "JOB_ENDED"}
        return 200, {"result": "applied"}

    ingress.decide = decide
    run = await perform(sim, github, ingress)
    assert run.conclusion == "cancelled"
    await until(lambda: not sim.hetzner.servers)
    assert not sim.tailscale.devices and "completed" not in ingress.statuses()


async def test_refused_heartbeat_while_the_server_is_made(sim, github, ingress, control):
    await control("POST", "/faults", {"cloud": "hetzner", "kind": "hang_after", "client": "runner",
                                      "match": "POST /servers$"})

    def decide(callback):
        refused = callback["status"] == "heartbeat" and sim.hetzner.servers
        return (409, {}) if refused else (200, {"result": "applied"})

    ingress.decide = decide
    run = await perform(sim, github, ingress)
    assert run.conclusion == "cancelled"
    await until(lambda: not sim.hetzner.servers)


async def test_refused_completion_undoes_the_work(sim, github, ingress):
    ingress.decide = lambda callback: (409, {}) if callback["status"] == "completed" else (200, {"result": "applied"})
    run = await perform(sim, github, ingress)
    assert run.conclusion == "cancelled"
    await until(lambda: not sim.hetzner.servers and not sim.tailscale.devices)


async def test_completion_refused_after_an_unknown_end_keeps_the_server(sim, github, ingress, control):
    await control("POST", "/config", {"runner": {"callback_retry_ms": 1}})
    answers = [(409, {}), (503, {})]
    ingress.decide = lambda callback: answers.pop() if callback["status"] == "completed" else (
        200, {"result": "applied"})
    run = await perform(sim, github, ingress)
    assert run.conclusion == "cancelled"
    assert sim.ledger.select_calls(1, cloud="hetzner", method="DELETE") == []


async def test_complete_twice(sim, github, ingress, control):
    await control("POST", "/runner/plan", {"outcome": "complete_twice"})
    ingress.decide = lambda callback: (409, {}) if ingress.statuses().count("completed") == 2 else (
        200, {"result": "applied"})
    run = await perform(sim, github, ingress)
    assert run.conclusion == "success" and ingress.statuses().count("completed") == 2 and sim.hetzner.servers


async def test_taken_name_fails_the_run(sim, github, hetzner, ingress):
    await hetzner("POST", "/servers", {"name": "agent-a1", "server_type": "cx22", "image": "debian-12"})
    run = await perform(sim, github, ingress)
    assert run.conclusion == "failure"
    assert ingress.callbacks[-1]["error"] == "cannot create the server: server name is already used"


async def test_failed_action_fails_the_run(sim, github, ingress, control):
    await control("POST", "/hetzner/fail_actions", {"command": "start_server"})
    run = await perform(sim, github, ingress)
    assert run.conclusion == "failure" and ingress.callbacks[-1]["server_id"] == str(next(iter(sim.hetzner.servers)))


async def test_faults_strike_the_runner_only_when_asked(sim, github, ingress, control):
    await control("POST", "/faults", {"cloud": "hetzner", "kind": "status", "status": 503, "times": -1})
    assert (await perform(sim, github, ingress)).conclusion == "success"
    await control("POST", "/faults", {"cloud": "hetzner", "kind": "status", "status": 412, "client": "runner",
                                      "match": "POST /servers$"})
    run = await perform(sim, github, ingress, "j2", "a2")
    assert run.conclusion == "failure" and "error during placement" in ingress.callbacks[-1]["error"]


async def test_lost_answer_of_a_creation_leaves_an_orphan_to_find(sim, github, ingress, control):
    await control("POST", "/config", {"runner": {"callback_retry_ms": 1}})
    await control("POST", "/faults", {"cloud": "hetzner", "kind": "lose_answer", "client": "runner",
                                      "match": "POST /servers$"})
    run = await perform(sim, github, ingress)
    assert run.conclusion == "failure" and ingress.callbacks[-1]["server_id"] == ""
    assert [server.labels["sluice-job"] for server in sim.hetzner.servers.values()] == ["j1"]


async def test_hang_beats_on(sim, github, ingress, control):
    await control("POST", "/config", {"runner": {"beat_ms": 5}})
    await control("POST", "/runner/plan", {"outcome": "complete", "hang_ms": 600_000})
    await github("POST", DISPATCH, dispatch(ingress))
    run = next(iter(sim.github.runs.values()))
    await until(lambda: ingress.statuses().count("heartbeat") >= 5)
    assert run.status == "in_progress" and not sim.hetzner.servers
    sim.clock.advance(600_000)
    await until(lambda: run.conclusion == "success")


async def test_the_clock_jumps_while_a_heartbeat_is_under_way(sim, github, ingress, control):
    await control("POST", "/runner/plan", {"outcome": "complete", "hang_ms": 600_000})
    jumps = [600_000]

    def decide(callback):
        if callback["status"] == "heartbeat" and jumps:
            sim.clock.advance(jumps.pop())
        return 200, {"result": "applied"}

    ingress.decide = decide
    assert (await perform(sim, github, ingress)).conclusion == "success"


async def test_plans_for_an_agent_come_first(sim, github, ingress, control):
    await control("POST", "/runner/plan", {"outcome": "fail_before_server", "times": -1})
    await control("POST", "/runner/plan", {"agent_id": "a2", "outcome": "complete"})
    assert (await perform(sim, github, ingress, "j1", "a1")).conclusion == "failure"
    assert (await perform(sim, github, ingress, "j2", "a2")).conclusion == "success"
    assert (await perform(sim, github, ingress, "j3", "a2")).conclusion == "failure"
    assert len((await control("GET", "/runner/plan")).json["plans"]) == 1
    assert (await control("DELETE", "/runner/plan")).json == {"plans": []}


@pytest.mark.parametrize("plan", [{"outcome": "odd"}, {"times": 0}, {"times": "1"}, {"hang_ms": -1}, {"extra": 1},
                                  {"agent_id": 5}])
async def test_bad_plans(control, plan):
    assert (await control("POST", "/runner/plan", plan)).status == 400


async def test_cancelled_runs_may_report(sim, github, ingress, control):
    await control("POST", "/config", {"runner": {"report_cancelled": True, "after_server_ms": 60_000}})
    await github("POST", DISPATCH, dispatch(ingress))
    run = next(iter(sim.github.runs.values()))
    await until(lambda: sim.tailscale.devices)
    await github("POST", f"/repos/sluice-sim/agents/actions/runs/{run.id}/cancel")
    await until(lambda: run.conclusion == "cancelled")
    assert ingress.callbacks[-1]["status"] == "failed" and len(sim.hetzner.servers) == 1


async def test_reset_in_the_middle_of_runs(sim, github, ingress, control):
    await control("POST", "/config", {"runner": {"after_server_ms": 60_000}})
    await github("POST", DISPATCH, dispatch(ingress))
    await until(lambda: sim.tailscale.devices)
    assert (await control("POST", "/reset")).status == 200
    await until(lambda: sim.runner.summary()["active_runs"] == 0)
    summary = sim.summary()
    assert (summary["runs"], summary["live_servers"], summary["live_devices"]) == (0, 0, 0)
    assert (await perform(sim, github, ingress, "j2")).conclusion == "success"
