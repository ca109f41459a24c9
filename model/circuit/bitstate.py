"""States seen as three bits each: a set that may take a new row for an old one, never the reverse.

Holzmann's supertrace ("An improved protocol reachability analysis technique", Software: Practice
and Experience 18, 1988): a row sets bits chosen by its hash, and counts as seen where all were set.
The bits of one row lie in one cache line (Putze, Sanders, Singler, "Cache-, hash- and
space-efficient Bloom filters", 2007). Rows are kept only until they have been stepped.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from model.circuit.loops import Array, Function, Module, Value, i64, u8, u32
from model.circuit.native import LINE, Compiled, aligned, compile_ir
from model.circuit.visited import AHEAD, MIX, Index, Rows

BITS = 3
LINE_BITS = 8 * LINE


class BitState:
    """A set of hashes of rows within `memory` bytes: half for bits, half for rows to be stepped."""

    def __init__(self, words: int, *, memory: int) -> None:
        self.words = words
        self._code = _compiled(words)
        p, n = ctypes.c_void_p, ctypes.c_int64
        self._mark: Callable[..., int] = self._code.function(n, p, n, p, n, p)
        self.bits = aligned(max(1, memory // 2 // LINE) * LINE)
        self._waiting = np.empty((max(1, memory // 2 // (8 * words)), words), np.uint64)
        self._first = 0
        self.count = 0
        self.omitted = 0.0
        self.set_bits = 0
        self.full = False

    @property
    def bytes(self) -> int:
        """The memory in use: bits and rows."""
        return self.bits.nbytes + (self.count - self._first) * 8 * self.words

    @property
    def coverage(self) -> float:
        """The estimated share of the states met that were taken for new ones when they were."""
        return self.count / (self.count + self.omitted) if self.count else 1.0

    def rows(self, begin: int, end: int) -> Rows:
        """Rows by number, of those that have not been forgotten."""
        return self._waiting[begin - self._first : end - self._first]

    def forget(self, before: int) -> None:
        """Rows below a number are not asked for any more."""
        kept = self.rows(before, self.count).copy()
        self._waiting[: len(kept)] = kept
        self._first = before

    def insert(self, candidates: Rows) -> NDArray[np.uint32]:
        """Add the rows that are new; gives their positions among the candidates.

        Where there is no room for rows to be stepped, `full` is set and nothing is added.
        """
        waiting = self.count - self._first
        if waiting + len(candidates) > len(self._waiting):
            self.full = True
            return np.empty(0, np.uint32)
        fresh = np.empty(len(candidates), np.uint32)
        # As many bits as were set are what a new row's are compared with.
        wrong = (self.set_bits / (8 * self.bits.nbytes)) ** BITS
        found = self._mark(
            self.bits.ctypes.data,
            self.bits.nbytes // LINE,
            candidates.ctypes.data,
            len(candidates),
            fresh.ctypes.data,
        )
        number, newly = found & 0xFFFFFFFF, found >> 32
        fresh = fresh[:number]
        self._waiting[waiting : waiting + number] = candidates[fresh]
        self.count += number
        self.set_bits += newly
        self.omitted += number * wrong / (1 - wrong) if wrong < 1 else 0.0
        return fresh

    def restore(self, bits: NDArray[np.uint8], waiting: Rows, count: int, omitted: float) -> None:
        """Go on with the bits and rows of another set, whose memory becomes that of this one."""
        self.bits[:] = bits
        self._waiting[: len(waiting)] = waiting
        self._first, self.count, self.omitted = count - len(waiting), count, omitted
        self.set_bits = int(np.bitwise_count(bits.view(np.uint64)).sum())


@cache
def _compiled(words: int) -> Compiled:
    module = Module("bitstate")
    _emit(module, words)
    return compile_ir(str(module), "mark", optimized=True)


def _emit(module: Module, words: int) -> None:
    """mark(bits, lines, candidates, n, fresh) -> how many were new, and bits newly set << 32."""
    p = i64.as_pointer()
    f = Function(module, "mark", [u8.as_pointer(), i64, p, i64, u32.as_pointer()])
    candidates, fresh = f.array(2), f.array(4)
    index = Index(f, words, f.array(0), f.integer(1))
    hashes, found, newly = f.room(AHEAD), f.variable(0), f.variable(0)
    with f.for_range(f.integer(3), step=AHEAD) as begin:
        size = (f.integer(3) - begin).at_most(AHEAD)
        with f.for_range(size) as k:
            hashes[k] = index.hashed(candidates.at((begin + k) * words))
            index.prefetch(hashes[k])
        with f.for_range(size) as k:
            missing = _set(index.line(index.bucket(hashes[k])).at(0, i64), hashes[k])
            fresh[found.now] = begin + k
            found.add(missing.is_not(0).number())
            newly.add(missing)
    f.result(found.now | (newly.now << 32))


def _set(line: Array, hashed: Value) -> Value:
    """Set the bits of a hash in a line; how many were not set."""
    chosen, missing = (hashed ^ (hashed >> 31)) * MIX[1], hashed & 0
    for number in range(BITS):
        bit = (chosen >> (64 - 9 * (number + 1))) & (LINE_BITS - 1)
        place = bit >> 6
        word, mask = line[place], (hashed & 0 | 1) << (bit & 63)
        missing = missing + (word & mask).is_(0).number()
        line[place] = word | mask
    return missing
