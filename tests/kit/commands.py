"""Every command, by both its doors: the dashboard's signed webhook, and REST with the user's own token.

The table is the contract's section 5: method, path with {names} of data, and the data that goes into the body.
"""

import urllib.parse
import uuid

from . import signing

COMMANDS = {
    "agent.create": ("POST", "/api/agents"),
    "agent.provision": ("POST", "/api/agents/{agent_id}/provision"),
    "agent.start": ("POST", "/api/agents/{agent_id}/start"),
    "agent.stop": ("POST", "/api/agents/{agent_id}/stop"),
    "agent.destroy": ("POST", "/api/agents/{agent_id}/destroy"),
    "job.retry": ("POST", "/api/jobs/{job_id}/retry"),
    "job.cancel": ("POST", "/api/jobs/{job_id}/cancel"),
    "checkout.start": ("POST", "/api/checkout"),
    "workspace.plan_change": ("POST", "/api/workspaces/plan"),
    "subscription.resume": ("POST", "/api/workspaces/billing/subscription/resume"),
    "workspace.invite": ("POST", "/api/workspaces/{workspace_id}/invites"),
    "invite.accept": ("POST", "/api/invites/{token}/accept"),
    "workspace.leave": ("POST", "/api/workspaces/{workspace_id}/leave"),
    "workspace.revoke": ("POST", "/api/workspaces/{workspace_id}/revoke"),
    "connection.share": ("POST", "/api/workspaces/{workspace_id}/connections/{connection_id}"),
    "connection.unshare": ("DELETE", "/api/workspaces/{workspace_id}/connections/{connection_id}"),
    "run.start": ("POST", "/api/workflows/{workflow_id}/runs"),
    "run.finish": ("POST", "/api/runs/{run_id}/finish"),
    "usage.record": ("POST", "/api/usage"),
    "early_access.join": ("POST", "/api/early-access"),
    "admin.purge_stale_runs": ("POST", "/api/admin/purge-stale-runs"),
}
PUBLIC = ("early_access.join",)
WAIT_S = 20


class Refused(AssertionError):
    """A command that should have been applied was not; `outcome` says what became of it."""

    def __init__(self, kind, status, outcome):
        super().__init__(f"{kind} gave {status} {outcome}")
        self.status = status
        self.outcome = outcome


class Commands:
    """Sends commands and waits for their outcomes; `ingress` is the kit's."""

    def __init__(self, ingress):
        self.ingress = ingress

    def rest(self, kind, user_id, data=None, wait_s=WAIT_S, key=None, **claims):
        """As the user's browser sends it. Gives the `requests.Response`."""
        method, path = COMMANDS[kind]
        data = dict(data or {})
        for name in [name for name in data if "{" + name + "}" in path]:
            path = path.replace("{" + name + "}", urllib.parse.quote(str(data.pop(name)), safe=""))
        if kind in PUBLIC:
            headers = {"Content-Type": "application/json"}
            headers.update({"Prefer": f"wait={wait_s}"} if wait_s else {}, **({"Idempotency-Key": key} if key else {}))
            return self.ingress.post(path, data, headers)
        return self.ingress.api(user_id, path, data, wait_s, key, method, **claims)

    def dashboard(self, kind, user_id, data=None, wait_s=WAIT_S, message_id=None):
        """As the dashboard's server sends it, for any user."""
        owner = {} if kind in PUBLIC else {"user_id": user_id}
        return self.ingress.dashboard(kind, {**owner, **(data or {})}, message_id, wait_s=wait_s)

    def outcome(self, kind, user_id, data=None, **more):
        """(HTTP status, the outcome) of a command sent by REST; it has been decided, and answered where it waits."""
        answer = self.rest(kind, user_id, data, **more)
        return answer.status_code, answer.json()

    def applied(self, kind, user_id, data=None, **more):
        """The `data` of a command's outcome that must be applied."""
        status, outcome = self.outcome(kind, user_id, data, **more)
        if status != 200 or outcome.get("result") != "applied":
            raise Refused(kind, status, outcome)
        return outcome.get("data") or {}

    def refused(self, kind, user_id, data=None, **more):
        """The error code of a command that must not be applied."""
        status, outcome = self.outcome(kind, user_id, data, **more)
        if status < 400:
            raise Refused(kind, status, outcome)
        return outcome["errorCode"]

    def admin(self, kind, user_id, data=None, **more):
        """As `applied`, by a token with the role of an admin."""
        return self.applied(kind, user_id, data, role="admin", **more)


def token_for(env, user_id, **claims):
    """The user's own token, for reads."""
    return signing.jwt(env["SLUICE_JWT_SECRET"], user_id, **claims)


def new_agent_id():
    return str(uuid.uuid4())
