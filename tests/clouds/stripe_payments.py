"""What customers do at Stripe's own pages, told by control: they pay a Checkout session, leave it, or their bank refuses.

Each function answers what has changed and the events that came of it, as the Events API has them; nothing is sent to
anybody. None: the session is not in a state for it.
"""


def pay(stripe, session_id, email=None, settled=True):
    """The customer completes an open session. settled False: by a bank debit, whose end is known later."""
    session = stripe.objects["checkout.session"].get(session_id)
    if session is None or session["status"] != "open" or session["expires_at"] <= stripe.clock.now():
        return None
    hidden = stripe.ledger.find("stripe", "checkout.session", session_id).extra
    email = email or session["customer_email"] or f"{session['client_reference_id'] or 'someone'}@example.com"
    before = len(stripe.events)
    if session["customer"] is None:
        session["customer"] = stripe.make_customer({"email": email}, {})["id"]
    subscription = None
    if session["mode"] == "subscription":
        prices = [item.get("price", "price_inline") for item in hidden["line_items"]]
        subscription = stripe.make_subscription({
            "customer": session["customer"], "prices": prices, "metadata": hidden["subscription_metadata"],
            "status": "active" if settled else "incomplete"})
        session["subscription"] = subscription["id"]
    paid = "no_payment_required" if session["mode"] == "setup" else "paid" if settled else "unpaid"
    session.update(status="complete", payment_status=paid,
                   customer_details={"email": email, "name": None, "phone": None}, url=None)
    stripe.emit("checkout.session.completed", session)
    return _done(stripe, session, subscription, before)


def settle(stripe, session_id, succeeded):
    """The bank's answer to a session that was completed unpaid."""
    session = stripe.objects["checkout.session"].get(session_id)
    subscription = session and stripe.objects["subscription"].get(session["subscription"])
    if session is None or (session["status"], session["payment_status"]) != ("complete", "unpaid"):
        return None
    if subscription is not None and subscription["status"] == "incomplete_expired":
        return None
    before = len(stripe.events)
    if succeeded:
        session["payment_status"] = "paid"
    if subscription is not None and subscription["status"] == "incomplete":
        subscription["status"] = "active" if succeeded else "incomplete_expired"
        if not succeeded:
            stripe.ledger.ended("stripe", "subscription", subscription["id"], "unpaid")
        stripe.emit("customer.subscription.updated", subscription, {"status": "incomplete"})
    stripe.emit(f"checkout.session.async_payment_{'succeeded' if succeeded else 'failed'}", session)
    return _done(stripe, session, subscription, before)


def leave(stripe, session_id):
    """An open session's time has passed."""
    session = stripe.objects["checkout.session"].get(session_id)
    if session is None or session["status"] != "open":
        return None
    before = len(stripe.events)
    stripe.expire(session)
    return _done(stripe, session, None, before)


def _done(stripe, session, subscription, before):
    return {"session": session, "subscription": subscription, "events": list(stripe.events.values())[before:]}
