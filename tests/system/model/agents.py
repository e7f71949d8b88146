"""Rules of agents, their jobs, the workflow's callbacks and the timers behind them."""

from .rules import APPLIED, IGNORED, rejected, rule
from .world import Agent, Job

REMOVALS = ("destroy", "rollback", "deprovision")


def find_agent(model, user, agent_id):
    """(agent, None), or (None, the refusal): somebody else's is forbidden, nobody's is not found."""
    agent = user.agents.get(agent_id)
    if agent is not None:
        return agent, None
    foreign = any(agent_id in other.agents for other in model.users.values())
    return None, rejected("FORBIDDEN" if foreign else "AGENT_NOT_FOUND")


def queue(user, event, kind, agent=None, **more):
    """A new job behind all others of the user."""
    job = Job(event.id, kind, agent.id if agent else None, agent.backend if agent else "", **more)
    user.jobs.append(job)
    return job


def refusal_of_gate(model, user):
    """Why a provision that a command asks for is refused, or None."""
    most = user.max_agents(model.free_tier)
    if most is None:
        return rejected("NO_ACTIVE_SUBSCRIPTION")
    if user.open_jobs(kind="provision"):
        return rejected("PROVISION_IN_PROGRESS")
    if most >= 0 and len(user.counted_agents) >= most:
        return rejected("AGENT_LIMIT_REACHED")
    return None


@rule("command.agent.create")
def create(model, user, event):
    agent_id = event.data["agent_id"]
    agent, refusal = find_agent(model, user, agent_id)
    if agent is not None:
        return rejected("INVALID_STATE")
    if refusal == rejected("FORBIDDEN"):
        return refusal
    user.agents[agent_id] = Agent(agent_id, event.data.get("backend", "github-actions"))
    return APPLIED


@rule("command.agent.provision")
def provision(model, user, event):
    agent, refusal = find_agent(model, user, event.data["agent_id"])
    if agent is None:
        return refusal
    most = user.max_agents(model.free_tier)
    if most is None:
        return rejected("NO_ACTIVE_SUBSCRIPTION")
    if user.open_jobs(kind="provision"):
        return rejected("PROVISION_IN_PROGRESS")
    rolling_back = any(job.kind in REMOVALS for job in user.open_jobs(agent.id))
    if agent.status not in ("draft", "failed") or (agent.status == "failed" and agent.server and not rolling_back):
        return rejected("INVALID_STATE")
    if 0 <= most <= len(user.counted_agents):
        return rejected("AGENT_LIMIT_REACHED")
    agent.status = "provisioning"
    take_limits(user, agent)
    queue(user, event, "provision", agent)
    return APPLIED


@rule("command.agent.start")
def start(model, user, event):
    agent, refusal = find_agent(model, user, event.data["agent_id"])
    if agent is None:
        return refusal
    if agent.status != "paused":
        return rejected("INVALID_STATE")
    agent.stopped_by = None
    start_agent(user, event, agent)
    return APPLIED


@rule("command.agent.stop")
def stop(model, user, event):
    agent, refusal = find_agent(model, user, event.data["agent_id"])
    if agent is None:
        return refusal
    if agent.status != "active":
        return rejected("INVALID_STATE")
    agent.stopped_by = None
    stop_agent(user, event, agent)
    return APPLIED


def has_machine(agent):
    """Whether there is something to switch: apps and agents without a server change on the books alone."""
    return agent.server and agent.backend != "provisioner"


def start_agent(user, event, agent):
    if has_machine(agent):
        agent.status = "starting"
        queue(user, event, "start", agent)
    else:
        agent.status = "active"


def stop_agent(user, event, agent):
    if has_machine(agent):
        agent.status = "stopping"
        queue(user, event, "stop", agent)
    else:
        agent.status = "paused"


@rule("command.agent.destroy")
def destroy(model, user, event):
    agent, refusal = find_agent(model, user, event.data["agent_id"])
    if agent is None:
        return refusal
    if agent.status == "destroyed":
        return rejected("INVALID_STATE")
    if agent.status == "destroying" and not user.open_jobs(agent.id, "provision"):
        return IGNORED
    destroy_agent(model, user, event, agent)
    return APPLIED


