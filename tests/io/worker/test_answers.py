"""Commands that wait for a cloud: pending until their job ends, then told once under their own id."""

import json
import uuid

from kit import stripe_events
from kit.wait import until

from .conftest import EVENTS, header
from .test_apply import Locked, blocked_workers, create_agent
from .test_commons import TEAM, make_workspace

PAYING = {**TEAM, "STRIPE_PRICE_WORKSPACE": "price_workspace", "SLUICE_PLAN_WORKSPACE_PRICE": "price_workspace"}


def waiting(bench, user, partition=0):
    """A plan change whose request waits; gives (event, job, correlation id)."""
    correlation = str(uuid.uuid4())
    event = bench.command("workspace.plan_change", user, plan_tier="workspace", workspace_name="Ours",
                          shared_workflow_ids=["w-1", "ü-2"], headers={"sluice_reply_to": f"{partition}/{correlation}"})
    bench.flush()
    assert bench.outcome(event)[0] == "applied"
    job = bench.rows("SELECT id::text, kind, answer_type, reply_to, deadline_at > created_at FROM sluice.jobs"
                     " WHERE cause_event_id = %s", event)
    assert [row[1:] for row in job] == [
        ("stripe", "command.workspace.plan_change", f"{partition}/{correlation}", True)]
    assert bench.value("SELECT result->'pending' FROM sluice.events WHERE id = %s", event) is True
    return event, job[0][0], correlation


def end_job(bench, job, user, kind="succeeded", **result):
    """The end of a job, as the executor tells it; gives the event's id."""
    bench.rows("UPDATE sluice.jobs SET status = 'running', settled = true, fence = fence + 1 WHERE id = %s", job)
    fence = bench.value("SELECT fence FROM sluice.jobs WHERE id = %s", job)
    body = {"job_id": job, "kind": "stripe", "user_id": user, "fence": fence, "error": "no", "result": result}
    event = bench.send(f"job.{kind}", "/sluice/execute", user, body)
    bench.flush()
    return event


def told(bench, since, event, topic="sluice.outcomes.v1"):
    def ours(found):
        return [m for m in found if header(m, "ce_id") == event]
    return [json.loads(m.value()) for m in ours(bench.messages(topic, since, ours))]


def replies(bench, since, correlation):
    def ours(found):
        return [m for m in found if header(m, "sluice-correlation-id") == correlation]
    return ours(bench.messages("sluice.replies.v1", since, ours))


def test_a_command_is_told_when_its_job_ends_and_once_more_to_who_repeats_it(bench):
    bench.worker(**PAYING)
    user, customer = bench.user()
    outcomes, answers = bench.ends("sluice.outcomes.v1"), bench.ends("sluice.replies.v1")
    event, job, correlation = waiting(bench, user)
    assert bench.value("SELECT pending_checkout FROM sluice.users WHERE id = %s", user) == {
        "job_id": job, "plan": "workspace", "workspace_name": "Ours", "shared_workflow_ids": ["w-1", "ü-2"]}
    # Who asks again meanwhile is not answered yet; nobody was told anything.
    again = str(uuid.uuid4())
    bench.command("workspace.plan_change", user, event, plan_tier="workspace",
                  headers={"sluice_reply_to": f"0/{again}"})
    bench.flush()
    bench.caught_up()
    assert not [m for m in bench.messages("sluice.outcomes.v1", outcomes) if header(m, "ce_id") == event]
    assert not [m for m in bench.messages("sluice.replies.v1", answers)
                if header(m, "sluice-correlation-id") in (correlation, again)]

    end = end_job(bench, job, user, checkout_url="https://pay.example/1", session_id="cs_" + job, customer_id=customer)
    assert bench.outcome(end)[0] == "applied"
    outcome = told(bench, outcomes, event)
    assert len(outcome) == 1
    assert outcome[0] == {"id": event, "type": "command.workspace.plan_change", "user_id": user, "result": "applied",
                          "http_status": 200, "message": outcome[0]["message"], "job_ids": [job],
                          "data": {"success": True, "checkout_url": "https://pay.example/1"}}
    assert [json.loads(m.value()) for m in replies(bench, answers, correlation)] == outcome
    row = bench.rows("SELECT outcome, error_code, result FROM sluice.events WHERE id = %s", event)[0]
    assert row[:2] == ("applied", None) and "pending" not in row[2]
    assert row[2]["data"]["checkout_url"] == "https://pay.example/1"
    assert bench.value("SELECT pending_checkout->>'session_id' FROM sluice.users WHERE id = %s", user) == "cs_" + job
    assert bench.value("SELECT user_id FROM sluice.customers WHERE id = %s", customer) == user
    # The end of the job tells its own outcome, and nothing of what it noted for itself.
    assert "answer" not in told(bench, outcomes, end)[0]
    late = str(uuid.uuid4())
    bench.command("workspace.plan_change", user, event, plan_tier="workspace", headers={"sluice_reply_to": f"0/{late}"})
    bench.flush()
    assert [json.loads(m.value()) for m in replies(bench, answers, late)] == outcome


