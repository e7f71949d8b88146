"""Servers without a workflow, instances and e-mails, against the simulated clouds: whatever they do, each is there once."""

import collections
import uuid

import pytest
from io_execute_parts import SETTINGS
from kit.wait import until

LIMITS = {"agents": "3", "messages_per_day": "1000", "memory_mb": "512", "cpu": "0.5"}
FULL = {"error": {"code": "resource_unavailable", "message": "error during placement", "details": None}}
NO_MORE = {"error": {"code": "resource_limit_exceeded", "message": "server limit reached", "details": None}}
UNAUTHORIZED = {"message": "Bad credentials", "documentation_url": "", "status": "401"}
QUOTA = {"statusCode": 429, "name": "daily_quota_exceeded", "message": "You have reached your daily quota."}

# What becomes of a call that changes something.
FAULTS = ["lose_answer", "reset", "hang", "hang_after", "half_answer", "html_error"]


def provision(world, agent=None, **args):
    return world.plan(agent or world.agent(), "provision", {"region": "us-east", "tier": "free", **args}, "hetzner")


def instance(world, agent=None, subscription=None, **args):
    agent = agent or world.agent()
    order = {"subscription_id": subscription or f"sub_{uuid.uuid4().hex}", "account_id": agent[1], "tier": "starter"}
    return world.plan(agent, "provision", {**order, **LIMITS, **args}, "provisioner")


def email(world, template="welcome", **args):
    user = f"user-{uuid.uuid4().hex[:8]}"
    world.rows("INSERT INTO sluice.users (id) VALUES (%s)", user)
    return world.plan((None, user), "email", {"template": template, "to": f"{user}@user.example", **args}, "resend")


def event_of(world, job):
    event, = world.events(job)
    return event


# A server without a workflow.

def test_a_server_is_made_and_its_key_is_gone(world):
    agent = world.agent()
    job = provision(world, agent)
    world.engine()
    world.ended(job)
    server, = world.live("hetzner", "servers")
    device, = world.live("tailscale", "devices")
    assert server["labels"] == {"sluice-agent": agent[0], "sluice-job": job, "sluice-generation": "0"}
    assert (server["name"], device["name"]) == (f"agent-{agent[0]}",) * 2
    result = event_of(world, job)["result"]
    assert (result["server_id"], result["server_ip"]) == (str(server["id"]), server["ip"])
    assert result["tailscale_device_id"] == device["id"] and result["tailscale_ip"].startswith("100.")
    assert world.live("tailscale", "keys") == []


def test_the_key_is_nowhere_but_in_the_servers_user_data(world):
    job = provision(world)
    engine = world.engine()
    world.ended(job)
    made, = [call for call in world.clouds.calls("hetzner") if call["method"] == "POST"]
    assert "tskey-auth-" in made["body"]
    assert "tskey" not in engine.log.read_text()
    for table in ("jobs", "job_calls", "outbox"):
        for row in world.rows(f"SELECT t.*::text AS text FROM sluice.{table} t"):
            assert "tskey" not in row["text"]
    values = [bytes(row["value"]) for row in world.rows("SELECT value FROM sluice.outbox")]
    assert not any(b"tskey" in value for value in values)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("cloud", "match"), [("hetzner", "POST servers"), ("tailscale", "POST keys"),
                                              ("tailscale", "DELETE keys/.*")])
def test_an_answer_that_does_not_come_makes_no_second_server(world, cloud, match, fault):
    world.clouds.fault(cloud, fault, match=match, times=2)
    agent = world.agent()
    job = provision(world, agent)
    world.engine()
    world.ended(job)
    assert [server["agent_id"] for server in world.clouds.ledger()["hetzner"]["servers"]] == [agent[0]]
    assert len(world.live("tailscale", "devices")) == 1
    assert world.struck(cloud) >= 1


def test_a_full_location_is_left_for_the_next(world):
    world.clouds.configure(hetzner={"unavailable_locations": ["ash"]})
    job = provision(world)
    engine = world.engine()
    world.ended(job)
    server, = world.live("hetzner", "servers")
    assert server["location"] == "hil"
    assert "the next location is hil" in engine.log.read_text()
    assert len([call for call in world.clouds.calls("tailscale") if call["method"] == "POST"]) == 1


