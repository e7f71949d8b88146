"""Bad input at the door: a clear error for each, counted by cause, nothing published, nothing lost."""

import base64
import json
import time
import uuid

import pytest
from kit import log, signing, stripe_events


def problem(answer, status, code):
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json()["errorCode"] == code, answer.text


def signed(world, body, at=None, **headers):
    secret = world.system.env["STRIPE_WEBHOOK_SECRET"]
    return {"Content-Type": "application/json", "Stripe-Signature": signing.stripe_header(secret, body, at), **headers}


def body_of(**more):
    return json.dumps({**stripe_events.event("customer.created", {"id": "cus_1", "object": "customer"}), **more}).encode()


def test_forged_stale_malformed_and_missing_signatures(world):
    body = body_of()
    post = world.ingress.post
    forged = signing.stripe_header("whsec_other", body)
    before = world.ingress.metrics()
    problem(post("/webhooks/stripe", body, {"Stripe-Signature": forged}), 400, "INVALID_SIGNATURE")
    problem(post("/webhooks/stripe", body, {"Stripe-Signature": "nonsense"}), 400, "INVALID_SIGNATURE")
    problem(post("/webhooks/stripe", body), 400, "INVALID_SIGNATURE")
    problem(post("/webhooks/stripe", body, signed(world, body, time.time() - 301)), 400, "TIMESTAMP_OUT_OF_RANGE")
    problem(post("/webhooks/stripe", body, signed(world, body, time.time() + 400)), 400, "TIMESTAMP_OUT_OF_RANGE")
    problem(post("/webhooks/stripe", body + b" ", signed(world, body)), 400, "INVALID_SIGNATURE")
    after = world.ingress.metrics()

    def refused(values):
        return sum(value for name, value in values.items() if name.startswith("sluice_ingress_refused_total"))

    assert refused(after) == refused(before) + 6


def test_a_refused_event_is_not_published(world):
    event = stripe_events.event("customer.created", {"id": "cus_x", "object": "customer"})
    body = json.dumps(event).encode()
    world.ingress.post("/webhooks/stripe", body, {"Stripe-Signature": "t=1,v1=00"})
    assert log.find_event(world.system.env, event["id"]) == []


@pytest.mark.parametrize("body, code, status", [
    (b"{", "INVALID_JSON", 400),
    (b'{"id": "evt_1", "type": "a", "x": "\xff"}', "INVALID_JSON", 400),
    (b"[" * 100 + b"]" * 100, "INVALID_JSON", 400),
    (b"[]", "INVALID_EVENT", 400),
    (b'{"type": "customer.created"}', "INVALID_EVENT", 400),
    (b'{"id": "evt_1"}', "INVALID_EVENT", 400),
])
def test_signed_but_unreadable(world, body, code, status):
    problem(world.ingress.post("/webhooks/stripe", body, signed(world, body)), status, code)


def test_sizes(world):
    filler = 1_048_576 - len(body_of(filler=""))
    exact = body_of(filler="x" * filler)
    assert len(exact) == 1_048_576
    assert world.ingress.post("/webhooks/stripe", exact, signed(world, exact)).status_code == 200
    over = body_of(filler="x" * (filler + 1))
    problem(world.ingress.post("/webhooks/stripe", over, signed(world, over)), 413, "PAYLOAD_TOO_LARGE")


def test_media_types_methods_and_paths(world):
    body = body_of()
    gzip = signed(world, body, **{"Content-Encoding": "gzip"})
    problem(world.ingress.post("/webhooks/stripe", body, gzip), 415, "UNSUPPORTED_MEDIA_TYPE")
    text = signed(world, body)
    text["Content-Type"] = "text/plain"
    problem(world.ingress.post("/webhooks/stripe", body, text), 415, "UNSUPPORTED_MEDIA_TYPE")
    session, url = world.ingress.session, world.ingress.url
    answer = session.get(url + "/webhooks/stripe", timeout=10)
    problem(answer, 405, "METHOD_NOT_ALLOWED")
    assert "POST" in answer.headers["Allow"]
    problem(session.post(url + "/nowhere", data=b"{}", timeout=10), 404, "NOT_FOUND")


