"""Simulated GitHub: dispatch rules of both API versions, runs, cancelling, the webhook, and the limits."""

import pytest

from .conftest import until

pytestmark = pytest.mark.asyncio

ACTIONS = "/repos/sluice-sim/agents/actions"
DISPATCH = f"{ACTIONS}/workflows/provision-agent.yml/dispatches"


def dispatch(ingress, job="j1", agent="a1", **changes):
    inputs = {"job_id": job, "agent_id": agent, "region": "us-east",
              "callback_url": f"{ingress.url}/api/webhooks/github?user=u1"}
    return {"ref": "main", "inputs": inputs, **changes}


async def test_admission(github):
    refused = await github("GET", f"{ACTIONS}/runs", headers={"User-Agent": None})
    assert refused.status == 403 and b"User-Agent" in refused.body
    refused = await github("GET", f"{ACTIONS}/runs", headers={"Authorization": "Bearer no"})
    assert (refused.status, refused.json["message"], refused.json["status"]) == (401, "Bad credentials", "401")
    assert (await github("GET", f"{ACTIONS}/runs", headers={"Authorization": None})).status == 401
    assert (await github("GET", f"{ACTIONS}/runs", headers={"X-GitHub-Api-Version": "2020-01-01"})).status == 400
    assert (await github("GET", f"{ACTIONS}/runs", headers={"Accept": "text/html"})).status == 415
    assert (await github("GET", f"{ACTIONS}/runs", headers={"Accept": "application/vnd.github.v3+json"})).status == 200
    assert (await github("GET", "/repos/sluice-sim/other/actions/runs")).status == 404


@pytest.mark.parametrize(("version", "details", "status"), [
    (None, None, 204), ("2022-11-28", None, 204), ("2022-11-28", False, 204), ("2022-11-28", True, 200),
    ("2026-03-10", None, 200), ("2026-03-10", True, 200),
])
async def test_dispatch_answers(sim, github, ingress, version, details, status):
    body = dispatch(ingress) if details is None else dispatch(ingress, return_run_details=details)
    done = await github("POST", DISPATCH, body, headers={"X-GitHub-Api-Version": version} if version else {})
    assert done.status == status
    run = next(iter(sim.github.runs.values()))
    if status == 204:
        assert done.body == b""
    else:
        assert done.json["workflow_run_id"] == run.id
        assert done.json["run_url"].endswith(f"{ACTIONS}/runs/{run.id}")
        assert done.json["html_url"] == f"https://github.com/sluice-sim/agents/actions/runs/{run.id}"
    assert run.title == "sluice j1"


@pytest.mark.parametrize(("change", "message"), [
    ({"ref": None}, "Invalid request.\n\n\"ref\" wasn't supplied."),
    ({"ref": "nowhere"}, "No ref found for: nowhere"),
    ({"inputs": {"foo": "1"}}, "Unexpected inputs provided: [\"foo\"]"),
    ({"inputs": {}}, "Required input 'job_id' not provided"),
    ({"inputs": {"job_id": "j", "agent_id": "", "callback_url": "u"}}, "Required input 'agent_id' not provided"),
    ({"inputs": {"job_id": "j", "agent_id": "a", "callback_url": "u"}}, "Required input 'region' not provided"),
    ({"inputs": {f"i{number}": "" for number in range(26)}}, "you may only define up to 25"),
    ({"inputs": {"job_id": ["j"]}}, "Invalid request."),
    ({"inputs": {"job_id": "j" * 70_000}}, "inputs are too large."),
    ({"inputs": []}, "Invalid request."),
    ({"return_run_details": "yes"}, "Invalid request."),
])
async def test_dispatch_refusals(sim, github, ingress, change, message):
    refused = await github("POST", DISPATCH, dispatch(ingress, **change))
    assert refused.status == 422 and refused.json["message"].startswith(message)
    assert refused.json["status"] == "422" and "documentation_url" in refused.json
    assert not sim.github.runs


async def test_dispatch_of_other_workflows(github, ingress):
    assert (await github("POST", f"{ACTIONS}/workflows/none.yml/dispatches", dispatch(ingress))).status == 404
    refused = await github("POST", f"{ACTIONS}/workflows/ci.yml/dispatches", dispatch(ingress))
    assert (refused.status, refused.json["message"]) == (422, "Workflow does not have 'workflow_dispatch' trigger")
    assert (await github("POST", DISPATCH, form="{")).status == 400
    assert (await github("POST", f"{ACTIONS}/workflows/70000001/dispatches", dispatch(ingress))).status == 204


