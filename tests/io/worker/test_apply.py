"""What the batch promises: each event decided once, in order, whatever happens to the worker meanwhile."""

import json
import os
import random
import signal
import uuid

import psycopg
import pytest
from kit import stripe_events
from kit.wait import until

from .conftest import EVENTS, header

HALVINGS_MAX = 7  # to find one among at most 128


def subscription(customer, user=None, status="active", subscription_id=None, **more):
    return stripe_events.subscription(subscription_id or stripe_events.new_id("sub"), customer, status,
                                      "price_unlimited", user_id=user, **more)


def subscribe(bench, user, customer):
    return bench.stripe("customer.subscription.created", subscription(customer, user), user)


def create_agent(bench, user):
    agent = str(uuid.uuid4())
    return agent, bench.command("agent.create", user, agent_id=agent, name="agent", region="us-east")


def provisioned_job(bench, user, customer):
    """A queued provision: gives (agent, job)."""
    subscribe(bench, user, customer)
    agent, _ = create_agent(bench, user)
    event = bench.command("agent.provision", user, agent_id=agent, region="us-east")
    bench.flush()
    assert bench.outcome(event)[0] == "applied"
    return agent, str(bench.value("SELECT id FROM sluice.jobs WHERE cause_event_id = %s", event))


def blocked_workers(bench):
    """Sessions of workers that wait for a lock."""
    return bench.value("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sluice-worker apply%%'"
                       " AND wait_event_type = 'Lock'")


class Locked:
    """Holds a user's row, so that the worker's transaction stands still in its middle."""

    def __init__(self, bench, user):
        self.connection = psycopg.connect(os.environ["DATABASE_URL"])
        self.connection.execute("INSERT INTO sluice.users (id) VALUES (%s) ON CONFLICT DO NOTHING", (user,))
        self.connection.commit()
        self.connection.execute("SELECT id FROM sluice.users WHERE id = %s FOR UPDATE", (user,))

    def release(self):
        self.connection.close()


def mixed(bench, users, count, choose):
    """Events of all kinds for the users, some of them twice; gives their distinct ids."""
    ids = []
    for number in range(count):
        user, customer = choose.choice(users)
        kind = number % 5
        if kind == 0:
            ids.append(subscribe(bench, user, customer))
        elif kind == 1:
            ids.append(create_agent(bench, user)[1])
        elif kind == 2:
            invoice = stripe_events.invoice(customer, metadata={"user_id": user})
            ids.append(bench.stripe("invoice.paid", invoice, user))
        elif kind == 3:
            ids.append(bench.stripe("product.updated", {"id": "prod_1", "object": "product"}, "prod_1"))
        else:
            ids.append(bench.command("agent.stop", user, agent_id=str(uuid.uuid4())))
    bench.flush()
    return ids


def test_a_thousand_mixed_events_are_decided_once_by_two_workers(bench):
    since = bench.ends("sluice.outcomes.v1")
    users = [bench.user() for _ in range(20)]
    ids = mixed(bench, users, 500, random.Random(1))
    group = str(uuid.uuid4())
    workers = [bench.worker(group), bench.worker(group)]
    ids += mixed(bench, users, 500, random.Random(2))
    bench.decided(ids)
    bench.caught_up()
    by_outcome = dict(bench.rows("SELECT outcome, count(*) FROM sluice.events WHERE id = ANY(%s) GROUP BY 1", ids))
    assert by_outcome == {"applied": 600, "ignored": 200, "rejected": 200}
    assert all(worker.metric("sluice_worker_batches_total") > 0 for worker in workers)
    names = [user for user, _ in users]
    assert bench.value("SELECT count(*) FROM sluice.agents WHERE user_id = ANY(%s)", names) == 200
    assert bench.value("SELECT count(*) FROM sluice.audit_log WHERE action = 'agent_created' AND event_id = ANY(%s)",
                       ids) == 200
    told = {header(m, "ce_id") for m in bench.messages("sluice.outcomes.v1", since)}
    assert set(ids) <= told


