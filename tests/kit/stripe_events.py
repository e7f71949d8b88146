"""Stripe events as Stripe sends them, in both layouts: `basil` (since 2025-03-31) and the one before."""

import itertools
import time
import uuid

_SEQUENCE = itertools.count(1)


def new_id(prefix):
    return f"{prefix}_{uuid.uuid4().hex[:20]}{next(_SEQUENCE)}"


def event(event_type, obj, created=None, event_id=None, api_version="2025-08-27.basil"):
    """A snapshot event around an object."""
    return {
        "id": event_id or new_id("evt"),
        "object": "event",
        "api_version": api_version,
        "created": int(time.time() if created is None else created),
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": event_type,
        "data": {"object": obj},
    }


def subscription(subscription_id, customer, status="active", price="price_starter", user_id=None, layout="basil",
                 starts=None, ends=None, **more):
    """A subscription object; `layout` "old" has the period on the subscription itself. price: one, or a list for items."""
    now = int(time.time())
    start = now if starts is None else starts
    period = {"current_period_start": start, "current_period_end": start + 30 * 86400 if ends is None else ends}
    items = [{"id": new_id("si"), "object": "subscription_item", "quantity": 1,
              "price": {"id": each, "object": "price"}} for each in ([price] if isinstance(price, str) else price)]
    obj = {
        "id": subscription_id,
        "object": "subscription",
        "customer": customer,
        "status": status,
        "metadata": {"user_id": user_id} if user_id else {},
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": now if status == "canceled" else None,
        "trial_end": None,
        "items": {"object": "list", "data": items},
    }
    for holder in items if layout == "basil" else [obj]:
        holder.update(period)
    obj.update(more)
    return obj


def invoice(customer, subscription_id=None, user_id=None, layout="basil", **more):
    """An invoice object of a subscription (or of none)."""
    metadata = {"user_id": user_id} if user_id else {}
    obj = {
        "id": new_id("in"),
        "object": "invoice",
        "customer": customer,
        "status": "open",
        "billing_reason": "subscription_cycle",
        "amount_due": 4900,
        "currency": "usd",
        "attempt_count": 1,
        "hosted_invoice_url": "https://invoice.stripe.com/i/test",
        "metadata": {},
    }
    if subscription_id and layout == "basil":
        details = {"subscription": subscription_id, "metadata": metadata}
        obj["parent"] = {"type": "subscription_details", "subscription_details": details, "quote_details": None}
    elif subscription_id:
        obj.update(subscription=subscription_id, subscription_details={"metadata": metadata})
    obj.update(more)
    return obj


def checkout(customer, metadata=None, user_id=None, **more):
    """A completed, paid Checkout session."""
    obj = {
        "id": new_id("cs_test"),
        "object": "checkout.session",
        "mode": "subscription",
        "status": "complete",
        "payment_status": "paid",
        "customer": customer,
        "customer_details": {"email": None},
        "client_reference_id": user_id,
        "metadata": metadata or {},
        "subscription": None,
    }
    obj.update(more)
    return obj


def expired_checkout(customer, session_id, user_id=None, **more):
    """A session that its customer has left."""
    return checkout(customer, user_id=user_id, id=session_id, status="expired", payment_status="unpaid", **more)


def payment_intent(customer, user_id=None, message="Your card was declined.", code="card_declined", **more):
    """A payment that failed."""
    obj = {
        "id": new_id("pi"),
        "object": "payment_intent",
        "customer": customer,
        "metadata": {"user_id": user_id} if user_id else {},
        "amount": 4900,
        "currency": "usd",
        "status": "requires_payment_method",
        "last_payment_error": {"type": "card_error", "code": code, "decline_code": "generic_decline", "message": message},
        "latest_charge": None,
    }
    obj.update(more)
    return obj


def customer(customer_id, email=None, user_id=None, **more):
    """A customer object."""
    obj = {"id": customer_id, "object": "customer", "email": email, "name": None,
           "metadata": {"user_id": user_id} if user_id else {}}
    obj.update(more)
    return obj


def in_old_layout(event):
    """The event as an endpoint of an API version before 2025-03-31 gets it, from one in today's layout."""
    obj = dict(event["data"]["object"])
    if obj["object"] == "subscription" and obj["items"]["data"]:
        first = obj["items"]["data"][0]
        obj.update({name: first[name] for name in ("current_period_start", "current_period_end") if name in first})
        obj["items"] = {**obj["items"], "data": [
            {name: value for name, value in item.items() if not name.startswith("current_period")}
            for item in obj["items"]["data"]]}
    if obj["object"] == "invoice" and obj.get("parent"):
        details = obj.pop("parent")["subscription_details"]
        obj.update(subscription=details["subscription"], subscription_details={"metadata": details["metadata"]})
    return {**event, "api_version": "2024-06-20", "data": {**event["data"], "object": obj}}
