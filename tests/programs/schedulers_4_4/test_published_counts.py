"""Enumerating, sampling and minimizing give what is known exactly."""

from collections import Counter

import numpy as np
import pytest

from model.circuit.block import Engine
from model.circuit.successors import Successors
from model.foata import normal_form
from model.interpreter import Trace
from model.minimize import PROVED, minimize
from model.program import Program
from model.schedulers.uniform_walk import UniformWalk
from tests.programs.schedulers_4_4.enumeration import Enumeration, executions
from tests.programs.schedulers_4_4.sampling import expect_probability
from tests.programs.schedulers_4_4.table import ROWS, Row


def paths(program: Program) -> tuple[int, int]:
    """Paths from the initial state to an end, and those that fail, over the explorer's states."""
    successors = Successors(program)
    every = failing = 0
    layer = {successors.initial.tobytes(): 1}
    while layer:
        after = Counter[bytes]()
        rows = np.frombuffer(b"".join(layer), np.uint64).reshape(-1, successors.words)
        for row, ways in zip(rows, layer.values(), strict=True):
            expanded = successors.expand(row[None].copy())
            for following in expanded.rows:
                after[following.tobytes()] += ways
            every += ways * (expanded.steps - len(expanded.rows))
            failing += ways * len(expanded.codes)
        layer = dict(after)
    return every, failing


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_explorers_states_give_the_published_counts(row: Row):
    assert paths(row.program) == (row.interleavings, row.failing)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_enumerating_gives_the_published_counts(row: Row):
    enumeration = Enumeration(row.program)
    interleavings, failing, probability = enumeration.counts()
    assert (interleavings, failing) == (row.interleavings, row.failing)
    assert f"{float(probability):.6f}" == row.probability
    every, of_failing = enumeration.by_cost()
    for most, counts in enumerate(row.by_preemptions):
        found = [
            sum(number for (preemptions, _), number in costs.items() if preemptions <= most)
            for costs in (every, of_failing)
        ]
        assert tuple(found) == counts
    failing_costs = [cost for cost, number in of_failing.items() if number]
    assert min(preemptions for preemptions, _ in failing_costs) == row.preemptions
    assert min(switches for _, switches in failing_costs) == row.switches
    assert min(failing_costs) == (row.preemptions, row.switches), (
        "one interleaving is minimal in both"
    )


LARGE = [pytest.param(row, marks=pytest.mark.slow) for row in ROWS if row.interleavings > 1000]
SMALL = [row for row in ROWS if row.interleavings <= 1000]


@pytest.mark.parametrize("row", SMALL + LARGE, ids=str)
def test_normal_forms_give_the_published_numbers_of_classes(row: Row):
    failing: dict[object, bool] = {}
    for trace in executions(row.program):
        form = normal_form(trace.events, lambda event: (event.thread, event.pc))
        fails = trace.site is not None
        assert failing.setdefault(form, fails) == fails, "one class fails and does not"
    assert (len(failing), sum(failing.values())) == (row.classes, row.failing_classes)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_uniform_walk_fails_as_often_as_it_must(row: Row):
    _, _, exact = Enumeration(row.program).counts()
    expect_probability(row.program, UniformWalk(), float(exact))


def failing_executions(program: Program, number: int) -> list[Trace]:
    """As many of a uniform walk, a few of each block, from another pass of it on each time."""
    engine, found, block = Engine(program), list[Trace](), 0
    while len(found) < number:
        result = engine.run_block(root_seed=44, block=block, passes=64, hits_from=block % 64)
        found += engine.recover(result.hits, root_seed=44, block=block, passes=64)
        block += 1
    return found[:number]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_minimizing_a_hundred_failing_executions_reaches_the_fewest_preemptions_and_switches(
    row: Row,
):
    failing = failing_executions(row.program, 100)
    assert len({trace.schedule for trace in failing}) >= min(6, row.failing)
    for trace in failing:
        minimal = minimize(row.program, trace)
        assert (minimal.preemptions, minimal.switches) == (row.preemptions, row.switches)
        assert set(minimal.proof.values()) == {PROVED}