def test_a_full_region_is_tried_again(world):
    world.clouds.fault("hetzner", "status", times=2, status=412, body=FULL, match="POST servers")
    job = provision(world)
    world.engine()
    until(lambda: world.job(job)["status"] == "queued" and world.job(job)["attempt"] == 1, "the back-off")
    world.rows("UPDATE sluice.jobs SET run_after = now() WHERE id = %s", job)
    world.ended(job)
    assert len(world.clouds.ledger()["hetzner"]["servers"]) == 1


def test_a_project_that_is_full_is_a_refusal(world):
    world.clouds.fault("hetzner", "status", status=403, body=NO_MORE, match="POST servers")
    job = provision(world)
    world.engine()
    world.ended(job, how="job.failed")
    assert "limit is reached" in event_of(world, job)["error"]
    assert world.job(job)["attempt"] == 0


def test_a_foreign_server_of_the_agents_name_is_a_refusal(world):
    agent = world.agent()
    world.server(agent[0], labels={"owner": "somebody"})
    job = provision(world, agent)
    world.engine()
    world.ended(job, how="job.failed")
    assert "not its label" in event_of(world, job)["error"]
    assert len(world.live("hetzner", "servers")) == 1 and world.live("tailscale", "keys") == []


@pytest.mark.parametrize(("cloud", "match", "made"), [
    ("tailscale", "POST keys", "keys"), ("hetzner", "POST servers", "servers"),
    ("tailscale", "GET devices", None), ("tailscale", "DELETE keys/.*", None)])
def test_whatever_a_killed_engine_left_is_brought_to_its_end(world, cloud, match, made):
    world.clouds.fault(cloud, "hang_after", match=match)
    agent = world.agent()
    job = provision(world, agent)
    first = world.engine("worker-a")
    until(lambda: world.struck(cloud) and (made is None or world.clouds.ledger()[cloud][made]), "the call")
    first.kill()
    until(world.sweep, "the lease to run out")
    world.engine("worker-b")
    world.ended(job)
    assert [server["agent_id"] for server in world.clouds.ledger()["hetzner"]["servers"]] == [agent[0]]
    assert len(world.live("tailscale", "devices")) == 1
    assert event_of(world, job)["result"]["tailscale_ip"].startswith("100.")


def test_a_server_that_never_joins_has_failed_and_is_rolled_back(world):
    world.clouds.configure(tailscale={"join_ms": 3_600_000})
    agent = world.agent()
    job = provision(world, agent)
    engine = world.engine(settings=SETTINGS.replace("provision_timeout = 60s", "provision_timeout = 1s"),
                          without=["GITHUB_PAT"])
    world.ended(job, how="job.failed")
    assert "has not joined the tailnet in time" in event_of(world, job)["error"]
    assert len(world.live("hetzner", "servers")) == 1
    # nobody told the agent of its server: it is found by its name; GitHub has no part in it
    rollback = world.plan(agent, "rollback", {"provision_job_id": job})
    world.ended(rollback)
    assert world.live("hetzner", "servers") == []
    assert world.clouds.calls("github") == [] and "step is given up" not in engine.log.read_text()


def test_a_cancelled_provision_stops_where_it_is(world):
    world.clouds.configure(tailscale={"join_ms": 3_600_000})
    agent = world.agent()
    job = provision(world, agent)
    world.engine()
    until(lambda: world.job(job)["step"] == "wait_device", "the server to run")
    world.rows("UPDATE sluice.jobs SET cancel_requested = true WHERE id = %s", job)
    world.ended(job, how="job.cancelled")
    rollback = world.plan(agent, "rollback", {"provision_job_id": job})
    world.ended(rollback)
    assert world.live("hetzner", "servers") == []


# Instances.

def test_an_instance_comes_gets_its_limits_and_goes(world):
    agent = world.agent()
    job = instance(world, agent)
    world.engine()
    world.ended(job)
    app, = world.live("provisioner", "apps")
    result = event_of(world, job)["result"]
    assert result["app_name"] == app["id"]
    assert result["frontend_url"].startswith("https://") and result["backend_url"].startswith("https://")
    world.rows("UPDATE sluice.agents SET app_name = %s WHERE id = %s", app["id"], agent[0])
    update = world.plan(agent, "update_limits", {"tier": "professional", **LIMITS, "cpu": "2"}, "provisioner")
    world.ended(update)
    put, = [call for call in world.clouds.calls("provisioner") if call["method"] == "PUT"]
    assert '"cpu":2}' in put["body"] and app["id"] in put["body"]
    deprovision = world.plan(agent, "deprovision", {}, "provisioner")
    again = world.plan(agent, "deprovision", {}, "provisioner")
    world.ended(deprovision, again)
    assert world.live("provisioner", "apps") == []


