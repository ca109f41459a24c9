"""Threads that nothing tells apart: exchanging them changes neither a program nor its oracles.

Threads of one body are interchangeable where the body does not use its instance number, and names
itself only as the index of an array that has an element a thread and that no other index but a
constant reaches (its read-side nesting, say). Such an element goes with its thread. Whoever looks
at constant elements of such arrays must look at all alike: the program with the two numbers
exchanged must be the same program, up to the order of the operands of what commutes. Where that
cannot be seen, the threads count as different.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

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
    children,
    walk,
)
from model.program import Assign, Assume, Check, If, Op, Program, SharedVariable, Switch

COMMUTES = frozenset({"and", "or", "+", "&", "|", "^"})
Form = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Symmetry:
    """Groups of at least two interchangeable threads, and the arrays that go with threads."""

    groups: tuple[tuple[int, ...], ...]
    arrays: tuple[str, ...]


NO_SYMMETRY = Symmetry((), ())


def symmetry(program: Program, *, children: bool = False) -> Symmetry:
    """The interchangeable threads of a program. Linear in its size, times its threads.

    With `children`, also those that are spawned: they are interchangeable once they are born, while
    who spawns them names them. Spawning one that is born is a violation, whichever it is.
    """
    everything = list(_expressions_of(program))
    arrays = tuple(v.name for v in program.variables if _goes_with_threads(v, program, everything))
    oracles = [*_of_ops((*program.invariants, *program.at_end)), *program.until]
    if any(_names_itself(expr, ()) for expr in oracles):
        return Symmetry((), arrays)
    candidates: dict[tuple[object, ...], list[int]] = {}
    for number, thread in enumerate(program.threads):
        if (children or not thread.child) and not any(
            _names_itself(expr, arrays) for expr in _of_body(program, thread.body)
        ):
            inits = tuple(program.variable[name].init[number] for name in arrays)
            kind = (thread.body, thread.daemon, thread.child, inits)
            candidates.setdefault(kind, []).append(number)
    groups = tuple(
        tuple(members)
        for members in candidates.values()
        if len(members) > 1
        and all(_exchangeable(program, arrays, a, b) for a, b in pairwise(members))
    )
    return Symmetry(groups, arrays)


def _goes_with_threads(
    variable: SharedVariable, program: Program, everything: Sequence[Expr]
) -> bool:
    """True for an array with an element a thread, which threads reach by their own number."""
    found = (e for expr in everything for e in walk(expr) if isinstance(e, Elem))
    indices = [e.index for e in found if e.array == variable.name]
    return (
        variable.length == len(program.threads)
        and ThreadIndex() in indices
        and all(isinstance(index, Const | ThreadIndex) for index in indices)
    )


def _exchangeable(program: Program, arrays: tuple[str, ...], a: int, b: int) -> bool:
    """True where the program is the same with the constant elements a and b exchanged."""
    exchanged = {a: b, b: a}

    def same(index: int) -> int:
        return index

    def other(index: int) -> int:
        return exchanged.get(index, index)

    return all(
        _form_of_ops(ops, arrays, same) == _form_of_ops(ops, arrays, other)
        for ops in _sequences(program)
    ) and all(
        _form(expr, arrays, same) == _form(expr, arrays, other)
        for expr in (*_guards(program), *program.until)
    )


def _form(expr: Expr, arrays: tuple[str, ...], place: Callable[[int], int]) -> Form:
    """An expression with its constant elements renumbered; equal forms mean the same."""
    match expr:
        case Elem(array, Const(index)) if array in arrays:
            return ("element", array, place(index))
        case Binary(op, _, _) if op in COMMUTES:
            operands = [_form(e, arrays, place) for e in _operands(expr, op)]
            if op in ("and", "or"):
                operands = [_truth(form) for form in operands]
            return (op, *sorted(operands, key=repr))
        case Const() | Local() | Var() | Instance() | ThreadIndex():
            return (expr,)
        case Binary(op, _, _):
            head: object = op
        case Elem(array, _):
            head = ("index", array)
        case Not() | Cond():
            head = type(expr).__name__
    return (head, *(_form(child, arrays, place) for child in children(expr)))


def _operands(expr: Expr, op: str) -> Iterator[Expr]:
    if isinstance(expr, Binary) and expr.op == op:
        yield from _operands(expr.left, op)
        yield from _operands(expr.right, op)
    else:
        yield expr


def _truth(form: Form) -> Form:
    """`x != 0` is as true as x."""
    return form[1] if form[0] == "!=" and form[2] == (Const(0),) else form  # type: ignore[return-value]


def _form_of_ops(ops: tuple[Op, ...], arrays: tuple[str, ...], place: Callable[[int], int]) -> Form:
    """The same of operations; stores to elements of threads count as one where they commute."""
    made: list[Form] = []
    stores: list[Form] = []
    written: set[str] = set()

    def settle() -> None:
        made.extend(sorted(stores, key=repr))
        stores.clear()
        written.clear()

    for op in ops:
        if isinstance(op, Assign) and isinstance(op.target, Elem) and op.target.array in arrays:
            read = {e.array for e in walk(op.value) if isinstance(e, Elem)}
            if read & {*written, op.target.array} or not isinstance(op.target.index, Const):
                settle()
            written.add(op.target.array)
            stores.append(
                ("store", _form(op.target, arrays, place), _form(op.value, arrays, place))
            )
            if not isinstance(op.target.index, Const):
                settle()
            continue
        settle()
        match op:
            case Assign(target, value):
                made.append(("store", _form(target, arrays, place), _form(value, arrays, place)))
            case If(test, then, orelse):
                arms = (_form_of_ops(arm, arrays, place) for arm in (then, orelse))
                made.append(("if", _form(test, arrays, place), *arms))
            case Switch(local, arms):
                forms = tuple((n, _form_of_ops(arm, arrays, place)) for n, arm in arms)
                made.append(("switch", local, forms))
            case Check(site, test):
                made.append(("check", site, _form(test, arrays, place)))
            case Assume(test):
                made.append(("assume", _form(test, arrays, place)))
            case _:
                made.append((op,))
    settle()
    return tuple(made)


def _names_itself(expr: Expr, arrays: tuple[str, ...]) -> bool:
    match expr:
        case Instance() | ThreadIndex():
            return True
        case Elem(array, ThreadIndex()) if array in arrays:
            return False
        case _:
            return any(_names_itself(child, arrays) for child in children(expr))


def _sequences(program: Program) -> Iterator[tuple[Op, ...]]:
    for body in program.bodies:
        yield body.entry
        yield from (step.ops for step in body.steps)
    yield program.invariants
    yield program.at_end


def _guards(program: Program) -> Iterator[Expr]:
    for body in program.bodies:
        yield from (step.guard for step in body.steps if step.guard is not None)


def _expressions_of(program: Program) -> Iterator[Expr]:
    yield from _guards(program)
    yield from program.until
    for ops in _sequences(program):
        yield from _of_ops(ops)


def _of_body(program: Program, body: int) -> Iterator[Expr]:
    code = program.bodies[body]
    yield from (step.guard for step in code.steps if step.guard is not None)
    for ops in (code.entry, *(step.ops for step in code.steps)):
        yield from _of_ops(ops)


def _of_ops(ops: tuple[Op, ...]) -> Iterator[Expr]:
    for op in ops:
        match op:
            case Assign(target, value):
                yield from (target, value)
            case Check(_, test) | Assume(test):
                yield test
            case If(test, then, orelse):
                yield test
                yield from _of_ops((*then, *orelse))
            case Switch(_, arms):
                for _, arm in arms:
                    yield from _of_ops(arm)
            case _:
                pass
