"""What users share: each row comes back as it was written, whoever's event changes it, and however many do at once."""

import base64
import os
import uuid

import psycopg
import pytest
from kit import stripe_events
from kit.wait import until

from .test_apply import Locked, blocked_workers, create_agent, provisioned_job, subscription

KEYS = "k1:" + base64.b64encode(bytes(range(32))).decode()
TEAM = {"SLUICE_DATA_KEYS": KEYS, "APP_URL": "https://app.example", "STRIPE_SECRET_KEY": ""}


def make_workspace(bench, owner, members=(), tier="workspace"):
    """A workspace that was made at some earlier time."""
    workspace = str(uuid.uuid4())
    for user in (owner, *members):
        bench.rows("INSERT INTO sluice.users (id, email) VALUES (%s, %s) ON CONFLICT DO NOTHING", user,
                   f"{user}@example.org")
    bench.rows("INSERT INTO sluice.workspaces (id, name, owner_id, tier) VALUES (%s, 'Team', %s, %s)", workspace, owner,
               tier)
    for user in (owner, *members):
        bench.rows("INSERT INTO sluice.workspace_members (workspace_id, user_id, role, joined_at)"
                   " VALUES (%s, %s, %s, now())", workspace, user, "owner" if user == owner else "member")
    return workspace


def applied(bench, event):
    bench.flush()
    outcome = bench.outcome(event)
    assert outcome[0] == "applied", outcome
    return event


def refused(bench, event, code):
    bench.flush()
    assert bench.outcome(event)[:2] == ("rejected", code)


def token_of(bench, workspace):
    """What stands in the invitation's e-mail."""
    url = bench.value("SELECT args->>'url' FROM sluice.jobs WHERE kind = 'email' AND args->>'template' = 'invite'"
                      " ORDER BY seq DESC LIMIT 1")
    assert url.startswith("https://app.example/signup?invite="), url
    return url.rpartition("=")[2]


def test_the_life_of_a_workspace_row_by_row(bench):
    worker = bench.worker(**TEAM)
    owner, _ = bench.user()
    guest, _ = bench.user()
    workspace = make_workspace(bench, owner)
    applied(bench, bench.command("workspace.invite", owner, workspace_id=workspace, email=f"{guest.upper()}@Example.org"))
    assert bench.rows("SELECT email, invited_by, accepted_at, revoked_at, length(token_sha256), expires_at > created_at"
                      " FROM sluice.invites WHERE workspace_id = %s", workspace) == [
                          (f"{guest}@example.org", owner, None, None, 32, True)]
    token = token_of(bench, workspace)
    assert len(token) == 43
    applied(bench, bench.command("invite.accept", guest, token=token))
    assert bench.rows("SELECT user_id, role FROM sluice.workspace_members WHERE workspace_id = %s ORDER BY role",
                      workspace) == [(guest, "member"), (owner, "owner")]
    assert bench.rows("SELECT accepted_by, accepted_at IS NOT NULL FROM sluice.invites WHERE workspace_id = %s",
                      workspace) == [(guest, True)]
    refused(bench, bench.command("invite.accept", guest, token=token), "INVITE_NOT_FOUND")

    secret = "plain-" + uuid.uuid4().hex
    applied(bench, bench.command("connection.share", guest, workspace_id=workspace, connection_id="c-1",
                                 provider="slack", token=secret))
    sealed = bench.value("SELECT sealed FROM sluice.connections WHERE workspace_id = %s", workspace)
    assert sealed.startswith("k1:") and len(base64.b64decode(sealed[3:])) == 28 + len(secret)
    refused(bench, bench.command("connection.unshare", owner, workspace_id=workspace, connection_id="c-1"),
            "NOT_CONNECTION_OWNER")

    applied(bench, bench.command("run.start", guest, workspace_id=workspace, workflow_id="w-1", run_id="r-1"))
    refused(bench, bench.command("run.start", owner, workspace_id=workspace, workflow_id="w-1", run_id="r-1"),
            "INVALID_STATE")
    applied(bench, bench.command("run.finish", guest, run_id="r-1"))
    assert bench.rows("SELECT workflow_id, user_id, end_reason, ended_at >= started_at FROM sluice.runs"
                      " WHERE workspace_id = %s", workspace) == [("w-1", guest, "finished", True)]
    assert bench.value("SELECT runs_used FROM sluice.workspaces WHERE id = %s", workspace) == 1

    applied(bench, bench.command("workspace.leave", guest, workspace_id=workspace))
    assert bench.rows("SELECT user_id FROM sluice.workspace_members WHERE workspace_id = %s", workspace) == [(owner,)]
    assert bench.value("SELECT count(*) FROM sluice.connections WHERE workspace_id = %s", workspace) == 0
    for table in ("jobs", "events", "audit_log", "outbox", "connections"):
        assert bench.value(f"SELECT count(*) FROM sluice.{table} t WHERE t::text LIKE %s", f"%{secret}%") == 0, table
    assert secret not in worker.log() and token not in worker.log()


