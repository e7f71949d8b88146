"""Who lives under the load: thousands of users in groups, a few of them very hot, each with a random history of its own.

A group lives chapters: a history of tests/system/model/generate.py, told without ever waiting for what came of the step
before, between many cheap events (usage, new addresses, types without rules). Ids carry the mark and the number of
the group, so that the check finds the group of anything. What a history refers to and only Sluice knows (a workspace, a
pending session, a job) comes from `Knowledge`, which may be old, or empty while the database is away: then the step is
about nothing.
"""

import dataclasses
import hashlib
import json
import re
import time
import uuid

from kit import stripe_events
from kit.commands import COMMANDS
from system.model.generate import FAMILIES, generate
from system.model.model import invite_token

from .senders import Delivery

SPACE = uuid.UUID("0f7c2d1e-8a34-4b0e-9d6c-3c1f5b7a9e42")
GROUP = re.compile(r"t[0-9a-f]{8}g\d+")
HOT_GROUPS = 6
HOT_SHARE = 0.15  # of all events
USERS_MAX = 5000
EVENTS_A_USER = 12  # below so many events, fewer users
CHEAP_SHARE, TEAM_CHEAP_SHARE, HOT_CHEAP_SHARE = 0.75, 0.4, 0.97  # of a group's events: they make no job
TEAM_EVERY, TEAM_SIZE = 6, 3  # every so many groups share workspaces
ALONE = (tuple(name for name in FAMILIES if name != "workspace"),)  # families that a chapter is made of, one of these
TEAMS = (("workspace",), ("workspace",), *ALONE)
WITHOUT_EVENT = ("settle", "lapse", "parked", "again")  # steps that wait, and repeats: the senders' business
DASHBOARDS_ALONE = ("early_access.join", "admin.purge_stale_runs")  # one is limited by address, one wants an admin
COMMAND_WAITS = 0.05  # share of commands that ask for their outcome
WAIT_S = 5
RECENT_JOBS = 500


def group_of(text):
    """The group that an id, a key or an address belongs to, or None."""
    found = GROUP.search((text or "").lower())
    return found.group() if found else None


@dataclasses.dataclass
class Knowledge:
    """What the outside sees of Sluice's state; filled by whoever reads (see load.py)."""

    workspaces: dict = dataclasses.field(default_factory=dict)  # user -> workspace id
    sessions: dict = dataclasses.field(default_factory=dict)  # user -> its pending checkout's session
    jobs: dict = dataclasses.field(default_factory=dict)  # agent id -> its newest job


@dataclasses.dataclass(frozen=True)
class Pay:
    """Not an event yet: a session that its customer completes or leaves at Stripe; `tell` makes its deliveries."""

    session_id: str
    how: str
    tell: object


@dataclasses.dataclass(frozen=True)
class Teams:
    """A token that Microsoft Graph has to know before the delivery goes out."""

    token: str
    delivery: Delivery