def test_a_duplicate_changes_nothing_and_is_not_announced_again(bench):
    bench.worker()
    user, customer = bench.user()
    since = bench.ends("sluice.outcomes.v1")
    event = subscribe(bench, user, customer)
    agent = str(uuid.uuid4())
    command = event + "-c"
    for _ in range(5):
        bench.command("agent.create", user, event_id=command, agent_id=agent, name="a")
    bench.flush()
    bench.decided([event, command])
    bench.command("agent.create", user, event_id=command, agent_id=agent, name="a")
    last = create_agent(bench, user)[1]
    bench.flush()
    bench.decided([last])
    bench.caught_up()
    assert bench.outcome(command)[0] == "applied"
    assert bench.value("SELECT count(*) FROM sluice.audit_log WHERE event_id = %s AND action = 'agent_created'",
                       command) == 1
    told = [m for m in bench.messages("sluice.outcomes.v1", since) if header(m, "ce_id") == command]
    assert len(told) == 1
    outcome = json.loads(told[0].value())
    assert (outcome["id"], outcome["result"], outcome["http_status"], outcome["agent_id"], outcome["user_id"]) == (
        command, "applied", 200, agent, user)
    assert header(told[0], "ce_type") == "outcome.command.agent.create"
    assert told[0].key().decode() == user


def test_who_waits_is_answered_and_a_repeated_command_gets_the_first_outcome(bench):
    bench.worker()
    user, _ = bench.user()
    since = bench.ends("sluice.replies.v1")
    correlations = [str(uuid.uuid4()) for _ in range(2)]
    event = str(uuid.uuid4())
    for correlation in correlations:
        bench.command("agent.provision", user, event_id=event, agent_id=str(uuid.uuid4()),
                      headers={"sluice_reply_to": f"0/{correlation}"})
        bench.flush()
        bench.outcome(event)
    replies = bench.messages("sluice.replies.v1", since, lambda found: len(found) >= 2)
    assert [header(m, "sluice-correlation-id") for m in replies] == correlations
    for reply in replies:
        outcome = json.loads(reply.value())
        assert (outcome["result"], outcome["errorCode"], outcome["http_status"]) == ("rejected", "AGENT_NOT_FOUND", 404)


def test_a_worker_killed_in_the_middle_of_a_batch_loses_and_repeats_nothing(bench):
    group = str(uuid.uuid4())
    first = bench.worker(group)
    user, customer = bench.user()
    held = Locked(bench, user)
    ids = [subscribe(bench, user, customer)] + [create_agent(bench, user)[1] for _ in range(50)]
    bench.flush()
    until(lambda: blocked_workers(bench), "the batch to stand still")
    first.kill()
    held.release()
    assert bench.value("SELECT count(*) FROM sluice.events WHERE id = ANY(%s)", ids) == 0
    bench.worker(group)
    bench.decided(ids)
    bench.caught_up()
    assert bench.value("SELECT count(*) FROM sluice.agents WHERE user_id = %s", user) == 50
    assert bench.value("SELECT count(*) FROM sluice.audit_log WHERE event_id = ANY(%s) AND action = 'agent_created'",
                       ids) == 50


def test_workers_killed_at_any_time_leave_each_event_decided_once(bench):
    choose = random.Random(3)
    users = [bench.user() for _ in range(5)]
    ids = []
    since = bench.ends("sluice.outcomes.v1")
    for _ in range(4):
        worker = bench.worker()
        ids += mixed(bench, users, 100, choose)
        mark = choose.choice(ids[-100:])
        until(lambda: bench.value("SELECT count(*) FROM sluice.events WHERE id = %s", mark), "some of it")
        worker.kill()
    bench.worker()
    bench.decided(ids)
    bench.caught_up()
    created = bench.rows("SELECT event_id, count(*) FROM sluice.audit_log WHERE event_id = ANY(%s)"
                         " AND action = 'agent_created' GROUP BY 1 HAVING count(*) <> 1", ids)
    assert created == []
    assert set(ids) <= {header(m, "ce_id") for m in bench.messages("sluice.outcomes.v1", since)}