def destroy_agent(model, user, event, agent):
    """Ends an agent: what was under way is cancelled, and a job removes what is or may be there."""
    if agent.status == "destroyed":
        return
    was = agent.status
    kind = "deprovision" if agent.backend == "provisioner" else "destroy"
    removing = bool(user.open_jobs(agent.id, "deprovision"))
    for job in user.open_jobs(agent.id):
        if job.kind not in REMOVALS:
            cancel_or_ask(model, user, job)
    if was == "destroying":
        return
    agent.stopped_by = None
    # how far a provision had come by then is the executor's to know
    may_be_there = agent.server or was == "failed" or (was == "provisioning" and model.made_job(event.id, kind, agent.id))
    if agent.backend == "provisioner":
        may_be_there = may_be_there or was not in ("draft", "provisioning")
    if may_be_there or removing:
        agent.status = "destroying"
    else:
        agent.status = "destroyed"
    if may_be_there and not removing:
        queue(user, event, kind, agent)


def cancel_or_ask(model, user, job):
    """A job nobody has under way ends; a running one is asked to, and ends by its own report."""
    unset_timers(user, job)
    if model.reports_later(job):
        job.cancelling = True
    else:
        job.status = "cancelled"


# What the executor reports.


def job_of(model, user, event):
    """The user's job a report, a callback or a command is about, or None."""
    key = model.names.jobs.get(event.job_id)
    return next((job for job in user.jobs if job.key == key), None)


def reported_job(model, user, event):
    """The open job whose attempt under way the executor reports of; None where a decision has overtaken the report."""
    job = job_of(model, user, event) if user else None
    is_overtaken = job is None or not job.is_open or job.run is not None or (
        event.body.get("generation", 0) < job.detail.get("retried", 0))
    return None if is_overtaken else job


def unset_timers(user, job):
    for kind in ("heartbeat_missed", "provision_timeout"):
        user.timers.pop((kind, job.key), None)


def next_provision(user, agent):
    return next(iter(user.open_jobs(agent.id, "provision")), None)


@rule("job.dispatched")
def job_dispatched(model, user, event):
    job = reported_job(model, user, event)
    if job is None or job.cancelling or job.backend != "github-actions":
        return IGNORED
    user.timers["provision_timeout", job.key] = event.timers_from_ms + model.policy.provision_timeout_ms
    return APPLIED


@rule("job.succeeded")
def job_succeeded(model, user, event):
    job = reported_job(model, user, event)
    if job is None:
        return IGNORED
    job.status = "succeeded"
    agent = user.agents.get(job.agent)
    if agent is not None:
        SUCCEEDED[job.kind](model, user, event, job, agent)
    elif job.kind in ("stripe", "graph"):
        model.answered(user, event, job, True)
    return APPLIED


def provisioned(model, user, event, job, agent):
    if agent.status != "provisioning":
        return
    agent.status, agent.server = "active", True
    end_waiting(user, agent)
    if agent.subscription is not None:
        model.email(user, event, "welcome")


def end_waiting(user, agent):
    """What waited behind the provision that has succeeded has nothing to do."""
    for waiting in user.open_jobs(agent.id, "provision"):
        waiting.status = "cancelled"


def started(model, user, event, job, agent):
    if agent.status == "starting":
        agent.status = "active"


def stopped(model, user, event, job, agent):
    if agent.status == "stopping":
        agent.status = "paused"


def removed(model, user, event, job, agent):
    agent.server = False
    if next_provision(user, agent) is not None:
        if agent.status in ("destroying", "failed"):
            agent.status = "provisioning"
    elif agent.status == "destroying" and not [row for row in user.open_jobs(agent.id) if row.kind in REMOVALS]:
        agent.status = "destroyed"


SUCCEEDED = {"provision": provisioned, "start": started, "stop": stopped, "destroy": removed, "rollback": removed,
             "deprovision": removed, "update_limits": lambda *_: None, "email": lambda *_: None}


@rule("job.failed")
def job_failed(model, user, event):
    job = reported_job(model, user, event)
    if job is None:
        return IGNORED
    job.status = "failed"
    agent = user.agents.get(job.agent)
    if job.kind in ("stripe", "graph"):
        model.answered(user, event, job, False)
    elif agent is not None and job.kind == "provision":
        model.email(user, event, "admin_alert", model.policy.admin_email)
        if agent.status == "provisioning":
            fail_provision(model, user, event, job, agent)
    elif agent is not None and (job.kind, agent.status) in (("start", "starting"), ("stop", "stopping")):
        agent.status = "failed"
    elif agent is not None and job.kind in REMOVALS:
        failed_removal(user, job, agent)
    return APPLIED