@pytest.mark.parametrize("fault", FAULTS)
def test_an_instance_is_there_once_and_goes_for_good(world, fault):
    agents = [world.agent() for _ in range(5)]
    world.clouds.fault("provisioner", fault, match="POST provision", times=3)
    jobs = [instance(world, agent) for agent in agents]
    world.engine()
    world.ended(*jobs)
    assert len(world.clouds.ledger()["provisioner"]["apps"]) == 5
    for job, agent in zip(jobs, agents):
        world.rows("UPDATE sluice.agents SET app_name = %s WHERE id = %s", event_of(world, job)["result"]["app_name"],
                   agent[0])
    world.clouds.fault("provisioner", fault, match="DELETE deprovision", times=3)
    world.ended(*[world.plan(agent, "deprovision", {}, "provisioner") for agent in agents])
    assert world.live("provisioner", "apps") == []


def test_what_a_killed_engine_provisioned_is_asked_for_again(world):
    world.clouds.fault("provisioner", "hang_after", match="POST provision")
    job = instance(world)
    first = world.engine("worker-a")
    until(lambda: world.clouds.ledger()["provisioner"]["apps"], "the instance")
    first.kill()
    until(world.sweep, "the lease to run out")
    world.engine("worker-b")
    world.ended(job)
    app, = world.clouds.ledger()["provisioner"]["apps"]
    assert event_of(world, job)["result"]["app_name"] == app["id"]


def test_an_instance_whose_name_never_came_is_found_by_its_subscription(world):
    agent = world.agent()
    job = instance(world, agent, "sub_lost")
    world.engine()
    world.ended(job)
    world.ended(instance(world, world.agent(), "sub_other"))
    world.ended(world.plan(agent, "deprovision", {"subscription_id": "sub_lost"}, "provisioner"))
    app, = world.live("provisioner", "apps")
    assert app["subscription_id"] == "sub_other"
    world.ended(world.plan(agent, "deprovision", {"subscription_id": "sub_lost"}, "provisioner"))


def test_a_subscription_of_another_account_is_a_refusal(world):
    first = instance(world, subscription="sub_1")
    world.engine()
    world.ended(first)
    second = instance(world, subscription="sub_1")
    world.ended(second, how="job.failed")
    assert "another account" in event_of(world, second)["error"]


# E-mails.

@pytest.mark.parametrize("fault", FAULTS)
def test_an_email_is_sent_once(world, fault):
    world.clouds.configure(resend={"rate_limit_per_s": 0})
    world.clouds.fault("resend", fault, times=3)
    jobs = [email(world, url="https://app.example") for _ in range(10)]
    world.engine()
    world.ended(*jobs)
    keys = collections.Counter(sent["idempotency_key"] for sent in world.clouds.ledger()["resend"]["emails"])
    assert keys == {job: 1 for job in jobs}


def test_an_email_says_what_it_shall(world):
    job = email(world, "invite", workspace_name="<Ann & Co>", invited_by="ann@user.example", url="https://x.example/?a=b")
    world.engine()
    world.ended(job)
    call, = world.clouds.calls("resend")
    assert call["idempotency_key"] == job
    assert "Invitation to <Ann & Co>" in call["body"] and "workspace &lt;Ann &amp; Co&gt;" in call["body"]


def test_what_a_killed_engine_sent_is_not_sent_again(world):
    world.clouds.fault("resend", "hang_after")
    job = email(world)
    first = world.engine("worker-a")
    until(lambda: world.clouds.ledger()["resend"]["emails"], "the e-mail")
    first.kill()
    until(world.sweep, "the lease to run out")
    world.engine("worker-b")
    world.ended(job)
    assert len(world.clouds.ledger()["resend"]["emails"]) == 1
    assert world.job(job)["result"]["doubt_from_ms"] > 0


