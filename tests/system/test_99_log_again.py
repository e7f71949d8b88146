"""All that the tests of this run did to the shared system, decided again: crashes, rebalances, poison and faults are in its
log, and make no difference. Where a test changed a row by hand, or the policy for a while, that is found, and nothing else.
"""

import json

from .conftest import settled


def test_the_log_of_all_tests_is_decided_again_as_it_was(world):
    user_id, customer = world.user()
    world.subscribe(user_id, customer)
    world.active_agent(user_id)
    settled(world)
    done = world.system.ctl("replay", "--dry-run", "--json", "--limit", "10000")
    document = json.loads(done.stdout[done.stdout.index("{"):])
    straight = [one for one in document["differences"] if one["user_id"] not in world.bent]
    assert not straight, "\n".join(json.dumps(one) for one in straight[:20])
    assert document["different"] == len(document["differences"])
    assert document["not_comparable"] == 0 and document["compared"] > 0
    assert done.returncode == (1 if document["different"] else 0)
