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


def names_of(books, telling, events, data_key=b""):
    """What the ids stand for, and what the executor came to; the ids of instances are put into the model's words."""
    names, agents = Names(data_key=data_key), {}
    for row in books.rows("SELECT id, subscription_id FROM sluice.agents WHERE user_id = ANY(%s)",
                          telling.users):
        if row["subscription_id"]:
            agents[str(row["id"])] = f"instance:{row['subscription_id']}"
    for row in job_rows(books, telling):
        names.jobs[str(row["id"])] = job_key(row, agents)
    decided = {(row["source"], row["id"]): row["at_ms"] for row in books.rows(
        "SELECT source, id, round(extract(epoch FROM decided_at) * 1000)::bigint at_ms FROM sluice.events"
        " WHERE user_id = ANY(%s)", telling.users)}
    for event in events:
        event.decided_ms = decided.get(event.identity, 0)
        if event.type.startswith("job.") and event.body["job_id"] in names.jobs and event.type != "job.dispatched":
            names.reports.setdefault(names.jobs[event.body["job_id"]], []).append(event.identity)
        data = event.data if event.type.startswith("command.") else {}
        if data.get("agent_id") in agents:
            data["agent_id"] = agents[data["agent_id"]]
    for row in books.rows("SELECT event_id, user_id, target FROM sluice.audit_log WHERE action = 'workspace_created'"
                          " AND user_id = ANY(%s)", telling.users):
        names.workspaces[row["event_id"], row["user_id"]] = row["target"].removeprefix("workspace:")
    for row in books.rows("SELECT source, id FROM sluice.events WHERE user_id = ANY(%s) AND type = 'command.job.cancel'"
                          " AND error_code = 'JOB_ENDED'", telling.users):
        names.settled.add((row["source"], row["id"]))
    return names, agents


def job_rows(books, telling):
    return books.rows("SELECT id, cause_event_id, kind, agent_id, status, args FROM sluice.jobs WHERE user_id = ANY(%s)"
                      " ORDER BY seq", telling.users)


def job_key(row, agents):
    agent = str(row["agent_id"]) if row["agent_id"] else None
    args = row["args"] if row["kind"] == "email" else {}
    return row["cause_event_id"], row["kind"], agents.get(agent, agent), args.get("template"), args.get("to")


def of_books(books, telling, agents, events):
    """Postgres' side, in the words of of_model()."""
    state = {}
    rows = books.rows
    who = telling.users
    for row in rows("SELECT * FROM sluice.users WHERE id = ANY(%s)", who):
        state["user", row["id"]] = {
            "plan": row["plan"], "email": row["email"], "customer": row["stripe_customer_id"],
            "pending": row["pending_checkout"] is not None, "last_error": row["last_error"] is not None,
            "onboarded": row["onboarding_complete"]}
    for row in rows("SELECT * FROM sluice.subscriptions WHERE user_id = ANY(%s)", who):
        state["subscription", row["id"]] = {
            "user": row["user_id"], "status": row["status"], "tier": row["tier"], "price": row["price_id"] or None,
            "cancel_at_period_end": row["cancel_at_period_end"]}
    for row in rows("SELECT * FROM sluice.agents WHERE user_id = ANY(%s)", who):
        state["agent", agents.get(str(row["id"]), str(row["id"]))] = {
            "user": row["user_id"], "backend": row["backend"], "status": row["status"],
            "server": bool(row["server_id"] or row["app_name"]), "stopped_by": row["stopped_by"]}
    jobs = collections.Counter((job_key(row, agents), row["status"]) for row in job_rows(books, telling))
    state["jobs", ""] = {str(key): count for key, count in jobs.items()}
    job_ids = {str(row["id"]): job_key(row, agents) for row in job_rows(books, telling)}
    timers = rows("SELECT kind, subject FROM sluice.timers WHERE user_id = ANY(%s) AND fired_at IS NULL"
                  " AND cancelled_at IS NULL", who)
    state["timers", ""] = {str((row["kind"], job_ids.get(row["subject"], row["subject"]))): True for row in timers}
    state["usage", ""] = {f"{row['user_id']} {row['day']} {row['metric']}": row["count"] for row in rows(
        "SELECT * FROM sluice.usage_daily WHERE user_id = ANY(%s) AND count > 0", who)}
    state.update(workspaces_of_books(books, telling))
    fed = {event.identity for event in events}
    decided = rows("SELECT source, id, type, user_id, outcome, error_code FROM sluice.events WHERE id = ANY(%s)"
                   " OR user_id = ANY(%s)", [identity[1] for identity in fed], who)
    state["outcomes", ""] = {f"{row['type']} {row['id']}": f"{row['outcome']} {row['error_code']}" for row in decided
                             if row["user_id"] in who or (row["source"], row["id"]) in fed}
    return state


def workspaces_of_books(books, telling):
    state = {}
    found = books.rows("SELECT * FROM sluice.workspaces w WHERE owner_id = ANY(%s)", telling.users)
    for row in found:
        def column(sql, key=row["id"]):
            return {str(each["k"]): each["v"] for each in books.rows(sql, key)}
        state["workspace", str(row["id"])] = {
            "name": row["name"], "owner": row["owner_id"], "tier": row["tier"], "closed": row["closed_at"] is not None,
            "runs_used": row["runs_used"],
            "members": column("SELECT user_id k, role v FROM sluice.workspace_members WHERE workspace_id = %s"),
            "connections": column("SELECT id k, shared_by v FROM sluice.connections WHERE workspace_id = %s"),
            "workflows": sorted(column("SELECT workflow_id k, 1 v FROM sluice.shared_workflows WHERE workspace_id = %s")),
            "runs": column("SELECT id k, end_reason v FROM sluice.runs WHERE workspace_id = %s"),
            "invites": sorted(column("SELECT encode(token_sha256, 'hex') k, 1 v FROM sluice.invites WHERE workspace_id ="
                                     " %s AND accepted_at IS NULL AND revoked_at IS NULL")),
            "cycle": column("SELECT subscription_id k, 1 v FROM sluice.workspace_billing_cycles WHERE workspace_id = %s")}
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


def check(books, telling, topic, policy, data_key=b""):
    """The differences of one telling, and its events."""
    events = history_of(topic, telling)
    names, agents = names_of(books, telling, events, data_key)
    model = Model(names, policy).feed(events)
    return differences(of_books(books, telling, agents, events), of_model(model, events)), events
