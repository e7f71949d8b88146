"""Simulated Resend: validation, idempotency keys, limits."""

import asyncio

import pytest

from .conftest import until

pytestmark = pytest.mark.asyncio

EMAIL = {"from": "Sluice <no-reply@sluice.test>", "to": ["u1@x.test"], "subject": "Hello", "text": "Hi"}


def name(answer):
    return answer.json["name"]


async def test_admission(resend):
    refused = await resend("POST", "/emails", EMAIL, headers={"User-Agent": None})
    assert refused.status == 403
    refused = await resend("POST", "/emails", EMAIL, headers={"Authorization": None})
    assert (refused.status, name(refused), refused.json["statusCode"]) == (401, "missing_api_key", 401)
    refused = await resend("POST", "/emails", EMAIL, headers={"Authorization": "Bearer re_no"})
    assert (refused.status, name(refused)) == (403, "invalid_api_key")
    assert name(await resend("GET", "/emails")) == "method_not_allowed"
    assert name(await resend("GET", "/domains")) == "not_found"


async def test_send(sim, resend):
    sent = await resend("POST", "/emails", {**EMAIL, "tags": [{"name": "job", "value": "j-1"}], "cc": "a@b.test"})
    assert sent.status == 200 and list(sent.json) == ["id"]
    assert sent.headers["ratelimit-limit"] == "10" and sent.headers["ratelimit-reset"] == "1"
    assert sim.resend.emails[sent.json["id"]]["to"] == ["u1@x.test"]


@pytest.mark.parametrize(("change", "status", "error"), [
    ({"from": None}, 422, "missing_required_field"),
    ({"to": None}, 422, "missing_required_field"),
    ({"subject": ""}, 422, "missing_required_field"),
    ({"text": None}, 422, "missing_required_field"),
    ({"from": "nobody"}, 422, "invalid_from_address"),
    ({"from": "X <a@b>"}, 422, "invalid_from_address"),
    ({"from": 5}, 422, "invalid_from_address"),
    ({"to": ["nobody"]}, 422, "validation_error"),
    ({"to": ["a@b.test"] * 51}, 422, "invalid_parameter"),
    ({"tags": [{"name": "a b", "value": "c"}]}, 422, "invalid_parameter"),
    ({"headers": {"X-A": 1}}, 422, "invalid_parameter"),
    ({"subject": 5}, 422, "invalid_parameter"),
])
async def test_refusals(sim, resend, change, status, error):
    refused = await resend("POST", "/emails", {**EMAIL, **change})
    assert (refused.status, name(refused)) == (status, error)
    assert not sim.resend.emails


async def test_unverified_domain_and_bad_json(resend, control):
    await control("POST", "/config", {"resend": {"verified_domains": ["other.test"]}})
    refused = await resend("POST", "/emails", EMAIL)
    assert (refused.status, name(refused)) == (403, "validation_error")
    assert (await resend("POST", "/emails", form="{")).status == 400


async def test_idempotency(sim, resend):
    headers = {"Idempotency-Key": "job-1"}
    first = await resend("POST", "/emails", EMAIL, headers=headers)
    again = await resend("POST", "/emails", dict(reversed(EMAIL.items())), headers=headers)
    assert first.json == again.json and len(sim.resend.emails) == 1
    other = await resend("POST", "/emails", {**EMAIL, "subject": "Bye"}, headers=headers)
    assert (other.status, name(other)) == (409, "invalid_idempotent_request")
    for key in ("", "k" * 257):
        refused = await resend("POST", "/emails", EMAIL, headers={"Idempotency-Key": key})
        assert (refused.status, name(refused)) == (400, "invalid_idempotency_key")
    sim.clock.advance(86_400_001)
    later = await resend("POST", "/emails", EMAIL, headers=headers)
    assert later.json != first.json
    assert sim.summary()["duplicates"]["emails_by_key"] == {"job-1": 2}


async def test_key_in_use(sim, resend, control):
    await control("POST", "/config", {"resend": {"latency_ms": 600_000}})
    headers = {"Idempotency-Key": "job-2"}
    first = asyncio.ensure_future(resend("POST", "/emails", EMAIL, headers=headers))
    await until(lambda: sim.resend._idempotency.find("job-2"))
    second = await resend("POST", "/emails", EMAIL, headers=headers)
    assert (second.status, name(second)) == (409, "concurrent_idempotent_requests")
    sim.clock.advance(600_000)
    assert (await first).status == 200


async def test_limits(sim, resend, control):
    await control("POST", "/config", {"resend": {"rate_limit_per_s": 1, "daily_quota": 1}})
    answers = [await resend("POST", "/emails", EMAIL) for _ in range(4)]
    limited = next(answer for answer in answers if name_or_none(answer) == "rate_limit_exceeded")
    assert limited.status == 429 and limited.headers["retry-after"] == "1"
    assert limited.headers["ratelimit-remaining"] == "0"
    sim.clock.advance(1000)
    quota = await resend("POST", "/emails", EMAIL)
    assert (quota.status, name(quota)) == (429, "daily_quota_exceeded")
    sim.clock.advance(86_400_000)
    assert (await resend("POST", "/emails", EMAIL)).status == 200


def name_or_none(answer):
    return answer.json.get("name")


async def test_same_content_under_other_keys_shows(sim, resend):
    for key in ("a", "b"):
        await resend("POST", "/emails", EMAIL, headers={"Idempotency-Key": key})
    assert sim.summary()["same_content_emails"] == 1 and sim.summary()["duplicates"]["emails_by_key"] == {}
