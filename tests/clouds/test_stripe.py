"""Simulated Stripe: forms, idempotency keys, Checkout, subscriptions, and the Events API."""

import asyncio
import base64

import pytest

from clouds import stripe_forms as forms
from clouds.web import Refusal

from .conftest import until

pytestmark = pytest.mark.asyncio

SESSION = {"mode": "subscription", "line_items[0][price]": "price_starter", "line_items[0][quantity]": "1",
           "success_url": "https://app.test/ok?s={CHECKOUT_SESSION_ID}", "cancel_url": "https://app.test/no",
           "client_reference_id": "u1", "metadata[user_id]": "u1", "subscription_data[metadata][user_id]": "u1"}


def error(answer):
    return answer.json["error"]


async def seed(control, **fields):
    return (await control("POST", "/stripe/subscriptions", {"id": "sub_1", "customer": "cus_1", **fields})).json


async def test_credentials(sim, stripe):
    refused = await stripe("GET", "/events", headers={"Authorization": None})
    assert refused.status == 401 and error(refused)["type"] == "invalid_request_error"
    refused = await stripe("GET", "/events", headers={"Authorization": "Bearer sk_test_wrong_one"})
    assert refused.status == 401 and error(refused)["message"].startswith("Invalid API Key provided: sk_test_")
    assert "wrong" not in error(refused)["message"]
    basic = base64.b64encode(f"{sim.options.stripe_secret_key}:".encode()).decode()
    assert (await stripe("GET", "/events", headers={"Authorization": f"Basic {basic}"})).status == 200
    assert (await stripe("GET", "/events", headers={"Stripe-Version": "latest"})).status == 400
    versioned = await stripe("GET", "/events", headers={"Stripe-Version": "2024-06-20"})
    assert versioned.headers["Stripe-Version"] == "2024-06-20" and versioned.headers["Request-Id"].startswith("req_")


async def test_checkout_session(stripe):
    created = await stripe("POST", "/checkout/sessions", form=SESSION)
    assert created.status == 200
    session = created.json
    assert (session["status"], session["payment_status"]) == ("open", "unpaid")
    assert session["url"].endswith(session["id"])
    assert session["metadata"] == {"user_id": "u1"} and session["client_reference_id"] == "u1"
    assert session["expires_at"] == session["created"] + 86400 and "line_items" not in session
    shown = (await stripe("GET", f"/checkout/sessions/{session['id']}?expand[]=customer")).json
    assert shown == session
    expired = await stripe("POST", f"/checkout/sessions/{session['id']}/expire")
    assert expired.json["status"] == "expired" and expired.json["url"] is None
    assert (await stripe("POST", f"/checkout/sessions/{session['id']}/expire")).status == 400
    missing = await stripe("GET", "/checkout/sessions/cs_none")
    assert missing.status == 404 and error(missing)["code"] == "resource_missing"


@pytest.mark.parametrize(("change", "code", "param"), [
    ({"success_url": None}, "parameter_missing", "success_url"),
    ({"success_url": "app.test/ok"}, "url_invalid", "success_url"),
    ({"line_items[0][price]": None, "line_items[0][quantity]": None}, None, "mode"),
    ({"line_items[0][price]": None}, None, "line_items[0]"),
    ({"line_items[0][price]": "starter"}, "resource_missing", "line_items[0][price]"),
    ({"line_items[0][quantity]": "0"}, "parameter_invalid_integer", "line_items[0][quantity]"),
    ({"mode": "lease"}, None, "mode"),
    ({"mode": None}, "parameter_missing", "mode"),
    ({"mode": "payment"}, None, "subscription_data"),
    ({"payment_intent_data[metadata][a]": "b"}, None, "payment_intent_data"),
    ({"customer": "cus_none"}, "resource_missing", "customer"),
    ({"customer": "cus_1", "customer_email": "a@b.test"}, None, None),
    ({"customer_email": "nobody"}, "email_invalid", "customer_email"),
    ({"client_reference_id": "x" * 201}, None, "client_reference_id"),
    ({"expires_at": "1"}, None, "expires_at"),
    ({"surprise": "1"}, "parameter_unknown", "surprise"),
    ({"metadata[" + "k" * 41 + "]": "v"}, None, "metadata"),
    ({"metadata[k]": "v" * 501}, None, "metadata[k]"),
])
async def test_checkout_refusals(sim, stripe, change, code, param):
    form = {name: value for name, value in {**SESSION, **change}.items() if value is not None}
    if param == "mode" and change.get("line_items[0][price]", "") is None:
        form, param = {"mode": "subscription", "success_url": "https://a.test"}, "line_items"
        code = "parameter_missing"
    refused = await stripe("POST", "/checkout/sessions", form=form)
    assert (refused.status, error(refused).get("code"), error(refused).get("param")) == (400, code, param)
    assert error(refused)["type"] == "invalid_request_error" and not sim.stripe.objects["checkout.session"]