def test_without_a_key_nothing_is_sealed_and_nobody_invited(bench):
    bench.worker(**{**TEAM, "SLUICE_DATA_KEYS": ""})
    owner, _ = bench.user()
    workspace = make_workspace(bench, owner)
    refused(bench, bench.command("workspace.invite", owner, workspace_id=workspace, email="a@example.org"),
            "INVALID_STATE")
    refused(bench, bench.command("connection.share", owner, workspace_id=workspace, connection_id="c", provider="p",
                                 token="t"), "INVALID_STATE")


def test_who_is_removed_hears_of_it_on_his_own_partition(bench):
    bench.worker(**TEAM)
    owner, _ = bench.user()
    member, _ = bench.user()
    workspace = make_workspace(bench, owner, [member])
    since = bench.ends("sluice.events.v1")
    revoked = bench.command("workspace.revoke", owner, workspace_id=workspace, member_id=member,
                            headers={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    applied(bench, revoked)
    def ours(found):
        return [m for m in found if dict(m.headers())["ce_type"] == b"member.removed" and m.key().decode() == member]
    notice = ours(bench.messages("sluice.events.v1", since, ours))[0]
    assert dict(notice.headers())["ce_source"] == b"/sluice/apply"
    assert dict(notice.headers())["traceparent"].startswith(b"00-0af7651916cd43dd8448eb211c80319c-")
    assert bench.outcome(dict(notice.headers())["ce_id"].decode())[0] == "applied"
    assert bench.rows("SELECT w.tier, m.role FROM sluice.workspaces w JOIN sluice.workspace_members m"
                      " ON m.workspace_id = w.id WHERE m.user_id = %s", member) == [("solo", "owner")]
    until(lambda: bench.value("SELECT count(*) FROM sluice.outbox") == 0, "the outbox to be empty")


@pytest.mark.parametrize("workers", [1, 2], ids=["one-batch", "two-workers"])
def test_members_share_one_quota_whoever_decides(bench, workers):
    """Forty runs each of two members, fifty allowed."""
    settings = {**TEAM, "SLUICE_PLAN_WORKSPACE_RUNS": 50}
    group = f"quota-{uuid.uuid4()}"
    started = [bench.worker(group, **settings) for _ in range(workers)]
    if workers == 2:
        until(lambda: all("assigned" in w.log() for w in started), "partitions for both")
    owner, _ = bench.user()
    member, _ = bench.user()
    workspace = make_workspace(bench, owner, [member])
    held = Locked(bench, owner)
    first = bench.command("run.start", owner, workspace_id=workspace, workflow_id="w")
    bench.flush()
    until(lambda: blocked_workers(bench), "a batch to stand still")
    events = [first, *(bench.command("run.start", user, workspace_id=workspace, workflow_id="w")
                       for user in [owner] * 39 + [member] * 40)]
    bench.flush()
    held.release()
    bench.decided(events)
    outcomes = bench.rows("SELECT outcome, error_code, count(*)::int FROM sluice.events WHERE id = ANY(%s)"
                          " GROUP BY 1, 2 ORDER BY 1", events)
    assert outcomes == [("applied", None, 50), ("rejected", "workspace_run_limit", 30)]
    assert bench.value("SELECT runs_used FROM sluice.workspaces WHERE id = %s", workspace) == 50
    assert bench.value("SELECT count(*) FROM sluice.runs WHERE workspace_id = %s", workspace) == 50


def test_a_batch_of_both_members_sees_what_the_other_did(bench):
    """The owner removes the member, whose next command of the same batch is a stranger's."""
    bench.worker(**TEAM)
    owner, _ = bench.user()
    member, _ = bench.user()
    workspace = make_workspace(bench, owner, [member])
    blocker, _ = bench.user()
    held = Locked(bench, blocker)
    create_agent(bench, blocker)
    bench.flush()
    until(lambda: blocked_workers(bench), "the batch to stand still")
    # one key: one partition, one order
    body = {"actor": {}, "type": "", "timestamp": "2026-11-21T10:00:00Z"}
    def send(kind, user, **data):
        return bench.send("command." + kind, "/api", owner, {**body, "type": kind, "data": {**data, "user_id": user}})
    before = send("run.start", member, workspace_id=workspace, workflow_id="w", run_id="r")
    revoke = send("workspace.revoke", owner, workspace_id=workspace, member_id=member)
    after = send("run.start", member, workspace_id=workspace, workflow_id="w")
    finish = send("run.finish", owner, workspace_id=workspace, run_id="r")
    bench.flush()
    held.release()
    applied(bench, before)
    applied(bench, revoke)
    refused(bench, after, "WORKSPACE_NOT_FOUND")
    bench.outcome(finish)
    assert bench.value("SELECT count(*) FROM sluice.workspace_members WHERE workspace_id = %s", workspace) == 1


def test_stale_runs_of_everybody_are_ended_once(bench):
    bench.worker(**TEAM)
    admin, _ = bench.user()
    owner, _ = bench.user()
    workspace = make_workspace(bench, owner)
    for number, age in enumerate(("3 hours", "2 hours", "1 minute")):
        bench.rows("INSERT INTO sluice.runs (workspace_id, id, workflow_id, user_id, started_at)"
                   " VALUES (%s, %s, 'w', %s, now() - %s::interval)", workspace, f"r-{number}", owner, age)
    applied(bench, bench.command("admin.purge_stale_runs", admin, older_than_minutes=60))
    assert bench.rows("SELECT id, end_reason FROM sluice.runs WHERE workspace_id = %s ORDER BY id", workspace) == [
        ("r-0", "purged"), ("r-1", "purged"), ("r-2", None)]
    second = applied(bench, bench.command("admin.purge_stale_runs", admin, older_than_minutes=60))
    assert bench.value("SELECT result->'data' FROM sluice.events WHERE id = %s", second) == {"purged": 0}


def test_usage_is_counted_once_per_command_in_one_row(bench):
    bench.worker(**TEAM, SLUICE_POLICY_FREE_TIER="on", SLUICE_PLAN_FREE_MESSAGES_PER_DAY=1000)
    user, _ = bench.user()
    ids = [bench.command("usage.record", user, metric="messages", count=2) for _ in range(300)]
    for event in ids[:100]:
        bench.command("usage.record", user, event, metric="messages", count=2)
    ids.append(bench.command("usage.record", user, metric="api_calls", count=7))
    bench.flush()
    bench.decided(ids)
    assert dict(bench.rows("SELECT metric, sum(count)::int FROM sluice.usage_daily WHERE user_id = %s GROUP BY 1",
                           user)) == {"messages": 600, "api_calls": 7}
    # The day's row says what it was: the next batch goes on from it.
    more = bench.command("usage.record", user, metric="messages", count=400)
    over = bench.command("usage.record", user, metric="messages", count=1)
    applied(bench, more)
    refused(bench, over, "USAGE_LIMIT_REACHED")
    assert bench.value("SELECT told_at IS NOT NULL FROM sluice.usage_daily WHERE user_id = %s AND metric = 'messages'"
                       " ORDER BY day DESC LIMIT 1", user)


def test_an_address_joins_once_whoever_writes_it_first(bench):
    bench.worker(**TEAM)
    email = f"{uuid.uuid4().hex}@example.org"
    def join(address):
        body = {"type": "early_access.join", "timestamp": "2026-11-21T10:00:00Z", "data": {"email": address}}
        return bench.send("command.early_access.join", "/api", email, body)
    # Another writer has it, not yet committed: the batch waits for him, and then sees it.
    other = psycopg.connect(os.environ["DATABASE_URL"])
    other.execute("INSERT INTO sluice.early_access (email, joined_at) VALUES (%s, now())", (email,))
    late = join(email.upper())
    bench.flush()
    until(lambda: blocked_workers(bench), "the batch to stand still")
    other.commit()
    other.close()
    assert bench.outcome(late)[0] == "ignored"
    fresh = f"{uuid.uuid4().hex}@example.org"
    first, second = join(fresh), join(fresh)
    bench.flush()
    assert bench.outcome(first)[0] == "applied"
    assert bench.outcome(second)[0] == "ignored"
    assert bench.value("SELECT count(*) FROM sluice.early_access WHERE email = ANY(%s)", [email, fresh]) == 2


def test_of_two_users_with_one_new_agent_id_the_second_is_told(bench):
    bench.worker(**TEAM)
    first, _ = bench.user()
    second, _ = bench.user()
    agent = str(uuid.uuid4())
    with bench.connect() as other:
        with other.transaction():
            other.execute("INSERT INTO sluice.users (id) VALUES (%s)", (first,))
            other.execute("INSERT INTO sluice.agents (id, user_id, name, backend, region, status)"
                          " VALUES (%s, %s, 'n', 'github-actions', 'us-east', 'draft')", (agent, first))
            event = bench.command("agent.create", second, agent_id=agent, name="mine", region="us-east")
            bench.flush()
            until(lambda: blocked_workers(bench), "the batch to stand still")
    assert bench.outcome(event)[0] == "rejected"
    assert bench.rows("SELECT user_id, name FROM sluice.agents WHERE id = %s", agent) == [(first, "n")]


def test_a_skipped_email_is_in_the_log(bench):
    worker = bench.worker(**TEAM)
    user, customer = bench.user()
    obj = subscription(customer, user)
    created = bench.stripe("customer.subscription.created", obj, user)
    failed = bench.stripe("invoice.payment_failed",
                          stripe_events.invoice(customer, obj["id"], metadata={"user_id": user}), user)
    bench.flush()
    bench.decided([created, failed])
    skipped = bench.value("SELECT count(*) FROM sluice.audit_log WHERE user_id = %s AND action = 'email_skipped'", user)
    assert skipped >= 1
    until(lambda: "an e-mail was not sent" in worker.log() and user in worker.log(), "the log line")


def test_an_instances_own_columns_come_back_as_they_were_written(bench):
    worker = bench.worker(**TEAM, STRIPE_PRICE_STARTER="price_starter", SLUICE_PLAN_STARTER_CPU="0.3")
    user, customer = bench.user()
    obj = stripe_events.subscription(stripe_events.new_id("sub"), customer, "active", "price_starter", user)
    bench.stripe("customer.subscription.created", obj, user)
    bench.flush()
    columns = ("SELECT status, memory_limit_mb, cpu_limit, subscription_id, stopped_by, app_name FROM sluice.agents"
               " WHERE user_id = %s")
    until(lambda: bench.rows(columns, user), "the instance")
    job = bench.value("SELECT id::text FROM sluice.jobs WHERE user_id = %s AND kind = 'provision'", user)
    bench.rows("UPDATE sluice.jobs SET status = 'running', settled = true, fence = fence + 1 WHERE id = %s", job)
    fence = bench.value("SELECT fence FROM sluice.jobs WHERE id = %s", job)
    body = {"job_id": job, "user_id": user, "fence": fence, "result": {"app_name": "app-1"}}
    done = bench.send("job.succeeded", "/sluice/execute", user, body)
    failed = bench.stripe("invoice.payment_failed", stripe_events.invoice(customer, obj["id"], user), user)
    bench.flush()
    bench.decided([done, failed])
    assert bench.rows(columns, user) == [("paused", 512, 0.3, obj["id"], obj["id"], "app-1")]
    # Another worker knows of them what Postgres has: nothing has changed, so nothing is to be updated.
    assert worker.drain() == 0
    bench.worker(**TEAM, STRIPE_PRICE_STARTER="price_starter", SLUICE_PLAN_STARTER_CPU="0.3")
    paid = bench.stripe("invoice.paid", stripe_events.invoice(customer, obj["id"], user), user)
    agent = bench.value("SELECT id::text FROM sluice.agents WHERE user_id = %s", user)
    start = bench.command("agent.start", user, agent_id=agent)
    bench.flush()
    bench.decided([paid, start])
    assert bench.outcome(start)[0] == "applied"
    assert bench.rows(columns, user) == [("active", 512, 0.3, obj["id"], None, "app-1")]
    assert bench.value("SELECT count(*) FROM sluice.jobs WHERE user_id = %s AND kind = 'update_limits'", user) == 0


def test_a_jobs_end_makes_room_for_the_next_one_of_its_batch(bench):
    """The index lets one job of an agent be under way: whatever their ids, the end is written first."""
    bench.worker(**TEAM)
    for turn in range(4):
        user, customer = bench.user()
        agent, job = provisioned_job(bench, user, customer)
        before = str(uuid.UUID(int=uuid.UUID(job).int + (1 if turn % 2 else -1)))
        bench.rows("INSERT INTO sluice.jobs (id, user_id, agent_id, kind, backend, status, settled, fence)"
                   " VALUES (%s, %s, %s, 'update_limits', 'provisioner', 'running', true, 1)", before, user, agent)
        held = Locked(bench, user)
        ended = bench.send("job.succeeded", "/sluice/execute", user,
                           {"job_id": before, "user_id": user, "fence": 1, "result": {}})
        claimed = bench.callback("claimed", job, 4711, user)
        bench.flush()
        until(lambda: blocked_workers(bench), "the batch to stand still")
        held.release()
        bench.decided([ended, claimed])
        assert bench.rows("SELECT id::text, status FROM sluice.jobs WHERE agent_id = %s AND status <> 'queued'"
                          " ORDER BY status", agent) == [(before, "succeeded"), (job, "waiting")]
