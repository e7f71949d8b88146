"""What CONTRIBUTING.md asks of every C file, as far as a program can tell. Each check yields (file, line, what is wrong)."""

import re
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from source import FOLDERS, Source

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
LINE_COLUMNS_MAX = 120

Finding = tuple[str, int, str]

# Who may include whom: the longest folder that a file lies in decides. A main.c knows everybody.
VALUE_TYPES = ("common/base.h", "common/str.h", "common/uuid.h", "common/arena.h")
LAYERS = {
    "common": ("common/",),
    "web": ("web/", "common/"),
    "ingress": ("ingress/", "web/", "common/"),
    "console": ("console/", "web/", "common/"),
    "ctl": ("ctl/", "worker/apply/", "worker/outbox/", "worker/payload/", "worker/decide/", "worker/repair/", "worker/clouds/",
            "ingress/read.h", "common/"),
    "worker/decide": ("worker/decide/", *VALUE_TYPES),
    "worker/payload": ("worker/payload/", "worker/decide/", "common/"),
    "worker/outbox": ("worker/outbox/", "worker/payload/", "worker/decide/", "common/"),
    "worker/apply": ("worker/apply/", "worker/outbox/", "worker/payload/", "worker/decide/", "common/"),
    "worker/sweep": ("worker/sweep/", "worker/outbox/", "worker/payload/", "worker/decide/", "common/"),
    "worker/clouds": ("worker/clouds/", "common/"),
    "worker/repair": ("worker/repair/", "worker/execute/classify.h", "worker/clouds/", "worker/decide/", "common/"),
    "worker/execute": ("worker/execute/", "worker/clouds/", "worker/outbox/", "worker/decide/", "common/"),
    "tests": tuple(f"{folder}/" for folder in FOLDERS),
}

