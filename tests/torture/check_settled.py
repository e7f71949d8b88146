"""What must be true once all has settled: nothing is stuck or left over, everything told, every dead letter explained."""

from .check_facts import OUTCOMES
from .check_log import name_of
from .finding import Finding

# stage of a dead letter -> the causes that faults of the clouds explain; of events that were sent well none may die
EXPLAINED = {"execute": ("attempts_exhausted", "outage", "rate_limit", "capacity", "conflict", "quota", "invalid",
                         "refused")}
FINAL = ("applied", "rejected", "ignored", "dead")


def jobs(facts):
    """No job is open, except a run under way whose timers will end it."""
    finding = Finding("no job is stuck", checked=sum(len(rows["jobs"]) for rows in facts.rows.values()))
    for row in facts.tables["open_jobs"]:
        if row["status"] != "waiting" or not row["has_timer"]:
            finding.violated(f"job {row['id']} of {row['user_id']} ({row['kind']}) is {row['status']} at {row['step']},"
                             f" attempt {row['attempt']}: {row['error']}")
    for row in facts.tables["leases"]:
        finding.violated(f"job {row['id']} ({row['kind']}) is leased to {row['worker']} until {row['lease_until']}")
    return finding


def timers(facts):
    finding = Finding("no timer is overdue, none fired without its event")
    finding.checked = sum(message.type.startswith("timer.") for message in facts.messages)
    for row in facts.tables["late_timers"]:
        finding.violated(f"timer {row['id']} ({row['kind']} of {row['subject']}) "
                         + ("was published and never decided" if row["is_fired"] else "is overdue"))
    return finding


def positions(facts):
    """Decided and told to the log's end; nothing on its way."""
    finding = Finding("every partition is decided and told to its end, and the outbox is empty", checked=len(facts.ends))
    at = {row["partition"]: row for row in facts.tables["positions"]}
    for partition, end in facts.ends.items():
        row = at.get(partition)
        if row is None:
            if end:
                finding.violated(f"partition {partition} has {end} messages and no position")
            continue
        if row["next_offset"] != end:
            finding.violated(f"partition {partition} is decided to {row['next_offset']} of {end}")
        if row["published_offset"] != row["next_offset"]:
            finding.violated(f"partition {partition} is told to {row['published_offset']} of {row['next_offset']}")
    for row in facts.tables["outbox"]:
        finding.violated(f"outbox row {row['id']} for {row['topic']} was never published")
    return finding


def waiting(facts):
    """Parked are events of customers that nobody knows; held are those behind a user's open letter."""
    finding = Finding("nothing waits that could be decided")
    parked = {(row["source"], row["event_id"]): row for row in facts.tables["parked"]}
    held = {(row["source"], row["event_id"]): row for row in facts.tables["held"]}
    behind = {row["user_id"] for row in facts.tables["letters"] if row["status"] == "open"}
    for row in parked.values():
        finding.checked += 1
        if row["user_id"] is not None:
            finding.violated(f"{row['event_id']} is parked, though its customer is {row['user_id']}'s")
    for row in held.values():
        finding.checked += 1
        if row["user_id"] not in behind:
            finding.violated(f"{row['event_id']} is held behind no letter of {row['user_id']}")
    for row in facts.decided.values():
        if row.outcome == "parked" and row.identity not in parked or row.outcome == "held" and row.identity not in held:
            finding.violated(f"{name_of(row.identity)} is {row.outcome}, and nowhere kept")
    return finding


def letters(facts):
    """Every letter names a cause that faults explain, and its job has failed."""
    finding = Finding("every dead letter is explained", checked=len(facts.tables["letters"]))
    for row in facts.tables["letters"]:
        who = f"letter {row['id']} of {row['user_id']}"
        if row["cause"] not in EXPLAINED.get(row["stage"], ()):
            finding.violated(f"{who} died in {row['stage']} of {row['cause']}: {row['error']}")
        elif row["status"] == "open" and row["job_status"] != "failed":
            finding.violated(f"{who} is about a job that is {row['job_status']}")
    lettered = {(row["source"], row["event_id"]) for row in facts.tables["letters"]}
    for row in facts.decided.values():
        if row.outcome == "dead" and row.identity not in lettered:
            finding.violated(f"{name_of(row.identity)} is dead, without a letter")
    return finding


def outcomes(facts):
    """Each decided event was told, as often as may be, and its end never differently: as the books have it."""
    finding = Finding(f"each decision is told in {OUTCOMES}, and told alike")
    for identity, row in facts.decided.items():
        finding.checked += 1
        told = facts.told.get(identity, [])
        final = {each for each in told if each[0] in FINAL}
        if row.is_pending:
            finding.violated(f"{name_of(identity)} was never answered: its job has ended")
        elif not told:
            finding.violated(f"{name_of(identity)} was decided ({row.outcome}) and not told")
        elif len(final) > 1:
            finding.violated(f"{name_of(identity)} was told as {sorted(final, key=str)}")
        elif (row.outcome, row.error_code) not in told:
            finding.violated(f"{name_of(identity)} was told as {told}, it is {row.outcome} {row.error_code}")
    for identity in facts.told.keys() - facts.decided.keys():
        finding.violated(f"{name_of(identity)} was told and not decided")
    return finding


def answers(facts):
    """What a waiting sender was told is what was decided."""
    finding = Finding("each sender that waited was told what was decided")
    for identity, sent in facts.sent.items():
        row = facts.decided.get(identity)
        for told in sent.outcomes:
            finding.checked += 1
            if row is None or told != (row.outcome, row.error_code):
                now = (row.outcome, row.error_code) if row else "undecided"
                finding.violated(f"{name_of(identity)} was answered {told}, it is {now}")
    return finding
