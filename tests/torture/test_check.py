"""The check can fail: a small true world, and for each invariant ways to make it untrue, each of which is seen."""

import copy
import hashlib
import json

import pytest
from kit import stripe_events
from kit.verdict import Facts as Eyes
from system.model.world import Policy

from . import check_clouds, check_log, check_settled, check_state
from .check_facts import EVENTS, Decided, Facts, Message, Sent

USER, CUSTOMER = "t00000000g1-0", "cus_t00000000g1x0"
GROUP = "t00000000g1"
SUBSCRIPTION = f"sub_{GROUP}u0"
JOB, MAIL, AGENT = (f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
RECEIVED_MS = 1_800_000_000_000


def stripe(kind, obj, created, event_id):
    event = stripe_events.event(kind, obj, created=created, event_id=event_id)
    return "/webhooks/stripe", event_id, f"stripe.{kind}", json.dumps(event)


def subscription(kind, status, created, event_id):
    obj = stripe_events.subscription(SUBSCRIPTION, CUSTOMER, status, "price_unlimited", user_id=USER, starts=1, ends=2)
    return stripe(f"customer.subscription.{kind}", obj, created, event_id)


def command(kind, event_id, **data):
    return "/webhooks/dashboard", event_id, f"command.{kind}", json.dumps({"type": kind, "data": {"user_id": USER, **data}})


def callback(status, run_id, event_id):
    body = {"job_id": JOB, "status": status, "run_id": run_id, "server_id": "7"}
    return "/webhooks/github/callback", event_id, f"callback.{status}", json.dumps(body)


# In the order of the log; the last one is the first, sent again. Each with what became of it.
STORY = (
    (*stripe("customer.updated", stripe_events.customer(CUSTOMER, "a@b.test", USER), 90, "evt_0"), "applied"),
    (*subscription("created", "trialing", 100, "evt_1"), "applied"),
    (*subscription("updated", "active", 101, "evt_2"), "applied"),
    (*subscription("updated", "past_due", 99, "evt_3"), "ignored"),
    (*command("usage.record", "msg_1", metric="messages", count=3), "applied"),
    (*command("agent.create", "msg_2", agent_id=AGENT, name="a"), "applied"),
    (*command("agent.provision", "msg_3", agent_id=AGENT), "applied"),
    (*callback("claimed", "11", "c1"), "applied"),
    (*callback("completed", "11", "c2"), "applied"),
    (*stripe("customer.updated", stripe_events.customer(CUSTOMER, "a@b.test", USER), 90, "evt_0"), None),
)


def world():
    """(facts, eyes): a user's story on partition 3, all of it as it should be."""
    facts = Facts({}, [], {0: 0, 3: len(STORY)}, {}, {name: [] for name in (
        "outbox", "leases", "open_jobs", "late_timers", "parked", "held", "letters", "audits")}, {}, {}, {})
    facts.tables["positions"] = [{"partition": 3, "next_offset": len(STORY), "published_offset": len(STORY)}]
    for offset, (source, event_id, kind, body, outcome) in enumerate(STORY):
        message = Message(3, offset, USER, body.encode(), source, event_id, kind, "", 0, RECEIVED_MS + offset)
        facts.messages.append(message)
        if outcome is None:
            continue
        facts.sent[message.identity] = Sent(kind, hashlib.sha256(body.encode()).hexdigest(), True, {f"{EVENTS}/3/{offset}"})
        facts.decided[message.identity] = Decided(
            USER, source, event_id, kind, EVENTS, 3, offset, hashlib.sha256(body.encode()).digest(), outcome, None, "rule",
            0, False, RECEIVED_MS + offset, (RECEIVED_MS + offset) * 1000, str(offset))
        facts.told[message.identity] = [(outcome, None)]
        facts.told_at[message.identity] = offset
        facts.tables["audits"].append({"event_id": event_id, "transactions": 1, "transaction": str(offset)})
    facts.sent["/webhooks/dashboard", "msg_1"].outcomes.add(("applied", None))
    facts.rows[GROUP] = rows()
    return facts


def rows():
    found = {name: [] for name in check_state.TABLES}
    found["users"] = [{"id": USER, "plan": "unlimited", "email": "a@b.test", "stripe_customer_id": CUSTOMER,
                       "is_pending": False, "has_error": False, "onboarding_complete": False}]
    found["subscriptions"] = [{"id": SUBSCRIPTION, "user_id": USER, "status": "active", "tier": "unlimited",
                               "price_id": "price_unlimited", "cancel_at_period_end": False}]
    found["agents"] = [{"id": AGENT, "user_id": USER, "backend": "github-actions", "status": "active", "server_id": "7",
                        "app_name": None, "stopped_by": None, "subscription_id": None}]
    found["jobs"] = [{"id": JOB, "cause_event_id": "msg_3", "kind": "provision", "agent_id": AGENT, "status": "succeeded",
                      "template": None, "mail_to": None}]
    found["usage"] = [{"user_id": USER, "day": "2027-01-15", "metric": "messages", "count": 3}]
    return found


@pytest.fixture
def facts():
    return world()


def of(facts, event_id):
    return next(row for row in facts.decided.values() if row.id == event_id)


def forget(facts, event_id):
    return facts.decided.pop(of(facts, event_id).identity)


def state(facts):
    return check_state.state(facts, Policy(), b"")


LOOKS = (check_log.promised, check_log.decided_once, check_log.committed_together, check_log.order,
         check_state.stale_objects, state, check_clouds.claims, check_settled.jobs, check_settled.timers,
         check_settled.positions, check_settled.waiting, check_settled.letters, check_settled.outcomes,
         check_settled.answers)


@pytest.mark.parametrize("look", LOOKS)
def test_a_true_world_holds(facts, look):
    finding = look(facts)
    assert finding.held, finding.violations


def lost_message(facts):
    del facts.messages[4]


def other_bytes(facts):
    facts.messages[4].value += b" "


def wrong_receipt(facts):
    facts.sent["/webhooks/dashboard", "msg_1"].receipts.add(f"{EVENTS}/3/5")


def lost_delivery(facts):
    facts.deliveries.append(("5b7e", 200))


def undecided(facts):
    forget(facts, "msg_1")


def out_of_nothing(facts):
    row = copy.copy(of(facts, "msg_1"))
    row.id = "msg_of_nobody"
    facts.decided[row.identity] = row


def decided_from_elsewhere(facts):
    of(facts, "msg_1").offset = 5


def decided_as_something_else(facts):
    of(facts, "msg_1").sha256 = bytes(32)


def decided_twice(facts):
    facts.tables["audits"][4]["transactions"] = 2


def audited_apart(facts):
    facts.tables["audits"][4]["transaction"] = "999"


def audited_alone(facts):
    facts.tables["audits"].append({"event_id": "msg_of_nobody", "transactions": 1, "transaction": "1"})


def out_of_order(facts):
    of(facts, "msg_1").commit_us -= 3_000_000


def decided_by_the_second(facts):
    row = of(facts, "evt_0")
    row.offset, row.commit_us = len(STORY) - 1, row.commit_us + 100_000


def stale_applied(facts):
    of(facts, "evt_3").outcome = "applied"


def other_state(facts):
    facts.rows[GROUP]["subscriptions"][0]["status"] = "past_due"


def lost_update(facts):
    facts.rows[GROUP]["usage"][0]["count"] = 0


def counted_twice(facts):
    facts.rows[GROUP]["usage"][0]["count"] = 6


def second_job(facts):
    facts.rows[GROUP]["jobs"].append({**facts.rows[GROUP]["jobs"][0], "id": MAIL})


def unknown_user(facts):
    facts.rows["t00000000g9"] = {**{name: [] for name in check_state.TABLES}, "users": [
        {**facts.rows[GROUP]["users"][0], "id": "t00000000g9-0"}]}


def second_claim(facts):
    message = facts.messages[8]
    message.value = message.value.replace(b'"11"', b'"12"')


def stuck(facts):
    facts.tables["open_jobs"].append({"id": JOB, "user_id": USER, "kind": "stop", "status": "queued", "step": None,
                                      "attempt": 0, "error": None, "has_timer": True})


def waits_for_nothing(facts):
    facts.tables["open_jobs"].append({"id": JOB, "user_id": USER, "kind": "provision", "status": "waiting", "step": None,
                                      "attempt": 0, "error": None, "has_timer": False})


def dead_workers_lease(facts):
    facts.tables["leases"].append({"id": JOB, "kind": "stop", "status": "running", "worker": "w", "lease_until": 1})


def lost_timer(facts):
    facts.tables["late_timers"].append({"id": JOB, "kind": "grace_expired", "subject": SUBSCRIPTION, "is_fired": True})


def overdue_timer(facts):
    facts.tables["late_timers"].append({"id": JOB, "kind": "grace_expired", "subject": SUBSCRIPTION, "is_fired": False})


def behind(facts):
    facts.tables["positions"][0]["next_offset"] -= 1


def untold(facts):
    facts.tables["positions"][0]["published_offset"] -= 1


def no_position(facts):
    facts.tables["positions"].clear()


def left_in_outbox(facts):
    facts.tables["outbox"].append({"id": 7, "topic": EVENTS})


def parked_and_known(facts):
    facts.tables["parked"].append({"source": "/webhooks/stripe", "event_id": "evt_9", "user_id": USER})


def held_behind_nothing(facts):
    facts.tables["held"].append({"source": "/webhooks/stripe", "event_id": "evt_9", "user_id": USER})


def parked_nowhere(facts):
    of(facts, "msg_1").outcome = "parked"


def letter(**more):
    return {"id": "1", "event_id": "msg_1", "source": "/webhooks/dashboard", "user_id": USER, "stage": "execute",
            "cause": "outage", "error": "no", "status": "open", "job_status": "failed", **more}


def poison(facts):
    facts.tables["letters"].append(letter(stage="decode", cause="unreadable"))


def letter_of_a_job_that_goes_on(facts):
    facts.tables["letters"].append(letter(job_status="succeeded"))


def dead_without_a_letter(facts):
    of(facts, "msg_1").outcome = "dead"


def not_told(facts):
    facts.told.pop(("/webhooks/dashboard", "msg_1"))


def told_differently(facts):
    facts.told["/webhooks/dashboard", "msg_1"] = [("rejected", "USAGE_LIMIT_REACHED"), ("applied", None)]


def told_what_is_not(facts):
    facts.told["/webhooks/dashboard", "msg_1"] = [("ignored", None)]


def told_of_nobody(facts):
    facts.told["/webhooks/dashboard", "msg_of_nobody"] = [("applied", None)]


def never_answered(facts):
    of(facts, "msg_1").is_pending = True


def answered_otherwise(facts):
    facts.sent["/webhooks/dashboard", "msg_1"].outcomes = {("rejected", "INVALID_STATE")}


TAMPERED = (
    (check_log.promised, lost_message), (check_log.promised, other_bytes), (check_log.promised, wrong_receipt),
    (check_log.promised, lost_delivery), (check_log.decided_once, undecided), (check_log.decided_once, out_of_nothing),
    (check_log.decided_once, lost_message), (check_log.decided_once, decided_from_elsewhere),
    (check_log.decided_once, decided_as_something_else), (check_log.committed_together, decided_twice),
    (check_log.committed_together, audited_apart), (check_log.committed_together, audited_alone),
    (check_log.order, out_of_order), (check_log.order, decided_by_the_second), (check_state.stale_objects, stale_applied),
    (state, other_state), (state, lost_update), (state, counted_twice), (state, second_job), (state, stale_applied),
    (state, undecided), (state, unknown_user), (check_clouds.claims, second_claim), (check_settled.jobs, stuck),
    (check_settled.jobs, waits_for_nothing), (check_settled.jobs, dead_workers_lease), (check_settled.timers, lost_timer),
    (check_settled.timers, overdue_timer), (check_settled.positions, behind), (check_settled.positions, untold),
    (check_settled.positions, no_position), (check_settled.positions, left_in_outbox),
    (check_settled.waiting, parked_and_known), (check_settled.waiting, held_behind_nothing),
    (check_settled.waiting, parked_nowhere), (check_settled.letters, poison),
    (check_settled.letters, letter_of_a_job_that_goes_on), (check_settled.letters, dead_without_a_letter),
    (check_settled.outcomes, not_told), (check_settled.outcomes, told_differently),
    (check_settled.outcomes, told_what_is_not), (check_settled.outcomes, told_of_nobody),
    (check_settled.outcomes, never_answered), (check_settled.answers, answered_otherwise),
)


@pytest.mark.parametrize("look, tamper", TAMPERED, ids=lambda each: each.__name__)
def test_what_is_untrue_is_seen(facts, look, tamper):
    tamper(facts)
    assert not look(facts).held


def test_every_look_has_a_way_to_fail():
    assert {look for look, _tamper in TAMPERED} == set(LOOKS)


def test_what_was_parked_may_be_decided_when_it_merely_comes_again(facts):
    decided_by_the_second(facts)
    facts.told["/webhooks/stripe", "evt_0"].insert(0, ("parked", None))
    assert check_log.order(facts).held and state(facts).held


# Orders that the log leaves open.


def test_an_event_of_another_partition_is_put_where_it_was_decided(facts):
    """A customer's event, decided between two of the user's own."""
    facts.ends[5] = 1
    source, event_id, kind, body = subscription("updated", "unpaid", 102, "evt_4")
    other = Message(5, 0, CUSTOMER, body.encode(), source, event_id, kind, "", 0, RECEIVED_MS)
    facts.messages.append(other)
    facts.decided[other.identity] = Decided(
        USER, source, event_id, kind, EVENTS, 5, 0, hashlib.sha256(body.encode()).digest(), "applied", None, "rule", 0,
        False, RECEIVED_MS + 2, (RECEIVED_MS + 2) * 1000 + 1, "2")
    assert not state(facts).held
    facts.rows[GROUP]["subscriptions"][0]["status"] = "unpaid"
    facts.rows[GROUP]["users"][0]["plan"] = "free"
    # nothing is active by then: the provision behind it must have been refused
    finding = state(facts)
    assert any("NO_ACTIVE_SUBSCRIPTION" in line for line in finding.violations)
    assert "evt_4" in [line["id"] for line in finding.stories[GROUP]]


# The clouds.


class Ledger:
    """Both sides of a cloud check: the books' rows and the clouds' ledger."""

    def __init__(self):
        self.tables = {"agents": [{"id": AGENT, "server_id": "7", "app_name": None, "tailscale_device_id": "d1",
                                   "status": "active", "user_id": USER}],
                       "jobs": [{"id": JOB, "agent_id": AGENT, "kind": "provision", "status": "succeeded", "attempt": 0,
                                 "backend": "github-actions", "args": {}, "cause_source": "s", "cause_event_id": "msg_3"},
                                {"id": MAIL, "agent_id": None, "kind": "email", "status": "succeeded", "attempt": 0,
                                 "backend": "", "args": {"to": "a@b.test", "template": "welcome"}, "cause_source": "s",
                                 "cause_event_id": "e"}], "subscriptions": [{"id": SUBSCRIPTION}]}
        labels = {"sluice-agent": AGENT, "sluice-job": JOB, "sluice-generation": "0"}
        self.made = {
            "hetzner": {"servers": [{"id": 7, "live": True, "labels": labels}]},
            "tailscale": {"devices": [{"id": "d1", "live": True, "hostname": f"agent-{AGENT}"}], "keys": []},
            "provisioner": {"apps": []},
            "resend": {"emails": [{"idempotency_key": MAIL, "to": ["a@b.test"]}]}}
        self.calls_made = [{"cloud": "resend", "method": "POST", "path": "/emails", "client": "product", "effect": "sent",
                            "idempotency_key": MAIL}]
        self.total = {"duplicates": {"emails_by_key": {}}, "simulator_errors": 0}

    def rows(self, sql, *_values):
        return self.tables[sql.split("sluice.")[1].split()[0]]

    def ledger(self):
        return self.made

    def calls(self, cloud):
        return [row for row in self.calls_made if row["cloud"] == cloud]

    def findings(self):
        eyes = Eyes(self, self, None)
        return [*check_clouds.resources(eyes), check_clouds.effects(eyes, self.total), check_clouds.mails_by_content(eyes)]


def second_server(ledger):
    ledger.made["hetzner"]["servers"].append({**ledger.made["hetzner"]["servers"][0], "id": 8, "live": False})


def orphaned_server(ledger):
    ledger.tables["agents"][0]["server_id"] = None


def vanished_server(ledger):
    ledger.made["hetzner"]["servers"][0]["live"] = False


def orphaned_device(ledger):
    ledger.tables["agents"][0]["tailscale_device_id"] = None


def orphaned_app(ledger):
    ledger.made["provisioner"]["apps"].append({"name": "app-1", "live": True, "subscription_id": SUBSCRIPTION})


def second_mail(ledger):
    ledger.made["resend"]["emails"] *= 2


def mail_of_nobody(ledger):
    ledger.made["resend"]["emails"].append({"idempotency_key": "x", "to": ["a@b.test"]})


def mail_to_another(ledger):
    ledger.made["resend"]["emails"][0]["to"] = ["c@d.test"]


def mail_decided_twice(ledger):
    ledger.tables["jobs"].append({**ledger.tables["jobs"][1], "id": AGENT, "status": "failed"})


def left_key(ledger):
    ledger.tables["jobs"][0]["backend"] = "hetzner"
    ledger.made["tailscale"]["keys"].append({"id": "k", "live": True})


def effect_twice(ledger):
    ledger.calls_made *= 2


def effect_without_a_key(ledger):
    ledger.calls_made[0]["idempotency_key"] = None


def clouds_double(ledger):
    ledger.total["duplicates"] = {"servers_by_agent": {AGENT: [7, 8]}}


def clouds_failed(ledger):
    ledger.total["simulator_errors"] = 1


def test_true_clouds_hold():
    assert [finding.violations for finding in Ledger().findings() if not finding.held] == []


@pytest.mark.parametrize("tamper, name", (
    (second_server, "one VM"), (orphaned_server, "one VM"), (vanished_server, "one VM"), (orphaned_device, "no device"),
    (orphaned_app, "one app"), (second_mail, "one e-mail"), (mail_of_nobody, "one e-mail"),
    (mail_to_another, "each e-mail"), (mail_decided_twice, "each e-mail"), (left_key, "no auth key"),
    (effect_twice, "no call"), (effect_without_a_key, "no call"), (clouds_double, "no call"), (clouds_failed, "no call")),
    ids=lambda each: getattr(each, "__name__", None))
def test_untrue_clouds_are_seen(tamper, name):
    ledger = Ledger()
    tamper(ledger)
    assert [finding for finding in ledger.findings() if not finding.held and finding.invariant.startswith(name)]
