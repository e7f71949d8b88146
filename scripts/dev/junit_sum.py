"""Adds up the JUnit XML files of a folder; the last line is `N passed, N failed`, and the exit status says the same.

A file NAME.status holds the exit status of a runner that failed: where NAME.xml shows no failed test for it, or isn't
there, that is a failure too. A test that was skipped or not run has not passed: it counts as failed.
"""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def failure_of(case: ElementTree.Element) -> str | None:
    """Says why a test case has not passed, None where it has."""
    for kind in ("failure", "error", "skipped"):
        if case.find(kind) is not None:
            return kind
    if case.get("status", "run") not in ("run", "passed"):
        return case.get("status")
    return None


def read(path: Path) -> tuple[int, list[str]]:
    """Counts what passed in one file, and names what failed."""
    passed, failed = 0, []
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))
    except (ElementTree.ParseError, OSError) as error:
        return 0, [f"{path.name}: {error}"]
    for case in cases:
        why = failure_of(case)
        if why is None:
            passed += 1
        else:
            failed.append(f"{path.stem}: {case.get('classname', '')} {case.get('name', '')} ({why})")
    return passed, failed


def main() -> int:
    folder = Path(sys.argv[1])
    total, failures, width = 0, [], 14
    print()
    for path in sorted(folder.glob("*.xml")):
        passed, failed = read(path)
        print(f"  {path.stem:{width}} {passed:5} passed {len(failed):5} failed")
        total += passed
        failures += failed
    for path in sorted(folder.glob("*.status")):
        if not any(line.startswith(f"{path.stem}: ") for line in failures):
            failures.append(f"{path.stem}: the runner ended with status {path.read_text().strip()}")
    for line in failures:
        print(f"  FAILED {line}")
    print()
    print(f"{total} passed, {len(failures)} failed")
    return 0 if total > 0 and not failures else 1


if __name__ == "__main__":
    sys.exit(main())
