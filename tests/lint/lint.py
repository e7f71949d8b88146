"""lint.py ROOT [CHECK …]: runs the checks of checks.py on the C sources under ROOT; exits 1 when one finds something."""

import sys
from pathlib import Path

from checks import CHECKS
from source import sources


def main() -> int:
    root, names = Path(sys.argv[1]).resolve(), sys.argv[2:] or list(CHECKS)
    files = sources(root)
    count = 0
    for name in names:
        for file, line, text in CHECKS[name](files, root):
            print(f"{file}:{line}: {text} [{name}]")
            count += 1
    print(f"{len(files)} files, {count} findings")
    return 1 if count or not files else 0


if __name__ == "__main__":
    sys.exit(main())
