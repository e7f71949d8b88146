"""Invariant 3: each group's history is fed to the Python model, and Postgres must hold what the model makes of it.

The order is that of the log. Where a group's events stand in several partitions (a customer's before anybody knew whose it
is, GitHub's, those of a workspace's members) the transactions' order joins them; within one transaction the outcomes'
order does. Where both are silent several orders are possible, and one of them has to fit.
"""

import collections
import heapq
import itertools
import json

from system.model import compare
from system.model.accounts import RANKS
from system.model.rules import Event

from .finding import Finding
from .population import group_of

ORDERS_MAX = 12  # tried for one group
STORIES_MAX = 50
TABLES = (*compare.TABLES, "decided")


def group_of_message(message, jobs):
    """Whose history the message belongs to; `jobs`: the group of each job."""
    found = group_of(message.key) or group_of(message.subject)
    if found is None and message.type == "github.workflow_run":
        found = jobs.get(job_of_run(message.value))
    return found or group_of(message.value.decode("utf-8", "replace")) or message.key


def job_of_run(value):
    title = json.loads(value).get("workflow_run", {}).get("display_title") or ""
    return title.removeprefix("sluice ")


def histories(facts):
    """{group: its messages, a partition's in their order}."""
    jobs = {row["id"]: group for group, rows in facts.rows.items() for row in rows["jobs"]}
    found = collections.defaultdict(list)
    for message in facts.messages:
        found[group_of_message(message, jobs)].append(message)
    return found


def moments(facts):
    """{place: when it was decided}: a partition's never fall; a message that decided nothing has its predecessor's."""
    batch = {}  # (partition, decided_ms) -> its transaction's time; a row written again later has a later one
    for row in facts.decided.values():
        if row.commit_us is not None:
            key = row.partition, row.decided_ms
            batch[key] = min(row.commit_us, batch.get(key, row.commit_us))
    found, last = {}, collections.defaultdict(int)
    for message in facts.messages:
        row = facts.decided.get(message.identity)
        if row is not None and row.place == message.place:
            moment = batch.get((row.partition, row.decided_ms), row.decided_ms * 1000)
            last[message.partition] = max(last[message.partition], moment)
        found[message.place] = last[message.partition]
    return found


def counts(message, facts):
    """Whether it may have had an effect: it decided its event, or that waited then and was decided later."""
    row = facts.decided.get(message.identity)
    return row is None or row.place == message.place or facts.waited(message.identity)


def orders(messages, facts, moment_of):
    """The orders that are possible, likeliest first; each a list of messages."""
    parts = collections.defaultdict(list)
    for message in messages:
        if counts(message, facts):
            parts[message.partition].append(message)
    streams = list(parts.values())

    def merged(streams, tie):
        keyed = [steady([((moment_of[message.place], tie(message)), message) for message in part]) for part in streams]
        return [message for _key, message in heapq.merge(*keyed, key=lambda pair: pair[0])]

    def place_told(message):
        return facts.told_at.get(message.identity, 0)

    yield merged(streams, place_told)
    if len(streams) > 1:
        for streams in itertools.islice(itertools.permutations(streams), ORDERS_MAX - 1):
            yield merged(list(streams), lambda _message: 0)


def steady(keyed):
    """Keys that never fall, so that a partition keeps its own order."""
    highest = None
    for key, message in keyed:
        highest = key if highest is None else max(highest, key)
        yield highest, message


def event_of(message):
    return Event(message.source, message.id, message.type, json.loads(message.value), message.key, message.at_ms,
                 message.subject, message.generation)


def rows_with_decided(rows, messages, facts):
    """compare's rows of a group: its tables, and the decisions on its messages."""
    found = {name: list(rows.get(name, ())) for name in compare.TABLES}
    found["decided"] = [
        {"source": row.source, "id": row.id, "type": row.type, "outcome": row.outcome, "error_code": row.error_code,
         "rule": row.rule, "decided_ms": row.decided_ms}
        for identity in dict.fromkeys(message.identity for message in messages)
        if (row := facts.decided.get(identity)) is not None]
    return found


def story(order, facts):
    """A history as it can be looked at when the system that had it is gone."""
    lines = []
    for message in order:
        row = facts.decided.get(message.identity)
        lines.append({
            "place": message.place, "key": message.key, "type": message.type, "id": message.id, "at_ms": message.at_ms,
            "told": facts.told.get(message.identity), "body": message.value.decode("utf-8", "replace"),
            "decided": row and [row.place, row.decided_ms, row.commit_us, row.outcome, row.error_code, row.rule]})
    return lines


def state(facts, policy, data_key):
    """Postgres holds what the model makes of each group's events."""
    finding = Finding("the state is what the independent model makes of the log")
    moment_of, told = moments(facts), histories(facts)
    for group in sorted({*told, *facts.rows}, key=str):
        messages = told.get(group, [])
        finding.checked += len(messages)
        best, likeliest = None, []
        for order in orders(messages, facts, moment_of):
            lines = compare.check(rows_with_decided(facts.rows.get(group, {}), messages, facts),
                                  [event_of(message) for message in order], policy, data_key)
            if best is None or len(lines) < len(best):
                best, likeliest = lines, order
            if not best:
                break
        for line in best or ():
            finding.violated(f"{group}: {line}")
        if best and len(finding.stories) < STORIES_MAX:
            finding.stories[str(group)] = story(likeliest, facts)
    return finding


def stale_objects(facts):
    """A subscription's event that is older than one applied before it was not applied."""
    finding = Finding("a Stripe object older than the one held changed nothing")
    moment_of, held = moments(facts), {}
    mine = [message for message in facts.messages if message.type.startswith("stripe.customer.subscription.")
            and (row := facts.decided.get(message.identity)) is not None and row.place == message.place
            and row.outcome == "applied"]
    for message in sorted(mine, key=lambda message: (moment_of[message.place], message.place)):
        event = event_of(message)
        finding.checked += 1
        rank = event.created, RANKS.get(event.type.rpartition(".")[2], RANKS["updated"])
        name = event.object.get("id")
        before = held.get(name)
        if before is not None and before[0] > rank and before[1].partition == message.partition:
            finding.violated(f"{message.id} of {name} was applied, though it is older than {before[1].id}, applied before")
        held[name] = rank, message
    return finding
