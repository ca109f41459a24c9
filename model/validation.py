"""What a well-formed program obeys, checked after it is made and after it is read."""

from __future__ import annotations

from collections.abc import Iterator

from model.expressions import (
    CONSTANT_RIGHT,
    OPERATIONS,
    Binary,
    Const,
    Elem,
    Expr,
    Local,
    Var,
    children,
)
from model.program import (
    DEADLOCK_SITE,
    END,
    Assign,
    Assume,
    Body,
    Check,
    Choose,
    Goto,
    If,
    IntType,
    Op,
    Oracle,
    Program,
    Spawn,
    Switch,
)


class ProgramError(ValueError):
    """The IR breaks a rule of its own: damaged or made by another version."""


def validate(program: Program) -> None:
    """Raise ProgramError unless every reference, width, value and jump is sound."""
    _require(program.steps_max > 0, "steps_max must be positive")
    _require(
        bool(program.sites) and program.sites[DEADLOCK_SITE].oracle is Oracle.DEADLOCK,
        "site 0 is the deadlock",
    )
    _require(bool(program.threads), "a program needs a thread")
    names = [v.name for v in program.variables]
    _require(len(set(names)) == len(names), "two shared variables have one name")
    for variable in program.variables:
        _require(
            len(variable.init) == (variable.length or 1),
            f"{variable.name}: wrong number of initial values",
        )
        _validate_type(variable.type, variable.name)
        _require(
            all(0 <= v <= variable.type.maximum for v in variable.init),
            f"{variable.name}: bad initial value",
        )
    for thread in program.threads:
        _require(0 <= thread.body < len(program.bodies), f"{thread.name}: no such body")
    for body in program.bodies:
        _validate_body(program, body)
    for ops in (program.invariants, program.at_end):
        _validate_ops(program, None, ops, gotos=False)
    for condition in program.until:
        _validate_expr(program, None, condition)


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise ProgramError(sentence)


def _validate_type(kind: IntType, name: str) -> None:
    _require(
        isinstance(kind, IntType) and 0 < kind.width <= 64, f"{name}: width must be 1 to 64 bits"
    )
    _require(
        kind.maximum < 1 << kind.width, f"{name}: more names than {kind.width} bits can tell apart"
    )


def _validate_body(program: Program, body: Body) -> None:
    labels = [step.label for step in body.steps]
    _require(len(set(labels)) == len(labels), f"{body.name}: two steps have one label")
    for name, kind in body.locals:
        _validate_type(kind, name)
    _validate_ops(program, body, body.entry, gotos=True)
    for step in body.steps:
        if step.guard is not None:
            _validate_expr(program, body, step.guard)
        _validate_ops(program, body, step.ops, gotos=True)
        for access in step.accesses:
            _require(
                access.variable in program.variable, f"{step.label}: no variable {access.variable}"
            )
            if access.index is not None:
                _validate_expr(program, body, access.index)


def _validate_ops(program: Program, body: Body | None, ops: tuple[Op, ...], *, gotos: bool) -> None:
    for op in leaves(ops):
        match op:
            case Assign(target, value):
                _validate_expr(program, body, target)
                _validate_expr(program, body, value)
            case Check(site, test):
                _require(0 <= site < len(program.sites), f"no oracle site {site}")
                _validate_expr(program, body, test)
            case Assume(test) | If(test, _, _):
                _validate_expr(program, body, test)
            case Switch(local, _):
                _validate_expr(program, body, local)
            case Choose(target, options):
                _validate_expr(program, body, target)
                _require(len(options) > 0 and min(options) >= 0, "choose() needs options from 0")
            case Spawn(thread, site):
                _require(0 <= thread < len(program.threads), f"no thread {thread}")
                _require(0 <= site < len(program.sites), f"no oracle site {site}")
            case Goto(step, _):
                _require(body is not None, "a jump outside a body")
                _require(
                    step == END or 0 <= step < len(body.steps if body else ()), f"no step {step}"
                )
    if gotos:
        _require(_ends(ops), "a path does not end in a jump")


def _ends(ops: tuple[Op, ...]) -> bool:
    if not ops or any(isinstance(op, Goto) for op in ops[:-1]):
        return False
    last = ops[-1]
    if isinstance(last, Switch):
        return all(_ends(arm) for _, arm in last.arms)
    return isinstance(last, Goto) or (
        isinstance(last, If) and _ends(last.then) and _ends(last.orelse)
    )


def leaves(ops: tuple[Op, ...]) -> Iterator[Op]:
    """Every operation in a tree, an If before its branches."""
    for op in ops:
        yield op
        if isinstance(op, If):
            yield from leaves(op.then)
            yield from leaves(op.orelse)
        elif isinstance(op, Switch):
            for _, arm in op.arms:
                yield from leaves(arm)


def _validate_expr(program: Program, body: Body | None, expr: Expr) -> None:
    match expr:
        case Local(name):
            known = body is not None and any(name == local for local, _ in body.locals)
            _require(known, f"no local {name}")
        case Var(name):
            _require(
                name in program.variable and program.variable[name].length is None,
                f"no variable {name}",
            )
        case Elem(name, _):
            _require(
                name in program.variable and program.variable[name].length is not None,
                f"no array {name}",
            )
        case Binary(op, _, right):
            _require(op in OPERATIONS, f"no operation {op}")
            _require(
                op not in CONSTANT_RIGHT or isinstance(right, Const),
                f"{op} needs a constant on its right",
            )
            if op in ("<<", ">>") and isinstance(right, Const):
                _require(right.value >= 0, f"a shift by {right.value}")
    for child in children(expr):
        _validate_expr(program, body, child)
