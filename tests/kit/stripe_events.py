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


def subscription(subscription_id, customer, status="active", price="price_starter", user_id=None, layout="basil", **more):
    """A subscription object; `layout` "old" has the period on the subscription itself."""
    now = int(time.time())
    period = {"current_period_start": now, "current_period_end": now + 30 * 86400}
    item = {"id": new_id("si"), "object": "subscription_item", "quantity": 1, "price": {"id": price, "object": "price"}}
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
        "items": {"object": "list", "data": [item]},
    }
    (item if layout == "basil" else obj).update(period)
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
