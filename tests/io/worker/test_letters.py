"""Dead letters from their first death to their end: isolated, held, listed, decided again, given up."""

import json
import os
import signal
import uuid

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from kit.poison import Poison
from kit.wait import until

from .conftest import EVENTS, header
from .letters_parts import ctl, ctl_json, letters, skip_to_the_end, start_ctl
from .test_apply import Locked, blocked_workers, create_agent, subscription

MANY = 100_000


@pytest.fixture
def poison():
    poison = Poison(os.environ["DATABASE_URL"])
    yield poison
    poison.cure()


def poisoned(bench, poison, user, customer, **more):
    """The event that kills itself."""
    return bench.stripe("customer.subscription.created",
                        subscription(customer, user, subscription_id=poison.subscription_id), user, **more)


def letter_of(bench, event_id):
    names = ("id", "status", "attempts", "stage", "cause", "error", "replays", "previous", "user_id", "seq")
    rows = bench.rows(f"SELECT {', '.join(names)} FROM sluice.dead_letters WHERE event_id = %s", event_id)
    assert len(rows) == 1, rows
    return dict(zip(names, rows[0]))


def created(bench, user):
    """The agents of the user in the order in which their creations were decided."""
    return [target.removeprefix("agent:") for (target,) in
            bench.rows("SELECT target FROM sluice.audit_log WHERE user_id = %s AND action = 'agent_created' ORDER BY id",
                       user)]


def test_a_poison_among_five_hundred_is_found_in_few_steps_and_dies_alone(bench, poison):
    worker = bench.worker()
    user, customer = bench.user()
    others = [bench.user()[0] for _ in range(25)]
    lock = Locked(bench, others[0])
    ids = [create_agent(bench, others[0])[1]]
    bench.flush()
    until(lambda: blocked_workers(bench), "the batch to stand still")
    ids += [create_agent(bench, other)[1] for _ in range(10) for other in others]
    event = poisoned(bench, poison, user, customer)
    ids += [create_agent(bench, other)[1] for _ in range(10) for other in others]
    bench.flush()
    lock.release()
    bench.outcome(event, "dead")
    bench.decided(ids)
    assert bench.value("SELECT count(*) FROM sluice.events WHERE id = ANY(%s) AND outcome = 'applied'", ids) == len(ids)
    assert bench.value("SELECT count(*) FROM sluice.dead_letters WHERE user_id = ANY(%s)", others) == 0
    # halved until it is alone, twice at each size: on its way there, and when the half before it was committed
    assert 1 <= worker.metric("sluice_worker_batch_halvings_total") <= 2 * 9
    assert worker.metric("sluice_worker_batches_total") <= 4 * 9


def test_a_second_death_keeps_both_causes_and_the_cure_drains_the_hold(bench, poison):
    bench.worker()
    user, customer = bench.user()
    event = poisoned(bench, poison, user, customer)
    later = [create_agent(bench, user) for _ in range(5)]
    bench.flush()
    bench.outcome(event, "dead")
    for _, each in later:
        bench.outcome(each, "held")
    first = letter_of(bench, event)
    since = bench.ends("sluice.dead-letters.v1")
    assert ctl_json("dlq", "replay", str(first["id"]))["published"] == 1
    second = until(lambda: letter_of(bench, event)["attempts"] == 2 and letter_of(bench, event), "the second death")
    assert (second["id"], second["status"], second["replays"]) == (first["id"], "open", 1)
    assert [(p["stage"], p["cause"]) for p in second["previous"]] == [("commit", "database")]
    assert "poison" in second["previous"][0]["error"] and second["error"] == first["error"]

    def again(found):
        return [m for m in found if header(m, "ce_id") == event and header(m, "dlq_attempts") == "2"]
    message, = again(bench.messages("sluice.dead-letters.v1", since, again))
    assert header(message, "dlq_previous_attempts") == "1"
    assert header(message, "dlq_previous_cause") == "database" and "poison" in header(message, "dlq_previous_error")
    assert header(message, "sluice-letter") == str(first["id"])
    assert header(message, "dlq_first_at") == header(message, "dlq_previous_first_at")

    poison.cure()
    assert ctl_json("dlq", "replay", "--user", user)["published"] == 1
    bench.outcome(event, "applied")
    for _, each in later:
        bench.outcome(each, "applied")
    assert created(bench, user) == [agent for agent, _ in later]
    assert letter_of(bench, event)["status"] == "replayed"
    assert bench.value("SELECT outcome FROM sluice.events WHERE id = %s AND generation = 2", event) == "applied"
    assert ctl_json("dlq", "replay", "--user", user)["published"] == 0
    audits = bench.rows("SELECT actor, action FROM sluice.audit_log WHERE target = %s ORDER BY id",
                        f"letter:{first['id']}")
    assert [action for _, action in audits] == ["dead_letter_replayed"] * 2
    assert all(actor.startswith("ops:") for actor, _ in audits)