class Group:
    """One history's people. next() gives what one of them sends next: a Delivery, a Pay or a Teams."""

    def __init__(self, mark, number, rng, knowledge, data_key, is_hot=False):
        self.name = f"t{mark}g{number}"
        self.rng, self.knowledge, self.data_key = rng, knowledge, data_key
        is_team = number % TEAM_EVERY == 0 and not is_hot
        self.cheap_share = HOT_CHEAP_SHARE if is_hot else TEAM_CHEAP_SHARE if is_team else CHEAP_SHARE
        self.families = TEAMS if is_team else ALONE
        size = TEAM_SIZE if is_team else 1
        self.users = [f"{self.name}-{place}" for place in range(size)]
        self.customers = [f"cus_{self.name}x{place}" for place in range(size)]
        self.began = int(time.time()) - 7200
        self._created = 0  # the last `created` in seconds after began
        self._steps, self._chapter, self._sent, self._invited, self._seat = [], 0, 0, {}, None

    def next(self):
        self._sent += 1
        if self.rng.random() < self.cheap_share and self._sent > 1:
            return self._cheap()
        while True:
            while not self._steps:
                self._begin_chapter()
            step = self._steps.pop(0)
            made = getattr(self, "do_" + step.do)(step)
            if made is not None:
                return made

    def _begin_chapter(self):
        self._chapter += 1
        history = generate(self.rng.getrandbits(48), self.rng.choice(self.families))
        self._steps = [step for step in history.steps if step.do not in WITHOUT_EVENT and step.user < len(self.users)]
        self._created += 12

    # The words of a sender.

    def id_of(self, name):
        return str(uuid.uuid5(SPACE, f"{self.name}:{name}"))

    def _at(self, step):
        return self.began + self._created + step.what.get("at", 0)

    def _stripe(self, user, kind, obj, created, event=None):
        event = event or stripe_events.event(kind, obj, created=created)
        event = {**event, "id": f"evt_{self.name}n{self._sent}p{uuid.uuid4().hex[:6]}", "created": created}
        return Delivery("/webhooks/stripe", event["id"], f"stripe.{event['type']}", self.users[user], self.users[user],
                        json.dumps(event).encode(), "/webhooks/stripe")

    def _command(self, user, kind, data):
        """Half of them by the dashboard's signed webhook, half with the user's token."""
        who, wait_s = None if user is None else self.users[user], WAIT_S if self.rng.random() < COMMAND_WAITS else 0
        if kind in DASHBOARDS_ALONE or self.rng.random() < 0.5:
            data = {"user_id": who, **data} if who else data
            document = {"type": kind, "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "data": data}
            key, body = who or data["email"].lower(), json.dumps(document).encode()
            return Delivery("/webhooks/dashboard", self._message_id(), f"command.{kind}", who, key, body,
                            "/webhooks/dashboard", wait_s=wait_s)
        method, path = COMMANDS[kind]
        inside = {name: data[name] for name in re.findall(r"{(\w+)}", path)}
        body = {name: value for name, value in data.items() if name not in inside}
        email = f"seat{self.rng.randrange(2)}.{who}@example.org" if self.rng.random() < 0.2 else None
        return Delivery("/api", f"{who}:{self._message_id()}", f"command.{kind}", who, who, json.dumps(body).encode(),
                        path.format(**inside), method, wait_s, email)

    def _message_id(self):
        return f"msg_{self.name}n{self._sent}"

    # Cheap events.

    def _cheap(self):
        user, rng = self.rng.randrange(len(self.users)), self.rng
        kind = rng.choices(("usage", "mail", "other", "update", "paid"), (60, 10, 12, 12, 6))[0]
        self._created += rng.random() < 0.3
        created = self.began + self._created - (rng.randrange(4) if rng.random() < 0.2 else 0)
        customer, who = self.customers[user], self.users[user]
        if kind == "usage":
            return self._command(user, "usage.record", {"metric": rng.choice(("messages", "messages", "api_calls")),
                                                        "count": rng.choice((1, 1, 2, 7, 40))})
        if kind == "mail":
            return self._stripe(user, "customer.updated", stripe_events.customer(
                customer, f"mail{rng.randrange(4)}.{who}@example.org", who), created)
        if kind == "other":
            return self._stripe(user, rng.choice(("payout.paid", "charge.succeeded", "balance.available")), {
                "id": f"po_{self.name}", "object": "payout", "customer": customer, "metadata": {"user_id": who}}, created)
        if kind == "update":
            obj = stripe_events.subscription(f"sub_{self.name}u{user}", customer, "active", "price_unlimited", who,
                                             rng.choice(("basil", "old")))
            return self._stripe(user, "customer.subscription.updated", obj, created)
        obj = stripe_events.invoice(customer, f"sub_{self.name}u{user}", who, rng.choice(("basil", "old")))
        return self._stripe(user, "invoice.paid", obj, created)

    # Steps of a history. Each gives what is sent, or None where it sends nothing.

    def do_subscription(self, step):
        what = step.what
        obj = stripe_events.subscription(
            f"sub_{self.name}{what['sub']}c{self._chapter}", self.customers[step.user], what["status"], what["price"],
            user_id=None if what.get("nameless") else self.users[step.user], layout=what.get("layout", "basil"))
        return self._stripe(step.user, f"customer.subscription.{what['kind']}", obj, self._at(step))

    def do_subscription_unnamed(self, step):
        obj = stripe_events.subscription("sub_x", self.customers[step.user], user_id=self.users[step.user])
        del obj["id"]
        return self._stripe(step.user, "customer.subscription.updated", obj, self._at(step))

    def do_invoice(self, step):
        sub = step.what["sub"]
        obj = stripe_events.invoice(self.customers[step.user], f"sub_{self.name}{sub}c{self._chapter}" if sub else None,
                                    self.users[step.user])
        if not sub:
            obj["metadata"] = {"user_id": self.users[step.user]}
        return self._stripe(step.user, f"invoice.{step.what['kind']}", obj, self._at(step))

    def do_checkout(self, step):
        user_id, metadata = self.users[step.user], {}
        if step.what["agent"]:
            metadata = {"agentId": self._agent(step), "userId": user_id}
        obj = stripe_events.checkout(self.customers[step.user], metadata, user_id, payment_status=step.what["paid"])
        return self._stripe(step.user, f"checkout.session.{step.what['kind']}", obj, self._at(step))

    def do_customer(self, step):
        who = self.users[step.user]
        obj = stripe_events.customer(self.customers[step.user], f"{step.what['email']}.{who}@example.org", who)
        return self._stripe(step.user, f"customer.{step.what['kind']}", obj, self._at(step))

    def do_stripe_other(self, step):
        obj = {"id": f"po_{self.name}", "object": "payout", "customer": self.customers[step.user],
               "metadata": {"user_id": self.users[step.user]}}
        return self._stripe(step.user, step.what["type"], obj, self._at(step))

    def _agent(self, step):
        """Each chapter has agents of its own: they would be too many of one name otherwise."""
        return self.id_of(f"{step.what['agent']}c{self._chapter}")

    def do_agent_create(self, step):
        return self._command(step.user, "agent.create", {"agent_id": self._agent(step), "name": "agent",
                                                         "region": "us-east", "backend": step.what["backend"]})

    def do_agent(self, step):
        return self._command(step.user, f"agent.{step.what['verb']}", {"agent_id": self._agent(step)})

    def _job(self, step):
        return self.knowledge.jobs.get(step.what.get("agent") and self._agent(step)) or self.id_of("no job")

    def do_job(self, step):
        return self._command(step.user, f"job.{step.what['verb']}", {"job_id": self._job(step)})

    def do_callback(self, step):
        job = {"agent": step.what["job"]}
        document = {"job_id": self._job(dataclasses.replace(step, what=job)), "status": step.what["status"],
                    "run_id": "999", "timestamp": int(time.time()), "nonce": f"{self.name}n{self._sent}"}
        body, who = json.dumps(document).encode(), self.users[step.user]
        return Delivery("/webhooks/github/callback", hashlib.sha256(body).hexdigest(), f"callback.{step.what['status']}",
                        who, who, body, f"/api/webhooks/github?user={who}")

    def do_usage(self, step):
        return self._command(step.user, "usage.record", dict(step.what))

    def do_early(self, step):
        email = f"{self.name}@early.example.org"
        return self._command(None, "early_access.join", {"email": email.upper() if step.what["mail"].isupper() else email})

    # Workspaces.

    def do_plan_change(self, step):
        return self._command(step.user, "workspace.plan_change", {
            "plan_tier": step.what["tier"], "workspace_name": step.what["name"], "shared_workflow_ids": ["w1", "w2"]})

    def do_pay(self, step):
        session_id, how = self.knowledge.sessions.get(self.users[0]), step.what["how"]
        if how == "declined" or session_id is None:
            return self.do_declined(step)
        if how == "another":
            return self._stripe(0, "checkout.session.completed",
                                stripe_events.checkout(self.customers[0], user_id=self.users[0]), self._at(step))
        if how == "nothing":
            return None
        return Pay(session_id, how, lambda done, later: self._paid(step, done, later))

    def _paid(self, step, done, later):
        """What Stripe says of the session, under ids and times of this group."""
        self._seat = done.get("subscription") or self._seat
        return [self._stripe(0, None, None, self._at(step) + later, event) for event in done["events"]]

    def do_declined(self, step):
        return self._stripe(0, "payment_intent.payment_failed",
                            stripe_events.payment_intent(self.customers[0], self.users[0]), self._at(step))

    def do_seat(self, step):
        if self._seat is None:
            return None
        status = "canceled" if step.what["kind"] == "deleted" else step.what["status"]
        obj = {**self._seat, "status": status, "cancel_at_period_end": step.what["ends"]}
        return self._stripe(0, f"customer.subscription.{step.what['kind']}", obj, self._at(step))

    def do_resume(self, step):
        return self._command(step.user, "subscription.resume", {})

    def _place(self):
        return self.knowledge.workspaces.get(self.users[0]) or self.id_of("no workspace")

    def do_invite(self, step):
        to = step.what["to"]
        made = self._command(step.user, "workspace.invite", {"workspace_id": self._place(),
                                                             "email": f"Guest{to}.{self.name}@example.org"})
        self._invited[to] = invite_token(self.data_key, made.source, made.id)
        return made

    def do_accept(self, step):
        return self._command(step.user, "invite.accept", {"token": self._invited.get(step.user, "nothing")})

    def do_leave(self, step):
        return self._command(step.user, "workspace.leave", {"workspace_id": self._place()})

    def do_revoke(self, step):
        return self._command(step.user, "workspace.revoke", {"workspace_id": self._place(),
                                                             "member_id": self.users[step.what["member"]]})

    def do_share(self, step):
        token = f"tok-{self.name}-{self._sent}"
        made = self._command(step.user, "connection.share", {
            "workspace_id": self._place(), "token": token, "connection_id": step.what["id"],
            "provider": step.what["provider"]})
        return made if step.what["provider"] == "slack" else Teams(token, made)

    def do_unshare(self, step):
        return self._command(step.user, "connection.unshare", {"workspace_id": self._place(),
                                                               "connection_id": step.what["id"]})

    def do_run_start(self, step):
        return self._command(step.user, "run.start", {"workspace_id": self._place(), "workflow_id": "w1",
                                                      "run_id": f"{step.what['run']}-{self.name}c{self._chapter}"})

    def do_run_finish(self, step):
        return self._command(step.user, "run.finish", {"run_id": f"{step.what['run']}-{self.name}c{self._chapter}"})

    def do_purge(self, _step):
        return self._command(0, "admin.purge_stale_runs", {"older_than_minutes": 100_000})


class Population:
    """All groups; draw() gives the one whose event is next."""

    def __init__(self, rng, events, knowledge, data_key):
        self.rng, self.knowledge = rng, knowledge
        self.mark = uuid.uuid4().hex[:8]
        wanted = max(HOT_GROUPS + 10, min(USERS_MAX, events // EVENTS_A_USER))
        self.groups = []
        while sum(len(group.users) for group in self.groups) < wanted:
            number = len(self.groups)
            self.groups.append(Group(self.mark, number, rng, knowledge, data_key, number < HOT_GROUPS))

    @property
    def users(self):
        return sum(len(group.users) for group in self.groups)

    def draw(self):
        if self.rng.random() < HOT_SHARE:
            return self.groups[self.rng.randrange(HOT_GROUPS)]
        return self.rng.choice(self.groups)