def test_a_batch_whose_position_has_moved_writes_nothing(bench):
    worker = bench.worker()
    user, _ = bench.user()
    held = Locked(bench, user)
    event = create_agent(bench, user)[1]
    bench.flush()
    until(lambda: blocked_workers(bench), "the batch to stand still")
    # Another owner of the partition has come this far meanwhile.
    ends = bench.ends(EVENTS)
    for partition, end in ends.items():
        bench.rows("UPDATE sluice.offsets SET next_offset = %s, published_offset = %s WHERE topic = %s"
                   " AND partition = %s", end, end, EVENTS, partition)
    held.release()
    until(lambda: worker.metric("sluice_worker_fenced_total") >= 1, "the batch to be fenced")
    following = create_agent(bench, user)[1]
    bench.flush()
    bench.decided([following])
    assert bench.value("SELECT count(*) FROM sluice.events WHERE id = %s", event) == 0
    assert bench.value("SELECT count(*) FROM sluice.agents WHERE user_id = %s", user) == 1


def test_of_two_sessions_one_moves_a_position(bench):
    topic = f"fence-{uuid.uuid4()}"
    bench.rows("INSERT INTO sluice.offsets (topic, partition, next_offset, published_offset) VALUES (%s, 0, 5, 5)",
               topic)
    move = "SELECT sluice.move_offsets(%s, '{0}', '{5}', '{9}', '{7}', 'w')"
    with psycopg.connect(os.environ["DATABASE_URL"]) as first, bench.connect() as second:
        first.execute(move, (topic,))
        second.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            second.execute(move, (topic,))
        first.commit()
        with pytest.raises(psycopg.Error) as refused:
            second.execute(move, (topic,))
    assert refused.value.sqlstate == "SL001"
    assert bench.rows("SELECT next_offset, published_offset FROM sluice.offsets WHERE topic = %s", topic) == [(9, 7)]


def test_events_of_an_unknown_customer_wait_until_it_is_somebodys(bench):
    bench.worker()
    user, customer = bench.user()
    subscription_id = stripe_events.new_id("sub")
    since = bench.ends("sluice.directory.v1")
    created = bench.stripe("customer.subscription.created",
                           subscription(customer, status="trialing", subscription_id=subscription_id), customer,
                           created=1000)
    updated = bench.stripe("customer.subscription.updated", subscription(customer, subscription_id=subscription_id),
                           customer, created=2000)
    bench.flush()
    bench.outcome(created, "parked")
    bench.outcome(updated, "parked")
    assert bench.value("SELECT count(*) FROM sluice.parked_events WHERE customer_id = %s", customer) == 2
    link = bench.stripe("checkout.session.completed", stripe_events.checkout(customer, user_id=user), user)
    bench.flush()
    bench.outcome(link)
    bench.outcome(created, "applied")
    bench.outcome(updated, "applied")
    assert bench.rows("SELECT user_id, status FROM sluice.subscriptions WHERE id = %s", subscription_id) == [
        (user, "active")]
    assert bench.rows("SELECT generation FROM sluice.events WHERE id = ANY(%s)", [created, updated]) == [(1,), (1,)]
    assert bench.value("SELECT count(*) FROM sluice.parked_events WHERE customer_id = %s", customer) == 0
    assert bench.value("SELECT user_id FROM sluice.customers WHERE id = %s", customer) == user
    def ours(found):
        return [m.value().decode() for m in found if m.key().decode() == customer]
    assert ours(bench.messages("sluice.directory.v1", since, ours)) == [user]
    until(lambda: bench.value("SELECT count(*) FROM sluice.outbox") == 0, "the outbox to be empty")


def test_a_customer_linked_in_the_same_batch_parks_nothing_for_good(bench):
    worker = bench.worker()
    user, customer = bench.user()
    held = Locked(bench, user)
    blocker = create_agent(bench, user)[1]
    bench.flush()
    until(lambda: blocked_workers(bench), "the batch to stand still")
    before = bench.stripe("invoice.paid", stripe_events.invoice(customer), user)
    link = subscribe(bench, user, customer)
    after = bench.stripe("invoice.paid", stripe_events.invoice(customer), user)
    bench.flush()
    held.release()
    bench.decided([blocker, link])
    assert bench.outcome(after, "applied")
    assert bench.outcome(before, "applied")
    assert worker.metric("sluice_worker_parked_total") == 1


