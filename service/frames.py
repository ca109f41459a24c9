"""A trace as frames, one before each step and one after the last: who can go on, all values."""

from collections.abc import Mapping
from dataclasses import dataclass

from model.interpreter import Machine, Trace, local_type
from model.program import END, UNBORN, Program, SharedVariable
from model.steps_table import StepRow, source_name, steps_table


@dataclass(frozen=True, slots=True)
class ShownValue:
    """A place with its value; `before` is what the last step found there, where it changed it."""

    place: str
    value: str
    before: str | None


@dataclass(frozen=True, slots=True)
class ShownThread:
    """Where a thread stands: its next step, or why it has none; the locals that still matter."""

    name: str
    next_step: str
    function: str | None
    line: int | None
    is_enabled: bool
    locals: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """The state after `number` steps; `executed` is the last of them, None before the first."""

    number: int
    executed: StepRow | None
    threads: tuple[ShownThread, ...]
    shared: tuple[ShownValue, ...]
    ghosts: tuple[ShownValue, ...]
    internal: tuple[ShownValue, ...]


def frames_of(trace: Trace) -> tuple[Frame, ...]:
    """All frames of a trace, made by executing it once more."""
    program, machine = trace.program, Machine(trace.program)
    rows = steps_table(trace)
    assert len(rows) == len(trace.events)
    frames = [_frame(machine, 0, None, before=None)]
    for row, event in zip(rows, trace.events, strict=True):
        before = {name: tuple(values) for name, values in machine.shared.items()}
        rest = list(event.choices)
        machine.step(event.thread, lambda _options, rest=rest: rest.pop(0))  # type: ignore[misc]
        frames.append(_frame(machine, row.number, row, before=before))
    assert machine.outcome is trace.outcome and len(frames) == len(trace.events) + 1
    assert program is machine.program
    return tuple(frames)


def frame_text(frame: Frame, *, steps: int, ending: str) -> str:
    """A frame for a terminal. `ending` is said below the last one."""
    lines = [f"step {frame.number} of {steps}" + _executed(frame.executed), ""]
    width = max(len(thread.name) for thread in frame.threads)
    for thread in frame.threads:
        mark = ">" if thread.is_enabled else " "
        known = "".join(f"  {name}={value}" for name, value in thread.locals)
        place = "" if thread.line is None else f"  (line {thread.line})"
        lines.append(f"  {mark} {thread.name:<{width}}  {thread.next_step}{place}{known}")
    for title, values in (
        ("shared", frame.shared),
        ("ghost", frame.ghosts),
        ("RCU's own", frame.internal),
    ):
        if values:
            lines += ["", f"  {title}"] + [_value(value) for value in values]
    return "\n".join(lines + (["", ending] if frame.number == steps else []))


def _executed(row: StepRow | None) -> str:
    if row is None:
        return "   the initial state"
    value = "" if row.value is None else f"  -> {row.value}"
    choices = "".join(f"  [{choice}]" for choice in row.choices)
    return f"   {row.thread}: {row.text}{value}{choices}" + (
        "   then preempted" if row.preempted else ""
    )


def _value(value: ShownValue) -> str:
    changed = "" if value.before is None else f"   <- {value.before}"
    return f"    {value.place} = {value.value}{changed}"


def _frame(
    machine: Machine,
    number: int,
    row: StepRow | None,
    *,
    before: Mapping[str, tuple[int, ...]] | None,
) -> Frame:
    program = machine.program
    kinds: dict[str, list[ShownValue]] = {"shared": [], "ghost": [], "internal": []}
    for variable in program.variables:
        kind = "ghost" if variable.ghost else "internal" if variable.internal else "shared"
        kinds[kind] += _values(variable, machine.shared[variable.name], before)
    return Frame(
        number=number,
        executed=row,
        threads=tuple(_thread(machine, index) for index in range(len(program.threads))),
        shared=tuple(kinds["shared"]),
        ghosts=tuple(kinds["ghost"]),
        internal=tuple(kinds["internal"]),
    )


def _values(
    variable: SharedVariable, values: list[int], before: Mapping[str, tuple[int, ...]] | None
) -> list[ShownValue]:
    shown = []
    for index, value in enumerate(values):
        old = value if before is None else before[variable.name][index]
        shown.append(
            ShownValue(
                variable.element(index),
                variable.type.show(value),
                None if old == value else variable.type.show(old),
            )
        )
    return shown


def _thread(machine: Machine, index: int) -> ShownThread:
    program: Program = machine.program
    pc = machine.pcs[index]
    step = None if pc in (END, UNBORN) else program.step_at(index, pc)
    enabled = machine.outcome is None and machine.is_enabled(index)
    waits = "" if enabled or machine.outcome is not None else "waits: "
    return ShownThread(
        name=program.threads[index].name,
        next_step=(
            f"{waits}{step.label.text}"
            if step is not None
            else "not started"
            if pc == UNBORN
            else "ended"
        ),
        function=None if step is None else step.function,
        line=None if step is None else step.line,
        is_enabled=enabled,
        locals=tuple(
            (source_name(name), local_type(program, index, name).show(value))
            for name, value in sorted(machine.locals[index].items())
        ),
    )
