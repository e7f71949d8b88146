"""The model itself, by stories short enough to be checked by eye."""

import hashlib

import pytest
from kit import stripe_events

from .model import Model, Names, invite_token
from .rules import Event
from .world import Policy

KEY = bytes(range(32))


class Tale:
    """Feeds a model one event at a time; each answers (outcome, error code)."""

    def __init__(self, policy=Policy()):
        self.model = Model(Names(data_key=KEY), policy)
        self.now_ms = 1_700_000_000_000
        self._number = 0

    def feed(self, source, kind, body, subject=""):
        self._number += 1
        self.now_ms += 1000
        event = Event(source, f"e{self._number}", kind, body, "u", self.now_ms, subject)
        self.model.feed([event])
        return self.model.outcomes[event.identity]

    def stripe(self, kind, obj, at=100):
        return self.feed("/webhooks/stripe", "stripe." + kind, stripe_events.event(kind, obj, created=at))

    def command(self, kind, user="u", **data):
        return self.feed("/api", "command." + kind, {"data": {"user_id": user, **data}})

    def subscription(self, kind="created", status="active", price="price_unlimited", at=100, sub="sub_1", user="u"):
        obj = stripe_events.subscription(sub, "cus_1", status, price, user_id=user)
        return self.stripe(f"customer.subscription.{kind}", obj, at)

    def report(self, kind, job, **result):
        self.model.names.jobs["j"] = job.key
        return self.feed("/sluice/execute", "job." + kind, {"job_id": "j", "user_id": "u", "result": result})

    @property
    def user(self):
        return self.model.users["u"]

    def open(self, kind):
        job, = self.user.open_jobs(kind=kind)
        return job

    def emails(self):
        return [job.detail["template"] for job in self.user.jobs if job.kind == "email"]


@pytest.fixture
def tale():
    return Tale()


def test_gate_and_provision(tale):
    assert tale.command("agent.create", agent_id="a") == ("applied", None)
    assert tale.command("agent.provision", agent_id="a") == ("rejected", "NO_ACTIVE_SUBSCRIPTION")
    tale.subscription()
    assert tale.command("agent.provision", agent_id="a") == ("applied", None)
    assert tale.command("agent.provision", agent_id="a") == ("rejected", "PROVISION_IN_PROGRESS")
    assert tale.command("agent.provision", "v", agent_id="a") == ("rejected", "FORBIDDEN")
    job = tale.open("provision")
    tale.model.names.jobs["j"] = job.key
    callback = {"job_id": "j", "run_id": 7, "server_id": "1"}
    assert tale.feed("/cb", "callback.claimed", {**callback, "run_id": ""}) == ("rejected", "INVALID_STATE")
    assert tale.feed("/cb", "callback.claimed", callback) == ("applied", None)
    assert tale.feed("/cb", "callback.claimed", {**callback, "run_id": 8}) == ("rejected", "ALREADY_CLAIMED")
    assert tale.feed("/cb", "callback.completed", callback) == ("applied", None)
    assert tale.feed("/cb", "callback.heartbeat", callback) == ("rejected", "JOB_ENDED")
    assert tale.user.agents["a"].status == "active" and not tale.user.timers


def test_limit_counts_what_is_there(tale):
    tale.subscription(price="price_unheard")
    for agent in ("a", "b"):
        tale.command("agent.create", agent_id=agent)
    assert tale.command("agent.provision", agent_id="a") == ("applied", None)
    tale.report("succeeded", tale.open("provision"))
    assert tale.command("agent.provision", agent_id="b") == ("rejected", "AGENT_LIMIT_REACHED")


def test_stripe_has_its_own_order(tale):
    assert tale.subscription("updated", "past_due", at=100) == ("applied", None)
    assert tale.subscription("created", "active", at=100) == ("ignored", None)
    assert tale.subscription("updated", "active", at=99) == ("ignored", None)
    assert tale.subscription("updated", "active", at=100) == ("applied", None)
    assert tale.subscription("deleted", at=100) == ("applied", None)
    assert tale.subscription("updated", "active", at=200) == ("ignored", None)
    assert tale.user.plan == "free" and tale.user.subscriptions["sub_1"].status == "canceled"


