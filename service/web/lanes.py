"""An interleaving as a picture: one lane a thread, one row a step, one column a changed place.

Two views of the same: a strip that shows at a glance who executed when and where it was preempted,
and rows with what was done. Both are made here as numbers and texts; the page only draws them.
"""

from dataclasses import dataclass

from model.columns import shortened, value_columns
from model.interpreter import Trace
from model.steps_table import ShownChange, steps_table

COLUMNS_MAX = 12
STRIP_WIDTH, ROW_HEIGHT, LABEL_WIDTH = 1000, 22, 170


@dataclass(frozen=True, slots=True)
class PlaceColumn:
    """A place that the interleaving changes, with the value it begins with."""

    place: str
    initial: str


@dataclass(frozen=True, slots=True)
class LaneRow:
    """A step in its lane; `values` are the columns' values after it, None where it changed none."""

    number: int
    lane: int
    thread: str
    text: str
    note: str
    function: str
    line: int
    values: tuple[str | None, ...]
    preempted: bool


@dataclass(frozen=True, slots=True)
class Segment:
    """Steps of one thread in a row, in the strip's coordinates."""

    lane: int
    x: float
    y: int
    width: float
    title: str
    preempted: bool


@dataclass(frozen=True, slots=True)
class Lanes:
    """The whole picture; `lanes` are the threads' names in the order in which they first act."""

    lanes: tuple[str, ...]
    columns: tuple[PlaceColumn, ...]
    hidden_columns: int
    rows: tuple[LaneRow, ...]
    segments: tuple[Segment, ...]

    @property
    def strip_height(self) -> int:
        """Of the strip, in its own units."""
        return ROW_HEIGHT * len(self.lanes) + 6

    @property
    def baselines(self) -> tuple[tuple[str, int], ...]:
        """Each lane's name with the height of its line in the strip."""
        return tuple((name, ROW_HEIGHT * n + 14) for n, name in enumerate(self.lanes))


def lanes_of(trace: Trace) -> Lanes:
    """The picture of a trace. Where more than COLUMNS_MAX places change, those that change most."""
    threads = list(dict.fromkeys(event.thread for event in trace.events))
    names = tuple(trace.program.threads[thread].name for thread in threads)
    table = steps_table(trace)
    every = value_columns(trace)
    often = sorted(every, key=lambda c: -sum(c.place in _places(row.changes) for row in table))
    kept = {column.place for column in often[:COLUMNS_MAX]}
    columns = [column for column in every if column.place in kept]
    rows = []
    for event, row in zip(trace.events, table, strict=True):
        after = {change.place: change.after for change in row.changes}
        note = "" if row.value is None else f"→ {row.value}"
        rows.append(
            LaneRow(
                number=row.number,
                lane=threads.index(event.thread),
                thread=row.thread,
                text=shortened(row.text),
                note=" ".join([note, *(f"[{choice}]" for choice in row.choices)]).strip(),
                function=row.function,
                line=row.line,
                values=tuple(after.get(column.place) for column in columns),
                preempted=row.preempted,
            )
        )
    return Lanes(
        lanes=names,
        columns=tuple(PlaceColumn(column.place, column.initial) for column in columns),
        hidden_columns=len(every) - len(columns),
        rows=tuple(rows),
        segments=_segments(rows),
    )


def _places(changes: tuple[ShownChange, ...]) -> set[str]:
    return {change.place for change in changes}


def _segments(rows: list[LaneRow]) -> tuple[Segment, ...]:
    unit = (STRIP_WIDTH - LABEL_WIDTH) / max(len(rows), 1)
    segments: list[Segment] = []
    start = 0
    for at, row in enumerate(rows):
        if at + 1 < len(rows) and rows[at + 1].lane == row.lane:
            continue
        first = rows[start]
        steps = f"step {first.number}" if at == start else f"steps {first.number} to {row.number}"
        segments.append(
            Segment(
                lane=row.lane,
                x=round(LABEL_WIDTH + unit * start, 1),
                y=ROW_HEIGHT * row.lane + 4,
                width=round(unit * (at + 1 - start), 1),
                title=f"{row.thread}: {steps}" + (", then preempted" if row.preempted else ""),
                preempted=row.preempted,
            )
        )
        start = at + 1
    return tuple(segments)
