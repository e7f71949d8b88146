"""What the check looks at, read once: the load's book, the log, Postgres' tables, the outcomes. Data, no judgement.

200,000 events make some 500,000 messages: bodies stay bytes until their group is looked at, rows stay tuples.
"""

import collections
import dataclasses
import hashlib
import json
import sys

import psycopg
import requests

from kit.log import each_stamped, ends_of_topic
from system.model.compare import TABLES

from .population import group_of

EVENTS, OUTCOMES = "sluice.events.v1", "sluice.outcomes.v1"
ROWS_AT_ONCE = 5000
LEDGER_TIMEOUT_S = 120
CALLS_AT_ONCE = 20_000
ANSWERED_LATER = ("command.checkout.start", "command.workspace.plan_change", "command.subscription.resume")


@dataclasses.dataclass(slots=True)
class Sent:
    """What the senders know of one event id."""

    type: str
    sha256: str | None = None
    is_promised: bool = False
    receipts: set = dataclasses.field(default_factory=set)
    outcomes: set = dataclasses.field(default_factory=set)  # (result, error code) as told


@dataclasses.dataclass(slots=True)
class Message:
    """One message of the events topic."""

    partition: int
    offset: int
    key: str
    value: bytes
    source: str
    id: str
    type: str
    subject: str
    generation: int
    at_ms: int

    @property
    def identity(self):
        return self.source, self.id

    @property
    def place(self):
        return self.partition, self.offset


@dataclasses.dataclass(slots=True)
class Decided:
    """A row of sluice.events. commit_us: when its transaction was committed, None where that isn't tracked."""

    whose: str | None
    source: str
    id: str
    type: str
    topic: str
    partition: int
    offset: int
    sha256: bytes
    outcome: str
    error_code: str | None
    rule: str | None
    generation: int
    is_pending: bool
    decided_ms: int
    commit_us: int | None
    transaction: str

    @property
    def identity(self):
        return self.source, self.id

    @property
    def place(self):
        return self.partition, self.offset

    @property
    def is_rewritten(self):
        """Whether another event's decision has written the row after its own."""
        return self.type in ANSWERED_LATER


DECIDED = (
    "SELECT user_id, source, id, type, topic, partition, \"offset\", sha256, outcome, error_code, rule, generation,"
    " coalesce((result ->> 'pending')::boolean, false), round(extract(epoch FROM decided_at) * 1000)::bigint, {commit},"
    " xmin::text FROM sluice.events")
COMMIT = "round(extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint"
SMALL = {  # tables that are looked at row by row, as dicts
    "positions": "SELECT partition, next_offset, published_offset FROM sluice.offsets WHERE topic = 'sluice.events.v1'",
    "outbox": "SELECT id, topic FROM sluice.outbox ORDER BY id LIMIT 100",
    "leases": "SELECT id::text, kind, status, worker, lease_until FROM sluice.jobs WHERE lease_until IS NOT NULL"
              " AND status = 'running' LIMIT 100",
    "open_jobs": "SELECT j.id::text, j.kind, j.status, j.step, j.attempt, j.error, j.user_id, EXISTS (SELECT FROM"
                 " sluice.timers t WHERE t.subject = j.id::text AND t.decided_at IS NULL AND t.cancelled_at IS NULL AND"
                 " t.due_at > now()) has_timer FROM sluice.jobs j WHERE status IN ('queued', 'running', 'waiting')",
    "late_timers": "SELECT id::text, kind, subject, fired_at IS NOT NULL is_fired FROM sluice.timers"
                   " WHERE decided_at IS NULL AND cancelled_at IS NULL AND (fired_at IS NOT NULL OR due_at < now())",
    "parked": "SELECT p.source, p.event_id, c.user_id FROM sluice.parked_events p JOIN sluice.customers c"
              " ON c.id = p.customer_id",
    "held": "SELECT source, event_id, user_id FROM sluice.held_events",
    "letters": "SELECT l.id::text, l.event_id, l.source, l.user_id, l.stage, l.cause, l.error, l.status,"
               " j.status job_status FROM sluice.dead_letters l LEFT JOIN sluice.jobs j ON j.id = l.job_id",
    "audits": "SELECT event_id, count(DISTINCT xmin::text) transactions, min(xmin::text) transaction"
              " FROM sluice.audit_log WHERE event_id IS NOT NULL AND actor NOT LIKE 'ops:%%' GROUP BY 1",
}


@dataclasses.dataclass
class Facts:
    sent: dict  # identity -> Sent
    messages: list  # Message, a partition's in their order
    ends: dict  # partition -> the offset behind its last message
    decided: dict  # identity -> Decided
    tables: dict  # SMALL's names -> [dict]
    rows: dict  # group -> {table of compare.TABLES: [dict]}
    told: dict  # identity -> [(result, error code) of its outcomes, in their order]
    told_at: dict  # identity -> offset of its first outcome: in the order of decisions, for one user
    deliveries: list = dataclasses.field(default_factory=list)  # of the repository's webhook: (delivery id, status)

    def messages_by_place(self):
        return {message.place: message for message in self.messages}



