"""How often executions of a program fail, and whether that is what a probability says."""

import numpy as np

from model.circuit.block import Engine
from model.program import Outcome, Program
from model.schedulers.scheduler import Scheduler

SCHEDULES_MIN = 40_000
TAIL = 0.0005


def binomial_interval(n: int, p: float) -> tuple[int, int]:
    """The counts outside which lies at most TAIL of a binomial distribution, on either side."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    k = np.arange(n + 1)
    masses = np.exp(logs[n] - logs - logs[::-1] + k * np.log(p) + (n - k) * np.log1p(-p))
    below = np.cumsum(masses)
    return int(np.searchsorted(below, TAIL)), int(np.searchsorted(below, 1 - TAIL))


def failures(program: Program, scheduler: Scheduler) -> tuple[int, int]:
    """Failing schedules and schedules, of at least SCHEDULES_MIN."""
    engine = Engine(program, scheduler)
    schedules = failing = block = 0
    while schedules < SCHEDULES_MIN:
        result = engine.run_block(root_seed=44, block=block, passes=256)
        schedules += result.schedules
        failing += result.outcomes[Outcome.VIOLATION] + result.outcomes[Outcome.DEADLOCK]
        block += 1
    return failing, schedules


def expect_probability(program: Program, scheduler: Scheduler, probability: float) -> None:
    """Executions fail as often as they must."""
    failing, schedules = failures(program, scheduler)
    low, high = binomial_interval(schedules, probability)
    assert low <= failing <= high, f"{failing} of {schedules}, expected {low} to {high}"
