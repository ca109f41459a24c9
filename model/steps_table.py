"""A trace as rows that a person reads: what each step did, with names for values."""

from __future__ import annotations

import re
from dataclasses import dataclass

from model.interpreter import Change, Event, Trace, local_type, step_of
from model.program import Choose, Program, SharedVariable
from model.trace import preemptions
from model.validation import leaves

ASSIGNMENT = re.compile(r"(\w+)(?:: [^=]*)? =(?!=)[^;]*$")


@dataclass(frozen=True, slots=True)
class ShownChange:
    """A place that a step changed (`count[TAIL]`), with its values as a person reads them."""

    place: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step as shown; `number` counts from 1.

    `value` is what the local became that the step assigned, where it did. `choices` are such as
    `op = PUT`. `preempted` says that the thread was preempted after the step.
    """

    number: int
    thread: str
    body: str
    text: str
    function: str
    line: int
    value: str | None
    choices: tuple[str, ...]
    changes: tuple[ShownChange, ...]
    preempted: bool


def steps_table(trace: Trace) -> tuple[StepRow, ...]:
    """One row a step, with all that it changed: ghosts and RCU's own variables too."""
    program, cuts = trace.program, frozenset(preemptions(trace))
    known: dict[tuple[int, str], int] = {}
    rows: list[StepRow] = []
    for number, event in enumerate(trace.events):
        known.update({(event.thread, name): value for name, value in event.local_changes})
        step = step_of(program, event)
        rows.append(
            StepRow(
                number=number + 1,
                thread=program.threads[event.thread].name,
                body=event.label.body,
                text=event.label.text,
                function=step.function,
                line=step.line,
                value=_assigned(program, event, known),
                choices=choices_of(program, event),
                changes=tuple(_shown(program.variable[c.variable], c) for c in event.changes),
                preempted=number in cuts,
            )
        )
    return tuple(rows)


def _shown(variable: SharedVariable, change: Change) -> ShownChange:
    before, after = variable.type.show(change.before), variable.type.show(change.after)
    return ShownChange(variable.element(change.index), before, after)


def source_name(local: str) -> str:
    """`page` of the IR's `put_page.page'2`."""
    return local.split(".")[-1].split("'")[0]


def _assigned(program: Program, event: Event, known: dict[tuple[int, str], int]) -> str | None:
    """The value of the local that a single assignment was to, where it matters afterwards."""
    match = ASSIGNMENT.match(event.label.text)
    if match is None:
        return None
    live = program.live[program.threads[event.thread].body][event.next_pc]
    changed = [name for name, _ in event.local_changes]
    for name in (*changed, *sorted(live)):
        if source_name(name) == match[1] and name in live and (event.thread, name) in known:
            return local_type(program, event.thread, name).show(known[event.thread, name])
    return None


def choices_of(program: Program, event: Event) -> tuple[str, ...]:
    """What the step chose; named where every choose() of the step was reached."""
    ops = leaves(step_of(program, event).ops)
    targets = [op.target.name for op in ops if isinstance(op, Choose)]
    if len(targets) != len(event.choices):
        return tuple(f"chose {value}" for value in event.choices)
    return tuple(
        f"{source_name(name)} = {local_type(program, event.thread, name).show(value)}"
        for name, value in zip(targets, event.choices, strict=True)
    )
