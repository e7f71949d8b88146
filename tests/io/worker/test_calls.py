"""The Nth call of apply's fails, for every N until none is left: the batch is tried again, and nothing is half done."""

import uuid

import pytest
from kit.wait import until

from .conftest import Worker
from .test_apply import subscription

CALLS_MAX = 60
# In one snapshot: how many of the user's events are decided, and what they have made.
STATE = ("SELECT (SELECT count(*) FROM sluice.events WHERE user_id = %(user)s),"
         " (SELECT count(*) FROM sluice.subscriptions WHERE user_id = %(user)s),"
         " (SELECT count(*) FROM sluice.agents WHERE user_id = %(user)s),"
         " (SELECT count(*) FROM sluice.audit_log WHERE user_id = %(user)s AND action = 'agent_created')")
WHOLE = [(0, 0, 0, 0), (1, 1, 0, 0), (2, 1, 1, 1)]  # one by one, or both at once


class Host(Worker):
    """apply alone."""

    program = "apply-host"

    def __init__(self, folder, fault):
        self.points = folder / "points"
        super().__init__(folder / "log", SLUICE_WORKER_GROUP=f"calls-{uuid.uuid4()}", SLUICE_FAULT=fault,
                         SLUICE_FAULT_LOG=self.points)

    def has_failed(self):
        """Whether the fault was met."""
        return any(line.endswith(" fail") for line in self.points.read_text(encoding="ascii").splitlines())


@pytest.fixture
def told(bench):
    """Gives how often the outcome of each event was told since the test began."""
    since = bench.ends("sluice.outcomes.v1")

    def count(event_ids):
        messages = bench.messages("sluice.outcomes.v1", since)
        names = [dict(message.headers())["ce_id"].decode() for message in messages]
        return [names.count(event_id) for event_id in event_ids]
    return count


def one_story(bench, host, user, events, told):
    def probe():
        with bench.connect() as connection:
            state = connection.execute(STATE, {"user": user}).fetchone()
        assert state in WHOLE, f"half done: {state}"
        assert host.process.poll() is None, host.log()[-4000:]
        return state == WHOLE[-1]
    until(probe, "both events to be decided", 60)
    until(lambda: all(told(events)), "their outcomes to be told", 60)
    bench.caught_up()


@pytest.mark.parametrize("point, least", [("pg.flush", 4), ("pg.answer", 4), ("kafka.produce", 3), ("kafka.deliver", 3)])
def test_the_nth_call_fails(bench, tmp_path, told, point, least):
    users = []
    for number in range(1, CALLS_MAX):
        user, customer = bench.user()
        users.append(user)
        events = [bench.stripe("customer.subscription.created", subscription(customer, user), user),
                  bench.command("agent.create", user, agent_id=str(uuid.uuid4()), name="a", region="us-east")]
        bench.flush()
        (folder := tmp_path / f"{number}").mkdir()
        host = Host(folder, f"{point}:{number}=fail")
        bench.workers.append(host)
        one_story(bench, host, user, events, told)
        failed = host.has_failed()
        assert host.drain() == 0, host.log()[-4000:]
        if not failed:
            break
    assert least < number < CALLS_MAX - 1, f"{number} calls were made"
    assert bench.value("SELECT count(*) FROM sluice.dead_letters WHERE user_id = ANY(%s)", users) == 0
    bench.worker()  # its sweep publishes what could not be delivered
    until(lambda: bench.value("SELECT count(*) FROM sluice.outbox") == 0, "the outbox to be empty", 60)
