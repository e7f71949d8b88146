"""Sluice's tables, as others may read them."""

import psycopg
from psycopg.rows import dict_row

from .wait import until

AGENT_LIVE = ("provisioning", "active", "stopping", "paused", "starting", "destroying")
JOB_OPEN = ("queued", "running", "waiting")


class Books:
    """Queries over one autocommit connection that is made again when the server was away."""

    def __init__(self, env):
        self.url = env["DATABASE_URL"]
        self._connection = None

    def close(self):
        if self._connection:
            self._connection.close()

    def rows(self, sql, *values):
        for last in (False, True):
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = psycopg.connect(self.url, autocommit=True, row_factory=dict_row)
                return self._connection.execute(sql, values).fetchall()
            except psycopg.OperationalError:
                self._connection = None
                if last:
                    raise

    def row(self, sql, *values):
        found = self.rows(sql, *values)
        return found[0] if found else None

    def value(self, sql, *values):
        found = self.row(sql, *values)
        return next(iter(found.values())) if found else None

    def agent(self, agent_id):
        return self.row("SELECT * FROM sluice.agents WHERE id = %s", agent_id)

    def jobs(self, agent_id, kind=None):
        return self.rows("SELECT * FROM sluice.jobs WHERE agent_id = %s AND (%s::text IS NULL OR kind = %s) ORDER BY seq",
                         agent_id, kind, kind)

    def event(self, event_id, source=None):
        return self.row("SELECT * FROM sluice.events WHERE id = %s AND (%s::text IS NULL OR source = %s)",
                        event_id, source, source)

    def decided(self, event_id, timeout_s=30):
        """Waits until the event has its row, and gives it."""
        return until(lambda: self.event(event_id), f"the decision on {event_id}", timeout_s)

    def agent_in(self, agent_id, *statuses, timeout_s=30):
        """Waits until the agent is in one of the states, and gives its row."""

        def probe():
            row = self.agent(agent_id)
            return row if row and row["status"] in statuses else None

        try:
            return until(probe, f"agent {agent_id} to be {' or '.join(statuses)}", timeout_s)
        except AssertionError as failure:
            jobs = [(j["kind"], j["status"], j["step"], j["attempt"], j["error"]) for j in self.jobs(agent_id)]
            raise AssertionError(f"{failure}; it is {self.agent(agent_id)}; its jobs are {jobs}") from None

    def audits(self, user_id):
        return [row["action"] for row in
                self.rows("SELECT action FROM sluice.audit_log WHERE user_id = %s ORDER BY at, id", user_id)]

    def user_settled(self, user_id, timeout_s=30):
        """Waits until no job of the user is open."""
        until(lambda: not self.rows("SELECT id FROM sluice.jobs WHERE user_id = %s AND status = ANY(%s)", user_id,
                                    list(JOB_OPEN)), f"the jobs of {user_id} to end", timeout_s)
