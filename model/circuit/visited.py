"""The states that have been seen: rows of machine words, each once, in order of discovery.

The rows lie in one table. Beside it lies an index that finds a row by its hash: buckets of one
cache line, each with twelve numbers of rows and a byte of the hash of each, so that hardly any row
but an equal one is ever compared. The index grows with the table; rows are never dropped.

What bounds inserting is the memory's latency, so that buckets and rows are asked for in batches,
ahead of their use. Half of the successors of a layer are met again within a few thousand others: a
small cache of rows that are in the set lets most of these pass before the index is asked.

Who puts more into a row than a state (who stepped, who was last) gets a set of such nodes: a row is
any words that say all that matters. `insert` tells which of the candidates were new, so that what
goes with a row without being part of it (its parent, its cost) can be kept in columns beside it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from model.circuit.loops import Array, Function, Module, Value, Variable, i64, u8, u32
from model.circuit.native import LINE, Compiled, aligned, compile_ir

import llvmlite.ir as ll  # isort: skip

Rows = NDArray[np.uint64]

SLOTS = 12
LOAD = 0.85
GROWTH = 2
RECENT = 4096
BUCKETS_MIN = 1024
AHEAD = 64
MIX = (0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xCA5A826395121157)
INDEX_BYTES = LINE / SLOTS / LOAD
ROWS_MAX = (1 << 32) - 1


class Visited:
    """A set of rows of `words` 64-bit words within `memory` bytes, table and index together.

    The table is reserved at once and takes real memory as it fills. Adding a row takes about 20 ns
    beside two cache misses that are waited for together with others.
    """

    def __init__(self, words: int, *, memory: int) -> None:
        self.words = words
        self._code = _compiled(words)
        p, n = ctypes.c_void_p, ctypes.c_int64
        self._insert: Callable[..., int] = self._code.function(n, p, n, p, n, p, n, p, n, p)
        self._place: Callable[..., int] = self._code.function(n, p, n, p, n, name="place")
        self._recent = np.empty((RECENT, words), np.uint64)
        rest = memory - self._recent.nbytes - LINE
        self.rows_max = min(max(1, int(rest / (8 * words + INDEX_BYTES))), ROWS_MAX)
        self._table = np.empty((self.rows_max, words), np.uint64)
        self._lines = np.zeros(0, np.uint8)
        self.count = 0
        self.full = False

    def rows(self, begin: int, end: int) -> Rows:
        """Rows [n, words] by number, in order of discovery; a view of the table."""
        return self._table[begin : min(end, self.count)]

    @property
    def bytes(self) -> int:
        """The memory in use: rows, index and cache."""
        return self.count * 8 * self.words + self._lines.nbytes + self._recent.nbytes

    def insert(self, candidates: Rows) -> NDArray[np.uint32]:
        """Add the rows [n, words] that are new; gives their positions among the candidates.

        The i-th of them becomes row `count` + i. Where the table is full, `full` is set and what
        is new is left out; then the set is of no more use.
        """
        assert candidates.shape[1] == self.words and candidates.flags.c_contiguous
        self._reserve(self.count + len(candidates))
        if self.count or not len(candidates):
            return self._add(candidates)
        # The cache holds rows of the set. For the first, it holds what differs from it.
        self._recent[:] = ~candidates[0]
        first = self._add(candidates[:1])
        self._recent[:] = candidates[0]
        return np.concatenate([first, self._add(candidates)])

    def extend(self, rows: Rows) -> None:
        """Add rows of which each is new, as those of another set are.

        Raises ValueError where the memory does not hold them.
        """
        if self.count + len(rows) > self.rows_max:
            raise ValueError(f"{len(rows):,} states do not fit into the memory")
        assert len(self.insert(np.ascontiguousarray(rows))) == len(rows), "a row twice"

    def _add(self, candidates: Rows) -> NDArray[np.uint32]:
        fresh = np.empty(len(candidates), np.uint32)
        before = self.count
        after = self._insert(
            self._table.ctypes.data,
            self.rows_max,
            self._lines.ctypes.data,
            len(self._lines) // LINE,
            candidates.ctypes.data,
            len(candidates),
            fresh.ctypes.data,
            before,
            self._recent.ctypes.data,
        )
        self.full = self.full or after > self.rows_max
        self.count = min(after, self.rows_max)
        return fresh[: self.count - before]

    def _reserve(self, rows: int) -> None:
        """An index for that many rows; it is made from the table."""
        rows = min(rows, self.rows_max)
        if rows <= LOAD * SLOTS * (len(self._lines) // LINE):
            return
        rows = min(GROWTH * rows, self.rows_max)
        buckets = max(BUCKETS_MIN, int(rows / (LOAD * SLOTS)) + 1)
        self._lines = np.zeros(0, np.uint8)
        self._lines = aligned(buckets * LINE)
        self._place(self._table.ctypes.data, self.count, self._lines.ctypes.data, buckets)


@cache
def _compiled(words: int) -> Compiled:
    module = Module("visited")
    _Insertion(module, words).emit()
    _Placing(module, words).emit()
    return compile_ir(str(module), "insert", optimized=True)


class Index:
    """What functions over lines know: how a row is hashed, and which line is its own."""

    def __init__(self, f: Function, words: int, lines: Array, buckets: Value) -> None:
        self.f, self.words, self.lines, self.buckets = f, words, lines, buckets

    def hashed(self, row: Array) -> Value:
        """The hash of a row."""
        mixed = self.f.constant(MIX[1])
        for w in range(self.words):
            mixed = (mixed ^ row[w]) * MIX[0]
            mixed = mixed ^ (mixed >> 32)
        mixed = mixed * MIX[2]
        return mixed ^ (mixed >> 29)

    def bucket(self, hashed: Value) -> Value:
        """The number of its line."""
        return ((hashed >> 32) * self.buckets) >> 32

    def after(self, bucket: Value) -> Value:
        """The line after a line, in a circle."""
        following = bucket + 1
        return following.is_(self.buckets).choose(0, following)

    def prefetch(self, hashed: Value) -> None:
        """Ask for its line."""
        self.lines.prefetch(self.bucket(hashed) * LINE)

    def line(self, bucket: Value) -> Array:
        """A line by its number."""
        return self.lines.at(bucket * LINE)

    def free_line(self, hashed: Value) -> Array:
        """The first line with a free slot."""
        bucket = self.f.variable(self.bucket(hashed))
        with self.f.while_(lambda: self.slots(self.line(bucket.now), 0).is_(0)):
            bucket.set(self.after(bucket.now))
        return self.line(bucket.now)

    @staticmethod
    def tag(hashed: Value) -> Value:
        """The byte of a hash that a slot keeps; never 0."""
        tag = hashed & 255
        return tag + tag.is_(0).number()

    @staticmethod
    def numbers(line: Array) -> Array:
        """The numbers of rows in a line."""
        return line.at(16, u32)

    def slots(self, line: Array, tag: Value | int) -> Value:
        """The slots of a bucket, as a mask, whose tag is a given one, 0 for those that are free."""
        tags = line.at(0, ll.VectorType(u8, 16))[0]
        return tags.is_(tag).bits() & ((1 << SLOTS) - 1)

    def store(self, line: Array, slot: Value, hashed: Value, number: Value) -> None:
        """Fill a free slot."""
        line[slot] = self.tag(hashed)
        self.numbers(line)[slot] = number


class _Placing:
    """place(table, n, lines, buckets): the first n rows of a table into an empty index."""

    def __init__(self, module: Module, words: int) -> None:
        self.f = Function(module, "place", [i64.as_pointer(), i64, u8.as_pointer(), i64])
        self.table, self.number = self.f.array(0), self.f.integer(1)
        self.index = Index(self.f, words, self.f.array(2), self.f.integer(3))
        self.words = words

    def emit(self) -> None:
        f, index = self.f, self.index
        hashes = f.room(AHEAD)
        with f.for_range(self.number, step=AHEAD) as begin:
            size = (self.number - begin).at_most(AHEAD)
            with f.for_range(size) as k:
                hashes[k] = index.hashed(self.table.at((begin + k) * self.words))
                index.prefetch(hashes[k])
            with f.for_range(size) as k:
                line = index.free_line(hashes[k])
                index.store(line, index.slots(line, 0).trailing_zeros(), hashes[k], begin + k)
        f.result(0)


class _Insertion:
    """insert(table, rows_max, lines, buckets, candidates, n, fresh, count, recent) -> count after.

    One more than `rows_max` says that the table is full.
    """

    def __init__(self, module: Module, words: int) -> None:
        p, line, short = i64.as_pointer(), u8.as_pointer(), u32.as_pointer()
        f = self.f = Function(module, "insert", [p, i64, line, i64, p, i64, short, i64, p])
        self.words = words
        self.table, self.candidates, self.fresh, self.recent = (f.array(k) for k in (0, 4, 6, 8))
        self.rows_max, self.number, self.first = (f.integer(k) for k in (1, 5, 7))
        self.index = Index(f, words, f.array(2), f.integer(3))
        self.count, self.full = f.variable(self.first), f.variable(0)

    def emit(self) -> None:
        """Batches: leave out the recent, ask for buckets, for the rows they name, then add."""
        f, index = self.f, self.index
        hashes, waiting = f.room(AHEAD + 1), f.room(AHEAD + 1)
        with f.for_range(self.number, step=AHEAD) as begin:
            size = f.variable(0)
            with f.for_range(begin + (self.number - begin).at_most(AHEAD), start=begin) as k:
                row = self.candidates.at(k * self.words)
                hashed = index.hashed(row)
                hashes[size.now], waiting[size.now] = hashed, k
                size.add(self._met_lately(row, hashed).is_(0).number())
            with f.for_range(size.now) as k:
                index.prefetch(hashes[k])
            with f.for_range(size.now) as k:
                line = index.line(index.bucket(hashes[k]))
                equal = index.slots(line, index.tag(hashes[k]))
                with f.if_(equal.is_not(0)):
                    number = index.numbers(line)[equal.trailing_zeros()]
                    self.table.prefetch(number * self.words)
            with f.for_range(size.now) as k:
                self._add(waiting[k], hashes[k])
        f.result(self.count.now + self.full.now)

    def _met_lately(self, row: Array, hashed: Value) -> Value:
        """Whether the row is in the cache; then it is."""
        slot = self.recent.at(((hashed >> 8) & (RECENT - 1)) * self.words)
        met = self._differ(slot, row).is_(0).number()
        for w in range(self.words):
            slot[w] = row[w]
        return met

    def _differ(self, a: Array, b: Array) -> Value:
        differ = self.f.constant(0)
        for w in range(self.words):
            differ = differ | (a[w] ^ b[w])
        return differ

    def _add(self, candidate: Value, hashed: Value) -> None:
        f, index, row = self.f, self.index, self.candidates.at(candidate * self.words)
        bucket, open_ = f.variable(index.bucket(hashed)), f.variable(1)
        with f.while_(lambda: open_.now.is_not(0)):
            line = index.line(bucket.now)
            self._compare(line, row, hashed, open_)
            with f.if_(open_.now.is_not(0)):
                free = index.slots(line, 0)
                with f.if_(free.is_not(0)):
                    self._store(line, free.trailing_zeros(), row, candidate, hashed)
                    open_.set(0)
                bucket.set(index.after(bucket.now))

    def _compare(self, line: Array, row: Array, hashed: Value, open_: Variable) -> None:
        """Close the search where the bucket has an equal row."""
        f = self.f
        slots = f.variable(self.index.slots(line, self.index.tag(hashed)))
        with f.while_(lambda: slots.now.is_not(0)):
            number = self.index.numbers(line)[slots.now.trailing_zeros()]
            same = self._differ(self.table.at(number * self.words), row).is_(0)
            slots.set(same.choose(0, slots.now & (slots.now - 1)))
            with f.if_(same):
                open_.set(0)

    def _store(self, line: Array, slot: Value, row: Array, candidate: Value, hashed: Value) -> None:
        f = self.f
        room = self.count.now < self.rows_max
        with f.if_(room):
            self.index.store(line, slot, hashed, self.count.now)
            for w in range(self.words):
                self.table.at(self.count.now * self.words)[w] = row[w]
            self.fresh[self.count.now - self.first] = candidate
        self.full.set(room.choose(self.full.now, 1))
        self.count.add(room.number())