def test_what_was_sent_under_other_templates_is_done(world, tmp_path):
    world.clouds.fault("resend", "hang_after")
    job = email(world)
    first = world.engine("worker-a")
    until(lambda: world.clouds.ledger()["resend"]["emails"], "the e-mail")
    first.kill()
    until(world.sweep, "the lease to run out")
    folder = tmp_path / "templates"
    folder.mkdir()
    for file in (world.root / "deploy" / "emails").iterdir():
        (folder / file.name).write_text("Another text.\n")
    world.engine("worker-b", with_={"SLUICE_EMAIL_TEMPLATES": str(folder)})
    world.ended(job)
    assert [call["status"] for call in world.clouds.calls("resend")][-1] == 409
    assert len(world.clouds.ledger()["resend"]["emails"]) == 1


def test_the_rate_is_kept_and_burns_no_attempts(world):
    world.clouds.configure(resend={"rate_limit_per_s": 5})
    jobs = [email(world) for _ in range(15)]
    world.engine()
    world.ended(*jobs)
    assert len(world.clouds.ledger()["resend"]["emails"]) == 15
    assert {event["attempts"] for event in world.events()} == {0}


def test_a_quota_that_is_used_up_is_waited_for(world):
    world.clouds.fault("resend", "status", status=429, body=QUOTA)
    job = email(world)
    engine = world.engine()
    until(lambda: "daily quota" in (world.job(job)["error"] or ""), "the quota to be met")
    row, = world.rows("SELECT attempt, run_after > now() + interval '5 minutes' AS long FROM sluice.jobs WHERE id = %s",
                      job)
    assert (row["attempt"], row["long"]) == (0, True)
    assert engine.stop() == 0


def test_an_email_that_is_refused_fails(world):
    world.clouds.configure(resend={"verified_domains": ["elsewhere.example"]})
    job = email(world)
    world.engine()
    world.ended(job, how="job.failed")
    assert "domain is not verified" in event_of(world, job)["error"]


# Clouds that are not configured, or refuse our credentials.

@pytest.mark.parametrize(("variable", "job_of"), [
    ("RESEND_API_KEY", email), ("PROVISIONER_API_KEY", instance), ("DOKKU_PROVISIONER_URL", instance)])
def test_a_cloud_that_is_not_configured_holds_up_its_own_jobs_alone(world, variable, job_of):
    waits, goes_on = job_of(world), provision(world)
    engine = world.engine("worker-a", without=[variable])
    world.ended(goes_on)
    assert world.events(waits) == [] and world.job(waits)["status"] == "queued"
    assert f"variable={variable}" in engine.log.read_text()
    assert engine.stop() == 0
    world.engine("worker-b")
    world.ended(waits)


@pytest.mark.parametrize(("cloud", "status", "job_of"), [("resend", 401, email), ("provisioner", 403, instance)])
def test_credentials_that_are_refused_burn_no_attempts(world, cloud, status, job_of):
    world.clouds.fault(cloud, "status", times=-1, status=status)
    job = job_of(world)
    world.engine()
    opened = "SELECT reason FROM sluice.cloud_state WHERE cloud = %s AND breaker <> 'closed'"
    until(lambda: world.rows(opened, cloud) if cloud == "provisioner" else world.struck(cloud) > 1, "the refusals")
    world.clouds.clear_faults()
    world.ended(job)
    assert event_of(world, job)["attempts"] == 0


@pytest.mark.parametrize("without", [(), ("GITHUB_PAT",)])
def test_a_rollback_does_not_wait_for_ever_for_github(world, without):
    agent = world.live_agent()
    dispatched = world.plan(agent, "provision")
    first = world.engine("worker-a")
    until(lambda: world.job(dispatched)["status"] == "waiting", "the dispatch")
    assert first.stop() == 0
    world.rows("UPDATE sluice.jobs SET status = 'failed', fence = fence + 1 WHERE id = %s", dispatched)
    world.clouds.fault("github", "status", times=-1, status=401, body=UNAUTHORIZED)
    rollback = world.plan(agent, "rollback", {"provision_job_id": dispatched})
    engine = world.engine("worker-b", without=without)
    world.ended(rollback)
    assert world.live("hetzner", "servers") == [] and world.live("tailscale", "devices") == []
    assert "step is given up" in engine.log.read_text()
