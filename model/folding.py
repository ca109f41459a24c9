"""Steps with the numbers of their thread folded in, and the shared places that they touch."""

from __future__ import annotations

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
    binary,
    cond,
    not_,
    walk,
)  # fmt: skip
from model.program import Assign, Assume, Check, If, Op, Switch

Place = tuple[str, int | None]
"""A variable and an element of it; None is any element."""


def fold(expr: Expr, thread: Expr, instance: Expr) -> Expr:
    """The expression with these in place of the position and the instance number of its thread."""
    match expr:
        case Instance():
            return instance
        case ThreadIndex():
            return thread
        case Elem(name, index):
            return Elem(name, fold(index, thread, instance))
        case Not(operand):
            return not_(fold(operand, thread, instance))
        case Binary(op, left, right):
            return binary(op, fold(left, thread, instance), fold(right, thread, instance))
        case Cond(test, then, orelse):
            return cond(*(fold(part, thread, instance) for part in (test, then, orelse)))
        case _:
            return expr


def fold_ops(ops: tuple[Op, ...], thread: Expr, instance: Expr) -> tuple[Op, ...]:
    """The same for operations, without the arms that fall away; a Switch becomes branches."""
    folded: list[Op] = []
    for op in ops:
        match op:
            case Assign(Elem(name, index), value):
                target = Elem(name, fold(index, thread, instance))
                folded.append(Assign(target, fold(value, thread, instance)))
            case Assign(place, value):
                folded.append(Assign(place, fold(value, thread, instance)))
            case Check(site, test):
                folded.append(Check(site, fold(test, thread, instance)))
            case Assume(test):
                folded.append(Assume(fold(test, thread, instance)))
            case If(test, then, orelse):
                known = fold(test, thread, instance)
                arms = fold_ops(then, thread, instance), fold_ops(orelse, thread, instance)
                if isinstance(known, Const):
                    folded.extend(arms[0] if known.value else arms[1])
                else:
                    folded.append(If(known, *arms))
            case Switch(local, arms):
                folded.extend(fold_ops(_branches(local, arms), thread, instance))
            case _:
                folded.append(op)
    return tuple(folded)


def _branches(local: Local, arms: tuple[tuple[int, tuple[Op, ...]], ...]) -> tuple[Op, ...]:
    """A switch as a chain of branches; the last arm needs no test."""
    (number, ops), *rest = arms
    if not rest:
        return ops
    return (If(Binary("==", local, Const(number)), ops, _branches(local, tuple(rest))),)


def expressions_of(op: Op) -> tuple[Expr, ...]:
    """The expressions of one operation, without those of the branches of an If."""
    match op:
        case Assign(target, value):
            return (target, value)
        case Check(_, test) | Assume(test) | If(test, _, _):
            return (test,)
        case _:
            return ()


def places_of(expr: Expr, *, of_index: bool = True) -> set[Place]:
    """The shared places of an expression; without those of its index, of a target only."""
    found: set[Place] = set()
    for part in walk(expr) if of_index else (expr,):
        match part:
            case Var(name):
                found.add((name, 0))
            case Elem(name, Const(index)):
                found.add((name, index))
            case Elem(name, _):
                found.add((name, None))
            case _:
                pass
    return found


def may_meet(read: set[Place] | frozenset[Place], written: set[Place]) -> bool:
    """True where something written may be something read."""
    return any(
        name == other and (index is None or at is None or index == at)
        for name, index in read
        for other, at in written
    )
