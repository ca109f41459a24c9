"""What differs between two versions of a program, in words of its steps and not of its text.

Steps are known by their labels and compared by what they do, which includes the labels of the steps
that they lead to: where they stand in their file does not count, nor their number in the body.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from model.expressions import Local
from model.program import END, Body, Check, Goto, Label, Program, SharedVariable, Spawn
from model.program import show_parameter as shown
from model.signature import site_name
from model.steps_table import source_name


class Change(StrEnum):
    """How a part of a program differs. The value is the mark in front of it."""

    REMOVED = "-"
    ADDED = "+"
    CHANGED = "~"


@dataclass(frozen=True, slots=True)
class Difference:
    """A part of a program that one version has and the other has not, or has otherwise."""

    change: Change
    part: str

    def __str__(self) -> str:
        return f"{self.change} {self.part}"


def program_diff(before: Program, after: Program) -> tuple[Difference, ...]:
    """What `after` has and `before` has not, and the other way round; empty for the same meaning.

    Numbers that the compiler gives to calls of noinline functions count as what a step does.
    """
    if before.hash == after.hash:
        return ()
    found = [
        *_named(_settings(before), _settings(after)),
        *_named(_variables(before), _variables(after)),
        *_named(_threads(before), _threads(after)),
        *_named(_sites(before), _sites(after)),
    ]
    bodies = {body.name: body for body in after.bodies}
    for body in before.bodies:
        found += _steps(before, body, after, bodies.pop(body.name, None))
    for body in bodies.values():
        found += _steps(before, None, after, body)
    return tuple(found) or (Difference(Change.CHANGED, "the order of its parts"),)


def _named(before: dict[str, Hashable], after: dict[str, Hashable]) -> Iterator[Difference]:
    """Parts that have a name of their own."""
    for name in before:
        if name not in after:
            yield Difference(Change.REMOVED, name)
        elif before[name] != after[name]:
            values = (before[name], after[name])
            told = "" if isinstance(values[0], _Meaning) else f": {values[0]} -> {values[1]}"
            yield Difference(Change.CHANGED, f"{name}{told}")
    for name in after:
        if name not in before:
            yield Difference(Change.ADDED, name)


def _settings(program: Program) -> dict[str, Hashable]:
    settings: dict[str, Hashable] = {
        f"parameter {name}": shown(value) for name, value in program.parameters
    }
    return {**settings, "step limit": program.steps_max}


def _variables(program: Program) -> dict[str, Hashable]:
    return {f"variable {each.name}": _variable(each) for each in program.variables}


def _variable(variable: SharedVariable) -> str:
    kind = "names" if variable.type.names else f"{variable.type.width} bits"
    wraps = ", wrapping" if variable.type.wrapping else ""
    first = " ".join(variable.type.show(value) for value in variable.init)
    roles = [role for role in ("ghost", "lock", "internal") if getattr(variable, role)]
    return ", ".join([f"{kind}{wraps}, at first {first}", *roles, *variable.type.names])


def _threads(program: Program) -> dict[str, Hashable]:
    return {
        f"thread {each.name}": ", ".join(
            [
                program.bodies[each.body].name,
                *(["daemon"] if each.daemon else []),
                *(["child"] if each.child else []),
            ]
        )
        for each in program.threads
    }


def _sites(program: Program) -> dict[str, Hashable]:
    found: dict[str, Hashable] = {
        f"oracle {site_name(program, number)}": "there" for number in range(len(program.sites))
    }
    for name in ("invariants", "at_end", "until"):
        conditions = getattr(program, name)
        if conditions:
            found[f"what {name} says"] = _Meaning(_meaning(conditions, program, None))
    return found


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What is compared, and too long to be shown."""

    value: Hashable


def _steps(
    before: Program, old: Body | None, after: Program, new: Body | None
) -> Iterator[Difference]:
    """The steps of a body, by their labels."""
    if old is None or new is None:
        there = old or new
        assert there is not None
        change = Change.ADDED if old is None else Change.REMOVED
        yield Difference(change, f"body {there.name}: {len(there.steps)} steps")
        return
    if _entry(before, old) != _entry(after, new):
        yield Difference(Change.CHANGED, f"{old.name}: its locals, or how it begins")
    first, second = _doings(before, old), _doings(after, new)
    for label, doing in first.items():
        if label not in second:
            yield Difference(Change.REMOVED, str(label))
        elif doing != second[label]:
            yield Difference(Change.CHANGED, str(label))
    for label in second:
        if label not in first:
            yield Difference(Change.ADDED, str(label))


def _doings(program: Program, body: Body) -> dict[Label, Hashable]:
    return {step.label: _meaning(step, program, body) for step in body.steps}


def _entry(program: Program, body: Body) -> Hashable:
    names = tuple(sorted({(source_name(name), kind) for name, kind in body.locals}, key=str))
    return _meaning((names, body.entry), program, body)


def _meaning(value: Any, program: Program, body: Body | None) -> Hashable:
    """A part of the IR with names in place of numbers, and without lines."""
    match value:
        case Goto(step, yields):
            assert body is not None
            return "goto", "end" if step == END else str(body.steps[step].label), yields
        case Check(site, test):
            return "check", site_name(program, site), _meaning(test, program, body)
        case Spawn(thread, site):
            return "spawn", program.threads[thread].name, site_name(program, site)
        case Local(name):
            # The compiler numbers the locals of functions that it inlines.
            return "local", source_name(name)
        case tuple():
            return tuple(_meaning(item, program, body) for item in value)
    if not dataclasses.is_dataclass(value):
        assert isinstance(value, Hashable)
        return value
    names = [field.name for field in dataclasses.fields(value) if field.name != "line"]
    parts = (_meaning(getattr(value, name), program, body) for name in names)
    return type(value).__name__, *parts
