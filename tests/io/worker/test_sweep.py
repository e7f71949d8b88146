"""What falls due or was left lying."""

import json
import signal
import uuid

from kit.wait import until

from .conftest import EVENTS, header
from .test_apply import create_agent, provisioned_job


def test_heartbeats_that_stop_fail_the_job_and_roll_it_back(bench):
    bench.worker(SLUICE_POLICY_HEARTBEAT="100ms")
    user, customer = bench.user()
    agent, job = provisioned_job(bench, user, customer)
    claimed = bench.callback("claimed", job, 4711, user)
    bench.flush()
    assert bench.outcome(claimed)[0] == "applied"
    until(lambda: bench.value("SELECT status FROM sluice.jobs WHERE id = %s", job) == "failed", "the job to fail")
    assert bench.value("SELECT status FROM sluice.agents WHERE id = %s", agent) == "failed"
    assert bench.rows("SELECT kind, status FROM sluice.jobs WHERE agent_id = %s ORDER BY seq", agent) == [
        ("provision", "failed"), ("rollback", "queued")]
    fired = bench.rows("SELECT kind, fired_at IS NOT NULL, cancelled_at IS NOT NULL FROM sluice.timers"
                       " WHERE subject = %s AND kind = 'heartbeat_missed'", job)
    assert fired == [("heartbeat_missed", True, fired[0][2])]
    event = bench.rows("SELECT outcome, source FROM sluice.events WHERE user_id = %s"
                       " AND type = 'timer.heartbeat_missed'", user)
    assert event == [("applied", "/sluice/sweep")]


def test_a_heartbeat_moves_the_timer(bench):
    bench.worker()
    user, customer = bench.user()
    _, job = provisioned_job(bench, user, customer)
    due = "SELECT due_at FROM sluice.timers WHERE subject = %s AND kind = 'heartbeat_missed'"
    events = [bench.callback("claimed", job, "run-1", user)]
    bench.flush()
    bench.decided(events)
    first = bench.value(due, job)
    beat = bench.callback("heartbeat", job, "run-1", user)
    stranger = bench.callback("heartbeat", job, "run-2", user)
    bench.flush()
    assert bench.outcome(beat)[0] == "applied"
    assert bench.outcome(stranger)[:2] == ("rejected", "ALREADY_CLAIMED")
    assert bench.value(due, job) > first


def test_a_lost_lease_goes_back_to_the_queue_with_a_new_fence(bench):
    bench.worker()
    user, customer = bench.user()
    _, job = provisioned_job(bench, user, customer)
    bench.rows("UPDATE sluice.jobs SET status = 'running', lease_until = now() - interval '1 second', worker = 'gone',"
               " fence = 7, attempt = 3 WHERE id = %s", job)
    until(lambda: bench.value("SELECT status FROM sluice.jobs WHERE id = %s", job) == "queued", "the lease to run out")
    assert bench.rows("SELECT fence, attempt, worker, lease_until FROM sluice.jobs WHERE id = %s", job) == [
        (8, 3, None, None)]
    bench.rows("UPDATE sluice.jobs SET status = 'running', lease_until = now() - interval '1 second', settled = true"
               " WHERE id = %s", job)
    following = create_agent(bench, user)[1]
    bench.flush()
    bench.outcome(following)
    assert bench.value("SELECT status FROM sluice.jobs WHERE id = %s", job) == "running"


def test_outbox_rows_left_by_a_crash_are_published_once_and_deleted(bench):
    since = bench.ends("sluice.outcomes.v1")
    mark = uuid.uuid4().hex
    headers = json.dumps([["ce_id", mark], ["x-bytes", {"base64": "//4="}]])
    for value in (b"left over", None):
        bench.rows("INSERT INTO sluice.outbox (topic, key, headers, value, created_at)"
                   " VALUES ('sluice.outcomes.v1', %s, %s, %s, now() - interval '1 minute')",
                   mark.encode(), headers, value)
    young = bench.value("INSERT INTO sluice.outbox (topic, key, headers, value, created_at)"
                        " VALUES ('sluice.outcomes.v1', 'x', '[]', 'young', now() + interval '1 hour') RETURNING id")
    group = str(uuid.uuid4())
    bench.worker(group)
    bench.worker(group)
    ours = "SELECT count(*) FROM sluice.outbox WHERE key = %s"
    until(lambda: bench.value(ours, mark.encode()) == 0, "the left-over rows to go")
    found = [m for m in bench.messages("sluice.outcomes.v1", since) if m.key() and m.key().decode() == mark]
    assert [m.value() for m in found] == [b"left over", None]
    assert header(found[0], "ce_id") == mark
    assert dict(found[0].headers())["x-bytes"] == b"\xff\xfe"
    assert bench.value("SELECT count(*) FROM sluice.outbox WHERE id = %s", young) == 1
    bench.rows("DELETE FROM sluice.outbox WHERE id = %s", young)


def test_a_leader_that_is_stopped_leads_no_longer(bench):
    """The lock of left-over rows is a session's: one that sleeps must not keep the others' rows for as long as that."""
    leader = bench.worker()
    lock = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = hashtext('sluice.outbox')::oid"
    until(lambda: bench.value(lock) == 1, "a leader")
    leader.signal(signal.SIGSTOP)
    mark = uuid.uuid4().hex
    bench.rows("INSERT INTO sluice.outbox (topic, key, headers, value, created_at)"
               " VALUES ('sluice.outcomes.v1', %s, '[]', 'left over', now() - interval '1 minute')", mark.encode())
    bench.worker()
    until(lambda: bench.value("SELECT count(*) FROM sluice.outbox WHERE key = %s", mark.encode()) == 0,
          "the row to be published by the other")
    leader.signal(signal.SIGCONT)
    until(lambda: bench.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice-worker sweep'") == 2,
          "the one that was stopped to be back")


def test_workers_note_their_presence(bench):
    worker = bench.worker()
    until(lambda: bench.value("SELECT count(*) FROM sluice.workers WHERE pid = %s", worker.process.pid) == 1,
          "the worker's row")


def test_positions_stand_for_every_partition(bench):
    bench.worker()
    bench.caught_up()
    assert bench.value("SELECT count(*) FROM sluice.offsets WHERE topic = %s", EVENTS) == len(bench.ends(EVENTS))


def test_a_row_that_cannot_be_published_blocks_nobody_behind_it(bench):
    worker = bench.worker()
    user, _ = bench.user()
    since = bench.ends("sluice.directory.v1")
    insert = ("INSERT INTO sluice.outbox (topic, key, headers, value, created_at)"
              " VALUES ('sluice.directory.v1', convert_to(%s, 'UTF8'), '[]', %s, now() - interval '1 minute')")
    endless = bench.value("WITH made AS (" + insert + " RETURNING id) SELECT id FROM made", user,
                          b"x" * (8 * 1024 * 1024))
    bench.rows(insert, user, b"small")
    def ours(found):
        return [m.value() for m in found if m.key() == user.encode()]
    assert ours(bench.messages("sluice.directory.v1", since, ours)) == [b"small"]
    assert "an outbox row can't be published" in worker.log()
    bench.rows("DELETE FROM sluice.outbox WHERE id = %s", endless)
