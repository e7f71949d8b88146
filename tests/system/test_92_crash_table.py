"""The crash table: SIGKILL at each named point between two effects, a restart, and what must hold afterwards.

Each row leads a story to its point. Programs are started here, on the system's servers; the table is written to
STATE/results/crash_table.md.
"""

import dataclasses
import signal
import urllib.parse
import uuid

import psycopg
import pytest
from kit.system import load_env
from kit.wait import until

from . import crash_stories as stories
from .crash_bench import Bench, points


@dataclasses.dataclass(frozen=True)
class Row:
    fault: str  # the point, perhaps with the pass (":2") or what happens there ("=stop")
    story: type
    first: str = ""  # a crash before, which makes the work that leads to the point

    @property
    def point(self):
        return self.fault.partition("=")[0].partition(":")[0]

    @property
    def label(self):
        return f"{self.fault}-{self.story.__name__.lower()}"


INGRESS = [
    Row("ingress.after_verify", stories.Sender),
    Row("ingress.after_produce", stories.Sender),
    Row("ingress.after_report", stories.Sender),
    Row("ingress.after_answer", stories.Sender),
    Row("ingress.after_verify", stories.Waiter),
    Row("ingress.after_report", stories.Waiter),
    Row("ingress.after_reply", stories.Waiter),
]
WORKER = [
    Row("apply.after_assign", stories.Subscription),
    Row("apply.after_consume", stories.Subscription),
    Row("apply.after_load", stories.Subscription),
    Row("apply.before_commit", stories.Subscription),
    Row("apply.after_commit", stories.Subscription),
    Row("apply.after_outbox", stories.Subscription),
    Row("apply.after_announce", stories.Subscription),
    Row("apply.after_publish", stories.Subscription),
    Row("apply.after_delete", stories.Subscription),
    Row("apply.before_offsets", stories.Subscription),
    Row("apply.after_offsets", stories.Subscription),
    Row("apply.before_again", stories.Subscription, first="apply.after_commit"),
    Row("apply.after_again", stories.Subscription, first="apply.after_commit"),
    Row("apply.after_commit", stories.Parked),
    Row("apply.before_release", stories.Parked),
    Row("apply.after_release", stories.Parked),
    Row("apply.before_halving", stories.Poison),
    Row("bury.before_commit", stories.Poison),
    Row("bury.after_commit", stories.Poison),
    Row("execute.after_claim", stories.Server),
    Row("execute.before_intent", stories.Server),
    Row("execute.after_intent", stories.Server),
    Row("execute.before_call", stories.Server),
    Row("http.after_send:2", stories.Server),
    Row("execute.after_answer", stories.Server),
    Row("execute.key_minted", stories.Server),
    Row("execute.server_created", stories.Server),
    Row("execute.before_write_back", stories.Server),
    Row("execute.after_write_back", stories.Server),
    Row("execute.after_outbox", stories.Server),
    Row("execute.after_publish", stories.Server),
    Row("execute.after_renew", stories.SlowServer),
    Row("execute.after_claim", stories.Workflow),
    Row("http.after_send", stories.Workflow),
    Row("execute.dispatched", stories.Workflow),
    Row("execute.after_write_back", stories.Workflow),
    Row("execute.server_deleted", stories.Destroyed),
    Row("http.after_send", stories.Mail),
    Row("execute.email_sent", stories.Mail),
    Row("execute.customer_created", stories.Checkout),
    Row("execute.checkout_opened", stories.Checkout),
    Row("execute.app_provisioned", stories.Instance),
    Row("sweep.before_timers", stories.Timer),
    Row("sweep.after_timers", stories.Timer),
    Row("sweep.after_publish", stories.Timer),
    Row("sweep.before_leftovers", stories.Timer, first="sweep.after_timers"),
    Row("sweep.after_leftovers", stories.Timer, first="sweep.after_timers"),
    Row("sweep.after_leases", stories.Server, first="execute.after_claim"),
    Row("sweep.after_held", stories.Released),
]
ZOMBIES = [
    Row("apply.after_consume=stop", stories.Subscription),
    Row("apply.before_commit=stop", stories.Subscription),
    Row("execute.after_answer=stop", stories.Server),
    Row("execute.before_write_back=stop", stories.Server),
]
CTL = ["migrate.before_commit", "migrate.after_commit", "ctl.before_publish", "ctl.after_publish"]
# They fail calls; the tests of those are C (tests/unit, tests/io).
CALLS = ["pg.flush", "pg.answer", "kafka.produce", "kafka.deliver"]

