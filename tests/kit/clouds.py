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
