"""IR to circuit: one pass in which the selected thread of every lane executes its next step.

Threads of one family of bodies share one copy of its circuit: the program counter and the registers
of the selected thread are selected in, every step is evaluated once under its decoded mask, and
what changes is written back. Only one step is executed in a lane, so that writes combine by OR.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from model.circuit.layout import Layout
from model.circuit.netlist import FALSE, TRUE, Netlist
from model.circuit.ports import build_ports
from model.circuit.values import Scope, Values, Write
from model.circuit.words import Word
from model.expressions import Elem, Expr, Local, Var
from model.program import (
    UNBORN,
    Assign,
    Assume,
    Check,
    Choose,
    Fence,
    Goto,
    If,
    Op,
    Program,
    Spawn,
    Switch,
)

Draw = Callable[[int, int], Sequence[int]]
"""draw(ordinal in the step, number of options) gives a line for each option, exactly one true."""


@dataclass(slots=True)
class Leaf:
    """One way a step can end: where it goes, with which locals."""

    path: int
    target: int
    yields: bool
    locals: dict[str, Word]


@dataclass(slots=True)
class Effects:
    """What one step does, relative to its mask."""

    leaves: list[Leaf] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    failures: list[tuple[int, int]] = field(default_factory=list)
    discards: list[int] = field(default_factory=list)
    spawns: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Pass:
    """The circuit of one step of every lane: the next planes and what went wrong, per site."""

    planes: list[int]
    failures: dict[int, int]
    discarded: int
    yields: int


def decode(
    net: Netlist,
    bits: Sequence[int],
    wanted: Sequence[int],
    *,
    others: Sequence[int] = (),
    root: int = TRUE,
) -> dict[int, int]:
    """A line for each wanted code, all under `root`.

    The bits hold one of `wanted` or `others`.
    """
    found: dict[int, int] = {}

    def split(line: int, bit: int, codes: list[int]) -> None:
        if not any(code in wanted_set for code in codes):
            return
        if len(codes) == 1:
            found[codes[0]] = line
            return
        low = [code for code in codes if not code >> bit & 1]
        high = [code for code in codes if code >> bit & 1]
        if not low or not high:
            split(line, bit - 1, codes)
            return
        split(net.and_(line, bits[bit] ^ 1), bit - 1, low)
        split(net.and_(line, bits[bit]), bit - 1, high)

    wanted_set = set(wanted)
    split(root, len(bits) - 1, sorted(wanted_set | set(others)))
    return found


class Lowering:
    """Builds the circuit of one pass over given state planes and selection lines."""

    def __init__(
        self,
        layout: Layout,
        net: Netlist,
        planes: Sequence[int],
        selected: Sequence[int],
        draw: Draw,
    ) -> None:
        self.layout, self.net, self.selected, self.draw = layout, net, selected, draw
        self.program: Program = layout.program
        self.values = Values(layout, net, planes)
        self.words = self.values.words
        self.planes = list(planes)
        self.members = [
            [t for t, thread in enumerate(self.program.threads) if thread.body in family.bodies]
            for family in layout.families
        ]
        self.element_writes: dict[int, list[tuple[int, Word]]] = defaultdict(list)
        self.array_writes: dict[str, list[tuple[int, Write]]] = defaultdict(list)
        self.toggles: dict[tuple[int, int], list[int]] = defaultdict(list)
        self.failures: dict[int, list[int]] = defaultdict(list)
        self.discards: list[int] = []
        self.yields: list[int] = []
        self.registers: list[tuple[int, ...]] = []

    def build(self) -> Pass:
        """The whole pass."""
        scopes = [self._scope(family) for family in range(len(self.layout.families))]
        masks = {}
        for family, (_, pc, act) in enumerate(scopes):
            codes = self.layout.family_layouts[family].codes
            wanted = [codes[k] for k in range(len(self.layout.families[family].steps))]
            lines = decode(self.net, pc, wanted, root=act)
            for k in range(len(self.layout.families[family].steps)):
                masks[family, k] = lines[codes[k]]
        port_of = build_ports(self.values, [scope for scope, _, _ in scopes], masks)
        for family, (scope, _, _) in enumerate(scopes):
            register_writes: dict[int, list[tuple[int, int]]] = defaultdict(list)
            for k, step in enumerate(self.layout.families[family].steps):
                own = scope.fork()
                own.ports = port_of[family, k]
                effects = Effects()
                self._execute(step.ops, own, family, effects, TRUE, TRUE)
                self._collect(family, k, masks[family, k], effects, register_writes)
            self._write_registers(family, register_writes)
            self._write_pcs(family)
        self._write_variables()
        failures = {site: self.net.any(lines) for site, lines in self.failures.items()}
        return Pass(self.planes, failures, self.net.any(self.discards), self.net.any(self.yields))

    # -- the executing thread ----------------------------------------------------------------------

    def _scope(self, family: int) -> tuple[Scope, tuple[int, ...], int]:
        """The selected thread of a family: its scope, program counter, and whether there is one."""
        members = self.members[family]
        if len(members) == 1:
            pc, registers = self.values.pc_bits(members[0]), self.values.register_bits(members[0])
        else:
            pc = self._select([self.values.pc_bits(t) for t in members], members)
            registers = self._select([self.values.register_bits(t) for t in members], members)
        self.registers.append(registers)
        scope = Scope(
            self._number(members, [self.program.threads[t].instance for t in members]),
            self._number(members, members),
            self.values.locals_from(family, registers),
        )
        return scope, pc, self.net.any(self.selected[t] for t in members)

    def _select(self, rows: list[tuple[int, ...]], members: list[int]) -> tuple[int, ...]:
        return tuple(
            self.net.any(
                self.net.and_(self.selected[t], bit) for t, bit in zip(members, column, strict=True)
            )
            for column in zip(*rows, strict=True)
        )

    def _number(self, members: list[int], numbers: list[int]) -> Word:
        if len(members) == 1:
            return self.words.constant(numbers[0])
        width = max(numbers).bit_length()
        return Word(
            tuple(
                self.net.any(
                    self.selected[t] for t, n in zip(members, numbers, strict=True) if n >> q & 1
                )
                for q in range(width)
            )
        )

    # -- one step ----------------------------------------------------------------------------------

    def _execute(
        self,
        ops: tuple[Op, ...],
        scope: Scope,
        family: int,
        effects: Effects,
        path: int,
        alive: int,
    ) -> int:
        """Execute under a path condition; returns `alive`: the path, and no check failed yet."""
        for op in ops:
            match op:
                case Assign(Local(name), value):
                    scope.locals[name] = self._stored(
                        self.values.word(value, scope, family), family, name
                    )
                case Assign(target, value):
                    scope.writes.append(self._write(target, value, scope, family, path))
                case If(test, then, orelse):
                    alive = self._branch(
                        self.values.truth(test, scope, family),
                        then,
                        orelse,
                        scope,
                        family,
                        effects,
                        path,
                        alive,
                    )
                case Switch(local, arms):
                    alive = self._switch(
                        scope.locals[local.name], arms, scope, family, effects, path, alive
                    )
                case Check(site, test):
                    holds = self.values.truth(test, scope, family)
                    effects.failures.append((site, self.net.and_(alive, holds ^ 1)))
                    alive = self.net.and_(alive, holds)
                case Assume(test):
                    holds = self.values.truth(test, scope, family)
                    effects.discards.append(self.net.and_(alive, holds ^ 1))
                    alive = self.net.and_(alive, holds)
                case Choose(target, options):
                    lines = self.draw(scope.draws, len(options))
                    scope.draws += 1
                    words = [
                        (line, self.words.constant(option))
                        for line, option in zip(lines, options, strict=True)
                    ]
                    scope.locals[target.name] = self.words.merge(words, max(options).bit_length())
                case Spawn(child, site):
                    unborn = self.net.equals(
                        self.values.pc_bits(child), self.layout.code(child, UNBORN)
                    )
                    effects.failures.append((site, self.net.and_(alive, unborn ^ 1)))
                    alive = self.net.and_(alive, unborn)
                    effects.spawns.append((path, child))
                case Goto(target, yields):
                    effects.leaves.append(Leaf(path, target, yields, dict(scope.locals)))
                    effects.writes += [w for w in scope.writes if w not in effects.writes]
                case Fence():
                    pass
        return alive

    def _branch(
        self, test: int, then: tuple[Op, ...], orelse: tuple[Op, ...], scope: Scope, family: int,
        effects: Effects, path: int, alive: int,
    ) -> int:  # fmt: skip
        arms, survivors, before = [], [], len(scope.writes)
        for line, ops in ((test, then), (test ^ 1, orelse)):
            arm = scope.fork()
            under = self.net.and_(path, line)
            if under == FALSE:
                arms.append(scope.fork())
                continue
            survivors.append(
                self._execute(ops, arm, family, effects, under, self.net.and_(alive, line))
            )
            arms.append(arm)
        scope.writes += arms[0].writes[before:] + arms[1].writes[before:]
        for name in arms[0].locals.keys() & arms[1].locals.keys():
            scope.locals[name] = self.words.mux(test, arms[0].locals[name], arms[1].locals[name])
        return self.net.any(survivors)

    def _switch(
        self, number: Word, arms: tuple[tuple[int, tuple[Op, ...]], ...], scope: Scope, family: int,
        effects: Effects, path: int, alive: int,
    ) -> int:  # fmt: skip
        """The arms all end in jumps: nothing comes together after them."""
        survivors = []
        for value, ops in arms:
            line = self.words.equal(number, self.words.constant(value)) if len(arms) > 1 else TRUE
            under = self.net.and_(path, line)
            if under != FALSE:
                both = self.net.and_(alive, line)
                survivors.append(self._execute(ops, scope.fork(), family, effects, under, both))
        return self.net.any(survivors)

    def _stored(self, word: Word, family: int, name: str) -> Word:
        kind = self.layout.families[family].locals[name]
        return Word(word.padded(kind.width))

    def _write(
        self, target: Local | Var | Elem, value: Expr, scope: Scope, family: int, path: int
    ) -> Write:
        assert isinstance(target, (Var, Elem))
        name = target.name if isinstance(target, Var) else target.array
        index, port = (
            (self.words.constant(0), None)
            if isinstance(target, Var)
            else self.values.index(target, scope, family)
        )
        word = self.values.word(value, scope, family)
        return Write(
            name, index, port, path, Word(word.padded(self.program.variable[name].type.width))
        )

    # -- what all steps do together ----------------------------------------------------------------

    def _collect(
        self,
        family: int,
        k: int,
        mask: int,
        effects: Effects,
        register_writes: dict[int, list[tuple[int, int]]],
    ) -> None:
        net, codes = self.net, self.layout.family_layouts[family].codes
        for site, line in effects.failures:
            self.failures[site].append(net.and_(mask, line))
        self.discards += [net.and_(mask, line) for line in effects.discards]
        for path, child in effects.spawns:
            change = self.layout.code(child, UNBORN) ^ self.layout.entry_codes[child]
            for q in range(change.bit_length()):
                if change >> q & 1:
                    plane = self.layout.position["pc", child, q]
                    self.planes[plane] = net.xor(self.planes[plane], net.and_(mask, path))
        paths = [leaf.path for leaf in effects.leaves]
        yielding = self._paths([leaf.path for leaf in effects.leaves if leaf.yields], paths)
        self.yields.append(net.and_(mask, yielding))
        for q in range(self.layout.family_layouts[family].pc_width):
            taken = [
                leaf.path for leaf in effects.leaves if (codes[k] ^ codes[leaf.target]) >> q & 1
            ]
            self.toggles[family, q].append(net.and_(mask, self._paths(taken, paths)))
        self._collect_registers(family, mask, effects, paths, register_writes)
        by_variable: dict[str, list[Write]] = defaultdict(list)
        for write in effects.writes:
            by_variable[write.variable].append(write)
        for name, writes in by_variable.items():
            self._collect_writes(name, mask, writes)

    def _paths(self, taken: list[int], every: list[int]) -> int:
        return TRUE if len(taken) == len(every) else self.net.any(taken)

    def _collect_registers(
        self,
        family: int,
        mask: int,
        effects: Effects,
        paths: list[int],
        register_writes: dict[int, list[tuple[int, int]]],
    ) -> None:
        layout = self.layout.family_layouts[family]
        before = self.values.locals_from(family, self.registers[family])
        by_bit: dict[tuple[int, int], list[int]] = defaultdict(list)
        for leaf in effects.leaves:
            for name in layout.live[leaf.target]:
                start, width = layout.registers[name]
                for q in range(width):
                    value = leaf.locals[name].bit(q)
                    if value != before[name].bit(q):
                        by_bit[start + q, value].append(leaf.path)
        for (bit, value), taken in by_bit.items():
            register_writes[bit].append((self.net.and_(mask, self._paths(taken, paths)), value))

    def _collect_writes(self, name: str, mask: int, writes: list[Write]) -> None:
        variable, net = self.program.variable[name], self.net
        if variable.length is not None and len(writes) == 1:
            write = writes[0]
            self.array_writes[name].append((net.and_(mask, write.when), write))
            return
        for j in range(variable.length or 1):
            when, value = FALSE, Word(())
            for write in writes:
                hit = net.and_(write.when, self.words.equal(write.index, self.words.constant(j)))
                when, value = net.or_(when, hit), self.words.mux(hit, write.value, value)
            if when != FALSE:
                element = self.layout.element_number[name, j]
                self.element_writes[element].append((net.and_(mask, when), value))

    def _blend(self, entries: list[tuple[int, Word]], old: Sequence[int]) -> list[int]:
        """old, overwritten by the one masked word that is active."""
        enable = self.net.any(mask for mask, _ in entries)
        value = self.words.merge(entries, len(old))
        return [
            self.net.or_(value.bits[q], self.net.and_(old[q], enable ^ 1)) for q in range(len(old))
        ]

    def _write_variables(self) -> None:
        for name, writes in self.array_writes.items():
            self._write_array(name, writes)
        for element, entries in self.element_writes.items():
            start = self.layout.position["variable", element, 0]
            width = self.program.variable[self.layout.elements[element][0]].type.width
            self.planes[start : start + width] = self._blend(
                entries, self.planes[start : start + width]
            )

    def _write_array(self, name: str, writes: list[tuple[int, Write]]) -> None:
        variable, net = self.program.variable[name], self.net
        width = variable.type.width
        value = self.words.merge([(mask, write.value) for mask, write in writes], width)
        by_index: dict[Word, list[int]] = defaultdict(list)
        for mask, write in writes:
            by_index[write.index].append(mask)
        lines = {index: net.any(masks) for index, masks in by_index.items()}
        for j in range(variable.length or 1):
            hits = [
                net.and_(m, self.words.equal(index, self.words.constant(j)))
                for index, m in lines.items()
            ]
            enable = net.any(hits)
            start = self.layout.position["variable", self.layout.element_number[name, j], 0]
            for q in range(width):
                self.planes[start + q] = net.mux(enable, value.bits[q], self.planes[start + q])

    def _write_registers(
        self, family: int, register_writes: dict[int, list[tuple[int, int]]]
    ) -> None:
        members, current = self.members[family], self.registers[family]
        for bit, entries in register_writes.items():
            words = [(mask, Word((value,))) for mask, value in entries]
            if len(members) == 1:
                plane = self.layout.position["register", members[0], bit]
                self.planes[plane] = self._blend(words, [self.planes[plane]])[0]
                continue
            enable = self.net.any(mask for mask, _ in words)
            value = self.words.merge(words, 1).bits[0]
            delta = self.net.and_(enable, self.net.xor(value, current[bit]))
            for thread in members:
                plane = self.layout.position["register", thread, bit]
                change = self.net.and_(self.selected[thread], delta)
                self.planes[plane] = self.net.xor(self.planes[plane], change)

    def _write_pcs(self, family: int) -> None:
        for q in range(self.layout.family_layouts[family].pc_width):
            delta = self.net.any(self.toggles[family, q])
            for thread in self.members[family]:
                plane = self.layout.position["pc", thread, q]
                single = len(self.members[family]) == 1
                change = delta if single else self.net.and_(self.selected[thread], delta)
                self.planes[plane] = self.net.xor(self.planes[plane], change)
