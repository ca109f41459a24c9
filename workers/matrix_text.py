"""A matrix for a person: a table for the terminal, and the same as Markdown."""

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from workers.matrix import Cell, Kind, Matrix, Row, State

GLYPHS = {
    State.PROVED: "·",
    State.BOUNDED: "~",
    State.ABSENT: "-",
    State.EXEMPT: " ",
    State.UNKNOWN: "?",
}
STYLES = {
    State.FOUND: "red",
    State.BEHIND: "magenta",
    State.PROVED: "green",
    State.BOUNDED: "yellow",
    State.ABSENT: "dim",
    State.EXEMPT: "dim",
    State.UNKNOWN: "yellow",
}
LEGEND = (
    ("x2", "red", "violation found, with 2 preemptions in its minimal interleaving"),
    ("X2", "bold red", "the same, opened: with some of these patches only, there is none"),
    ("b2", "magenta", "found behind the assertion: in the same column without its patch"),
    (" ·", "green", "clean, proved: no reachable state is wrong"),
    (" ~", "yellow", "clean so far: not every state was seen"),
    (" -", "dim", "the oracle is not there; blank: nor with any of these patches"),
    (" ?", "yellow", "not judged"),
)
MARKDOWN_LEGEND = """\
x2 #7: a violation, with 2 preemptions in its minimal interleaving, which is failure 7; X: opened,
for with some of these patches only, there is none; b: behind the assertion, in the same column
without its patch. A number: clean, and there are that many states; ~: so far, in those that were
seen and the schedules executed. -: the oracle is not there; nothing: nor with any of these
patches. ?: not judged."""


def glyph(cell: Cell) -> str:
    """`x2`, `X3`, `b1`, or one character."""
    if cell.finding is None:
        return GLYPHS[cell.state]
    letter = "b" if cell.state is State.BEHIND else "x"
    return (letter.upper() if cell.opened else letter) + str(cell.finding.preemptions)


def style_of(cell: Cell) -> str:
    """The colour of a cell."""
    return f"bold {STYLES[cell.state]}" if cell.opened else STYLES[cell.state]


def label_of(row: Row) -> str:
    """What a row is about, as a person reads it under the name of its program."""
    match row.kind:
        case Kind.ANYTHING:
            return row.variant.name
        case Kind.ASSERTION:
            return row.site
        case Kind.SIGNATURE:
            return f"{row.site.partition(': ')[2]}  [{row.step}]"


def failures_of(cells: tuple[Cell, ...]) -> list[int]:
    """The numbers of the failures of a row, in the order of its columns."""
    numbers = [cell.finding.found.failure_id for cell in cells if cell.finding is not None]
    return list(dict.fromkeys(numbers))


def worth_of(cells: tuple[Cell, ...]) -> str:
    """The states that were seen, from the least to the most of a row's cells."""
    states = sorted({cell.judged.states for cell in cells if cell.judged is not None})
    if not states:
        return ""
    return f"{states[0]:,}" if len(states) == 1 else f"{states[0]:,} to {states[-1]:,}"


def header_of(matrix: Matrix) -> list[str]:
    """The last patch of a prefix (0: none), or the patch that is left out."""
    return [str(len(c.patches) if c.omitted is None else c.omitted) for c in matrix.columns]


def table_of(matrix: Matrix, *, brief: bool) -> RenderableType:
    """The table, the legend and the patches; `brief` leaves the rows of signatures out."""
    # One line a row: a label that is too long for the terminal is cut.
    table = Table(box=None, padding=(0, 0, 0, 1), pad_edge=False, expand=False)
    table.add_column("patches up to … (0: none) │ all but …", no_wrap=True, overflow="ellipsis")
    first_omission = next(n for n, c in enumerate(matrix.columns) if c.omitted is not None)
    for number, name in enumerate(header_of(matrix)):
        if number == first_omission:
            table.add_column("│", no_wrap=True, min_width=1)
        table.add_column(name, justify="right", no_wrap=True, min_width=2)
    table.add_column("failures", no_wrap=True, overflow="ellipsis")
    for row, cells in _shown(matrix, brief=brief):
        top = row.kind is Kind.ANYTHING
        shown: list[RenderableType] = [Text(glyph(cell), style=style_of(cell)) for cell in cells]
        shown.insert(first_omission, Text("│", style="dim", justify="center"))
        label = Text(("" if top else "  ") + label_of(row), style="bold" if top else "")
        worth = f"{worth_of(cells)} states" if top else _numbers(cells)
        table.add_row(label, *shown, Text(worth, style="dim"))
    lines: list[RenderableType] = [Text(matrix.series.title, style="bold"), Text(""), table]
    lines += [Text(""), *(_legend_line(*each) for each in LEGEND), Text("")]
    lines += [Text(f"  {patch.number}  {patch.title}") for patch in matrix.series.patches]
    return Group(*lines)


def print_table(matrix: Matrix, *, brief: bool) -> None:
    """The table on stdout: as wide as the terminal, and as it wants to be where there is none."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)
    console.print(table_of(matrix, brief=brief))


def markdown_of(matrix: Matrix) -> str:
    """A table of every row, the columns named in full."""
    names = [column.name for column in matrix.columns]
    lines = [f"# {matrix.series.title}", ""]
    lines += [f"{patch.number}. {patch.title}" for patch in matrix.series.patches]
    lines += ["", "| | " + " | ".join(names) + " |", "|---" * (1 + len(names)) + "|"]
    for row, cells in matrix.rows:
        label = label_of(row).replace("|", "\\|")
        label = f"**{label}**" if row.kind is Kind.ANYTHING else label
        lines.append(f"| {label} | " + " | ".join(map(_markdown_cell, cells)) + " |")
    lines += ["", MARKDOWN_LEGEND]
    return "\n".join(lines) + "\n"


def _markdown_cell(cell: Cell) -> str:
    if cell.finding is not None:
        return f"{glyph(cell)} #{cell.finding.found.failure_id}"
    if cell.state is State.PROVED and cell.judged is not None:
        return f"{cell.judged.states:,}"
    if cell.state is State.BOUNDED and cell.judged is not None:
        return f"~{cell.judged.states:,}, {cell.judged.effort.schedules:,} schedules"
    return GLYPHS[cell.state].strip()


def _shown(matrix: Matrix, *, brief: bool) -> Iterator[tuple[Row, tuple[Cell, ...]]]:
    for row, cells in matrix.rows:
        if not (brief and row.kind is Kind.SIGNATURE):
            yield row, cells


def _numbers(cells: tuple[Cell, ...]) -> str:
    return " ".join(f"#{number}" for number in failures_of(cells))


def _legend_line(sign: str, style: str, sentence: str) -> Text:
    return Text.assemble("  ", (sign, style), f"  {sentence}")