# What a worker says that finds itself overtaken.
OVERTAKEN = ("a position has moved under this batch", "job moved on without us", "postgres is away",
             "waiting before the next try")


def labels(rows):
    return [row.label for row in rows]


@pytest.fixture(scope="module")
def table(world, tmp_path_factory):
    for name in ("worker-1", "worker-2"):
        world.system.dev("stop", name)
    bench = Bench(world, tmp_path_factory.mktemp("crash"))
    bench.table = set()
    yield bench
    bench.close()
    stories.allow(world.books)
    for name in ("ingress", "worker-1", "worker-2"):
        world.system.start(name)
    world.system.ready()
    write(bench)


def write(bench):
    meanings = points()
    lines = ["| killed at | when | story | held after the restart, beside what always must |", "|---|---|---|---|"]
    for fault, story, held in sorted(bench.table):
        point = fault.split("=")[0].split(":")[0]
        lines.append(f"| `{fault}` | {meanings[point]} | {story} | {held} |")
    results = bench.world.system.dev_dir.parent / "results"
    results.mkdir(exist_ok=True)
    (results / "crash_table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def note(bench, row, story, held):
    told = story.__doc__.strip().splitlines()[0].rstrip(".")
    bench.table.add((row.fault, told + (f" (after a crash at `{row.first}`)" if row.first else ""), held))


def test_every_point_is_in_the_table():
    listed = {row.point for row in INGRESS + WORKER + ZOMBIES} | set(CTL) | set(CALLS)
    assert listed == set(points())


@pytest.mark.parametrize("row", WORKER, ids=labels(WORKER))
def test_kill_of_a_worker(table, row):
    table.be_well()
    story = row.story(table)
    story.prepare()
    table.be_alone()
    story.act()
    if row.first:
        table.worker(row.first).died_at(row.first)
        table.hurry()
    table.worker(row.fault).died_at(row.point)
    table.hurry()
    table.be_well()
    story.ended()
    table.holds(story.users, story.events)
    note(table, row, story, story.held)


@pytest.mark.parametrize("row", ZOMBIES, ids=labels(ZOMBIES))
def test_a_worker_that_wakes_too_late_changes_nothing(table, row):
    """Stopped with the work in its hands, past its lease; it wakes when another one has done it."""
    table.be_well()
    story = row.story(table)
    story.prepare()
    table.be_alone()
    story.act()
    zombie = table.worker(row.fault)
    zombie.stopped_at(row.point)
    table.be_well()
    story.ended()
    table.holds(story.users, story.events)
    before = state_of(table, story.users)
    begins = len(zombie.log())
    zombie.process.send_signal(signal.SIGCONT)
    until(lambda: any(words in zombie.log()[begins:] for words in OVERTAKEN), "the zombie to find itself overtaken", 60)
    zombie.kill()
    table.holds(story.users, story.events)
    assert state_of(table, story.users) == before
    note(table, row, story, "another worker did it; the zombie, awake again, changed no row")


def state_of(bench, users):
    """Everything of the users that a late write could change."""
    return [bench.books.rows(f"SELECT * FROM sluice.{name} WHERE {column} = ANY(%s) ORDER BY {order}", users)
            for name, column, order in (("users", "id", "id"), ("subscriptions", "user_id", "id"),
                                        ("agents", "user_id", "id"), ("jobs", "user_id", "id"),
                                        ("events", "user_id", "id"), ("audit_log", "user_id", "at, id"))]


@pytest.mark.parametrize("row", INGRESS, ids=labels(INGRESS))
def test_kill_of_ingress(table, row):
    table.be_well()
    table.world.system.dev("stop", "ingress")
    story = row.story(table)
    story.prepare()
    table.ingress(row.fault)
    dying = table.programs[-1]
    story.act()
    dying.died_at(row.point)
    again = table.ingress()
    try:
        story.ended()
        table.holds(story.users, story.events)
    finally:
        again.kill()
    table.world.system.start("ingress")
    note(table, row, story, story.held)


def test_a_dispatch_that_github_executed_and_never_answered(table):
    """The worker dies waiting for the answer; the run that GitHub began is found, and makes the one server."""
    table.be_well()
    story = stories.LostDispatch(table)
    story.prepare()
    table.be_alone()
    story.act()
    doomed = table.worker()
    until(lambda: any(story.agent_id in call["body"] for call in table.clouds.calls("github")
                      if call["path"].endswith("/dispatches") and call["effect"] is not None), "the dispatch to be executed")
    doomed.kill()
    table.clouds.clear_faults()
    table.be_well()
    story.ended()
    table.holds(story.users, story.events)
    row = Row("http.after_send", stories.LostDispatch)
    note(table, row, story, story.held)


@pytest.fixture
def empty(table):
    """The variables for a database with nothing in it, as its server's own administrator."""
    secrets = load_env(table.world.system.dev_dir / "secrets")
    where = urllib.parse.urlsplit(table.world.system.env["DATABASE_URL"])
    login = f"postgres:{secrets['POSTGRES_ADMIN_PASSWORD']}@{where.hostname}:{where.port}"
    name = f"crash_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"postgres://{login}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield {"DATABASE_URL": f"postgres://{login}/{name}"}
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("point", ["migrate.before_commit", "migrate.after_commit"])
def test_kill_of_a_migration(table, empty, point):
    table.start("sluicectl", "migrate", fault=f"{point}:2", **empty).died_at(point)
    again = table.start("sluicectl", "migrate", **empty)
    assert again.ended() == 0, again.log()
    applied = again.log().count("applying ")
    once_more = table.start("sluicectl", "migrate", **empty)
    assert once_more.ended() == 0 and "up to date" in once_more.log()
    total = int(once_more.log().partition("(")[2].split()[0])
    assert total - applied == (1 if point == "migrate.before_commit" else 2), "whole ones alone were kept"
    table.table.add((f"{point}:2", "The schema is made", "whole migrations alone were kept; the rest was applied"))


@pytest.mark.parametrize("point", ["ctl.before_publish", "ctl.after_publish"])
def test_kill_of_a_command_of_ops(table, point):
    """Given again, as somebody would who has seen no answer: decided once each, in effect once."""
    table.be_well()
    story = stories.Server(table)
    story.prepare()
    table.clouds.fault("hetzner", "delay", ms=2500, match="GET /v1/servers")
    story.act()
    job, = until(lambda: table.books.jobs(story.agent_id), "the job")
    table.start("sluicectl", "jobs", "cancel", str(job["id"]), "--yes", fault=point).died_at(point)
    again = table.start("sluicectl", "jobs", "cancel", str(job["id"]), "--yes")
    assert again.ended() == 0, again.log()
    until(lambda: table.books.jobs(story.agent_id)[0]["status"] == "cancelled", "the job to be cancelled", 60)
    table.at_rest(story.users)
    assert table.world.servers_of(story.agent_id) == []
    table.holds(story.users, story.events)
    table.table.add((point, "A job is cancelled by sluicectl, twice", "the job is cancelled once; no server is left"))


def test_no_program_was_wrong(table):
    """Sanitizers and assertions of all programs that ran."""
    for program in table.programs:
        for sign in ("AddressSanitizer", "runtime error:", "LeakSanitizer", "assertion failed"):
            assert sign not in program.log(), program.log()[-6000:]