# The pure rules see neither files nor clocks: these are all the headers of the C library that they may have.
PURE = "worker/decide"
PURE_HEADERS = ("inttypes.h", "limits.h", "stdalign.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "string.h")

# A library that one place knows, so that it can be changed in one place.
LIBRARY_USERS = {
    "microhttpd.h": ("ingress/server", "console/server", "common/admin"),
    "curl/curl.h": ("common/http",),
    "ini.h": ("common/config",),
    "jwt.h": ("web/verify_jwt", "web/jwks"),
    "assert.h": (),
}

BANNED = {
    "sprintf": "snprintf, or sl_buf",
    "vsprintf": "vsnprintf, or sl_buf",
    "strcpy": "memcpy with a checked length",
    "stpcpy": "memcpy with a checked length",
    "strncpy": "memcpy with a checked length",
    "strcat": "sl_buf",
    "strncat": "sl_buf",
    "strtok": "sl_str",
    "atoi": "a parser that reports errors",
    "atol": "a parser that reports errors",
    "atof": "a parser that reports errors",
    "gets": "fgets",
    "gmtime": "gmtime_r",
    "localtime": "gmtime_r: time is UTC here",
    "asctime": "strftime",
    "ctime": "strftime",
    "rand": "what is given as an argument",
    "srand": "what is given as an argument",
    "random": "what is given as an argument",
    "system": "nothing: no program starts a shell",
    "popen": "nothing: no program starts a shell",
    "alloca": "an arena",
    "assert": "SL_ASSERT, which stays on in production",
}
BANNED_CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
# `typedef struct verdict verifier(…)` names a function, not a structure
TYPEDEF = re.compile(r"\btypedef\s+(struct|union)\b(?=[^;(]*[;{])")


def layers(files: list[Source], root: Path) -> Iterable[Finding]:
    for file in files:
        if file.name.startswith("tests/") or file.name.endswith("/main.c"):
            continue
        folder = max((f for f in LAYERS if file.name.startswith(f + "/")), key=len, default=None)
        if folder is None:
            yield file.name, 1, "lies in no layer: see LAYERS in tests/lint/checks.py"
            continue
        for line, header, quoted in file.includes():
            yield from include_findings(file, folder, line, header, quoted)


def include_findings(file: Source, folder: str, line: int, header: str, quoted: bool) -> Iterable[Finding]:
    if quoted:
        if not header.startswith(tuple(f + "/" for f in FOLDERS)):
            yield file.name, line, f'"{header}" does not start at the root of the repository'
        elif not header.startswith(LAYERS[folder]):
            yield file.name, line, f'{folder} may not know "{header}"'
        return
    if folder == PURE and header not in PURE_HEADERS:
        yield file.name, line, f"the rules are pure: <{header}> is not for them"
    users = LIBRARY_USERS.get(header)
    if users is not None and not file.name.startswith(users):
        yield file.name, line, f"<{header}> is known to {', '.join(users) or 'nobody'} only"


def lengths(files: list[Source], root: Path) -> Iterable[Finding]:
    for file in files:
        count = len(file.lines) - (file.lines[-1] == "")
        if count > FILE_LINES_MAX:
            yield file.name, count, f"{count} lines, more than {FILE_LINES_MAX}"
        for number, text in enumerate(file.lines, 1):
            if len(text) > LINE_COLUMNS_MAX:
                yield file.name, number, f"{len(text)} columns, more than {LINE_COLUMNS_MAX}"
        yield from long_functions(file)


def long_functions(file: Source) -> Iterable[Finding]:
    """A function begins at the first line of its head and ends with the brace in the first column."""
    lines, head, opened = file.code.split("\n"), 0, None
    for number, text in enumerate(lines, 1):
        if opened is not None:
            if text.startswith("}"):
                length = number - opened + 1
                if length > FUNCTION_LINES_MAX:
                    yield file.name, opened, f"a function of {length} lines, more than {FUNCTION_LINES_MAX}"
                opened = None
        elif text.startswith("{") or re.match(r"\w.*\)\s*\{\s*$", text):
            opened = head or number
            head = 0
        elif re.match(r"[A-Za-z_]", text):
            head = head or number
        if opened is None and re.search(r"[;}]\s*$", text) or text.startswith("#"):
            head = 0


def style(files: list[Source], root: Path) -> Iterable[Finding]:
    for file in files:
        for line in file.line_comments:
            yield file.name, line, "a // comment: /* */ is used here"
        for match in TYPEDEF.finditer(file.code):
            yield file.name, file.line_of(match.start()), f"typedef of a {match.group(1)}"
        for number, text in enumerate(file.lines, 1):
            if text != text.rstrip():
                yield file.name, number, "white space at the end of the line"
            if "\t" in text:
                yield file.name, number, "a tab"
        if file.text and not file.text.endswith("\n"):
            yield file.name, len(file.lines), "no newline at the end of the file"
        if not file.text.startswith("/*"):
            yield file.name, 1, "a file opens with a comment that says what it is for"


def banned(files: list[Source], root: Path) -> Iterable[Finding]:
    for file in files:
        for match in BANNED_CALL.finditer(file.code):
            name = match.group(1)
            yield file.name, file.line_of(match.start()), f"{name}() is banned; instead: {BANNED[name]}"


def headers(files: list[Source], root: Path, compiler: str = "cc") -> Iterable[Finding]:
    """Every header compiles alone."""
    names = [file.name for file in files if file.name.endswith(".h")]
    with ThreadPoolExecutor(max_workers=2) as pool:
        for name, error in zip(names, pool.map(lambda name: compile_error(root, name, compiler), names)):
            if error:
                yield name, 1, f"does not compile alone: {error}"


def compile_error(root: Path, name: str, compiler: str) -> str | None:
    packages = ["rdkafka", "libcurl", "jansson", "libpq", "openssl", "libmicrohttpd", "libjwt", "cmocka"]
    flags = subprocess.run(["pkg-config", "--cflags", *packages], capture_output=True, text=True, check=True).stdout
    command = [compiler, "-std=c17", "-fsyntax-only", "-D_GNU_SOURCE", f"-I{root}", *flags.split(), "-x", "c", "-"]
    done = subprocess.run(command, input=f'#include "{name}"\n', capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    return next((line for line in done.stderr.splitlines() if "error:" in line), done.stderr.strip())


CHECKS = {"layers": layers, "lengths": lengths, "style": style, "banned": banned, "headers": headers}
