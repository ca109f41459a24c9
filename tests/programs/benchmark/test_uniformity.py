"""How far from uniform over interleavings the walk is, exactly; and that URW is uniform."""

from collections import Counter
from itertools import combinations
from math import comb

import numpy as np

from model.circuit.block import Engine
from model.schedulers.scheduler import Scheduler
from model.schedulers.uniform_walk import UniformWalk
from model.schedulers.urw import Urw
from tests.programs.benchmark.races import UPDATES, uniformity

STEPS = 2 * UPDATES
PASSES = 640
BLOCKS = 4
DEVIATIONS_MAX = 4.0
Outcome = tuple[int, ...]
OUTCOMES = [
    tuple(int(place in places) for place in range(STEPS))
    for places in combinations(range(STEPS), UPDATES)
]
UNIFORM = dict.fromkeys(OUTCOMES, 1 / comb(STEPS, UPDATES))


def walk_probability(outcome: Outcome) -> float:
    """A step is a choice of two until one thread has ended."""
    last = max(place for place in range(STEPS) if outcome[place] != outcome[-1])
    return 0.5 ** (last + 1)


def sampled(scheduler: Scheduler) -> Counter[Outcome]:
    """The order of threads in executions, as many of every lane, so that none is preferred."""
    engine, found = Engine(uniformity.compile(), scheduler), Counter[Outcome]()
    for block in range(BLOCKS):
        lanes = [
            lane
            for chunk in engine.decisions(root_seed=7, block=block, passes=PASSES)
            for lane in chunk[:, :2].transpose(2, 0, 1)
        ]
        for lane in lanes:
            order = lane[lane.any(axis=1), 1]
            executions = order[: len(order) // STEPS * STEPS].reshape(-1, STEPS)
            found.update(map(tuple, executions[: PASSES // (2 * STEPS)].tolist()))
    return found


def deviations(found: Counter[Outcome], probability: dict[Outcome, float]) -> float:
    """By how many standard deviations chi-square exceeds its mean."""
    number = found.total()
    expected = np.array([number * probability[outcome] for outcome in OUTCOMES])
    counts = np.array([found[outcome] for outcome in OUTCOMES])
    freedom = len(OUTCOMES) - 1
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    return (chi_square - freedom) / (2 * freedom) ** 0.5


def test_the_walk_has_the_probabilities_that_follow_and_is_not_uniform():
    exact = {outcome: walk_probability(outcome) for outcome in OUTCOMES}
    classes = Counter(exact.values())
    assert classes == {2.0**-k: n for k, n in zip(range(5, 10), (2, 10, 30, 70, 140), strict=True)}
    assert sum(exact.values()) == 1
    found = sampled(UniformWalk())
    assert abs(deviations(found, exact)) < DEVIATIONS_MAX
    assert deviations(found, UNIFORM) > 100


def test_every_interleaving_is_as_likely_under_urw():
    found = sampled(Urw())
    assert found.total() > 50_000 and len(found) == 252
    assert abs(deviations(found, UNIFORM)) < DEVIATIONS_MAX
