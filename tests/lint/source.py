"""A C source as the checks see it: its text, and its code without comments and without the insides of literals."""

import re
from pathlib import Path

FOLDERS = ("common", "web", "ingress", "worker", "console", "ctl", "tests")

TOKEN = re.compile(
    r"(?P<line_comment>//[^\n]*)"
    r"|(?P<block_comment>/\*.*?\*/)"
    r'|(?P<string>"(?:\\.|[^"\\\n])*")'
    r"|(?P<character>'(?:\\.|[^'\\\n])*')",
    re.DOTALL,
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


class Source:
    """`code` has the same lines and columns as `text`."""

    def __init__(self, root: Path, path: Path):
        self.name = path.relative_to(root).as_posix()
        self.text = path.read_text(encoding="utf-8")
        self.lines = self.text.split("\n")
        self.line_comments: list[int] = []
        self.code = TOKEN.sub(self._without, self.text)

    def _without(self, match: re.Match) -> str:
        token = match.group()
        if match.lastgroup == "line_comment":
            self.line_comments.append(self.line_of(match.start()))
        if match.lastgroup in ("string", "character"):
            return token[0] + blank(token[1:-1]) + token[-1]
        return blank(token)

    def line_of(self, offset: int) -> int:
        return self.text.count("\n", 0, offset) + 1

    def includes(self) -> list[tuple[int, str, bool]]:
        """(line, header, whether it stands in quotes), of what the compiler sees: none in comments."""
        found = []
        for match in INCLUDE.finditer(self.text):
            if self.code[match.start() : match.end()].strip():
                found.append((self.line_of(match.start()), match.group(1) or match.group(2), match.group(1) is not None))
        return found


def sources(root: Path) -> list[Source]:
    found = []
    for folder in FOLDERS:
        paths = sorted((root / folder).rglob("*.[ch]"))
        found += [Source(root, path) for path in paths]
    return found
