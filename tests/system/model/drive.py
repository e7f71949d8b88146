"""Says a history to the real system, as the senders would: signed webhooks and commands through ingress.

Each telling has ids of its own (`mark`), so that the same steps may be told again. Steps that refer to what is not there
(a job of an agent that has none) still send something: about nothing.
"""

import time
import uuid

from kit import stripe_events
from kit.wait import until

from .generate import Step
from .model import first_data_key, invite_token

OUTCOMES = (200, 202, 403, 404, 409, 410, 429, 503)
DASHBOARD = "/webhooks/dashboard"
SPACE = uuid.UUID("7d0c8a52-4c1e-4d55-9f0e-5d6f2c1a9b11")


class Telling:
    """One history, told once. A thread of its own each."""

    def __init__(self, history, system, grace_is_short=False):
        self.history = history
        self.mark = uuid.uuid4().hex[:10]
        self.ingress, self.books, self.clouds = system.ingress(), system.books(), system.clouds()
        self.users = [f"m{self.mark}-{number}" for number in range(history.users)]
        self.customers = [f"cus_{self.mark}{number}" for number in range(history.users)]
        self.emails = [f"{name}@early.example.org" for name in self.users]
        self.began = int(time.time()) - 3600
        self.grace_is_short = grace_is_short
        self.data_key = first_data_key(system.env)
        self.workspace_id = None  # the first that user 0 was in
        self.seat = None  # the workspace's subscription, as Stripe made it
        self._invited = {}  # user -> the token sent last
        self._sent = {}  # number of a step -> how to send the same again

    @property
    def keys(self):
        """The keys of its messages: users, and customers while nobody knows whose they are."""
        return {*self.users, *self.customers, *self.emails}

    def tell(self):
        """Says all steps; then nothing of it is under way."""
        try:
            if self.history.users > 1:
                self.clouds.customer(self.customers[0])
            for number, step in enumerate(self.history.steps):
                getattr(self, "do_" + step.do)(step, number)
            self.settle()
        finally:
            self.books.close()
        return self

    def settle(self):
        until(lambda: self.books.value("SELECT count(*) FROM sluice.jobs WHERE user_id = ANY(%s) AND status = ANY(%s)",
                                       self.users, ["queued", "running", "waiting"]) == 0,
              f"the jobs of {self.users} to end", 90)

    def id_of(self, name):
        return str(uuid.uuid5(SPACE, f"{self.mark}:{name}"))

    # Sending.

    def _stripe(self, step, number, event_type, obj):
        at = self.began + step.what.get("at", 0)
        self._event(step, number, stripe_events.event(event_type, obj, created=at, event_id=f"evt_{self.mark}n{number}"))

    def _event(self, step, number, event):
        self._send(number, lambda: self.ingress.stripe(event))
        if step.waits:
            self.books.decided(event["id"], 60)

    def _command(self, step, number, kind, data):
        """Half of them by the dashboard's signed webhook, half with the user's token."""
        user_id = self.users[step.user]
        self._send(number, lambda: self.ingress.dashboard(
            kind, {"user_id": user_id, **data}, message_id=f"msg_{self.mark}n{number}", wait_s=30 if step.waits else None))

    def _send(self, number, send):
        self._sent[number] = send
        answer = send()
        while answer.status_code == 503 and "CLOUD_UNAVAILABLE" not in answer.text:
            answer = send()
        assert answer.status_code in OUTCOMES, f"{self.mark} step {number}: {answer.status_code} {answer.text}"
        return answer

    def do_again(self, step, _number):
        if step.what["of"] in self._sent:
            self._sent[step.what["of"]]()

    def do_settle(self, _step, _number):
        """All that was sent is decided, and what came of it is done."""
        marker = stripe_events.new_id("evt_marker")
        event = stripe_events.event("payout.paid", {"id": "po_1", "object": "payout",
                                                    "metadata": {"user_id": self.users[0]}}, event_id=marker)
        self.ingress.stripe(event)
        self.books.decided(marker, 60)
        self.settle()

    def do_lapse(self, _step, _number):
        """The grace periods have ended, where they are short."""
        if self.grace_is_short:
            self.do_settle(_step, _number)
            until(lambda: self.books.value("SELECT count(*) FROM sluice.timers WHERE user_id = ANY(%s) AND fired_at IS NULL"
                                           " AND cancelled_at IS NULL", self.users) == 0, "the timers to fire", 60)

    def do_parked(self, _step, _number):
        until(lambda: self.books.value("SELECT outcome FROM sluice.events WHERE id = %s", f"evt_{self.mark}n0"),
              "the nameless event to be decided", 60)

    # Stripe.

    def do_subscription(self, step, number):
        what = step.what
        obj = stripe_events.subscription(
            f"sub_{self.mark}{what['sub']}", self.customers[step.user], what["status"], what["price"],
            user_id=None if what.get("nameless") else self.users[step.user], layout=what.get("layout", "basil"))
        self._stripe(step, number, f"customer.subscription.{what['kind']}", obj)

    def do_subscription_unnamed(self, step, number):
        obj = stripe_events.subscription("sub_x", self.customers[step.user], user_id=self.users[step.user])
        del obj["id"]
        self._stripe(step, number, "customer.subscription.updated", obj)

    def do_invoice(self, step, number):
        sub = step.what["sub"]
        obj = stripe_events.invoice(self.customers[step.user], f"sub_{self.mark}{sub}" if sub else None,
                                    self.users[step.user])
        if not sub:
            obj["metadata"] = {"user_id": self.users[step.user]}
        self._stripe(step, number, f"invoice.{step.what['kind']}", obj)

    def do_checkout(self, step, number):
        user_id, metadata = self.users[step.user], {}
        if step.what["agent"]:
            metadata = {"agentId": self.id_of(step.what["agent"]), "userId": user_id}
        obj = stripe_events.checkout(self.customers[step.user], metadata, user_id, payment_status=step.what["paid"])
        self._stripe(step, number, f"checkout.session.{step.what['kind']}", obj)

    def do_customer(self, step, number):
        obj = {"id": self.customers[step.user], "object": "customer", "metadata": {"user_id": self.users[step.user]},
               "email": f"{step.what['email']}.{self.mark}@example.org"}
        self._stripe(step, number, f"customer.{step.what['kind']}", obj)

    def do_stripe_other(self, step, number):
        obj = {"id": "po_1", "object": "payout", "customer": self.customers[step.user],
               "metadata": {"user_id": self.users[step.user]}}
        self._stripe(step, number, step.what["type"], obj)

    # Agents.

    def do_agent_create(self, step, number):
        self._command(step, number, "agent.create", {"agent_id": self.id_of(step.what["agent"]), "name": "agent",
                                                     "region": "us-east", "backend": step.what["backend"]})

    def do_agent(self, step, number):
        self._command(step, number, f"agent.{step.what['verb']}", {"agent_id": self.id_of(step.what["agent"])})

    def _job_of(self, name):
        found = self.books.value("SELECT id FROM sluice.jobs WHERE agent_id = %s ORDER BY seq DESC LIMIT 1",
                                 self.id_of(name)) if name else None
        return str(found) if found else self.id_of("no job")

    def do_job(self, step, number):
        self._command(step, number, f"job.{step.what['verb']}", {"job_id": self._job_of(step.what["agent"])})

    def do_callback(self, step, number):
        job_id = self._job_of(step.what["job"])
        self._send(number, lambda: self.ingress.callback(job_id, step.what["status"], "999", self.users[step.user],
                                                         nonce=f"{self.mark}{number}"))

    # Usage and early access.

    def do_usage(self, step, number):
        self._command(step, number, "usage.record", dict(step.what))

    def do_early(self, step, number):
        email = f"m{self.mark}-0@early.example.org"
        email = email.upper() if step.what["mail"].isupper() else email
        self._send(number, lambda: self.ingress.dashboard("early_access.join", {"email": email},
                                                          message_id=f"msg_{self.mark}n{number}"))

    # Workspaces.

    def do_plan_change(self, step, number):
        self._command(step, number, "workspace.plan_change", {
            "plan_tier": step.what["tier"], "workspace_name": step.what["name"], "shared_workflow_ids": ["w1", "w2"]})

    def do_pay(self, step, number):
        """What becomes of the session that is pending: the customer pays it, at once or by bank debit, or leaves."""
        session_id = self.books.value("SELECT pending_checkout ->> 'session_id' FROM sluice.users WHERE id = %s",
                                      self.users[0])
        how = step.what["how"]
        if how == "declined" or session_id is None:
            self.do_declined(step, number)
        elif how == "another":
            self._stripe(step, number, "checkout.session.completed",
                         stripe_events.checkout(self.customers[0], user_id=self.users[0]))
        elif how == "left":
            self._tell(step, number, self.clouds.leave(session_id)["events"])
        elif how != "nothing":
            self._paid(step, number, session_id, how)

    def _paid(self, step, number, session_id, how):
        done = self.clouds.pay(session_id, settled=how == "paid")
        self._tell(step, number, done["events"])
        self.seat = done["subscription"]
        if how in ("late", "late_failure"):
            settled = self.clouds.settle(session_id, how == "late")
            self._tell(step, number, settled["events"], later=1)
            self.seat = settled["subscription"]

    def _tell(self, step, number, events, later=0):
        """Sends what Stripe made, under ids and times of this telling."""
        for place, event in enumerate(events):
            at = self.began + step.what["at"] + later
            self._event(step, number, {**event, "created": at, "id": f"evt_{self.mark}n{number}p{later}{place}"})

    def do_declined(self, step, number):
        self._stripe(step, number, "payment_intent.payment_failed",
                     stripe_events.payment_intent(self.customers[0], self.users[0]))

    def do_seat(self, step, number):
        """Something happens to the workspace's subscription, where there is one."""
        if self.seat is None:
            return self.do_stripe_other(Step("stripe_other", 0, {"type": "payout.paid"}), number)
        status = "canceled" if step.what["kind"] == "deleted" else step.what["status"]
        obj = {**self.seat, "status": status, "cancel_at_period_end": step.what["ends"]}
        return self._stripe(step, number, f"customer.subscription.{step.what['kind']}", obj)

    def do_resume(self, step, number):
        self._command(step, number, "subscription.resume", {})

    def _place(self):
        if self.workspace_id is None:
            self.workspace_id = self.books.value("SELECT workspace_id FROM sluice.workspace_members WHERE user_id = %s"
                                                 " ORDER BY joined_at LIMIT 1", self.users[0])
        return str(self.workspace_id or self.id_of("no workspace"))

    def do_invite(self, step, number):
        to = step.what["to"]
        self._invited[to] = invite_token(self.data_key, DASHBOARD, f"msg_{self.mark}n{number}")
        self._command(step, number, "workspace.invite", {"workspace_id": self._place(),
                                                         "email": f"Guest{to}.{self.mark}@example.org"})

    def do_accept(self, step, number):
        self._command(step, number, "invite.accept", {"token": self._invited.get(step.user, "nothing")})

    def do_leave(self, step, number):
        self._command(step, number, "workspace.leave", {"workspace_id": self._place()})

    def do_revoke(self, step, number):
        self._command(step, number, "workspace.revoke", {"workspace_id": self._place(),
                                                         "member_id": self.users[step.what["member"]]})

    def do_share(self, step, number):
        token = f"tok-{self.mark}-{number}"
        if step.what["provider"] != "slack":
            self.clouds.graph_token(token, [{"id": "t", "displayName": "T", "channels": []}])
        self._command(step, number, "connection.share", {"workspace_id": self._place(), "token": token,
                                                         "connection_id": step.what["id"],
                                                         "provider": step.what["provider"]})

    def do_unshare(self, step, number):
        self._command(step, number, "connection.unshare", {"workspace_id": self._place(),
                                                           "connection_id": step.what["id"]})

    def do_run_start(self, step, number):
        self._command(step, number, "run.start", {"workspace_id": self._place(), "workflow_id": "w1",
                                                  "run_id": f"{step.what['run']}-{self.mark}"})

    def do_run_finish(self, step, number):
        self._command(step, number, "run.finish", {"run_id": f"{step.what['run']}-{self.mark}"})

    def do_purge(self, step, number):
        self._command(step, number, "admin.purge_stale_runs", {"older_than_minutes": 100_000})