def test_a_hold_drains_in_order_though_workers_die_and_more_comes(bench, poison):
    group = str(uuid.uuid4())
    bench.worker(group)
    user, customer = bench.user()
    event = poisoned(bench, poison, user, customer)
    bench.flush()
    bench.outcome(event, "dead")
    later = [create_agent(bench, user) for _ in range(1200)]
    bench.flush()
    until(lambda: bench.value("SELECT count(*) FROM sluice.held_events WHERE user_id = %s", user) == 1200, "the hold", 60)
    poison.cure()
    ctl("dlq", "replay", "--user", user)

    def left():
        return bench.value("SELECT count(*) FROM sluice.held_events WHERE user_id = %s", user)
    for below in (1100, 500):
        until(lambda: left() < below, "the hold to drain", 60)
        bench.workers[-1].kill()
        later += [create_agent(bench, user) for _ in range(20)]
        bench.flush()
        bench.worker()
    later += [create_agent(bench, user) for _ in range(20)]
    bench.flush()
    until(lambda: left() == 0 and len(created(bench, user)) == len(later), "everything to be decided", 120)
    assert created(bench, user) == [agent for agent, _ in later]


def test_discard_lifts_the_hold_and_says_who_and_why(bench, poison):
    bench.worker()
    user, customer = bench.user()
    event = poisoned(bench, poison, user, customer)
    agent, later = create_agent(bench, user)
    bench.flush()
    bench.outcome(later, "held")
    ctl("dlq", "discard", "--user", user, code=2)  # nobody to ask
    assert ctl_json("dlq", "discard", "--user", user, "--yes", "--reason", "a test") == {"discarded": 1, "under_way": 0}
    bench.outcome(later, "applied")
    assert created(bench, user) == [agent]
    assert bench.outcome(event)[0] == "dead" and letter_of(bench, event)["status"] == "discarded"
    by, reason = bench.rows("SELECT closed_by, reason FROM sluice.dead_letters WHERE event_id = %s", event)[0]
    assert by.startswith("ops:") and reason == "a test"
    assert bench.rows("SELECT actor, detail->>'reason' FROM sluice.audit_log WHERE event_id = %s", event) == [(by, reason)]
    assert ctl_json("dlq", "replay", "--user", user)["published"] == 0


def test_what_nobody_can_read_goes_out_again_as_it_was(bench):
    bench.worker()
    mark = uuid.uuid4().hex.encode()
    body = b"\x00\xff no envelope at all " + mark
    bench.produce("key-" + mark.decode(), [("x-mark", mark)], body)
    bench.flush()
    def find():
        return bench.rows("SELECT id, partition, \"offset\" FROM sluice.dead_letters WHERE event_id IS NULL AND partition"
                          " IS NOT NULL AND status = 'open' AND previous = '[]' ORDER BY seq DESC LIMIT 1")
    until(lambda: find() and ctl("dlq", "show", str(find()[0][0]), "--raw") == body, "the letter")
    letter, partition, offset = find()[0]
    shown = ctl_json("dlq", "show", str(letter))
    assert "base64" in shown["message"] and ["x-mark", mark.decode()] in shown["headers"]
    since = bench.ends(EVENTS)
    assert ctl_json("dlq", "replay", str(letter))["published"] == 1
    until(lambda: bench.value("SELECT attempts FROM sluice.dead_letters WHERE id = %s", letter) == 2, "the second death")
    again, = [m for m in bench.messages(EVENTS, since) if m.value() == body]
    assert (header(again, "sluice-replay"), header(again, "x-mark")) == ("1", mark.decode())
    assert bench.rows("SELECT previous->0->>'offset', partition, \"offset\" FROM sluice.dead_letters WHERE id = %s",
                      letter) == [(str(offset), again.partition(), again.offset())]
    assert partition == again.partition() and ctl("dlq", "show", str(letter), "--raw") == body
    # once it can be read, the letter ends with the decision
    bench.rows("UPDATE sluice.dead_letters SET cause = 'mended' WHERE id = %s", letter)
    headers = [*again.headers(), ("ce_specversion", b"1.0"), ("ce_id", mark), ("ce_source", b"/x"),
               ("ce_type", b"unknown.type"), ("ce_time", b"2026-11-21T10:00:00Z")]
    bench.produce("key", headers, b"{}")
    bench.flush()
    until(lambda: bench.value("SELECT status FROM sluice.dead_letters WHERE id = %s", letter) == "replayed", "the end")


