"""Operations rewritten: what making a mutant of a step needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from model.expressions import Binary, Cond, Elem, Expr, Local, Not, Var, binary, cond, not_, walk
from model.folding import expressions_of
from model.paths import targets
from model.program import (
    Access,
    Assign,
    Assume,
    Body,
    Check,
    Choose,
    If,
    Op,
    Oracle,
    Site,
    Step,
    Switch,
)
from model.validation import leaves

DIFFERENCE = Site(Oracle.ASSERT, "the mutant would do something else here")


def is_protocol(body: Body) -> bool:
    """False for the threads that RCU itself consists of."""
    return not body.name.startswith("rcu_")


def mentions(expr: Expr, wanted: Callable[[Expr], bool]) -> bool:
    """True where some part of an expression is wanted."""
    return any(wanted(part) for part in walk(expr))


def accesses_of(step: Step) -> tuple[Access, ...]:
    """The accesses by primitives: not those that atomic() makes at once with others."""
    return tuple(access for access in step.accesses if access.kind != "plain")


def is_jump(op: Op) -> bool:
    """True where an operation decides where its thread goes."""
    return bool(targets((op,)))


def assigned(ops: tuple[Op, ...]) -> frozenset[str]:
    """The locals that some operation assigns."""
    return frozenset(
        op.target.name
        for op in leaves(ops)
        if isinstance(op, (Assign, Choose)) and isinstance(op.target, Local)
    )


def with_branch(ops: tuple[Op, ...], place: int, arm: tuple[Op, ...]) -> tuple[Op, ...]:
    """The operations with `arm` for the branch of that number among those that jump."""
    made, left = _with_branch(ops, place, arm)
    assert left < 0
    return made


def _with_branch(
    ops: tuple[Op, ...], place: int, arm: tuple[Op, ...]
) -> tuple[tuple[Op, ...], int]:
    made: list[Op] = []
    for op in ops:
        if isinstance(op, If) and is_jump(op):
            if place == 0:
                made.extend(arm)
                place -= 1
                continue
            then, place = _with_branch(op.then, place - 1, arm) if place > 0 else (op.then, place)
            orelse = op.orelse
            if place >= 0:
                orelse, place = _with_branch(orelse, place, arm)
            op = If(op.test, then, orelse)
        elif isinstance(op, Switch):
            arms = []
            for value, inner in op.arms:
                if place >= 0:
                    inner, place = _with_branch(inner, place, arm)
                arms.append((value, inner))
            op = Switch(op.local, tuple(arms))
        made.append(op)
    return tuple(made), place


def replaced(expr: Expr, by: Mapping[Expr, Expr]) -> Expr:
    """The expression with others in place of some of its parts, folded."""
    if expr in by:
        return by[expr]
    match expr:
        case Elem(name, index):
            return Elem(name, replaced(index, by))
        case Not(operand):
            return not_(replaced(operand, by))
        case Binary(op, left, right):
            return binary(op, replaced(left, by), replaced(right, by))
        case Cond(test, then, orelse):
            return cond(*(replaced(part, by) for part in (test, then, orelse)))
        case _:
            return expr


def replaced_in(ops: tuple[Op, ...], by: Mapping[Expr, Expr]) -> tuple[Op, ...]:
    """The same for operations; what is stored into stays."""
    made: list[Op] = []
    for op in ops:
        match op:
            case Assign(target, value):
                made.append(Assign(target, replaced(value, by)))
            case Check(site, test):
                made.append(Check(site, replaced(test, by)))
            case Assume(test):
                made.append(Assume(replaced(test, by)))
            case If(test, then, orelse):
                arms = replaced_in(then, by), replaced_in(orelse, by)
                made.append(If(replaced(test, by), *arms))
            case _:
                made.append(op)
    return tuple(made)


def store_of(ops: tuple[Op, ...], place: Var | Elem) -> tuple[int, int] | None:
    """From the first operation on a place to behind the only one that stores into it.

    None where there are several, or where it depends on more than the place whether the primitive
    is executed at all: its index would have to be in range where it is not.
    """
    stores = [
        at
        for at, op in enumerate(ops)
        if any(isinstance(x, Assign) and x.target == place for x in leaves((op,)))
    ]
    if len(stores) != 1 or is_jump(ops[stores[0]]):
        return None
    begin = next(
        at
        for at, op in enumerate(ops)
        if any(
            mentions(expr, lambda e: e == place)
            for x in leaves((op,))
            for expr in expressions_of(x)
        )
    )
    before = ops[:begin]
    if any(not isinstance(op, (Assign, Check)) for op in before):
        return None
    if any(isinstance(op, Check) and _is_or(op.test) for op in before):
        return None
    return begin, stores[0] + 1


def _is_or(expr: Expr) -> bool:
    return isinstance(expr, Binary) and expr.op == "or"
