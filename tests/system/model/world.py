"""What the model knows: plans and policies as the contract states them, and the state of users and workspaces.

Plain data and questions about it; the rules that change it are in accounts.py, agents.py and teams.py. An instance is
named by its subscription until its agent's id is known: `names` (see compare.py) says which id stands for which.
"""

import collections
import dataclasses

LIVE = ("active", "trialing")
GRANTING = (*LIVE, "past_due")
OPEN = "open"


@dataclasses.dataclass(frozen=True)
class Offer:
    """A plan's limits; -1 is unlimited. instance: a new subscription brings one."""

    name: str
    agents: int = 1
    messages: int = 100
    memory_mb: int = 256
    cpu: float = 0.25
    instance: bool = False
    members: int = 0
    runs: int = 0

    @property
    def limits(self):
        return self.agents, self.messages, self.memory_mb, self.cpu

    @property
    def is_workspace(self):
        return self.members > 1


OFFERS = {offer.name: offer for offer in (
    Offer("free"),
    Offer("starter", 3, 1000, 512, 0.5, True),
    Offer("professional", 10, 10_000, 2048, 2, True),
    Offer("enterprise", -1, -1, 8192, 4, True),
    Offer("unlimited", -1, -1, 2048, 2),
    Offer("solo", members=1, runs=50),
    Offer("workspace", members=10, runs=1000))}
PRICES = {"price_starter": "starter", "price_professional": "professional", "price_enterprise": "enterprise",
          "price_unlimited": "unlimited", "price_workspace": "workspace"}


@dataclasses.dataclass(frozen=True)
class Policy:
    """As deploy/sluice.conf has it, and tests/system/fast.conf over it. Spans in ms."""

    heartbeat_missed_ms: int = 12_000
    provision_timeout_ms: int = 20_000
    grace_ms: int = 7 * 86_400_000
    grace_warning_ms: int = 86_400_000
    resume_on_payment: bool = False
    stop_on_failed_payment: bool = True
    destroy_on_deletion: bool = True
    invite_expiry_ms: int = 7 * 86_400_000
    admin_email: str = "ops@example.org"


@dataclasses.dataclass
class Job:
    cause: str  # the id of the event that made it
    kind: str
    agent: str | None = None
    backend: str = ""
    status: str = OPEN
    run: str | None = None
    paid: bool = False  # a checkout or a subscription asked for it: it passes no gate
    detail: dict = dataclasses.field(default_factory=dict)
    cancelling: bool = False

    @property
    def is_open(self):
        return self.status == OPEN

    @property
    def key(self):
        return self.cause, self.kind, self.agent, self.detail.get("template"), self.detail.get("to")


@dataclasses.dataclass
class Agent:
    id: str
    backend: str = "github-actions"
    status: str = "draft"
    server: bool = False  # a server, or an app, is on the books
    subscription: str | None = None  # whose instance it is
    stopped_by: str | None = None
    limits: tuple | None = None  # what its app was given, or will be by a job in the queue


@dataclasses.dataclass
class Subscription:
    id: str
    status: str = "incomplete"
    price: str | None = None
    tier: str = "free"
    period: tuple = (None, None)
    cancel_at: int | None = None
    cancel_at_period_end: bool = False
    order: tuple = (0, 0)  # (created, rank) of the newest event applied
    invoice_order: tuple = (0, 0)

    @property
    def offer(self):
        return OFFERS[self.tier]


@dataclasses.dataclass
class User:
    id: str
    plan: str = "free"
    email: str | None = None
    email_at: int = 0
    customer: str | None = None
    invoice_order: tuple = (0, 0)
    pending: dict | None = None
    last_error: bool = False
    onboarded: bool = False
    billing_at: int = 0
    subscriptions: dict = dataclasses.field(default_factory=dict)
    agents: dict = dataclasses.field(default_factory=dict)
    jobs: list = dataclasses.field(default_factory=list)
    timers: dict = dataclasses.field(default_factory=dict)  # (kind, subject) -> due in ms; gone when unset or fired
    lapsed: set = dataclasses.field(default_factory=set)  # subjects whose grace period has ended, until they are paid
    usage: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # (day, metric) -> count
    told: set = dataclasses.field(default_factory=set)  # days whose limit an e-mail told of

    def granted(self, *statuses):
        return [row for row in self.subscriptions.values() if row.status in (statuses or GRANTING)]

    @property
    def granted_offer(self):
        """What apps of no subscription may use: the best one's that grants anything."""
        return OFFERS[best_tier(row.tier for row in self.granted()) or "free"]

    def open_jobs(self, agent=None, kind=None):
        return [job for job in self.jobs if job.is_open and agent in (None, job.agent) and kind in (None, job.kind)]

    @property
    def counted_agents(self):
        """Those that count for the limit."""
        return [agent for agent in self.agents.values() if agent.status not in ("draft", "failed", "destroyed")]

    def max_agents(self, free_tier=False):
        """The most that a live subscription grants, -1 for no limit; None where none is live."""
        limits = [row.offer.agents for row in self.granted(*LIVE)]
        if not limits:
            return OFFERS["free"].agents if free_tier else None
        return -1 if -1 in limits else max(limits)

    @property
    def offer(self):
        """What the user may use: the best subscription's, else the free one's or that of the plan."""
        best = best_tier(row.tier for row in self.granted())
        return OFFERS[best or (self.plan if self.plan in ("solo", "workspace") else "free")]


def best_tier(tiers):
    """The best of some tiers, or None: by agents, messages, memory; unlimited is most."""
    def rank(tier):
        offer = OFFERS[tier]
        return tuple(float("inf") if value < 0 else value for value in (*offer.limits, offer.members))
    return max(tiers, key=rank, default=None)


@dataclasses.dataclass
class Invite:
    email: str
    hash: str
    by: str
    expires_ms: int
    state: str = "open"  # open, accepted, revoked


@dataclasses.dataclass
class Workspace:
    id: str
    name: str
    owner: str
    tier: str = "solo"
    members: dict = dataclasses.field(default_factory=dict)  # user -> role, in the order of joining
    invites: list = dataclasses.field(default_factory=list)
    connections: dict = dataclasses.field(default_factory=dict)  # id -> who shared it
    workflows: set = dataclasses.field(default_factory=set)
    runs: dict = dataclasses.field(default_factory=dict)  # id -> None while it is open, else how it ended
    window: object = None
    runs_used: int = 0
    cycle: tuple | None = None  # (subscription, start, end)
    closed: bool = False

    def open_invites(self, now_ms):
        return [invite for invite in self.invites if invite.state == "open" and invite.expires_ms > now_ms]

    def places_taken(self, now_ms):
        return len(self.members) + len(self.open_invites(now_ms))
