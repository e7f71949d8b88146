"""What fails when: a list of entries, made from a seed alone, kept as JSON.

The kinds (faults.KINDS) are dealt from a shuffled deck, so that even a short run sees nearly all of them; they overlap, but
nothing is hit twice at a time. The last part of the time is quiet: what was broken is mended there, under load.
"""

import dataclasses
import json
import pathlib
import random

QUIET_SHARE = 0.15
QUIET_MIN_S = 15
FIRST_S = 3  # the load flows by then
GAP_S, GAP_MIN_S = 2.4, 1.0  # between two entries, on average: in a long run, and in one too short for all the kinds
TRIES = 20


@dataclasses.dataclass(frozen=True)
class Entry:
    at_s: float
    fault: str
    target: str
    parameters: dict
    duration_s: float

    @property
    def end_s(self):
        return self.at_s + self.duration_s

    def __str__(self):
        words = " ".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{self.at_s:6.1f} s  {self.fault} {self.target} {words} for {self.duration_s:.1f} s"


def quiet_s(seconds):
    return max(QUIET_MIN_S, seconds * QUIET_SHARE)


def plan(seed, seconds, kinds, size):
    """The entries of a run of so many seconds, by time. `kinds`: {name: Kind}; `size`: what there is to hit."""
    rng = random.Random(f"torture {seed}")
    entries, deck, end = [], [], seconds - quiet_s(seconds)
    cards = sum(kind.weight for kind in kinds.values())
    gap_s = min(GAP_S, max(GAP_MIN_S, (end - FIRST_S) / cards))
    at = FIRST_S + rng.expovariate(1 / gap_s)
    while at < end:
        if not deck:
            deck = [name for name, kind in kinds.items() for _ in range(kind.weight)]
            rng.shuffle(deck)
        entry = _one(rng, at, deck.pop(), kinds, size, entries)
        if entry is not None:
            entries.append(entry)
        at += rng.expovariate(1 / gap_s)
    return entries


def _one(rng, at, name, kinds, size, entries):
    """An entry of the kind on something that no other entry holds meanwhile; None where nothing is free."""
    kind = kinds[name]
    busy = [(other, kinds[other.fault].holds(other)) for other in entries
            if other.end_s + kinds[other.fault].rest_s > at]  # what was hit needs a rest to come back
    for _ in range(TRIES):
        target = kind.target(rng, size)
        entry = Entry(round(at, 2), name, target, kind.parameters(rng, size), round(rng.uniform(*kind.seconds), 2))
        if not any(kind.holds(entry) & names for _other, names in busy):
            return entry
    return None


def write(path, entries, about):
    """`about` is what else a rerun needs: seed, events, seconds, numbers."""
    document = {**about, "entries": [dataclasses.asdict(entry) for entry in entries]}
    pathlib.Path(path).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def read(path, kinds):
    """(entries, about); ValueError says what can't be."""
    document = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    entries = [Entry(**row) for row in document.pop("entries")]
    unknown = {entry.fault for entry in entries} - set(kinds)
    if unknown:
        raise ValueError(f"{path}: there is no fault {', '.join(sorted(unknown))}")
    return sorted(entries, key=lambda entry: entry.at_s), document
