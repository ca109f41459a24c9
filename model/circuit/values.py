"""Expressions of the IR as words of a circuit, read from the planes of a state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from model.circuit.layout import Layout
from model.circuit.netlist import FALSE, TRUE, Netlist
from model.circuit.words import Word, Words
from model.expressions import (
    Binary,
    Cond,
    Const,
    Elem,
    Expr,
    Instance,
    Interval,
    Local,
    Not,
    ThreadIndex,
    Var,
    interval,
)
from model.program import Program


@dataclass(frozen=True, slots=True)
class Write:
    """One store of a step: the array element or scalar, when, and what."""

    variable: str
    index: Word
    port: int | None
    when: int
    value: Word


@dataclass(frozen=True, slots=True)
class Port:
    """A read of an array that all steps share: the element chosen by the executing step's index."""

    index: Word
    value: Word


@dataclass(slots=True)
class Scope:
    """What a thread sees: its numbers, locals, stores made in this step, the ports it reads by."""

    instance: Word
    thread: Word
    locals: dict[str, Word] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    ports: Mapping[Elem, tuple[int, Port]] = field(default_factory=dict)
    draws: int = 0

    def fork(self) -> Scope:
        """A copy for one branch."""
        return Scope(
            self.instance, self.thread, dict(self.locals), list(self.writes), self.ports, self.draws
        )


class Values:
    """Evaluates expressions over one state, given as a literal for each plane of the layout."""

    def __init__(self, layout: Layout, net: Netlist, planes: Sequence[int]) -> None:
        self.layout, self.net, self.planes = layout, net, planes
        self.words = Words(net)
        self.program: Program = layout.program
        self._types = [family.locals for family in layout.families]

    def element(self, variable: str, index: int) -> Word:
        """The value of an element (0 for a scalar) in the state."""
        start = self.layout.position["variable", self.layout.element_number[variable, index], 0]
        return Word(tuple(self.planes[start : start + self.program.variable[variable].type.width]))

    def pc_bits(self, thread: int) -> tuple[int, ...]:
        """The program counter's literals of a thread."""
        width = self.layout.bodies[self.program.threads[thread].body].pc_width
        start = self.layout.position["pc", thread, 0]
        return tuple(self.planes[start : start + width])

    def register_bits(self, thread: int) -> tuple[int, ...]:
        """The register literals of a thread."""
        width = self.layout.bodies[self.program.threads[thread].body].register_width
        start = self.layout.position["register", thread, 0] if width else 0
        return tuple(self.planes[start : start + width])

    def locals_from(self, family: int, registers: Sequence[int]) -> dict[str, Word]:
        """The locals of a family of bodies that registers hold."""
        masks = self.layout.possible.locals[family]
        placed = self.layout.family_layouts[family].registers
        return {
            name: Word(
                tuple(registers[start + q] if masks[name] >> q & 1 else FALSE for q in range(width))
            )
            for name, (start, width) in placed.items()
        }

    def selected(self, array: Sequence[Word], index: Word) -> Word:
        """The element of an array at an index; 0 where the index is outside."""
        width = max(len(word.bits) for word in array)
        chosen = [self.words.equal(index, self.words.constant(j)) for j in range(len(array))]
        return Word(
            tuple(
                self.net.any(
                    self.net.and_(line, word.bit(q))
                    for line, word in zip(chosen, array, strict=True)
                )
                for q in range(width)
            )
        )

    def bounds(self, expr: Expr, family: int) -> Interval:
        """Bounds of a value in a family of bodies (-1 for oracles, which have no locals)."""

        def leaf(e: Expr) -> Interval:
            match e:
                case Local(name):
                    return (0, self._types[family][name].maximum)
                case Var(name) | Elem(name, _):
                    return (0, self.program.variable[name].type.maximum)
                case _:
                    return (0, len(self.program.threads) - 1)

        return interval(expr, leaf)

    def truth(self, expr: Expr, scope: Scope, family: int) -> int:
        """The literal of an expression's truth."""
        match expr:
            case Not(operand):
                return self.truth(operand, scope, family) ^ 1
            case Binary("and", left, right):
                return self.net.and_(
                    self.truth(left, scope, family), self.truth(right, scope, family)
                )
            case Binary("or", left, right):
                return self.net.or_(
                    self.truth(left, scope, family), self.truth(right, scope, family)
                )
            case _:
                return self.words.truth(self.word(expr, scope, family))

    def word(self, expr: Expr, scope: Scope, family: int) -> Word:
        """The word of an expression's value."""
        return self.words.fit(self._word(expr, scope, family), self.bounds(expr, family))

    def _word(self, expr: Expr, scope: Scope, family: int) -> Word:
        words = self.words
        match expr:
            case Const(value):
                return words.constant(value)
            case Local(name):
                return scope.locals[name]
            case Instance():
                return scope.instance
            case ThreadIndex():
                return scope.thread
            case Var() | Elem():
                return self._read(expr, scope, family)
            case Cond(test, then, orelse):
                arms = (self.word(then, scope, family), self.word(orelse, scope, family))
                return words.mux(self.truth(test, scope, family), *arms)
            case Not() | Binary("and" | "or", _, _):
                return Word((self.truth(expr, scope, family),))
            case Binary(op, left, right):
                a = self.word(left, scope, family)
                if op in ("<<", ">>", "*"):
                    assert isinstance(right, Const)
                    number = right.value
                    return (
                        words.scale(a, number)
                        if op == "*"
                        else words.shift(a, number if op == "<<" else -number)
                    )
                return self._binary(op, a, self.word(right, scope, family))
        raise AssertionError(expr)

    def _binary(self, op: str, a: Word, b: Word) -> Word:
        words = self.words
        match op:
            case "+":
                return words.add(a, b)
            case "-":
                return words.subtract(a, b)
            case "&" | "|" | "^":
                return words.bitwise(op, a, b)
            case "==":
                return Word((words.equal(a, b),))
            case "!=":
                return Word((words.equal(a, b) ^ 1,))
            case "<":
                return Word((words.less(a, b),))
        assert op == "<="
        return Word((words.less(b, a) ^ 1,))

    def _read(self, expr: Var | Elem, scope: Scope, family: int) -> Word:
        if isinstance(expr, Var):
            name, index, port = expr.name, self.words.constant(0), None
            value = self.element(name, 0)
        else:
            name = expr.array
            length = self.program.variable[name].length
            assert length is not None
            index, port = self.index(expr, scope, family)
            if port is not None:
                value = scope.ports[expr][1].value
            elif all(bit <= TRUE for bit in index.bits):
                at = sum(bit << q for q, bit in enumerate(index.bits))
                value = self.element(name, at) if at < length else self.words.constant(0)
            else:
                value = self.selected([self.element(name, j) for j in range(length)], index)
        for write in scope.writes:
            if write.variable == name:
                same = TRUE if write.index == index else self.words.equal(write.index, index)
                value = self.words.mux(self.net.and_(write.when, same), write.value, value)
        return value

    def index(self, expr: Elem, scope: Scope, family: int) -> tuple[Word, int | None]:
        """The index of an element, and the port by which it is read, if it is."""
        if expr in scope.ports:
            number, port = scope.ports[expr]
            return port.index, number
        return self.word(expr.index, scope, family), None
