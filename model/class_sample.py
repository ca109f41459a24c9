"""Equivalence classes among executions: a sample of their hashes, with an exact count of each.

The classes with the smallest hashes are kept, each with the number of executions that were of it
and the first block that showed it. What a class's hash is has nothing to do with how often it
occurs, so the kept ones are a fair sample of all classes (a bottom-k sample: Cohen and Kaplan,
PODC 2007), and how many classes were seen once or twice can be estimated from it. A HyperLogLog is
smaller, but knows no class that was seen once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KEPT_MAX = 2048
HASHES = float(2**64)
Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class ClassSample:
    """A multiset of classes. `+` adds two of disjoint sets of blocks, whatever the order.

    `kept` holds (hash, executions, first block) of the smallest hashes, ascending: three 64-bit
    words each, little-endian. The counts are exact, because a hash that is among the smallest of
    all is among the smallest of every part.
    """

    kept: bytes = b""

    @staticmethod
    def of(hashes: Words, *, block: int) -> ClassSample:
        """One execution of each of these classes, all in one block."""
        found, counts = np.unique(hashes, return_counts=True)
        return _sample(found, counts.astype(np.uint64), np.full(len(found), block, np.uint64))

    def __add__(self, other: ClassSample) -> ClassSample:
        if not self.kept or not other.kept:
            return other if not self.kept else self
        both = np.concatenate([self.rows, other.rows])
        found, place = np.unique(both[:, 0], return_inverse=True)
        counts = np.zeros(len(found), np.uint64)
        np.add.at(counts, place, both[:, 1])
        first = np.full(len(found), 2**64 - 1, np.uint64)
        np.minimum.at(first, place, both[:, 2])
        return _sample(found, counts, first)

    @property
    def rows(self) -> Words:
        """[class, 3]: hash, executions, first block, by ascending hash."""
        return np.frombuffer(self.kept, "<u8").reshape(-1, 3)

    @property
    def is_exact(self) -> bool:
        """True where every class that was seen is kept."""
        return len(self.kept) < 24 * KEPT_MAX

    @property
    def classes(self) -> float:
        """How many classes were seen; off by 1 / sqrt(KEPT_MAX), 2.2 %, where not exact."""
        return len(self.counted) / self.share

    @property
    def counted(self) -> Words:
        """The rows that estimates count: all, or all but the one that tells the share."""
        return self.rows if self.is_exact else self.rows[:-1]

    @property
    def share(self) -> float:
        """The share of all hashes that is kept: what is counted, divided by it, estimates all."""
        return 1.0 if self.is_exact else float(self.rows[-1, 0]) / HASHES

    def seen(self, times: int) -> float:
        """How many classes occurred exactly so many times."""
        return float(np.count_nonzero(self.counted[:, 1] == times)) / self.share


def _sample(hashes: Words, counts: Words, first: Words) -> ClassSample:
    rows = np.stack([hashes, counts, first], axis=1)[:KEPT_MAX]
    return ClassSample(rows.astype("<u8").tobytes())
