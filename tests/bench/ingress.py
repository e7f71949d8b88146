"""Ingress: signed events of 2.5 KB over keep-alive connections, each answered when Kafka has it."""

from . import load, process

ROUNDS = 3
SECONDS = 4
SHAPES = [{"connections": 64, "rate": 0}, {"connections": 256, "rate": 0}, {"connections": 64, "rate": 1000}]


def run(system, median):
    system.dev("stop", "worker-1")
    try:
        load.send(system, connections=64, seconds=2)  # warms caches and connections
        return [measure(system, shape, median) for shape in SHAPES]
    finally:
        system.dev("start", "worker-1")


def measure(system, shape, median):
    pid = system.pid("ingress")
    rounds = []
    for _ in range(ROUNDS):
        before = process.cpu_s(pid)
        figures = load.send(system, seconds=SECONDS, **shape)
        figures["cpu_us"] = (process.cpu_s(pid) - before) * 1e6 / figures["ok"]
        rounds.append(figures)

    def of(name):
        return float(median(figures[name] for figures in rounds))

    return {"connections": shape["connections"], "loop": f"open {shape['rate']}/s" if shape["rate"] else "closed",
            "requests/s": of("rate"), "p50 ms": of("p50_ms"), "p99 ms": of("p99_ms"), "cpu us/request": of("cpu_us"),
            "rss MB": process.rss_mb(pid)}
