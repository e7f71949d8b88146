"""Random histories: what a few people and their senders do, duplicated, out of order and again long afterwards.

generate(seed) is the same every time. A history is a list of steps in words; drive.py says them to the real system under
ids of its own, so that a shrunk history can be tried again.
"""

import dataclasses
import random

PRICES = ("price_starter", "price_starter", "price_professional", "price_enterprise", "price_unlimited", "price_unheard")
STATUSES = ("active", "active", "active", "trialing", "past_due", "unpaid", "incomplete", "paused")
BACKENDS = ("github-actions", "github-actions", "hetzner", "provisioner")
TIMES = 12  # seconds of Stripe's clock that a history's events are created in


@dataclasses.dataclass
class Step:
    """`do` names a function of drive.py; `user` is a number; waits: the next step comes after this one's outcome."""

    do: str
    user: int = 0
    what: dict = dataclasses.field(default_factory=dict)
    waits: bool = False

    def __str__(self):
        words = " ".join(f"{name}={value}" for name, value in self.what.items())
        return f"user {self.user}: {self.do} {words}{' (waits)' if self.waits else ''}"


@dataclasses.dataclass
class History:
    seed: int
    families: tuple
    steps: list
    users: int = 1

    def __str__(self):
        return "\n".join([f"seed {self.seed}: {', '.join(self.families)}", *(f"  {step}" for step in self.steps)])


def generate(seed, families=None, backends=BACKENDS):
    """A history of a few families (all of FAMILIES unless some are given)."""
    rng = random.Random(seed)
    table = {name: FAMILIES[name] for name in families or FAMILIES}
    chosen = sorted(rng.sample(sorted(table), rng.randint(1, min(3, len(table)))))
    history = History(seed, tuple(chosen), [], 3 if "workspace" in chosen else 1)
    parts = [table[name](rng, backends) for name in chosen]
    history.steps = blend(rng, parts)
    if any(step.do == "subscription" for step in history.steps) and rng.random() < 0.15:
        before_user_is_known(history)
    repeat(rng, history)
    return history


def blend(rng, parts):
    """The parts' steps, each part in its own order."""
    steps, rest = [], [list(part) for part in parts if part]
    while rest:
        part = rng.choice(rest)
        steps.append(part.pop(0))
        rest = [each for each in rest if each]
    return steps


def before_user_is_known(history):
    """The first event of a subscription names its customer alone, and comes before anybody knows whose that is."""
    first = next(step for step in history.steps if step.do == "subscription")
    history.steps.remove(first)
    first.what["nameless"] = True
    history.steps.insert(0, first)
    history.steps.insert(1, Step("parked"))


def repeat(rng, history):
    """Senders send twice: at once, or again when all is over."""
    twice = [step for step in history.steps if step.do in SENT]
    for step in rng.sample(twice, min(len(twice), rng.randint(0, 3))):
        at = rng.choice([history.steps.index(step) + 1, len(history.steps)])
        history.steps.insert(at, Step("again", step.user, {"of": history.steps.index(step)}))
        for other in history.steps:
            if other.do == "again" and other is not history.steps[at] and other.what["of"] >= at:
                other.what["of"] += 1


