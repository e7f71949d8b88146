"""Simulated GitHub (api.github.com): one repository with a provisioning workflow, its runs, and its webhook.

A dispatch makes a run, which runner.py performs. Both API versions: 2022-11-28 (also when the header is absent)
answers 204, or 200 with return_run_details; 2026-03-10 always 200. A run's status changes in set_state() only,
along queued -> in_progress -> completed.
"""

import dataclasses
import datetime
import itertools
import math
import re

from .clock import iso_zulu
from .web import Cloud, Refusal, Reply, decode_json, json_reply, next_link, positive

VERSIONS = ("2022-11-28", "2026-03-10")
DOCUMENTATION = "https://docs.github.com/rest"
WINDOW_S = 3600
MAX_INPUTS = 25
MAX_INPUT_CHARACTERS = 65_535
MAX_FILTERED = 1000
BRANCHES = ("main", "refs/heads/main")
ORDER = {"queued": 0, "in_progress": 1, "completed": 2}
CONCLUSIONS = ("action_required", "cancelled", "failure", "neutral", "skipped", "stale", "startup_failure", "success",
               "timed_out")
STATUSES = (*CONCLUSIONS, "completed", "in_progress", "queued", "requested", "waiting", "pending")

# file: (id, name, inputs {name: required} or None without workflow_dispatch)
WORKFLOWS = {
    "provision-agent.yml": (70_000_001, "Provision agent",
                            {"job_id": True, "agent_id": True, "region": True, "callback_url": True}),
    "ci.yml": (70_000_002, "CI", None),
}


@dataclasses.dataclass(slots=True)
class Run:
    id: int
    number: int
    workflow: str
    inputs: dict
    created: float
    status: str = "queued"
    conclusion: str | None = None
    started: float | None = None
    updated: float = 0.0
    attempt: int = 1
    cancel_asked: bool = False
    note: str = ""  # for the ledger: how it went

    @property
    def title(self):
        return f"sluice {self.inputs.get('job_id', '')}"


