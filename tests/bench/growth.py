"""Growth: what ingress and the worker hold after each hundred thousand of a million events. By name only: it takes minutes."""

from . import load, process, worker

STEP, STEPS, USERS = 100_000, 10, 20_000
PROGRAMS = ("ingress", "worker-1")


def run(system, _median):
    books = system.books()
    worker.catch_up(system, books)
    rows = []
    for number in range(1, STEPS + 1):
        figures = load.send(system, connections=64, seconds=280, count=STEP, users=USERS)
        assert figures["ok"] == STEP, figures
        worker.catch_up(system, books)
        rows.append({"events": number * STEP, "ingress events/s": float(figures["rate"]),
                     "customers known": int(system.ingress().metrics()["sluice_ingress_directory_entries"]),
                     **{f"{name} rss MB": process.rss_mb(system.pid(name)) for name in PROGRAMS}})
    books.close()
    return rows