def test_a_subscription_brings_an_instance(tale):
    tale.stripe("customer.updated", {"id": "cus_1", "object": "customer", "metadata": {"user_id": "u"},
                                     "email": "a@b.test"})
    tale.subscription(price="price_starter")
    job = tale.open("provision")
    assert (job.backend, tale.user.plan) == ("provisioner", "starter")
    tale.subscription("updated", price="price_professional", at=101)
    tale.report("succeeded", job)
    assert tale.emails() == ["welcome"]
    tale.report("succeeded", tale.open("update_limits"))
    tale.subscription("deleted", price="price_professional", at=102)
    assert tale.open("deprovision").agent == job.agent and tale.emails() == ["welcome", "cancelled"]


def test_grace(tale):
    tale.subscription(price="price_starter")
    tale.report("succeeded", tale.open("provision"))
    invoice = stripe_events.invoice("cus_1", "sub_1", "u")
    assert tale.stripe("invoice.payment_failed", invoice, 110) == ("applied", None)
    agent, = tale.user.agents.values()
    assert agent.status == "paused" and agent.stopped_by == "sub_1" and len(tale.user.timers) == 2
    ends = dict(tale.user.timers)
    assert tale.stripe("invoice.payment_failed", invoice, 111) == ("applied", None) and tale.user.timers == ends
    assert tale.stripe("invoice.paid", invoice, 109) == ("ignored", None)
    assert tale.stripe("invoice.paid", invoice, 111) == ("applied", None) and not tale.user.timers
    assert agent.status == "paused"  # by default the user starts it


def test_usage_has_a_limit_a_day(tale):
    tale.subscription(price="price_starter")
    assert tale.command("usage.record", metric="messages", count=1000) == ("applied", None)
    assert tale.command("usage.record", metric="messages", count=1) == ("rejected", "USAGE_LIMIT_REACHED")
    assert tale.command("usage.record", metric="api_calls", count=10**6) == ("applied", None)
    assert sorted(tale.user.usage.values()) == [1000, 10**6]


def upgrade(tale):
    assert tale.command("workspace.plan_change", plan_tier="workspace", workspace_name="Us") == ("applied", None)
    tale.report("succeeded", tale.open("stripe"), session_id="cs_1")
    done = stripe_events.checkout("cus_1", user_id="u", id="cs_1")
    assert tale.stripe("checkout.session.completed", {**done, "id": "cs_2"}) == ("ignored", None)
    assert tale.stripe("checkout.session.completed", done) == ("applied", None)
    workspace, = tale.model.workspaces.values()
    return workspace


def test_workspace_upgrade(tale):
    workspace = upgrade(tale)
    assert (workspace.name, workspace.tier, workspace.members) == ("Us", "workspace", {"u": "owner"})
    assert tale.user.onboarded and tale.user.plan == "workspace" and tale.user.pending is None


def test_a_failed_payment_ends_what_is_pending(tale):
    tale.command("workspace.plan_change", plan_tier="workspace", workspace_name="Us")
    assert tale.stripe("payment_intent.payment_failed", {"id": "pi_1", "object": "payment_intent",
                                                         "metadata": {"user_id": "u"}}) == ("applied", None)
    assert tale.user.pending is None and tale.user.last_error
    tale.report("failed", tale.open("stripe"))
    assert list(tale.model.outcomes.values())[0] == ("rejected", "CLOUD_UNAVAILABLE")


