"""Invariants 1 and 2: what was promised is in the log, what is in the log is decided once, and nothing else is."""

from .bodies import sha256_of, shows_token
from .check_facts import EVENTS, digest
from .finding import Finding


def promised(facts):
    """Every 2xx is in the log, under its id and type, with the bytes that were sent, where its receipt says."""
    finding = Finding("every event answered 2xx is in the log, where its receipt says")
    by_identity, by_place = {}, {}
    for message in facts.messages:
        by_identity.setdefault(message.identity, message)
        by_place[f"{EVENTS}/{message.partition}/{message.offset}"] = message
    for identity, sent in facts.sent.items():
        if not sent.is_promised:
            continue
        finding.checked += 1
        message = by_identity.get(identity)
        if message is None:
            finding.violated(f"{name_of(identity)} was answered 2xx and is not in the log")
            continue
        if message.type != sent.type:
            finding.violated(f"{name_of(identity)} is in the log as {message.type}, it was sent as {sent.type}")
        if sent.sha256 is not None and sha256_of(message.type, message.value) != sent.sha256:
            finding.violated(f"{name_of(identity)} is in the log with other bytes than were sent")
        if shows_token(message.type, message.value):
            finding.violated(f"{name_of(identity)} is in the log with a token that everybody can read")
        for receipt in sent.receipts:
            if receipt not in by_place or by_place[receipt].identity != identity:
                finding.violated(f"{name_of(identity)} has the receipt {receipt}, where it does not stand")
    for delivery, status in facts.deliveries:
        finding.checked += 1
        if 200 <= status < 300 and ("/webhooks/github", delivery) not in by_identity:
            finding.violated(f"GitHub's delivery {delivery} was answered {status} and is not in the log")
    return finding


def decided_once(facts):
    """Each id of the log has its row, each row its message; the row says where and what the message is."""
    finding = Finding("every event of the log is decided, once, and nothing that is not in it")
    by_place = facts.messages_by_place()
    identities = {message.identity for message in facts.messages}
    finding.checked = len(identities)
    for identity in identities - facts.decided.keys():
        finding.violated(f"{name_of(identity)} is in the log and not decided")
    for identity, row in facts.decided.items():
        message = by_place.get(row.place)
        if row.topic != EVENTS or message is None or message.identity != identity:
            finding.violated(f"{name_of(identity)} is decided from {row.topic}/{row.partition}/{row.offset},"
                             " where it does not stand")
        elif digest(message) != bytes(row.sha256) or message.type != row.type:
            finding.violated(f"{name_of(identity)} is decided as something else than stands in the log")
    return finding


def committed_together(facts):
    """An event's audit rows come of one transaction, the one of its own row."""
    finding = Finding("an event's rows are of one transaction")
    by_id = {}
    for row in facts.decided.values():
        by_id.setdefault(row.id, []).append(row)
    for audit in facts.tables["audits"]:
        rows = by_id.get(audit["event_id"], [])
        if len(rows) != 1:
            if not rows:
                finding.violated(f"event {audit['event_id']} has audit rows and no row of its own")
            continue
        row = rows[0]
        finding.checked += 1
        if audit["transactions"] > 1 + row.generation:
            finding.violated(f"{name_of(row.identity)} was audited by {audit['transactions']} transactions")
        elif not row.is_rewritten and row.generation == 0 and audit["transaction"] != row.transaction:
            finding.violated(f"{name_of(row.identity)} and its audit rows are of different transactions")
    return finding


def order(facts):
    """A partition's events are decided in its order, and by the first message of an id."""
    finding = Finding("a partition's events are decided in the order of their offsets")
    last, first = {}, {}
    for message in facts.messages:
        row = facts.decided.get(message.identity)
        place_of_first = first.setdefault((message.partition, message.identity), message.place)
        if row is None or row.place != message.place:
            continue
        finding.checked += 1
        if place_of_first != message.place and not facts.waited(message.identity):
            finding.violated(f"{name_of(message.identity)} is decided at {message.place},"
                             f" it stood at {place_of_first} before")
        if row.is_rewritten:
            continue
        moment = row.decided_ms if row.commit_us is None else row.commit_us
        before = last.get(message.partition)
        if before is not None and moment < before[0]:
            finding.violated(f"{name_of(message.identity)} at {message.place} is decided before"
                             f" {name_of(before[1])}, which stands before it")
        last[message.partition] = moment, message.identity
    return finding


def name_of(identity):
    return f"{identity[1]} of {identity[0]}"
