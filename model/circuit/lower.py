"""IR to circuit: one pass in which the selected thread of every lane executes its next step.

Threads of one family of bodies share one copy of its circuit: the program counter and the registers
of the selected thread are selected in, every step is evaluated once, and what it does counts
where it is the step being executed: only one is in a lane, so that writes combine by OR.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from model.circuit.code_sets import CodeSets
from model.circuit.layout import Layout
from model.circuit.netlist import FALSE, TRUE, Netlist
from model.circuit.paths import Paths
from model.circuit.ports import StepKey, build_ports
from model.circuit.values import Scope, Values, Write
from model.circuit.words import Word
from model.expressions import Elem, Expr, Local, Var
from model.program import (
    END,
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


@dataclass(frozen=True, slots=True)
class When:
    """The lanes that execute a step and in which a condition holds."""

    step: StepKey
    condition: int


@dataclass(slots=True)
class Leaf:
    """One way a step can end: where it goes, with which locals."""

    path: int
    target: int
    yields: bool
    locals: dict[str, Word]


@dataclass(slots=True)
class Effects:
    """What one step does where it is executed."""

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
        self.element_writes: dict[int, list[tuple[When, Word]]] = defaultdict(list)
        self.array_writes: dict[str, list[tuple[When, Write]]] = defaultdict(list)
        self.toggles: dict[tuple[int, int], list[When]] = defaultdict(list)
        self.failures: dict[int, list[When]] = defaultdict(list)
        self.discards: list[When] = []
        self.yields: list[When] = []
        self.register_writes: dict[tuple[int, int], list[tuple[When, int]]] = defaultdict(list)
        self.births: list[tuple[int, When]] = []
        self.paths = Paths(net)
        self.registers: list[tuple[int, ...]] = []
        self.before: list[dict[str, Word]] = []
        self.sets: list[CodeSets] = []

    def build(self) -> Pass:
        """The whole pass."""
        scopes = [self._scope(family) for family in range(len(self.layout.families))]
        steps = [
            (number, k)
            for number, family in enumerate(self.layout.families)
            for k in range(len(family.steps))
        ]
        port_of = build_ports(
            self.values, scopes, steps,
            lambda keys, among: self._any([When(k, TRUE) for k in keys], among),
        )  # fmt: skip
        for family, k in steps:
            own = scopes[family].fork()
            own.ports = port_of[family, k]
            self._clear_dead(own, family, k)
            effects = Effects()
            ops = self.layout.families[family].steps[k].ops
            self._execute(ops, own, family, effects, TRUE, TRUE)
            self._collect((family, k), effects)
        self._write_registers()
        for family in range(len(scopes)):
            self._write_pcs(family)
        self._write_births()
        self._write_variables()
        failures = {site: self._any(whens) for site, whens in self.failures.items()}
        return Pass(self.planes, failures, self._any(self.discards), self._any(self.yields))

    def _any(self, whens: Iterable[When], among: Iterable[StepKey] | None = None) -> int:
        """The lanes of any of these; outside the steps of `among`, if given, it does not matter."""
        wanted: dict[tuple[int, int], set[int]] = defaultdict(set)
        for when in whens:
            family, k = when.step
            wanted[family, when.condition].add(self.layout.family_layouts[family].codes[k])
        around: dict[int, set[int]] | None = None
        if among is not None:
            around = {
                family: {made.codes[END]} for family, made in enumerate(self.layout.family_layouts)
            }
            for family, k in among:
                around[family].add(self.layout.family_layouts[family].codes[k])
        return self.net.any(
            self.net.and_(
                condition,
                self.sets[family].line(codes, None if around is None else around[family]),
            )
            for (family, condition), codes in wanted.items()
            if condition != FALSE
        )

    def _merge(
        self, entries: Sequence[tuple[When, Word]], width: int, *, gated: bool = True
    ) -> Word:
        """The word of the step being executed; 0 elsewhere, if `gated`."""
        bits = []
        among = None if gated else [when.step for when, _ in entries]
        for q in range(width):
            lines: dict[int, list[When]] = defaultdict(list)
            for when, word in entries:
                lines[word.bit(q)].append(when if gated else When(when.step, TRUE))
            bits.append(
                self.net.any(
                    self.net.and_(bit, self._any(whens, among))
                    for bit, whens in lines.items()
                    if bit != FALSE
                )
            )
        return Word(tuple(bits))

    # -- the executing thread ----------------------------------------------------------------------

    def _scope(self, family: int) -> Scope:
        """The selected thread of a family; where there is none, it stands at the end."""
        members = self.members[family]
        if len(members) == 1:
            registers = self.values.register_bits(members[0])
        else:
            registers = self._select([self.values.register_bits(t) for t in members], members)
        codes = self.layout.family_layouts[family].codes
        pc = self._select([self.values.pc_bits(t) for t in members], members)
        self.sets.append(CodeSets(self.net, pc, [c for k, c in codes.items() if k != UNBORN]))
        self.registers.append(registers)
        self.before.append(self.values.locals_from(family, registers))
        return Scope(
            self._number(members, [self.program.threads[t].instance for t in members]),
            self._number(members, members),
            self.before[family],
        )

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

    def _clear_dead(self, scope: Scope, family: int, k: int) -> None:
        """Locals that are dead before a step are 0 in it, so that equal states have equal bits.

        Liveness does not tell the callers of a noinline function apart, so that a local can come
        alive without a value. In a thread whose body does not know a local, its register holds
        another one, which stays.
        """
        merged, net = self.layout.families[family], self.net
        bodies = {b for b, _ in merged.steps[k].members}
        for name in sorted(scope.locals.keys() - self.layout.family_layouts[family].live[k]):
            others = [b for b in bodies if name not in merged.names[b].values()]
            kept = net.any(
                self.selected[t]
                for t in self.members[family]
                if self.program.threads[t].body in others
            )
            bits = scope.locals[name].bits if others else ()
            scope.locals[name] = Word(tuple(net.and_(bit, kept) for bit in bits))

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
            under = self.paths.where(path, line)
            if under == FALSE:
                arms.append(scope.fork())
                continue
            survivors.append(
                self._execute(ops, arm, family, effects, under, self.net.and_(alive, line))
            )
            arms.append(arm)
        scope.writes += arms[0].writes[before:] + arms[1].writes[before:]
        for name in sorted(arms[0].locals.keys() & arms[1].locals.keys()):
            scope.locals[name] = self.words.mux(test, arms[0].locals[name], arms[1].locals[name])
        return self.net.any(survivors)

    def _switch(
        self, number: Word, arms: tuple[tuple[int, tuple[Op, ...]], ...], scope: Scope, family: int,
        effects: Effects, path: int, alive: int,
    ) -> int:  # fmt: skip
        """The arms all end in jumps: nothing comes together after them."""
        survivors = []
        sets = self.paths.one_of(number, [value for value, _ in arms])
        for value, ops in arms:
            line = sets.line([value])
            under = self.paths.where_equal(path, sets, value)
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
        step: StepKey,
        effects: Effects,
    ) -> None:
        family, k = step
        codes = self.layout.family_layouts[family].codes
        for site, line in effects.failures:
            self.failures[site].append(When(step, line))
        self.discards += [When(step, line) for line in effects.discards]
        self.births += [(child, When(step, path)) for path, child in effects.spawns]
        paths = [leaf.path for leaf in effects.leaves]
        yielding = self.paths.any_of([leaf.path for leaf in effects.leaves if leaf.yields], paths)
        self.yields.append(When(step, yielding))
        for q in range(self.layout.family_layouts[family].pc_width):
            taken = [
                leaf.path for leaf in effects.leaves if (codes[k] ^ codes[leaf.target]) >> q & 1
            ]
            self.toggles[family, q].append(When(step, self.paths.any_of(taken, paths)))
        self._collect_registers(step, effects, paths)
        by_variable: dict[str, list[Write]] = defaultdict(list)
        for write in effects.writes:
            by_variable[write.variable].append(write)
        for name, writes in by_variable.items():
            self._collect_writes(name, step, writes)

    def _collect_registers(
        self,
        step: StepKey,
        effects: Effects,
        paths: list[int],
    ) -> None:
        layout, before = self.layout.family_layouts[step[0]], self.before[step[0]]
        by_bit: dict[tuple[int, int], list[int]] = defaultdict(list)
        for leaf in effects.leaves:
            for name in sorted(layout.live[leaf.target]):
                start, width = layout.registers[name]
                for q in range(width):
                    value = leaf.locals[name].bit(q)
                    if value != before[name].bit(q):
                        by_bit[start + q, value].append(leaf.path)
        for (bit, value), taken in by_bit.items():
            when = When(step, self.paths.any_of(taken, paths))
            self.register_writes[step[0], bit].append((when, value))

    def _collect_writes(self, name: str, step: StepKey, writes: list[Write]) -> None:
        variable, net = self.program.variable[name], self.net
        if variable.length is not None and len(writes) == 1:
            write = writes[0]
            self.array_writes[name].append((When(step, write.when), write))
            return
        for j in range(variable.length or 1):
            when, value = FALSE, Word(())
            for write in writes:
                hit = net.and_(write.when, self.words.equal(write.index, self.words.constant(j)))
                when, value = net.or_(when, hit), self.words.mux(hit, write.value, value)
            if when != FALSE:
                element = self.layout.element_number[name, j]
                self.element_writes[element].append((When(step, when), value))

    def _blend(self, entries: list[tuple[When, Word]], old: Sequence[int]) -> list[int]:
        """old, overwritten by the one masked word that is active."""
        enable = self._any(when for when, _ in entries)
        value = self._merge(entries, len(old))
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

    def _write_array(self, name: str, writes: list[tuple[When, Write]]) -> None:
        variable, net = self.program.variable[name], self.net
        width = variable.type.width
        value = self._merge([(when, w.value) for when, w in writes], width, gated=False)
        by_index: dict[Word, list[When]] = defaultdict(list)
        for when, write in writes:
            by_index[write.index].append(when)
        lines = {index: self._any(whens) for index, whens in by_index.items()}
        for j in range(variable.length or 1):
            hits = [
                net.and_(m, self.words.equal(index, self.words.constant(j)))
                for index, m in lines.items()
            ]
            enable = net.any(hits)
            start = self.layout.position["variable", self.layout.element_number[name, j], 0]
            for q in range(width):
                self.planes[start + q] = net.mux(enable, value.bits[q], self.planes[start + q])

    def _write_registers(self) -> None:
        for (family, bit), entries in self.register_writes.items():
            members = self.members[family]
            words = [(when, Word((value,))) for when, value in entries]
            if len(members) == 1:
                plane = self.layout.position["register", members[0], bit]
                self.planes[plane] = self._blend(words, [self.planes[plane]])[0]
                continue
            enable = self._any(when for when, _ in words)
            value = self._merge(words, 1).bits[0]
            delta = self.net.and_(enable, self.net.xor(value, self.registers[family][bit]))
            for thread in members:
                plane = self.layout.position["register", thread, bit]
                change = self.net.and_(self.selected[thread], delta)
                self.planes[plane] = self.net.xor(self.planes[plane], change)

    def _write_pcs(self, family: int) -> None:
        for q in range(self.layout.family_layouts[family].pc_width):
            delta = self._any(self.toggles[family, q])
            for thread in self.members[family]:
                plane = self.layout.position["pc", thread, q]
                single = len(self.members[family]) == 1
                change = delta if single else self.net.and_(self.selected[thread], delta)
                self.planes[plane] = self.net.xor(self.planes[plane], change)

    def _write_births(self) -> None:
        for child, when in self.births:
            change = self.layout.code(child, UNBORN) ^ self.layout.entry_codes[child]
            for q in range(change.bit_length()):
                if change >> q & 1:
                    plane = self.layout.position["pc", child, q]
                    self.planes[plane] = self.net.xor(self.planes[plane], self._any([when]))
