"""What executions have shown, in a form that can be added: the distinct states among samples.

A state is kept as a 64-bit hash, and of the hashes the smallest are kept. Below their bound the
count is exact; above it, the largest hash that was kept tells how dense the hashes lie (the k
minimum values of Bar-Yossef et al., RANDOM 2002): the estimate is off by 1 / sqrt(k), 0.8 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
        ours, theirs = self._hashes(), other._hashes()
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
        hashes = self._hashes()
        if self.is_exact:
            return len(hashes)
        return round((KEPT_MAX - 1) * 2**64 / (int(hashes[-1]) + 1))

    def _hashes(self) -> Hashes:
        return np.frombuffer(self.kept, "<u8")
