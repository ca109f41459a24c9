"""An interleaving as a kernel changelog shows it: one column a thread, time running downwards.

The values that changed stand at the right, on the line that changed them. What does not fit into 75
columns is shortened, then wrapped; where even that is too wide, each line names its thread instead.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from model.interpreter import Machine, Trace
from model.program import END, UNBORN, Outcome, SharedVariable
from model.steps_table import steps_table

WIDTH_MAX = 75
THREADS_MAX = 5
VALUES_MIN = 2
COLUMN_MIN = 5
MARGIN, GAP = "  ", "  "
PREEMPTED = "     <preempted>"
MARK = "  <-- "

# Where the plain form says as much; accesses with an ordering keep their names.
SHORTER = (
    (re.compile(r"\b(?:READ_ONCE|atomic_read|rcu_dereference)\(([^()]*)\)"), r"\1"),
    (re.compile(r"\b(?:WRITE_ONCE|atomic_set)\(([^(),]*), ([^()]*)\)"), r"\1 = \2"),
    (re.compile(r"\batomic_(?=\w+\()"), ""),
)


@dataclass(frozen=True, slots=True)
class Line:
    """What a thread did; `note` follows the text and is never shortened; `values` are by place."""

    thread: int
    text: str
    note: str = ""
    values: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ValueColumn:
    """A place that changed: `count` above `[TAIL]`, or a scalar's name with nothing above it."""

    place: str
    above: str
    name: str
    initial: str
    width: int


def diagram(trace: Trace, *, sentence: str, proof: str | None = None) -> str:
    """The interleaving as text of at most 75 columns, ready to be pasted into a changelog.

    The line below the names holds the initial values; below it a value stands where it changed. The
    last step is marked `<-- sentence`; a deadlock first lists who waits for what. `proof` is a
    paragraph of its own. Only a word that is wider than the page goes beyond it.
    """
    values = value_columns(trace)
    lines = _lines(trace, values) + _waiting(trace)
    threads = sorted({line.thread for line in lines}, key=[line.thread for line in lines].index)
    names = {thread: trace.program.threads[thread].name for thread in threads}
    text = _marked(_fitting(lines, names, values) or _listed(lines, names), sentence)
    if proof:
        text += ["", *_paragraph(proof, MARGIN)]
    return "\n".join(line.rstrip() for line in text) + "\n"


def _fitting(
    lines: Sequence[Line], names: dict[int, str], values: Sequence[ValueColumn]
) -> list[str] | None:
    """Columns of the threads' names or, below a legend, of CPUs, with the values that fit.

    Where not all values fit, those stay that changed most often, at least VALUES_MIN of them.
    """
    if not 0 < len(names) <= THREADS_MAX:
        return None
    often = sorted(values, key=lambda column: -sum(column.place in line.values for line in lines))
    numbered = {thread: f"CPU {number}" for number, thread in enumerate(names)}
    for shown in (names, numbered):
        for count in range(len(values), min(len(values), VALUES_MIN) - 1, -1):
            kept = often[:count]
            drawn = _in_columns(lines, shown, [column for column in values if column in kept])
            if drawn is not None and shown is numbered:
                legend = [f"{MARGIN}{numbered[t]}  {name}" for t, name in names.items()]
                return [*legend, "", *drawn]
            if drawn is not None:
                return drawn
    return None


# -- what is shown ---------------------------------------------------------------------------------


def value_columns(trace: Trace) -> list[ValueColumn]:
    """The variables that changed: those of the protocol; ghosts where nothing else did."""
    changed: dict[tuple[str, int], set[int]] = {}
    for change in (change for event in trace.events for change in event.changes):
        values = changed.setdefault((change.variable, change.index), set())
        values.update((change.before, change.after))
    shown = [v for v in trace.program.variables if not v.internal and not v.lock]
    for ghosts in (False, True):
        columns = [
            _value_column(variable, index, changed[variable.name, index])
            for variable in shown
            for index in range(len(variable.init))
            if variable.ghost == ghosts and (variable.name, index) in changed
        ]
        if columns:
            return columns
    return []


