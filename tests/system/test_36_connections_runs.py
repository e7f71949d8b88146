"""What workspaces share: connections with sealed tokens, catalogs of Microsoft's, runs within a quota; early access."""

import base64
import json
import uuid

import pytest
from kit.wait import until

from .domain import WAIT_S, applied, connections, member, refused, share, subscription, workspace

TEAMS = [{"id": "team-1", "displayName": "Sales", "channels": [{"id": "ch-1", "displayName": "General"},
                                                                {"id": "ch-2", "displayName": "Quotes & more"}]},
         {"id": "team-2", "displayName": "Développement", "channels": []}]


def unshare(world, user_id, workspace_id, connection_id):
    return world.ingress.api(user_id, f"/api/workspaces/{workspace_id}/connections/{connection_id}", method="DELETE",
                             wait_s=WAIT_S)


def start(world, user_id, workspace_id, run_id=None):
    data = {"workspace_id": str(workspace_id), **({"run_id": run_id} if run_id else {})}
    return world.ingress.api(user_id, "/api/workflows/wf-1/runs", data, wait_s=WAIT_S)


def finish(world, user_id, run_id, **more):
    return world.ingress.api(user_id, f"/api/runs/{run_id}/finish", more, wait_s=WAIT_S)


def run_row(world, workspace_id, run_id):
    return world.books.row("SELECT * FROM sluice.runs WHERE workspace_id = %s AND id = %s", workspace_id, run_id)


def test_several_of_one_provider(world):
    owner, _, row, _ = workspace(world)
    for number in (1, 2):
        applied(share(world, owner, row["id"], f"slack-{number}", token=f"xoxb-{number}"))
    held = connections(world, row["id"])
    assert set(held) == {"slack-1", "slack-2"} and {one["provider"] for one in held.values()} == {"slack"}
    assert {one["shared_by"] for one in held.values()} == {owner}


def test_a_token_is_sealed(world):
    owner, _, row, _ = workspace(world)
    token = f"xoxb-{uuid.uuid4().hex}"
    applied(share(world, owner, row["id"], "c1", token=token))
    applied(share(world, owner, row["id"], "c2", token=token))
    held = connections(world, row["id"])
    key_id, _, sealed = held["c1"]["sealed"].partition(":")
    assert key_id == "dev1" and len(base64.b64decode(sealed, validate=True)) == 12 + 16 + len(token)
    assert token not in str(held) and held["c1"]["sealed"] != held["c2"]["sealed"]
    before = held["c1"]["sealed"]
    applied(share(world, owner, row["id"], "c1", token=token + "-new"))
    assert connections(world, row["id"])["c1"]["sealed"] != before, "sharing again replaces the token"


def test_a_connection_is_its_sharers(world):
    owner, _, row, _ = workspace(world)
    guest = member(world, owner, row["id"])
    applied(share(world, guest, row["id"], "guests"))
    refused(share(world, owner, row["id"], "guests"), 403, "NOT_CONNECTION_OWNER")
    refused(unshare(world, owner, row["id"], "guests"), 403, "NOT_CONNECTION_OWNER")
    refused(unshare(world, guest, row["id"], "nobodys"), 404, "CONNECTION_NOT_FOUND")
    outsider = f"user-{uuid.uuid4().hex[:12]}"
    refused(share(world, outsider, row["id"], "c"), 404, "WORKSPACE_NOT_FOUND")
    refused(unshare(world, outsider, row["id"], "guests"), 404, "WORKSPACE_NOT_FOUND")
    applied(unshare(world, guest, row["id"], "guests"))
    assert connections(world, row["id"]) == {}


def graph_job(world, workspace_id, status):
    def probe():
        rows = world.books.rows("SELECT * FROM sluice.jobs WHERE kind = 'graph' AND args->>'workspace_id' = %s"
                                " ORDER BY seq DESC", str(workspace_id))
        return rows[0] if rows and rows[0]["status"] == status else None
    return until(probe, f"the catalog's job to be {status}", 60)


@pytest.mark.parametrize("provider", ["microsoft", "teams"])
def test_microsofts_teams_and_channels(world, provider):
    owner, _, row, _ = workspace(world)
    token = f"eyJ0-{uuid.uuid4().hex}"
    world.clouds.graph_token(token, TEAMS)
    applied(share(world, owner, row["id"], "ms", provider, token))
    job = graph_job(world, row["id"], "succeeded")
    catalog = until(lambda: connections(world, row["id"])["ms"]["catalog"], "the catalog", 60)
    assert [(team["name"], [channel["name"] for channel in team["channels"]]) for team in catalog] == [
        ("Sales", ["General", "Quotes & more"]), ("Développement", [])]
    calls = world.books.rows("SELECT * FROM sluice.job_calls WHERE job_id = %s", job["id"])
    assert calls and token not in json.dumps(calls, default=str) and token not in json.dumps(job, default=str)
    for name in ("ingress", "worker-1", "worker-2"):
        assert token not in world.system.log(name)


