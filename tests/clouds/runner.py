"""The workflow runner: performs a run as deploy/github/provision-agent.yml would, over real HTTP.

claim -> server (through the simulated Hetzner API) -> device -> report, with heartbeats beside it. Every callback is
signed, and asks to wait for its outcome; the run goes on only when its claim was granted. A plan says how a run is to
misbehave: plans for an agent come before plans for anyone, those before the setting runner.outcome.
"""

import asyncio
import collections
import dataclasses
import hashlib
import hmac
import json
import urllib.parse

import aiohttp

from .clock import iso_millis
from .web import RUNNER_AGENT

OUTCOMES = {
    "complete": "claims, makes server and device, reports completed",
    "fail_before_server": "claims, reports failed, has made nothing",
    "fail_after_server": "claims, makes server and device, reports failed and leaves them behind",
    "fail_silently": "claims, makes the server, ends as failure without any report",
    "never_claim": "stays in progress without a callback",
    "startup_failure": "ends as failure before its first step: no callback",
    "silent_after_claim": "claims, then neither beats nor reports",
    "silent_after_server": "claims, makes server and device, then neither beats nor reports",
    "duplicate_run": "the dispatch starts two runs; both claim",
    "complete_twice": "as complete, and reports completed a second time",
}
MAX_PLANS = 10_000
LOCATIONS = {"us-east": "ash", "us-west": "hil", "eu-central": "fsn1", "eu": "fsn1", "eu-north": "hel1",
             "ap-southeast": "sin"}
HETZNER_TRIES = 4


class PlanError(ValueError):
    """A plan that cannot be; the message says why."""


class Stopped(Exception):
    """Ends a run with a conclusion and a note for the ledger."""

    def __init__(self, conclusion, note, clean_up=False):
        super().__init__(note)
        self.conclusion = conclusion
        self.note = note
        self.clean_up = clean_up


@dataclasses.dataclass(slots=True)
class Plan:
    outcome: str
    agent_id: str | None = None
    times: int = 1
    hang_ms: float = 0  # between claim and server, beating all the while
    error: str = "the workflow failed as planned"

    def as_dict(self):
        return dataclasses.asdict(self)


