"""The model: events in, state out. It decides each event once, in the order given, by the rules of the other files.

Whose an event is, what it teaches about the user, deduplication and parking are here. What the executor had done when an
event was decided can't be told from the events: there, and only there, the model looks at which jobs came of it (`names`).
"""

import base64
import dataclasses
import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from . import accounts, agents, teams  # noqa: F401  each enters its rules
from .agents import queue
from .rules import IGNORED, PARKED, RULES, rejected
from .world import Policy, User, Workspace

# Stripe types that rules are about; others change nothing and wait for nobody
NAMES_USER = (("metadata", "user_id"), ("metadata", "userId"), ("client_reference_id",),
              ("parent", "subscription_details", "metadata", "user_id"),
              ("subscription_details", "metadata", "user_id"))


@dataclasses.dataclass
class Names:
    """Which ids stand for what the model names otherwise, and what the executor came to."""

    jobs: dict = dataclasses.field(default_factory=dict)  # job id -> the model's Job.key
    reports: dict = dataclasses.field(default_factory=dict)  # Job.key -> identities of its job.* events, in order
    workspaces: dict = dataclasses.field(default_factory=dict)  # (event id, owner) -> the workspace it made
    settled: set = dataclasses.field(default_factory=set)  # job.cancel events that came when their job was done
    data_key: bytes = b""  # of invitations' tokens


