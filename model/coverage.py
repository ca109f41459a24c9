"""What executions have shown, in a form that can be added.

It comes from whole executions, sampled without regard to what they do: the first of every lane of
a block. So the sampled ones are as independent of each other as the scheduler makes them, and a
long execution is as likely to be among them as a short one.

A state is kept as a 64-bit hash, and of the hashes the smallest are kept. Below their bound the
count is exact; above it, the largest hash that was kept tells how dense the hashes lie (the k
minimum values of Bar-Yossef et al., RANDOM 2002): the estimate is off by 1 / sqrt(k), 0.8 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.class_sample import ClassSample
from model.step_pairs import BodyStep, StepPair

KEPT_MAX = 16384
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class StatesSeen:
    """A set of states. `+` is its union, whatever the order; equal sets are equal values.

    `kept` holds the smallest hashes in ascending order, 8 bytes each, little-endian.
    """

    kept: bytes = b""

    @staticmethod
    def of(hashes: Hashes) -> StatesSeen:
        """The states with these hashes, in any order and number."""
        return StatesSeen(np.unique(hashes)[:KEPT_MAX].astype("<u8").tobytes())

    def __add__(self, other: StatesSeen) -> StatesSeen:
        ours, theirs = self.hashes, other.hashes
        if len(ours) == 0:
            return other
        if len(ours) == KEPT_MAX:
            theirs = theirs[theirs < ours[-1]]
        # Most of what comes later has been seen: then nothing is sorted and nothing changes.
        places = np.minimum(np.searchsorted(ours, theirs), len(ours) - 1)
        fresh = theirs[ours[places] != theirs]
        return StatesSeen.of(np.concatenate([ours, fresh])) if len(fresh) else self

    @property
    def is_exact(self) -> bool:
        """True where the count is no estimate."""
        return len(self.kept) < 8 * KEPT_MAX

    @property
    def count(self) -> int:
        """How many distinct states there are."""
        hashes = self.hashes
        if self.is_exact:
            return len(hashes)
        return round((KEPT_MAX - 1) * 2**64 / (int(hashes[-1]) + 1))

    @property
    def hashes(self) -> Hashes:
        """Those that are kept, ascending."""
        return np.frombuffer(self.kept, "<u8")


@dataclass(frozen=True, slots=True)
class Shown:
    """How many sampled executions have shown something, and the first block that did."""

    executions: int
    first_block: int

    def __add__(self, other: Shown) -> Shown:
        return Shown(self.executions + other.executions, min(self.first_block, other.first_block))


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the sampled executions of some blocks have shown; `+` joins disjoint sets of blocks.

    `executions` counts the sampled ones, without those that an assume() discarded, which show
    nothing. The sum does not depend on the order: of everything the first block is kept, not the
    time.
    """

    executions: int = 0
    steps: frozenset[BodyStep] = frozenset()
    pairs: Mapping[StepPair, Shown] = field(default_factory=dict)
    classes: ClassSample = field(default_factory=ClassSample)
    states: StatesSeen = field(default_factory=StatesSeen)

    def __add__(self, other: Coverage) -> Coverage:
        # Most blocks are not sampled.
        if not other.executions and other == Coverage():
            return self
        pairs = dict(self.pairs)
        for pair, shown in other.pairs.items():
            pairs[pair] = pairs[pair] + shown if pair in pairs else shown
        return Coverage(
            self.executions + other.executions,
            self.steps | other.steps,
            pairs,
            self.classes + other.classes,
            self.states + other.states,
        )
