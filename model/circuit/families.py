"""Bodies that call the same functions share one circuit of them.

Steps of different bodies that do the same and go on alike (a partition refined until it is stable)
become one merged step, and bodies with many of them become a family: the selected thread of the
family is selected in, whatever its body, and each merged step is evaluated once. Ways back to
different callers are the arms of one switch. This changes the size of the circuit, never what a
step does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from model.expressions import Binary, Cond, Elem, Expr, Local, Not, Var
from model.program import (
    END,
    Assign,
    Assume,
    Check,
    Choose,
    Goto,
    If,
    IntType,
    Op,
    Program,
    Step,
    Switch,
)

SHARED_STEPS_MIN = 6
Place = tuple[int, int]


@dataclass(frozen=True)
class MergedStep:
    """A step of one or several bodies, with jumps to merged steps and locals of the family."""

    members: tuple[Place, ...]
    ops: tuple[Op, ...]


@dataclass(frozen=True)
class Family:
    """Bodies that share a circuit: merged steps, all locals' types, each body's names for them."""

    bodies: tuple[int, ...]
    steps: tuple[MergedStep, ...]
    number: dict[Place, int]
    locals: dict[str, IntType]
    names: dict[int, dict[str, str]]


def families(program: Program) -> tuple[Family, ...]:
    """The families of a program, in the order of their first bodies."""
    classes = _classes(program)
    members: dict[int, list[Place]] = defaultdict(list)
    for place, number in classes.items():
        members[number].append(place)
    shared: dict[tuple[int, int], int] = defaultdict(int)
    for places in members.values():
        for a in sorted({b for b, _ in places}):
            for b in sorted({b for b, _ in places if b > a}):
                shared[a, b] += 1
    leader = list(range(len(program.bodies)))
    for (a, b), count in sorted(shared.items()):
        if count >= SHARED_STEPS_MIN and _locals_agree(program, a, b):
            old, new = leader[b], leader[a]
            leader = [new if x == old else x for x in leader]
    grouped = [
        tuple(b for b, x in enumerate(leader) if x == first) for first in sorted(set(leader))
    ]
    return tuple(_family(program, bodies, classes) for bodies in grouped)


def _classes(program: Program) -> dict[Place, int]:
    """Steps of one class do the same and go to steps of equal classes; each has one step a body."""
    keys: dict[Place, object] = {}
    for b, body in enumerate(program.bodies):
        seen: dict[tuple[str, int], int] = defaultdict(int)
        for k, step in enumerate(body.steps):
            at = (step.function, step.line)
            keys[b, k] = (at, seen[at], step.guard, step.may_end, _skeleton(step.ops))
            seen[at] += 1
    classes = _number(keys)
    while True:
        refined = {}
        for b, k in keys:
            after = tuple(
                -1 if t == END else classes[b, t] for t in _jumps(program.bodies[b].steps[k].ops)
            )
            refined[b, k] = (classes[b, k], after)
        finer = _number(refined)
        if len(set(finer.values())) == len(set(classes.values())):
            return finer
        classes = finer


def _number(keys: Mapping[Place, object]) -> dict[Place, int]:
    numbers: dict[object, int] = {}
    return {place: numbers.setdefault(key, len(numbers)) for place, key in keys.items()}


def _skeleton(ops: tuple[Op, ...]) -> tuple[object, ...]:
    """The operations without where they go: jumps and the ways back to callers are blank."""
    return tuple(
        (If, op.test, _skeleton(op.then), _skeleton(op.orelse))
        if isinstance(op, If)
        else (Switch, op.local)
        if isinstance(op, Switch)
        else (Goto, op.yields)
        if isinstance(op, Goto)
        else op
        for op in ops
    )


def _jumps(ops: tuple[Op, ...]) -> list[int]:
    """The targets of the jumps outside switches, in order."""
    found: list[int] = []
    for op in ops:
        if isinstance(op, Goto):
            found.append(op.step)
        elif isinstance(op, If):
            found += _jumps(op.then) + _jumps(op.orelse)
    return found


def _is_shared(name: str) -> bool:
    """Locals of inlined functions and results have the same name in every body."""
    return "." in name or name.startswith("result")


def _locals_agree(program: Program, a: int, b: int) -> bool:
    mine, yours = dict(program.bodies[a].locals), dict(program.bodies[b].locals)
    return all(mine[n] == yours[n] for n in mine.keys() & yours.keys() if _is_shared(n))


def _family(program: Program, bodies: tuple[int, ...], classes: dict[Place, int]) -> Family:
    alone = len(bodies) == 1
    names = {
        b: {
            n: n if alone or _is_shared(n) else f"{program.bodies[b].name}/{n}"
            for n, _ in program.bodies[b].locals
        }
        for b in bodies
    }
    number: dict[Place, int] = {}
    first: dict[int, int] = {}
    merged: list[list[Place]] = []
    for b in bodies:
        for k in range(len(program.bodies[b].steps)):
            key = classes[b, k]
            if key not in first:
                first[key] = len(merged)
                merged.append([])
            number[b, k] = first[key]
            merged[first[key]].append((b, k))
    steps = tuple(
        MergedStep(tuple(places), _merge(program, places, number, names)) for places in merged
    )
    locals_ = {names[b][n]: kind for b in bodies for n, kind in program.bodies[b].locals}
    return Family(bodies, steps, number, locals_, names)


def _merge(
    program: Program,
    places: list[Place],
    number: dict[Place, int],
    names: dict[int, dict[str, str]],
) -> tuple[Op, ...]:
    """The operations of merged steps: those of the first member, with the callers of all."""
    mine = [_translate(_step(program, p).ops, p[0], number, names[p[0]]) for p in places]
    return _unite(mine)


def _step(program: Program, place: Place) -> Step:
    return program.bodies[place[0]].steps[place[1]]


def _unite(versions: list[tuple[Op, ...]]) -> tuple[Op, ...]:
    """Sequences that differ only in the arms of their switches, as one with all arms."""
    if len(versions) == 1:
        return versions[0]
    united: list[Op] = []
    for ops in zip(*versions, strict=True):
        head = ops[0]
        if isinstance(head, If):
            arms = [op for op in ops if isinstance(op, If)]
            united.append(
                If(head.test, _unite([op.then for op in arms]), _unite([op.orelse for op in arms]))
            )
        elif isinstance(head, Switch):
            every = [arm for op in ops if isinstance(op, Switch) for arm in op.arms]
            united.append(Switch(head.local, tuple(sorted(every, key=lambda arm: arm[0]))))
        else:
            united.append(head)
    return tuple(united)


def _translate(
    ops: tuple[Op, ...], body: int, number: dict[Place, int], names: dict[str, str]
) -> tuple[Op, ...]:
    def go(inner: tuple[Op, ...]) -> tuple[Op, ...]:
        return _translate(inner, body, number, names)

    made: list[Op] = []
    for op in ops:
        match op:
            case Assign(target, value):
                place = rename(target, names)
                assert isinstance(place, (Local, Var, Elem))
                made.append(Assign(place, rename(value, names)))
            case If(test, then, orelse):
                made.append(If(rename(test, names), go(then), go(orelse)))
            case Switch(local, arms):
                made.append(
                    Switch(Local(names[local.name]), tuple((n, go(arm)) for n, arm in arms))
                )
            case Check(site, test):
                made.append(Check(site, rename(test, names)))
            case Assume(test):
                made.append(Assume(rename(test, names)))
            case Choose(target, options):
                made.append(Choose(Local(names[target.name]), options))
            case Goto(step, yields):
                made.append(Goto(step if step == END else number[body, step], yields))
            case _:
                made.append(op)
    return tuple(made)


def translate_entry(program: Program, family: Family) -> list[tuple[Op, ...]]:
    """What each body of a family does before its first step, in the words of the family."""
    return [
        _translate(program.bodies[b].entry, b, family.number, family.names[b])
        for b in family.bodies
    ]


def rename(expr: Expr, names: dict[str, str]) -> Expr:
    """An expression with its locals renamed."""
    match expr:
        case Local(name):
            return Local(names[name])
        case Elem(array, index):
            return Elem(array, rename(index, names))
        case Not(operand):
            return Not(rename(operand, names))
        case Binary(op, left, right):
            return Binary(op, rename(left, names), rename(right, names))
        case Cond(test, then, orelse):
            return Cond(rename(test, names), rename(then, names), rename(orelse, names))
        case _:
            return expr
