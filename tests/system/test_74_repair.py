"""What ops mend: the clouds against the books, gaps in what senders delivered, backends that are paused."""

import json
import re
import subprocess
import uuid

import pytest
import requests
from kit import stripe_events
from kit.system import ROOT
from kit.wait import until


def ctl_json(world, *arguments, codes=(0,)):
    """What sluicectl prints on stdout with --json."""
    env = world.system.env
    program = ROOT / "build" / env["SLUICE_PRESET"] / "bin" / "sluicectl"
    done = subprocess.run([program, *arguments, "--json"], env={**env, "SLUICE_CONFIG": str(world.system.config)}, text=True,
                          capture_output=True, cwd=ROOT, check=False, timeout=120)
    assert done.returncode in codes, f"{arguments} gave {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def hetzner(world, method, path, body=None):
    answer = requests.request(method, world.system.env["HCLOUD_ENDPOINT"] + path, json=body, timeout=20,
                              headers={"Authorization": f"Bearer {world.system.env['HCLOUD_TOKEN']}"})
    assert answer.status_code < 300, answer.text
    return answer.json()


def new_server(world, name, labels):
    """A server that nobody's job made; gives its id."""
    body = {"name": name, "server_type": "cx22", "image": "ubuntu-24.04", "location": "fsn1", "ssh_keys": ["default"],
            "labels": labels}
    return str(hetzner(world, "POST", "/servers", body)["server"]["id"])


def delete_server(world, server_id):
    """Once it has finished what it does: until then it is locked."""
    until(lambda: hetzner(world, "GET", f"/servers/{server_id}")["server"]["status"] == "running", "it to run", 30)
    hetzner(world, "DELETE", f"/servers/{server_id}")


def is_off(world, server_id):
    return hetzner(world, "GET", f"/servers/{server_id}")["server"]["status"] == "off"