async def test_known_prices(stripe, control):
    await control("POST", "/config", {"stripe": {"prices": ["price_pro"]}})
    assert error(await stripe("POST", "/checkout/sessions", form=SESSION))["code"] == "resource_missing"
    form = {**SESSION, "line_items[0][price]": "price_pro"}
    assert (await stripe("POST", "/checkout/sessions", form=form)).status == 200


async def test_session_expires_by_itself(sim, stripe):
    session = (await stripe("POST", "/checkout/sessions", form=SESSION)).json
    sim.clock.advance(86_400_001)
    assert (await stripe("GET", f"/checkout/sessions/{session['id']}")).json["status"] == "expired"
    assert (await stripe("GET", "/events?type=checkout.session.expired")).json["data"][0]["data"]["object"]["id"] == (
        session["id"])


async def test_paying_makes_a_subscription_and_events(stripe, control):
    session = (await stripe("POST", "/checkout/sessions", form=SESSION)).json
    paid = await control("POST", f"/stripe/checkout/sessions/{session['id']}/complete", {"email": "u1@x.test"})
    assert paid.status == 200
    subscription = paid.json["subscription"]
    assert subscription["metadata"] == {"user_id": "u1"} and subscription["status"] == "active"
    session = paid.json["session"]
    assert (session["payment_status"], session["subscription"]) == ("paid", subscription["id"])
    types = [event["type"] for event in (await stripe("GET", "/events")).json["data"]]
    assert types[::-1] == ["customer.created", "customer.subscription.created", "checkout.session.completed"]
    assert (await control("POST", f"/stripe/checkout/sessions/{session['id']}/complete")).status == 400
    customer = (await stripe("GET", f"/customers/{subscription['customer']}")).json
    assert customer["email"] == "u1@x.test"


async def test_a_payment_that_settles_later(stripe, control):
    for succeeded, status in ((True, "active"), (False, "incomplete_expired")):
        session = (await stripe("POST", "/checkout/sessions", form=SESSION)).json
        path = f"/stripe/checkout/sessions/{session['id']}"
        assert (await control("POST", path + "/settle", {"succeeded": True})).status == 400
        done = (await control("POST", path + "/complete", {"settled": False})).json
        assert (done["session"]["payment_status"], done["subscription"]["status"]) == ("unpaid", "incomplete")
        settled = (await control("POST", path + "/settle", {"succeeded": succeeded})).json
        assert settled["subscription"]["status"] == status
        assert settled["events"][-1]["type"] == f"checkout.session.async_payment_{'succeeded' if succeeded else 'failed'}"
        shown = (await stripe("GET", f"/events/{settled['events'][-1]['id']}")).json
        assert shown == settled["events"][-1]
        assert (await control("POST", path + "/settle", {"succeeded": succeeded})).status == 400


async def test_leaving_a_session(stripe, control):
    session = (await stripe("POST", "/checkout/sessions", form=SESSION)).json
    path = f"/stripe/checkout/sessions/{session['id']}"
    left = (await control("POST", path + "/expire")).json
    assert left["session"]["status"] == "expired" and left["events"][0]["type"] == "checkout.session.expired"
    for verb in ("expire", "complete"):
        assert (await control("POST", f"{path}/{verb}", {})).status == 400


@pytest.mark.parametrize("body", [{"settled": 1}, {"email": 5}])
async def test_bad_payments(stripe, control, body):
    session = (await stripe("POST", "/checkout/sessions", form=SESSION)).json
    assert (await control("POST", f"/stripe/checkout/sessions/{session['id']}/complete", body)).status == 400


async def test_customers(stripe):
    made = (await stripe("POST", "/customers", form={"email": "a@b.test", "metadata[user_id]": "u1"})).json
    assert made["object"] == "customer" and made["livemode"] is False
    changed = await stripe("POST", f"/customers/{made['id']}", form={"metadata[user_id]": "", "metadata[x]": "y"})
    assert changed.json["metadata"] == {"x": "y"}
    assert (await stripe("GET", "/customers?email=a@b.test")).json["data"][0]["id"] == made["id"]
    missing = await stripe("GET", "/customers/cus_none")
    assert (missing.status, error(missing)["message"]) == (404, "No such customer: 'cus_none'")
    assert (await stripe("POST", "/customers", form={"email": "nobody"})).status == 400


