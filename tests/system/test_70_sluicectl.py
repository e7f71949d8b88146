"""sluicectl against the running system, and programs against bad configuration."""

import json
import subprocess

from kit import stripe_events
from kit.system import ROOT


def program(world, name):
    return ROOT / "build" / world.system.env["SLUICE_PRESET"] / "bin" / name


def test_status_users_agents_jobs_events(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    agent_id = world.active_agent(user_id)
    job, = world.books.jobs(agent_id)
    for arguments, words in [
        (("status",), ["worker", "Lag"]),
        (("users", "show", user_id), [user_id, "active", "agent_provisioned"]),
        (("agents", "show", agent_id), [agent_id, "provision", "/dispatches"]),
        (("usage", "show", user_id), [user_id, "messages_per_day", "Months"]),
        (("workspaces", "list", "--user", user_id, "--limit", "5"), ["no workspaces match"]),
        (("jobs", "list", "--user", user_id), [str(job["id"]), "succeeded"]),
        (("jobs", "show", str(job["id"])), ["dispatch", "heartbeat_missed"]),
        (("events", "list", "--user", user_id), ["command.agent.provision", "callback.completed"]),
        (("topics", "check"), ["as they should be"]),
        (("migrate",), ["up to date"]),
    ]:
        done = world.system.ctl(*arguments)
        assert done.returncode == 0, done.stdout
        for word in words:
            assert word in done.stdout, f"{arguments}: no {word!r} in\n{done.stdout}"


def test_json_is_json(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    done = world.system.ctl("users", "show", user_id, "--json")
    assert json.loads(done.stdout)["subscriptions"][0]["status"] == "active"
    assert "lag" in json.loads(world.system.ctl("status", "--json").stdout)


def test_events_show_gives_the_raw_payload(world):
    user_id, customer = world.user()
    event = world.send("customer.created", {"id": customer, "object": "customer", "metadata": {"user_id": user_id}})
    world.books.decided(event["id"])
    done = world.system.ctl("events", "show", event["id"], "--raw")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout) == event


def test_retry_and_cancel_ask_and_refuse(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    agent_id = world.active_agent(user_id)
    job, = world.books.jobs(agent_id)
    done = world.system.ctl("jobs", "retry", str(job["id"]))
    assert done.returncode == 2 and "--yes" in done.stdout
    done = world.system.ctl("jobs", "retry", str(job["id"]), "--yes")
    assert done.returncode == 1 and "INVALID_STATE" in done.stdout


def test_ops_retry_a_failed_job(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    agent_id = world.create_agent(user_id)
    world.clouds.plan("fail_before_server", agent_id)
    world.command(user_id, agent_id, "provision")
    world.books.agent_in(agent_id, "failed")
    world.books.user_settled(user_id)
    job, = world.books.jobs(agent_id, "provision")
    done = world.system.ctl("jobs", "retry", str(job["id"]), "--yes")
    assert done.returncode == 0, done.stdout
    world.books.agent_in(agent_id, "active")
    actors = {row["actor"] for row in
              world.books.rows("SELECT actor FROM sluice.audit_log WHERE user_id = %s AND action = 'job_retried'", user_id)}
    assert len(actors) == 1 and actors.pop().startswith("ops:")


def test_unknown_ids_and_usage(world):
    assert world.system.ctl("users", "show", "nobody-at-all").returncode == 1
    assert world.system.ctl("users", "show").returncode == 2
    assert world.system.ctl("fly").returncode == 2
    assert world.system.ctl("--help").returncode == 0


def test_five_mistakes_are_named_with_their_lines(world, tmp_path):
    path = tmp_path / "bad.conf"
    path.write_text("[worker]\nlease = soon\nbatch_events = 0\ncolour = blue\n[policy]\ngrace = -1d\n"
                    "on_payment_failed = shout\n", encoding="utf-8")
    for name in ("sluice-ingress", "sluice-worker"):
        done = subprocess.run([program(world, name), "--check", "--config", path], text=True, capture_output=True,
                              check=False, timeout=30)
        assert done.returncode == 78
        for line in (2, 3, 4, 6, 7):
            assert f"bad.conf:{line}" in done.stdout + done.stderr, done.stderr


def test_ops_see_what_a_user_did(world):
    user_id, customer = world.user()
    event = stripe_events.event("customer.created", {"id": customer, "object": "customer", "email": "a@example.org",
                                                     "metadata": {"user_id": user_id}})
    world.ingress.stripe(event)
    world.books.decided(event["id"])
    assert world.books.value("SELECT email FROM sluice.users WHERE id = %s", user_id) == "a@example.org"
