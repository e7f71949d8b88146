"""hardening.py PROGRAM …: looks at built programs with readelf for what cmake/Hardening.cmake asked the linker for."""

import re
import subprocess
import sys


def readelf(option: str, program: str) -> str:
    command = ["readelf", "--wide", option, program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def missing(program: str) -> list[str]:
    """Names what a program lacks."""
    header, segments = readelf("--file-header", program), readelf("--program-headers", program)
    dynamic, symbols = readelf("--dynamic", program), readelf("--dyn-syms", program)
    flags = {match.group(1): match.group(0) for match in re.finditer(r"^\s*(\w+)\s+0x.*$", segments, re.MULTILINE)}
    stack = re.search(r"^\s*GNU_STACK\s.*?([RWE ]{3})\s+0x\w+\s*$", segments, re.MULTILINE)
    loads = re.findall(r"^\s*LOAD\s.*?([RWE ]{3})\s+0x\w+\s*$", segments, re.MULTILINE)
    wanted = {
        "position independent (PIE)": re.search(r"Type:\s+DYN", header) and re.search(r"FLAGS_1\).*PIE", dynamic),
        "relocations read-only (RELRO)": "GNU_RELRO" in flags,
        "bound at start (NOW)": re.search(r"FLAGS(_1)?\).*\b(BIND_NOW|NOW)\b", dynamic),
        "a stack that can't be executed": stack and "E" not in stack.group(1),
        "no segment that is writable and executable": loads and not any("W" in s and "E" in s for s in loads),
        "stack protector": re.search(r"\b__stack_chk_fail\b", symbols),
        "fortified calls": re.search(r"\b__\w+_chk\b(?<!__stack_chk_fail)", symbols),
        "no run path": not re.search(r"\((RPATH|RUNPATH)\)", dynamic),
    }
    return [name for name, there in wanted.items() if not there]


def main() -> int:
    programs = sys.argv[1:]
    failed = 0
    for program in programs:
        lacks = missing(program)
        failed += bool(lacks)
        print(f"{program}: {'lacks ' + ', '.join(lacks) if lacks else 'hardened'}")
    return 1 if failed or not programs else 0


if __name__ == "__main__":
    sys.exit(main())
