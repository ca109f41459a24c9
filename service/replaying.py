"""A stored failure executed again: its trace, frame by frame or as a whole, and the verdict."""

import sys
from dataclasses import dataclass

from model.interpreter import Trace, replay
from model.program_json import from_json
from model.steps_table import steps_table
from model.stored_schedule import reconstruct
from service.failures import LoadedFailure, title_of
from service.frames import frame_text, frames_of
from service.reading import columns, pretty
from service.stepper import step_through


@dataclass(frozen=True, slots=True)
class Replayed:
    """A trace, and whether it ends as the stored failure does."""

    loaded: LoadedFailure
    trace: Trace

    @property
    def is_reproduced(self) -> bool:
        """True where the same oracle is violated by the same step."""
        record = self.loaded.failure.record
        if self.trace.site is None or not self.trace.events:
            return False
        site = self.trace.program.sites[self.trace.site]
        ended = (site.oracle.value, site.sentence, str(self.trace.events[-1].label))
        return ended == (record.oracle, record.sentence, record.step_label)

    @property
    def verdict(self) -> str:
        """The word for it."""
        return "reproduced" if self.is_reproduced else "not reproduced"

    @property
    def ending(self) -> str:
        """How the execution ended, as a sentence."""
        outcome = "the schedule ends before the execution does"
        if self.trace.outcome is not None:
            outcome = self.trace.outcome.value
        if self.trace.site is None:
            return outcome
        site = self.trace.program.sites[self.trace.site]
        return f"{outcome}: {site.oracle}: {site.sentence}"


def replayed(loaded: LoadedFailure) -> Replayed:
    """Execute the minimal interleaving in the program as it was stored."""
    program = from_json(loaded.program.ir)
    schedule = reconstruct(program, loaded.failure.record.schedule)
    return Replayed(loaded, replay(program, schedule))


def show_steps(again: Replayed) -> None:
    """Let a person go through the frames."""
    frames = frames_of(again.trace)
    ending = f"{again.ending}\n{again.verdict}"
    last = len(frames) - 1
    step_through(
        lambda position: frame_text(frames[position], steps=last, ending=ending),
        last=last,
        out=sys.stdout,
    )


def trace_lines(again: Replayed) -> list[str]:
    """One line a step: who, what, the value it got, what it changed."""
    rows: list[tuple[str, ...]] = []
    for row in steps_table(again.trace):
        value = "" if row.value is None else f" -> {row.value}"
        choices = "".join(f" [{choice}]" for choice in row.choices)
        changed = "  ".join(f"{c.place}: {c.before} -> {c.after}" for c in row.changes)
        rows.append((str(row.number), row.thread, f"{row.text}{value}{choices}", changed))
        if row.preempted:
            rows.append(("", row.thread, "<preempted>", ""))
    number = again.loaded.failure.failure_id
    return [
        f"failure {number}   {title_of(again.loaded)}",
        "",
        *columns(rows, right=frozenset({0})),
        "",
        again.ending,
        again.verdict,
    ]


def trace_json(again: Replayed) -> str:
    """The same as an object."""
    return pretty(trace_object(again))


def trace_object(again: Replayed) -> dict[str, object]:
    """A trace, step by step."""
    return {
        "failure": again.loaded.failure.failure_id,
        "verdict": again.verdict,
        "outcome": None if again.trace.outcome is None else again.trace.outcome.value,
        "ending": again.ending,
        "steps": [
            {
                "step": row.number,
                "thread": row.thread,
                "text": row.text,
                "function": row.function,
                "line": row.line,
                "value": row.value,
                "choices": list(row.choices),
                "changes": [
                    {"place": c.place, "before": c.before, "after": c.after}
                    for c in row.changes
                ],
                "preempted": row.preempted,
            }
            for row in steps_table(again.trace)
        ],
    }