def shuffled(rng, steps):
    """Stripe's events keep no order: some change places."""
    for _ in range(len(steps) // 3):
        place = rng.randrange(len(steps))
        other = min(len(steps) - 1, place + rng.randint(1, 3))
        steps[place], steps[other] = steps[other], steps[place]
    return steps


# Families. Each gives the steps of one, in order; `at` is when Stripe made the event, in seconds of the history.


def agents(rng, backends):
    steps = [Step("subscription", what={"sub": "plan", "kind": "created", "at": 0, "price": "price_unlimited",
                                        "status": "active"})] if rng.random() < 0.85 else []
    for number in range(rng.randint(1, 3)):
        name = f"a{number}"
        steps.append(Step("agent_create", what={"agent": name, "backend": rng.choice(backends)}))
        for _ in range(rng.randint(1, 4)):
            verb = rng.choices(("provision", "start", "stop", "destroy"), (6, 2, 3, 1))[0]
            steps.append(Step("agent", what={"agent": rng.choice((name, name, name, "nobody")), "verb": verb}))
            if rng.random() < 0.6:
                steps.append(Step("settle"))
    if rng.random() < 0.2:
        steps.append(Step("job", what={"verb": rng.choice(("cancel", "retry")), "agent": "a0"}))
    return steps


def subscriptions(rng, _backends, prices=PRICES):
    steps = []
    for sub in ("s1", "s2")[:rng.choice((1, 1, 1, 2))]:
        at = 0
        events = [Step("subscription", what={"sub": sub, "kind": "created", "at": at, "price": rng.choice(prices),
                                             "status": rng.choice(STATUSES[:5])})]
        for _ in range(rng.randint(0, 4)):
            at += rng.randint(0, 2)
            events.append(Step("subscription", what={"sub": sub, "kind": "updated", "at": at,
                                                     "price": rng.choice(prices), "status": rng.choice(STATUSES)}))
        if rng.random() < 0.4:
            events.append(Step("subscription", what={"sub": sub, "kind": "deleted", "at": at + rng.randint(0, 2),
                                                     "price": events[-1].what["price"], "status": "canceled"}))
        for step in events:
            step.what["layout"] = rng.choice(("basil", "old"))
        steps += shuffled(rng, events) if rng.random() < 0.5 else events
    for place in range(len(steps), 0, -1):
        if rng.random() < 0.3:
            steps.insert(place, Step("settle"))
    return steps


def invoices(rng, _backends):
    sub, steps = rng.choice(("s1", "s1", "plan", None)), []
    for _ in range(rng.randint(1, 4)):
        if steps and rng.random() < 0.3:
            steps.append(Step("lapse"))
        steps.append(Step("invoice", what={"sub": sub, "at": rng.randrange(TIMES), "kind": rng.choice(
            ("paid", "payment_succeeded", "payment_failed", "payment_failed"))}))
    return steps


def checkouts(rng, _backends):
    steps = []
    for _ in range(rng.randint(1, 3)):
        kind = rng.choice(("completed", "completed", "async_payment_succeeded"))
        steps.append(Step("checkout", what={"kind": kind, "at": rng.randrange(TIMES), "agent": rng.choice(
            ("c0", "c0", "c1", "a0", None)), "paid": rng.choice(("paid", "paid", "unpaid", "no_payment_required"))}))
        if rng.random() < 0.5:
            steps.append(Step("settle"))
    return steps


def customers(rng, _backends):
    return [Step("customer", what={"kind": rng.choice(("created", "updated")), "at": rng.randrange(TIMES),
                                   "email": f"mail{rng.randrange(3)}"}) for _ in range(rng.randint(1, 3))]


def odd(rng, _backends):
    """What comes too: types without rules, objects without parts, callbacks about nothing."""
    steps = []
    for _ in range(rng.randint(1, 3)):
        steps.append(rng.choice((Step("stripe_other", what={"type": "payout.paid"}),
                                 Step("callback", what={"job": None, "status": "claimed"}),
                                 Step("callback", what={"job": "a0", "status": "heartbeat"}),
                                 Step("job", what={"verb": "retry", "agent": "nobody"}),
                                 Step("subscription_unnamed"))))
    return steps


def usage(rng, _backends):
    return [Step("usage", what={"metric": rng.choice(("messages", "messages", "api_calls")),
                                "count": rng.choice((1, 7, 60, 100, 1000))}) for _ in range(rng.randint(1, 5))]


def early(rng, _backends):
    return [Step("early", what={"mail": rng.choice(("x", "X"))}) for _ in range(rng.randint(1, 2))]


def workspace(rng, _backends):
    """User 0 upgrades, or fails to; what three people then do in it. All of it waits: they share what it changes."""
    steps = [Step("customer", user, {"kind": "updated", "at": 0, "email": "mail"}) for user in range(3)
             if rng.random() < 0.9]
    at = 1
    for _ in range(rng.choice((1, 1, 2))):
        steps.append(Step("plan_change", 0, {"tier": "workspace", "name": rng.choice(("Us", "Them"))}))
        steps.append(Step("pay", 0, {"how": rng.choice(PAYMENTS), "at": at}))
        at += 2
    for _ in range(rng.randint(3, 12)):
        steps.append(in_workspace(rng, at))
        at += 1
    for step in steps:
        step.waits = True
    return steps


PAYMENTS = ("paid", "paid", "paid", "paid", "unpaid", "late", "late_failure", "left", "declined", "nothing", "another")


def in_workspace(rng, at):
    user = rng.choice((0, 0, 0, 1, 1, 2))
    return rng.choice((
        Step("invite", 0, {"to": rng.choice((1, 1, 2))}), Step("invite", 0, {"to": rng.choice((1, 2))}),
        Step("invite", user, {"to": 2}), Step("accept", rng.choice((1, 1, 2))), Step("accept", rng.choice((1, 2))),
        Step("leave", user), Step("revoke", rng.choice((0, 1)), {"member": rng.choice((0, 1, 2))}),
        Step("share", user, {"id": rng.choice(("c0", "c1")), "provider": rng.choice(("slack", "microsoft-teams"))}),
        Step("share", user, {"id": rng.choice(("c0", "c1")), "provider": "slack"}),
        Step("unshare", user, {"id": rng.choice(("c0", "c1"))}),
        Step("run_start", user, {"run": rng.choice(("r0", "r1", "r2"))}),
        Step("run_finish", user, {"run": rng.choice(("r0", "r1", "r2"))}),
        Step("plan_change", 0, {"tier": rng.choice(("solo", "solo", "workspace", "nonsense")), "name": "Next"}),
        Step("resume"), Step("purge"), Step("declined", 0, {"at": at}),
        Step("seat", 0, {"kind": rng.choice(("updated", "updated", "deleted")), "at": at,
                         "status": rng.choice(("active", "active", "past_due", "canceled")),
                         "ends": rng.random() < 0.4})))


FAMILIES = {"workspace": workspace, "usage": usage, "early": early, "agents": agents, "subscriptions": subscriptions,
            "invoices": invoices, "checkouts": checkouts, "customers": customers, "odd": odd}
SENT = ("subscription", "invoice", "checkout", "customer", "agent_create", "agent", "usage", "early", "invite", "accept", "leave",
        "share", "unshare", "run_start", "run_finish")
