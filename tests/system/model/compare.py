"""Compares: what Postgres holds of some users against what the model makes of the same events, read back from Kafka."""

import collections
import json

from kit.log import read_stamped

from .model import Model, Names
from .rules import Event



def read_events(env):
    """The events topic by key, in the order of each partition: {key: [Event]}."""
    found = collections.defaultdict(list)
    for _partition, _offset, key, value, headers, at_ms in read_stamped(env, "sluice.events.v1"):
        body = json.loads(value)
        found[(key or b"").decode()].append(Event(
            headers["ce_source"], headers["ce_id"], headers["ce_type"], body, (key or b"").decode(), at_ms,
            headers.get("ce_subject", ""), int(headers.get("sluice-replay", 0))))
    return found


def history_of(events, telling):
    """The events of a telling in an order that fits all its partitions: by receipt where they are different ones."""
    heads = [list(reversed(events[key])) for key in (*telling.customers, *telling.emails, *telling.users) if events[key]]
    ordered = []
    while heads:
        part = min(heads, key=lambda rows: rows[-1].at_ms)
        ordered.append(part.pop())
        heads = [rows for rows in heads if rows]
    return ordered


# What is read of Postgres. Each statement gives `whose` first: the user whose history the row belongs to.
TABLES = {
    "users": "SELECT id whose, id, plan, email, stripe_customer_id, pending_checkout IS NOT NULL is_pending,"
             " last_error IS NOT NULL has_error, onboarding_complete FROM sluice.users",
    "subscriptions": "SELECT user_id whose, id, user_id, status, tier, price_id, cancel_at_period_end"
                     " FROM sluice.subscriptions",
    "agents": "SELECT user_id whose, id::text, user_id, backend, status, server_id, app_name, stopped_by, subscription_id"
              " FROM sluice.agents",
    "jobs": "SELECT user_id whose, id::text, cause_event_id, kind, agent_id::text, status, args ->> 'template' template,"
            " args ->> 'to' mail_to FROM sluice.jobs ORDER BY seq",
    "timers": "SELECT user_id whose, kind, subject FROM sluice.timers WHERE decided_at IS NULL AND cancelled_at IS NULL",
    "usage": "SELECT user_id whose, user_id, day::text, metric, count FROM sluice.usage_daily WHERE count > 0",
    "workspaces": "SELECT owner_id whose, id::text, name, owner_id, tier, closed_at IS NOT NULL is_closed, runs_used"
                  " FROM sluice.workspaces",
    "made": "SELECT user_id whose, event_id, user_id, target FROM sluice.audit_log WHERE action = 'workspace_created'",
}
# What a workspace has, by its id: a key and a value each.
PARTS = {
    "members": ("user_id k, role v", "workspace_members"),
    "connections": ("p.id k, shared_by v", "connections"),
    "workflows": ("workflow_id k, NULL v", "shared_workflows"),
    "runs": ("p.id k, end_reason v", "runs"),
    "invites": ("encode(token_sha256, 'hex') k, NULL v",
                "(SELECT * FROM sluice.invites WHERE accepted_at IS NULL AND revoked_at IS NULL)"),
    "cycle": ("subscription_id k, 1 v", "workspace_billing_cycles"),
}
TABLES.update({
    name: f"SELECT w.owner_id whose, p.workspace_id::text workspace, {pair} FROM"
          f" {source if source.startswith('(') else 'sluice.' + source} p JOIN sluice.workspaces w ON w.id = p.workspace_id"
    for name, (pair, source) in PARTS.items()})
DECIDED = ("SELECT user_id whose, source, id, type, outcome, error_code, rule,"
           " round(extract(epoch FROM decided_at) * 1000)::bigint decided_ms FROM sluice.events")


def rows_of(books, users, events):
    """Postgres' rows of some users and of some events: {table: [row]}."""
    rows = {name: books.rows(f"SELECT * FROM ({sql}) t WHERE whose = ANY(%s)", users) for name, sql in TABLES.items()}
    ids = [event.id for event in events]
    fed = {event.identity for event in events}
    rows["decided"] = [row for row in books.rows(f"{DECIDED} WHERE id = ANY(%s) OR user_id = ANY(%s)", ids, users)
                       if row["whose"] in users or (row["source"], row["id"]) in fed]
    return rows


def names_of(rows, events, data_key=b""):
    """What the ids stand for, and what the executor came to; the ids of instances are put into the model's words."""
    names = Names(data_key=data_key)
    agents = {row["id"]: f"instance:{row['subscription_id']}" for row in rows["agents"] if row["subscription_id"]}
    for row in rows["jobs"]:
        names.jobs[row["id"]] = job_key(row, agents)
    decided = {(row["source"], row["id"]): row for row in rows["decided"]}
    for event in events:
        row = decided.get(event.identity)
        event.decided_ms = row["decided_ms"] if row else 0
        if event.type.startswith("job.") and event.body["job_id"] in names.jobs and event.type != "job.dispatched":
            names.reports.setdefault(names.jobs[event.body["job_id"]], []).append(event.identity)
        data = event.data if event.type.startswith("command.") else {}
        if data.get("agent_id") in agents:
            data["agent_id"] = agents[data["agent_id"]]
    for row in rows["made"]:
        names.workspaces[row["event_id"], row["user_id"]] = row["target"].removeprefix("workspace:")
    for identity, row in decided.items():
        if row["type"] == "command.job.cancel" and row["error_code"] == "JOB_ENDED":
            names.settled.add(identity)
    return names, agents


