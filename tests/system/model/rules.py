"""The frame of the rules: an event as it stands in the topic, the table of rules by its type, and what they answer."""

import dataclasses
import datetime

APPLIED, IGNORED, PARKED = ("applied", None), ("ignored", None), ("parked", None)
RULES = {}


def rejected(code):
    return "rejected", code


def rule(*types):
    """Enters a function (model, user, event) -> (outcome, error code) for event types."""
    def enter(function):
        for name in types:
            assert name not in RULES, name
            RULES[name] = function
        return function
    return enter


@dataclasses.dataclass
class Event:
    """One message of the events topic. `body` is its parsed value; `at_ms` its receipt."""

    source: str
    id: str
    type: str
    body: dict
    key: str
    at_ms: int
    subject: str = ""
    generation: int = 0
    decided_ms: int = 0  # by the books; 0: as it came

    @property
    def data(self):
        """A command's data."""
        return self.body.get("data", {})

    @property
    def actor_email(self):
        """Of the token that a command came with, or None."""
        return (self.body.get("actor") or {}).get("email")

    @property
    def job_id(self):
        """Of the job that a report, a callback, a command or a workflow's run is about, or None."""
        if self.type == "github.workflow_run":
            title = self.body.get("workflow_run", {}).get("display_title") or ""
            return title.removeprefix("sluice ") if title.startswith("sluice ") else None
        return self.body.get("job_id") or self.data.get("job_id")

    @property
    def object(self):
        """A Stripe event's object."""
        return self.body["data"]["object"]

    @property
    def created(self):
        return self.body["created"]

    @property
    def timers_from_ms(self):
        """What is decided late shortens nobody's time: timers count from the decision."""
        return max(self.at_ms, self.decided_ms)

    @property
    def body_due_ms(self):
        """When a timer that has fired was due."""
        due = datetime.datetime.fromisoformat(self.body["due_at"].replace("Z", "+00:00"))
        return round(due.timestamp() * 1000)

    @property
    def is_stripe(self):
        return self.type.startswith("stripe.")

    @property
    def identity(self):
        return self.source, self.id
