"""Simulated Stripe (api.stripe.com/v1): customers, Checkout sessions, subscriptions, the Events API.

Every POST may carry an Idempotency-Key: the first answer of a key is its answer for 24 hours; a refusal before
anything took effect is not kept. What changes a subscription or a session is also an event. Sessions are paid, and
subscriptions seeded, by control: nobody types a card number here.
"""

import base64
import collections
import copy
import hashlib
import itertools
import re

from . import stripe_forms as forms
from .idempotency import IdempotencyKeys
from .web import Cloud, Refusal, json_reply

DAY_S = 24 * 3600
MONTH_S = 30 * DAY_S
MAX_OBJECTS = 100_000
EVENT_LIFE_S = 30 * DAY_S
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")
BASIL = "2025-03-31"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
PREFIXES = {"customer": "cus_", "subscription": "sub_", "checkout.session": "cs_test_"}


class Stripe(Cloud):
    name = "stripe"

    def __init__(self, simulation):
        self.key = simulation.options.stripe_secret_key
        super().__init__(simulation)
        self._idempotency = IdempotencyKeys(self.clock, DAY_S)
        self._sequence = itertools.count(1)
        self.reset()

    def reset(self):
        self.objects = {"customer": {}, "subscription": {}, "checkout.session": {}}
        self.events = collections.OrderedDict()
        self._idempotency.clear()
        self._second = 0
        self._in_second = 0

    def routes(self):
        return [
            ("POST", "/v1/customers", self._create_customer),
            ("GET", "/v1/customers", self._list_customers),
            ("GET", "/v1/customers/{id}", self._get_customer),
            ("POST", "/v1/customers/{id}", self._update_customer),
            ("POST", "/v1/checkout/sessions", self._create_session),
            ("GET", "/v1/checkout/sessions/{id}", self._get_session),
            ("POST", "/v1/checkout/sessions/{id}/expire", self._expire_session),
            ("GET", "/v1/subscriptions", self._list_subscriptions),
            ("GET", "/v1/subscriptions/{id}", self._get_subscription),
            ("POST", "/v1/subscriptions/{id}", self._update_subscription),
            ("DELETE", "/v1/subscriptions/{id}", self._cancel_subscription),
            ("POST", "/v1/subscriptions/{id}/resume", self._resume_subscription),
            ("POST", "/v1/billing_portal/sessions", self._create_portal_session),
            ("GET", "/v1/events", self._list_events),
            ("GET", "/v1/events/{id}", self._get_event),
        ]

    # Admission.

    def admit(self, request):
        key = request.bearer() or basic_user(request)
        if not key:
            return forms.stripe_error(401, "You did not provide an API key. You need to provide your API key in the "
                                           "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
                                           "YOUR_SECRET_KEY').")
        if key != self.key:
            return forms.stripe_error(401, f"Invalid API Key provided: {key[:8]}{'*' * 8}{key[-4:]}")
        version = request.headers.get("Stripe-Version")
        if version is not None and not VERSION.fullmatch(version):
            return forms.stripe_error(400, f"Invalid Stripe API version: {version}")
        return self._limit()

    def _limit(self):
        """The global rate limit, a fixed window of a second; it runs before the idempotency layer."""
        limit, second = self.settings.rate_limit_per_s, int(self.clock.now())
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        return self.rate_limited_reply() if limit and self._in_second > limit else None

    def rate_limited_reply(self):
        return forms.stripe_error(429, "Request rate limit exceeded.", code="rate_limit",
                                  headers={"Stripe-Rate-Limited-Reason": "global-rate"})

    def error_reply(self, status):
        if status == 409:
            return self._key_in_use("simulated")
        kind = "api_error" if status >= 500 else "invalid_request_error"
        code = "lock_timeout" if status == 429 else None
        return forms.stripe_error(status, "Something went wrong on Stripe's end." if status >= 500 else "Refused.",
                                  kind=kind, code=code)

    def no_route(self, request, allowed):
        return forms.stripe_error(404, f"Unrecognized request URL ({request.method}: {request.path}). If you are "
                                       "trying to list objects, remove the trailing slash. If you are trying to "
                                       "retrieve an object, make sure you passed a valid (non-empty) identifier in "
                                       "your code.")

    def decorate(self, request, reply):
        reply.headers.setdefault("Request-Id", f"req_{self._letters(14)}")
        reply.headers["Stripe-Version"] = request.headers.get("Stripe-Version", self.settings.api_version)
        key = self.idempotency_key(request)
        if key and request.method == "POST":
            reply.headers["Idempotency-Key"] = key

    def idempotency_key(self, request):
        return request.headers.get("Idempotency-Key")

    # Idempotency.

    async def execute(self, request):
        key = self.idempotency_key(request)
        if request.method != "POST" or not key:
            return await super().execute(request)
        if len(key) > 255:
            return forms.stripe_error(400, "Idempotency keys can be at most 255 characters.", kind="idempotency_error")
        fingerprint = hashlib.sha256(request.body).hexdigest()
        entry = self._idempotency.find(key)
        if entry is not None:
            return self._replay(request, key, entry, fingerprint)
        entry = self._idempotency.begin(key, request.path, fingerprint)
        return await self.detach(self._first_time(request, key, entry))

    async def _first_time(self, request, key, entry):
        try:
            reply = await super().execute(request)
        except BaseException:
            self._idempotency.release(key)
            raise
        if reply.status >= 400:
            self._idempotency.release(key)  # refused before anything was executed
        else:
            entry.reply = copy.deepcopy(reply)
        return reply

    def _replay(self, request, key, entry, fingerprint):
        if entry.scope != request.path:
            return forms.stripe_error(400, "Keys for idempotent requests can only be used for the same endpoint they "
                                           f"were first used for ('{request.path}' vs '{entry.scope}'). Try using a "
                                           f"key other than '{key}' if you meant to execute a different request.",
                                      kind="idempotency_error")
        if entry.fingerprint != fingerprint:
            return forms.stripe_error(400, "Keys for idempotent requests can only be used with the same parameters "
                                           f"they were first used with. Try using a key other than '{key}' if you "
                                           "meant to execute a different request.", kind="idempotency_error")
        if entry.reply is None:
            return self._key_in_use(key)
        reply = copy.deepcopy(entry.reply)
        reply.headers["Idempotent-Replayed"] = "true"
        return reply

    def _key_in_use(self, key):
        return forms.stripe_error(409, "There is currently another in-progress request using this Idempotent Key (that "
                                       "probably means you submitted twice, and the other request is still going "
                                       f"through): {key}. Please try again later.", kind="idempotency_error",
                                  code="idempotency_key_in_use")

    # Customers.

    def _create_customer(self, request):
        values = self._form(request, forms.CUSTOMER)
        customer = self.make_customer({name: values[name] for name in ("email", "name", "description", "phone")
                                       if name in values}, values.get("metadata", {}))
        request.effect(f"created {customer['id']}")
        return json_reply(200, customer)

    def make_customer(self, fields, metadata, customer_id=None):
        """Enters a customer; answers it."""
        customer = {"id": customer_id or self._new_id("cus_"), "object": "customer", "balance": 0,
                    "created": int(self.clock.now()), "currency": None, "default_source": None, "delinquent": False,
                    "description": None, "discount": None, "email": None, "invoice_prefix": self._letters(8).upper(),
                    "invoice_settings": {"default_payment_method": None}, "livemode": False, "metadata": metadata,
                    "name": None, "phone": None, "preferred_locales": [], "shipping": None, "tax_exempt": "none",
                    **fields}
        self._store("customer", customer)
        self.emit("customer.created", customer)
        return customer

    def _get_customer(self, request):
        self._form(request, {})
        return json_reply(200, self._object("customer", request.arguments["id"]))

    def _update_customer(self, request):
        values = self._form(request, forms.CUSTOMER)
        customer = self._object("customer", request.arguments["id"])
        forms.merge_metadata(customer, values.pop("metadata", None))
        customer.update({name: value for name, value in values.items() if name in customer})
        request.effect(f"updated {customer['id']}")
        return json_reply(200, customer)

    def _list_customers(self, request):
        values = self._form(request, forms.PLAIN_LIST)
        wanted = values.get("email")
        rows = [row for row in self.objects["customer"].values() if wanted in (None, row["email"])]
        return self._list_reply(request, rows, values)

    # Checkout sessions.

    def _create_session(self, request):
        values = self._form(request, forms.SESSION)
        mode = values.get("mode") or ("setup" if "line_items" not in values else forms.require(values, "mode"))
        self._check_session(values, mode)
        now = int(self.clock.now())
        session_id = self._new_id("cs_test_a1")
        session = {
            "id": session_id, "object": "checkout.session", "amount_subtotal": None, "amount_total": None,
            "cancel_url": values.get("cancel_url"), "client_reference_id": values.get("client_reference_id"),
            "created": now, "currency": "usd", "customer": values.get("customer"), "customer_details": None,
            "customer_email": values.get("customer_email"), "expires_at": values.get("expires_at", now + DAY_S),
            "invoice": None, "livemode": False, "locale": values.get("locale"), "metadata": values.get("metadata", {}),
            "mode": mode, "payment_intent": None, "payment_status": "unpaid" if mode != "setup" else
            "no_payment_required", "recovered_from": None, "setup_intent": None, "status": "open",
            "subscription": None, "success_url": values.get("success_url"),
            "ui_mode": values.get("ui_mode", "hosted_page"), "url": f"https://checkout.stripe.test/c/pay/{session_id}"}
        self._store("checkout.session", session, {
            "line_items": values.get("line_items", []),
            "subscription_metadata": (values.get("subscription_data") or {}).get("metadata", {})})
        request.effect(f"created {session_id}")
        return json_reply(200, session)

    def _check_session(self, values, mode):
        """Refuses what Checkout refuses."""
        if mode != "setup":
            forms.require(values, "line_items")
        for index, item in enumerate(values.get("line_items", [])):
            name = f"line_items[{index}]"
            forms.mapping(item, name)
            if "price" not in item and "price_data" not in item:
                forms.refuse(f"You must specify either `price` or `price_data` in {name}.", param=name)
            if "price" in item:
                self._check_price(item["price"], f"{name}[price]")
            if "quantity" in item and forms.integer(item["quantity"], f"{name}[quantity]") < 1:
                forms.refuse("This value must be greater than or equal to 1.", param=f"{name}[quantity]",
                             code="parameter_invalid_integer")
        if values.get("ui_mode", "hosted_page") in ("hosted_page", "hosted"):
            forms.require(values, "success_url")
        if "customer" in values and "customer_email" in values:
            forms.refuse("You may only specify one of these parameters: customer, customer_email.")
        if "customer" in values:
            self._object("customer", values["customer"], "customer", status=400)
        if mode == "subscription" and "payment_intent_data" in values:
            forms.refuse("You can not pass `payment_intent_data` in `subscription` mode.", param="payment_intent_data")
        if mode != "subscription" and "subscription_data" in values:
            forms.refuse("You can only pass `subscription_data` in `subscription` mode.", param="subscription_data")
        if "subscription_data" in values:
            forms.metadata(values["subscription_data"].get("metadata", {}), "subscription_data[metadata]")
        now = self.clock.now()
        if not now + 1790 <= values.get("expires_at", now + DAY_S) <= now + DAY_S + 10:
            forms.refuse("The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session "
                         "creation.", param="expires_at")

    def _check_price(self, price, param):
        known = self.settings.prices
        exists = price in known if known is not None else isinstance(price, str) and price.startswith("price_")
        if not exists:
            forms.no_such("price", price, param, status=400)

    def _get_session(self, request):
        self._form(request, {})
        return json_reply(200, self._session(request))

    def _session(self, request):
        """The session named; past its time it is expired."""
        session = self._object("checkout.session", request.arguments["id"])
        if session["status"] == "open" and session["expires_at"] <= self.clock.now():
            self.expire(session)
        return session

    def _expire_session(self, request):
        self._form(request, {})
        session = self._session(request)
        if session["status"] != "open":
            forms.refuse(f"Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session "
                         f"has a status of {session['status']}.")
        self.expire(session)
        request.effect(f"expired {session['id']}")
        return json_reply(200, session)

    def expire(self, session):
        """The one place where a session expires."""
        session.update(status="expired", url=None)
        self.ledger.ended("stripe", "checkout.session", session["id"], "expired")
        self.emit("checkout.session.expired", session)

    def _create_portal_session(self, request):
        values = self._form(request, forms.PORTAL)
        self._object("customer", forms.require(values, "customer"), "customer", status=400)
        portal_id = self._new_id("bps_")
        request.effect(f"created {portal_id}")
        return json_reply(200, {"id": portal_id, "object": "billing_portal.session", "created": int(self.clock.now()),
                                "customer": values["customer"], "livemode": False,
                                "return_url": values.get("return_url"),
                                "url": f"https://billing.stripe.test/p/session/{portal_id}"})

    # Subscriptions.

    def make_subscription(self, document):
        """Enters a subscription: {"id"?, "customer", "prices"?, "status"?, "metadata"?, "trial_end"?, ...}."""
        now = int(self.clock.now())
        subscription_id = document.get("id") or self._new_id("sub_")
        start = document.get("current_period_start", now)
        end = document.get("current_period_end", start + MONTH_S)
        items = [{"id": self._new_id("si_"), "object": "subscription_item", "created": now, "quantity": 1,
                  "metadata": {}, "subscription": subscription_id, "price": forms.price_view(price),
                  "current_period_start": start, "current_period_end": end}
                 for price in document.get("prices", ["price_starter"])]
        subscription = {
            "id": subscription_id, "object": "subscription", "billing_cycle_anchor": start, "cancel_at": None,
            "cancel_at_period_end": False, "canceled_at": None, "collection_method": "charge_automatically",
            "cancellation_details": {"comment": None, "feedback": None, "reason": None}, "created": now,
            "currency": "usd", "customer": document["customer"], "ended_at": None,
            "latest_invoice": self._new_id("in_"),
            "items": {"object": "list", "data": items, "has_more": False, "total_count": len(items),
                      "url": f"/v1/subscription_items?subscription={subscription_id}"},
            "livemode": False, "metadata": document.get("metadata", {}), "pause_collection": None,
            "start_date": start, "status": document.get("status", "active"), "trial_end": document.get("trial_end"),
            "trial_start": None, "default_payment_method": None, "description": None, "schedule": None}
        self._store("subscription", subscription)
        self.emit("customer.subscription.created", subscription)
        return subscription

    def _get_subscription(self, request):
        self._form(request, {})
        return json_reply(200, self.shaped(request, self._subscription(request)))

    def _list_subscriptions(self, request):
        values = self._form(request, forms.PLAIN_LIST)
        customer, status = values.get("customer"), values.get("status")
        rows = [self.shaped(request, row) for row in self.objects["subscription"].values()
                if customer in (None, row["customer"])
                and (status in ("all", row["status"]) or status is None and row["status"] != "canceled")]
        return self._list_reply(request, rows, values)

    def _update_subscription(self, request):
        values = self._form(request, forms.SUBSCRIPTION)
        subscription = self._subscription(request)
        ended = subscription["status"] in ("canceled", "incomplete_expired")
        if ended and set(values) - {"cancellation_details", "metadata"}:
            forms.refuse("A canceled subscription can only update its cancellation_details and metadata.")
        if values.get("cancel_at_period_end") and values.get("cancel_at"):
            forms.refuse("You may only specify one of these parameters: cancel_at, cancel_at_period_end.")
        before = copy.deepcopy(subscription)
        items = self._changed_items(subscription, values.pop("items", []))
        self._apply_update(subscription, values)
        if items is not None:
            subscription["items"].update(data=items, total_count=len(items))
        request.effect(f"updated {subscription['id']}")
        self._emit_update(subscription, before)
        return json_reply(200, self.shaped(request, subscription))

    def _apply_update(self, subscription, values):
        now = int(self.clock.now())
        forms.merge_metadata(subscription, values.pop("metadata", None))
        if "cancel_at_period_end" in values:
            wanted = values.pop("cancel_at_period_end")
            period_end = subscription["items"]["data"][0]["current_period_end"] if wanted else None
            subscription.update(cancel_at_period_end=wanted, cancel_at=period_end, canceled_at=now if wanted else None)
        if "cancel_at" in values:
            moment = values.pop("cancel_at") or None
            subscription.update(cancel_at=moment, canceled_at=now if moment else None)
        if "pause_collection" in values:
            pause = values.pop("pause_collection")
            subscription["pause_collection"] = {"behavior": pause.get("behavior"),
                                                "resumes_at": pause.get("resumes_at")} if pause else None
        if "cancellation_details" in values:
            subscription["cancellation_details"].update(values.pop("cancellation_details"))
        if values.get("trial_end") == "now":
            values["trial_end"] = now
        subscription.update({name: value for name, value in values.items() if name in subscription})

    def _changed_items(self, subscription, changes):
        """The items after a change list, or None for none; refuses unknown items and prices."""
        if not changes:
            return None
        items = copy.deepcopy(subscription["items"]["data"])
        for index, change in enumerate(changes):
            forms.mapping(change, f"items[{index}]")
            if "price" in change:
                self._check_price(change["price"], f"items[{index}][price]")
            item = next((each for each in items if each["id"] == change.get("id")), None)
            if "id" in change and item is None:
                forms.no_such("subscription item", change["id"], f"items[{index}][id]", status=400)
            if item is None:
                item = {**copy.deepcopy(items[0]), "id": self._new_id("si_"), "quantity": 1}
                items.append(item)
            if change.get("deleted") == "true":
                items.remove(item)
                continue
            if "price" in change:
                item["price"] = forms.price_view(change["price"])
            if "quantity" in change:
                item["quantity"] = forms.integer(change["quantity"], f"items[{index}][quantity]")
        if not items:
            forms.refuse("A subscription must have at least one active item.", param="items")
        return items

    def _cancel_subscription(self, request):
        values = self._form(request, forms.CANCELLATION)
        subscription = self._subscription(request)
        if subscription["status"] in ("canceled", "incomplete_expired"):
            forms.no_such("subscription", subscription["id"])
        now = int(self.clock.now())
        subscription["cancellation_details"].update(reason="cancellation_requested",
                                                    **values.get("cancellation_details", {}))
        subscription.update(status="canceled", canceled_at=now, ended_at=now)
        self.ledger.ended("stripe", "subscription", subscription["id"], "DELETE")
        request.effect(f"canceled {subscription['id']}")
        self.emit("customer.subscription.deleted", subscription)
        return json_reply(200, self.shaped(request, subscription))

    def _resume_subscription(self, request):
        self._form(request, forms.RESUMPTION)
        subscription = self._subscription(request)
        if subscription["status"] != "paused":
            forms.refuse("You can only resume a subscription whose status is `paused`; its status is "
                         f"`{subscription['status']}`.")
        before = copy.deepcopy(subscription)
        subscription.update(status="active", pause_collection=None)
        request.effect(f"resumed {subscription['id']}")
        self._emit_update(subscription, before)
        self.emit("customer.subscription.resumed", subscription)
        return json_reply(200, self.shaped(request, subscription))

    def _subscription(self, request):
        return self._object("subscription", request.arguments["id"])

    def _emit_update(self, subscription, before):
        changed = {name: before[name] for name in before if before[name] != subscription[name]}
        if changed:
            self.emit("customer.subscription.updated", subscription, changed)

    def shaped(self, request, subscription):
        """As the caller's API version shows it: before basil the period stands on the subscription."""
        version = request.headers.get("Stripe-Version", self.settings.api_version)
        if version >= BASIL:
            return subscription
        item = subscription["items"]["data"][0]
        return {**subscription, "current_period_start": item["current_period_start"],
                "current_period_end": item["current_period_end"]}

    # Events.

    def emit(self, event_type, document, previous=None, *, event_id=None, created=None, delivered=True):
        """Enters an event; answers it. The object is a snapshot."""
        while len(self.events) >= MAX_OBJECTS:
            self.events.popitem(last=False)
        data = {"object": copy.deepcopy(document)}
        if previous is not None:
            data["previous_attributes"] = copy.deepcopy(previous)
        event = {"id": event_id or self._new_id("evt_1"), "object": "event", "api_version": self.settings.api_version,
                 "created": int(self.clock.now()) if created is None else created, "livemode": False,
                 "pending_webhooks": 0 if delivered else 1, "type": event_type,
                 "request": {"id": None, "idempotency_key": None}, "data": data}
        self.events[event["id"]] = event
        return event

    def _list_events(self, request):
        values = self._form(request, forms.EVENTS)
        types = values.get("types", [])
        if types and "type" in values:
            forms.refuse("You may only specify one of these parameters: type, types.")
        if len(types) > 20:
            forms.refuse("You can specify at most 20 types.", param="types")
        oldest = self.clock.now() - EVENT_LIFE_S
        bounds = forms.created_bounds(values.get("created"))
        rows = [event for event in self.events.values()
                if event["created"] >= oldest and forms.within(event["created"], bounds)
                and (not types or event["type"] in types) and forms.type_matches(values.get("type"), event["type"])
                and values.get("delivery_success") in (None, event["pending_webhooks"] == 0)]
        rows.sort(key=lambda event: event["created"])
        return self._list_reply(request, rows, values)

    def _get_event(self, request):
        event = self.events.get(request.arguments["id"])
        if event is None or event["created"] < self.clock.now() - EVENT_LIFE_S:
            forms.no_such("event", request.arguments["id"])
        return json_reply(200, event)

    def _list_reply(self, request, oldest_first, values):
        """A list object: newest first; ending_before gives the page just newer than the object it names."""
        limit = values.get("limit", 10)
        if not 1 <= limit <= 100:
            forms.refuse("This value must be between 1 and 100.", code="parameter_invalid_integer", param="limit")
        rows = list(reversed(oldest_first))
        places = {row["id"]: place for place, row in enumerate(rows)}
        before, after = values.get("ending_before"), values.get("starting_after")
        for name, cursor in (("ending_before", before), ("starting_after", after)):
            if cursor is not None and cursor not in places:
                forms.no_such("object", cursor, name, status=400)
        if before is not None and after is not None:
            forms.refuse("You may only specify one of these parameters: ending_before, starting_after.")
        if before is not None:
            newer = rows[:places[before]]
            page, has_more = newer[-limit:], len(newer) > limit
        else:
            rest = rows[places[after] + 1:] if after is not None else rows
            page, has_more = rest[:limit], len(rest) > limit
        return json_reply(200, {"object": "list", "url": request.path, "has_more": has_more, "data": page})

    # Helpers.

    def summary(self):
        open_sessions = sum(row["status"] == "open" for row in self.objects["checkout.session"].values())
        return {"customers": len(self.objects["customer"]), "checkout_sessions": len(self.objects["checkout.session"]),
                "open_checkout_sessions": open_sessions, "events": len(self.events),
                "live_subscriptions": sum(row["status"] != "canceled" for row in self.objects["subscription"].values())}

    def _form(self, request, table):
        """Typed parameters of a request: the query of a GET or DELETE, and the body of a POST or DELETE."""
        if request.body and "json" in request.headers.get("Content-Type", ""):
            forms.refuse("Invalid request: v1 takes application/x-www-form-urlencoded, not JSON.")
        try:
            body = request.body.decode()
            form = {**forms.parse_form(request.query_string), **forms.parse_form(body)}
        except ValueError as error:
            raise Refusal(forms.stripe_error(400, f"Invalid request body: {error}")) from error
        return forms.typed(form, table)

    def _object(self, kind, object_id, param="id", status=404):
        row = self.objects[kind].get(object_id)
        if row is None and self.settings.adopt_unknown and kind != "checkout.session":
            return self._adopt(kind, object_id)
        if row is None:
            forms.no_such("customer" if kind == "customer" else kind, object_id, param, status)
        return row

    def _adopt(self, kind, object_id):
        if kind == "customer":
            return self.make_customer({}, {}, object_id)
        return self.make_subscription({"id": object_id, "customer": self._new_id("cus_")})

    def _store(self, kind, row, hidden=None):
        table = self.objects[kind]
        while len(table) >= MAX_OBJECTS:
            table.pop(next(iter(table)))
        table[row["id"]] = row
        self.ledger.made("stripe", kind, row["id"], name=row.get("email"), labels=row["metadata"], extra=hidden,
                         job_id=row["metadata"].get("job_id"))

    def _new_id(self, prefix):
        return f"{prefix}{self._letters(14)}{next(self._sequence):06x}"

    def _letters(self, count):
        return "".join(self.random.choices(ALPHABET, k=count))


def basic_user(request):
    """The user of Basic credentials (Stripe's key), or None."""
    scheme, _space, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[0]
    except ValueError:
        return None