async def test_older_servers_refuse_run_details(github, ingress, control):
    await control("POST", "/config", {"github": {"refuse_run_details": True}})
    refused = await github("POST", DISPATCH, dispatch(ingress, return_run_details=True))
    assert refused.status == 422 and "return_run_details" in refused.json["message"]
    assert (await github("POST", DISPATCH, dispatch(ingress))).status == 204


async def test_run_goes_queued_in_progress_completed(sim, github, ingress):
    await github("POST", DISPATCH, dispatch(ingress))
    run = next(iter(sim.github.runs.values()))
    shown = (await github("GET", f"{ACTIONS}/runs/{run.id}")).json
    assert (shown["status"], shown["conclusion"], shown["display_title"]) == ("queued", None, "sluice j1")
    await until(lambda: run.status == "completed")
    shown = (await github("GET", f"{ACTIONS}/runs/{run.id}")).json
    assert (shown["status"], shown["conclusion"]) == ("completed", "success")
    jobs = (await github("GET", f"{ACTIONS}/runs/{run.id}/jobs")).json
    assert jobs["total_count"] == 1 and jobs["jobs"][0]["conclusion"] == "success"
    assert (await github("GET", f"{ACTIONS}/runs/1")).status == 404
    await until(lambda: len(ingress.webhooks) == 3)
    assert sorted(payload["action"] for _event, _guid, payload in ingress.webhooks) == [
        "completed", "in_progress", "requested"]
    event, _guid, payload = ingress.webhooks[0]
    assert event == "workflow_run" and payload["repository"]["full_name"] == "sluice-sim/agents"
    assert payload["workflow_run"]["id"] == run.id


async def test_list_filters(sim, github, ingress, control):
    await control("POST", "/config", {"runner": {"outcome": "startup_failure"}})
    for number in range(3):
        await github("POST", DISPATCH, dispatch(ingress, job=f"j{number}"))
    await until(lambda: all(run.status == "completed" for run in sim.github.runs.values()))
    sim.clock.advance(3_600_000)
    marker = int(sim.clock.now())
    await github("POST", DISPATCH, dispatch(ingress, job="late"))

    async def titles(query):
        return [run["display_title"] for run in (await github("GET", f"{ACTIONS}/runs?{query}")).json["workflow_runs"]]

    since = f"{sim.github.view(list(sim.github.runs.values())[-1])['created_at']}"
    assert int(list(sim.github.runs.values())[-1].created) >= marker
    assert await titles(f"event=workflow_dispatch&created=%3E%3D{since}") == ["sluice late"]
    assert (await titles(f"created=%3C{since}"))[0] == "sluice j2"
    assert await titles("event=push") == []
    assert await titles("status=startup_failure&per_page=2") == ["sluice j2", "sluice j1"]
    assert await titles("status=success") == []
    assert (await github("GET", f"{ACTIONS}/runs?status=odd")).status == 422
    assert (await github("GET", f"{ACTIONS}/runs?created=yesterday")).status == 422
    page = await github("GET", f"{ACTIONS}/workflows/provision-agent.yml/runs?per_page=3&page=2")
    assert page.json["total_count"] == 4 and len(page.json["workflow_runs"]) == 1
    assert 'rel="prev"' in page.headers["Link"]


async def test_new_runs_may_stay_out_of_lists(sim, github, ingress, control):
    await control("POST", "/config", {"github": {"visible_after_ms": 60_000}})
    await github("POST", DISPATCH, dispatch(ingress))
    assert (await github("GET", f"{ACTIONS}/runs")).json["total_count"] == 0
    sim.clock.advance(60_001)
    assert (await github("GET", f"{ACTIONS}/runs")).json["total_count"] == 1


async def test_cancel(sim, github, ingress, control):
    await control("POST", "/runner/plan", {"outcome": "silent_after_claim"})
    await github("POST", DISPATCH, dispatch(ingress))
    run = next(iter(sim.github.runs.values()))
    await until(lambda: ingress.statuses() == ["claimed"])
    cancelled = await github("POST", f"{ACTIONS}/runs/{run.id}/cancel")
    assert (cancelled.status, cancelled.json) == (202, {})
    await until(lambda: run.conclusion == "cancelled")
    for how in ("cancel", "force-cancel"):
        refused = await github("POST", f"{ACTIONS}/runs/{run.id}/{how}")
        assert refused.status == 409
        assert refused.json["message"] == "Cannot cancel a workflow run that is completed."


