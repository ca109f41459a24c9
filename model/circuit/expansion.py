"""The loops around the circuits of successors: rows to planes, moves to lanes, planes to rows.

Lane k of a chunk of v machine words is bit k / v of word k % v, so that v rows that follow each
other lie in one vector, and transposing blocks of 64 x 64 bits in every word of the vectors at once
turns rows into planes and back.
"""

from __future__ import annotations

from functools import cache

import llvmlite.ir as ll

from model.circuit.loops import Array, Function, Module, Value, i64
from model.circuit.native import Compiled, compile_ir
from model.circuit.transpose import WORD, add_transpose

FOUND, ENDS, STEPS = range(3)


@cache
def compiled_expansion(words: int, words_in: int, lanes: int) -> Compiled:
    """expand(rows, n, bits, moves, scratch, found, origins, codes, ends, counts, at, step, width).

    `rows` [n, words]; `bits` [moves, words_in] are what a move adds to a row; `scratch` has room
    for planes: words and words_in and words times 64, 64, the moves, 3 and `width`. `found`,
    `origins`, `codes` and `ends` receive results, `counts` how many: found, ends, steps. `at` and
    `step` are addresses of circuits: planes of states to lines of moves, planes of states with the
    lines of a move to planes of states, goes on, bad, thread goes on, and `width` planes of code.
    """
    return compile_ir(str(_Expansion(words, words_in, lanes).module), "expand", optimized=True)


class _Expansion:
    """The module under construction."""

    def __init__(self, words: int, words_in: int, lanes: int) -> None:
        self.words, self.words_in, self.lanes = words, words_in, lanes
        self.per_vector = lanes // WORD
        self.vector = ll.VectorType(i64, self.per_vector)
        self.module = Module("expansion")
        self.transpose = add_transpose(self.module, self.vector)
        self.flush = self._flush()
        self._expand()

    def _flush(self) -> Function:
        """flush(step, staged, after, origins, size, found, origins, codes, ends, counts, width)."""
        v, p = self.vector.as_pointer(), i64.as_pointer()
        f = Function(self.module, "flush", [i64, v, v, p, i64, p, p, p, p, p, i64])
        staged, after, staged_origins = f.array(1), f.array(2), f.array(3)
        found, origins, codes, ends, counts = (f.array(k) for k in range(5, 10))
        for w in range(self.words_in):
            f.call(self.transpose, staged.at(WORD * w))
        f.call_address(f.integer(0), staged, after, f.constant(1))
        for w in range(self.words):
            f.call(self.transpose, after.at(WORD * w))
        rows = after.at(0, i64)
        going, bad, goes_on, code = (after.at(WORD * self.words + k, i64) for k in range(4))
        count, ended = f.variable(counts[FOUND]), f.variable(counts[ENDS])
        with f.for_range(f.integer(4)) as k:
            origin = staged_origins[k] | (self._bit(goes_on, k) << 63)
            for w in range(self.words):
                found[count.now * self.words + w] = rows[k + self.lanes * w]
            origins[count.now] = origin
            count.add(self._bit(going, k))
            with f.if_(self._bit(bad, k).is_not(0)):
                number = f.variable(0)
                with f.for_range(f.integer(10)) as q:
                    line = self._bit(code.at(q * self.per_vector), k)
                    number.set(number.now | (line << q))
                codes[ended.now], ends[ended.now] = number.now, origin
                ended.add(1)
        counts[FOUND], counts[ENDS] = count.now, ended.now
        f.result(0)
        return f

    def _bit(self, plane: Array, lane: Value) -> Value:
        """The bit of a lane in a plane, an array of machine words."""
        return (plane[lane & (self.per_vector - 1)] >> (lane >> self._shift)) & 1

    @property
    def _shift(self) -> int:
        return self.per_vector.bit_length() - 1

    def _expand(self) -> None:
        v, p = self.vector.as_pointer(), i64.as_pointer()
        f = Function(self.module, "expand", [p, i64, p, i64, v, p, p, p, p, p, i64, i64, i64])
        rows, bits, scratch, counts = (f.array(k) for k in (0, 2, 4, 9))
        number, moves = f.integer(1), f.integer(3)
        block = scratch
        staged = block.at(WORD * self.words)
        origins = staged.at(WORD * self.words_in)
        after = origins.at(WORD)
        lines = after.at(f.constant(WORD * self.words + 3) + f.integer(12))
        size = f.variable(0)
        for k in (FOUND, ENDS, STEPS):
            counts[k] = 0

        def flush() -> None:
            counts[STEPS] = counts[STEPS] + size.now
            f.call(
                self.flush, f.integer(11), staged, after, origins.at(0, i64), size.now,
                *(f.array(k) for k in range(5, 10)), f.integer(12),
            )  # fmt: skip
            size.set(0)

        def stage(row: Value, move: Value) -> None:
            for w in range(self.words_in):
                word = bits[move * self.words_in + w]
                if w < self.words:
                    word = word | rows[row * self.words + w]
                staged.at(0, i64)[size.now + self.lanes * w] = word
            origins.at(0, i64)[size.now] = row | (move << 32)
            size.add(1)
            with f.if_(size.now.is_(self.lanes)):
                flush()

        with f.for_range(number, step=self.lanes) as begin:
            rest = number - begin
            self._planes_of(f, rows.at(begin * self.words), rest, block)
            f.call_address(f.integer(10), block, lines, f.constant(1))
            with f.for_range(moves) as move, f.for_range(self.per_vector) as q:
                waiting = lines.at(move, i64)[q] & self._valid(rest, q)
                with f.bits_of(waiting) as bit:
                    stage(begin + (bit << self._shift) + q, move)
        with f.if_(size.now.is_not(0)):
            flush()
        f.result(0)

    def _planes_of(self, f: Function, rows: Array, rest: Value, block: Array) -> None:
        """The planes of up to a chunk of rows; lanes beyond the rest hold anything."""
        with f.for_range((rest < self.lanes).choose(rest, self.lanes)) as k:
            for w in range(self.words):
                block.at(0, i64)[k + self.lanes * w] = rows[k * self.words + w]
        for w in range(self.words):
            f.call(self.transpose, block.at(WORD * w))

    def _valid(self, rest: Value, q: Value) -> Value:
        """The bits of word q whose lanes are below the rest."""
        lanes = (rest < self.lanes).choose(rest, self.lanes)
        count = (lanes + (self.per_vector - 1) - q) >> self._shift
        some = (count < WORD).choose(count, 0)
        mask = (Value(rest.code, ll.Constant(i64, 1)) << some) - 1
        return (count < WORD).choose(mask, (1 << 64) - 1)
