"""Workers that execute nothing: to measure and to test the coordinator, by the thousand.

What a range shows is a pure function of its blocks, so exact totals can be computed beside. A lease
takes as long as it is said to; losing, repeating and reordering reports is drawn from a seed.
"""

import heapq
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from workers.pool import DoneIn, Executed, Lost, Report, Work, WorkIn
from workers.shards import BlockRange, ShardResult

SITE = "counted twice"


def simulated_result(blocks: BlockRange) -> ShardResult:
    """What the simulated workers report of these blocks; joined ranges have the joined counts."""
    schedules = sum(500 + number % 13 for number in blocks)
    hits = sum(number % 3 == 0 for number in blocks)
    return ShardResult(
        schedules=schedules,
        steps=sum(9_000 + 7 * (number % 101) for number in blocks),
        outcomes={"ok": schedules - hits, "violation": hits} if hits else {"ok": schedules},
        site_hits={SITE: hits} if hits else {},
    )


@dataclass(slots=True)
class SimulatedPool:
    """`workers` of them, whose leases take between the two `seconds` each.

    That is the time of a report; what they say that a block took decides how long leases become.
    Of the reports, a share `lost` is lost, `repeated` comes twice, the second late; `fatal` says
    which blocks end their worker whenever they are executed.
    """

    workers: int
    seconds: tuple[float, float]
    seed: int = 0
    lost: float = 0.0
    repeated: float = 0.0
    fatal: Callable[[BlockRange], bool] = lambda _blocks: False
    lease_seconds: float = 2.0
    seconds_per_block: float = 0.1
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    given: int = 0
    _random: random.Random = field(init=False)
    _idle: list[str] = field(init=False)
    _flying: list[tuple[float, int, str, WorkIn, bool]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._idle = [f"simulated {n + 1}" for n in range(self.workers)]

    @property
    def name(self) -> str:
        """How a person reads it."""
        return f"{self.workers:,} simulated workers"

    def takers(self) -> list[str]:
        """Who does nothing."""
        return list(self._idle)

    def submit(self, worker: str, work: Work) -> None:
        """Begin a lease."""
        assert isinstance(work, WorkIn) and isinstance(work.work, BlockRange)
        self._idle.remove(worker)
        self._fly(worker, work, repeats=False)
        if self._random.random() < self.repeated:
            self._fly(worker, work, repeats=True)

    def _fly(self, worker: str, work: WorkIn, *, repeats: bool) -> None:
        self.given += 1
        seconds = self._random.uniform(*self.seconds) * (1.5 if repeats else 1.0)
        heapq.heappush(self._flying, (self.clock() + seconds, self.given, worker, work, repeats))

    def wait(self, *, seconds_max: float) -> list[Report]:
        """What is due by now; sleeps until something is, for at most this time."""
        now = self.clock()
        if not self._flying or self._flying[0][0] > now:
            due = self._flying[0][0] - now if self._flying else seconds_max
            self.sleep(min(due, seconds_max))
            now = self.clock()
        reports: list[Report] = []
        while self._flying and self._flying[0][0] <= now:
            _, _, worker, work, repeats = heapq.heappop(self._flying)
            if not repeats:
                self._idle.append(worker)
            reports.append(self._report(worker, work))
        return reports

    def _report(self, worker: str, work: WorkIn) -> Report:
        assert isinstance(work.work, BlockRange)
        if self.fatal(work.work):
            return Lost(work, worker, "it was killed by a block", blamed=True)
        if self._random.random() < self.lost:
            return Lost(work, worker, "its node is gone", blamed=False)
        result = simulated_result(work.work)
        seconds = work.work.blocks * self.seconds_per_block
        return DoneIn(work, Executed(work.work, worker, result, seconds))

    def rest(self) -> None:
        """Nobody else wants them."""

    def close(self) -> None:
        """Nothing was started."""
