"""Expressions of the IR: exact integer arithmetic over constants, locals and shared variables.

Arithmetic is on mathematical integers; only storing into a variable has a width. `interval` bounds
a value statically, which the front end uses to omit checks that cannot fail and the circuit to size
words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Const:
    """A known integer."""

    value: int


@dataclass(frozen=True, slots=True)
class Local:
    """A local variable of the thread that executes."""

    name: str


@dataclass(frozen=True, slots=True)
class Var:
    """A shared or ghost variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Elem:
    """An element of a shared or ghost array; a check before it keeps the index in range."""

    array: str
    index: Expr


@dataclass(frozen=True, slots=True)
class Instance:
    """The instance number of the executing thread within its body."""


@dataclass(frozen=True, slots=True)
class ThreadIndex:
    """The position of the executing thread in the program."""


@dataclass(frozen=True, slots=True)
class Not:
    """1 where the operand is 0, else 0."""

    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary:
    """`left op right`; comparisons and the logical operators give 0 or 1."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Cond:
    """`then if test else orelse`."""

    test: Expr
    then: Expr
    orelse: Expr


Expr = Const | Local | Var | Elem | Instance | ThreadIndex | Not | Binary | Cond
Interval = tuple[int, int]

TRUE, FALSE = Const(1), Const(0)

OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "<<": lambda a, b: a << b,
    ">>": lambda a, b: a >> b,
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<": lambda a, b: int(a < b),
    "<=": lambda a, b: int(a <= b),
    "and": lambda a, b: int(bool(a) and bool(b)),
    "or": lambda a, b: int(bool(a) or bool(b)),
}
LOGICAL = frozenset({"==", "!=", "<", "<=", "and", "or"})
CONSTANT_RIGHT = frozenset({"*", "<<", ">>"})


def children(expr: Expr) -> tuple[Expr, ...]:
    """The operands of an expression, in order."""
    match expr:
        case Elem(_, index):
            return (index,)
        case Not(operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case Cond(test, then, orelse):
            return (test, then, orelse)
        case _:
            return ()


def walk(expr: Expr) -> Iterator[Expr]:
    """An expression and everything below it."""
    yield expr
    for child in children(expr):
        yield from walk(child)


def not_(operand: Expr) -> Expr:
    """Logical negation, folded."""
    match operand:
        case Const(value):
            return Const(int(not value))
        case Not(inner) if is_logical(inner):
            return inner
        case Binary("==", left, right):
            return Binary("!=", left, right)
        case Binary("!=", left, right):
            return Binary("==", left, right)
        case _:
            return Not(operand)


def binary(op: str, left: Expr, right: Expr) -> Expr:
    """`left op right`, folded where an operand decides it."""
    if isinstance(left, Const) and isinstance(right, Const):
        return Const(OPERATIONS[op](left.value, right.value))
    if op in ("and", "or"):
        neutral = op == "and"
        for this, other in ((left, right), (right, left)):
            if isinstance(this, Const):
                return _truth(other) if bool(this.value) == neutral else Const(int(not neutral))
    if op in ("+", "-", "|", "^", "<<", ">>") and right == FALSE:
        return left
    if op in ("+", "|", "^") and left == FALSE:
        return right
    if op in ("==", "<=") and left == right:
        return TRUE
    return Binary(op, left, right)


def cond(test: Expr, then: Expr, orelse: Expr) -> Expr:
    """`then if test else orelse`, folded."""
    if isinstance(test, Const):
        return then if test.value else orelse
    return then if then == orelse else Cond(test, then, orelse)


def is_logical(expr: Expr) -> bool:
    """True where the value can only be 0 or 1 by its form."""
    match expr:
        case Const(value):
            return value in (0, 1)
        case Not():
            return True
        case Binary(op, _, _):
            return op in LOGICAL
        case Cond(_, then, orelse):
            return is_logical(then) and is_logical(orelse)
        case _:
            return False


def _truth(expr: Expr) -> Expr:
    return expr if is_logical(expr) else binary("!=", expr, FALSE)


def interval(expr: Expr, leaf: Callable[[Expr], Interval]) -> Interval:
    """Bounds (lowest, highest) of a value; `leaf` bounds what is no operation."""
    match expr:
        case Const(value):
            return (value, value)
        case Not():
            return (0, 1)
        case Cond(_, then, orelse):
            a, b = interval(then, leaf), interval(orelse, leaf)
            return (min(a[0], b[0]), max(a[1], b[1]))
        case Binary(op, left, right):
            return operation_interval(op, interval(left, leaf), interval(right, leaf))
        case _:
            return leaf(expr)


def operation_interval(op: str, a: Interval, b: Interval) -> Interval:
    """Bounds of `x op y` for x in `a` and y in `b`."""
    if op in LOGICAL:
        return (0, 1)
    if op == "+":
        return (a[0] + b[0], a[1] + b[1])
    if op == "-":
        return (a[0] - b[1], a[1] - b[0])
    if op in CONSTANT_RIGHT:
        corners = [OPERATIONS[op](x, y) for x in a for y in b]
        return (min(corners), max(corners))
    if op == "&" and max(a[0], b[0]) >= 0:
        return (0, min(x[1] for x in (a, b) if x[0] >= 0))
    bits = max(abs(x).bit_length() for x in (*a, *b))
    negative = a[0] < 0 or b[0] < 0
    return (-(1 << bits) if negative else 0, (1 << bits) - 1)
