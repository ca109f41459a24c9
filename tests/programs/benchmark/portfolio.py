"""Seconds to the first violation by the portfolio: whole blocks, compiling included.

A scheduler counts as compiled when it is first chosen, on one core; it is compiled once for all
seeds, and its seconds are added to each. Nothing is executed ahead or beside.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace

from model.circuit.block import Engine
from model.coverage import Coverage
from model.program import Program
from model.schedulers.named import scheduler_named
from model.schedulers.portfolio import (
    Gains,
    Portfolio,
    Turn,
    blocks_of_turn,
    chosen,
    is_sampled,
    news,
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one seed needed; where it gave up, what it executed without a violation."""

    schedules: int
    seconds: float
    found: bool


class PortfolioSearch:
    """A program with the schedulers of the portfolio, each compiled when it is first needed."""

    def __init__(self, program: Program) -> None:
        self._program, self._portfolio = program, Portfolio()
        self._engines: dict[str, tuple[Engine, float]] = {}

    @property
    def compile_seconds(self) -> float:
        """What compiling has taken so far."""
        return sum(seconds for _, seconds in self._engines.values())

    def first_violation(self, *, seed: int, seconds_max: float) -> Attempt:
        """Until a block has a violation; the first failing schedule is drawn, as in `report`."""
        turns: list[Turn] = []
        seen, used = Coverage(), set[str]()
        seconds, schedules, block = 0.0, 0, 0
        while seconds < seconds_max:
            if not turns or block == turns[-1].stop:
                arm = chosen(self._portfolio.arms, turns)
                turns.append(Turn(block, blocks_of_turn(block), arm))
            engine, compile_seconds = self._engine(turns[-1].scheduler)
            if turns[-1].scheduler not in used:
                seconds += compile_seconds
            used.add(turns[-1].scheduler)
            begin = time.process_time()
            result = engine.run_block(root_seed=seed, block=block)
            gains = Gains(1, result.schedules, result.steps, sum(result.site_hits))
            if is_sampled(block) and not gains.violations:
                more = engine.coverage(root_seed=seed, block=block)
                pairs, classes, states = news(seen, more)
                seen += more
                gains = replace(
                    gains,
                    executions=more.executions,
                    pairs=pairs,
                    classes=classes,
                    states=states,
                )
            seconds += time.process_time() - begin
            turns[-1] = replace(turns[-1], gains=turns[-1].gains + gains)
            if gains.violations:
                places = range(1, result.schedules + 1)
                first = min(random.Random(seed).sample(places, gains.violations))
                return Attempt(schedules + first, seconds, True)
            schedules, block = schedules + result.schedules, block + 1
        return Attempt(schedules, seconds, False)

    def _engine(self, arm: str) -> tuple[Engine, float]:
        if arm not in self._engines:
            begin = time.process_time()
            engine = Engine(self._program, scheduler_named(arm))
            self._engines[arm] = engine, time.process_time() - begin
        return self._engines[arm]
