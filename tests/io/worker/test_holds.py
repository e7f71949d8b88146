"""Events held behind a dead letter: in their order while the hold drains, and never stuck behind one that dies itself."""

import uuid

from kit.wait import until

from .test_apply import subscription


def letter_of(bench, user):
    """An open letter of the commit stage: from now on the user's events are held. Gives its id."""
    letter = str(uuid.uuid4())
    bench.rows("INSERT INTO sluice.dead_letters (id, event_id, user_id, source, type, stage, cause, error, first_at,"
               " last_at) VALUES (%s, %s, %s, '/x', 'x', 'commit', 'database', 'x', now(), now())", letter, letter, user)
    return letter


def draft(bench, user, event_id=None, agent_id=None, generation=None):
    agent_id = agent_id or str(uuid.uuid4())
    body = {"type": "agent.create", "timestamp": "2026-11-21T10:00:00Z", "actor": {"user_id": user},
            "data": {"agent_id": agent_id, "name": "a", "region": "us-east", "user_id": user}}
    more = {"sluice_replay": str(generation)} if generation else {}
    return bench.send("command.agent.create", "/api", user, body, event_id, **more)


def known_user(bench):
    user, customer = bench.user()
    first = draft(bench, user)
    bench.flush()
    bench.outcome(first, "applied")
    return user, customer


def test_what_comes_while_a_hold_drains_waits_behind_it(bench):
    worker = bench.worker()
    user, _ = known_user(bench)
    letter = letter_of(bench, user)
    held, agent_id = str(uuid.uuid4()), str(uuid.uuid4())
    draft(bench, user, held, agent_id)
    bench.flush()
    bench.outcome(held, "held")
    worker.drain()
    bench.rows("UPDATE sluice.dead_letters SET status = 'discarded' WHERE id = %s", letter)
    bench.rows("UPDATE sluice.held_events SET released_at = now() WHERE user_id = %s", user)  # as the sweep does
    before = draft(bench, user)
    draft(bench, user, held, agent_id, generation=1)
    behind = draft(bench, user)
    bench.flush()
    bench.worker()
    for event in (before, held, behind):
        bench.outcome(event, "applied")
    order = [event for (event,) in
             bench.rows("SELECT event_id FROM sluice.audit_log WHERE user_id = %s AND action = 'agent_created'"
                        " ORDER BY id", user)]
    assert order[1:] == [held, before, behind]


def test_a_held_event_that_dies_itself_lets_the_others_go(bench):
    bench.worker()
    user, customer = known_user(bench)
    letter = letter_of(bench, user)
    poison = bench.stripe("customer.subscription.created",
                          subscription(customer, user, subscription_id=bench.poison()), user)
    after = draft(bench, user)
    bench.flush()
    bench.outcome(poison, "held")
    bench.outcome(after, "held")
    bench.rows("UPDATE sluice.dead_letters SET status = 'discarded' WHERE id = %s", letter)
    bench.outcome(poison, "dead")
    bench.rows("UPDATE sluice.dead_letters SET status = 'discarded' WHERE event_id = %s", poison)
    bench.outcome(after, "applied")
    until(lambda: not bench.rows("SELECT 1 FROM sluice.held_events WHERE user_id = %s", user), "nothing to be held")
