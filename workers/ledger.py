"""Which blocks come next, and how many of them at once. No clock, no database, no processes."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from workers.shards import BlockRange

DEATHS_MAX = 3
LEASE_GROWTH_MAX = 4
LEASE_BLOCKS_MAX = 4096


@dataclass(slots=True)
class BlockLedger:
    """The blocks of one campaign: those lost are given out again first, then new ones in order.

    A range that was being executed three times when its worker died is quarantined.
    """

    next_block: int = 0
    stop_block: int | None = None
    quarantined: list[BlockRange] = field(default_factory=list)
    _again: list[BlockRange] = field(default_factory=list)
    _deaths: Counter[BlockRange] = field(default_factory=Counter)

    def take_again(self) -> BlockRange | None:
        """The first of the lost ranges; None where there is none."""
        if not self._again:
            return None
        first = min(self._again, key=lambda blocks: blocks.first)
        self._again.remove(first)
        return first

    @staticmethod
    def of_record(
        not_done: Iterable[tuple[BlockRange, int]],
        quarantined: Iterable[BlockRange],
        *,
        next_block: int,
        stop_block: int | None,
    ) -> "BlockLedger":
        """The ledger of a campaign that goes on: ranges to execute again, and their deaths."""
        ledger = BlockLedger(next_block, stop_block, list(quarantined))
        for blocks, deaths in not_done:
            ledger._again.append(blocks)
            ledger._deaths[blocks] = deaths
        return ledger

    @property
    def has_no_new(self) -> bool:
        """True where every block was given out before."""
        return self.stop_block is not None and self.next_block >= self.stop_block

    def take_new(self, blocks_max: int) -> BlockRange | None:
        """The next blocks, at most so many; None where the campaign has no more."""
        assert blocks_max > 0
        left = blocks_max if self.stop_block is None else self.stop_block - self.next_block
        if left <= 0:
            return None
        taken = BlockRange(self.next_block, min(blocks_max, left))
        self.next_block = taken.stop
        return taken

    def lose(self, blocks: BlockRange, *, blamed: bool) -> bool:
        """Take back a range without a result; True where it is quarantined by that."""
        self._deaths[blocks] += blamed
        if self._deaths[blocks] >= DEATHS_MAX:
            self.quarantined.append(blocks)
            return True
        self._again.append(blocks)
        return False

    @property
    def is_empty(self) -> bool:
        """True where there is nothing to give out, now or later."""
        return not self._again and self.has_no_new


@dataclass(slots=True)
class LeaseSize:
    """How many blocks make a lease of `lease_seconds`, learned from those before: first one."""

    lease_seconds: float
    blocks: int = 1
    _seconds_per_block: float | None = None

    def learn(self, blocks: BlockRange, *, seconds: float) -> None:
        """Adapt to a finished lease, by half of the difference and at most four times as many."""
        seen = max(seconds, 1e-6) / blocks.blocks
        old = self._seconds_per_block
        self._seconds_per_block = seen if old is None else (old + seen) / 2
        wanted = round(self.lease_seconds / self._seconds_per_block)
        self.blocks = max(1, min(wanted, LEASE_GROWTH_MAX * self.blocks, LEASE_BLOCKS_MAX))

    def for_seconds(self, seconds_left: float, *, blocks_ahead: float) -> int:
        """The size of a lease that ends in time, behind so many blocks of its worker; may be 0."""
        if self._seconds_per_block is None:
            return 1
        blocks_left = seconds_left / self._seconds_per_block - blocks_ahead
        smallest = 0 if blocks_ahead else 1
        return max(smallest, min(self.blocks, int(min(blocks_left, LEASE_BLOCKS_MAX))))
