"""Which bits of variables and locals can ever be 1: the others need no plane.

A fixpoint over all stores of all steps, whatever their order: masks start at the initial values and
grow. An over-approximation, so that a bit it excludes is 0 in every reachable state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from operator import or_
from typing import TypeVar

from model.circuit.families import Family, translate_entry
from model.expressions import (
    Binary,
    Cond,
    Const,
    Elem,
    Expr,
    Instance,
    Local,
    Not,
    ThreadIndex,
    Var,
)
from model.program import Assign, Choose, Op, Program
from model.validation import leaves

Element = tuple[str, int]
K = TypeVar("K")


class PossibleBits:
    """`elements[name, index]` and `locals[family][name]` are masks of the bits that can be 1."""

    def __init__(self, program: Program, families: Sequence[Family]) -> None:
        self.program = program
        self.elements: dict[Element, int] = {
            (v.name, i): value for v in program.variables for i, value in enumerate(v.init)
        }
        self.locals: list[dict[str, int]] = [dict.fromkeys(family.locals, 0) for family in families]
        stores = [
            (number, op)
            for number, family in enumerate(families)
            for ops in (*(step.ops for step in family.steps), *translate_entry(program, family))
            for op in leaves(ops)
            if isinstance(op, (Assign, Choose))
        ]
        while any([self._store(number, op, families[number]) for number, op in stores]):
            pass

    def _store(self, number: int, op: Op, family: Family) -> bool:
        """Add what one store can write; True where a mask has grown."""
        mine = self.locals[number]
        if isinstance(op, Choose):
            return _grow(mine, op.target.name, *op.options)
        assert isinstance(op, Assign)
        value = self.mask(op.value, mine)
        match op.target:
            case Local(name):
                full = (1 << family.locals[name].width) - 1
                return _grow(mine, name, value & full)
            case Var(name):
                places = [0]
            case Elem(name, Const(index)):
                places = [index]
            case Elem(name, _):
                places = list(range(self.program.variable[name].length or 0))
        full = (1 << self.program.variable[name].type.width) - 1
        known = [(name, index) for index in places if (name, index) in self.elements]
        return any([_grow(self.elements, element, value & full) for element in known])

    def mask(self, expr: Expr, mine: dict[str, int]) -> int:
        """The bits that a value can have; negative masks stand for infinitely many."""
        match expr:
            case Const(value):
                return value
            case Local(name):
                return mine[name]
            case Var(name):
                return self.elements[name, 0]
            case Elem(name, Const(index)):
                return self.elements.get((name, index), 0)
            case Elem(name, _):
                return _union(
                    self.elements[name, i] for i in range(self.program.variable[name].length or 0)
                )
            case Instance() | ThreadIndex():
                return (1 << len(self.program.threads).bit_length()) - 1
            case Not():
                return 1
            case Cond(_, then, orelse):
                return self.mask(then, mine) | self.mask(orelse, mine)
            case Binary(op, left, right):
                return _binary(op, self.mask(left, mine), self.mask(right, mine))
        raise AssertionError(expr)


def _grow(masks: dict[K, int], key: K, *values: int) -> bool:
    """Add values to a mask; True where that adds bits."""
    before = masks[key]
    masks[key] = _union([before, *values])
    return masks[key] != before


def _union(masks: Iterable[int]) -> int:
    return reduce(or_, masks, 0)


def _binary(op: str, a: int, b: int) -> int:
    bitwise: dict[str, Callable[[int, int], int]] = {
        "&": lambda x, y: x & y,
        "|": lambda x, y: x | y,
        "^": lambda x, y: x | y,
    }
    if op in bitwise:
        return bitwise[op](a, b)
    if op in ("<<", ">>"):
        return a << b if op == "<<" else a >> b
    if op == "!=" and a == b == 0:
        return 0
    if op in ("==", "!=", "<", "<=", "and", "or"):
        return 1
    if b == 0 and op in ("+", "-"):
        return a
    if a < 0 or b < 0 or op == "-":
        return -1
    return (1 << (a * b if op == "*" else a + b).bit_length()) - 1
