"""What is refused changes nothing, and says why."""

import uuid

import pytest


def refusal(answer, status, code):
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json()["errorCode"] == code


def test_provision_without_a_subscription(world):
    user_id, _ = world.user()
    agent_id = world.create_agent(user_id)
    refusal(world.command(user_id, agent_id, "provision"), 403, "NO_ACTIVE_SUBSCRIPTION")
    assert world.books.agent(agent_id)["status"] == "draft"
    assert world.books.jobs(agent_id) == []


@pytest.mark.parametrize("status", ["past_due", "unpaid", "canceled", "incomplete", "paused"])
def test_provision_with_a_subscription_that_is_not_live(world, status):
    user_id, customer = world.user()
    world.subscribe(user_id, customer, status=status)
    agent_id = world.create_agent(user_id)
    refusal(world.command(user_id, agent_id, "provision"), 403, "NO_ACTIVE_SUBSCRIPTION")


def test_trialing_is_enough(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer, status="trialing")
    world.active_agent(user_id)


def test_agent_limit_of_the_plan(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer, price="price_nobody_named")  # free: one agent
    world.active_agent(user_id)
    second = world.create_agent(user_id)
    refusal(world.command(user_id, second, "provision"), 403, "AGENT_LIMIT_REACHED")
    assert world.books.agent(second)["status"] == "draft"


def test_one_provision_in_progress(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    first, second = world.create_agent(user_id), world.create_agent(user_id)
    world.clouds.plan("complete", first, hang_ms=1500)
    assert world.command(user_id, first, "provision").status_code == 200
    refusal(world.command(user_id, second, "provision"), 409, "PROVISION_IN_PROGRESS")
    world.books.agent_in(first, "active")


def test_states_that_do_not_fit(world):
    user_id, _ = world.user()
    agent_id = world.create_agent(user_id)
    refusal(world.command(user_id, agent_id, "start"), 409, "INVALID_STATE")
    refusal(world.command(user_id, agent_id, "stop"), 409, "INVALID_STATE")


def test_somebody_elses_agent(world):
    owner, _ = world.user()
    stranger, _ = world.user()
    agent_id = world.create_agent(owner)
    refusal(world.command(stranger, agent_id, "destroy"), 403, "FORBIDDEN")
    refusal(world.command(stranger, str(uuid.uuid4()), "destroy"), 404, "AGENT_NOT_FOUND")
    assert world.books.agent(agent_id)["status"] == "draft"


def test_agent_without_a_server_changes_in_postgres_only(world):
    user_id, _ = world.user()
    agent_id = world.create_agent(user_id)
    assert world.command(user_id, agent_id, "destroy").status_code == 200
    assert world.books.agent(agent_id)["status"] == "destroyed"
    assert world.books.jobs(agent_id) == []


def test_unknown_type_is_recorded_as_ignored(world):
    _, customer = world.user()
    event = world.send("radar.early_fraud_warning.created", {"id": "issfr_1", "object": "radar.early_fraud_warning",
                                                            "customer": customer})
    assert world.books.decided(event["id"])["outcome"] == "ignored"