def test_one_event_that_breaks_its_transaction_is_buried_alone_and_its_user_held(bench):
    worker = bench.worker()
    refused = bench.poison()
    user, customer = bench.user()
    others = [bench.user() for _ in range(10)]
    held = Locked(bench, others[0][0])
    since = bench.ends("sluice.dead-letters.v1")
    ids = [create_agent(bench, others[0][0])[1]]
    bench.flush()
    until(lambda: blocked_workers(bench), "the batch to stand still")
    ids += [create_agent(bench, other)[1] for other, _ in others for _ in range(5)]
    poison = bench.stripe("customer.subscription.created", subscription(customer, user, subscription_id=refused), user)
    later = [create_agent(bench, user)[1] for _ in range(3)]
    ids += [create_agent(bench, other)[1] for other, _ in others for _ in range(5)]
    bench.flush()
    held.release()
    bench.decided(ids + later)
    bench.outcome(poison, "dead")
    assert 1 <= worker.metric("sluice_worker_batch_halvings_total") <= HALVINGS_MAX  # and not one try after another
    letter = bench.rows("SELECT id, stage, cause, status, user_id, attempts, error FROM sluice.dead_letters"
                        " WHERE event_id = %s", poison)[0]
    assert letter[1:6] == ("commit", "database", "open", user, 1)
    assert letter[6].startswith("23514")
    assert all(bench.outcome(event)[0] == "applied" for event in ids)
    assert all(bench.outcome(event)[0] == "held" for event in later)
    def ours(found):
        return [m for m in found if header(m, "ce_id") == poison]
    sent = ours(bench.messages("sluice.dead-letters.v1", since, ours))
    assert len(sent) == 1
    assert json.loads(sent[0].value())["data"]["object"]["id"] == refused
    assert (header(sent[0], "dlq_stage"), header(sent[0], "dlq_cause"), header(sent[0], "dlq_topic")) == (
        "commit", "database", EVENTS)
    # A replay that breaks again is the same letter once more, even right behind a copy that is none.
    held = Locked(bench, user)
    later.append(create_agent(bench, user)[1])
    bench.flush()
    until(lambda: blocked_workers(bench), "the batch to stand still")
    bench.produce(user, sent[0].headers(), sent[0].value())
    bench.produce(user, [*sent[0].headers(), ("sluice-replay", b"1")], sent[0].value())
    bench.flush()
    held.release()
    until(lambda: bench.value("SELECT attempts FROM sluice.dead_letters WHERE event_id = %s", poison) == 2,
          "the replay")
    bench.rows("UPDATE sluice.dead_letters SET status = 'discarded' WHERE event_id = %s", poison)
    for event in later:
        bench.outcome(event, "applied")
    order = bench.rows("SELECT target FROM sluice.audit_log WHERE user_id = %s AND action = 'agent_created'"
                       " ORDER BY id", user)
    created = bench.rows("SELECT result->>'agent_id' FROM sluice.events WHERE id = ANY(%s) ORDER BY"
                         " array_position(%s, id)", later, later)
    assert [target for (target,) in order] == [f"agent:{agent}" for (agent,) in created]
    assert bench.value("SELECT count(*) FROM sluice.held_events WHERE user_id = %s", user) == 0
    assert worker.process.poll() is None