class Runner:
    def __init__(self, simulation):
        self.simulation = simulation
        self.settings = simulation.settings.runner
        self._waiting = collections.deque()
        self._tasks = {}
        self._cleaning = set()
        self.plans = []

    # What GitHub and control ask for.

    def add_plan(self, document):
        """Adds a plan from its JSON form; PlanError says what is wrong with it."""
        fields = {field.name for field in dataclasses.fields(Plan)}
        if not isinstance(document, dict) or set(document) - fields:
            raise PlanError(f"a plan is an object of {', '.join(sorted(fields))}")
        plan = Plan(**{"outcome": "complete", **document})
        if plan.outcome not in OUTCOMES:
            raise PlanError(f"outcome must be one of {', '.join(OUTCOMES)}")
        if isinstance(plan.times, bool) or not isinstance(plan.times, int) or plan.times == 0 or plan.times < -1:
            raise PlanError("times must be a positive number, or -1 for always")
        if isinstance(plan.hang_ms, bool) or not isinstance(plan.hang_ms, (int, float)) or plan.hang_ms < 0:
            raise PlanError("hang_ms must be a number of milliseconds")
        if not isinstance(plan.error, str) or not isinstance(plan.agent_id, (str, type(None))):
            raise PlanError("error and agent_id must be text")
        if len(self.plans) >= MAX_PLANS:
            raise PlanError(f"there are {MAX_PLANS} plans already")
        self.plans.append(plan)
        return plan

    def take(self, run):
        """Accepts a run that was dispatched; starts it when there is room."""
        plan = self._plan_for(run)
        self._waiting.append((run, plan))
        if plan.outcome == "duplicate_run":
            self._waiting.append((self.simulation.github.duplicate(run), plan))
        self._start_waiting()

    def cancel(self, run):
        """Ends a run that somebody cancelled. What it made stays."""
        if run.status == "completed":
            return
        task = self._tasks.get(run.id)
        if task is not None:
            task.cancel()
        else:
            self._waiting = collections.deque(entry for entry in self._waiting if entry[0] is not run)
            self.simulation.github.set_state(run, "completed", "cancelled", "cancelled while queued")

    def abandon(self, run):
        """Forgets a run that GitHub no longer keeps."""
        task = self._tasks.get(run.id)
        if task is not None:
            task.cancel()

    def reset(self):
        self.plans.clear()
        self._waiting.clear()
        for task in self._tasks.values():
            task.cancel()

    async def stop(self):
        self.reset()
        await asyncio.gather(*self._tasks.values(), *self._cleaning, return_exceptions=True)

    def summary(self):
        return {"active_runs": len(self._tasks), "waiting_runs": len(self._waiting), "plans": len(self.plans)}

    def _plan_for(self, run):
        agent_id = run.inputs.get("agent_id")
        for wanted in (agent_id, None):
            for plan in self.plans:
                if plan.agent_id != wanted:
                    continue
                if plan.times > 0:
                    plan.times -= 1
                    if plan.times == 0:
                        self.plans.remove(plan)
                return plan
        return Plan(self.settings.outcome if self.settings.outcome in OUTCOMES else "complete")

    def _start_waiting(self):
        while self._waiting and len(self._tasks) < max(1, self.settings.max_parallel):
            run, plan = self._waiting.popleft()
            task = asyncio.ensure_future(Execution(self.simulation, run, plan).perform())
            self._tasks[run.id] = task
            task.add_done_callback(lambda _task, run_id=run.id: self._ended(run_id))

    def _ended(self, run_id):
        self._tasks.pop(run_id, None)
        self._start_waiting()