class GitHub(Cloud):
    name = "github"

    def __init__(self, simulation):
        super().__init__(simulation)
        self.token = simulation.options.github_pat
        self.repository = simulation.options.github_repository
        self._run_ids = itertools.count(16_000_000_001)  # never used again, not even after a reset
        self._run_numbers = itertools.count(1)
        self.reset()

    def reset(self):
        self.runs = {}
        self.dispatches = 0
        self._window_start = self.clock.now()
        self._used = 0

    def routes(self):
        actions = "/repos/{owner}/{repo}/actions"
        return [
            ("POST", actions + "/workflows/{workflow}/dispatches", self._dispatch),
            ("GET", actions + "/workflows/{workflow}/runs", self._list_workflow_runs),
            ("GET", actions + "/runs", self._list_runs),
            ("GET", actions + "/runs/{id}", self._get_run),
            ("POST", actions + "/runs/{id}/cancel", self._cancel),
            ("POST", actions + "/runs/{id}/force-cancel", self._force_cancel),
            ("GET", actions + "/runs/{id}/jobs", self._list_jobs),
            ("GET", actions + "/workflows", self._list_workflows),
            ("GET", actions + "/workflows/{workflow}", self._get_workflow),
            ("GET", "/repos/{owner}/{repo}", self._get_repository),
            ("GET", "/repos/{owner}/{repo}/hooks", self._list_hooks),
            ("GET", "/repos/{owner}/{repo}/hooks/{hook}/deliveries", self._list_deliveries),
            ("GET", "/repos/{owner}/{repo}/hooks/{hook}/deliveries/{id}", self._get_delivery),
            ("POST", "/repos/{owner}/{repo}/hooks/{hook}/deliveries/{id}/attempts", self._redeliver),
            ("GET", "/rate_limit", self._rate_limit),
        ]

    # Admission.

    def admit(self, request):
        if not request.headers.get("User-Agent"):
            return Reply(403, b"\r\nRequest forbidden by administrative rules. Please make sure your request has a "
                              b"User-Agent header (https://docs.github.com/en/rest/overview/resources-in-the-rest-api"
                              b"#user-agent-required). Check https://developer.github.com for other possible causes."
                              b"\r\n", {"Content-Type": "text/plain"})
        version = request.headers.get("X-GitHub-Api-Version")
        if version is not None and version not in VERSIONS:
            return failure(400, f"\"{version}\" is not a supported version of the GitHub API")
        accept = request.headers.get("Accept", "*/*")
        if not any(kind in accept for kind in ("*/*", "application/json", "application/vnd.github", "application/*")):
            return failure(415, "Unsupported 'Accept' header: Must accept 'application/json'.")
        scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() not in ("bearer", "token"):
            return failure(401, "Requires authentication")
        if token.strip() != self.token:
            return failure(401, "Bad credentials")
        return self._spend(request)

    def _spend(self, request):
        """Takes one request from the hour's budget; the refusal when there is none left."""
        limit = self.settings.rate_limit
        if not limit or request.path == "/rate_limit":
            return None
        if self.clock.now() >= self._window_start + WINDOW_S:
            self._window_start = self.clock.now()
            self._used = 0
        if self._used >= limit:
            return failure(403, "API rate limit exceeded for user ID 1. If you reach out to GitHub Support for help, "
                                "please include the request ID.")
        self._used += 1
        return None

    def decorate(self, request, reply):
        for name, value in self._budget().items():
            reply.headers.setdefault(f"x-ratelimit-{name}", str(value))
        reply.headers.setdefault("x-ratelimit-resource", "core")
        version = request.headers.get("X-GitHub-Api-Version", VERSIONS[0])
        reply.headers["x-github-api-version-selected"] = version
        reply.headers["X-GitHub-Request-Id"] = f"{self.random.getrandbits(64):016X}"
        reply.headers["X-GitHub-Media-Type"] = "github.v3; format=json"

    def _budget(self):
        limit = self.settings.rate_limit or 5000
        used = min(self._used, limit)
        return {"limit": limit, "remaining": limit - used, "used": used,
                "reset": math.ceil(self._window_start + WINDOW_S)}

    def rate_limited_reply(self):
        """The secondary limit, as it strikes bursts of dispatches."""
        seconds = self.settings.secondary_retry_after_s
        return json_reply(403, {
            "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If "
                       "you reach out to GitHub Support for help, please include the request ID.",
            "documentation_url": f"{DOCUMENTATION}/using-the-rest-api/rate-limits-for-the-rest-api",
            "status": "403"}, {} if seconds is None else {"Retry-After": str(seconds)})

    def error_reply(self, status):
        return failure(status, {401: "Bad credentials", 403: "Resource not accessible by personal access token",
                                404: "Not Found", 409: "Conflict", 422: "Validation Failed", 500: "Server Error",
                                502: "Server Error", 503: "Service unavailable"}.get(status, "Server Error"))

    def no_route(self, request, allowed):
        return failure(404, "Not Found")

    # Dispatch.

    def _dispatch(self, request):
        self._own_repository(request)
        file = self._workflow(request)
        body = self._json(request)
        inputs = self._checked_inputs(body, WORKFLOWS[file][2])
        details = body.get("return_run_details", False)
        version = request.headers.get("X-GitHub-Api-Version", VERSIONS[0])
        if "return_run_details" in body and self.settings.refuse_run_details:
            raise Refusal(failure(422, "Invalid request.\n\n\"return_run_details\" is not a permitted key."))
        if not isinstance(details, bool):
            raise Refusal(failure(422, f"Invalid request.\n\nFor 'properties/return_run_details', {details!r} is not a "
                                       "boolean."))
        run = self._make_run(file, inputs)
        self.dispatches += 1
        self.simulation.runner.take(run)
        request.effect(f"dispatched run {run.id}")
        if version == VERSIONS[0] and not details:
            return Reply(204)
        return json_reply(200, {"workflow_run_id": run.id, "run_url": self._run_url(run),
                                "html_url": self._html_url(run)})

    def _checked_inputs(self, body, declared):
        """The inputs of a dispatch, with defaults; refuses what GitHub refuses."""
        ref = body.get("ref")
        if not isinstance(ref, str):
            raise Refusal(failure(422, "Invalid request.\n\n\"ref\" wasn't supplied."))
        if ref not in BRANCHES:
            raise Refusal(failure(422, f"No ref found for: {ref}"))
        if declared is None:
            raise Refusal(failure(422, "Workflow does not have 'workflow_dispatch' trigger"))
        inputs = body.get("inputs", {})
        if not isinstance(inputs, dict):
            raise Refusal(failure(422, "Invalid request.\n\nFor 'properties/inputs', the value is not an object."))
        if len(inputs) > MAX_INPUTS:
            raise Refusal(failure(422, f"you may only define up to {MAX_INPUTS} `inputs` for a `workflow_dispatch` "
                                       "event"))
        unexpected = [name for name in inputs if name not in declared]
        if unexpected:
            listed = ", ".join(f'"{name}"' for name in unexpected)
            raise Refusal(failure(422, f"Unexpected inputs provided: [{listed}]"))
        for name, value in inputs.items():
            if not isinstance(value, (str, int, float, bool)):
                raise Refusal(failure(422, f"Invalid request.\n\nFor 'inputs/{name}', the value is not a string."))
        if sum(len(str(value)) for value in inputs.values()) > MAX_INPUT_CHARACTERS:
            raise Refusal(failure(422, "inputs are too large."))
        for name, required in declared.items():
            if required and str(inputs.get(name, "")) == "":
                raise Refusal(failure(422, f"Required input '{name}' not provided"))
        return {name: str(value) for name, value in inputs.items()}

    def _make_run(self, file, inputs):
        while len(self.runs) >= self.settings.run_limit:
            oldest = self.runs.pop(next(iter(self.runs)))
            self.simulation.runner.abandon(oldest)
        run = Run(next(self._run_ids), next(self._run_numbers), file, inputs, self.clock.now())
        run.updated = run.created
        self.runs[run.id] = run
        self.ledger.made("github", "run", run.id, name=run.title, agent_id=inputs.get("agent_id"),
                         job_id=inputs.get("job_id"), extra={"status": "queued", "conclusion": None, "note": ""})
        self.simulation.hooks.workflow_run(run, "requested")
        return run

    def duplicate(self, run):
        """A second run of the same dispatch, as GitHub has been seen to start."""
        return self._make_run(run.workflow, dict(run.inputs))

    def set_state(self, run, status, conclusion=None, note=None):
        """The one place where a run's status changes. Going back is a mistake of the simulator."""
        if ORDER[status] <= ORDER[run.status]:
            raise AssertionError(f"run {run.id}: {run.status} -> {status}")
        run.status, run.conclusion, run.updated = status, conclusion, self.clock.now()
        if status == "in_progress":
            run.started = run.updated
        if note is not None:
            run.note = note
        record = self.ledger.find("github", "run", run.id)
        if record is not None:
            record.extra.update(status=status, conclusion=conclusion, note=run.note)
        if status == "completed":
            self.ledger.ended("github", "run", run.id, conclusion)
        self.simulation.hooks.workflow_run(run, status)

    # Runs.

    def _list_workflow_runs(self, request):
        self._own_repository(request)
        return self._runs_page(request, self._workflow(request))

    def _list_runs(self, request):
        self._own_repository(request)
        return self._runs_page(request, None)

    def _runs_page(self, request, workflow):
        query = request.query
        status, event, branch = query.get("status"), query.get("event"), query.get("branch")
        if status is not None and status not in STATUSES:
            raise Refusal(failure(422, f"Invalid request.\n\n{status} is not a member of {list(STATUSES)}."))
        since, until = created_range(query.get("created"))
        actor = query.get("actor")
        if (event not in (None, "workflow_dispatch") or branch not in (None, "main")
                or actor not in (None, "sluice-bot") or query.get("check_suite_id") is not None
                or query.get("head_sha") not in (None, HEAD_SHA)):
            found = []
        else:
            found = self._select_runs(workflow, status, since, until)
        filtered = any(query.get(name) for name in ("status", "event", "branch", "created", "actor", "head_sha"))
        if filtered:
            found = found[:MAX_FILTERED]
        page, per_page = positive(query.get("page"), 1), positive(query.get("per_page"), 30, 100)
        shown = found[(page - 1) * per_page:page * per_page]
        link = next_link(self.simulation.url(self.name), request, max(1, -(-len(found) // per_page)))
        return json_reply(200, {"total_count": len(found), "workflow_runs": [self.view(run) for run in shown]},
                          {"Link": link} if link else {})

    def _select_runs(self, workflow, status, since, until):
        """Runs newest first; a new one shows only after visible_after_ms."""
        visible_before = self.clock.now() - self.settings.visible_after_ms / 1000
        found = []
        for run in reversed(self.runs.values()):
            if int(run.created) < since:
                break
            if run.created > visible_before or int(run.created) > until or workflow not in (None, run.workflow):
                continue
            if status is None or status in (run.status, run.conclusion):
                found.append(run)
        return found

    def _get_run(self, request):
        return json_reply(200, self.view(self._run(request)))

    def _cancel(self, request):
        return self._ask_to_cancel(request, self.settings.cancel_ms)

    def _force_cancel(self, request):
        return self._ask_to_cancel(request, 0)

    def _ask_to_cancel(self, request, delay_ms):
        run = self._run(request)
        if run.status == "completed":
            raise Refusal(failure(409, "Cannot cancel a workflow run that is completed."))
        if not run.cancel_asked or delay_ms == 0:
            run.cancel_asked = True
            self.clock.schedule(delay_ms, lambda: self.simulation.runner.cancel(run))
            request.effect(f"cancelled run {run.id}")
        return json_reply(202, {})

    def _list_jobs(self, request):
        run = self._run(request)
        finished = run.status == "completed"
        job = {"id": run.id + 10**9, "run_id": run.id, "run_attempt": run.attempt, "name": "provision",
               "status": run.status, "conclusion": run.conclusion, "labels": ["ubuntu-latest"],
               "runner_id": 1 if run.started else None, "runner_name": "GitHub Actions 1" if run.started else None,
               "runner_group_id": 0, "runner_group_name": "GitHub Actions", "workflow_name": WORKFLOWS[run.workflow][1],
               "head_branch": "main", "head_sha": HEAD_SHA, "created_at": iso_zulu(run.created),
               "started_at": iso_zulu(run.started or run.created),
               "completed_at": iso_zulu(run.updated) if finished else None, "steps": []}
        return json_reply(200, {"total_count": 1, "jobs": [job]})

    def view(self, run):
        """A run as the API and the webhook show it."""
        actor = {"login": "sluice-bot", "id": 1, "type": "User"}
        workflow_id, name, _inputs = WORKFLOWS[run.workflow]
        return {"id": run.id, "name": name, "display_title": run.title, "event": "workflow_dispatch",
                "status": run.status, "conclusion": run.conclusion, "head_branch": "main", "head_sha": HEAD_SHA,
                "path": f".github/workflows/{run.workflow}", "run_number": run.number, "run_attempt": run.attempt,
                "workflow_id": workflow_id, "url": self._run_url(run), "html_url": self._html_url(run),
                "created_at": iso_zulu(run.created), "updated_at": iso_zulu(run.updated),
                "run_started_at": iso_zulu(run.started or run.created), "actor": actor, "triggering_actor": actor}

    # Workflows, repository, hooks, budget.

    def _list_workflows(self, request):
        self._own_repository(request)
        return json_reply(200, {"total_count": len(WORKFLOWS),
                                "workflows": [workflow_view(file) for file in WORKFLOWS]})

    def _get_workflow(self, request):
        self._own_repository(request)
        return json_reply(200, workflow_view(self._workflow(request)))

    def _get_repository(self, request):
        self._own_repository(request)
        return json_reply(200, self.repository_view())

    def repository_view(self):
        owner, _slash, name = self.repository.partition("/")
        return {"id": 1, "name": name, "full_name": self.repository, "private": True, "default_branch": "main",
                "owner": {"login": owner, "id": 1, "type": "Organization"}}

    def _list_hooks(self, request):
        self._own_repository(request)
        return json_reply(200, self.simulation.hooks.hook_views())

    def _list_deliveries(self, request):
        self._own_hook(request)
        status, cursor = request.query.get("status"), request.query.get("cursor")
        if status not in (None, "success", "failure"):
            raise Refusal(failure(422, "Invalid request.\n\nstatus is not a member of [\"success\", \"failure\"]."))
        per_page = positive(request.query.get("per_page"), 30, 100)
        if cursor is not None and not re.fullmatch(r"v1_\d+", cursor):
            raise Refusal(failure(422, "Invalid cursor."))
        shown, following = self.simulation.hooks.page(status, cursor, per_page)
        headers = {}
        if following is not None:
            filters = f"per_page={per_page}" + (f"&status={status}" if status else "")
            url = f"{self.simulation.url(self.name)}{request.path}?{filters}&cursor={following}"
            headers["Link"] = f'<{url}>; rel="next"'
        return json_reply(200, shown, headers)

    def _get_delivery(self, request):
        self._own_hook(request)
        delivery = self.simulation.hooks.find(request.arguments["id"])
        if delivery is None:
            raise Refusal(failure(404, "Not Found"))
        return json_reply(200, delivery.view(whole=True))

    def _redeliver(self, request):
        self._own_hook(request)
        delivery = self.simulation.hooks.find(request.arguments["id"])
        if delivery is None:
            raise Refusal(failure(404, "Not Found"))
        if not self.simulation.hooks.redeliver(delivery):
            raise Refusal(failure(422, "The delivery is too old to be redelivered."))
        request.effect(f"redelivered {delivery.guid}")
        return json_reply(202, {})

    def _rate_limit(self, request):
        budget = self._budget()
        return json_reply(200, {"resources": {"core": budget}, "rate": budget})

    def summary(self):
        states = {}
        for run in self.runs.values():
            state = run.conclusion or run.status
            states[state] = states.get(state, 0) + 1
        return {"dispatches": self.dispatches, "runs": len(self.runs), "runs_by_state": states}

    # Helpers.

    def _own_repository(self, request):
        arguments = request.arguments
        if f"{arguments['owner']}/{arguments['repo']}".lower() != self.repository.lower():
            raise Refusal(failure(404, "Not Found"))

    def _own_hook(self, request):
        self._own_repository(request)
        if request.arguments["hook"] != str(self.simulation.hooks.HOOK_ID):
            raise Refusal(failure(404, "Not Found"))

    def _workflow(self, request):
        wanted = request.arguments["workflow"]
        for file, (number, _name, _inputs) in WORKFLOWS.items():
            if wanted in (file, str(number)):
                return file
        raise Refusal(failure(404, "Not Found"))

    def _run(self, request):
        self._own_repository(request)
        number = request.arguments["id"]
        run = self.runs.get(int(number)) if number.isdigit() else None
        if run is None:
            raise Refusal(failure(404, "Not Found"))
        return run

    def _json(self, request):
        body = decode_json(request, lambda message: failure(400, "Problems parsing JSON"))
        if not isinstance(body, dict):
            raise Refusal(failure(400, "Body should be a JSON object"))
        return body

    def _run_url(self, run):
        return f"{self.simulation.url(self.name)}/repos/{self.repository}/actions/runs/{run.id}"

    def _html_url(self, run):
        return f"https://github.com/{self.repository}/actions/runs/{run.id}"


HEAD_SHA = "0f" * 20
DATE = r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})?)?"
CREATED = re.compile(rf"(?P<operator>>=|<=|>|<)?(?P<from>{DATE}|\*)(?:\.\.(?P<to>{DATE}|\*))?")