def test_aliases(world):
    for path in ("/api/webhooks/stripe", "/api/stripe/webhook", "/api/billing/stripe/webhook"):
        event = stripe_events.event("customer.created", {"id": "cus_alias", "object": "customer"})
        answer = world.ingress.stripe(event, path=path)
        assert answer.status_code == 200 and answer.json() == {"received": True}


@pytest.mark.parametrize("data, field", [
    ({}, "name"), ({"name": 5}, "name"), ({"name": "a", "agent_id": "no-uuid"}, "agent_id"),
    ({"name": "a", "backend": "mainframe"}, "backend"), ({"name": "x" * 5000}, "name"),
])
def test_commands_are_checked_at_the_door(world, data, field):
    user_id, _ = world.user()
    answer = world.ingress.api(user_id, "/api/agents", data)
    problem(answer, 400, "INVALID_COMMAND")
    assert field in answer.text
    answer = world.ingress.dashboard("agent.create", {**data, "user_id": user_id})
    problem(answer, 400, "INVALID_COMMAND")


def test_dashboard_webhook_may_send_for_every_user(world):
    user_id, _ = world.user()
    agent_id = str(uuid.uuid4())
    answer = world.ingress.dashboard("agent.create", {"user_id": user_id, "agent_id": agent_id, "name": "d"}, wait_s=10)
    assert answer.status_code == 200, answer.text
    assert world.books.agent(agent_id)["user_id"] == user_id
    problem(world.ingress.dashboard("agent.create", {"agent_id": agent_id, "name": "d"}), 400, "INVALID_COMMAND")
    problem(world.ingress.dashboard("agent.create", {"user_id": user_id, "name": "d"}, at=time.time() - 400), 400,
            "TIMESTAMP_OUT_OF_RANGE")


def test_tokens(world):
    session, url = world.ingress.session, world.ingress.url
    secret = world.system.env["SLUICE_JWT_SECRET"]
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    claims = base64.urlsafe_b64encode(json.dumps({"sub": "u", "exp": 9999999999}).encode()).rstrip(b"=").decode()
    bad = [None, "Bearer", "Bearer x.y.z", "Bearer " + signing.jwt("other", "u"), f"Bearer {none}.{claims}.",
           "Bearer " + signing.jwt(secret, "u", lifetime_s=-120), "Bearer " + signing.jwt(secret, "")]
    for header in bad:
        headers = {"Content-Type": "application/json", **({"Authorization": header} if header else {})}
        problem(session.post(url + "/api/agents", data=b'{"name":"a"}', headers=headers, timeout=10), 401,
                "UNAUTHENTICATED")
    user_id, _ = world.user()
    problem(world.ingress.api(user_id, "/api/admin/purge-stale-runs", {"older_than_minutes": 5}), 403, "FORBIDDEN")


def test_ping_goes_no_further(world):
    answer = world.ingress.github("ping", {"zen": "Keep it logically awesome.", "hook_id": 1}, delivery="ping-1")
    assert answer.status_code == 200
    assert log.find_event(world.system.env, "ping-1") == []


def test_prefer_wait_ends_with_the_202(world):
    user_id, _ = world.user()
    answer = world.ingress.api(user_id, "/api/agents", {"name": "nowait"}, wait_s=0)
    assert answer.status_code == 202
    assert answer.json()["status"] == "accepted" and answer.headers["Sluice-Receipt"]


def test_what_came_is_published_or_refused(world):
    values = world.ingress.metrics()

    def total(prefix):
        return sum(value for name, value in values.items() if name.startswith(prefix))

    assert total("sluice_ingress_requests_total") == (
        total("sluice_ingress_published_total") + total("sluice_ingress_refused_total")), values
