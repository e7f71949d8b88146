"""Which few faults are enough: delta debugging over a schedule, within a time.

A run under faults doesn't go the same way twice, so a subset that passed once may still hold the cause; what is found is a
schedule that was seen to fail, as small as the time allowed.
"""


def shrink(entries, fails, is_time_left):
    """The smallest subset for which `fails(subset)` was true, beginning with `entries`, which is known to fail.

    Zeller's ddmin: tries each part alone, then each part's complement, then finer parts.
    """
    parts = 2
    while len(entries) >= 2 and is_time_left():
        smaller = _reduce(entries, parts, fails, is_time_left)
        if smaller is not None:
            entries, parts = smaller
        elif parts < len(entries):
            parts = min(len(entries), parts * 2)
        else:
            break
    return entries


def _reduce(entries, parts, fails, is_time_left):
    """(a failing subset, into how many parts to divide it next), or None."""
    size, rest = divmod(len(entries), parts)
    chunks, at = [], 0
    for number in range(parts):
        end = at + size + (1 if number < rest else 0)
        chunks.append(entries[at:end])
        at = end
    for chunk in chunks:
        if not is_time_left():
            return None
        if fails(chunk):
            return chunk, 2
    for number in range(parts) if parts > 2 else ():
        complement = [entry for index, chunk in enumerate(chunks) if index != number for entry in chunk]
        if not is_time_left():
            return None
        if fails(complement):
            return complement, max(parts - 1, 2)
    return None