async def test_cancel_while_queued(sim, github, ingress, control):
    await control("POST", "/config", {"runner": {"max_parallel": 1}})
    await control("POST", "/runner/plan", {"outcome": "never_claim"})
    for job in ("j1", "j2"):
        await github("POST", DISPATCH, dispatch(ingress, job=job))
    _first, second = sim.github.runs.values()
    assert (await github("POST", f"{ACTIONS}/runs/{second.id}/force-cancel")).status == 202
    await until(lambda: second.conclusion == "cancelled")
    assert ingress.callbacks == []


async def test_rate_limit_headers_and_exhaustion(sim, github, control):
    await control("POST", "/config", {"github": {"rate_limit": 2}})
    first = await github("GET", f"{ACTIONS}/runs")
    assert first.headers["x-ratelimit-limit"] == "2" and first.headers["x-ratelimit-remaining"] == "1"
    assert first.headers["x-ratelimit-used"] == "1" and first.headers["x-ratelimit-resource"] == "core"
    await github("GET", f"{ACTIONS}/runs")
    refused = await github("GET", f"{ACTIONS}/runs")
    assert refused.status == 403 and refused.headers["x-ratelimit-remaining"] == "0"
    assert refused.json["message"].startswith("API rate limit exceeded")
    assert (await github("GET", "/rate_limit")).json["rate"]["remaining"] == 0
    sim.clock.advance(3_600_000)
    assert (await github("GET", f"{ACTIONS}/runs")).status == 200


async def test_secondary_limit(github, ingress, control):
    await control("POST", "/faults", {"cloud": "github", "kind": "rate_limited", "match": "POST /dispatches$"})
    refused = await github("POST", DISPATCH, dispatch(ingress))
    assert refused.status == 403 and "secondary rate limit" in refused.json["message"]
    assert refused.headers["Retry-After"] == "1"
    assert (await github("POST", DISPATCH, dispatch(ingress))).status == 204


async def test_failed_deliveries_can_be_asked_for_again(sim, github, ingress, control):
    ingress.webhook_status = 503
    sent = await control("POST", "/github/webhooks", {"event": "ping", "payload": {"zen": "x"}})
    assert sent.status == 202
    await until(lambda: sim.hooks.summary()["failed_deliveries"] == 1)
    hook = (await github("GET", "/repos/sluice-sim/agents/hooks")).json[0]["id"]
    path = f"/repos/sluice-sim/agents/hooks/{hook}/deliveries"
    failed = (await github("GET", f"{path}?status=failure")).json
    assert [(item["event"], item["status_code"], item["redelivery"]) for item in failed] == [("ping", 503, False)]
    ingress.webhook_status = 200
    again = await github("POST", f"{path}/{failed[0]['id']}/attempts")
    assert again.status == 202
    await until(lambda: len(ingress.webhooks) == 2)
    assert ingress.webhooks[0][1] == ingress.webhooks[1][1] == failed[0]["guid"]
    await until(lambda: sim.hooks.page("success", None, 30)[0])
    assert (await github("GET", f"{path}?status=success")).json[0]["redelivery"] is True
    assert (await github("GET", f"{path}/{failed[0]['id']}")).json["request"]["payload"] == {"zen": "x"}
    sim.clock.advance(3 * 24 * 3_600_000 + 1000)
    assert (await github("POST", f"{path}/{failed[0]['id']}/attempts")).status == 422
    assert (await github("POST", f"{path}/1/attempts")).status == 404


async def test_dropped_deliveries_and_their_pages(sim, github, ingress, control):
    await control("POST", "/github/webhooks/drop", {"times": 3})
    for number in range(3):
        await control("POST", "/github/webhooks", {"event": "push", "payload": {"number": number}})
    assert ingress.webhooks == []
    path = f"/repos/sluice-sim/agents/hooks/{sim.hooks.HOOK_ID}/deliveries"
    page = await github("GET", f"{path}?status=failure&per_page=2")
    assert len(page.json) == 2
    following = page.headers["Link"].split(";")[0].strip("<>").partition(sim.url("github"))[2]
    assert len((await github("GET", following)).json) == 1
