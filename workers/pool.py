"""What the coordinator asks of a pool of workers, whatever the workers are.

A pool knows one campaign's `ShardSpec`; work for another brings its own. It promises that each
piece of work that was submitted is reported once, done or `Lost`, as long as someone waits; nothing
else. What to do about lost work is the coordinator's decision, and losing it is harmless because
all work is a pure function.
"""

from dataclasses import dataclass
from typing import Protocol

from workers.minimizing import Minimized
from workers.shards import BlockRange, Replayed, ShardResult, ShardSpec

# Pieces of work that one worker holds: the one it does, and the next, so that it never waits.
WORK_PER_WORKER = 2
# A lease costs some 20 ms of the coordinator, who has no core of its own.
LEASE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class WorkIn:
    """Work in another program than the one that the pool was opened for, of this campaign."""

    spec: ShardSpec
    work: BlockRange | Replayed
    campaign_id: int = 0


# A range to execute, or a violation to minimize.
Work = BlockRange | Replayed | WorkIn


@dataclass(frozen=True, slots=True)
class Executed:
    """A range whose result has arrived; `seconds` is what executing it took."""

    work: BlockRange
    worker: str
    result: ShardResult
    seconds: float


@dataclass(frozen=True, slots=True)
class MinimizedOne:
    """A violation whose minimal interleaving has arrived."""

    work: Replayed
    worker: str
    minimal: Minimized


@dataclass(frozen=True, slots=True)
class DoneIn:
    """What came of work in another program."""

    work: WorkIn
    report: Executed | MinimizedOne


@dataclass(frozen=True, slots=True)
class Lost:
    """Work that has no result. `blamed` where a worker was at it, and it was not only waiting."""

    work: Work
    worker: str
    reason: str
    blamed: bool


Report = Executed | MinimizedOne | DoneIn | Lost


class Pool(Protocol):
    """Workers that do what a coordinator submits."""

    @property
    def name(self) -> str:
        """How a person reads it: `2 workers`."""

    @property
    def workers(self) -> int:
        """How many pieces of work are done at once."""

    @property
    def lease_seconds(self) -> float:
        """How long a range of blocks should take: a stop waits for all that is in flight."""

    def takers(self) -> list[str]:
        """The workers that take one more piece of work, the least busy first."""

    def submit(self, worker: str, work: Work) -> None:
        """Give work to a worker that takes some."""

    def wait(self, *, seconds_max: float) -> list[Report]:
        """What has ended, after at most this time; may be nothing. Raises PoolError."""

    def close(self) -> None:
        """End the workers that this pool has started, and no other process."""


class SharedPool(Pool, Protocol):
    """A pool for many campaigns, of which another coordinator may take the lead."""

    def rest(self) -> None:
        """Hold no more than costs others nothing, until `takers` is asked again."""