def test_members(tale):
    workspace = upgrade(tale)
    place = {"workspace_id": workspace.id}
    assert tale.command("workspace.invite", "v", email="V@x.test", **place) == ("rejected", "WORKSPACE_NOT_FOUND")
    assert tale.command("workspace.invite", email="V@x.test", **place) == ("applied", None)
    assert workspace.invites[0].hash == hashlib.sha256(invite_token(KEY, "/api", f"e{tale._number}").encode()).hexdigest()
    token = invite_token(KEY, "/api", f"e{tale._number}")
    assert tale.command("invite.accept", "v", token="odd") == ("rejected", "INVITE_NOT_FOUND")
    assert tale.command("invite.accept", "v", token=token) == ("applied", None)
    assert tale.command("invite.accept", "w", token=token) == ("rejected", "INVITE_NOT_FOUND")
    assert tale.command("connection.share", "v", connection_id="c", provider="slack", **place) == ("applied", None)
    assert tale.command("connection.share", connection_id="c", provider="slack", **place) == (
        "rejected", "NOT_CONNECTION_OWNER")
    assert tale.command("workspace.leave", **place) == ("applied", None)
    assert (workspace.owner, workspace.members) == ("v", {"v": "owner"})
    assert [row.name for row in model_workspaces(tale, "u")] == ["Personal"]
    assert tale.command("workspace.leave", "v", **place) == ("applied", None)
    assert workspace.closed and not workspace.connections


def model_workspaces(tale, user):
    return [row for row in tale.model.workspaces.values() if row.owner == user and not row.closed]


def test_what_nobody_knows_waits(tale):
    obj = stripe_events.subscription("sub_1", "cus_9")
    assert tale.stripe("customer.subscription.created", obj) == ("parked", None)
    tale.stripe("customer.updated", {"id": "cus_9", "object": "customer", "metadata": {"user_id": "u"}})
    assert tale.stripe("customer.subscription.created", obj) == ("applied", None)


def provisioning(tale):
    tale.subscription()
    tale.command("agent.create", agent_id="a")
    tale.command("agent.provision", agent_id="a")
    job = tale.open("provision")
    tale.model.names.jobs["j"] = job.key
    return job


def run_ended(tale, conclusion, run_id=7):
    return tale.feed("/webhooks/github", "github.workflow_run", {"action": "completed", "workflow_run": {
        "id": run_id, "display_title": "sluice j", "conclusion": conclusion}})


def test_a_run_that_github_ends_fails_its_job(tale):
    job = provisioning(tale)
    tale.feed("/cb", "callback.claimed", {"job_id": "j", "run_id": 7})
    assert run_ended(tale, "success") == run_ended(tale, "failure", 8) == ("ignored", None)
    assert run_ended(tale, "failure") == ("applied", None)
    assert job.status == "failed" and tale.open("rollback") and tale.user.agents["a"].status == "failed"
    assert run_ended(tale, "failure") == ("ignored", None)


def test_whether_an_unclaimed_run_was_dispatched_shows_in_what_came_of_it(tale):
    job = provisioning(tale)
    assert run_ended(tale, "startup_failure") == ("ignored", None)
    tale.model.names.jobs["r"] = f"e{tale._number + 1}", "rollback", "a", None, None
    assert run_ended(tale, "startup_failure") == ("applied", None)
    assert job.status == "failed"


def test_a_report_of_an_earlier_attempt_changes_nothing(tale):
    tale.subscription()
    tale.command("agent.create", agent_id="a", backend="hetzner")
    tale.command("agent.provision", agent_id="a")
    job = tale.open("provision")
    assert tale.report("failed", job) == ("applied", None)
    tale.report("succeeded", tale.open("rollback"))
    tale.model.names.jobs["j"] = job.key
    assert tale.command("job.retry", job_id="j") == ("applied", None)
    stale = {"job_id": "j", "user_id": "u", "generation": 0}
    assert tale.feed("/sluice/execute", "job.failed", stale) == ("ignored", None)
    assert tale.feed("/sluice/execute", "job.succeeded", {**stale, "generation": 1}) == ("applied", None)


def test_a_refused_command_is_told_to_the_address_of_its_token(tale):
    tale.feed("/api", "command.usage.record", {"data": {"user_id": "u", "metric": "messages", "count": 9999},
                                               "actor": {"email": "new@x.test"}})
    assert [job.detail["to"] for job in tale.user.jobs] == ["new@x.test"] and tale.user.email is None