def read_sent(path):
    sent = {}
    with open(path, encoding="utf-8") as book:
        for line in book:
            row = json.loads(line)
            entry = sent.setdefault((sys.intern(row["source"]), row["id"]),
                                    Sent(sys.intern(row["type"]), row.get("sha256")))
            if 200 <= row["status"] < 300 or row.get("outcome"):
                entry.is_promised = True
            if row.get("receipt"):
                entry.receipts.add(row["receipt"])
            if row.get("outcome"):
                entry.outcomes.add((row["outcome"]["result"], row["outcome"]["errorCode"]))
    return sent


def read_messages(env):
    intern = sys.intern
    found = [Message(partition, offset, (key or b"").decode("utf-8", "replace"), value or b"",
                     intern(headers.get("ce_source", "")), headers.get("ce_id", ""), intern(headers.get("ce_type", "")),
                     headers.get("ce_subject", ""), int(headers.get("sluice-replay") or 0), at_ms)
             for partition, offset, key, value, headers, at_ms in each_stamped(env, EVENTS)]
    found.sort(key=lambda message: message.place)
    return found


def read_told(env):
    """What was told of each event, and the offset where first."""
    told, told_at = collections.defaultdict(list), {}
    for _partition, offset, _key, value, headers, _at_ms in each_stamped(env, OUTCOMES):
        document, identity = json.loads(value), (sys.intern(headers["ce_source"]), headers["ce_id"])
        told[identity].append((document["result"], document.get("errorCode")))
        told_at.setdefault(identity, offset)
    return told, told_at


def read_decided(books):
    tracked = books.execute("SHOW track_commit_timestamp").fetchone()[0] == "on"
    decided = {}
    for row in streamed(books, DECIDED.format(commit=COMMIT if tracked else "NULL")):
        entry = Decided(*row)
        entry.source, entry.type = sys.intern(entry.source), sys.intern(entry.type)
        entry.rule = entry.rule and sys.intern(entry.rule)
        decided[entry.identity] = entry
    return decided


def streamed(books, sql):
    """The rows of a statement, some at a time; for a connection in a transaction."""
    with books.cursor(name="check") as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(sql)
        yield from cursor


def read_rows(books):
    """compare's tables by group: {group: {table: [dict]}}."""
    rows = collections.defaultdict(lambda: {name: [] for name in TABLES})
    for name, sql in TABLES.items():
        columns = [column.name for column in books.execute(f"SELECT * FROM ({sql}) t LIMIT 0").description]
        for values in streamed(books, sql):
            rows[group_of(values[0]) or values[0]][name].append(dict(zip(columns, values)))
    return rows


def read_small(books):
    found = {}
    for name, sql in SMALL.items():
        cursor = books.execute(sql.replace("%%", "%"))
        columns = [column.name for column in cursor.description]
        found[name] = [dict(zip(columns, values)) for values in cursor]
    return found


class Control:
    """The clouds' ledger, as kit.clouds.Clouds gives it to kit.verdict, of any size."""

    def __init__(self, env):
        self._url = env["SLUICE_CLOUDS_CONTROL_URL"]

    def _get(self, path, **query):
        answer = requests.get(self._url + path, params=query, timeout=LEDGER_TIMEOUT_S)
        answer.raise_for_status()
        return answer.json()

    def ledger(self):
        return self._get("/ledger")

    def summary(self):
        return self._get("/summary")

    def calls(self, cloud):
        """All that the ring has, without their bodies."""
        found, after = [], 0
        while rows := self._get("/calls", cloud=cloud, after=after, limit=CALLS_AT_ONCE):
            after = rows[-1]["sequence"]
            found += [{name: value for name, value in row.items() if name != "body"} for row in rows]
        return found


def read_deliveries(env):
    """[(delivery's id, status it was answered)] of the repository's webhook, as GitHub lists them."""
    place = f"{env['GITHUB_API_URL']}/repos/{env['GITHUB_REPO_OWNER']}/{env['GITHUB_REPO_NAME']}/hooks"
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {env['GITHUB_PAT']}"
    found = []
    for hook in answered(session.get(place, timeout=LEDGER_TIMEOUT_S)).json():
        url = f"{place}/{hook['id']}/deliveries?per_page=100"
        while url:
            answer = answered(session.get(url, timeout=LEDGER_TIMEOUT_S))
            found += [(row["guid"], row["status_code"]) for row in answer.json()]
            url = answer.links.get("next", {}).get("url")
    return found


def answered(answer):
    answer.raise_for_status()
    return answer


def digest(message):
    return hashlib.sha256(message.value).digest()


def read_facts(env, out_path):
    """Everything, at one moment when nothing is under way."""
    with psycopg.connect(env["DATABASE_URL"]) as books:
        books.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        decided, rows, tables = read_decided(books), read_rows(books), read_small(books)
    told, told_at = read_told(env)
    return Facts(read_sent(out_path), read_messages(env), ends_of_topic(env, EVENTS), decided, tables, rows, told, told_at)
