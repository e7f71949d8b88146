"""Shrinking ends with a schedule that was seen to fail, and with the smallest where the failure is a plain one."""

from .shrink import shrink


def culprits(*wanted):
    """Fails whenever all of these are in; remembers what was tried."""
    tried = []

    def fails(entries):
        tried.append(list(entries))
        return set(wanted) <= set(entries)

    return fails, tried


def test_one_cause_is_found():
    fails, _tried = culprits(13)
    assert shrink(list(range(40)), fails, lambda: True) == [13]


def test_a_cause_of_two_far_apart_is_found_in_order():
    fails, _tried = culprits(3, 36)
    assert shrink(list(range(40)), fails, lambda: True) == [3, 36]


def test_when_all_are_needed_all_stay():
    fails, _tried = culprits(*range(6))
    assert shrink(list(range(6)), fails, lambda: True) == list(range(6))


def test_it_ends_with_the_time_and_gives_the_smallest_that_failed():
    fails, tried = culprits(13)
    found = shrink(list(range(40)), fails, lambda: len(tried) < 3)
    assert len(tried) == 3
    assert 13 in found and len(found) < 40


def test_what_fails_by_chance_never_grows():
    answers = iter([False, True] + [False] * 100)
    found = shrink(list(range(10)), lambda entries: next(answers), lambda: True)
    assert found == [5, 6, 7, 8, 9]