def failed_removal(user, job, agent):
    if any(row.kind in REMOVALS for row in user.open_jobs(agent.id)):
        return
    end_limits(user, agent)
    for waiting in user.open_jobs(agent.id, "provision"):
        waiting.status = "failed"
    if agent.status in ("destroying", "provisioning"):
        agent.status = "failed"


def fail_provision(model, user, event, job, agent):
    """What a provision left is removed; one that waits for the same agent goes behind that, by the limits of today."""
    unset_timers(user, job)
    agent.status = "failed"
    end_limits(user, agent)
    removal = queue(user, event, "deprovision" if agent.backend == "provisioner" else "rollback", agent)
    removal.detail["undoes"] = True
    for waiting in user.open_jobs(agent.id, "provision"):
        user.jobs.remove(waiting)
        user.jobs.append(waiting)
        take_limits(user, agent)


def end_limits(user, agent):
    """There is no app to change any longer."""
    for job in user.open_jobs(agent.id, "update_limits"):
        job.status = "cancelled"


def take_limits(user, agent):
    """An app's limits: its subscription's, or the best live one's."""
    if agent.backend == "provisioner":
        subscription = user.subscriptions.get(agent.subscription)
        agent.limits = (subscription.offer if subscription else user.granted_offer).limits


@rule("job.cancelled")
def job_cancelled(model, user, event):
    job = reported_job(model, user, event)
    if job is None:
        return IGNORED
    job.status = "cancelled"
    if job.kind in ("stripe", "graph"):
        model.answered(user, event, job, False)
    agent = user.agents.get(job.agent)
    if agent is not None and agent.status not in ("destroying", "destroyed"):
        undo_cancelled(model, user, event, job, agent)
    return APPLIED


def undo_cancelled(model, user, event, job, agent):
    """As before where nothing had been called, else undone; which of it shows in the job that undoes."""
    if job.kind == "provision":
        unset_timers(user, job)
        end_limits(user, agent)
        rolls_back = "deprovision" if agent.backend == "provisioner" else "rollback"
        if model.made_job(event.id, rolls_back, agent.id):
            agent.status = "failed"
            queue(user, event, rolls_back, agent).detail["undoes"] = True
        elif agent.status == "provisioning" and next_provision(user, agent) is None:
            agent.status = "failed" if job.detail.get("retried") or agent.server else "draft"
    elif job.kind in ("start", "stop"):
        before, undo, undoing = (("paused", "stop", "stopping") if job.kind == "start" else
                                 ("active", "start", "starting"))
        if agent.status != ("starting" if job.kind == "start" else "stopping"):
            return
        if model.made_job(event.id, undo, agent.id):
            agent.status = undoing
            queue(user, event, undo, agent)
        else:
            agent.status = before


@rule("command.job.cancel")
def cancel(model, user, event):
    job = job_of(model, user, event)
    if job is None:
        return rejected("FORBIDDEN" if event.data["job_id"] in model.names.jobs else "JOB_NOT_FOUND")
    if not job.is_open:
        return rejected("JOB_ENDED")
    if job.kind in REMOVALS:
        return rejected("INVALID_STATE")
    if job.cancelling:
        return IGNORED
    if model.reports_later(job):
        if model.settled_before(job, event):
            return rejected("JOB_ENDED")
        job.cancelling = True
        return APPLIED
    job.status = "cancelled"
    agent = user.agents.get(job.agent)
    if agent is not None:
        undo_cancelled(model, user, event, job, agent)
    return APPLIED


@rule("command.job.retry")
def retry(model, user, event):
    job = job_of(model, user, event)
    if job is None:
        return rejected("FORBIDDEN" if event.data["job_id"] in model.names.jobs else "JOB_NOT_FOUND")
    if job.status != "failed" or job.kind == "stripe":
        return rejected("INVALID_STATE")
    agent = user.agents.get(job.agent)
    if job.agent is not None and not retry_makes_sense(user, job, agent):
        return rejected("INVALID_STATE")
    if job.kind == "provision" and not job.paid:
        refusal = refusal_of_gate(model, user)
        if refusal is not None:
            return refusal
    if job.kind in AGAIN and not job.detail.get("undoes"):
        agent.status = AGAIN[job.kind]
    if job.kind in ("provision", "update_limits"):
        take_limits(user, agent)
    job.status, job.run = "open", None
    job.detail["retried"] = job.detail.get("retried", 0) + 1
    user.jobs.remove(job)
    user.jobs.append(job)
    return APPLIED


