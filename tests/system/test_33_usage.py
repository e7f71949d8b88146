"""Usage of the day: counted once a command, refused beyond the plan, cheap to record."""

import json
import time
import uuid

import confluent_kafka
from kit.wait import until

from .domain import address_of, applied, mail, mails, refused, subscription

FREE_MESSAGES = 100
BURST = 5000


def record(world, user_id, count=1, metric="messages", **more):
    data = {"metric": metric, "count": count}
    return world.ingress.api(user_id, "/api/usage", data, email=address_of(user_id), **more)


def counted(world, user_id, metric="messages"):
    """All of the user's days: a test may run over midnight."""
    return int(world.books.value("SELECT coalesce(sum(count), 0) FROM sluice.usage_daily WHERE user_id = %s"
                                 " AND metric = %s", user_id, metric))


def test_counts_by_metric(world):
    user_id, _ = world.user()
    applied(record(world, user_id, 2))
    applied(record(world, user_id, 3))
    applied(record(world, user_id, 7, "api_calls"))
    assert (counted(world, user_id), counted(world, user_id, "api_calls")) == (5, 7)


def test_once_a_command_id(world):
    user_id, _ = world.user()
    answers = [record(world, user_id, 4, key="usage-1") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({answer.text for answer in answers}) == 1, "a repeated id gets the first outcome"
    for _ in range(2):
        world.ingress.dashboard("usage.record", {"user_id": user_id, "metric": "messages", "count": 5},
                                message_id=f"msg-{user_id}", wait_s=10)
    assert counted(world, user_id) == 9


def test_beyond_the_plan(world):
    user_id, _ = world.user()
    applied(record(world, user_id, 60))
    outcome = refused(record(world, user_id, 41), 429, "USAGE_LIMIT_REACHED")
    day = world.books.value("SELECT max(day) FROM sluice.usage_daily WHERE user_id = %s", user_id)
    assert (outcome["data"]["limit"], outcome["data"]["used"]) == (FREE_MESSAGES, 60)
    next_day = world.books.value("SELECT (%s::date + 1)::text", day)
    assert outcome["data"]["resets_at"].startswith(f"{next_day}T00:00:00")
    assert counted(world, user_id) == 60, "what is refused is not counted"
    applied(record(world, user_id, 40))
    refused(record(world, user_id), 429, "USAGE_LIMIT_REACHED")
    assert counted(world, user_id) == FREE_MESSAGES
    told = mail(world, address_of(user_id), "limit_reached")
    assert "messages" in told["text"] and str(FREE_MESSAGES) in told["text"]
    assert len(mails(world, address_of(user_id), "limit_reached")) == 1, "once a day"
    applied(record(world, user_id, 1_000_000, "api_calls"))


def test_the_plan_that_was_bought_counts(world):
    user_id, customer = world.user()
    subscription(world, user_id, customer)  # starter: 1000
    applied(record(world, user_id, 1000))
    refused(record(world, user_id), 429, "USAGE_LIMIT_REACHED")


def test_unlimited_is(world):
    user_id, customer = world.user()
    subscription(world, user_id, customer, price="price_unlimited")
    for _ in range(3):
        applied(record(world, user_id, 1_000_000_000))
    assert counted(world, user_id) == 3_000_000_000


def publish(world, user_id, commands):
    """Commands as ingress publishes them, all at once: more than a test could send one by one."""
    producer = confluent_kafka.Producer({"bootstrap.servers": world.system.env["KAFKA_BROKERS"], "acks": "all"})
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for data in commands:
        producer.produce("sluice.events.v1", key=user_id, value=json.dumps(
            {"type": "usage.record", "timestamp": now, "data": {"user_id": user_id, **data},
             "actor": {"user_id": user_id}}), headers={
                "content-type": "application/json", "ce_specversion": "1.0", "ce_id": f"{user_id}:{uuid.uuid4().hex}",
                "ce_source": "/api", "ce_type": "command.usage.record", "ce_time": now, "ce_partitionkey": user_id})
    assert producer.flush(60) == 0


def test_a_burst_is_few_writes(world):
    user_id, customer = world.user()
    subscription(world, user_id, customer, price="price_unlimited")
    sql = ("SELECT n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname = 'usage_daily'"
           " AND schemaname = 'sluice'")
    before = world.books.value(sql)
    publish(world, user_id, [{"metric": "messages", "count": 1}] * BURST)
    until(lambda: counted(world, user_id) == BURST, f"{BURST} messages to be counted", 60)
    transactions = world.books.value("SELECT count(DISTINCT xmin::text) FROM sluice.events WHERE user_id = %s"
                                     " AND type = 'command.usage.record'", user_id)
    assert transactions <= BURST / 20, f"{transactions} transactions for {BURST} records"
    written = until(lambda: world.books.value(sql) - before, "Postgres to have counted the writes")
    assert written <= BURST / 20, f"{written} row writes for {BURST} records"
    assert world.books.value("SELECT count(*) FROM sluice.events WHERE user_id = %s AND outcome = 'applied'"
                             " AND type = 'command.usage.record'", user_id) == BURST
