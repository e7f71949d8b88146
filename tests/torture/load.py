"""The load: a population's events, evenly over the time, by senders that don't give up.

A thread of its own with an event loop. A line of `out_path` is one attempt's end: {"key", "source", "id", "type", "user",
"status", "at_ms", "attempts", "sha256", "receipt", "outcome"}; whatever has a line with a 2xx is promised. status 0: no
answer. One in ten is sent again: at once beside the first, soon after it, or much later; some are held back a while, so
that others overtake them.
"""

import asyncio
import collections
import json
import random
import threading
import time

import psycopg

from kit.clouds import Clouds
from system.model.model import first_data_key

from .population import RECENT_JOBS, Knowledge, Pay, Population, Teams
from .senders import Door, Senders, Signer

TICK_S = 0.01
URLS_EVERY_S = 0.25
KNOWLEDGE_EVERY_S = 1.0
UNDER_WAY_MAX = 20_000  # deliveries; then no new ones begin
SENT_AGAIN, SENT_LATE = 0.10, 0.10  # shares
LATE_S = 3.0
COUNTED = ("events", "accepted", "refused", "given up", "duplicates", "sent", "2xx", "non-2xx", "unanswered", "retried")
STOP_S = 120
# Stripe knows the population's customers; whom Hetzner tells of its limit is told to come again in a second, not in months
CLOUDS = {"stripe": {"adopt_unknown": True}, "hetzner": {"rate_refill_per_s": 3600}}