def _value_column(variable: SharedVariable, index: int, values: set[int]) -> ValueColumn:
    place = variable.element(index)
    above = "" if variable.length is None else variable.name
    name, initial = place.removeprefix(above), variable.type.show(variable.init[index])
    width = max(len(above), len(name), *(len(variable.type.show(v)) for v in sorted(values)))
    return ValueColumn(place, above, name, initial, width)


def _lines(trace: Trace, columns: Sequence[ValueColumn]) -> list[Line]:
    places = {column.place for column in columns}
    lines: list[Line] = []
    for event, row in zip(trace.events, steps_table(trace), strict=True):
        note = "" if row.value is None else f"  -> {row.value}"
        note += "".join(f"  [{choice}]" for choice in row.choices)
        values = {c.place: (c.before, c.after) for c in row.changes if c.place in places}
        lines.append(Line(event.thread, row.text, note, values))
        if row.preempted:
            lines.append(Line(event.thread, PREEMPTED))
    return lines


def _waiting(trace: Trace) -> list[Line]:
    """In a deadlock: who waits, and before which step."""
    if trace.outcome is not Outcome.DEADLOCK:
        return []
    program = trace.program
    stands = dict(enumerate(Machine(program).pcs))
    stands.update((event.thread, event.next_pc) for event in trace.events)
    return [
        Line(thread, f"<waits> {program.step_at(thread, pc).label.text}")
        for thread, pc in stands.items()
        if pc not in (END, UNBORN) and not program.threads[thread].daemon
    ]


def shortened(text: str) -> str:
    """The text with accesses in their plain form where that says as much."""
    for pattern, plain in SHORTER:
        text = pattern.sub(plain, text)
    return text


# -- one column a thread ---------------------------------------------------------------------------


def _in_columns(
    lines: Sequence[Line], names: dict[int, str], values: Sequence[ValueColumn]
) -> list[str] | None:
    """The first of the layouts that fits: as it is, shortened, narrowed; None where none does.

    Only one thread acts on a line, so in narrowed columns its text may run on below the next ones,
    up to the values.
    """
    trailing = 1 if values else len(GAP)
    gaps = len(MARGIN) + len(GAP) * len(names) - trailing
    room = WIDTH_MAX - gaps - sum(column.width + 1 for column in values)
    short = [replace(line, text=shortened(line.text)) for line in lines]
    for candidate in (lines, short):
        widths = _natural_widths(candidate, names)
        if sum(widths.values()) <= room:
            return _drawn(candidate, names, widths, values)
    widths = _narrowed(_natural_widths(short, names), names, room)
    cells = [(_reach(line, widths, values), line) for line in short]
    wide = any(len(part) > reach for reach, line in cells for part in _wrapped(line, reach))
    if sum(widths.values()) > room or wide:
        return None
    return _drawn(short, names, widths, values)


def _natural_widths(lines: Sequence[Line], names: dict[int, str]) -> dict[int, int]:
    widths = {thread: len(name) for thread, name in names.items()}
    for line in lines:
        widths[line.thread] = max(widths[line.thread], len(line.text + line.note))
    return widths


def _narrowed(widths: dict[int, int], names: dict[int, str], room: int) -> dict[int, int]:
    """Take from the widest column, again and again, until all fit; from the last one at last."""
    widths, last = dict(widths), list(widths)[-1]
    spare = {thread: widths[thread] - max(COLUMN_MIN, len(name)) for thread, name in names.items()}
    while sum(widths.values()) > room and any(left > 0 for left in spare.values()):
        widest = max(spare, key=lambda thread: (spare[thread] > 0, thread != last, widths[thread]))
        widths[widest] -= 1
        spare[widest] -= 1
    return widths


