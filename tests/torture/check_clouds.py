"""Invariants 5 and 6: the clouds' ledger against the books. No orphan, no second effect, no second claim."""

import collections
import json

from kit import verdict

from .finding import Finding

LOOKS = (
    ("one VM for a provision, and no VM without its agent", verdict.machines, "servers", "hetzner"),
    ("no device without its agent", verdict.devices, "devices", "tailscale"),
    ("one app for an instance, and no app without its agent", verdict.apps, "apps", "provisioner"),
    ("one e-mail for a decision, and none for nothing", verdict.emails, "emails", "resend"),
    ("no auth key is left behind", verdict.keys, "keys", "tailscale"),
)


def resources(eyes):
    """A finding for each kind of thing that the clouds made."""
    findings = []
    for name, look, kind, cloud in LOOKS:
        finding = Finding(name, checked=len(eyes.ledger[cloud][kind]))
        for line in look(eyes):
            finding.violated(line)
        findings.append(finding)
    return findings


def effects(eyes, summary):
    """No call took effect twice under one key; the clouds themselves made no mistake."""
    finding = Finding("no call took effect twice", checked=len(eyes.calls))
    for line in verdict.effects(eyes):
        finding.violated(line)
    for kind, found in summary["duplicates"].items():
        for name in found:
            finding.violated(f"{kind}: {name} is there twice")
    if summary["simulator_errors"]:
        finding.violated(f"the simulated clouds failed {summary['simulator_errors']} times: nothing they say counts")
    return finding


def mails_by_content(eyes):
    """Each e-mail went to whom its job names; a decision has one job for a template and an address."""
    finding = Finding("each e-mail is the one that was decided")
    for row in eyes.ledger["resend"]["emails"]:
        job = eyes.jobs.get(row["idempotency_key"])
        finding.checked += 1
        if job is not None and [job["args"].get("to")] != list(row["to"]):
            finding.violated(f"the e-mail of job {row['idempotency_key']} went to {row['to']},"
                             f" not to {job['args'].get('to')}")
    decided = collections.Counter(
        (job["cause_source"], job["cause_event_id"], job["args"].get("template"), job["args"].get("to"))
        for job in eyes.jobs.values() if job["kind"] == "email")
    for (_source, event_id, template, to), count in decided.items():
        if count > 1:
            finding.violated(f"event {event_id} came to {count} e-mails '{template}' to {to}")
    return finding


def claims(facts):
    """Of a job's runs one has it, until it is tried again by command; any other's report changes nothing."""
    finding = Finding("one run has a job, and no second one")
    runs, retried = collections.defaultdict(set), collections.Counter()
    for message in facts.messages:
        row = facts.decided.get(message.identity)
        if row is None or row.place != message.place or row.outcome != "applied":
            continue
        if message.type.startswith("callback."):
            body = json.loads(message.value)
            runs[body["job_id"]].add(str(body["run_id"]))
        elif message.type == "command.job.retry":
            retried[json.loads(message.value)["data"]["job_id"]] += 1
    for job, having in runs.items():
        finding.checked += 1
        if len(having) > 1 + retried[job]:
            finding.violated(f"job {job} was had by {len(having)} runs ({', '.join(sorted(having))}),"
                             f" tried again {retried[job]} times")
    return finding
