"""Simulated time: the wall clock plus whatever a test has advanced it by, and a queue of things due.

All timings of the clouds (actions that run, keys that expire, budgets that refill) go through one Clock, so a test
can move a day ahead by one call and nothing has to sleep. Single-threaded: everything runs on the event loop.
Invariant: a callback never runs before it is due, and callbacks run in the order (due time, order of scheduling).
"""

import asyncio
import datetime
import heapq
import itertools
import time
import traceback


class Timer:
    """A callback that is due at a simulated time; cancel() makes it void."""

    __slots__ = ("callback", "cancelled", "due")

    def __init__(self, due, callback):
        self.due = due
        self.callback = callback
        self.cancelled = False

    def cancel(self):
        self.cancelled = True


class Clock:
    def __init__(self, source=time.time):
        self._source = source
        self._offset_s = 0.0
        self._heap = []
        self._sequence = itertools.count()
        self._handle = None
        self._handle_due = None
        self.callback_errors = 0

    def now(self):
        """Simulated Unix time in seconds (a float)."""
        return self._source() + self._offset_s

    def advance(self, amount_ms):
        """Moves simulated time forward and runs what has become due. amount_ms >= 0."""
        if amount_ms < 0:
            raise ValueError("time runs forward only")
        self._offset_s += amount_ms / 1000
        self._disarm()  # the event loop's wake-up was counted from before the jump: too late by amount_ms now
        self.run_due()
        self._arm()

    def schedule(self, delay_ms, callback):
        """Runs callback() once, delay_ms of simulated time from now. Answers the Timer."""
        timer = Timer(self.now() + max(0.0, delay_ms) / 1000, callback)
        heapq.heappush(self._heap, (timer.due, next(self._sequence), timer))
        self._arm()
        return timer

    async def sleep(self, amount_ms):
        """Waits for amount_ms of simulated time."""
        waiter = asyncio.get_running_loop().create_future()
        timer = self.schedule(amount_ms, lambda: waiter.done() or waiter.set_result(None))
        try:
            await waiter
        finally:
            timer.cancel()

    def run_due(self):
        """Runs every callback whose time has come. Those scheduled meanwhile wait for the next round."""
        horizon = self.now()
        while self._heap and self._heap[0][0] <= horizon:
            timer = heapq.heappop(self._heap)[2]
            if timer.cancelled:
                continue
            try:
                timer.callback()
            except Exception:  # one broken timer must not stop the others
                self.callback_errors += 1
                traceback.print_exc()

    def stop(self):
        """Forgets everything scheduled. For the end of the process."""
        self._heap.clear()
        self._disarm()

    def _arm(self):
        if not self._heap:
            return
        due = self._heap[0][0]
        if self._handle is not None:
            if self._handle_due <= due:
                return
            self._disarm()
        self._handle_due = due
        delay_s = max(0.0, due - self.now())
        self._handle = asyncio.get_running_loop().call_later(delay_s, self._tick)

    def _disarm(self):
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _tick(self):
        self._handle = None
        self.run_due()
        self._arm()


def iso_offset(unix_s):
    """RFC 3339 as Hetzner writes it: 2026-11-21T09:00:00+00:00."""
    moment = datetime.datetime.fromtimestamp(int(unix_s), datetime.timezone.utc)
    return moment.isoformat()


def iso_zulu(unix_s):
    """RFC 3339 as GitHub and Tailscale write it: 2026-11-21T09:00:00Z."""
    moment = datetime.datetime.fromtimestamp(int(unix_s), datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_millis(unix_s):
    """RFC 3339 with milliseconds: 2026-11-21T09:00:00.123Z."""
    moment = datetime.datetime.fromtimestamp(unix_s, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
