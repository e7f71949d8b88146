"""./dev bench [ingress|worker|latency|growth]: figures measured here, now, on real servers; medians of several rounds.

The load generator, the broker, the database and the programs share this machine's cores: rates are of the whole of it, CPU time per
event is the program's own.
"""

import json
import os
import pathlib
import statistics
import sys
import time

from kit.system import ROOT, System

from . import growth, ingress, latency, worker

BENCHES = {"ingress": ingress.run, "worker": worker.run, "latency": latency.run}
BY_NAME_ONLY = {"growth": growth.run}


def print_table(name, rows):
    columns = list(rows[0])
    cells = [columns] + [[f"{value:,.2f}" if isinstance(value, float) else str(value) for value in row.values()]
                         for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    print(f"\n{name}")
    for line in cells:
        print("  " + "  ".join(cell.rjust(width) for cell, width in zip(line, widths)))
    sys.stdout.flush()


def main(names):
    unknown = set(names) - set(BENCHES) - set(BY_NAME_ONLY)
    if unknown:
        print(f"there is no benchmark {', '.join(sorted(unknown))}: {' '.join([*BENCHES, *BY_NAME_ONLY])}", file=sys.stderr)
        return 64
    system = System(os.environ["SLUICE_DEV_DIR"], pathlib.Path(__file__).with_name("bench.conf"), workers=1).up()
    results = ROOT / ".dev" / "bench"
    results.mkdir(parents=True, exist_ok=True)
    try:
        for name in names or BENCHES:
            rows = (BENCHES | BY_NAME_ONLY)[name](system, statistics.median)
            print_table(name, rows)
            with open(results / f"{name}.jsonl", "a", encoding="utf-8") as out:
                for row in rows:
                    out.write(json.dumps({"at": int(time.time()), "bench": name, **row}) + "\n")
    finally:
        system.down()
    print(f"\nadded to {results.relative_to(ROOT)}/")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
