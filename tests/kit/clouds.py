"""The simulated clouds' control port: faults, plans for the workflow runner, and the ledger of all that was made."""

import requests

TIMEOUT_S = 20


class Clouds:
    def __init__(self, env):
        self.url = env["SLUICE_CLOUDS_CONTROL_URL"]
        self.session = requests.Session()

    def _call(self, method, path, document=None, **query):
        answer = self.session.request(method, self.url + path, json=document, params=query, timeout=TIMEOUT_S)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def fault(self, cloud, kind, times=1, match=None, **more):
        return self._call("POST", "/faults", {"cloud": cloud, "kind": kind, "times": times, "match": match, **more})

    def remove_fault(self, number):
        """Gives how many requests it has struck."""
        return self._call("DELETE", f"/faults/{number}")["removed"][0]["struck"]

    def clear_faults(self):
        self._call("DELETE", "/faults")

    def plan(self, outcome, agent_id=None, times=1, **more):
        return self._call("POST", "/runner/plan", {"agent_id": agent_id, "times": times, "outcome": outcome, **more})

    def configure(self, **sections):
        """configure(hetzner={"acpi_ms": None})"""
        return self._call("POST", "/config", sections)

    def ledger(self):
        return self._call("GET", "/ledger")

    def calls(self, cloud):
        return self._call("GET", "/calls", cloud=cloud)

    def summary(self):
        return self._call("GET", "/summary")

    def customer(self, customer_id, email=None):
        """A customer that Stripe has already."""
        return self._call("POST", "/stripe/customers", {"id": customer_id, **({"email": email} if email else {})})

    def undelivered(self, event_type, obj, event_id=None):
        """An event that Stripe has, and couldn't deliver."""
        document = {"type": event_type, "object": obj, "delivered": False}
        return self._call("POST", "/stripe/events", {**document, **({"id": event_id} if event_id else {})})

    def webhook(self, event, payload):
        """The repository's webhook sends it; gives the delivery."""
        return self._call("POST", "/github/webhooks", {"event": event, "payload": payload})

    def drop_webhooks(self, times):
        self._call("POST", "/github/webhooks/drop", {"times": times})

    def server(self, server_id, **state):
        """Behind everybody's back: status, locked, gone."""
        return self._call("POST", f"/hetzner/servers/{server_id}/state", state)

    # Stripe's pages: nobody is told; the events that came of it are in the answer, to be sent by the test.

    def pay(self, session_id, email=None, settled=True):
        """The customer completes the session: {"session", "subscription", "events"}."""
        return self._call("POST", f"/stripe/checkout/sessions/{session_id}/complete", {"email": email, "settled": settled})

    def settle(self, session_id, succeeded):
        """The bank's answer to a session completed unpaid."""
        return self._call("POST", f"/stripe/checkout/sessions/{session_id}/settle", {"succeeded": succeeded})

    def leave(self, session_id):
        """The session expires."""
        return self._call("POST", f"/stripe/checkout/sessions/{session_id}/expire", {})

    def emails(self, to=None):
        """E-mails that were sent, oldest first; to one address, where given."""
        rows = self._call("GET", "/resend/emails")["emails"]
        return [row for row in rows if to is None or to in row["to"]]

    def graph_token(self, token, teams, **more):
        """A token of Microsoft Graph and what it sees: [{"id", "displayName", "channels": […]}]."""
        return self._call("POST", "/graph/tokens", {"token": token, "teams": teams, **more})

    def apps(self, live=True):
        """The provisioner's apps in the ledger."""
        return [row for row in self.ledger()["provisioner"]["apps"] if row["live"] or not live]
