"""The generator's own rules, and shrinking: what makes a failure of test_85_model.py worth reading."""

from .generate import FAMILIES, SENT, generate
from .histories import without


def test_a_seed_is_a_history():
    assert str(generate(7)) == str(generate(7)) != str(generate(8))


def test_every_family_comes_up_and_repeats_refer_to_what_was_sent():
    seen = set()
    for seed in range(300):
        history = generate(seed)
        seen |= set(history.families)
        for step in history.steps:
            assert step.user < history.users
            if step.do == "again":
                assert history.steps[step.what["of"]].do in SENT, history
    assert seen == set(FAMILIES)


def test_repeats_survive_shrinking():
    for seed in range(100):
        history = generate(seed)
        for place in range(len(history.steps)):
            fewer = without(history.steps, place, 2)
            assert all(fewer[step.what["of"]].do in SENT for step in fewer if step.do == "again")
