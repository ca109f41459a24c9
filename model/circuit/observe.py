"""What a state says: who is enabled, whether it is an end, which oracles it breaks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from model.circuit.code_sets import CodeSets
from model.circuit.families import rename
from model.circuit.layout import Layout
from model.circuit.netlist import FALSE, TRUE, Netlist
from model.circuit.values import Scope, Values
from model.expressions import Expr
from model.program import END, UNBORN, Check, Op


@dataclass(slots=True)
class Observation:
    """Lines over one state: enabled threads, the quiescent end, failures per site."""

    enabled: list[int]
    ended: int
    broken: dict[int, int]
    broken_at_end: dict[int, int]


def observe(layout: Layout, net: Netlist, planes: Sequence[int]) -> Observation:
    """The lines of a state given by its planes."""
    values, program = Values(layout, net, planes), layout.program
    nobody = Scope(values.words.constant(0), values.words.constant(0))
    enabled, finished, parked = [], [], []
    for number, thread in enumerate(program.threads):
        done, blocked, waits = _standing(layout, values, number)
        enabled.append(net.and_(done ^ 1, blocked ^ 1))
        if not thread.daemon:
            finished.append(net.or_(done, waits))
            parked.append(waits)
    until = [values.truth(condition, nobody, -1) for condition in program.until]
    settled = net.or_(net.any(parked) ^ 1, net.any(enabled) ^ 1)
    return Observation(
        enabled,
        net.all([*finished, *until, settled]),
        _broken(values, nobody, program.invariants),
        _broken(values, nobody, program.at_end),
    )


def _standing(layout: Layout, values: Values, number: int) -> tuple[int, int, int]:
    """Whether a thread has ended (or is not born), is blocked, and is blocked where it may end."""
    net, thread = values.net, layout.program.threads[number]
    body, own = layout.program.bodies[thread.body], layout.bodies[thread.body]
    codes, names = own.codes, layout.families[own.family].names[thread.body]
    scope = Scope(
        values.words.constant(thread.instance),
        values.words.constant(number),
        values.locals_from(own.family, values.register_bits(number)),
    )
    sets = CodeSets(net, values.pc_bits(number), codes.values())
    done = sets.line(codes[pc] for pc in (END, UNBORN) if pc in codes)
    waiting: dict[tuple[Expr, bool], list[int]] = defaultdict(list)
    for k, step in enumerate(body.steps):
        if step.guard is not None:
            waiting[rename(step.guard, names), step.may_end].append(codes[k])
    blocked, parked = [], []
    for (guard, may_end), wanted in waiting.items():
        line = net.and_(sets.line(wanted), values.truth(guard, scope, own.family) ^ 1)
        blocked.append(line)
        if may_end:
            parked.append(line)
    return done, net.any(blocked), net.any(parked)


def _broken(values: Values, nobody: Scope, ops: tuple[Op, ...]) -> dict[int, int]:
    """The first check that fails, per site."""
    net, alive = values.net, TRUE
    broken: dict[int, int] = {}
    for op in ops:
        assert isinstance(op, Check)
        holds = values.truth(op.test, nobody, -1)
        broken[op.site] = net.or_(broken.get(op.site, FALSE), net.and_(alive, holds ^ 1))
        alive = net.and_(alive, holds)
    return broken
