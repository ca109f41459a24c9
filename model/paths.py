"""A step as its paths, each with the condition under which it is taken.

A step is a tree of operations whose leaves are jumps. Where the next step must be known before
anything has been executed (in Promela a jump cannot leave a `d_step`), every leaf becomes a path of
its own. Its tests may read what the path has written before them, so they are rewritten in terms of
the state before the step. In each state, every combination of choices has exactly one path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from model.expressions import (
    TRUE,
    Binary,
    Cond,
    Const,
    Elem,
    Expr,
    Local,
    Not,
    Var,
    binary,
    cond,
    not_,
)
from model.liveness import live_before
from model.program import Assign, Choose, Goto, If, IntType, Op
from model.validation import leaves

TypeOf = Callable[[Local | Var | Elem], IntType]


@dataclass(frozen=True, slots=True)
class Path:
    """Operations without jumps and choices, the step that follows, and when this is what happens.

    An If that is left in `ops` has arms that come together again.
    """

    when: Expr
    ops: tuple[Op, ...]
    target: int


@dataclass(slots=True)
class _Before:
    """The values of places in the middle of a step, in terms of the state before it.

    `written` lists for each array what was stored, oldest first: (condition, index, value).
    """

    type_of: TypeOf
    locals: dict[str, Expr] = field(default_factory=dict)
    variables: dict[str, Expr] = field(default_factory=dict)
    written: dict[str, tuple[tuple[Expr, Expr, Expr], ...]] = field(default_factory=dict)

    def fork(self) -> _Before:
        return replace(
            self,
            locals=dict(self.locals),
            variables=dict(self.variables),
            written=dict(self.written),
        )

    def value(self, expr: Expr) -> Expr:
        """What an expression would have given before the step."""
        match expr:
            case Local(name):
                return self.locals.get(name, expr)
            case Var(name):
                return self.variables.get(name, expr)
            case Elem(name, index):
                at = self.value(index)
                found: Expr = Elem(name, at)
                for when, place, value in self.written.get(name, ()):
                    hit = binary("and", when, binary("==", place, at))
                    found = cond(hit, value, found)
                return found
            case Not(operand):
                return not_(self.value(operand))
            case Binary(op, left, right):
                return binary(op, self.value(left), self.value(right))
            case Cond(test, then, orelse):
                return cond(self.value(test), self.value(then), self.value(orelse))
            case _:
                return expr

    def execute(self, op: Op) -> None:
        """Go on past an operation that all the rest of the path comes after."""
        match op:
            case Assign(target, value):
                self._assign(target, self._stored(target, self.value(value)))
            case If(test, then, orelse):
                self._join(self.value(test), then, orelse)
            case _:
                pass

    def _assign(self, target: Local | Var | Elem, value: Expr) -> None:
        match target:
            case Local(name):
                self.locals[name] = value
            case Var(name):
                self.variables[name] = value
            case Elem(name, index):
                store = (TRUE, self.value(index), value)
                self.written[name] = (*self.written.get(name, ()), store)

    def _stored(self, target: Local | Var | Elem, value: Expr) -> Expr:
        kind = self.type_of(target)
        return binary("&", value, Const((1 << kind.width) - 1)) if kind.wrapping else value

    def _join(self, test: Expr, then: tuple[Op, ...], orelse: tuple[Op, ...]) -> None:
        arms = self.fork(), self.fork()
        for arm, ops in zip(arms, (then, orelse), strict=True):
            for op in ops:
                arm.execute(op)
        for name in arms[0].locals | arms[1].locals:
            self.locals[name] = cond(test, *(arm.value(Local(name)) for arm in arms))
        for name in arms[0].variables | arms[1].variables:
            self.variables[name] = cond(test, *(arm.value(Var(name)) for arm in arms))
        for name in arms[0].written | arms[1].written:
            before = self.written.get(name, ())
            stores = before
            for arm, condition in zip(arms, (test, not_(test)), strict=True):
                stores += tuple(
                    (binary("and", condition, when), index, value)
                    for when, index, value in arm.written.get(name, ())[len(before) :]
                )
            self.written[name] = stores


def paths(ops: tuple[Op, ...], type_of: TypeOf) -> Iterator[Path]:
    """The paths of a step, one for each leaf and each combination of choices on the way to it.

    A tree all of whose leaves jump to one step is one path. `ops` are folded: without a Switch.
    """
    yield from _paths(ops, TRUE, (), _Before(type_of))


def targets(ops: tuple[Op, ...]) -> set[int]:
    """The steps that the jumps of a tree lead to."""
    return {op.step for op in leaves(ops) if isinstance(op, Goto)}


def _paths(ops: tuple[Op, ...], when: Expr, done: tuple[Op, ...], at: _Before) -> Iterator[Path]:
    for number, op in enumerate(ops):
        rest = ops[number + 1 :]
        match op:
            case Goto(step, _):
                yield Path(when, done, step)
                return
            case Choose(target, options):
                for value in dict.fromkeys(options):
                    chosen = Assign(target, Const(value))
                    yield from _paths((chosen, *rest), when, done, at.fork())
                return
            case If(test, then, orelse) if _splits(op):
                known = at.value(test)
                for condition, arm in ((known, then), (not_(known), orelse)):
                    under = binary("and", when, condition)
                    if under != Const(0):
                        yield from _paths((*arm, *rest), under, done, at.fork())
                return
            case If() if targets((op,)):
                yield Path(when, (*done, _without_jumps(op)), targets((op,)).pop())
                return
            case _:
                at.execute(op)
                done = (*done, op)
    raise AssertionError("a path that does not end in a jump")


def _splits(op: If) -> bool:
    """Its arms lead to different steps, or one of them chooses."""
    return len(targets((op,))) > 1 or any(isinstance(each, Choose) for each in leaves((op,)))


def _without_jumps(op: Op) -> Op:
    if not isinstance(op, If):
        return op
    then, orelse = (
        tuple(_without_jumps(each) for each in arm if not isinstance(each, Goto))
        for arm in (op.then, op.orelse)
    )
    return If(op.test, then, orelse)


def without_dead_stores(ops: tuple[Op, ...], live: frozenset[str]) -> tuple[Op, ...]:
    """Operations without the assignments that nobody reads; `live` are the locals read later."""
    kept: list[Op] = []
    for op in reversed(ops):
        if isinstance(op, Assign) and isinstance(op.target, Local) and op.target.name not in live:
            continue
        if isinstance(op, If):
            op = If(op.test, *(without_dead_stores(arm, live) for arm in (op.then, op.orelse)))
            if not op.then and not op.orelse:
                continue
        live = live_before((op,), live, {})
        kept.append(op)
    return tuple(reversed(kept))