class Model:
    def __init__(self, names=None, policy=Policy(), free_tier=False):
        self.names = names or Names()
        self.policy = policy
        self.free_tier = free_tier
        self.users = {}
        self.customers = {}
        self.workspaces = {}
        self.early_access = set()
        self.outcomes = {}
        self.order = []  # identities as decided
        self._types = {}
        self._waiting = {}  # (cause, kind) of a job -> the command that waits for it

    def feed(self, events):
        """Decides the events, in order; gives itself."""
        for event in events:
            known = self.outcomes.get(event.identity)
            if known is None or known == PARKED:
                self.order.append(event.identity)
                self.outcomes[event.identity] = self._decide(event)
        return self

    def _decide(self, event):
        function = RULES.get(event.type)
        if event.is_stripe:
            user_id, customer_id = named_user(event.object), customer_of(event.object)
            user_id = user_id or self.customers.get(customer_id)
            if function is None:
                return self._noted(user_id, customer_id, event)
            if user_id is None:
                return PARKED if customer_id else IGNORED
            user = self._user(user_id)
            self._learn(user, event, customer_id)
            return function(self, user, event)
        if function is None:
            return IGNORED
        if event.type.startswith("command."):
            user_id = event.data.get("user_id")
            if user_id is None and event.type != "command.early_access.join":
                return rejected("FORBIDDEN")
            user = self._user(user_id) if user_id else None
            answer = function(self, user, event)
            if answer[0] == "applied" and user is not None and event.actor_email:
                self._take_email(user, event.actor_email, event.at_ms // 1000)
            return answer
        return function(self, self.users.get(self._owner(event)), event)

    def _noted(self, user_id, customer_id, event):
        """A type without rules: whose it is counts all the same."""
        if user_id is not None:
            self._learn(self._user(user_id), event, customer_id)
        return IGNORED

    def _user(self, user_id):
        return self.users.setdefault(user_id, User(user_id))

    def _owner(self, event):
        """The user of a report, timer, callback or notice."""
        if "user_id" in event.body:
            return event.body["user_id"]
        key = self.names.jobs.get(event.job_id)
        return next((user.id for user in self.users.values() if any(job.key == key for job in user.jobs)), None)

    def _learn(self, user, event, customer_id):
        """A customer named with a user is that user's, unless it is somebody's; the e-mail is the newest."""
        if customer_id:
            owner = self.customers.setdefault(customer_id, user.id) if named_user(event.object) else (
                self.customers.get(customer_id))
            if owner == user.id and user.customer is None:
                user.customer = customer_id
        email = email_of(event.object)
        if email:
            self._take_email(user, email, event.created)

    def _take_email(self, user, email, at_s):
        if at_s >= user.email_at:
            user.email, user.email_at = email, at_s

    @staticmethod
    def _address(user, event):
        """The user's, or that of the command's token where that is newer: a refused one too is answered there."""
        is_newer = event.actor_email and event.at_ms // 1000 >= user.email_at
        return event.actor_email if is_newer else user.email

    # What rules ask for.

    def email(self, user, event, template, to=None):
        """One e-mail of a decision, to the newest address; none where none is known."""
        to = to or self._address(user, event)
        if to:
            queue(user, event, "email", detail={"template": template, "to": to})

    def defer(self, event):
        """The command is answered when its Stripe job ends."""
        self._waiting[event.id, "stripe"] = event.identity
        self._types[event.identity] = event.type

    def answered(self, user, event, job, done):
        """A Stripe or Graph job has ended: the command that waits for it has its answer."""
        waiting = self._waiting.pop((job.cause, job.kind), None)
        pending = user.pending if user.pending is not None and user.pending["job"] == job.cause else None
        result = event.body.get("result") or {}
        if waiting is not None and not done:
            self.outcomes[waiting] = rejected("CLOUD_UNAVAILABLE")
        elif waiting is not None and pending is None and self._types.get(waiting) == "command.workspace.plan_change" and (
                job.detail["op"] == "checkout"):
            self.outcomes[waiting] = rejected("INVALID_STATE")
        if pending is not None and done:
            pending["session"] = result.get("session_id")
        elif pending is not None:
            user.pending = None
        if done and result.get("customer_id"):
            self.customers.setdefault(result["customer_id"], user.id)
            user.customer = user.customer or result["customer_id"]

    def invite_hash(self, event):
        return hashlib.sha256(invite_token(self.names.data_key, event.source, event.id).encode()).hexdigest()

    def accepted_hash(self, event):
        """The digest of the token that an invite.accept came with; older logs have the token as it was."""
        token = event.data.get("token")
        if token is None:
            token = open_token(self.names.data_key, event)
        return hashlib.sha256(token.encode()).hexdigest()

    def new_workspace(self, event, name, owner, tier):
        workspace_id = self.names.workspaces.get((event.id, owner.id), f"workspace:{event.id}")
        row = Workspace(workspace_id, name, owner.id, tier, {owner.id: "owner"})
        self.workspaces[workspace_id] = row
        return row

    # What only the executor knew.

    def made_job(self, cause, kind, agent_id):
        """Whether the event came to such a job."""
        return any(key[:3] == (cause, kind, agent_id) for key in self.names.jobs.values())

    def reports_later(self, job):
        """Whether the executor has the job under way: then a report of it follows the decision at hand."""
        return any(identity not in self.outcomes for identity in self.names.reports.get(job.key, ()))

    def settled_before(self, job, event):
        """Whether the executor was done with it already, its report on its way."""
        return event.identity in self.names.settled


def first_data_key(env):
    """The key that is for new data: ID:BASE64 of 32 bytes, the first of several."""
    first = env.get("SLUICE_DATA_KEYS", "").partition(",")[0].partition(":")[2]
    return base64.b64decode(first) if first else b""


def invite_token(data_key, source, event_id):
    """An invitation's token: base64url of HMAC-SHA256(key, "invite" NUL source NUL event id), 43 characters."""
    mac = hmac.new(data_key, b"\0".join((b"invite", source.encode(), event_id.encode())), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def open_token(data_key, event):
    """What ingress has sealed: KEY_ID:base64(nonce 12, tag 16, ciphertext), AES-256-GCM, bound to the event."""
    sealed = base64.b64decode(event.data["token_sealed"].partition(":")[2])
    nonce, tag, text = sealed[:12], sealed[12:28], sealed[28:]
    bound_to = b"\0".join((b"event", event.source.encode(), event.id.encode()))
    return AESGCM(data_key).decrypt(nonce, text + tag, bound_to).decode()


def named_user(row):
    """Whom an object of Stripe's names, in the contract's order, or None."""
    for path in NAMES_USER:
        value = row
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, str) and value:
            return value
    return None


def customer_of(row):
    customer = row["id"] if row.get("object") == "customer" else row.get("customer")
    return customer.get("id") if isinstance(customer, dict) else customer


def email_of(row):
    """The address an object gives: metadata, customer_details, customer_email, a customer's own."""
    found = [(row.get("metadata") or {}).get("email"), (row.get("customer_details") or {}).get("email"),
             row.get("customer_email"), row.get("email") if row.get("object") == "customer" else None]
    return next((each for each in found if each), None)