def active_agent(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    agent_id = world.active_agent(user_id)
    world.books.user_settled(user_id)
    return user_id, agent_id


def destroyed_agent(world):
    user_id, agent_id = active_agent(world)
    assert world.command(user_id, agent_id, "destroy").status_code == 200
    world.books.agent_in(agent_id, "destroyed")
    world.books.user_settled(user_id)
    return user_id, agent_id


def findings(world, *arguments, agent_id=None, resource=None, codes=(0, 1)):
    """Those of one look, about one agent or resource."""
    found = ctl_json(world, "reconcile", *arguments, codes=codes)
    return [row for row in found["findings"] if agent_id in (None, row["agent"]) and resource in (None, row["resource"])]


def fix(world):
    """Mends what was found before; gives what sluicectl said."""
    return world.system.ctl("reconcile", "--fix", "--yes", "--grace", "0s")


def test_an_orphan_is_seen_twice_before_it_goes_and_the_ledger_says_what_it_cost(world):
    user_id, agent_id = destroyed_agent(world)
    server_id = new_server(world, f"agent-{agent_id}", {"sluice-agent": agent_id})
    row, = findings(world, agent_id=agent_id)
    assert (row["finding"], row["cloud"], row["resource"], row["user"]) == ("orphaned", "hetzner", server_id, user_id)
    assert row["cost_per_day"] == pytest.approx(0.006 * 24) and row["currency"] == "EUR" and row["looks"] == 1
    assert "nothing to mend" in world.system.ctl("reconcile", "--fix", "--yes", "--grace", "1h").stdout
    assert world.servers_of(agent_id)
    done = fix(world)
    assert done.returncode == 0 and "applied: the removal of the orphan is queued" in done.stdout, done.stdout
    world.books.user_settled(user_id)
    assert not world.servers_of(agent_id)
    job, = world.books.jobs(agent_id, "rollback")
    assert (job["status"], job["rule"]) == ("succeeded", "agent.repair.removes_orphan")
    assert world.books.agent(agent_id)["status"] == "destroyed"
    assert not findings(world, agent_id=agent_id)
    row = world.books.row("SELECT * FROM sluice.orphans WHERE id = %s", server_id)
    assert row["fixed_at"] and row["gone_at"] and row["first_seen"] < row["last_seen"] <= row["fixed_at"]
    actors = world.books.rows("SELECT actor FROM sluice.audit_log WHERE user_id = %s AND action IN"
                              " ('reconcile_fix_asked', 'orphan_removal_queued')", user_id)
    assert len(actors) == 2 and all(row["actor"].startswith("ops:") for row in actors)


def test_books_that_change_between_two_looks_begin_anew(world):
    user_id, agent_id = destroyed_agent(world)
    server_id = new_server(world, f"agent-{agent_id}", {"sluice-agent": agent_id})
    findings(world, agent_id=agent_id)
    row, = findings(world, agent_id=agent_id)
    assert row["looks"] == 2
    world.books.rows("UPDATE sluice.jobs SET fence = fence + 1 WHERE agent_id = %s RETURNING id", agent_id)
    row, = findings(world, agent_id=agent_id)
    assert row["looks"] == 1
    delete_server(world, server_id)


def test_what_is_not_ours_is_never_touched(world):
    stranger = str(uuid.uuid4())
    name = new_server(world, f"agent-{stranger}", {"team": "other"})
    other = str(uuid.uuid4())
    labelled = new_server(world, f"agent-{other}", {"sluice-agent": other})
    row, = findings(world, resource=name)
    assert row["finding"] == "foreign" and row["mend"] == "by hand"
    row, = findings(world, resource=labelled)
    assert row["finding"] == "orphaned" and row["mend"] == "by hand" and "another installation" in row["detail"]
    fix(world)
    assert not any(row["agent"] for row in findings(world) if row["resource"] in (name, labelled))
    for server_id in (name, labelled):
        delete_server(world, server_id)
    until(lambda: not findings(world, resource=name) and not findings(world, resource=labelled), "them to be gone", 30)


def test_power_that_drifted_is_brought_back_to_the_books(world):
    user_id, agent_id = active_agent(world)
    server_id = world.books.agent(agent_id)["server_id"]
    world.clouds.server(server_id, status="off")
    row, = findings(world, agent_id=agent_id)
    assert (row["finding"], row["mend"]) == ("drifted", "off")
    assert fix(world).returncode == 0
    world.books.user_settled(user_id)
    assert world.books.agent(agent_id)["status"] == "active" and not is_off(world, server_id)

    assert world.command(user_id, agent_id, "stop").status_code == 200
    world.books.agent_in(agent_id, "paused")
    world.books.user_settled(user_id)
    world.clouds.server(server_id, status="running")
    row, = findings(world, agent_id=agent_id)
    assert (row["finding"], row["mend"]) == ("drifted", "on")
    assert fix(world).returncode == 0
    world.books.user_settled(user_id)
    assert world.books.agent(agent_id)["status"] == "paused" and is_off(world, server_id)


def test_a_server_that_is_gone_fails_its_agent_which_can_be_provisioned_again(world):
    user_id, agent_id = active_agent(world)
    world.clouds.server(world.books.agent(agent_id)["server_id"], gone=True)
    row, = [row for row in findings(world, agent_id=agent_id) if row["cloud"] == "hetzner"]
    assert (row["finding"], row["mend"]) == ("missing", "gone")
    assert fix(world).returncode == 0
    world.books.agent_in(agent_id, "failed")
    world.books.user_settled(user_id)
    agent = world.books.agent(agent_id)
    assert agent["server_id"] is None and "gone" in agent["status_reason"]
    assert not world.devices_of(agent_id)
    assert world.command(user_id, agent_id, "provision").status_code == 200
    world.books.agent_in(agent_id, "active")


def test_an_app_without_an_agent_is_deprovisioned(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    agent_id = str(uuid.uuid4())
    world.ingress.api(user_id, "/api/agents", {"agent_id": agent_id, "name": "a", "backend": "provisioner"})
    order = {"subscriptionId": agent_id, "accountId": user_id, "tier": "free",
             "limits": {"agents": 1, "messagesPerDay": 100, "memoryMb": 256, "cpu": 0.25}}
    env = world.system.env
    made = requests.post(env["DOKKU_PROVISIONER_URL"] + "/provision", json=order, timeout=20,
                         headers={"X-API-Key": env["PROVISIONER_API_KEY"]})
    assert made.status_code == 200, made.text
    row, = findings(world, agent_id=agent_id)
    assert (row["finding"], row["cloud"], row["mend"]) == ("orphaned", "provisioner", "orphan")
    assert fix(world).returncode == 0
    world.books.user_settled(user_id)
    assert made.json()["appName"] not in [app["id"] for app in world.clouds.apps()]


def test_a_cloud_that_is_away_is_said_and_nothing_of_it_is_missing(world):
    user_id, agent_id = active_agent(world)
    world.clouds.fault("hetzner", "down")
    found = ctl_json(world, "reconcile", codes=(69,))
    clouds = {row["cloud"]: row for row in found["clouds"]}
    assert clouds["hetzner"]["seen"] is False and clouds["hetzner"]["problem"] and clouds["tailscale"]["seen"] is True
    assert not [row for row in found["findings"] if row["agent"] == agent_id]
    assert world.books.value("SELECT problem FROM sluice.looks WHERE cloud = 'hetzner'")
    world.clouds.clear_faults()
    assert not findings(world, agent_id=agent_id)
    assert world.books.value("SELECT count(*) FROM sluice.looks WHERE problem IS NULL") == 3


def test_lists_longer_than_a_page_are_seen_to_their_end_and_rate_limits_are_waited_for(world):
    mark = str(uuid.uuid4())[:18]
    servers = [new_server(world, f"agent-{mark}-{number:04d}-{uuid.uuid4().hex[:12]}", {"team": "other"})
               for number in range(103)]
    world.clouds.fault("hetzner", "rate_limited", match="GET /servers", times=1)
    world.clouds.fault("hetzner", "half_answer", match="GET /servers", times=1)
    shown = {row["resource"] for row in findings(world)}
    assert set(servers) <= shown
    for server_id in servers:
        world.clouds.server(server_id, gone=True)
    assert not set(servers) & {row["resource"] for row in findings(world)}


def test_the_fleet_looks_by_itself(world):
    path = world.system.config
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("reconcile_interval = 0", "reconcile_interval = 300ms"), encoding="utf-8")
    try:
        world.system.dev("restart", "worker-1")
        before = world.books.value("SELECT max(seen_at) FROM sluice.looks")
        until(lambda: world.books.value("SELECT max(seen_at) FROM sluice.looks") != before, "a look", 30)
    finally:
        path.write_text(text, encoding="utf-8")
        world.system.dev("restart", "worker-1")


def test_backfill_sends_what_stripe_could_not_deliver_and_proves_it(world):
    users = [world.user() for _ in range(110)]
    sent = []
    for user_id, customer in users:
        subscription = stripe_events.subscription(stripe_events.new_id("sub"), customer, "active", "price_unlimited",
                                                  user_id=user_id)
        sent.append(world.clouds.undelivered("customer.subscription.created", subscription)["id"])
        sent.append(world.clouds.undelivered("customer.updated", {"id": customer, "object": "customer",
                                                                  "email": f"{user_id}@example.org"})["id"])
    came_after_all = world.clouds.undelivered("customer.updated", {"id": users[0][1], "object": "customer"})
    assert world.ingress.stripe(came_after_all).status_code == 200
    world.books.decided(came_after_all["id"])

    dry = ctl_json(world, "stripe", "backfill", "--since", "10m", "--dry-run", codes=(1,))
    assert set(sent) <= set(dry["missing"]) and came_after_all["id"] not in dry["missing"] and dry["asked"] == 0
    assert not world.books.event(sent[0])
    done = ctl_json(world, "stripe", "backfill", "--since", "10m")
    assert done["missing"] == [] and done["held"] == done["listed"] >= len(sent) + 1
    assert done["held_before"] >= 1 and done["asked"] == done["listed"] - done["held_before"]

    def decided():
        """What came before its customer was known is parked first."""
        rows = world.books.rows("SELECT source, user_id, outcome FROM sluice.events WHERE id = ANY(%s)", sent)
        return rows if all(row["outcome"] == "applied" for row in rows) else None

    rows = until(decided, "all of them to be applied", 30)
    assert len(rows) == len(sent)
    assert {row["source"] for row in rows} == {"/webhooks/stripe"}
    assert {row["user_id"] for row in rows} == {user_id for user_id, _customer in users}
    again = ctl_json(world, "stripe", "backfill", "--since", "10m")
    assert again["asked"] == 0 and again["missing"] == []
    assert world.system.ctl("stripe", "backfill").returncode == 2
    assert "30 days" in world.system.ctl("stripe", "backfill", "--since", "40d", "--dry-run").stdout


def test_a_backfill_that_is_not_held_yet_names_what_is_missing(world):
    _user_id, customer = world.user()
    event = world.clouds.undelivered("customer.updated", {"id": customer, "object": "customer"})
    for name in ("worker-1", "worker-2"):
        world.system.dev("stop", name)
    try:
        done = world.system.ctl("stripe", "backfill", "--since", "10m", "--wait", "1")
        assert done.returncode == 1 and "missing 1:" in done.stdout and event["id"] in done.stdout, done.stdout
    finally:
        for name in ("worker-1", "worker-2"):
            world.system.dev("start", name)
    world.books.decided(event["id"], timeout_s=60)
    assert ctl_json(world, "stripe", "backfill", "--since", "10m")["asked"] == 0


def test_redeliver_asks_for_what_the_webhook_failed_to_deliver_and_proves_it(world):
    world.clouds.drop_webhooks(120)
    payload = {"action": "completed", "workflow_run": {"id": 1, "display_title": "nightly", "conclusion": "success"},
               "repository": {"full_name": "sluice-sim/agents"}}
    lost = [world.clouds.webhook("workflow_run", payload)["guid"] for _ in range(120)]
    world.clouds.drop_webhooks(0)
    arrived = world.clouds.webhook("workflow_run", payload)["guid"]
    world.books.decided(arrived)
    calls = len(world.clouds.calls("github"))
    dry = ctl_json(world, "github", "redeliver", "--since", "10m", "--dry-run", codes=(1,))
    assert set(lost) <= set(dry["missing"]) and arrived not in dry["missing"]
    done = ctl_json(world, "github", "redeliver", "--since", "10m", "--rate", "100")
    assert done["missing"] == [] and done["asked"] == len(dry["missing"])
    attempts = [call["path"] for call in world.clouds.calls("github")[calls:] if call["path"].endswith("/attempts")]
    assert len(attempts) == len(set(attempts)) == len(dry["missing"])
    assert world.books.value("SELECT count(*) FROM sluice.events WHERE id = ANY(%s) AND source = '/webhooks/github'",
                             lost) == len(lost)
    assert ctl_json(world, "github", "redeliver", "--since", "10m")["asked"] == 0
    assert "3 days" in world.system.ctl("github", "redeliver", "--since", "5d", "--dry-run").stdout


def test_a_redelivery_that_breaks_off_says_what_it_asked_for(world):
    payload = {"action": "completed", "workflow_run": {"id": 2, "display_title": "nightly", "conclusion": "success"},
               "repository": {"full_name": "sluice-sim/agents"}}
    world.clouds.drop_webhooks(3)
    lost = [world.clouds.webhook("workflow_run", payload)["guid"] for _ in range(3)]
    missing = ctl_json(world, "github", "redeliver", "--since", "10m", "--dry-run", codes=(1,))["missing"]
    assert set(lost) <= set(missing)
    world.clouds.fault("github", "status", times=-1, match="POST .*/attempts", status=500, skip=1)
    audits = "SELECT count(*) FROM sluice.audit_log WHERE action = 'github_redelivered' AND detail ->> 'asked' = '1'"
    before = world.books.value(audits)
    broken = ctl_json(world, "github", "redeliver", "--since", "10m", "--rate", "100", codes=(69,))
    assert broken["asked"] == 1 and world.books.value(audits) == before + 1
    world.clouds.clear_faults()
    done = ctl_json(world, "github", "redeliver", "--since", "10m", "--rate", "100")
    assert done["missing"] == [] and done["asked"] == len(missing) - 1


def test_a_paused_backend_keeps_its_jobs_queued_until_it_is_resumed(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    agent_id = world.create_agent(user_id)
    assert ctl_json(world, "pause", "github-actions", "--reason", "their incident")["was_paused"] is False
    try:
        assert ctl_json(world, "pause", "github-actions")["was_paused"] is True
        assert world.command(user_id, agent_id, "provision").status_code == 200
        other, _agent = active_provisioner(world)
        world.books.user_settled(other)
        job, = world.books.jobs(agent_id)
        assert (job["status"], job["fence"]) == ("queued", 0)
        status = world.system.ctl("status").stdout
        assert re.search(r"github-actions +ops:\S+ .*their incident +1", status), status
    finally:
        resumed = ctl_json(world, "resume", "github-actions")
    assert resumed["was_paused"] is True and resumed["queued"] == 1
    world.books.agent_in(agent_id, "active")
    actions = [row["action"] for row in world.books.rows(
        "SELECT action FROM sluice.audit_log WHERE target = 'backend:github-actions' ORDER BY at, id")]
    assert actions == ["backend_paused", "backend_resumed"]
    assert world.system.ctl("pause", "tailscale").returncode == 2
    assert "was not paused" in world.system.ctl("resume", "stripe").stdout


def active_provisioner(world):
    """Another backend's agent, brought up while something else is paused."""
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    agent_id = str(uuid.uuid4())
    world.ingress.api(user_id, "/api/agents", {"agent_id": agent_id, "name": "a", "backend": "provisioner"})
    assert world.command(user_id, agent_id, "provision").status_code == 200
    world.books.agent_in(agent_id, "active")
    return user_id, agent_id


def test_homes_of_jobs_in_sql_are_those_of_the_recipes(world):
    """What `pause` counts by is what a claim goes by: every job that was ever called a cloud first called its home."""
    first = world.books.rows("SELECT DISTINCT ON (c.job_id) j.kind, j.backend, sluice.cloud_of(j.kind, j.backend) AS home,"
                             " c.cloud FROM sluice.job_calls c JOIN sluice.jobs j ON j.id = c.job_id"
                             " WHERE j.kind NOT IN ('destroy', 'rollback') ORDER BY c.job_id, c.id")
    assert first and all(row["cloud"] in (row["home"], "tailscale") for row in first), first
    assert {row["home"] for row in first} >= {"github", "hetzner", "provisioner"}