def test_a_failed_job_is_told_as_the_commands_refusal(bench):
    bench.worker(**PAYING)
    user, _ = bench.user()
    answers = bench.ends("sluice.replies.v1")
    event, job, correlation = waiting(bench, user)
    assert bench.outcome(end_job(bench, job, user, "failed"))[0] == "applied"
    reply = json.loads(replies(bench, answers, correlation)[0].value())
    assert (reply["result"], reply["errorCode"], reply["http_status"]) == ("rejected", "CLOUD_UNAVAILABLE", 503)
    assert bench.rows("SELECT outcome, error_code, result ? 'pending' FROM sluice.events WHERE id = %s", event) == [
        ("rejected", "CLOUD_UNAVAILABLE", False)]


def test_a_cancelled_job_answers_its_command(bench):
    bench.worker(**PAYING)
    user, _ = bench.user()
    answers = bench.ends("sluice.replies.v1")
    event, job, correlation = waiting(bench, user)
    cancel = bench.command("job.cancel", user, job_id=job)
    bench.flush()
    assert bench.outcome(cancel)[0] == "applied"
    assert json.loads(replies(bench, answers, correlation)[0].value())["errorCode"] == "CLOUD_UNAVAILABLE"
    assert bench.outcome(event)[:2] == ("rejected", "CLOUD_UNAVAILABLE")


def test_an_answer_that_a_crash_left_untold_is_told_by_the_next_owner(bench):
    first = bench.worker(**PAYING)
    user, _ = bench.user()
    event, job, correlation = waiting(bench, user)
    end = end_job(bench, job, user, checkout_url="https://pay.example/2", session_id="cs_" + job)
    assert bench.outcome(end)[0] == "applied"
    bench.caught_up()
    assert first.drain() == 0
    # As if the worker had died between the commit of the job's end and the broker's answer.
    partition, offset = bench.rows('SELECT partition, "offset" FROM sluice.events WHERE id = %s', end)[0]
    bench.rows("UPDATE sluice.offsets SET published_offset = %s WHERE topic = %s AND partition = %s", offset, EVENTS,
               partition)
    outcomes, answers = bench.ends("sluice.outcomes.v1"), bench.ends("sluice.replies.v1")
    bench.worker(**PAYING)
    again = told(bench, outcomes, event)
    assert again[0]["data"]["checkout_url"] == "https://pay.example/2"
    assert (again[0]["type"], again[0]["result"], again[0]["job_ids"]) == (
        "command.workspace.plan_change", "applied", [job])
    assert json.loads(replies(bench, answers, correlation)[0].value()) == again[0]
    bench.caught_up()


def test_a_pending_command_that_is_told_again_is_still_told_to_nobody(bench):
    first = bench.worker(**PAYING)
    user, _ = bench.user()
    event, _, _ = waiting(bench, user)
    bench.caught_up()
    assert first.drain() == 0
    partition, offset = bench.rows('SELECT partition, "offset" FROM sluice.events WHERE id = %s', event)[0]
    bench.rows("UPDATE sluice.offsets SET published_offset = %s WHERE topic = %s AND partition = %s", offset, EVENTS,
               partition)
    since = bench.ends("sluice.outcomes.v1")
    bench.worker(**PAYING)
    bench.caught_up()
    assert not [m for m in bench.messages("sluice.outcomes.v1", since) if header(m, "ce_id") == event]


