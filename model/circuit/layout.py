"""Where the state of a program lies: one plane a bit, for shared variables, program counters and registers.

Locals of a body that are never live together share registers. Program counters are binary in a Gray code
along the order of the steps, so that going to the next step toggles one plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from model.interpreter import Machine
from model.program import END, UNBORN, Program

Plane = tuple[str, int, int]


def gray(number: int) -> int:
    """The Gray code of a number."""
    return number ^ (number >> 1)


@dataclass(frozen=True)
class BodyLayout:
    """Codes of the program counter, and the first register bit of each local."""

    codes: dict[int, int]
    pc_width: int
    registers: dict[str, tuple[int, int]]
    register_width: int


class Layout:
    """Planes of a program, and states to planes and back.

    `planes` lists (kind, owner, bit): ("variable", element number, bit), ("pc", thread, bit) and
    ("register", thread, bit); `initial` holds the bit of each in the initial state.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.bodies = tuple(self._body_layout(number) for number in range(len(program.bodies)))
        self.elements = [(v.name, i) for v in program.variables for i in range(v.length or 1)]
        self.element_number = {element: number for number, element in enumerate(self.elements)}
        self.planes: list[Plane] = []
        for number, (name, _) in enumerate(self.elements):
            self.planes += [
                ("variable", number, q) for q in range(program.variable[name].type.width)
            ]
        for thread in range(len(program.threads)):
            body = self.bodies[program.threads[thread].body]
            self.planes += [("pc", thread, q) for q in range(body.pc_width)]
            self.planes += [("register", thread, q) for q in range(body.register_width)]
        self.position = {plane: number for number, plane in enumerate(self.planes)}

    @cached_property
    def initial(self) -> int:
        """The initial state, bit q for plane q."""
        machine = Machine(self.program)
        packed = self.pack(machine)
        for number, thread in enumerate(self.program.threads):
            if thread.child:
                newborn = Machine(self.program)
                newborn._enter(number)
                packed |= self._pack_locals(newborn, number)
        return packed

    @cached_property
    def entry_codes(self) -> tuple[int, ...]:
        """The program counter's code of each thread when it starts."""
        machine = Machine(self.program)
        for number, thread in enumerate(self.program.threads):
            if thread.child:
                machine._enter(number)
        return tuple(self.code(number, pc) for number, pc in enumerate(machine.pcs))

    def code(self, thread: int, pc: int) -> int:
        """The code of a program counter of a thread."""
        return self.bodies[self.program.threads[thread].body].codes[pc]

    def pack(self, machine: Machine) -> int:
        """A state as one integer, bit q for plane q; registers of dead locals are 0."""
        packed = 0
        for number, (name, index) in enumerate(self.elements):
            packed |= self._place("variable", number, machine.shared[name][index])
        for thread, pc in enumerate(machine.pcs):
            packed |= self._place("pc", thread, self.code(thread, pc))
            packed |= self._pack_locals(machine, thread)
        return packed

    def _pack_locals(self, machine: Machine, thread: int) -> int:
        registers = self.bodies[self.program.threads[thread].body].registers
        return sum(
            value << (self.position["register", thread, 0] + registers[name][0])
            for name, value in machine.locals[thread].items()
        )

    def _place(self, kind: str, owner: int, value: int) -> int:
        return value << self.position[kind, owner, 0]

    def unpack(self, packed: int) -> tuple[object, ...]:
        """The `Machine.key()` of a state."""
        program = self.program
        shared = tuple(
            tuple(
                self._take(packed, ("variable", self.element_number[v.name, i], 0), v.type.width)
                for i in range(v.length or 1)
            )
            for v in program.variables
        )
        pcs, locals_ = [], []
        for number, thread in enumerate(program.threads):
            body = self.bodies[thread.body]
            names = {code: pc for pc, code in body.codes.items()}
            pc = names[self._take(packed, ("pc", number, 0), body.pc_width)]
            live = program.live[thread.body][pc]
            held = []
            for name in sorted(live):
                start, width = body.registers[name]
                held.append((name, self._take(packed, ("register", number, start), width)))
            pcs.append(pc)
            locals_.append(tuple(held))
        return (tuple(pcs), tuple(locals_), shared)

    def _take(self, packed: int, plane: Plane, width: int) -> int:
        return packed >> self.position[plane] & ((1 << width) - 1)

    def _body_layout(self, number: int) -> BodyLayout:
        body = self.program.bodies[number]
        child = any(t.child and t.body == number for t in self.program.threads)
        order = [*range(len(body.steps)), END, *([UNBORN] if child else [])]
        codes = {pc: gray(position) for position, pc in enumerate(order)}
        width = max(1, (len(order) - 1).bit_length())
        registers, total = self._registers(number)
        return BodyLayout(codes, width, registers, total)

    def _registers(self, number: int) -> tuple[dict[str, tuple[int, int]], int]:
        """First-fit allocation: two locals may overlap unless some step finds both alive."""
        live = self.program.live[number]
        widths = {name: kind.width for name, kind in self.program.bodies[number].locals}
        names = sorted(
            {name for alive in live.values() for name in alive}, key=lambda n: (-widths[n], n)
        )
        placed: dict[str, tuple[int, int]] = {}
        for name in names:
            rivals = {other for alive in live.values() if name in alive for other in alive}
            start = 0
            while any(_overlap(placed[o], (start, widths[name])) for o in rivals if o in placed):
                start += 1
            placed[name] = (start, widths[name])
        return placed, max((start + width for start, width in placed.values()), default=0)


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[0] + b[1] and b[0] < a[0] + a[1]
