"""The circuit of one step without chance: from states and who steps to the next states.

The workhorse of the minimizer and of exhaustive search: 512 states in one pass, and what the next
states say. Next states are canonical: registers of dead locals are 0, so that equal states have
equal bits.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.circuit.block_circuit import Codes, draws_needed, judge
from model.circuit.code_sets import CodeSets
from model.circuit.emit import emit_planes
from model.circuit.layout import Layout, layout_of
from model.circuit.lower import Lowering
from model.circuit.native import aligned, chunk_lanes, compile_ir
from model.circuit.netlist import FALSE, Netlist
from model.circuit.observe import observe
from model.interpreter import Machine
from model.program import UNBORN, Choose, Program
from model.schedule import Pick
from model.validation import leaves

Bits = NDArray[np.uint8]


@dataclass(slots=True)
class StepCircuit:
    """Literals of one step: `inputs` are state planes, thread lines, then draw lines."""

    net: Netlist
    layout: Layout
    codes: Codes
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)


def build_step_circuit(program: Program) -> StepCircuit:
    """Outputs: the next planes, the threads enabled next, the code planes, ended, yields."""
    net, layout = Netlist(), layout_of(program)
    made = StepCircuit(net, layout, Codes(len(program.sites)))
    state = [FALSE if k in layout.always_zero else net.input() for k in range(len(layout.planes))]
    selected = [net.input() for _ in program.threads]
    draws = {key: [net.input() for _ in range(key[1])] for key in draws_needed(program)}
    made.inputs = [*state, *selected, *(line for lines in draws.values() for line in lines)]
    lowering = Lowering(layout, net, state, selected, lambda ordinal, n: draws[ordinal, n])
    stepped = lowering.build()
    planes = _canonical(layout, net, stepped.planes)
    seen = observe(layout, net, planes)
    hits = judge(
        net, stepped.failures, stepped.discarded, seen, net.any(selected), made.codes, FALSE
    )
    code = [
        net.any(line for number, line in hits.items() if number >> q & 1)
        for q in range(made.codes.width)
    ]
    made.outputs = [*planes, *seen.enabled, *code, seen.ended, stepped.yields]
    return made


def _canonical(layout: Layout, net: Netlist, planes: list[int]) -> list[int]:
    """Registers in which nothing is alive become 0."""
    result, program = list(planes), layout.program
    for number, thread in enumerate(program.threads):
        body, live = layout.bodies[thread.body], program.live[thread.body]
        start = layout.position["pc", number, 0]
        bits = planes[start : start + body.pc_width]
        names = {code: pc for pc, code in body.codes.items()}
        sets = CodeSets(net, bits, body.codes.values())
        # A child that has not been spawned holds what it will start with.
        alive = {**live, UNBORN: live[names[layout.entry_codes[number]]]}
        for q in range(body.register_width):
            holding = [
                body.codes[pc]
                for pc in body.codes
                if any(layout.holds(thread.body, name, q) for name in alive[pc])
            ]
            plane = layout.position["register", number, q]
            result[plane] = net.and_(planes[plane], sets.line(holding))
    return result


def emit_step(circuit: StepCircuit, *, lanes: int) -> str:
    """LLVM IR of `step(inputs, outputs, chunks)`: planes of each chunk of lanes lie together."""
    return emit_planes(circuit.net, "step", circuit.inputs, circuit.outputs, lanes=lanes)


@dataclass(frozen=True, slots=True)
class Stepped:
    """The results for n states.

    Next states [n, planes], enabled [n, threads]; code, ended, yields [n].
    """

    states: Bits
    enabled: Bits
    codes: NDArray[np.int64]
    ended: Bits
    yields: Bits


class Stepper:
    """Steps any number of states of a program by given threads, in machine code."""

    def __init__(self, program: Program, *, lanes: int | None = None) -> None:
        self.program = program
        self.lanes = lanes if lanes is not None else chunk_lanes()
        self.circuit = build_step_circuit(program)
        self.layout = self.circuit.layout
        self._code = compile_ir(emit_step(self.circuit, lanes=self.lanes), "step")
        self._call: Callable[..., None] = self._code.function(
            None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64
        )

    @cached_property
    def initial(self) -> Bits:
        """The initial state: a bit for each plane."""
        packed = self.layout.initial
        return np.array([packed >> q & 1 for q in range(len(self.layout.planes))], np.uint8)

    @cached_property
    def initially_enabled(self) -> Bits:
        """For each thread, 1 where it is enabled in the initial state."""
        machine = Machine(self.program)
        return np.array([machine.is_enabled(t) for t in range(len(machine.pcs))], np.uint8)

    def pc_of(self, state: Bits, thread: int) -> int:
        """The step before which a thread stands in a state."""
        body = self.layout.bodies[self.program.threads[thread].body]
        start = self.layout.position["pc", thread, 0]
        code = int(state[start : start + body.pc_width] @ (1 << np.arange(body.pc_width)))
        return next(pc for pc, known in body.codes.items() if known == code)

    @cached_property
    def draws(self) -> list[tuple[int, int]]:
        """The draws of the program: (choices before it in its step, number of options)."""
        return draws_needed(self.program)

    def draw_row(self, pick: Pick, state: Bits) -> list[int]:
        """The one-hot draw lines that give a pick its choices, in the order of its step's draws."""
        lines = {key: 0 for key in self.draws}
        if pick.choices:
            step = self.program.step_at(pick.thread, self.pc_of(state, pick.thread))
            offered = [op.options for op in leaves(step.ops) if isinstance(op, Choose)]
            for number, value in enumerate(pick.choices):
                for options in offered:
                    if (number, len(options)) in lines and value in options:
                        lines[number, len(options)] = options.index(value)
        return [int(lines[key] == value) for key in self.draws for value in range(key[1])]

    def step(self, states: Bits, threads: NDArray[np.int64], draws: Bits | None = None) -> Stepped:
        """Step state i by thread threads[i], which must be enabled in it.

        `draws` [n, lines] holds the one-hot lines of every draw, in the order of `self.draws`.
        """
        count, lanes = len(states), self.lanes
        chunks = -(-count // lanes)
        inputs = np.zeros((chunks * lanes, len(self.circuit.inputs)), np.uint8)
        inputs[:count, : states.shape[1]] = states
        inputs[np.arange(count), states.shape[1] + threads] = 1
        if draws is not None:
            inputs[:count, states.shape[1] + len(self.program.threads) :] = draws
        packed = np.packbits(
            inputs.reshape(chunks, lanes, -1).transpose(0, 2, 1), axis=2, bitorder="little"
        )
        source = aligned(packed.size)
        source[:] = packed.ravel()
        size = chunks * len(self.circuit.outputs) * lanes // 8
        target = aligned(size)
        self._call(source.ctypes.data, target.ctypes.data, chunks)
        bits = np.unpackbits(
            target.reshape(chunks, len(self.circuit.outputs), lanes // 8), axis=2, bitorder="little"
        )
        rows = bits.transpose(0, 2, 1).reshape(chunks * lanes, -1)[:count]
        planes, able = states.shape[1], states.shape[1] + len(self.program.threads)
        width = self.circuit.codes.width
        codes = rows[:, able : able + width].astype(np.int64) @ (1 << np.arange(width))
        return Stepped(
            rows[:, :planes],
            rows[:, planes:able],
            codes,
            rows[:, able + width],
            rows[:, able + width + 1],
        )
