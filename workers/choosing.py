"""The turns of a portfolio's campaign, as they are decided, counted, and given again."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from model.coverage import Coverage
from model.schedulers.portfolio import (
    Gains,
    Portfolio,
    Turn,
    blocks_of_turn,
    chosen,
    news,
    portfolio_named,
    shares,
)
from workers.shards import BlockRange, ShardResult


@dataclass(slots=True)
class Choosing:
    """Decides who executes which blocks. No clock, no database, no processes.

    `given` are the turns of an earlier campaign, whose decisions are taken again. `turns` may begin
    with what the campaign itself has on record, and then goes on from there.
    """

    portfolio: Portfolio
    given: Sequence[Turn] = ()
    turns: list[Turn] = field(default_factory=list)

    def turn_of(self, block: int) -> Turn:
        """The turn of a block; decided now where the block is the first of a new one."""
        stop = self.turns[-1].stop if self.turns else 0
        if block < stop:
            return self.turns[self._number_of(block)]
        assert block == stop, "turns are decided in order"
        decided = (
            self.given[len(self.turns)].scheduler
            if len(self.turns) < len(self.given)
            else chosen(self.portfolio.arms, self.turns)
        )
        self.turns.append(Turn(block, blocks_of_turn(block), decided))
        return self.turns[-1]

    def count(self, blocks: BlockRange, gains: Gains) -> None:
        """A range is completed: the turn that it is of has shown more."""
        number = self._number_of(blocks.first)
        turn = self.turns[number]
        assert blocks.stop <= turn.stop, "no lease is of two turns"
        self.turns[number] = replace(turn, gains=turn.gains + gains)

    def turns_of(self, ranges: Iterable[BlockRange]) -> list[Turn]:
        """The decisions that these ranges are of, each once."""
        numbers = sorted({self._number_of(blocks.first) for blocks in ranges})
        return [self.turns[number] for number in numbers]

    def _number_of(self, block: int) -> int:
        return bisect_right(self.turns, block, key=lambda turn: turn.first_block) - 1

    @property
    def shares(self) -> Mapping[str, Gains]:
        """What each scheduler has done."""
        return shares(self.turns)


def gains_of(blocks: BlockRange, result: ShardResult, *, seen: Coverage) -> Gains:
    """What a range has shown; of coverage, what its campaign, which has `seen` this, had not."""
    found = result.coverage
    pairs, classes, states = news(seen, found) if found.executions else (0, 0, 0)
    return Gains(
        blocks.blocks,
        result.schedules,
        result.steps,
        result.violations,
        found.executions,
        pairs,
        classes,
        states,
    )


def choosing_of(
    scheduler: str, *, given: Sequence[Turn] = (), turns: Sequence[Turn] = ()
) -> Choosing | None:
    """Who decides in a campaign of this scheduler; None where there is nothing to decide."""
    portfolio = portfolio_named(scheduler)
    return None if portfolio is None else Choosing(portfolio, given, list(turns))
