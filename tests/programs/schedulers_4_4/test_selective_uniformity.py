"""URW makes all interleavings alike, SURW all orders of the interesting steps, by chi-square."""

from collections import Counter
from math import comb, sqrt

import numpy as np
import pytest

from model.circuit.block import Engine
from model.language import READ_ONCE, WRITE_ONCE, Param, program, spawn, uint
from model.program import Program
from model.schedulers.scheduler import Scheduler
from model.schedulers.surw import Surw
from model.schedulers.uniform_walk import UniformWalk
from model.schedulers.urw import Urw
from tests.programs.schedulers_4_4.enumeration import Enumeration

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


@program()
def generations(p):
    """A thread spawns one that spawns one: how many steps each has left says who has which."""
    word = p.shared("word", uint(2))

    @p.thread(child=True)
    def grandchild():
        WRITE_ONCE(word, 1)
        WRITE_ONCE(word, 1)

    @p.thread(child=True)
    def child():
        WRITE_ONCE(word, 2)
        spawn(grandchild)
        WRITE_ONCE(word, 2)

    @p.thread()
    def parent():
        WRITE_ONCE(word, 3)
        spawn(child)
        WRITE_ONCE(word, 3)
        WRITE_ONCE(word, 3)


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


def interleavings(compiled: Program, scheduler: Scheduler) -> Counter[tuple[int, ...]]:
    """How often the threads have stepped in each order."""
    engine, counts = Engine(compiled, scheduler), Counter[tuple[int, ...]]()
    threads = len(compiled.threads)
    for record in engine.decisions(root_seed=6, block=0, passes=PASSES):
        for lane in record.transpose(2, 0, 1):
            ends = np.flatnonzero(lane[:, -1])
            for execution in np.split(lane[:, :threads], ends + 1)[: len(ends)]:
                counts[tuple(execution[execution.any(axis=1)].argmax(axis=1).tolist())] += 1
    return counts


def test_every_interleaving_is_as_likely_under_urw_where_children_have_children():
    compiled = generations.compile()
    outcomes, _, _ = Enumeration(compiled).counts()
    counts = interleavings(compiled, Urw())
    assert counts.total() > 20_000 and len(counts) == outcomes
    assert abs(deviations(counts, outcomes)) < DEVIATIONS_MAX
    assert deviations(interleavings(compiled, UniformWalk()), outcomes) > 10 * DEVIATIONS_MAX


@pytest.mark.parametrize("others", [0, 4])
def test_every_order_of_interesting_steps_is_as_likely_under_surw(others):
    compiled, outcomes = toy.compile(steps=4, others=others), comb(8, 4)
    counts = orders(compiled, Surw())
    assert counts.total() > 20_000 and len(counts) == outcomes == 70
    assert abs(deviations(counts, outcomes)) < DEVIATIONS_MAX
    if others:
        urw = orders(compiled, Urw())
        assert deviations(urw, outcomes) > 10 * DEVIATIONS_MAX
