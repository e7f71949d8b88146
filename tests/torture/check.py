"""The check from outside: do the invariants hold, once all has settled? Independent of the product's code."""

import dataclasses


@dataclasses.dataclass
class Finding:
    """One invariant: whether it held over so many things checked, and the violations, in words."""

    invariant: str
    checked: int = 0
    violations: list = dataclasses.field(default_factory=list)

    @property
    def held(self):
        return not self.violations


def check(env, out_path, policy=None):
    """[Finding]: every invariant, over the system of `env` and the load's `out_path`."""
    return []