def test_a_paid_checkout_makes_the_workspace_that_was_asked_for(bench):
    bench.worker(**PAYING)
    user, customer = bench.user()
    _, job, _ = waiting(bench, user)
    session = "cs_" + uuid.uuid4().hex
    bench.outcome(end_job(bench, job, user, checkout_url="https://pay.example/3", session_id=session))
    paid = bench.stripe("checkout.session.completed",
                        stripe_events.checkout(customer, {"user_id": user}, user, id=session), user)
    bench.flush()
    assert bench.outcome(paid)[0] == "applied"
    workspace = bench.rows("SELECT w.id::text, w.name, w.tier FROM sluice.workspaces w WHERE w.owner_id = %s", user)
    assert [row[1:] for row in workspace] == [("Ours", "workspace")]
    assert bench.rows("SELECT workflow_id FROM sluice.shared_workflows WHERE workspace_id = %s ORDER BY 1",
                      workspace[0][0]) == [("w-1",), ("ü-2",)]
    assert bench.rows("SELECT plan, pending_checkout, onboarding_complete FROM sluice.users WHERE id = %s", user) == [
        ("workspace", None, True)]
    # The subscription's period becomes the workspace's billing cycle; its end clears it.
    obj = stripe_events.subscription(stripe_events.new_id("sub"), customer, "active", "price_workspace", user)
    bench.outcome(bench.stripe("customer.subscription.created", obj, user, created=2000000000))
    bench.flush()
    until(lambda: bench.value("SELECT subscription_id FROM sluice.workspace_billing_cycles WHERE workspace_id = %s",
                              workspace[0][0]) == obj["id"], "the billing cycle")
    bench.stripe("customer.subscription.deleted", {**obj, "status": "canceled"}, user, created=2000000001)
    bench.flush()
    until(lambda: bench.value("SELECT tier FROM sluice.workspaces WHERE id = %s", workspace[0][0]) == "solo",
          "the downgrade")
    assert bench.rows("SELECT 1 FROM sluice.workspace_billing_cycles WHERE workspace_id = %s", workspace[0][0]) == []


def test_a_checkout_that_comes_to_nothing_leaves_its_reason_on_the_user(bench):
    bench.worker(**PAYING)
    user, customer = bench.user()
    _, job, _ = waiting(bench, user)
    session = "cs_" + uuid.uuid4().hex
    bench.outcome(end_job(bench, job, user, checkout_url="https://pay.example/4", session_id=session))
    expired = bench.stripe("checkout.session.expired",
                           stripe_events.checkout(customer, {"user_id": user}, user, id=session), user)
    bench.flush()
    assert bench.outcome(expired)[0] == "applied"
    columns = ("SELECT pending_checkout, last_error IS NOT NULL, last_error_at IS NOT NULL, billing_created_s > 0"
               " FROM sluice.users WHERE id = %s")
    assert bench.rows(columns, user) == [(None, True, True, True)]
    # The next attempt clears it.
    waiting(bench, user)
    assert bench.rows("SELECT last_error, last_error_at FROM sluice.users WHERE id = %s", user) == [(None, None)]


def test_the_catalog_of_a_connection_is_kept(bench):
    bench.worker(**PAYING)
    user, _ = bench.user()
    workspace = make_workspace(bench, user)
    share = bench.command("connection.share", user, workspace_id=workspace, connection_id="c", provider="microsoft",
                          token="t")
    bench.flush()
    assert bench.outcome(share)[0] == "applied"
    job = bench.value("SELECT id::text FROM sluice.jobs WHERE cause_event_id = %s AND kind = 'graph'", share)
    catalog = [{"id": "t-1", "name": "Team", "channels": [{"id": "c-1", "name": "General"}]}]
    assert bench.outcome(end_job(bench, job, user, catalog=catalog))[0] == "applied"
    assert bench.value("SELECT catalog FROM sluice.connections WHERE workspace_id = %s", workspace) == catalog


def test_an_unknown_customer_makes_an_account_where_the_policy_says_so(bench):
    bench.worker(**TEAM, SLUICE_POLICY_UNKNOWN_CUSTOMER="create")
    _, customer = bench.user()
    named, other = bench.user()
    held = Locked(bench, named)
    blocker = create_agent(bench, named)[1]
    bench.flush()
    until(lambda: blocked_workers(bench), "the batch to stand still")
    obj = stripe_events.subscription(stripe_events.new_id("sub"), customer, "active", "price_unlimited")
    made = bench.stripe("customer.subscription.created", obj, customer)
    # In one batch with the event that says whose it is, a customer makes no account of its own.
    link = bench.stripe("checkout.session.completed", stripe_events.checkout(other, user_id=named), named)
    later = bench.stripe("invoice.paid", stripe_events.invoice(other), named)
    bench.flush()
    held.release()
    bench.decided([blocker, made, link, later])
    assert bench.outcome(made)[0] == "applied"
    assert bench.rows("SELECT user_id FROM sluice.customers WHERE id = %s", customer) == [(customer,)]
    assert bench.rows("SELECT stripe_customer_id FROM sluice.users WHERE id = %s", customer) == [(customer,)]
    assert bench.value("SELECT user_id FROM sluice.subscriptions WHERE id = %s", obj["id"]) == customer
    assert bench.value("SELECT user_id FROM sluice.events WHERE id = %s", later) == named
    assert bench.rows("SELECT 1 FROM sluice.users WHERE id = %s", other) == []