AGAIN = {"provision": "provisioning", "start": "starting", "stop": "stopping", "destroy": "destroying",
         "deprovision": "destroying"}


def retry_makes_sense(user, job, agent):
    """Whether the agent is still where the job left it."""
    if agent is None or job.kind == "update_limits":
        return agent is not None and agent.server and agent.status not in ("destroying", "destroyed", "failed")
    others = [row for row in user.open_jobs(agent.id) if job.kind != "provision" or row.kind not in REMOVALS]
    removing = any(row.kind in REMOVALS for row in user.open_jobs(agent.id))
    if agent.status != "failed" or others:
        return False
    return {"start": agent.server, "stop": agent.server, "provision": removing or not agent.server}.get(job.kind, True)


# The workflow's callbacks.


def callback_refusal(model, user, event, job):
    """Why a callback changes nothing, or None."""
    if user is None or job is None or job.kind != "provision" or job.backend != "github-actions":
        return rejected("JOB_ENDED" if job is not None else "JOB_NOT_FOUND")
    run = str(event.body.get("run_id") or "")
    if not run:
        return rejected("INVALID_STATE")
    if not job.is_open or job.cancelling:
        return rejected("JOB_ENDED")
    if job.run not in (None, run):
        return rejected("ALREADY_CLAIMED")
    first = next(iter(row for row in user.open_jobs(kind="provision")), None)
    if first is not job and job.run is None:
        return rejected("JOB_ENDED")
    return None


def take_claim(model, user, event, job):
    job.run = str(event.body["run_id"])
    user.timers["heartbeat_missed", job.key] = event.timers_from_ms + model.policy.heartbeat_missed_ms
    user.timers.setdefault(("provision_timeout", job.key), event.timers_from_ms + model.policy.provision_timeout_ms)


@rule("callback.claimed", "callback.heartbeat")
def claimed(model, user, event):
    job = job_of(model, user, event) if user else None
    refusal = callback_refusal(model, user, event, job)
    if refusal is None:
        take_claim(model, user, event, job)
    return refusal or APPLIED


@rule("callback.completed")
def completed(model, user, event):
    job = job_of(model, user, event) if user else None
    refusal = callback_refusal(model, user, event, job)
    if refusal is not None:
        return refusal
    unset_timers(user, job)
    job.status, job.run = "succeeded", str(event.body["run_id"])
    agent = user.agents[job.agent]
    agent.status, agent.server = "active", True
    end_waiting(user, agent)
    return APPLIED


@rule("callback.failed")
def callback_failed(model, user, event):
    job = job_of(model, user, event) if user else None
    refusal = callback_refusal(model, user, event, job)
    if refusal is not None:
        return refusal
    job.status, job.run = "failed", str(event.body["run_id"])
    agent = user.agents[job.agent]
    agent.server = agent.server or bool(event.body.get("server_id"))
    fail_provision(model, user, event, job, agent)
    return APPLIED


BAD_ENDS = ("failure", "cancelled", "timed_out", "startup_failure", "action_required", "stale")


@rule("github.workflow_run")
def workflow_run(model, user, event):
    """GitHub says itself that a run ended badly, whose own callbacks may never come."""
    job, run = job_of(model, user, event) if user else None, event.body.get("workflow_run", {})
    if job is None or event.body.get("action") != "completed" or run.get("conclusion") not in BAD_ENDS:
        return IGNORED
    if not job.is_open or job.cancelling or job.run not in (None, str(run["id"])):
        return IGNORED
    # whether an unclaimed job was dispatched, and to which run, is the executor's to know
    if job.run is None and not model.made_job(event.id, "rollback", job.agent):
        return IGNORED
    job.status, job.run = "failed", str(run["id"])
    fail_provision(model, user, event, job, user.agents[job.agent])
    return APPLIED


@rule("timer.heartbeat_missed", "timer.provision_timeout")
def silent(model, user, event):
    kind = event.type.removeprefix("timer.")
    key = model.names.jobs.get(event.subject)
    job = next((row for row in user.jobs if row.key == key), None) if user else None
    if job is None or user.timers.get((kind, key)) != event.body_due_ms:
        return IGNORED
    del user.timers[kind, key]
    if not job.is_open or job.cancelling:
        return IGNORED
    job.status = "failed"
    fail_provision(model, user, event, job, user.agents[job.agent])
    return APPLIED
