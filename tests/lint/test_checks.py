"""Each check finds what it is for, and leaves alone what only looks like it."""

import tempfile
import unittest
from pathlib import Path

from checks import CHECKS
from source import sources

HEAD = "/* x */\n"


class Checks(unittest.TestCase):
    def findings(self, check: str, files: dict[str, str]) -> list[tuple[str, int]]:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text, encoding="utf-8")
            return [(name, line) for name, line, _ in CHECKS[check](sources(root), root)]

    def test_layers(self):
        allowed = {
            "worker/decide/a.c": HEAD + '#include "worker/decide/a.h"\n#include "common/str.h"\n#include <string.h>\n',
            "worker/main.c": HEAD + '#include "worker/execute/engine.h"\n',
            "tests/unit/a.c": HEAD + '#include "worker/decide/a.h"\n',
            "common/a.c": HEAD + '/* #include "worker/decide/a.h" */\n',
        }
        self.assertEqual(self.findings("layers", allowed), [])
        for name, include in (
            ("common/a.c", '"worker/decide/a.h"'),
            ("worker/decide/a.c", '"common/pg.h"'),
            ("worker/decide/a.c", "<stdio.h>"),
            ("worker/decide/a.c", "<time.h>"),
            ("worker/clouds/a.c", '"worker/execute/engine.h"'),
            ("ingress/a.c", '"a.h"'),
            ("ingress/intake.c", "<microhttpd.h>"),
            ("worker/stray.c", '"common/str.h"'),
        ):
            with self.subTest(name=name, include=include):
                self.assertEqual(len(self.findings("layers", {name: f"{HEAD}#include {include}\n"})), 1)

    def test_lengths(self):
        def function(lines: int) -> str:
            return "static int f(int a,\n             int b)\n{\n" + "    a++;\n" * (lines - 4) + "}\n"

        self.assertEqual(self.findings("lengths", {"common/a.c": HEAD + function(70)}), [])
        self.assertEqual(self.findings("lengths", {"common/a.c": HEAD + function(71)}), [("common/a.c", 2)])
        table = "static const int T[] = {\n" + "    1,\n" * 100 + "};\n"
        self.assertEqual(self.findings("lengths", {"common/a.c": HEAD + table + function(70)}), [])
        self.assertEqual(self.findings("lengths", {"common/a.c": HEAD + table + function(71)}), [("common/a.c", 104)])
        self.assertEqual(self.findings("lengths", {"common/a.c": "\n" * 600}), [])
        self.assertEqual(len(self.findings("lengths", {"common/a.c": "\n" * 601})), 1)
        self.assertEqual(self.findings("lengths", {"common/a.c": "x" * 120 + "\n"}), [])
        self.assertEqual(self.findings("lengths", {"common/a.c": "x" * 121 + "\n"}), [("common/a.c", 1)])

    def test_style(self):
        good = HEAD + 'const char *a = "http://x"; /* see // there */\ntypedef void (*f)(struct s *);\ntypedef struct s g(int a);\n'
        self.assertEqual(self.findings("style", {"common/a.c": good}), [])
        for bad in ("int a; // b\n", "typedef struct a b;\n", "typedef struct {\n    int (*f)(void);\n} a;\n", "int a; \n", "\tint a;\n", "int a;"):
            with self.subTest(bad=bad):
                self.assertEqual(self.findings("style", {"common/a.c": HEAD + bad}), [("common/a.c", 2)])
        self.assertEqual(self.findings("style", {"common/a.c": "int a;\n"}), [("common/a.c", 1)])

    def test_banned(self):
        good = HEAD + 'snprintf(a);\ngmtime_r(a);\nx->system(a);\n/* sprintf() */\nconst char *s = "rand()";\nSL_ASSERT(a);\n'
        self.assertEqual(self.findings("banned", {"common/a.c": good}), [])
        for name in ("sprintf", "strcpy", "strtok", "atoi", "gmtime", "rand", "system", "popen", "assert"):
            with self.subTest(name=name):
                found = self.findings("banned", {"common/a.c": f"{HEAD}    {name} (a);\n"})
                self.assertEqual(found, [("common/a.c", 2)])

    def test_headers(self):
        alone = HEAD + "#include <stddef.h>\nsize_t f(void);\n"
        self.assertEqual(self.findings("headers", {"common/a.h": alone}), [])
        self.assertEqual(self.findings("headers", {"common/a.h": HEAD + "size_t f(void);\n"}), [("common/a.h", 1)])


if __name__ == "__main__":
    unittest.main()
