"""What each program may do: its role of Postgres, what it gave up at its start, and whose secrets it holds."""

import pathlib

import psycopg
import pytest
from kit.system import load_env as load_env_file

PROGRAMS = ("ingress", "console", "worker-1", "worker-2")


def secrets_of(system):
    """Everything that ./dev made up for this system, by name."""
    return load_env_file(system.dev_dir / "secrets")


def url_of(system, role):
    password = secrets_of(system)[f"POSTGRES_{role.upper()}_PASSWORD"]
    rest = system.env["DATABASE_URL"].rpartition("@")[2]
    return f"postgresql://sluice_{role}:{password}@{rest}"


@pytest.fixture(scope="module")
def sessions(system):
    made = {role: psycopg.connect(url_of(system, role), autocommit=True) for role in ("worker", "console", "ctl")}
    yield made
    for session in made.values():
        session.close()


REFUSED = {
    "worker": [
        "DROP TABLE sluice.agents", "TRUNCATE sluice.events", "DELETE FROM sluice.users", "DELETE FROM sluice.jobs",
        "DELETE FROM sluice.events", "UPDATE sluice.audit_log SET actor = 'nobody'", "DELETE FROM sluice.audit_log",
        "ALTER TABLE sluice.jobs ADD x text", "CREATE TABLE sluice.x (x text)", "CREATE TABLE public.x (x text)", "CREATE SCHEMA x",
        "INSERT INTO sluice.schema_migrations VALUES ('x', 'x')", "DELETE FROM sluice.program_grants",
        "CREATE ROLE x", "SELECT sluice.grant_programs()",
        "SELECT pg_read_file('/etc/passwd')", "COPY sluice.users TO '/tmp/x'", "COPY sluice.early_access FROM PROGRAM 'true'",
        "ALTER ROLE sluice_worker SUPERUSER", "SET ROLE sluice_owner",
    ],
    "console": [
        "INSERT INTO sluice.users (id) VALUES ('x')", "UPDATE sluice.users SET plan = 'unlimited'", "DELETE FROM sluice.agents",
        "UPDATE sluice.jobs SET status = 'queued'", "SELECT sealed FROM sluice.connections", "SELECT * FROM sluice.connections",
        "SELECT token_sha256 FROM sluice.invites", "SELECT args FROM sluice.jobs", "SELECT result FROM sluice.jobs",
        "SELECT value FROM sluice.held_events", "SELECT * FROM sluice.outbox", "SELECT value FROM sluice.parked_events",
        "SELECT sluice.ensure_partitions(now(), 1)", "SELECT nextval('sluice.job_seq')", "CREATE TEMP TABLE x (x text)",
        "SET ROLE sluice_worker", "SELECT sluice.grant_programs()",
    ],
    "ctl": [
        "UPDATE sluice.agents SET status = 'active'", "UPDATE sluice.jobs SET status = 'queued'", "DELETE FROM sluice.jobs",
        "INSERT INTO sluice.events (source, id, type, topic) VALUES ('x', 'x', 'x', 'x')", "UPDATE sluice.offsets SET next_offset = 0",
        "UPDATE sluice.users SET plan = 'unlimited'", "DELETE FROM sluice.audit_log", "UPDATE sluice.audit_log SET actor = 'nobody'",
        "DELETE FROM sluice.dead_letters", "INSERT INTO sluice.outbox (topic) VALUES ('x')",
        "DELETE FROM sluice.connections", "UPDATE sluice.invites SET accepted_at = now()", "DROP TABLE sluice.agents", "INSERT INTO sluice.schema_migrations VALUES ('x', 'x')",
        "SELECT sluice.grant_programs()", "SET ROLE sluice_owner",
    ],
}
ALLOWED = {
    "worker": ["SELECT count(*) FROM sluice.connections", "SELECT sluice.ensure_partitions(now(), 1)",
               "UPDATE sluice.workers SET seen_at = seen_at WHERE false"],
    "console": ["SELECT count(*) FROM sluice.users", "SELECT id, status FROM sluice.jobs LIMIT 1", "SELECT provider FROM sluice.connections"],
    "ctl": ["SELECT count(*) FROM sluice.outbox", "UPDATE sluice.dead_letters SET status = status WHERE false",
            "SELECT data_key FROM sluice.connections"],
}


@pytest.mark.parametrize("role, statement", [(role, sql) for role, list_ in REFUSED.items() for sql in list_])
def test_a_role_can_not(sessions, role, statement):
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
        sessions[role].execute(statement)


@pytest.mark.parametrize("role, statement", [(role, sql) for role, list_ in ALLOWED.items() for sql in list_])
def test_a_role_can(sessions, role, statement):
    sessions[role].execute(statement)


def test_the_programs_are_their_roles(world):
    rows = world.books.rows("SELECT DISTINCT application_name AS program, usename FROM pg_stat_activity"
                            " WHERE application_name LIKE 'sluice-%%'")
    assert {(row["program"].split()[0], row["usename"]) for row in rows} == {
        ("sluice-worker", "sluice_worker"), ("sluice-console", "sluice_console")}


def test_granting_again_changes_nothing(world):
    acl = """SELECT c.relname, c.relacl::text AS acl, (SELECT array_agg(a.attacl::text ORDER BY a.attnum) FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL) AS columns FROM pg_class c
             WHERE c.relnamespace = 'sluice'::regnamespace ORDER BY 1"""
    before = world.books.rows(acl)
    done = world.system.ctl("migrate")
    assert done.returncode == 0, done.stdout
    assert world.books.rows(acl) == before


def test_a_program_without_its_grants_is_not_let_in(world):
    """PUBLIC has nothing: a role that nobody granted anything to sees no table."""
    rows = world.books.rows("SELECT c.relname FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'sluice'::regnamespace"
                            " AND a.grantee = 0")
    assert rows == []


def proc(system, name, file):
    return pathlib.Path(f"/proc/{system.pid(name)}/{file}").read_bytes().decode("utf-8", "replace")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_has_given_up_what_it_does_not_need(system, name):
    status = dict(line.split(":\t", 1) for line in proc(system, name, "status").splitlines() if ":\t" in line)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    core = next(line for line in proc(system, name, "limits").splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    assert "component=sandbox" in system.log(name) and "in force" in system.log(name)


OWN = {  # secrets that each program needs; of all others it must know nothing
    "ingress": {"STRIPE_WEBHOOK_SECRET", "GITHUB_WEBHOOK_SECRET", "GITHUB_CALLBACK_SECRET", "DASHBOARD_WEBHOOK_SECRET",
                "SLUICE_JWT_SECRET", "SLUICE_DATA_KEYS"},
    "console": {"SLUICE_JWT_SECRET", "SLUICE_CONSOLE_TOKEN", "POSTGRES_CONSOLE_PASSWORD"},
    "worker-1": {"STRIPE_SECRET_KEY", "GITHUB_PAT", "HCLOUD_TOKEN", "TAILSCALE_API_KEY", "PROVISIONER_API_KEY", "RESEND_API_KEY",
                 "SLUICE_DATA_KEYS", "POSTGRES_WORKER_PASSWORD"},
}


@pytest.mark.parametrize("name", OWN)
def test_a_program_knows_its_own_secrets_alone(system, name):
    arguments = proc(system, name, "cmdline")
    assert not [secret for secret, value in secrets_of(system).items() if value in arguments]
    try:
        environment = proc(system, name, "environ")
    except PermissionError:
        return  # no dump may be made of it: without CAP_SYS_PTRACE not even its owner reads this
    for secret, value in secrets_of(system).items():
        assert (value in environment) == (secret in OWN[name]), f"{name}: {secret}"