def test_a_refused_token_has_no_catalog(world):
    owner, _, row, _ = workspace(world)
    applied(share(world, owner, row["id"], "ms", "microsoft", f"eyJ0-{uuid.uuid4().hex}"))
    job = graph_job(world, row["id"], "failed")
    assert job["error"]
    assert connections(world, row["id"])["ms"]["catalog"] is None


def test_a_connection_gone_meanwhile_is_not_read(world):
    owner, _, row, _ = workspace(world)
    token = f"eyJ0-{uuid.uuid4().hex}"
    world.clouds.graph_token(token, TEAMS)
    world.clouds.fault("graph", "delay", match="GET /v1.0/me/joinedTeams", ms=1500)
    applied(share(world, owner, row["id"], "ms", "microsoft", token))
    applied(unshare(world, owner, row["id"], "ms"))
    world.books.user_settled(owner, 60)
    assert connections(world, row["id"]) == {}


def test_runs_start_and_finish(world):
    owner, _, row, _ = workspace(world)
    run_id = applied(start(world, owner, row["id"]))["run_id"]
    assert run_row(world, row["id"], run_id)["ended_at"] is None
    applied(finish(world, owner, run_id, workspace_id=str(row["id"])))
    assert run_row(world, row["id"], run_id)["end_reason"] == "finished"
    refused(finish(world, owner, run_id), 409, "INVALID_STATE")
    refused(finish(world, owner, "no-such-run"), 409, "INVALID_STATE")
    mine = f"run-{uuid.uuid4().hex}"
    applied(start(world, owner, row["id"], mine))
    refused(start(world, owner, row["id"], mine), 409, "INVALID_STATE")
    refused(start(world, f"user-{uuid.uuid4().hex[:12]}", row["id"]), 404, "WORKSPACE_NOT_FOUND")


def test_the_quota_of_the_cycle(world):
    owner, customer, row, subscription_id = workspace(world)
    # down to solo: 50 runs
    subscription(world, owner, customer, "deleted", subscription_id, status="canceled", price="price_workspace")
    used = world.books.value("SELECT runs_used FROM sluice.workspaces WHERE id = %s", row["id"])
    assert used == 0
    for _ in range(50):
        applied(start(world, owner, row["id"]))
    refused(start(world, owner, row["id"]), 403, "workspace_run_limit")
    assert world.books.value("SELECT count(*) FROM sluice.runs WHERE workspace_id = %s", row["id"]) == 50


def test_stale_runs_are_purged(world):
    owner, _, row, _ = workspace(world)
    stale, fresh = (applied(start(world, owner, row["id"]))["run_id"] for _ in range(2))
    world.books.rows("UPDATE sluice.runs SET started_at = started_at - interval '2 hours' WHERE workspace_id = %s"
                     " AND id = %s RETURNING id", row["id"], stale)
    admin = f"admin-{uuid.uuid4().hex[:12]}"
    world.bent.update((owner, admin))
    purge = {"older_than_minutes": 60}
    answer = world.ingress.api(owner, "/api/admin/purge-stale-runs", purge)
    assert (answer.status_code, answer.json()["errorCode"]) == (403, "FORBIDDEN")
    assert applied(world.ingress.api(admin, "/api/admin/purge-stale-runs", purge, role="admin"))["purged"] == 1
    assert run_row(world, row["id"], stale)["end_reason"] == "purged"
    assert run_row(world, row["id"], fresh)["ended_at"] is None
    assert applied(world.ingress.api(admin, "/api/admin/purge-stale-runs", purge, role="admin"))["purged"] == 0
    refused(finish(world, owner, stale), 409, "INVALID_STATE")


def test_early_access(world):
    address = f"Ola.{uuid.uuid4().hex[:12]}@Example.org"

    def join(text):
        headers = {"Content-Type": "application/json", "Prefer": f"wait={WAIT_S}",
                   "X-Forwarded-For": f"203.0.113.{uuid.uuid4().int % 250 + 1}"}
        return world.ingress.post("/api/early-access", json.dumps({"email": text}).encode(), headers)

    first, again = join(address), join(address.upper())
    assert applied(first)["duplicate"] is False
    assert again.status_code == 200 and again.json()["data"]["duplicate"] is True, again.text
    assert world.books.value("SELECT count(*) FROM sluice.early_access WHERE email = %s", address.lower()) == 1