class Load:
    """`urls()`: the base URLs of the ingresses that live now; `env`: secrets, DATABASE_URL, the clouds' control port."""

    def __init__(self, urls, env, seed, events, seconds, out_path):
        self._urls, self._env = urls, env
        self._events, self._seconds = events, seconds
        self._rng = random.Random(seed)
        self._knowledge = Knowledge()
        self.population = Population(self._rng, events, self._knowledge, first_data_key(env))
        self._out = open(out_path, "w", encoding="utf-8")
        self._counts = collections.Counter({name: 0 for name in COUNTED})
        self._known_urls = []
        self._tasks = set()
        self._ending = threading.Event()
        self._deadline_s = STOP_S
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._failure = None

    def start(self):
        self._thread.start()
        return self

    def stop(self, deadline_s=STOP_S):
        """Begins nothing new; gives when each delivery has its 2xx, was refused, or its sender has given up."""
        self._deadline_s = deadline_s
        self._ending.set()
        self._thread.join()
        self._out.close()
        if self._failure is not None:
            raise self._failure

    def wait(self, timeout_s=None):
        """Until all events are begun and have their end, as stop() but without cutting the time short."""
        self._thread.join(timeout_s)

    def counts(self):
        """events: begun; accepted, refused, given up: their ends; sent: attempts, each a 2xx, non-2xx or unanswered."""
        return {"users": self.population.users, "under way": len(self._tasks), **self._counts}

    # On the thread.

    def _run(self):
        try:
            asyncio.run(self._main())
        except Exception as failure:  # told to whoever stops the load
            self._failure = failure

    async def _main(self):
        door, self._over = Door(lambda: self._known_urls), asyncio.Event()
        self._senders = Senders(door, Signer(self._env), self._record, self._rng)
        self._clouds = Clouds(self._env)
        self._clouds.configure(**CLOUDS)
        helpers = [asyncio.ensure_future(self._look(self._read_urls, URLS_EVERY_S)),
                   asyncio.ensure_future(self._look(self._read_books, KNOWLEDGE_EVERY_S))]
        try:
            await self._pace()
            await self._drain()
        finally:
            for task in (*helpers, *self._tasks):
                task.cancel()
            await asyncio.gather(*helpers, *self._tasks, return_exceptions=True)
            door.close()

    async def _pace(self):
        """Each event has its moment; what could not begin in time is made up for."""
        began, self._ends_at = time.monotonic(), time.monotonic() + self._seconds
        for number in range(self._events):
            due = began + number * self._seconds / self._events
            while time.monotonic() < due or len(self._tasks) >= UNDER_WAY_MAX:
                if self._ending.is_set():
                    return
                await asyncio.sleep(TICK_S)
            self._begin(self.population.draw().next())

    def _begin(self, made):
        if isinstance(made, Pay):
            self._spawn(self._pay(made))
        elif isinstance(made, Teams):
            self._spawn(self._share(made))
        else:
            self._counts["events"] += 1
            self._spawn(self._deliver(made))

    def _spawn(self, work):
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task):
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failure = self._failure or task.exception()

    async def _deliver(self, delivery):
        rng = self._rng
        if rng.random() < SENT_LATE:
            await self._pause(rng.uniform(0, LATE_S))
        again = rng.choice(("beside", "soon", "later")) if rng.random() < SENT_AGAIN else None
        if again == "beside":
            self._counts["duplicates"] += 1
            self._spawn(self._until_end(delivery))
        if await self._until_end(delivery) and again in ("soon", "later"):
            left_s = max(0.0, self._ends_at - time.monotonic())
            await self._pause(rng.uniform(0, LATE_S if again == "soon" else left_s))
            self._counts["duplicates"] += 1
            await self._until_end(delivery)

    async def _pause(self, seconds):
        """So long, or until the load ends."""
        try:
            await asyncio.wait_for(self._over.wait(), seconds)
        except asyncio.TimeoutError:
            pass

    async def _until_end(self, delivery):
        ended = await self._senders.deliver(delivery)
        self._counts["accepted" if delivery.is_promised else "refused" if ended else "given up"] += 1
        return ended

    async def _pay(self, made):
        """A customer at Stripe's pages; then Stripe tells."""
        call = self._clouds.leave if made.how == "left" else self._clouds.pay
        arguments = {} if made.how == "left" else {"settled": made.how == "paid"}
        done = await self._control(call, made.session_id, **arguments)
        for delivery in made.tell(done, 0) if done else ():
            self._begin(delivery)
        if done and made.how in ("late", "late_failure"):
            settled = await self._control(self._clouds.settle, made.session_id, made.how == "late")
            for delivery in made.tell(settled, 1) if settled else ():
                self._begin(delivery)

    async def _share(self, made):
        await self._control(self._clouds.graph_token, made.token, [{"id": "t", "displayName": "T", "channels": []}])
        self._begin(made.delivery)

    async def _control(self, call, *arguments, **more):
        """A call at the clouds' control port; None where the clouds refuse it (the session was paid before)."""
        try:
            return await asyncio.get_running_loop().run_in_executor(None, lambda: call(*arguments, **more))
        except AssertionError:
            return None

    async def _drain(self):
        """Until nothing is under way; at the deadline the senders give up."""
        give_up_at = None
        while self._tasks and (give_up_at is None or time.monotonic() < give_up_at):
            if self._ending.is_set() and give_up_at is None:
                self._over.set()
                give_up_at = time.monotonic() + self._deadline_s
            await asyncio.sleep(TICK_S * 5)
        self._senders.give_up()
        while self._tasks:
            await asyncio.sleep(TICK_S)

    def _record(self, delivery, answer, is_retry):
        counts = self._counts
        counts["sent"] += 1
        counts["2xx" if 200 <= answer.status < 300 else "non-2xx" if answer.status else "unanswered"] += 1
        counts["retried"] += is_retry
        self._out.write(json.dumps({
            "key": delivery.key, "source": delivery.source, "id": delivery.id, "type": delivery.type,
            "user": delivery.user, "status": answer.status, "at_ms": int(time.time() * 1000),
            "attempts": delivery.attempts, "sha256": delivery.sha256, "receipt": answer.receipt,
            "outcome": answer.outcome}, separators=(",", ":")) + "\n")

    # What the outside sees.

    async def _look(self, read, every_s):
        while True:
            await asyncio.get_running_loop().run_in_executor(None, read)
            await asyncio.sleep(every_s)

    def _read_urls(self):
        self._known_urls = list(self._urls())

    def _read_books(self):
        """Old knowledge stays where the database is away."""
        known = self._knowledge
        try:
            with psycopg.connect(self._env["DATABASE_URL"], autocommit=True, connect_timeout=2) as books:
                known.workspaces.update((user, str(place)) for user, place in books.execute(
                    "SELECT DISTINCT ON (user_id) user_id, workspace_id FROM sluice.workspace_members"
                    " ORDER BY user_id, joined_at").fetchall())
                known.sessions = dict(books.execute(
                    "SELECT id, pending_checkout ->> 'session_id' FROM sluice.users"
                    " WHERE pending_checkout ->> 'session_id' IS NOT NULL").fetchall())
                known.jobs.update((str(agent), str(job)) for agent, job in books.execute(
                    "SELECT agent_id, id FROM sluice.jobs WHERE agent_id IS NOT NULL ORDER BY seq DESC LIMIT %s",
                    (RECENT_JOBS,)).fetchall())
        except psycopg.Error:
            self._counts["blind"] += 1
