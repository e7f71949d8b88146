"""What the check found about one invariant."""

import dataclasses

VIOLATIONS_MAX = 1000  # written down; more are counted


@dataclasses.dataclass
class Finding:
    """Whether it held, over how many things; the violations in words, each of which can be looked up."""

    invariant: str
    held: bool = True
    checked: int = 0
    violations: list = dataclasses.field(default_factory=list)
    more: int = 0  # violations that are not written down
    stories: dict = dataclasses.field(default_factory=dict)  # whose history it is -> its events, as they were decided

    def violated(self, line):
        self.held = False
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(line)
        else:
            self.more += 1
