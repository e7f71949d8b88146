"""Idempotency keys, as Stripe and Resend keep them: the first answer of a key is the answer of that key.

An entry is `busy` while its first request runs and holds the reply afterwards. A request that was refused before it
took effect leaves no entry. Entries die after their time to live; the oldest go first where there are too many.
"""

import collections
import dataclasses

MAX_ENTRIES = 200_000


@dataclasses.dataclass(slots=True)
class Entry:
    scope: str
    fingerprint: str
    expires_at: float
    reply: object = None  # None while the first request is in progress


class IdempotencyKeys:
    def __init__(self, clock, ttl_s, max_entries=MAX_ENTRIES):
        self._clock = clock
        self._ttl_s = ttl_s
        self._max_entries = max_entries
        self._entries = collections.OrderedDict()

    def find(self, key):
        """The live entry of a key, or None."""
        entry = self._entries.get(key)
        if entry is not None and entry.expires_at <= self._clock.now():
            del self._entries[key]
            return None
        return entry

    def begin(self, key, scope, fingerprint):
        """Reserves a key that find() did not know."""
        while len(self._entries) >= self._max_entries:
            self._entries.popitem(last=False)
        entry = Entry(scope, fingerprint, self._clock.now() + self._ttl_s)
        self._entries[key] = entry
        return entry

    def release(self, key):
        """Forgets a key whose request did not take effect."""
        self._entries.pop(key, None)

    def clear(self):
        self._entries.clear()
