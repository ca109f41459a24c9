"""What a step bears on besides its own accesses: oracles and the end look at the state after it.

An event reads what its guard and its operations read (asserts included). Two steps that both write
what one invariant looks at do not commute either: the state between them differs. So an event that
writes a place of an invariant also reads the others of it; an event that writes none of them cannot
change what the invariant says. The same holds of where the execution ends. The places of an oracle
are all that it may read, so that they do not depend on the order of the steps around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from model.expressions import Const, Elem, Expr, Var, walk
from model.program import END, Assign, Assume, Check, If, Op, Program, Spawn
from model.validation import leaves

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Footprint:
    """The places of each invariant, and those that decide whether the execution has ended.

    `spawned` are the children that a daemon may start, which keeps an execution from ending.
    """

    invariants: tuple[frozenset[Place], ...]
    until: frozenset[Place]
    spawned: frozenset[Place]
    may_end: frozenset[tuple[int, int]]

    def read_by(
        self, written: frozenset[Place], *, body: int, daemon: bool, next_pc: int
    ) -> frozenset[Place]:
        """What a step bears on that writes `written` and leaves its thread at `next_pc`."""
        found = [places for places in self.invariants if places & written]
        stops = not daemon and (next_pc == END or (body, next_pc) in self.may_end)
        if stops:
            found.append(self.until | self.spawned)
        elif daemon and self.until & written:
            found.append(self.until)
        return frozenset().union(*found)


def footprint(program: Program) -> Footprint:
    """What the oracles and the end of a program's executions look at. Linear in its size."""
    checks = all(isinstance(op, Check) for op in program.invariants)
    groups = [(op,) for op in program.invariants] if checks else [program.invariants]
    until = {place for expr in program.until for place in _places(program, expr)}
    daemons = {thread.body for thread in program.threads if thread.daemon}
    return Footprint(
        tuple(frozenset(_read(program, group)) for group in groups),
        frozenset(until),
        frozenset(
            ("spawn", op.thread)
            for body in sorted(daemons)
            for step in program.bodies[body].steps
            for op in leaves(step.ops)
            if isinstance(op, Spawn)
        ),
        frozenset(
            (number, pc)
            for number, body in enumerate(program.bodies)
            for pc, step in enumerate(body.steps)
            if step.may_end
        ),
    )


def _read(program: Program, ops: tuple[Op, ...]) -> Iterator[Place]:
    for op in leaves(ops):
        match op:
            case Check(_, expr) | Assume(expr) | If(expr) | Assign(_, expr):
                yield from _places(program, expr)
            case _:
                pass


def _places(program: Program, expr: Expr) -> Iterator[Place]:
    """Every place that an expression may read: all elements where the index is not a constant."""
    for part in walk(expr):
        match part:
            case Var(name):
                yield (name, 0)
            case Elem(name, Const(index)):
                yield (name, index)
            case Elem(name, _):
                yield from ((name, at) for at in range(len(program.variable[name].init)))
            case _:
                pass
