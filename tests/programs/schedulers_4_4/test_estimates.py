"""What is estimated from sampled executions, against what is known exactly of the small programs.

Through everything: the engine samples, classes are hashed and counted, and the estimators of
unseen classes are compared with the probabilities of all classes under a uniform walk.
"""

from functools import cache
from math import prod, sqrt
from statistics import mean, stdev

import pytest

from model.circuit.block import Engine
from model.coverage import Coverage
from model.foata import normal_form, step_key
from model.residual_risk import classes_left
from tests.programs.schedulers_4_4.enumeration import executions
from tests.programs.schedulers_4_4.table import ROWS

BLOCKS = 40
SAMPLED = 512
CASES = [
    pytest.param(row, marks=[] if row.name == "lost_update_3x1" else [pytest.mark.slow])
    for row in ROWS
    if row.name in ("lost_update_3x1", "bluetooth_driver", "reorder_3")
]


@cache
def probabilities(name: str) -> list[float]:
    """The exact probability of each class under a uniform walk."""
    row = next(row for row in ROWS if row.name == name)
    found: dict[object, float] = {}
    for trace in executions(row.program):
        form = normal_form(trace.events, step_key)
        found[form] = found.get(form, 0) + prod(1 / len(event.enabled) for event in trace.events)
    assert sum(found.values()) == pytest.approx(1) and len(found) == row.classes
    return list(found.values())


@cache
def sampled(name: str) -> list[Coverage]:
    row = next(row for row in ROWS if row.name == name)
    engine = Engine(row.program)
    return [engine.coverage(root_seed=5, block=block) for block in range(BLOCKS)]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_the_probability_of_a_new_class_is_estimated_without_bias(row):
    """Turing's estimate is on average the exact probability after one execution less."""
    left = [classes_left(each.classes, each.executions).unseen for each in sampled(row.name)]
    exact = sum(p * (1 - p) ** (SAMPLED - 1) for p in probabilities(row.name))
    assert abs(mean(left) - exact) < 4 * stdev(left) / sqrt(BLOCKS) + 1e-9


@pytest.mark.parametrize("row", CASES, ids=str)
def test_the_bound_of_that_probability_holds_in_nearly_all_campaigns(row):
    """What a block missed is counted in all other blocks."""
    blocks = sampled(row.name)
    total = sum(blocks, Coverage()).classes.rows
    held = 0
    for block in blocks:
        known = set(block.classes.rows[:, 0].tolist())
        missed = sum(count for name, count, _ in total.tolist() if name not in known)
        bound = classes_left(block.classes, block.executions).unseen_max
        held += missed / (SAMPLED * (BLOCKS - 1)) <= bound
    assert held >= 0.9 * BLOCKS


@pytest.mark.parametrize("row", CASES, ids=str)
def test_the_number_of_classes_is_at_least_what_is_said(row):
    blocks = [classes_left(each.classes, each.executions) for each in sampled(row.name)]
    assert all(left.exact and left.seen <= row.classes for left in blocks)
    deviation = 3 * stdev(left.at_least for left in blocks) / sqrt(BLOCKS)
    assert mean(left.seen for left in blocks) <= mean(left.at_least for left in blocks)
    assert mean(left.at_least for left in blocks) <= row.classes + deviation
    total = sum(sampled(row.name), Coverage())
    assert total.executions == SAMPLED * BLOCKS
    # In twenty thousand executions all but the rarest classes show.
    missed = sum((1 - p) ** total.executions for p in probabilities(row.name))
    assert abs(row.classes - total.classes.classes - missed) <= 3 * sqrt(missed) + 1e-3