async def test_idempotent_replay(sim, stripe):
    headers = {"Idempotency-Key": "job-1"}
    first = await stripe("POST", "/checkout/sessions", form=SESSION, headers=headers)
    again = await stripe("POST", "/checkout/sessions", form=SESSION, headers=headers)
    assert first.body == again.body and again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers and first.headers["Idempotency-Key"] == "job-1"
    assert len(sim.stripe.objects["checkout.session"]) == 1
    different = await stripe("POST", "/checkout/sessions", form={**SESSION, "client_reference_id": "u2"},
                             headers=headers)
    assert different.status == 400 and error(different)["type"] == "idempotency_error"
    assert "same parameters" in error(different)["message"]
    elsewhere = await stripe("POST", "/customers", form={}, headers=headers)
    assert elsewhere.status == 400 and "same endpoint" in error(elsewhere)["message"]
    sim.clock.advance(86_400_001)
    later = await stripe("POST", "/checkout/sessions", form=SESSION, headers=headers)
    assert later.status == 200 and later.json["id"] != first.json["id"]
    too_long = await stripe("POST", "/customers", form={}, headers={"Idempotency-Key": "k" * 256})
    assert too_long.status == 400


async def test_refusals_are_not_kept(stripe):
    headers = {"Idempotency-Key": "job-2"}
    assert (await stripe("POST", "/customers", form={"email": "nobody"}, headers=headers)).status == 400
    assert (await stripe("POST", "/customers", form={"email": "a@b.test"}, headers=headers)).status == 200


async def test_key_in_use(sim, stripe, control):
    await control("POST", "/config", {"stripe": {"latency_ms": 600_000}})
    headers = {"Idempotency-Key": "job-3"}
    first = asyncio.ensure_future(stripe("POST", "/customers", form={}, headers=headers))
    await until(lambda: sim.stripe._idempotency.find("job-3"))
    second = await stripe("POST", "/customers", form={}, headers=headers)
    assert (second.status, error(second)["code"]) == (409, "idempotency_key_in_use")
    sim.clock.advance(600_000)
    assert (await first).status == 200


async def test_rate_limit(sim, stripe, control):
    await control("POST", "/config", {"stripe": {"rate_limit_per_s": 1}})
    answers = [await stripe("GET", "/events") for _ in range(5)]
    refused = next(answer for answer in answers if answer.status == 429)
    assert error(refused)["code"] == "rate_limit" and refused.headers["Stripe-Rate-Limited-Reason"] == "global-rate"
    sim.clock.advance(1000)
    assert (await stripe("GET", "/events")).status == 200


async def test_subscription_update_and_its_event(stripe, control):
    subscription = await seed(control)
    end = subscription["items"]["data"][0]["current_period_end"]
    changed = await stripe("POST", "/subscriptions/sub_1", form={"cancel_at_period_end": "true"})
    assert changed.json["cancel_at_period_end"] is True and changed.json["cancel_at"] == end
    event = (await stripe("GET", "/events?types[]=customer.subscription.updated")).json["data"][0]
    assert event["data"]["previous_attributes"]["cancel_at_period_end"] is False
    back = await stripe("POST", "/subscriptions/sub_1", form={"cancel_at_period_end": "false"})
    assert back.json["cancel_at"] is None and back.json["canceled_at"] is None
    item = subscription["items"]["data"][0]["id"]
    moved = await stripe("POST", "/subscriptions/sub_1", form={"items[0][id]": item, "items[0][price]": "price_pro",
                                                               "proration_behavior": "none", "metadata[tier]": "pro"})
    assert moved.json["items"]["data"][0]["price"]["id"] == "price_pro" and moved.json["metadata"] == {"tier": "pro"}
    paused = await stripe("POST", "/subscriptions/sub_1", form={"pause_collection[behavior]": "void"})
    assert paused.json["pause_collection"]["behavior"] == "void" and paused.json["status"] == "active"
    unpaused = await stripe("POST", "/subscriptions/sub_1", form={"pause_collection": ""})
    assert unpaused.json["pause_collection"] is None
    both = await stripe("POST", "/subscriptions/sub_1", form={"cancel_at_period_end": "true",
                                                              "cancel_at": "1900000000"})
    assert both.status == 400
    for form in ({"items[0][id]": "si_none"}, {"items[0][id]": item, "items[0][deleted]": "true"},
                 {"cancel_at_period_end": "yes"}, {"plan": "x"}):
        assert (await stripe("POST", "/subscriptions/sub_1", form=form)).status == 400


async def test_subscription_end(stripe, control):
    await seed(control)
    deleted = await stripe("DELETE", "/subscriptions/sub_1?invoice_now=false")
    assert deleted.json["status"] == "canceled" and deleted.json["ended_at"] is not None
    again = await stripe("DELETE", "/subscriptions/sub_1")
    assert (again.status, error(again)["code"]) == (404, "resource_missing")
    assert (await stripe("POST", "/subscriptions/sub_1", form={"cancel_at_period_end": "true"})).status == 400
    assert (await stripe("POST", "/subscriptions/sub_1", form={"metadata[a]": "b"})).status == 200
    assert (await stripe("GET", "/subscriptions/sub_1")).json["status"] == "canceled"
    assert (await stripe("GET", "/events?type=customer.subscription.*")).json["data"][-1]["type"].endswith("created")
    assert (await stripe("GET", "/subscriptions?customer=cus_1")).json["data"] == []
    assert len((await stripe("GET", "/subscriptions?customer=cus_1&status=all")).json["data"]) == 1


