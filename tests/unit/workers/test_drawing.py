"""Configurations that Hypothesis draws: a list that the seed determines, swarms, the smallest."""

from collections import Counter

import pytest
from hypothesis import Phase
from hypothesis.database import InMemoryExampleDatabase

from model.language import Param, program
from model.scenario_space import scenario_space
from tests.added_up import added_up, fails
from workers import drawing
from workers.drawing import CONFIGURATIONS_PER_ROUND, drawn, replayed, smallest

KEY = b"key"


@program(**{f"slot{number}": Param(0, 3, default=0) for number in range(8)})
def slots(p):
    """Only its parameters matter here."""


@pytest.fixture(scope="module")
def space():
    return scenario_space(added_up, {}, ["all"])


@pytest.fixture(scope="module")
def wide_space():
    return scenario_space(slots, {}, ["all"])


def shrunk(space, is_wanted, examples=None, **options):
    asked = []

    def note(configuration):
        asked.append(configuration)
        return is_wanted(configuration)

    options = {"root_seed": 1, "round_number": 0, **options}
    examples = examples or InMemoryExampleDatabase()
    return smallest(space, note, examples=examples, key=KEY, **options), asked


def test_every_configuration_has_exactly_one_sequence_of_choices(space, monkeypatch):
    """Exhaustive: with more examples than configurations, Hypothesis ends by itself."""
    shown = []
    monkeypatch.setattr(drawing, "CONFIGURATIONS_PER_ROUND", 10 * space.size)
    drawing._search(space, lambda c: shown.append(c), number=1, phases=[Phase.generate])
    assert len(shown) == len(set(shown)) == space.size
    assert shown[0] == space.base


def test_the_seed_and_the_round_determine_the_list(wide_space):
    first = drawn(wide_space, root_seed=1, round_number=0)
    assert len(first) > CONFIGURATIONS_PER_ROUND * 0.9 and len(set(first)) == len(first)
    assert drawn(wide_space, root_seed=1, round_number=0) == first
    assert drawn(wide_space, root_seed=2, round_number=0) != first
    assert drawn(wide_space, root_seed=1, round_number=1) != first


def test_swarm_draws_switch_each_feature_off_about_as_often_as_on(wide_space):
    """Each feature is off in about half of what is drawn, and each pair is drawn in all four ways.

    What Hypothesis mutates is alike: the bounds are wider than a fair coin would need.
    """
    configurations = [
        configuration
        for seed in range(12)
        for configuration in drawn(wide_space, root_seed=seed, round_number=0)
    ]
    names = [feature.name for feature in wide_space.features]
    on = [dict(wide_space.on(each)).keys() for each in configurations]
    for name in names:
        assert 0.3 < sum(name in each for each in on) / len(on) < 0.7
    for one in names:
        for other in names:
            if one != other:
                seen = Counter((one in each, other in each) for each in on)
                assert min(seen[a, b] for a in (False, True) for b in (False, True)) > 0.1 * len(on)
    sizes = Counter(map(len, on))
    assert {1, 2, 3, 4, 5, 6} <= sizes.keys(), "few features and many features are both tried"


def test_shrinking_reaches_the_smallest_configuration_that_fails(space):
    for seed in range(5):
        found, _ = shrunk(space, fails, root_seed=seed)
        assert space.on(found) == (("writers", 2), ("plain", True))


def test_shrinking_begins_with_the_first_that_the_list_has(space):
    listed = drawn(space, root_seed=3, round_number=2)
    _, asked = shrunk(space, fails, root_seed=3, round_number=2)
    first = next(each for each in listed if fails(each))
    before = listed[: listed.index(first)]
    assert [each for each in dict.fromkeys(asked) if each in before] == before
    assert next(each for each in asked if fails(each)) == first


def test_nothing_is_found_where_nothing_fails(space):
    found, asked = shrunk(space, lambda c: False)
    assert found is None and asked[0] == space.base


def test_a_kept_example_is_tried_first_and_the_list_is_not_drawn(space):
    examples = InMemoryExampleDatabase()
    before, _ = shrunk(space, fails, examples)
    after, asked = shrunk(space, fails, examples, root_seed=9)
    assert asked[0] == before == after
    found = []
    again = replayed(space, lambda c: found.append(c) or fails(c), examples=examples, key=KEY)
    assert again == found[0] == before


def test_an_example_that_fails_no_more_is_forgotten(space):
    examples = InMemoryExampleDatabase()
    shrunk(space, fails, examples)
    assert list(examples.fetch(KEY))
    assert replayed(space, lambda c: False, examples=examples, key=KEY) is None
    assert not list(examples.fetch(KEY))


def test_an_example_is_kept_when_the_question_is_not_answered(space):
    """What interrupts the search is no answer: neither yes nor no."""
    examples = InMemoryExampleDatabase()
    shrunk(space, fails, examples)
    kept = list(examples.fetch(KEY))

    def interrupted(configuration):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replayed(space, interrupted, examples=examples, key=KEY)
    assert list(examples.fetch(KEY)) == kept
