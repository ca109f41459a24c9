"""The states that have been seen: rows of machine words, each once, in order of discovery.

The rows lie in one table. Beside it lies an index that finds a row by its hash: buckets of one
cache line, each with twelve numbers of rows and a byte of the hash of each, so that hardly any row
but an equal one is ever compared. The index grows with the table; rows are never dropped. What
bounds inserting is the memory's latency, so that buckets and rows are asked for in batches, ahead
of their use.

Who puts more into a row than a state (who stepped, who was last) gets a set of such nodes: a row is
any words that say all that matters. `insert` tells which of the candidates were new, so that what
goes with a row without being part of it (its parent, its cost) can be kept in columns beside it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.circuit.loops import Array, Function, Module, Value, i64, u8, u32
from model.circuit.native import LINE, Compiled, aligned, compile_ir

import llvmlite.ir as ll  # isort: skip

Rows = NDArray[np.uint64]

SLOTS = 12
LOAD = 0.85
GROWTH = 1.5
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
        self._insert: Callable[..., int] = self._code.function(
            ctypes.c_int64, *[ctypes.c_void_p, ctypes.c_int64] * 4
        )
        row = 8 * words
        self.rows_max = min(max(1, int(memory / (row + GROWTH * INDEX_BYTES))), ROWS_MAX)
        self._table = np.empty((self.rows_max, words), np.uint64)
        self._lines = np.zeros(0, np.uint8)
        self.count = 0
        self.full = False
        self._reserve(1)

    @property
    def rows(self) -> Rows:
        """Every row [count, words] in order of discovery; a view of the table."""
        return self._table[: self.count]

    @property
    def bytes(self) -> int:
        """The memory in use: rows and index."""
        return self.count * 8 * self.words + self._lines.nbytes

    def insert(self, candidates: Rows) -> NDArray[np.uint32]:
        """Add the rows [n, words] that are new; gives their positions among the candidates.

        The i-th of them becomes row `count` + i. Where the table is full, `full` is set and what
        is new is left out.
        """
        assert candidates.shape[1] == self.words and candidates.flags.c_contiguous
        self._reserve(self.count + len(candidates))
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
        )
        self.full, self.count = after > self.rows_max, min(after, self.rows_max)
        return fresh[: self.count - before]

    def extend(self, rows: Rows) -> None:
        """Add rows of which each is new, as those of another set are.

        Raises ValueError where the memory does not hold them.
        """
        if self.count + len(rows) > self.rows_max:
            raise ValueError(f"{len(rows):,} states do not fit into the memory")
        assert len(self.insert(np.ascontiguousarray(rows))) == len(rows), "a row twice"

    def _reserve(self, rows: int) -> None:
        """An index for that many rows; it is made from the table."""
        rows = min(rows, self.rows_max)
        if rows <= LOAD * SLOTS * (len(self._lines) // LINE):
            return
        buckets = max(BUCKETS_MIN, int(GROWTH * rows / (LOAD * SLOTS)) + 1)
        self._lines = np.zeros(0, np.uint8)
        self._lines = aligned(buckets * LINE)
        self._insert(
            self._table.ctypes.data, 0, self._lines.ctypes.data, buckets, 0, self.count, 0, 0
        )


@cache
def _compiled(words: int) -> Compiled:
    return compile_ir(str(_emit(words)), "insert", optimized=True)


def _emit(words: int) -> Module:
    """insert(table, rows_max, lines, buckets, candidates, n, fresh, count) -> count after.

    One more than `rows_max` says that the table is full. With `candidates` null, the first n rows
    of the table, known to differ, are put into an empty index.
    """
    module = Module("visited")
    pointer = i64.as_pointer()
    kinds = [pointer, i64, u8.as_pointer(), i64, pointer, i64, u32.as_pointer(), i64]
    f = Function(module, "insert", kinds)
    _Insertion(f, words).emit()
    return module


class _Insertion:
    """The function under construction."""

    def __init__(self, f: Function, words: int) -> None:
        self.f, self.words = f, words
        self.table, self.lines, self.candidates, self.fresh = (f.array(k) for k in (0, 2, 4, 6))
        self.rows_max, self.buckets, self.number, first = (f.integer(k) for k in (1, 3, 5, 7))
        self.count, self.full = f.variable(first), f.variable(0)
        with f.b.goto_block(f.entry):
            self.hashes = Array(f, f.b.alloca(ll.ArrayType(i64, AHEAD)), i64).at(0, i64)
        address = Value(f, f.b.ptrtoint(self.candidates.pointer, i64))
        self.rebuilds = address.is_(0)
        source = f.b.select(self.rebuilds.raw, self.table.pointer, self.candidates.pointer)
        self.source = Array(f, source, i64)

    def emit(self) -> None:
        """Batches: ask for the buckets, ask for the rows they name, then add one by one."""
        f = self.f
        with f.for_range(self.number, step=AHEAD) as begin:
            rest = self.number - begin
            size = (rest < AHEAD).choose(rest, AHEAD)
            with f.for_range(size) as k:
                hashed = self._hash(self.source.at((begin + k) * self.words))
                self.hashes[k] = hashed
                self.lines.prefetch(self._bucket(hashed) * LINE)
            with f.for_range(size) as k:
                line = self._line(self._bucket(self.hashes[k]))
                equal = self._slots(line, self._tag(self.hashes[k]))
                with f.if_(equal.is_not(0)):
                    row = self._numbers(line)[equal.trailing_zeros()]
                    self.table.prefetch(row * self.words)
            with f.for_range(size) as k:
                self._add(begin + k, self.hashes[k])
        f.result(self.count.now + self.full.now)

    def _hash(self, row: Array) -> Value:
        mixed = self.f.constant(MIX[1])
        for w in range(self.words):
            mixed = (mixed ^ row[w]) * MIX[0]
            mixed = mixed ^ (mixed >> 32)
        mixed = mixed * MIX[2]
        return mixed ^ (mixed >> 29)

    def _bucket(self, hashed: Value) -> Value:
        return ((hashed >> 32) * self.buckets) >> 32

    def _tag(self, hashed: Value) -> Value:
        tag = hashed & 255
        return tag + tag.is_(0).number()

    def _line(self, bucket: Value) -> Array:
        return self.lines.at(bucket * LINE)

    @staticmethod
    def _numbers(line: Array) -> Array:
        return line.at(16, u32)

    def _slots(self, line: Array, tag: Value) -> Value:
        """The slots of a bucket, as a mask, whose tag is a given one."""
        b, kind = self.f.b, ll.VectorType(u8, 16)
        tags = b.load(b.bitcast(line.pointer, kind.as_pointer()), align=16)
        narrow = b.trunc(tag.raw, u8)
        single = b.insert_element(ll.Constant(kind, ll.Undefined), narrow, ll.Constant(u32, 0))
        zeros = ll.Constant(ll.VectorType(u32, 16), [0] * 16)
        every = b.shuffle_vector(single, single, zeros)
        equal = b.bitcast(b.icmp_unsigned("==", tags, every), ll.IntType(16))
        return Value(self.f, equal).number() & ((1 << SLOTS) - 1)

    def _add(self, candidate: Value, hashed: Value) -> None:
        f, row = self.f, self.source.at(candidate * self.words)
        bucket, open_ = f.variable(self._bucket(hashed)), f.variable(1)
        with f.while_(lambda: open_.now.is_not(0)):
            line = self._line(bucket.now)
            self._compare(line, row, hashed, open_)
            with f.if_(open_.now.is_not(0)):
                empty = self._slots(line, f.constant(0))
                with f.if_(empty.is_not(0)):
                    self._store(line, empty.trailing_zeros(), row, candidate, hashed)
                    open_.set(0)
                after = bucket.now + 1
                bucket.set(after.is_(self.buckets).choose(0, after))

    def _compare(self, line: Array, row: Array, hashed: Value, open_: Any) -> None:
        """Close the search where the bucket has an equal row; rebuilding meets none."""
        f = self.f
        slots = f.variable(self.rebuilds.choose(0, self._slots(line, self._tag(hashed))))
        with f.while_(lambda: slots.now.is_not(0)):
            known = self.table.at(self._numbers(line)[slots.now.trailing_zeros()] * self.words)
            differ = f.constant(0)
            for w in range(self.words):
                differ = differ | (known[w] ^ row[w])
            same = differ.is_(0)
            slots.set(same.choose(0, slots.now & (slots.now - 1)))
            with f.if_(same):
                open_.set(0)

    def _store(self, line: Array, slot: Value, row: Array, candidate: Value, hashed: Value) -> None:
        f = self.f
        room = Value(f, f.b.or_(self.rebuilds.raw, (self.count.now < self.rows_max).raw))
        with f.b.if_else(room.raw) as (then, otherwise):
            with then:
                line[slot] = self._tag(hashed)
                self._numbers(line)[slot] = self.count.now
                with f.if_(Value(f, f.b.not_(self.rebuilds.raw))):
                    for w in range(self.words):
                        self.table.at(self.count.now * self.words)[w] = row[w]
                    self.fresh[self.count.now - f.integer(7)] = candidate
                self.count.add(1)
            with otherwise:
                self.full.set(1)
