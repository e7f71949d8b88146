"""Whether the books and the clouds' ledger agree, once nothing is under way: no double, no orphan, nothing missing.

Each line that disagreements() gives is one fault; an empty list is a good verdict. With `users` it looks at what belongs
to them alone, so that it can be asked while others go on.
"""

import collections

OPEN = ("queued", "running", "waiting")


def disagreements(books, clouds, users=None):
    """The faults, as lines for people. Call it when no job of the users is open."""
    facts = Facts(books, clouds, users)
    lines = []
    for look in (machines, devices, apps, emails, keys, effects):
        lines += look(facts)
    return lines


class Facts:
    """Both sides, read once."""

    def __init__(self, books, clouds, users):
        mine, values = ("user_id = ANY(%s)", (users,)) if users is not None else ("true", ())
        self.agents = {str(row["id"]): row for row in books.rows(f"SELECT * FROM sluice.agents WHERE {mine}", *values)}
        self.jobs = {str(row["id"]): row for row in books.rows(f"SELECT * FROM sluice.jobs WHERE {mine}", *values)}
        self.subscriptions = {row["id"] for row in books.rows(f"SELECT id FROM sluice.subscriptions WHERE {mine}", *values)}
        self.ledger = clouds.ledger()
        self.calls = clouds.calls("stripe") + clouds.calls("resend")
        self.all = users is None
        self._busy = {str(job["agent_id"]) for job in self.jobs.values() if job["status"] in OPEN}

    def ours(self, agent_id):
        return self.all or agent_id in self.agents

    def busy(self, agent_id):
        """Whether a job of the agent is open: then what it makes may be there or not."""
        return agent_id in self._busy


def machines(facts):
    """Servers: one live one for an agent that says so, under the id it says; one made for each attempt of a job."""
    live, made, lines = collections.defaultdict(list), collections.Counter(), []
    for row in facts.ledger["hetzner"]["servers"]:
        agent_id = row["labels"].get("sluice-agent", "?")
        if not facts.ours(agent_id):
            continue
        if row["live"]:
            live[agent_id].append(str(row["id"]))
        if "sluice-generation" in row["labels"]:
            made[row["labels"].get("sluice-job"), row["labels"]["sluice-generation"]] += 1
    for agent_id, servers in live.items():
        agent = facts.agents.get(agent_id)
        if len(servers) > 1:
            lines.append(f"agent {agent_id} has {len(servers)} servers: {', '.join(servers)}")
        elif not facts.busy(agent_id) and (agent is None or agent["server_id"] != servers[0]):
            lines.append(f"server {servers[0]} of agent {agent_id} is an orphan")
    for agent_id, agent in facts.agents.items():
        if agent["server_id"] and agent_id not in live:
            lines.append(f"agent {agent_id} names server {agent['server_id']}, which is gone")
    lines += [f"job {job} made {count} servers at its attempt {attempt}" for (job, attempt), count in made.items()
              if count > 1]
    return lines


def devices(facts):
    live, lines = collections.defaultdict(list), []
    for row in facts.ledger["tailscale"]["devices"]:
        agent_id = row["hostname"].removeprefix("agent-")
        if row["live"] and facts.ours(agent_id):
            live[agent_id].append(str(row["id"]))
    for agent_id, found in live.items():
        agent = facts.agents.get(agent_id)
        if len(found) > 1:
            lines.append(f"agent {agent_id} has {len(found)} devices")
        elif not facts.busy(agent_id) and (agent is None or agent["tailscale_device_id"] != found[0]):
            lines.append(f"device {found[0]} of agent {agent_id} is an orphan")
    return lines


def apps(facts):
    """One app for a subscription (or an agent made by command), and an agent that says so."""
    named, owned, lines = collections.defaultdict(list), collections.defaultdict(list), []
    for agent_id, agent in facts.agents.items():
        owned[agent.get("subscription_id") or agent_id].append(agent_id)
        if agent["app_name"] and agent["status"] != "destroyed":
            named[agent["app_name"]].append(agent_id)
    live = {}
    for row in facts.ledger["provisioner"]["apps"]:
        owner = row["subscription_id"]
        if row["live"] and (facts.all or owner in facts.subscriptions or owner in facts.agents):
            live[row["name"]] = row
    for name, row in live.items():
        if not named[name] and not any(facts.busy(agent_id) for agent_id in owned[row["subscription_id"]]):
            lines.append(f"app {name} of {row['subscription_id']} is an orphan")
        if len(named[name]) > 1:
            lines.append(f"app {name} is {len(named[name])} agents'")
    for name, agents in named.items():
        if agents and name not in live:
            lines.append(f"agent {agents[0]} names app {name}, which is gone")
    return lines


def emails(facts):
    """An e-mail for each job that succeeded, and none for nothing."""
    sent, lines = collections.Counter(), []
    for row in facts.ledger["resend"]["emails"]:
        key = row["idempotency_key"]
        if key is None:
            lines += ["an e-mail was sent without an Idempotency-Key"] if facts.all else []
        elif facts.all or key in facts.jobs:
            sent[key] += 1
    for key, count in sent.items():
        job = facts.jobs.get(key)
        if count > 1:
            lines.append(f"job {key} sent {count} e-mails")
        if job is None or job["kind"] != "email":
            lines.append(f"an e-mail was sent for {key}, which is no e-mail job")
    lines += [f"job {key} says that it sent an e-mail, which is not there" for key, job in facts.jobs.items()
              if job["kind"] == "email" and job["status"] == "succeeded" and key not in sent]
    return lines


def keys(facts):
    """Auth keys that could still be used after their server is there: at most a lost answer's, until it expires."""
    usable = [row["id"] for row in facts.ledger["tailscale"]["keys"] if row["live"]]
    lost = sum((job["kind"], job["backend"]) == ("provision", "hetzner") and (
        job["attempt"] > 0 or job["status"] != "succeeded") for job in facts.jobs.values())
    return [f"{len(usable)} auth keys are left behind"] if facts.all and len(usable) > lost else []


def effects(facts):
    """No call took effect twice under one key, and none that must have a key was made without."""
    lines, seen = [], collections.Counter()
    for call in facts.calls:
        key = call["idempotency_key"]
        if call["method"] != "POST" or call["client"] != "product" or call["effect"] is None:
            continue
        if key is None:
            lines += [f"{call['cloud']} {call['path']} was called without an Idempotency-Key"] if facts.all else []
        else:
            seen[call["cloud"], call["path"], key] += 1
    return lines + [f"{' '.join(name)} took effect {count} times" for name, count in seen.items() if count > 1]
