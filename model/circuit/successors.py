"""All that every state leads to, in machine code: rows of words in, rows of words out.

A state is a row of 64-bit words that hold the planes that can change. The moves of a state are its
enabled threads, each with every combination of choices that its step offers. Rows are turned into
planes a chunk of lanes at a time, a first circuit says which moves each has, and each (row, move)
is gathered into a lane of its own, so that the step circuit runs on full chunks. What comes of it
is turned back into rows.

Rows that are equal are equal states, and what is left of the last word is 0: who needs a set of
(state, more) appends words of his own to the rows that come out, and hands the first `words` of
them back in to go on.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.circuit.block_circuit import draws_needed, draws_of
from model.circuit.code_sets import CodeSets
from model.circuit.emit import emit_planes
from model.circuit.expansion import compiled_expansion
from model.circuit.layout import Layout
from model.circuit.native import LANES, aligned, chunk_lanes, compile_ir
from model.circuit.netlist import FALSE, Netlist
from model.circuit.observe import observe
from model.circuit.step_circuit import build_step_circuit
from model.circuit.threads_alike import blocks_alike, canonical, sort_alike
from model.interpreter import Chooser, Machine
from model.program import Program
from model.symmetry import NO_SYMMETRY, Symmetry

Rows = NDArray[np.uint64]
Draw = tuple[int, int]
"""(choices before it in its step, number of options)."""

WORD = 64
ROWS_MAX = 4096
STEPS_MAX = 1 << 17
GOES_ON = np.uint64(1 << 63)


def came_from(origin: int) -> tuple[int, int]:
    """The row's number and the move's that an origin of `Expanded` holds."""
    return origin & 0xFFFFFFFF, origin >> 32 & 0xFFFF


@dataclass(frozen=True, slots=True)
class Move:
    """A thread, and what the draws of its step give, as numbers of options; the others give 0.

    `codes` are those of the program counters whose steps offer it.
    """

    thread: int
    chosen: Mapping[Draw, int]
    codes: tuple[int, ...]

    def chooser(self) -> Chooser:
        """The choices, for the interpreter."""
        count = itertools.count()
        return lambda options: options[self.chosen.get((next(count), len(options)), 0)]


@dataclass(frozen=True, slots=True)
class Expanded:
    """What rows lead to, in their order.

    `rows` [n, words] are the states in which executions go on; `origins` [n] say where each comes
    from: the row's number in the lowest 32 bits, the move's in the next 16, and in the highest bit
    whether the thread could go on (enabled, and did not end in a cpu_relax()). `codes` [m] are
    those of executions that end otherwise than well, with their origins in `ends`. `steps` counts
    all moves. The arrays are views that the next call overwrites.
    """

    rows: Rows
    origins: Rows
    codes: Rows
    ends: Rows
    steps: int


class Successors:
    """The successors of any states of a program, up to `rows_max` at a time.

    With `symmetry`, rows are canonical: the threads of a group are in the order of what they hold.
    With `quickly`, the circuit is compiled in half the time, for who has other work beside it. With
    `all_ends`, executions that end well are among the ends too, with the code 0.
    """

    def __init__(
        self,
        program: Program,
        *,
        symmetry: Symmetry = NO_SYMMETRY,
        quickly: bool = False,
        all_ends: bool = False,
    ) -> None:
        self.program, self.all_ends = program, all_ends
        self.circuit = build_step_circuit(program)
        self.layout = self.circuit.layout
        self.kept = [k for k in range(len(self.layout.planes)) if k not in self.layout.always_zero]
        self.words = -(-len(self.kept) // WORD)
        self.alike = blocks_alike(self.layout, symmetry)
        self.moves = _moves(self.layout)
        self.rows_max = max(LANES, min(ROWS_MAX, STEPS_MAX // len(self.moves)))
        self._bits = self._bits_of_moves()
        self._compile(chunk_lanes(), quickly=quickly)
        capacity = self.rows_max * len(self.moves) + 1
        self._rows = np.empty((capacity, self.words), np.uint64)
        self._origins, self._codes, self._ends = (np.empty(capacity, np.uint64) for _ in range(3))
        self._counts = np.zeros(3, np.uint64)
        found = (self._rows, self._origins, self._codes, self._ends, self._counts)
        self._places = tuple(array.ctypes.data for array in (self._bits, self._scratch, *found))

    @property
    def bytes(self) -> int:
        """The memory of its buffers."""
        arrays = (self._rows, self._origins, self._codes, self._ends, self._scratch)
        return sum(array.nbytes for array in arrays)

    @property
    def initial(self) -> Rows:
        """The row of the initial state, as the only one."""
        return self.packed([self.layout.initial])

    def like(self, thread: int) -> tuple[int, ...]:
        """The threads that are interchangeable with a thread, itself included."""
        return next((tuple(group) for group in self.alike if thread in group), (thread,))

    def row_of(self, machine: Machine) -> Rows:
        """The row of the interpreter's state, as the only one."""
        return self.packed([canonical(self.layout.pack(machine), self.alike)])

    def packed(self, states: Iterable[int]) -> Rows:
        """Rows of states that are given as the layout packs them: bit q for plane q."""
        rows = []
        for state in states:
            bits = sum((state >> plane & 1) << k for k, plane in enumerate(self.kept))
            rows.append([bits >> WORD * w & (1 << WORD) - 1 for w in range(self.words)])
        return np.array(rows, np.uint64).reshape(-1, self.words)

    def unpacked(self, rows: Rows) -> list[int]:
        """The states of rows, as the layout packs them."""
        states = []
        for row in rows.tolist():
            bits = sum(int(word) << WORD * w for w, word in enumerate(row))
            states.append(sum((bits >> k & 1) << plane for k, plane in enumerate(self.kept)))
        return states

    def codes_of_steps(self, rows: Rows, threads: NDArray[np.int64]) -> NDArray[np.int64]:
        """The code of the step before which thread threads[i] stands in row i [n, words]."""
        places, weights = self._code_bits
        words = np.take_along_axis(rows, places[threads] // WORD, axis=1)
        bits = words >> (places[threads] % WORD).astype(np.uint64) & np.uint64(1)
        codes: NDArray[np.int64] = (bits.astype(np.int64) * weights[threads]).sum(axis=1)
        return codes

    def pc_of(self, thread: int, code: int) -> int:
        """The step that a code of `codes_of_steps` means."""
        codes = self.layout.bodies[self.program.threads[thread].body].codes
        return next(pc for pc, known in codes.items() if known == code)

    @cached_property
    def _code_bits(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """[thread, bit]: where in a row its program counter lies, and what its bits weigh."""
        bodies = [self.layout.bodies[thread.body] for thread in self.program.threads]
        shape = len(bodies), max(body.pc_width for body in bodies)
        places, weights = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        number = {plane: k for k, plane in enumerate(self.kept)}
        for thread, body in enumerate(bodies):
            for q in range(body.pc_width):
                places[thread, q] = number[self.layout.position["pc", thread, q]]
                weights[thread, q] = 1 << q
        return places, weights

    def expand(self, rows: Rows) -> Expanded:
        """Every move of every row [n, words], n at most `rows_max`."""
        assert rows.shape[1] == self.words and rows.flags.c_contiguous
        assert len(rows) <= self.rows_max
        bits, *places = self._places
        self._expand(
            rows.ctypes.data,
            len(rows),
            bits,
            len(self.moves),
            *places,
            self._circuits[0].address,
            self._circuits[1].address,
            self.circuit.codes.width,
        )
        found, ends, steps = (int(count) for count in self._counts)
        return Expanded(
            self._rows[:found], self._origins[:found], self._codes[:ends], self._ends[:ends], steps
        )

    def _bits_of_moves(self) -> Rows:
        """[move, word]: the selection and draw lines of each move, behind the planes of a state."""
        threads = len(self.program.threads)
        draws = draws_needed(self.program)
        first = list(itertools.accumulate((options for _, options in draws), initial=threads))
        total = len(self.kept) + first[-1]
        bits = np.zeros((len(self.moves), -(-total // WORD)), np.uint64)
        for number, move in enumerate(self.moves):
            lines = [move.thread]
            lines += [first[k] + move.chosen.get(draw, 0) for k, draw in enumerate(draws)]
            for line in lines:
                at = len(self.kept) + line
                bits[number, at // WORD] |= np.uint64(1 << at % WORD)
        return bits

    def _compile(self, lanes: int, *, quickly: bool) -> None:
        """The loops around the circuits, the circuits, and room for planes on their way."""
        words = self.words, self._bits.shape[1]
        self._loops = compiled_expansion(*words, lanes)
        p, n = ctypes.c_void_p, ctypes.c_int64
        self._expand: Callable[..., int] = self._loops.function(
            n, p, n, p, n, p, p, p, p, p, p, n, n, n
        )
        planes = len(self.layout.planes)
        state, lines = self.circuit.inputs[:planes], self.circuit.inputs[planes:]
        step = emit_planes(
            self.circuit.net,
            "step",
            [state[k] for k in self.kept] + lines,
            self._outputs(),
            lanes=lanes,
        )
        net, inputs, outputs = _circuit_of_moves(self.layout, self.moves, self.kept)
        moves = emit_planes(net, "moves", inputs, outputs, lanes=lanes)
        self._circuits = (compile_ir(moves, "moves"), compile_ir(step, "step", quickly=quickly))
        size = sum(words) + self.words + 1
        vectors = WORD * size + len(self.moves) + 3 + self.circuit.codes.width
        self._scratch = aligned(vectors * lanes // 8)

    def _outputs(self) -> list[int]:
        """Planes of whole words, then: goes on, is an end, thread goes on, code."""
        net, made, threads = self.circuit.net, self.circuit, len(self.program.threads)
        planes = len(self.layout.planes)
        enabled = made.outputs[planes : planes + threads]
        code = made.outputs[planes + threads : planes + threads + made.codes.width]
        ended, yields = made.outputs[-2:]
        selected = made.inputs[planes : planes + threads]
        bad = net.any(code)
        able = net.any(net.and_(a, b) for a, b in zip(selected, enabled, strict=True))
        padding = [FALSE] * (WORD * self.words - len(self.kept))
        after = sort_alike(net, made.outputs[:planes], self.alike)
        state = [after[k] for k in self.kept]
        going = net.and_(bad ^ 1, ended ^ 1)
        end = going ^ 1 if self.all_ends else bad
        return [*state, *padding, going, end, net.and_(able, yields ^ 1), *code]


def _moves(layout: Layout) -> list[Move]:
    """Every move that some step of some thread offers."""
    moves = []
    for number, thread in enumerate(layout.program.threads):
        offered: dict[tuple[tuple[Draw, int], ...], list[int]] = {}
        for pc, step in enumerate(layout.program.bodies[thread.body].steps):
            drawn = draws_of(step.ops)
            for values in itertools.product(*(range(options) for _, options in drawn)):
                key = tuple((d, v) for d, v in zip(drawn, values, strict=True) if v)
                offered.setdefault(key, []).append(layout.code(number, pc))
        moves += [Move(number, dict(key), tuple(codes)) for key, codes in offered.items()]
    return moves


def _circuit_of_moves(
    layout: Layout, moves: Sequence[Move], kept: Sequence[int]
) -> tuple[Netlist, list[int], list[int]]:
    """From the kept planes of a state, a line for each move that it has."""
    net = Netlist()
    inputs = [net.input() for _ in kept]
    planes = [FALSE] * len(layout.planes)
    for plane, literal in zip(kept, inputs, strict=True):
        planes[plane] = literal
    enabled = observe(layout, net, planes).enabled
    lines = []
    for move in moves:
        body = layout.bodies[layout.program.threads[move.thread].body]
        start = layout.position["pc", move.thread, 0]
        bits = planes[start : start + body.pc_width]
        at = CodeSets(net, bits, body.codes.values()).line(move.codes)
        lines.append(net.and_(enabled[move.thread], at))
    return net, inputs, lines
