"""The check from outside: do the invariants hold, once all has settled?

Nothing of the product's code is used, and nothing is asked of its programs: SQL, Kafka, the clouds' ledger and the
independent model of the rules. Call it when nothing is under way and no server is down.
"""

import gc

from kit.books import Books
from kit.verdict import Facts as Eyes
from system.model.model import first_data_key
from system.model.world import Policy

from . import check_clouds, check_log, check_settled, check_state
from .check_facts import Control, read_deliveries, read_facts
from .finding import Finding

__all__ = ["Finding", "check"]

OF_THE_LOG = (check_log.promised, check_log.decided_once, check_log.committed_together, check_log.order,
              check_state.stale_objects, check_clouds.claims)
OF_THE_END = (check_settled.jobs, check_settled.timers, check_settled.positions, check_settled.waiting,
              check_settled.letters, check_settled.outcomes, check_settled.answers)


def check(env, out_path, policy=None):
    """[Finding]: every invariant, over the system of `env` and the book that the load wrote. policy: of the rules."""
    gc.disable()  # millions of small objects that live until the end
    try:
        facts = read_facts(env, out_path)
        facts.deliveries = read_deliveries(env)
        findings = [look(facts) for look in OF_THE_LOG]
        findings.append(check_state.state(facts, policy or Policy(), first_data_key(env)))
        findings += of_clouds(env)
        findings += [look(facts) for look in OF_THE_END]
    finally:
        gc.enable()
    return findings


def of_clouds(env):
    control, books = Control(env), Books(env)
    try:
        eyes = Eyes(books, control, None)
    finally:
        books.close()
    return [*check_clouds.resources(eyes), check_clouds.effects(eyes, control.summary()),
            check_clouds.mails_by_content(eyes)]