class Execution:
    """One run, from its queue to its conclusion."""

    def __init__(self, simulation, run, plan):
        self._simulation = simulation
        self._clock = simulation.clock
        self._settings = simulation.settings.runner
        self._run = run
        self._plan = plan
        self._server = None  # the server as Hetzner answered it
        self._device = None
        self._beating = None

    async def perform(self):
        """Performs the run; its conclusion ends up in GitHub's books whatever happens."""
        conclusion, note = "failure", "the simulator failed"
        try:
            limit_s = self._settings.run_timeout_ms / 1000
            await asyncio.wait_for(self._steps(), limit_s)
            conclusion, note = "success", "completed"
        except Stopped as stop:
            conclusion, note = stop.conclusion, stop.note
            if stop.clean_up:
                await self._clean_up()
        except asyncio.TimeoutError:
            conclusion, note = "timed_out", "exceeded its maximum execution time"
        except asyncio.CancelledError:
            conclusion, note = "cancelled", "cancelled by request"
            if self._settings.report_cancelled and self._run.cancel_asked:
                await self._report_failure("the workflow was cancelled")
        finally:
            self._stop_beating()
            if self._run.status != "completed" and self._simulation.github.runs.get(self._run.id) is self._run:
                self._simulation.github.set_state(self._run, "completed", conclusion, note)

    async def _steps(self):
        outcome = self._plan.outcome
        await self._clock.sleep(self._settings.queue_ms)
        self._simulation.github.set_state(self._run, "in_progress")
        if outcome == "startup_failure":
            raise Stopped("startup_failure", "failed to start")
        await self._clock.sleep(self._settings.setup_ms)
        if outcome == "never_claim":
            await self._be_silent()
        await self._claim()
        if outcome == "silent_after_claim":
            await self._be_silent()
        self._beating = asyncio.ensure_future(self._beat())
        await self._beside_heartbeats(self._work(outcome))

    async def _work(self, outcome):
        """Everything after the claim, while heartbeats go out beside it."""
        await self._clock.sleep(self._plan.hang_ms)
        if outcome == "fail_before_server":
            await self._fail(self._plan.error)
        await self._make_server()
        if outcome == "fail_silently":
            raise Stopped("failure", "failed without a report")
        self._make_device()
        await self._clock.sleep(self._settings.after_server_ms)
        if outcome == "silent_after_server":
            self._stop_beating()
            await self._be_silent()
        if outcome == "fail_after_server":
            await self._fail(self._plan.error)
        self._stop_beating()
        await self._report_completion()
        if outcome == "complete_twice":
            await self._send_until_taken(self._completion())

    async def _beside_heartbeats(self, work):
        """Runs work until it ends, or until a heartbeat is refused: the job is not ours any more."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task, self._beating}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done() and self._beating.done() and not self._beating.cancelled():
                self._beating.result()  # raises Stopped
            await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _beat(self):
        while True:
            await self._clock.sleep(max(1, self._settings.beat_ms))
            status, _answer = await self._post("heartbeat")
            if status == 409:
                raise Stopped("cancelled", "a heartbeat was refused", clean_up=True)

    def _stop_beating(self):
        if self._beating is not None and not self._beating.done():
            self._beating.cancel()

    async def _be_silent(self):
        """Nothing more is heard of this run, until it is cancelled or times out."""
        await self._clock.sleep(self._settings.run_timeout_ms + 1000)

    # Callbacks.

    async def _claim(self):
        """Claims the job, the same words at each try. Returns when it is granted."""
        body = self._body("claimed")
        for attempt in range(max(1, self._settings.callback_attempts)):
            if attempt:
                await self._clock.sleep(self._settings.callback_retry_ms)
            status, answer = await self._send(body)
            result = answer.get("result")
            # "received" and "accepted" are no grant: the same words again get the outcome, when there is one
            if status == 200 and result == "applied":
                return
            if status == 409 or result == "rejected":
                raise Stopped(self._settings.refused_conclusion, "the claim was refused")
            if status is not None and 400 <= status < 500 and status not in (408, 429):
                raise Stopped("failure", f"the claim was answered {status}")
        raise Stopped("failure", "the claim was never granted")

    async def _report_completion(self):
        status, tries = await self._send_until_taken(self._completion())
        if status == 409:
            # After a try of unknown end, a refusal may mean that the first one was taken: then the server is in use.
            raise Stopped("cancelled", "the completion was refused", clean_up=tries == 1)
        if status is None or status >= 300:
            raise Stopped("failure", "the completion was never taken")

    def _completion(self):
        return self._body("completed", server_id=self._id(self._server["id"]), server_ip=self._server_ip(),
                          tailscale_device_id=self._device.node_id, tailscale_ip=self._device.address)

    def _server_ip(self):
        return (self._server["public_net"]["ipv4"] or {"ip": ""})["ip"]

    def _id(self, number):
        return str(number) if self._settings.text_ids else number

    async def _fail(self, reason):
        await self._report_failure(reason)
        raise Stopped("failure", reason)

    async def _report_failure(self, reason):
        made = {"server_id": "", "server_ip": "", "tailscale_device_id": ""}  # empty where nothing was made
        if self._server is not None:
            made.update(server_id=self._id(self._server["id"]), server_ip=self._server_ip())
        if self._device is not None:
            made["tailscale_device_id"] = self._device.node_id
        await self._send_until_taken(self._body("failed", error=reason, **made))

    async def _send_until_taken(self, body):
        """Sends a report until it is answered for good; answers (last status or None, number of tries)."""
        status, attempt = None, 0
        for attempt in range(max(1, self._settings.callback_attempts)):
            if attempt:
                await self._clock.sleep(self._settings.callback_retry_ms)
            status, _answer = await self._send(body)
            if status is not None and status < 500 and status not in (408, 429):
                break
        return status, attempt + 1

    async def _post(self, kind):
        return await self._send(self._body(kind))

    def _body(self, status, **more):
        document = {"job_id": self._run.inputs["job_id"], "status": status, "run_id": self._id(self._run.id),
                    "timestamp": iso_millis(self._clock.now()), **more}
        return json.dumps(document, separators=(",", ":")).encode()

    async def _send(self, body):
        """One callback. Answers (status or None, its JSON object or {})."""
        secret = self._simulation.options.callback_secret.encode()
        headers = {"Content-Type": "application/json", "Prefer": "wait=20", "User-Agent": "curl/8.5.0",
                   "X-Hub-Signature-256": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()}
        timeout = aiohttp.ClientTimeout(total=self._settings.callback_timeout_ms / 1000)
        try:
            async with self._simulation.http.post(self._run.inputs["callback_url"], data=body, headers=headers,
                                                  timeout=timeout) as answer:
                text = await answer.read()
                return answer.status, _object(text)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError):
            return None, {}

    # What the run makes.

    async def _make_server(self):
        inputs = self._run.inputs
        status, answer = await self._hetzner("POST", "/servers", {
            "name": f"agent-{inputs['agent_id']}", "server_type": self._settings.server_type,
            "image": self._settings.image, "location": LOCATIONS.get(inputs["region"], "fsn1"),
            "ssh_keys": ["default"],
            "labels": {"sluice-agent": inputs["agent_id"], "sluice-job": inputs["job_id"]}})
        if status != 201:
            reason = (answer.get("error") or {}).get("message", f"no answer ({status})")
            await self._fail(f"cannot create the server: {reason}")
        self._server = answer["server"]
        for action in [answer["action"], *answer["next_actions"]]:
            await self._wait_for_action(action["id"])

    async def _wait_for_action(self, action_id):
        while True:
            status, answer = await self._hetzner("GET", f"/actions/{action_id}")
            state = answer["action"]["status"] if status == 200 else None
            if state == "success":
                return
            if state != "running":
                await self._fail(f"action {action_id} failed")
            await self._clock.sleep(max(1, self._settings.poll_ms))

    def _make_device(self):
        self._device = self._simulation.tailscale.join(f"agent-{self._run.inputs['agent_id']}")
        if self._device is None:
            raise Stopped("failure", "the tailnet is full")

    async def _clean_up(self):
        """Deletes what this run made: its job belongs to somebody else, or has ended."""
        for server_id in await self._made_servers():
            for _try in range(20):
                status, _answer = await self._hetzner("DELETE", f"/servers/{server_id}")
                if status in (200, 404):
                    break
                await self._clock.sleep(max(1, self._settings.poll_ms) * 4)
        if self._device is not None:
            self._simulation.tailscale.remove(self._device, "runner")

    async def _made_servers(self):
        """Ids of the servers this run made; it may have been stopped before it learned the id."""
        if self._server is not None:
            return [self._server["id"]]
        selector = urllib.parse.quote(f"sluice-job=={self._run.inputs['job_id']}")
        status, answer = await self._hetzner("GET", f"/servers?label_selector={selector}")
        return [server["id"] for server in answer["servers"]] if status == 200 else []

    async def _hetzner(self, method, path, body=None):
        """A call to the simulated Hetzner as its command line client makes it; answers (status or None, object)."""
        headers = {"Authorization": f"Bearer {self._simulation.options.hcloud_token}", "User-Agent": RUNNER_AGENT}
        url = f"{self._simulation.url('hetzner')}/v1{path}"
        status, answer = None, {}
        for attempt in range(HETZNER_TRIES):
            if attempt:
                await self._clock.sleep(self._settings.callback_retry_ms)
            try:
                async with self._simulation.http.request(method, url, json=body, headers=headers,
                                                         timeout=aiohttp.ClientTimeout(total=10)) as reply:
                    status, answer = reply.status, _object(await reply.read())
            except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
                status, answer = None, {}
            if status not in (None, 429, 502, 504):
                break
        return status, answer


def _object(text):
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