def agent_create(user, agent_id=None):
    return (user, "command.agent.create",
            {"type": "agent.create", "timestamp": "2026-11-21T10:00:00Z", "actor": {"user_id": user, "role": "user"},
             "data": {"agent_id": agent_id or str(uuid.uuid4()), "name": "a", "region": "us-east", "user_id": user}})


def agent_provision(user, agent_id):
    return (user, "command.agent.provision",
            {"type": "agent.provision", "timestamp": "2026-11-21T10:00:00Z", "actor": {"user_id": user, "role": "user"},
             "data": {"agent_id": agent_id, "user_id": user}})


def test_a_dry_run_says_what_would_come_of_each_letter_and_changes_nothing(bench):
    user = bench.user()[0]
    agent = str(uuid.uuid4())
    nothing = (user, "stripe.product.updated", {"id": "evt_x", "object": "event", "type": "product.updated",
                                                "created": 1, "data": {"object": {"id": "prod_1"}}})
    ids = letters(bench, [agent_create(user, agent), agent_provision(user, agent), nothing, agent_create(user)])
    bench.rows("UPDATE sluice.events SET outcome = 'applied' WHERE id = %s", ids[3])
    before = bench.rows("SELECT * FROM sluice.dead_letters WHERE user_id = %s ORDER BY id", user)
    end = bench.ends(EVENTS)
    dry = ctl_json("dlq", "replay", "--user", user, "--dry-run")
    rows = {row["event_id"]: row for row in dry["letters"]}
    assert [row["event_id"] for row in dry["letters"]] == ids, "the order of the log"
    assert [rows[each]["verdict"] for each in ids] == ["would apply", "refused", "superseded", "duplicate"]
    assert rows[ids[1]]["error_code"] == "NO_ACTIVE_SUBSCRIPTION" and rows[ids[1]]["rule"]
    assert dry["counts"] == {"would apply": 1, "refused": 1, "superseded": 1, "duplicate": 1}
    text = ctl("dlq", "replay", "--user", user, "--dry-run", "--limit", "2").decode()
    assert "would apply" in text and "2 letters: would apply 1, refused 1" in text
    assert bench.rows("SELECT * FROM sluice.dead_letters WHERE user_id = %s ORDER BY id", user) == before
    assert bench.ends(EVENTS) == end
    assert not bench.rows("SELECT 1 FROM sluice.users WHERE id = %s", user)

    bench.worker()
    done = ctl_json("dlq", "replay", "--user", user)
    assert (done["published"], done["closed"]) == (3, 1)
    assert [bench.outcome(each, outcome)[1] for each, outcome in zip(ids, ("applied", "rejected", "ignored"))] == [
        None, "NO_ACTIVE_SUBSCRIPTION", None]
    until(lambda: bench.value("SELECT count(*) FROM sluice.dead_letters WHERE user_id = %s AND status = 'replayed'",
                              user) == 4, "all letters to be closed")


