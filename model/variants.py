"""Many programs that differ from one in a few steps, as one program: a variable says which it is.

A circuit of all of them takes a few times as long to compile as that of one, where there may be
hundreds. Exploring starts from a state that holds the number of the variant, which no step changes.
After Untch, Offutt, Harrold, "Mutation analysis using mutant schemata", ISSTA 1993.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from model.expressions import FALSE, TRUE, Binary, Const, Expr, Var, cond
from model.interpreter import Machine
from model.program import (
    Assign,
    Assume,
    Body,
    Check,
    Choose,
    Fence,
    Goto,
    If,
    IntType,
    Op,
    Program,
    SharedVariable,
    Site,
    Spawn,
    Step,
    Switch,
)
from model.validation import validate

WHICH = "variant"

Place = tuple[int, int]
"""(body, step), both by number."""
Locals = tuple[tuple[str, IntType], ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """What is other than in a program: steps, and behind the last step of a body new ones.

    `locals` and `variables` are added, `sites` too, behind the last. Checks of site `failing` fail.
    """

    steps: Mapping[Place, Step] = field(default_factory=dict)
    locals: Mapping[int, Locals] = field(default_factory=dict)
    variables: tuple[SharedVariable, ...] = ()
    sites: tuple[Site, ...] = ()
    failing: int | None = None


@dataclass(frozen=True, slots=True)
class Variants:
    """The program of several variants of `original`, numbered from 0; `sites` are those of all."""

    program: Program
    original: Program

    def start(self, number: int) -> Machine:
        """The initial state of a variant."""
        machine = Machine(self.program)
        machine.shared[WHICH] = [number]
        return machine


def varied(program: Program, variant: Variant) -> Program:
    """One variant as a program of its own, validated."""
    bodies = []
    for number, body in enumerate(program.bodies):
        steps = dict(enumerate(body.steps))
        steps |= {at: step for (where, at), step in variant.steps.items() if where == number}
        more = variant.locals.get(number, ())
        made = tuple(steps[at] for at in range(len(steps)))
        bodies.append(replace(body, steps=made, locals=(*body.locals, *more)))
    made_of = replace(
        program,
        bodies=tuple(bodies),
        variables=(*program.variables, *variant.variables),
        sites=(*program.sites, *variant.sites),
    )
    if variant.failing is not None:
        made_of = _failing(made_of, {variant.failing: FALSE})
    validate(made_of)
    return made_of


def variants_of(program: Program, variants: Sequence[Variant]) -> Variants:
    """All variants as one program, validated. Names that several add must be of one type."""
    width = max(1, (len(variants) - 1).bit_length())
    # Every bit of the number must count as one that can be set.
    which = SharedVariable(WHICH, IntType(width), None, ((1 << width) - 1,), internal=True)
    variables = {v.name: v for variant in variants for v in variant.variables}
    sites = max((variant.sites for variant in variants), key=len, default=())
    bodies = tuple(_united(number, body, variants) for number, body in enumerate(program.bodies))
    made = replace(
        program,
        bodies=bodies,
        variables=(*program.variables, *variables.values(), which),
        sites=(*program.sites, *sites),
    )
    tests = {v.failing: is_not(k) for k, v in enumerate(variants) if v.failing is not None}
    made = _failing(made, tests)
    validate(made)
    return Variants(made, program)


def is_not(number: int) -> Expr:
    """True in all variants but one."""
    return Binary("!=", Var(WHICH), Const(number))


def _united(number: int, body: Body, variants: Sequence[Variant]) -> Body:
    """A body that does what that of its variant does."""
    first = len(body.steps)
    steps, locals_ = list(body.steps), dict(body.locals)
    for k, variant in enumerate(variants):
        for name, kind in variant.locals.get(number, ()):
            assert locals_.setdefault(name, kind) == kind
        others = {at: step for (where, at), step in variant.steps.items() if where == number}
        by = len(steps) - first
        for at in sorted(others):
            other = others[at]
            ops = _moved(other.ops, first, by)
            if at < first:
                steps[at] = _either(k, replace(other, ops=ops), steps[at])
            else:
                assert at + by == len(steps)
                label = replace(other.label, text=f"{other.label.text}, variant {k}")
                steps.append(replace(other, label=label, ops=ops))
    return replace(body, steps=tuple(steps), locals=tuple(locals_.items()))


def _either(number: int, variant: Step, step: Step) -> Step:
    """The step of one variant, and that of the others.

    Whether an execution may end here is the same for all: it matters only where the guard is false.
    """
    here = Binary("==", Var(WHICH), Const(number))
    guard: Expr | None = None
    if variant.guard is not None or step.guard is not None:
        guard = cond(here, variant.guard or TRUE, step.guard or TRUE)
    assert variant.guard is None or variant.may_end == step.may_end
    return replace(step, guard=guard, ops=(If(here, variant.ops, step.ops),))


def _moved(ops: tuple[Op, ...], first: int, by: int) -> tuple[Op, ...]:
    """The operations, with jumps to `first` and behind going `by` steps further."""
    made: list[Op] = []
    for op in ops:
        match op:
            case Goto(step, yields) if step >= first:
                made.append(Goto(step + by, yields))
            case If(test, then, orelse):
                made.append(If(test, _moved(then, first, by), _moved(orelse, first, by)))
            case Switch(local, arms):
                made.append(Switch(local, tuple((n, _moved(arm, first, by)) for n, arm in arms)))
            case Goto() | Assign() | Check() | Assume() | Choose() | Spawn() | Fence():
                made.append(op)
    return tuple(made)


def _failing(program: Program, tests: Mapping[int, Expr]) -> Program:
    """The program in which checks of these sites in steps and oracles demand more."""

    def demanded(ops: tuple[Op, ...]) -> tuple[Op, ...]:
        made: list[Op] = []
        for op in ops:
            match op:
                case Check(site, test) if site in tests:
                    made.append(Check(site, cond(tests[site], test, FALSE)))
                case If(test, then, orelse):
                    made.append(If(test, demanded(then), demanded(orelse)))
                case Switch(local, arms):
                    made.append(Switch(local, tuple((n, demanded(arm)) for n, arm in arms)))
                case _:
                    made.append(op)
        return tuple(made)

    bodies = tuple(
        replace(
            body,
            steps=tuple(replace(step, ops=demanded(step.ops)) for step in body.steps),
        )
        for body in program.bodies
    )
    return replace(
        program,
        bodies=bodies,
        invariants=demanded(program.invariants),
        at_end=demanded(program.at_end),
    )
