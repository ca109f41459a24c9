"""What the coordinator asks of a pool of workers, whatever the workers are.

A pool knows one campaign's `ShardSpec`. It promises that each range that was submitted is reported
once, `Finished` or `Lost`, as long as someone waits; nothing else. What to do about a lost range is
the coordinator's decision, and losing one is harmless because blocks are pure functions.
"""

from dataclasses import dataclass
from typing import Protocol

from workers.shards import BlockRange, ShardResult

# Ranges that one worker holds: the one it executes, and the next, so that it never waits.
RANGES_PER_WORKER = 2


class PoolError(Exception):
    """The workers cannot be started or kept alive; the message is for the person who asked."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A range whose result has arrived; `seconds` is what executing it took."""

    blocks: BlockRange
    worker: str
    result: ShardResult
    seconds: float


@dataclass(frozen=True, slots=True)
class Lost:
    """A range that has no result. `blamed` where it was being executed, not only waiting."""

    blocks: BlockRange
    worker: str
    reason: str
    blamed: bool


Report = Finished | Lost


class Pool(Protocol):
    """Workers that execute ranges of blocks of one campaign."""

    @property
    def name(self) -> str:
        """How a person reads it: `2 workers`."""

    def takers(self) -> list[str]:
        """The workers that take one more range, the least busy first."""

    def submit(self, worker: str, blocks: BlockRange) -> None:
        """Give a range to a worker that takes one."""

    def wait(self, *, seconds_max: float) -> list[Report]:
        """What has ended, after at most this time; may be nothing. Raises PoolError."""

    def close(self) -> None:
        """End the workers that this pool has started, and no other process."""
