"""What was not seen, from what was seen; and how seeing grew."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.class_sample import ClassSample
from model.coverage import Coverage, Shown
from model.residual_risk import (
    INDEPENDENT_SCHEDULERS,
    POINTS,
    Validity,
    classes_left,
    discovery,
    rarer_than,
    validity,
)
from model.schedulers.named import SCHEDULERS
from model.step_pairs import PairKind, StepPair


def pair(number):
    return StepPair(PairKind.READS, (0, number), (1, 0))


def sample(*counts):
    """Classes that occurred so often."""
    return ClassSample.of(np.repeat(np.arange(len(counts), dtype=np.uint64), counts), block=0)


def test_turings_and_chaos_figures():
    left = classes_left(sample(1, 1, 1, 1, 2, 2, 5, 87), 100)
    assert (left.seen, left.once, left.twice, left.exact) == (8, 4, 2, True)
    assert left.unseen == 0.04 and left.at_least == 8 + 4 * 3 / (2 * 3)
    assert 0.08 < left.unseen_max < 0.13


def test_without_singletons_the_rule_of_three_remains():
    left = classes_left(sample(50, 50), 100)
    assert left.unseen == 0 and left.at_least == 2
    assert left.unseen_max == rarer_than(100)


@given(st.integers(1, 10**15))
def test_the_rule_of_three(executions):
    assert 0 < rarer_than(executions) <= min(0.951, 3 / executions)
    assert rarer_than(1_000_000) == pytest.approx(3e-6, rel=0.01)


@given(st.integers(1, 2000), st.floats(0.0001, 0.9))
def test_what_is_likelier_than_the_bound_shows_in_19_of_20_campaigns(executions, probability):
    missed = (1 - probability) ** executions
    assert (rarer_than(executions) < probability) == (missed < 0.05) or missed == pytest.approx(
        0.05
    )


def test_adaptive_schedulers_get_no_figures():
    assert validity(1000, scheduler="portfolio:pos+urw") is Validity.ADAPTIVE
    assert validity(0, scheduler="pos:bits=8") is Validity.TOO_FEW
    assert validity(1, scheduler="uniform_walk") is Validity.VALID
    assert validity(1, scheduler="exhaustive:c=2") is Validity.ENUMERATED


def test_no_scheduler_that_there_is_learns_from_executions():
    """A new one is listed where it does not; where it does, no estimate is shown of it."""
    assert set(SCHEDULERS) <= INDEPENDENT_SCHEDULERS


COVERAGES = st.builds(
    lambda pairs, classes, block: Coverage(
        executions=len(classes),
        steps=frozenset((0, number) for number in pairs),
        pairs={pair(number): Shown(1, block) for number in pairs},
        classes=ClassSample.of(np.array(classes, np.uint64), block=block),
    ),
    st.sets(st.integers(0, 6)),
    st.lists(st.integers(0, 2**64 - 1), max_size=6),
    st.integers(0, 10_000),
)


@given(COVERAGES, COVERAGES, COVERAGES)
def test_coverage_is_added_in_any_order(a, b, c):
    assert a + b == b + a and (a + b) + c == a + (b + c)
    assert a + Coverage() == a == Coverage() + a


@given(st.lists(COVERAGES, max_size=6))
def test_the_curve_ends_at_what_was_seen_and_never_falls(parts):
    total = sum(parts, Coverage())
    points = discovery(total)
    assert len(points) <= POINTS and (bool(points) == bool(total.pairs or total.executions))
    assert [p.pairs for p in points] == sorted(p.pairs for p in points)
    assert [p.classes for p in points] == sorted(p.classes for p in points)
    if points:
        last = points[-1]
        assert (last.pairs, last.classes) == (len(total.pairs), total.classes.classes)
        below = [n for n, shown in total.pairs.items() if shown.first_block < points[0].blocks]
        assert points[0].pairs == len(below)