def test_what_nobody_can_read_is_a_dead_letter_and_holds_nobody(bench):
    bench.worker()
    user, _ = bench.user()
    since = bench.ends("sluice.dead-letters.v1")
    mark = uuid.uuid4().hex
    torn = bench.send("stripe.invoice.paid", "/webhooks/stripe", user, b'{"torn": ' + mark.encode())
    bench.produce(user, [("content-type", b"application/json"), ("x-mark", mark.encode())], b"no envelope at all")
    bench.produce(user, [("ce_specversion", b"1.0"), ("ce_id", b"\xff\xfe" + mark.encode()), ("ce_source", b"/x"),
                         ("ce_type", b"stripe.invoice.paid"), ("ce_time", b"2026-11-21T10:00:00Z")], b"{}")
    following = create_agent(bench, user)[1]
    bench.flush()
    assert bench.outcome(following)[0] == "applied"
    assert bench.outcome(torn)[0] == "dead"
    def decoded(found):
        """A letter of an earlier test may come again: the sweep publishes what a killed worker left."""
        return [m for m in found if header(m, "dlq_stage") == "decode"]
    letters = decoded(bench.messages("sluice.dead-letters.v1", since, lambda found: len(decoded(found)) >= 3))
    assert {header(m, "dlq_cause") for m in letters} == {"unreadable"}
    assert any(m.value() == b"no envelope at all" for m in letters)
    offsets = [int(header(m, "dlq_offset")) for m in letters]
    assert bench.value('SELECT count(*) FROM sluice.dead_letters WHERE "offset" = ANY(%s) AND stage = %s'
                       " AND partition = %s", offsets, "decode", int(header(letters[0], "dlq_partition"))) == 3


def test_sessions_that_the_server_ends_are_made_anew(bench):
    worker = bench.worker()
    choose = random.Random(5)
    users = [bench.user() for _ in range(5)]
    ids = []
    for _ in range(5):
        ids += mixed(bench, users, 60, choose)
        bench.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                   " WHERE application_name LIKE 'sluice-worker%%'")
    bench.decided(ids)
    bench.caught_up()
    assert bench.rows("SELECT event_id FROM sluice.audit_log WHERE event_id = ANY(%s) AND action = 'agent_created'"
                      " GROUP BY 1 HAVING count(*) <> 1", ids) == []
    assert worker.process.poll() is None


def test_after_an_assignment_untold_outcomes_are_told_again(bench):
    first = bench.worker()
    user, customer = bench.user()
    ids = [subscribe(bench, user, customer), create_agent(bench, user)[1]]
    bench.flush()
    bench.decided(ids)
    bench.caught_up()
    assert first.drain() == 0
    # As if the worker had died between the commit and the broker's answer.
    bench.rows("UPDATE sluice.offsets SET published_offset = greatest(published_offset - 2, 0) WHERE topic = %s",
               EVENTS)
    since = bench.ends("sluice.outcomes.v1")
    second = bench.worker()
    bench.caught_up()
    told = {header(m, "ce_id") for m in bench.messages("sluice.outcomes.v1", since)}
    assert set(ids) <= told
    assert second.metric("sluice_worker_reannounced_total") >= 2
    assert second.metric('sluice_worker_events_total{type="command.agent.create"') == 0


def test_a_drain_ends_with_status_0_and_policies_are_read_again_on_sighup(bench, tmp_path):
    overlay = tmp_path / "overlay.conf"
    overlay.write_text("[policy]\nfree_tier = off\n", encoding="ascii")
    worker = bench.worker(SLUICE_CONFIG=overlay)
    user, _ = bench.user()
    agent, created = create_agent(bench, user)
    refused = bench.command("agent.provision", user, agent_id=agent)
    bench.flush()
    assert bench.outcome(created)[0] == "applied"
    assert bench.outcome(refused)[:2] == ("rejected", "NO_ACTIVE_SUBSCRIPTION")
    overlay.write_text("[policy]\nfree_tier = on\n", encoding="ascii")
    worker.signal(signal.SIGHUP)
    until(lambda: "policies and plans were read anew" in worker.log(), "the reload")
    allowed = bench.command("agent.provision", user, agent_id=agent)
    bench.flush()
    assert bench.outcome(allowed)[0] == "applied"
    overlay.write_text("[policy]\nfree_tier = perhaps\n", encoding="ascii")
    worker.signal(signal.SIGHUP)
    until(lambda: "the configuration stays as it was" in worker.log(), "the refusal")
    assert worker.drain() == 0