def _spans(widths: dict[int, int]) -> dict[int, int]:
    """How far the text of each column may reach: from its start to the values."""
    spans: dict[int, int] = {}
    reach = -len(GAP)
    for thread in reversed(widths):
        reach += widths[thread] + len(GAP)
        spans[thread] = reach
    return spans


def _reach(line: Line, widths: dict[int, int], values: Sequence[ValueColumn]) -> int:
    """How far the text of a line may reach: below the values too, where it changes none of them."""
    beside = any(column.place in line.values for column in values)
    return _spans(widths)[line.thread] + (0 if beside else sum(c.width + 1 for c in values))


def _wrapped(line: Line, width: int) -> list[str]:
    """The text on lines of at most `width`; each part of the note stays in one piece."""
    glued = line.note.replace("  ", "\0\0").replace(" ", "\1").replace("\0", " ")
    indent = " " * (len(line.text) - len(line.text.lstrip()) + 4)
    parts = textwrap.wrap(
        line.text + glued, width,
        subsequent_indent=indent, break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [part.replace("\1", " ") for part in parts]


def _drawn(
    lines: Sequence[Line],
    names: dict[int, str],
    widths: dict[int, int],
    values: Sequence[ValueColumn],
) -> list[str]:
    spans = _spans(widths)
    total = max(spans.values())

    def row(left: str, shown: Sequence[str]) -> str:
        cells = [f"{text:>{c.width}}" for c, text in zip(values, shown, strict=True)]
        return (MARGIN + left.ljust(total + len(GAP)) + " ".join(cells)).rstrip()

    def across(cells: Sequence[str]) -> str:
        return GAP.join(cell.ljust(widths[t]) for cell, t in zip(cells, names, strict=True))

    drawn = [
        row("", [column.above for column in values]),
        row(across(list(names.values())), [column.name for column in values]),
        row(across(["-" * len(n) for n in names.values()]), ["-" * len(c.name) for c in values]),
        row("", [column.initial for column in values]),
    ]
    drawn = [text for text in drawn if text]
    blank = [""] * len(values)
    for line in lines:
        shown = [line.values.get(column.place, ("", ""))[1] for column in values]
        start = " " * (total - spans[line.thread])
        for number, part in enumerate(_wrapped(line, _reach(line, widths, values))):
            drawn.append(row(start + part, blank if number else shown))
    return drawn


# -- one line a step, for what is too wide ---------------------------------------------------------


def _listed(lines: Sequence[Line], names: dict[int, str]) -> list[str]:
    width = max((len(name) for name in names.values()), default=0)
    listed: list[str] = []
    for line in lines:
        changes = [f"{place} {old} -> {new}" for place, (old, new) in line.values.items()]
        bracket = f"  [{', '.join(changes)}]" if changes else ""
        head = f"{MARGIN}{names[line.thread]:<{width}}{GAP}"
        text = shortened(line.text) + line.note + bracket
        listed += _paragraph(text.strip(), head, " " * (len(head) + 4))
    return listed


def _paragraph(text: str, head: str, indent: str | None = None) -> list[str]:
    return textwrap.wrap(
        text, WIDTH_MAX, initial_indent=head, subsequent_indent=head if indent is None else indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _marked(drawn: list[str], sentence: str) -> list[str]:
    """`<-- sentence` on the last line, or below it where it does not fit."""
    if not sentence:
        return drawn
    if drawn and len(drawn[-1]) + len(MARK) + len(sentence) <= WIDTH_MAX:
        return [*drawn[:-1], drawn[-1] + MARK + sentence]
    start = len(drawn[-1]) - len(drawn[-1].lstrip()) if drawn else 0
    head = " " * min(start, WIDTH_MAX - min(len(MARK + sentence), WIDTH_MAX // 2)) + MARK.lstrip()
    return [*drawn, *_paragraph(sentence, head, " " * len(head))]
