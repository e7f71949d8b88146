"""decide_is_pure.py ARCHIVE LIST: what the archive of the rules takes from outside must stand in the list.

So nothing of I/O, clocks, randomness or memory allocation can come in unseen. A line of the list is a symbol, or a
prefix that ends in an asterisk. What compilers add for sanitizers and coverage doesn't count.
"""

import fnmatch
import subprocess
import sys
from pathlib import Path

INSTRUMENTATION = ("__asan_", "__ubsan_", "__tsan_", "__sanitizer_", "__sancov_", "__gcov_", "__llvm_", "_GLOBAL_OFFSET_TABLE_")


def symbols(archive: str, option: str) -> set[str]:
    command = ["nm", "--portability", option, archive]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in output.splitlines() if line.split()[1:2]}


def main() -> int:
    archive, list_file = sys.argv[1:]
    lines = (line.split("#")[0].strip() for line in Path(list_file).read_text(encoding="utf-8").splitlines())
    allowed = [line for line in lines if line]
    defined = symbols(archive, "--defined-only")
    taken = symbols(archive, "--undefined-only") - defined
    foreign = sorted(
        symbol
        for symbol in taken
        if not symbol.startswith(INSTRUMENTATION) and not any(fnmatch.fnmatchcase(symbol, name) for name in allowed)
    )
    for symbol in foreign:
        print(f"the rules are pure, and may not use {symbol}")
    print(f"{len(defined)} symbols defined, {len(taken)} taken from outside, {len(foreign)} of them not allowed")
    return 1 if foreign or not defined else 0


if __name__ == "__main__":
    sys.exit(main())