async def test_resume_only_when_paused(stripe, control):
    await seed(control)
    refused = await stripe("POST", "/subscriptions/sub_1/resume")
    assert refused.status == 400
    await seed(control, id="sub_2", status="paused")
    resumed = await stripe("POST", "/subscriptions/sub_2/resume", form={"billing_cycle_anchor": "now"})
    assert (resumed.status, resumed.json["status"]) == (200, "active")


async def test_period_moves_with_the_api_version(stripe, control):
    await seed(control)
    new = (await stripe("GET", "/subscriptions/sub_1")).json
    old = (await stripe("GET", "/subscriptions/sub_1", headers={"Stripe-Version": "2024-06-20"})).json
    assert "current_period_end" not in new
    assert old["current_period_end"] == new["items"]["data"][0]["current_period_end"]


async def test_unknown_objects_and_adoption(stripe, control):
    assert (await stripe("GET", "/subscriptions/sub_x")).status == 404
    await control("POST", "/config", {"stripe": {"adopt_unknown": True}})
    assert (await stripe("GET", "/subscriptions/sub_x")).json["status"] == "active"
    portal = await stripe("POST", "/billing_portal/sessions", form={"customer": "cus_x"})
    assert portal.status == 200 and portal.json["url"].startswith("https://")


async def test_events_pages(sim, stripe, control):
    for number in range(5):
        await control("POST", "/stripe/events", {
            "id": f"evt_{number}", "type": "invoice.paid", "object": {"id": "in_1"},
            "created": int(sim.clock.now()) - 100 + number, "delivered": number != 2})

    async def ids(query):
        answer = (await stripe("GET", f"/events?{query}")).json
        assert answer["object"] == "list" and answer["url"] == "/v1/events"
        return [event["id"] for event in answer["data"]], answer["has_more"]

    assert await ids("limit=2") == (["evt_4", "evt_3"], True)
    assert await ids("limit=2&starting_after=evt_3") == (["evt_2", "evt_1"], True)
    assert await ids("limit=2&ending_before=evt_0") == (["evt_2", "evt_1"], True)
    assert await ids("limit=2&ending_before=evt_2") == (["evt_4", "evt_3"], False)
    assert await ids("delivery_success=false") == (["evt_2"], False)
    since = int(sim.clock.now()) - 100 + 3
    assert len((await ids(f"created[gte]={since - 1}"))[0]) >= 2
    assert await ids("types[]=a.b&types[]=c.d") == ([], False)
    assert await ids("type=invoice.*&limit=100") == ([f"evt_{number}" for number in (4, 3, 2, 1, 0)], False)
    for query in ("limit=0", "limit=101", "ending_before=evt_9", "type=a&types[]=b", "created[near]=1", "odd=1",
                  "&".join(f"types[]=t{number}" for number in range(21))):
        assert (await stripe("GET", f"/events?{query}")).status == 400
    assert (await stripe("GET", "/events/evt_3")).json["data"]["object"] == {"id": "in_1"}
    sim.clock.advance(30 * 86_400_000)
    assert await ids("") == ([], False)
    assert (await stripe("GET", "/events/evt_3")).status == 404


async def test_unknown_url_and_json_body(stripe):
    refused = await stripe("GET", "/nothing")
    assert refused.status == 404 and error(refused)["message"].startswith("Unrecognized request URL (GET: /v1/nothing)")
    assert (await stripe("POST", "/customers", {"email": "a@b.test"})).status == 400


@pytest.mark.parametrize(("text", "form"), [
    ("a=1&b%5Bc%5D=2", {"a": "1", "b": {"c": "2"}}),
    ("l[0][p]=x&l[1][p]=y&l[0][q]=2", {"l": [{"p": "x", "q": "2"}, {"p": "y"}]}),
    ("e[]=a&e[]=b", {"e": ["a", "b"]}),
    ("m[10]=k&m[2]=j", {"m": ["j", "k"]}),
    ("a=", {"a": ""}),
    ("", {}),
])
async def test_forms(text, form):
    assert forms.parse_form(text) == form


@pytest.mark.parametrize("text", ["[a]=1", "a[b=1", "a=1&a[b]=2", "a[b][c][d][e][f][g]=1"])
async def test_bad_forms(text):
    with pytest.raises(Refusal):
        forms.parse_form(text)