def job_key(row, agents):
    is_email = row["kind"] == "email"
    return (row["cause_event_id"], row["kind"], agents.get(row["agent_id"], row["agent_id"]),
            row["template"] if is_email else None, row["mail_to"] if is_email else None)


def of_books(rows, agents):
    """Postgres' side, in the words of of_model()."""
    state = {}
    for row in rows["users"]:
        state["user", row["id"]] = {
            "plan": row["plan"], "email": row["email"], "customer": row["stripe_customer_id"],
            "pending": row["is_pending"], "last_error": row["has_error"], "onboarded": row["onboarding_complete"]}
    for row in rows["subscriptions"]:
        state["subscription", row["id"]] = {
            "user": row["user_id"], "status": row["status"], "tier": row["tier"], "price": row["price_id"] or None,
            "cancel_at_period_end": row["cancel_at_period_end"]}
    for row in rows["agents"]:
        state["agent", agents.get(row["id"], row["id"])] = {
            "user": row["user_id"], "backend": row["backend"], "status": row["status"],
            "server": bool(row["server_id"] or row["app_name"]), "stopped_by": row["stopped_by"]}
    job_ids = {row["id"]: job_key(row, agents) for row in rows["jobs"]}
    jobs = collections.Counter((job_ids[row["id"]], row["status"]) for row in rows["jobs"])
    state["jobs", ""] = {str(key): count for key, count in jobs.items()}
    state["timers", ""] = {str((row["kind"], job_ids.get(row["subject"], row["subject"]))): True
                           for row in rows["timers"]}
    state["usage", ""] = {f"{row['user_id']} {row['day']} {row['metric']}": row["count"] for row in rows["usage"]}
    state.update(workspaces_of_books(rows))
    state["outcomes", ""] = {f"{row['type']} {row['id']}": f"{row['outcome']} {row['error_code']}"
                             for row in rows["decided"]}
    return state


def workspaces_of_books(rows):
    state = {}
    for row in rows["workspaces"]:
        state["workspace", row["id"]] = {"name": row["name"], "owner": row["owner_id"], "tier": row["tier"],
                                         "closed": row["is_closed"], "runs_used": row["runs_used"],
                                         **{name: {} for name in PARTS}}
    for name in PARTS:
        for row in rows[name]:
            state["workspace", row["workspace"]][name][row["k"]] = row["v"]
    for row in state.values():
        row["workflows"], row["invites"] = sorted(row["workflows"]), sorted(row["invites"])
    return state


def of_model(model, events):
    """The model's side."""
    state = {}
    for user in model.users.values():
        state["user", user.id] = {
            "plan": user.plan, "email": user.email, "customer": user.customer, "pending": user.pending is not None,
            "last_error": user.last_error, "onboarded": user.onboarded}
        for row in user.subscriptions.values():
            state["subscription", row.id] = {
                "user": user.id, "status": row.status, "tier": row.tier, "price": row.price,
                "cancel_at_period_end": row.cancel_at_period_end}
        for agent in user.agents.values():
            state["agent", agent.id] = {"user": user.id, "backend": agent.backend, "status": agent.status,
                                        "server": agent.server, "stopped_by": agent.stopped_by}
    jobs = collections.Counter((job.key, job.status) for user in model.users.values() for job in user.jobs)
    state["jobs", ""] = {str(key): count for key, count in jobs.items()}
    state["timers", ""] = {str(key): True for user in model.users.values() for key in user.timers}
    state["usage", ""] = {f"{user.id} {day} {metric}": count for user in model.users.values()
                          for (day, metric), count in user.usage.items() if count}
    for row in model.workspaces.values():
        state["workspace", row.id] = {
            "name": row.name, "owner": row.owner, "tier": row.tier, "closed": row.closed, "runs_used": row.runs_used,
            "members": dict(row.members), "connections": dict(row.connections), "workflows": sorted(row.workflows),
            "runs": dict(row.runs), "invites": sorted(each.hash for each in row.invites if each.state == "open"),
            "cycle": {row.cycle[0]: 1} if row.cycle else {}}
    types = {event.identity: event.type for event in events}
    state["outcomes", ""] = {f"{types[identity]} {identity[1]}": f"{outcome} {code}"
                             for identity, (outcome, code) in model.outcomes.items()}
    return state


def differences(theirs, ours):
    """Lines that say where Postgres (theirs) and the model (ours) differ."""
    lines = []
    for key in sorted({*theirs, *ours}, key=str):
        left, right = theirs.get(key), ours.get(key)
        if left is None or right is None:
            lines.append(f"{' '.join(key)}: Postgres has {left}, the model {right}")
            continue
        for name in sorted({*left, *right}):
            if left.get(name) != right.get(name):
                lines.append(f"{' '.join(key)} {name}: Postgres has {left.get(name)!r}, the model {right.get(name)!r}")
    return lines


def check(rows, events, policy, data_key=b""):
    """The differences between Postgres' rows and what the model makes of the events."""
    names, agents = names_of(rows, events, data_key)
    model = Model(names, policy).feed(events)
    return differences(of_books(rows, agents), of_model(model, events))
