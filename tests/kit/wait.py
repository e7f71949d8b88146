"""Waiting for something to become true, with a deadline and a reason; the only place that pauses."""

import threading

PAUSE_S = 0.03


def until(probe, what, timeout_s=30):
    """Calls `probe` until it gives something truthy, and gives that; fails with `what` and the last answer otherwise."""
    pause = threading.Event()
    polls = max(1, int(timeout_s / PAUSE_S))
    answer = None
    for _ in range(polls):
        answer = probe()
        if answer:
            return answer
        pause.wait(PAUSE_S)
    raise AssertionError(f"waited {timeout_s} s for {what}; the last answer was {answer!r}")
