"""Many histories through one system at once, each compared with the model; a wrong one is shrunk and shown."""

import concurrent.futures

from kit.wait import until

from .compare import check, history_of, read_events, rows_of
from .drive import Telling
from .generate import History
from .model import first_data_key
from .world import Policy

AT_ONCE = 24
SHRINK_TRIES = 40
SHORT_MS = 60_000  # a grace period that a test waits for


class Trial:
    def __init__(self, system, policy=Policy()):
        self.system = system
        self.policy = policy
        self.books = system.books()
        self.data_key = first_data_key(system.env)

    def tell(self, histories):
        """Tells them all, some at a time; gives [(history, differences, users)] in the order given."""
        short = self.policy.grace_ms < SHORT_MS
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            tellings = list(pool.map(lambda history: Telling(history, self.system, short).tell(), histories))
        self.quiet()
        topic = read_events(self.system.env)
        return [(telling.history, self.differences(telling, topic), telling.users) for telling in tellings]

    def differences(self, telling, topic):
        events = history_of(topic, telling)
        return check(rows_of(self.books, telling.users, events), events, self.policy, self.data_key)

    def quiet(self):
        """Nothing is under way: no outbox row, no open job, and each partition decided to its end."""
        under_way = ("(SELECT count(*) FROM sluice.outbox)"
                     " + (SELECT count(*) FROM sluice.jobs WHERE status IN ('queued', 'running', 'waiting'))")
        if self.policy.grace_ms < SHORT_MS:
            under_way += (" + (SELECT count(*) FROM sluice.timers WHERE fired_at IS NULL AND cancelled_at IS NULL"
                          " AND due_at < now() + interval '1 minute')")
        until(lambda: self.books.value(f"SELECT {under_way}") == 0, "nothing to be under way", 60)

    def shrink(self, history):
        """The fewest steps found within SHRINK_TRIES that still differ, and how."""
        steps, lines, tries = list(history.steps), [], 0
        size = max(1, len(steps) // 2)
        while size and tries < SHRINK_TRIES:
            place = 0
            while place < len(steps) and tries < SHRINK_TRIES:
                fewer = History(history.seed, history.families, without(steps, place, size), history.users)
                tries += 1
                found = self.tell([fewer])[0][1]
                if found:
                    steps, lines = fewer.steps, found
                else:
                    place += size
            size //= 2
        return History(history.seed, history.families, steps, history.users), lines


def without(steps, place, size):
    """The steps without some; those that repeat a removed one go too, and others' numbers follow."""
    kept = [number for number in range(len(steps)) if not place <= number < place + size]
    numbers = {old: new for new, old in enumerate(
        number for number in kept if steps[number].do != "again" or steps[number].what["of"] in kept)}
    result = []
    for number in numbers:
        step = steps[number]
        what = dict(step.what)
        if step.do == "again":
            what["of"] = numbers[step.what["of"]]
        result.append(type(step)(step.do, step.user, what, step.waits))
    return result


def report(trial, wrong):
    """What a failed test prints: seeds, and the first one shrunk, with its differences."""
    lines = [f"{len(wrong)} histories differ, seeds {[history.seed for history, _ in wrong]}"]
    history, found = wrong[0]
    small, small_found = trial.shrink(history)
    lines += ["as told:", str(history), *(f"    {line}" for line in found[:20])]
    if small_found:
        lines += ["shrunk:", str(small), *(f"    {line}" for line in small_found[:20])]
    return "\n".join(lines)
