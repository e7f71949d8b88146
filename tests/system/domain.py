"""Steps that several tests of plans, workspaces and instances take, through the front door as always."""

import re
import urllib.parse
import uuid

from kit import stripe_events
from kit.wait import until

WAIT_S = 20


def address_of(user_id):
    return f"{user_id}@example.org"


def subscription(world, user_id, customer, kind="created", subscription_id=None, email=True, created=None, **more):
    """A customer.subscription.* event, decided; gives (subscription id, its row of sluice.events)."""
    subscription_id = subscription_id or stripe_events.new_id("sub")
    metadata = {"user_id": user_id}
    if email:
        metadata["email"] = address_of(user_id)
    obj = stripe_events.subscription(subscription_id, customer, user_id=user_id, metadata=metadata, **more)
    event = world.send(f"customer.subscription.{kind}", obj, created=created)
    return subscription_id, world.books.decided(event["id"])


def instance(world, subscription_id, *statuses):
    """The agent that the subscription brought, once it is in one of the states."""

    def probe():
        row = world.books.row("SELECT * FROM sluice.agents WHERE subscription_id = %s", subscription_id)
        return row if row and (not statuses or row["status"] in statuses) else None

    return until(probe, f"the instance of {subscription_id} to be {' or '.join(statuses) or 'there'}", 60)


def app_of(world, subscription_id):
    """The provisioner's live app of the subscription, or None."""
    found = [app for app in world.clouds.apps() if app["subscription_id"] == subscription_id]
    assert len(found) <= 1, found
    return found[0] if found else None


def mails(world, address, template):
    """The jobs of e-mails of a template to an address; a list."""
    return world.books.rows("SELECT * FROM sluice.jobs WHERE kind = 'email' AND args->>'to' = %s"
                            " AND args->>'template' = %s ORDER BY seq", address, template)


def mail(world, address, template):
    """The one e-mail of a template to an address, as Resend has it, once it is sent."""

    def probe():
        rows = mails(world, address, template)
        return rows[0] if rows and rows[0]["status"] == "succeeded" else None

    job = until(probe, f"the e-mail {template} to {address}", 60)
    sent = [row for row in world.clouds.emails(address) if row["idempotency_key"] == str(job["id"])]
    assert len(sent) == 1, sent
    assert len(mails(world, address, template)) == 1
    return sent[0]


def user_row(world, user_id):
    return world.books.row("SELECT * FROM sluice.users WHERE id = %s", user_id)


def user_is(world, user_id, what, test):
    """Waits until the user's row passes the test, and gives it."""

    def probe():
        row = user_row(world, user_id)
        return row if row and test(row) else None

    return until(probe, f"{user_id} to be {what}", 60)


def applied(answer):
    assert answer.status_code == 200, answer.text
    assert answer.json()["result"] == "applied", answer.text
    return answer.json()["data"]


def refused(answer, status, code):
    assert (answer.status_code, answer.json().get("errorCode")) == (status, code), answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    return answer.json()["outcome"]


def plan_change(world, user_id, tier, **more):
    """workspace.plan_change; gives the answer."""
    return world.ingress.api(user_id, "/api/workspaces/plan", {"plan_tier": tier, **more}, wait_s=WAIT_S,
                             email=address_of(user_id))


def pending_session(world, user_id):
    row = user_is(world, user_id, "in a checkout", lambda user: user["pending_checkout"])
    return row["pending_checkout"]["session_id"]


def deliver(world, events):
    """Sends the events that Stripe's pages made, in order; gives the rows of their decisions."""
    for event in events:
        assert world.ingress.stripe(event).status_code == 200
    return [world.books.decided(event["id"]) for event in events]


def workspaces_of(world, user_id):
    return world.books.rows("SELECT w.*, m.role FROM sluice.workspaces w JOIN sluice.workspace_members m"
                            " ON m.workspace_id = w.id WHERE m.user_id = %s AND w.closed_at IS NULL"
                            " ORDER BY w.created_at", user_id)


def workspace(world, name="Fjord", **more):
    """A new user's paid workspace; gives (user id, customer id, workspace row, subscription id)."""
    user_id, _ = world.user()
    applied(plan_change(world, user_id, "workspace", workspace_name=name, **more))
    paid = world.clouds.pay(pending_session(world, user_id))
    deliver(world, paid["events"])
    row = user_is(world, user_id, "on the workspace plan", lambda user: user["plan"] == "workspace")
    owned, = workspaces_of(world, user_id)
    return user_id, row["stripe_customer_id"], owned, paid["subscription"]["id"]


def invite(world, owner_id, workspace_id, address, **claims):
    return world.ingress.api(owner_id, f"/api/workspaces/{workspace_id}/invites", {"email": address}, wait_s=WAIT_S,
                             **claims)


def invitation_token(world, email, number=-1):
    """The token in the newest (or a given) invitation that was sent to the address."""

    def probe():
        jobs = mails(world, email, "invite")
        return jobs[number] if jobs and jobs[number]["status"] == "succeeded" else None

    job = until(probe, f"the invitation to {email}", 60)
    sent, = [row for row in world.clouds.emails(email) if row["idempotency_key"] == str(job["id"])]
    found = re.search(r"/signup\?invite=([^\s\"<&]+)", sent["text"])
    assert found, sent["text"]
    return urllib.parse.unquote(found[1])


def accept(world, user_id, token):
    return world.ingress.api(user_id, f"/api/invites/{urllib.parse.quote(token, safe='')}/accept", wait_s=WAIT_S,
                             email=address_of(user_id))


def member(world, owner_id, workspace_id):
    """A new user who has accepted an invitation; gives the user id."""
    user_id = f"user-{uuid.uuid4().hex[:12]}"
    applied(invite(world, owner_id, workspace_id, address_of(user_id)))
    applied(accept(world, user_id, invitation_token(world, address_of(user_id))))
    return user_id


def members(world, workspace_id):
    """{user id: role}"""
    rows = world.books.rows("SELECT user_id, role FROM sluice.workspace_members WHERE workspace_id = %s", workspace_id)
    return {row["user_id"]: row["role"] for row in rows}


def share(world, user_id, workspace_id, connection_id, provider="slack", token="xoxb-1"):
    return world.ingress.api(user_id, f"/api/workspaces/{workspace_id}/connections/{connection_id}",
                             {"provider": provider, "token": token}, wait_s=WAIT_S)


def connections(world, workspace_id):
    """{connection id: row}"""
    return {row["id"]: row for row in
            world.books.rows("SELECT * FROM sluice.connections WHERE workspace_id = %s", workspace_id)}


def due_now(world, kind, subject):
    """Lets a timer run out: what it was set to is what it says of itself, so that it counts as the one it was."""
    moved = world.books.rows("UPDATE sluice.timers SET due_at = now() WHERE kind = %s AND subject = %s"
                             " AND fired_at IS NULL AND cancelled_at IS NULL RETURNING id, user_id", kind, subject)
    assert len(moved) == 1, f"{len(moved)} open timers {kind} of {subject}"
    world.bent.add(moved[0]["user_id"])
    return moved[0]["id"]


def timers(world, subject):
    """{kind: row} of the subject's timers."""
    return {row["kind"]: row for row in world.books.rows("SELECT * FROM sluice.timers WHERE subject = %s", subject)}
