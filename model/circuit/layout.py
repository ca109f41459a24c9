"""Where the state of a program lies: one plane a bit of variables, program counters, registers.

Locals of a body that are never live together share registers. Program counters are binary in a Gray
code along the order of the steps, so that going to the next step toggles one plane.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from model.circuit.families import Family, families
from model.circuit.possible_bits import PossibleBits
from model.interpreter import Machine
from model.program import END, UNBORN, Goto, If, Op, Program, Switch

SWAP_ROUNDS = 4
Plane = tuple[str, int, int]


def gray(number: int) -> int:
    """The Gray code of a number."""
    return number ^ (number >> 1)


def assign_codes(steps: Sequence[tuple[Op, ...]], first: int, *, unborn: bool) -> dict[int, int]:
    """A code for each step, END and UNBORN, such that most jumps toggle few bits.

    Steps are laid out in Gray code along a depth-first walk, then pairs of codes are swapped while
    that shortens the jumps; a heuristic, deterministic, without a claim to be the best.
    """
    jumps = {k: sorted(targets(ops)) for k, ops in enumerate(steps)}
    order: list[int] = []
    stack = [first, *sorted(jumps, reverse=True)][::-1]
    while stack:
        k = stack.pop()
        if k not in order:
            order.append(k)
            stack += [t for t in jumps.get(k, ()) if t not in order]
    order = [END, *(pc for pc in order if pc != END), *((UNBORN,) if unborn else ())]
    codes = {pc: gray(position) for position, pc in enumerate(order)}
    near: dict[int, list[int]] = {pc: [] for pc in order}
    for k, after in jumps.items():
        for t in after:
            if t != k:
                near[k].append(t)
                near[t].append(k)
    _shorten(order, codes, near)
    return codes


def _shorten(order: Sequence[int], codes: dict[int, int], near: Mapping[int, list[int]]) -> None:
    """Swap pairs of codes, all but the first of the order, while their jumps become shorter."""

    def length(pc: int, code: int, other: int | None) -> int:
        total = 0
        for n in near[pc]:
            if n != other:
                total += (code ^ codes[n]).bit_count()
        return total

    whole = {pc: length(pc, codes[pc], None) for pc in order}
    for _ in range(SWAP_ROUNDS):
        before = dict(codes)
        for i, a in enumerate(order[1:], start=2):
            for b in order[i:]:
                between = near[a].count(b) * (codes[a] ^ codes[b]).bit_count()
                now = whole[a] + whole[b] - 2 * between
                if now > 2 and length(a, codes[b], b) + length(b, codes[a], a) < now:
                    codes[a], codes[b] = codes[b], codes[a]
                    for pc in (a, b, *near[a], *near[b]):
                        whole[pc] = length(pc, codes[pc], None)
        if codes == before:
            break


def targets(ops: tuple[Op, ...]) -> set[int]:
    """Where a sequence of operations can go."""
    last = ops[-1]
    if isinstance(last, Switch):
        return {target for _, arm in last.arms for target in targets(arm)}
    if isinstance(last, If):
        return targets(last.then) | targets(last.orelse)
    assert isinstance(last, Goto)
    return {last.step}


@dataclass(frozen=True)
class FamilyLayout:
    """Codes of merged steps, first register bit and width of each local, what is alive where."""

    codes: dict[int, int]
    pc_width: int
    registers: dict[str, tuple[int, int]]
    register_width: int
    live: dict[int, frozenset[str]]


@dataclass(frozen=True)
class BodyLayout:
    """The same in the words of one body, and the number of its family."""

    family: int
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
        self.families = families(program)
        self.family_layouts = tuple(self._family_layout(family) for family in self.families)
        self.bodies = tuple(self._body_layout(number) for number in range(len(program.bodies)))
        self.possible = PossibleBits(program, self.families)
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
    def always_zero(self) -> frozenset[int]:
        """Planes that are 0 in every reachable state."""
        zero: set[int] = set()
        for number, (kind, owner, q) in enumerate(self.planes):
            if kind == "variable":
                possible = self.possible.elements[self.elements[owner]] >> q & 1
            elif kind == "register":
                family = self.bodies[self.program.threads[owner].body].family
                placed = self.family_layouts[family].registers.items()
                possible = any(
                    start <= q < start + width
                    and self.possible.locals[family][name] >> (q - start) & 1
                    for name, (start, width) in placed
                )
            else:
                possible = 1
            if not possible:
                zero.add(number)
        return frozenset(zero)

    @cached_property
    def initial(self) -> int:
        """The initial state, bit q for plane q."""
        return self.pack(Machine(self.program))

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
        """A state as one integer, bit q for plane q; registers of dead locals are 0.

        A child that has not been spawned holds what it will start with.
        """
        packed = 0
        for number, (name, index) in enumerate(self.elements):
            packed |= self._place("variable", number, machine.shared[name][index])
        for thread, pc in enumerate(machine.pcs):
            packed |= self._place("pc", thread, self.code(thread, pc))
            entered = machine
            if pc == UNBORN:
                entered = Machine(self.program)
                entered._enter(thread)
            packed |= self._pack_locals(entered, thread)
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
                value = self._take(packed, ("register", number, start), width)
                held.append((name, value & self._possible_local(thread.body, name)))
            pcs.append(pc)
            locals_.append(tuple(held))
        return (tuple(pcs), tuple(locals_), shared)

    def holds(self, b: int, name: str, q: int) -> bool:
        """True where register bit q holds a bit of a local of a body that can be 1."""
        start, width = self.bodies[b].registers[name]
        return start <= q < start + width and bool(self._possible_local(b, name) >> (q - start) & 1)

    def _possible_local(self, b: int, name: str) -> int:
        family = self.bodies[b].family
        return self.possible.locals[family][self.families[family].names[b][name]]

    def _take(self, packed: int, plane: Plane, width: int) -> int:
        return packed >> self.position[plane] & ((1 << width) - 1)

    def _family_layout(self, family: Family) -> FamilyLayout:
        child = any(t.child and t.body in family.bodies for t in self.program.threads)
        first = self.program.bodies[family.bodies[0]].entry
        start = family.number[family.bodies[0], min(targets(first) - {END})]
        codes = assign_codes([step.ops for step in family.steps], start, unborn=child)
        width = max(1, max(codes.values()).bit_length())
        live: dict[int, frozenset[str]] = {END: frozenset()}
        for (b, k), number in family.number.items():
            names = {family.names[b][n] for n in self.program.live[b][k]}
            live[number] = live.get(number, frozenset()) | names
        registers, total = _allocate(family, live)
        return FamilyLayout(codes, width, registers, total, live)

    def _body_layout(self, b: int) -> BodyLayout:
        number = next(f for f, family in enumerate(self.families) if b in family.bodies)
        family, made = self.families[number], self.family_layouts[number]
        codes = {
            k: made.codes[family.number[b, k]] for k in range(len(self.program.bodies[b].steps))
        }
        codes |= {pc: made.codes[pc] for pc in (END, UNBORN) if pc in made.codes}
        names = family.names[b].items()
        registers = {n: made.registers[m] for n, m in names if m in made.registers}
        return BodyLayout(number, codes, made.pc_width, registers, made.register_width)


def _allocate(
    family: Family, live: dict[int, frozenset[str]]
) -> tuple[dict[str, tuple[int, int]], int]:
    """First-fit allocation of registers: two locals that may be alive in one thread never overlap.

    In a merged step, what is alive in one body counts as alive in all that know it by that name.
    """
    together = [
        live[number] & set(family.names[b].values()) for (b, _), number in family.number.items()
    ]
    placed: dict[str, tuple[int, int]] = {}
    every = {name for alive in together for name in alive}
    for name in sorted(every, key=lambda n: (-family.locals[n].width, n)):
        rivals = {other for alive in together if name in alive for other in alive}
        start, width = 0, family.locals[name].width
        while any(_overlap(placed[o], (start, width)) for o in rivals if o in placed):
            start += 1
        placed[name] = (start, width)
    return placed, max((start + width for start, width in placed.values()), default=0)


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[0] + b[1] and b[0] < a[0] + a[1]


@lru_cache(maxsize=4)
def layout_of(program: Program) -> Layout:
    """The layout of a program; its circuits share it."""
    return Layout(program)
