"""What a campaign is to do, when it ends by itself, and who is told how it goes on."""

import json
from dataclasses import dataclass
from typing import Protocol

from model.program import Program
from model.schedulers.portfolio import Turn
from workers.progress import Ending, FoundFailure, Progress


@dataclass(frozen=True, slots=True)
class Budget:
    """When a campaign ends by itself; what is None does not end it.

    `block` is the only block to execute, `blocks` how many. `saturation_blocks`: it ends when so
    many blocks in a row have covered nothing new. `seconds` count while it works.
    """

    seconds: float | None = None
    schedules: int | None = None
    block: int | None = None
    stop_on_first: bool = False
    steps: int | None = None
    violations: int | None = None
    blocks: int | None = None
    saturation_blocks: int | None = None

    def to_json(self) -> str:
        """As the campaign's row keeps it; counts are text, because they may pass 2^53."""
        schedules = None if self.schedules is None else str(self.schedules)
        return json.dumps(
            {
                "seconds": self.seconds,
                "schedules": schedules,
                "block": self.block,
                "stop_on_first": self.stop_on_first,
            }
        )

    def spent_by(self, progress: Progress, *, blocks_without_news: int) -> Ending | None:
        """The bound of counts that was reached, if one was; time and blocks are others' matter."""
        reached = {
            Ending.STEPS_SPENT: (self.steps, progress.steps),
            Ending.VIOLATIONS_SPENT: (self.violations, progress.violations),
            Ending.SATURATED: (self.saturation_blocks, blocks_without_news),
        }
        for ending, (bound, count) in reached.items():
            if bound is not None and count >= bound:
                return ending
        return None


@dataclass(frozen=True, slots=True)
class Order:
    """What a campaign is to do.

    `blocks` are those that it executes where they are known, and `turns` decisions to be taken
    again; `ending` is what is said when there is no block left.
    """

    program: Program
    source: str
    scheduler: str
    root_seed: int
    budget: Budget
    excluded_failures: tuple[int, ...] = ()
    blocks: range | None = None
    turns: tuple[Turn, ...] = ()
    ending: Ending = Ending.BLOCK_DONE


class Observer(Protocol):
    """Who is told how a campaign goes on; called by the coordinator."""

    def progressed(self, progress: Progress) -> None:
        """Some time has passed, or something was stored."""

    def found(self, failure: FoundFailure) -> None:
        """A failure was shown for the first time in this campaign, and is stored."""

    def said(self, sentence: str) -> None:
        """Something went wrong that a person should know of."""
