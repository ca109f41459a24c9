"""SURW makes all orders of the interesting steps alike, by chi-square."""

from collections import Counter
from math import comb, sqrt

import numpy as np
import pytest

from model.circuit.block import Engine
from model.language import READ_ONCE, WRITE_ONCE, Param, program, uint
from model.program import Program
from model.schedulers.scheduler import Scheduler
from model.schedulers.surw import Surw
from model.schedulers.urw import Urw

PASSES = 1500
DEVIATIONS_MAX = 4.0


@program(steps=Param(1, 9, default=5), others=Param(0, 9, default=0))
def toy(p):
    """Two threads shift a bit each into one word; the first does something else in between."""
    word = p.shared("word", uint(4))
    own = p.shared("own", uint(1))

    @p.thread()
    def first():
        for _ in range(p.steps):
            WRITE_ONCE(word, 1)
            for _other in range(p.others):
                READ_ONCE(own)

    @p.thread()
    def second():
        for _ in range(p.steps):
            WRITE_ONCE(word, 2)


def orders(compiled: Program, scheduler: Scheduler) -> Counter[tuple[int, ...]]:
    """How often the writes of the two threads were executed in each order (0: the first's)."""
    engine, counts = Engine(compiled, scheduler), Counter[tuple[int, ...]]()
    period = 1 + int(dict(compiled.parameters)["others"])
    for record in engine.decisions(root_seed=5, block=0, passes=PASSES):
        for lane in range(record.shape[2]):
            order: list[int] = []
            at = 0
            for first, second, dead in record[:, [0, 1, -1], lane].tolist():
                if second or (first and at % period == 0):
                    order.append(second)
                at += first
                if dead:
                    counts[tuple(order)] += 1
                    order, at = [], 0
    return counts


def deviations(counts: Counter[tuple[int, ...]], outcomes: int) -> float:
    """How far chi-square against the uniform distribution is from its mean, in its deviations."""
    expected = counts.total() / outcomes
    seen = np.array([*counts.values(), *[0] * (outcomes - len(counts))])
    freedom = outcomes - 1
    return float(((seen - expected) ** 2 / expected).sum() - freedom) / sqrt(2 * freedom)


@pytest.mark.parametrize("others", [0, 4])
def test_every_order_of_interesting_steps_is_as_likely_under_surw(others):
    compiled, outcomes = toy.compile(steps=4, others=others), comb(8, 4)
    counts = orders(compiled, Surw())
    assert counts.total() > 20_000 and len(counts) == outcomes == 70
    assert abs(deviations(counts, outcomes)) < DEVIATIONS_MAX
    if others:
        urw = orders(compiled, Urw())
        assert deviations(urw, outcomes) > 10 * DEVIATIONS_MAX
