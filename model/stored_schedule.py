"""A schedule as it is stored: "run this thread until before that step", with the values chosen.

It survives edits that a list of picks does not: steps inserted elsewhere in a body are executed on
the way. It names threads by body and instance, steps by label; a label's n-th visit is when its
thread stands before the step having executed it n - 1 times.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

from model.interpreter import Machine, Trace
from model.program import END, Label, Program
from model.schedule import Pick, Schedule

STORED_SCHEDULE_VERSION = 1


class NotApplicable(ValueError):
    """A label, a thread or a choice that the stored schedule names is no longer in the program."""


class DamagedSchedule(ValueError):
    """The text is no stored schedule of a version that this engine reads."""


class Until(StrEnum):
    """Where a segment stops."""

    BEFORE = "before"
    AFTER = "after"
    END = "end"


@dataclass(frozen=True, slots=True)
class Segment:
    """Run instance `instance` of `body` until before (or after) the `visit`-th visit of `label`.

    `label` is None where the thread runs to its end. `choices` are the values that steps of the
    segment chose, in order, each with the label of its step.
    """

    body: str
    instance: int
    until: Until
    label: Label | None
    visit: int
    choices: tuple[tuple[Label, tuple[int, ...]], ...]

    def __str__(self) -> str:
        name = f"{self.body}#{self.instance + 1}"
        if self.label is None:
            return f"run {name} to its end"
        nth = f", visit {self.visit}" if self.visit > 1 else ""
        text = self.label.text + (f" #{self.label.ordinal + 1}" if self.label.ordinal else "")
        return f"run {name} until {self.until} `{text}`{nth}"


def segments(trace: Trace) -> tuple[Segment, ...]:
    """The segments of a trace: one for each stretch of steps by one thread.

    The last one stops after its last step, since that is the one which fails.
    """
    program, executed = trace.program, Counter[tuple[int, Label]]()
    found: list[Segment] = []
    stretches = [(t, list(group)) for t, group in groupby(trace.events, lambda e: e.thread)]
    for number, (thread, events) in enumerate(stretches, start=1):
        executed.update((thread, event.label) for event in events)
        last, is_last = events[-1], number == len(stretches)
        until, label, visit = Until.END, None, 1
        if is_last:
            until, label = Until.AFTER, last.label
            visit = executed[thread, last.label]
        elif last.next_pc != END:
            until, label = Until.BEFORE, program.step_at(thread, last.next_pc).label
            visit = executed[thread, label] + 1
        choices = tuple((event.label, event.choices) for event in events if event.choices)
        performer = program.threads[thread]
        name = program.body_of(thread).name
        found.append(Segment(name, performer.instance, until, label, visit, choices))
    return tuple(found)


def to_json(trace: Trace) -> str:
    """One line of JSON from which `reconstruct` makes the schedule again."""
    rows = [
        {
            "thread": [segment.body, segment.instance],
            "until": str(segment.until),
            "label": None if segment.label is None else [segment.label.text, segment.label.ordinal],
            "visit": segment.visit,
            "choices": [[label.text, label.ordinal, *v] for label, v in segment.choices],
        }
        for segment in segments(trace)
    ]
    document = {
        "version": STORED_SCHEDULE_VERSION,
        "program": trace.program.name,
        "segments": rows,
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def from_json(text: str) -> tuple[str, tuple[Segment, ...]]:
    """The program's name and the segments that `to_json` wrote. Raises DamagedSchedule."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise DamagedSchedule(f"not JSON: {error}") from None
    version = document.get("version") if isinstance(document, dict) else None
    if version != STORED_SCHEDULE_VERSION:
        reads = STORED_SCHEDULE_VERSION
        raise DamagedSchedule(
            f"version {version!r} of a stored schedule; this engine reads {reads}"
        )
    try:
        return str(document["program"]), tuple(_segment(row) for row in document["segments"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DamagedSchedule(f"damaged stored schedule: {type(error).__name__}: {error}") from None


def _segment(row: dict[str, Any]) -> Segment:
    body, instance = row["thread"]
    until = Until(row["until"])
    label = None if row["label"] is None else Label(str(body), *row["label"])
    if (label is None) != (until is Until.END):
        raise ValueError("a segment stops at a label or at the end")
    choices = tuple(
        (Label(str(body), text, ordinal), tuple(int(v) for v in values))
        for text, ordinal, *values in row["choices"]
    )
    return Segment(str(body), int(instance), until, label, int(row["visit"]), choices)


def reconstruct(program: Program, text: str) -> Schedule:
    """The schedule in `program` that a stored one describes; for the same IR, the same schedule.

    In another version of the program it goes as far as it can: a segment also stops where its
    thread waits or has ended, and all stops where the execution ends. A choose() without a stored
    value gives its first option. Whether the schedule still fails, its replay says.

    Raises NotApplicable where a label, a thread, or a value chosen is gone, or the program is
    another one; DamagedSchedule where the text is none.
    """
    name, stored = from_json(text)
    if name != program.name:
        raise NotApplicable(f"the schedule is one of {name}, the program is {program.name}")
    threads = [_thread_of(program, segment) for segment in stored]
    machine, executed = Machine(program), Counter[tuple[int, Label]]()
    schedule: list[Pick] = []
    for thread, segment in zip(threads, stored, strict=True):
        _run(machine, thread, segment, executed, schedule)
    return tuple(schedule)


def _thread_of(program: Program, segment: Segment) -> int:
    for index, thread in enumerate(program.threads):
        body = program.body_of(index)
        if body.name == segment.body and thread.instance == segment.instance:
            known = {step.label for step in body.steps}
            named = [label for label, _ in segment.choices]
            named += [segment.label] if segment.label is not None else []
            for label in named:
                if label not in known:
                    raise NotApplicable(f"{program.title} has no step `{label}`")
            return index
    raise NotApplicable(f"{program.title} has no thread {segment.body}#{segment.instance + 1}")


def _run(
    machine: Machine,
    thread: int,
    segment: Segment,
    executed: Counter[tuple[int, Label]],
    schedule: list[Pick],
) -> None:
    """Take the steps of one segment."""
    values: dict[Label, deque[tuple[int, ...]]] = {}
    for label, chosen in segment.choices:
        values.setdefault(label, deque()).append(chosen)
    while machine.outcome is None and machine.is_enabled(thread):
        label = machine.program.step_at(thread, machine.pcs[thread]).label
        visit = executed[thread, label] + 1
        if segment.until is Until.BEFORE and label == segment.label and visit >= segment.visit:
            return
        stored = values[label].popleft() if values.get(label) else ()
        schedule.append(Pick(thread, _step(machine, thread, label, stored)))
        executed[thread, label] += 1
        if segment.until is Until.AFTER and label == segment.label and visit >= segment.visit:
            return


def _step(machine: Machine, thread: int, label: Label, stored: tuple[int, ...]) -> tuple[int, ...]:
    chosen: list[int] = []

    def choose(options: tuple[int, ...]) -> int:
        value = stored[len(chosen)] if len(chosen) < len(stored) else options[0]
        if value not in options:
            raise NotApplicable(f"`{label}` no longer offers the choice {value}")
        chosen.append(value)
        return value

    machine.step(thread, choose)
    return tuple(chosen)