def created_range(text):
    """(since, until) in whole Unix seconds for a `created` filter: a date, >=date, <=date, >date, <date, a..b."""
    if not text:
        return 0, math.inf
    match = CREATED.fullmatch(text)
    if match is None:
        raise Refusal(failure(422, f"Invalid request.\n\ncreated: {text!r} is not a date."))
    try:
        start, start_end = moment(match["from"], 0)
        _end, end_end = moment(match["to"], math.inf) if match["to"] else (start, start_end)
    except ValueError as error:
        raise Refusal(failure(422, f"Invalid request.\n\ncreated: {error}")) from error
    return {">=": (start, math.inf), ">": (start_end + 1, math.inf), "<=": (0, start_end), "<": (0, start - 1),
            None: (start, end_end)}[match["operator"]]


def moment(text, unbounded):
    """(first, last) second that a date or a time names."""
    if text == "*":
        return unbounded, unbounded
    value = datetime.datetime.fromisoformat(text)
    if value.tzinfo is None:
        value = value.replace(tzinfo=datetime.timezone.utc)
    first = int(value.timestamp())
    return first, first + (86_399 if "T" not in text else 0)


def workflow_view(file):
    number, name, _inputs = WORKFLOWS[file]
    return {"id": number, "name": name, "path": f".github/workflows/{file}", "state": "active"}


def failure(status, message):
    return json_reply(status, {"message": message, "documentation_url": DOCUMENTATION, "status": str(status)})
