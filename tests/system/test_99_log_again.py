"""All that the tests of this run did to the shared system, decided again: crashes, rebalances, poison and faults are in its
log, and make no difference."""

import json

from .conftest import settled


def test_the_log_of_all_tests_is_decided_again_as_it_was(world):
    settled(world)
    done = world.system.ctl("replay", "--dry-run", "--json")
    document = json.loads(done.stdout[done.stdout.index("{"):])
    told = "\n".join(json.dumps(one) for one in document["differences"][:20])
    assert document["different"] == 0, f"{document['groups']}\n{told}"
    assert done.returncode == 0 and document["not_comparable"] == 0 and document["compared"] > 0
