"""The main job, end to end: a subscription, an agent, its provision by the workflow, stop, start, destroy."""

import uuid

from kit import log


def test_subscribe_create_provision_active(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    agent_id = world.create_agent(user_id)
    answer = world.command(user_id, agent_id, "provision", region="us-east")
    assert answer.status_code == 200
    assert answer.json()["result"] == "applied"
    agent = world.books.agent_in(agent_id, "active")
    servers = world.servers_of(agent_id)
    assert [str(server["id"]) for server in servers] == [agent["server_id"]]
    assert len(world.devices_of(agent_id)) == 1
    job, = world.books.jobs(agent_id, "provision")
    assert job["status"] == "succeeded" and job["run_id"]
    for action in ("agent_created", "agent_provision_queued", "agent_provisioned"):
        assert action in world.books.audits(user_id)


def test_dispatch_is_what_github_documents(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    agent_id = world.active_agent(user_id)
    job, = world.books.jobs(agent_id, "provision")
    dispatches = [call for call in world.clouds.calls("github")
                  if call["method"] == "POST" and call["path"].endswith("/dispatches")
                  and str(job["id"]) in str(call.get("body", call))]
    assert len(dispatches) == 1, dispatches


def test_stop_and_start(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    agent_id = world.active_agent(user_id)
    assert world.command(user_id, agent_id, "stop").status_code == 200
    world.books.agent_in(agent_id, "paused")
    assert world.servers_of(agent_id)[0]["status"] == "off"
    assert world.command(user_id, agent_id, "start").status_code == 200
    world.books.agent_in(agent_id, "active")
    assert world.servers_of(agent_id)[0]["status"] == "running"


def test_stop_of_a_server_that_ignores_acpi_powers_it_off(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    agent_id = world.active_agent(user_id)
    world.clouds.configure(hetzner={"acpi_ms": None})
    try:
        assert world.command(user_id, agent_id, "stop").status_code == 200
        world.books.agent_in(agent_id, "paused")
    finally:
        world.clouds.configure(hetzner={"acpi_ms": 300})
    assert world.servers_of(agent_id)[0]["status"] == "off"


def test_destroy_leaves_nothing(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    agent_id = world.active_agent(user_id)
    assert world.command(user_id, agent_id, "destroy").status_code == 200
    agent = world.books.agent_in(agent_id, "destroyed")
    assert agent["server_id"] is None
    assert world.servers_of(agent_id) == [] and world.devices_of(agent_id) == []


def test_receipt_names_the_message(world):
    user_id, customer = world.user()
    from kit import stripe_events
    event = stripe_events.event("customer.subscription.created",
                                stripe_events.subscription(stripe_events.new_id("sub"), customer, user_id=user_id))
    answer = world.ingress.stripe(event)
    topic, partition, offset = answer.headers["Sluice-Receipt"].split("/")
    row = world.books.decided(event["id"])
    assert (row["topic"], row["partition"], row["offset"]) == (topic, int(partition), int(offset))
    message, = log.find_event(world.system.env, event["id"])
    assert message[:2] == (int(partition), int(offset))
    assert message[2] == user_id.encode()
    headers = message[4]
    assert headers["ce_type"] == "stripe.customer.subscription.created"
    assert headers["ce_source"] == "/webhooks/stripe" and headers["ce_specversion"] == "1.0"
    assert headers["content-type"] == "application/json" and headers["traceparent"]


def test_repeated_command_id_gets_the_first_outcome(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    agent_id = str(uuid.uuid4())
    document = {"agent_id": agent_id, "name": "once"}
    first = world.ingress.api(user_id, "/api/agents", document, key="create-1")
    again = world.ingress.api(user_id, "/api/agents", document, key="create-1")
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["id"] == again.json()["id"] == f"{user_id}:create-1"
    assert again.json()["result"] == "applied"
    assert world.books.audits(user_id).count("agent_created") == 1