def test_a_canary_that_dies_again_stops_the_replay(bench):
    bench.worker()
    poisons = [Poison(os.environ["DATABASE_URL"]) for _ in range(4)]
    cause = f"cause-{uuid.uuid4().hex}"
    try:
        users = [bench.user() for _ in poisons]
        events = [poisoned(bench, poison, *user) for poison, user in zip(poisons, users)]
        bench.flush()
        for event in events:
            bench.outcome(event, "dead")
        bench.rows("UPDATE sluice.dead_letters SET cause = %s WHERE event_id = ANY(%s)", cause, events)
        order = [event for (event,) in
                 bench.rows("SELECT event_id FROM sluice.dead_letters WHERE cause = %s ORDER BY partition, \"offset\"",
                            cause)]
        done = ctl_json("dlq", "replay", "--cause", cause, "--canary", "1", code=1)
        assert (done["published"], done["died_again"]) == (1, 1)
        assert [letter_of(bench, event)["replays"] for event in order] == [1, 0, 0, 0]
        for poison in poisons:
            poison.cure()
        bench.rows("UPDATE sluice.dead_letters SET cause = %s WHERE event_id = ANY(%s)", cause, events)
        assert ctl_json("dlq", "replay", "--cause", cause, "--canary", "2", "--rate", "50")["published"] == 4
        for event in events:
            bench.outcome(event, "applied")
    finally:
        for poison in poisons:
            poison.cure()


def test_a_message_that_retention_took_is_replayed_from_its_copy(bench, poison):
    worker = bench.worker()
    user, customer = bench.user()
    event = poisoned(bench, poison, user, customer)
    bench.flush()
    bench.outcome(event, "dead")
    bench.caught_up()
    until(lambda: bench.value("SELECT count(*) FROM sluice.outbox") == 0, "the copy to be in Kafka")
    partition, offset = bench.rows("SELECT partition, \"offset\" FROM sluice.dead_letters WHERE event_id = %s", event)[0]
    admin = AdminClient({"bootstrap.servers": bench.brokers})
    place = TopicPartition(EVENTS, partition, offset + 1)
    for future in admin.delete_records([place]).values():
        future.result(30)
    shown = ctl_json("dlq", "show", event)
    assert json.loads(shown["message"])["id"] == event
    poison.cure()
    assert ctl_json("dlq", "replay", event)["published"] == 1
    bench.outcome(event, "applied")
    assert letter_of(bench, event)["status"] == "replayed"
    assert worker.process.poll() is None


def peak_kib(process):
    """Waits for the process; its exit status and the most memory it ever had."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss


def test_a_hundred_thousand_letters_pass_through_bounded_memory(bench):
    """No worker runs: what is measured is sluicectl. The address sanitizer keeps freed memory: as little as it may."""
    few, many = f"few-{uuid.uuid4().hex}", f"many-{uuid.uuid4().hex}"
    filler = "x" * 400
    sane = {"ASAN_OPTIONS": "quarantine_size_mb=4:thread_local_quarantine_size_kb=64:malloc_context_size=1"}
    for cause, count in ((few, 2_000), (many, MANY)):
        letters(bench, [(f"user-{cause[:8]}-{n % 1000}", "stripe.product.updated", {"filler": filler})
                        for n in range(count)], cause=cause)
    since = bench.ends(EVENTS)
    code, small = peak_kib(start_ctl("dlq", "replay", "--cause", few, **sane))
    assert code == 0

    first = start_ctl("dlq", "replay", "--cause", many, **sane)
    until(lambda: bench.value("SELECT count(*) FROM sluice.dead_letters WHERE cause = %s AND replays > 0", many) > 5000,
          "the replay to be in its middle", 60)
    first.send_signal(signal.SIGINT)
    out, _ = first.communicate(timeout=60)
    assert first.returncode == 1 and b"interrupted" in out, out
    at = bench.value("SELECT count(*) FROM sluice.dead_letters WHERE cause = %s AND replays > 0", many)
    assert 5000 < at < MANY
    code, large = peak_kib(start_ctl("dlq", "replay", "--cause", many, **sane))
    assert code == 0
    assert bench.rows("SELECT replays, count(*) FROM sluice.dead_letters WHERE cause = %s GROUP BY 1", many) == [(1, MANY)]
    assert large < small + 48 * 1024, f"{small} KiB for 2,000 letters, {large} KiB for {MANY}"
    assert sum(bench.ends(EVENTS).values()) - sum(since.values()) == MANY + 2_000, "each went out once"
    skip_to_the_end(bench)
    for cause in (few, many):
        bench.rows("DELETE FROM sluice.dead_letters WHERE cause = %s", cause)
        bench.rows("DELETE FROM sluice.events WHERE user_id LIKE %s", f"user-{cause[:8]}-%")
        bench.rows("DELETE FROM sluice.audit_log WHERE user_id LIKE %s", f"user-{cause[:8]}-%")
