"""A matrix as a picture: a heat map in SVG, by itself or in a page, in light and in dark.

The colour of a violation says how many preemptions its minimal interleaving needs: the fewer, the
stronger. A cell says the rest when it is pointed at; in a page, it leads to the interleaving. The
file needs nothing else.
"""

from collections.abc import Iterator, Mapping
from html import escape

from workers.matrix import Cell, Kind, Matrix, Row, State
from workers.matrix_text import header_of, label_of

SIDE, GAP, LABEL, MARGIN = 22, 3, 520, 24
TOP, LEGEND_LINE = 118, 22
SHADES = 5
CLASSES = {
    State.PROVED: "proved",
    State.BOUNDED: "bounded",
    State.ABSENT: "absent",
    State.EXEMPT: "exempt",
    State.UNKNOWN: "unknown",
}
STYLE = """
.paper { fill: #fdfcf9 } text { fill: #24292f; font: 12px system-ui, sans-serif }
.title { font-size: 19px; font-weight: 600 } .faint { fill: #6e7781 }
.program { font-weight: 600 } .in { font-size: 11px; text-anchor: middle; fill: #fff }
.before { fill: #6e7781; text-anchor: end }
.head { text-anchor: middle; font-size: 11px } .rule { stroke: #d0d7de }
.v0 { fill: #a40e26 } .v1 { fill: #c3283a } .v2 { fill: #da4c4c } .v3 { fill: #e8776b }
.v4 { fill: #efa08f } .opened { stroke: #24292f; stroke-width: 2 }
.behind { stroke: #8250df; stroke-width: 2; stroke-dasharray: 3 2 }
.proved { fill: #b7dfc3 } .bounded { fill: #f2e2a8 } .absent { fill: #eceff2 }
.unknown { fill: none; stroke: #afb8c1; stroke-dasharray: 2 2 } .exempt { fill: none }
@media (prefers-color-scheme: dark) {
.paper { fill: #14181d } text { fill: #e3e8ee } .faint, .before { fill: #8d96a0 }
.rule { stroke: #30363d } .in { fill: #fff } .opened { stroke: #f0f3f6 }
.v0 { fill: #ff4d4f } .v1 { fill: #e23b44 } .v2 { fill: #bd2f3a } .v3 { fill: #942a35 }
.v4 { fill: #6d2730 } .behind { stroke: #bc8cff } .proved { fill: #1f4a30 }
.bounded { fill: #574a14 } .absent { fill: #21262d } .unknown { stroke: #57606a } }
"""


def svg_of(matrix: Matrix, *, leads: bool = False) -> str:
    """The heat map as an SVG document; `leads`: cells are links to what a page says of failures."""
    width, height = _width(matrix), _height(matrix)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img">',
            f"<title>{escape(matrix.series.title)}: every patch prefix, every omission</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{width}" height="{height}"/>',
            _text(MARGIN, 38, matrix.series.title, "title"),
            *_header(matrix),
            *_rows(matrix, leads),
            *_legend(matrix),
            "</svg>",
        ]
    )


def page_of(matrix: Matrix, diagrams: Mapping[int, str]) -> str:
    """The heat map in an HTML page of its own, with the diagram of each failure by its number."""
    title = escape(matrix.series.title)
    style = (
        ":root { color-scheme: light dark } body { margin: 0; background: #fdfcf9 } "
        "svg { display: block; margin: auto; max-width: none } main { overflow-x: auto } "
        "a:focus-visible rect { stroke: #0969da; stroke-width: 3 } "
        "section { max-width: 80ch; margin: 2em auto; padding: 0 24px; color: #24292f; "
        "font: 14px system-ui, sans-serif } section:target h2 { text-decoration: underline } "
        "h2 { font-size: 16px } pre { overflow-x: auto; font-size: 13px; line-height: 1.35 } "
        "@media (prefers-color-scheme: dark) { body { background: #14181d } "
        "section { color: #e3e8ee } section a { color: #58a6ff } }"
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<style>{style}</style>\n<main>{svg_of(matrix, leads=True)}</main>\n"
        f"{''.join(_failures(matrix, diagrams))}</html>\n"
    )


def _failures(matrix: Matrix, diagrams: Mapping[int, str]) -> Iterator[str]:
    """Each failure once, where it is first seen in the rows."""
    told = set[int]()
    for row, cells in matrix.rows:
        for cell in cells:
            if cell.finding is None or cell.finding.found.failure_id in told:
                continue
            number = cell.finding.found.failure_id
            told.add(number)
            found = cell.finding.found
            sentence = f"{row.variant.name}: {found.site}, at {found.step}"
            yield (
                f'<section id="failure-{number}">\n<h2>failure {number}</h2>\n'
                f"<p>{escape(sentence)}<br>\n{escape(cell.title)}</p>\n"
                f"<pre>{escape(diagrams[number])}</pre>\n"
                f"<p><code>gracefuzz failures show {number}</code></p>\n</section>\n"
            )


def _x(matrix: Matrix, number: int) -> int:
    """Where a column begins; omissions stand apart from prefixes."""
    apart = SIDE // 2 if matrix.columns[number].omitted is not None else 0
    return MARGIN + LABEL + number * (SIDE + GAP) + apart


def _width(matrix: Matrix) -> int:
    return _x(matrix, len(matrix.columns) - 1) + SIDE + MARGIN


def _height(matrix: Matrix) -> int:
    lines = 7 + len(matrix.series.patches)
    return _bottom(matrix) + (2 + lines) * LEGEND_LINE + MARGIN


def _tops(matrix: Matrix) -> list[int]:
    """Where each row begins: a program's first row has some air above it."""
    tops, y = list[int](), TOP
    for row, _ in matrix.rows:
        y += SIDE // 2 if row.kind is Kind.ANYTHING and tops else 0
        tops.append(y)
        y += SIDE + GAP
    return tops


def _bottom(matrix: Matrix) -> int:
    return max(_tops(matrix), default=TOP) + SIDE


def _header(matrix: Matrix) -> Iterator[str]:
    first = next(n for n, column in enumerate(matrix.columns) if column.omitted is not None)
    yield _text(_x(matrix, 0) - SIDE // 2, TOP - 12, "patches applied, up to", "before")
    yield _text(_x(matrix, first), TOP - 34, "all but", "faint")
    for number, (name, column) in enumerate(zip(header_of(matrix), matrix.columns, strict=True)):
        x = _x(matrix, number) + SIDE // 2
        shown = "none" if not column.patches and column.omitted is None else name
        yield _text(x, TOP - 12, shown, "head", hint=_patches(matrix, number))


def _rows(matrix: Matrix, leads: bool) -> Iterator[str]:
    for (row, cells), y in zip(matrix.rows, _tops(matrix), strict=True):
        top = row.kind is Kind.ANYTHING
        if top:
            left, right = MARGIN, _width(matrix) - MARGIN
            yield f'<line class="rule" x1="{left}" y1="{y - 7}" x2="{right}" y2="{y - 7}"/>'
        label = label_of(row)
        cut = label if len(label) <= 80 else f"{label[:79]}…"
        yield _text(MARGIN + (0 if top else 12), y + 15, cut, "program" if top else "", hint=label)
        for number, cell in enumerate(cells):
            drawn = _drawn(matrix, row, number, cell, y)
            if leads and cell.finding is not None:
                drawn = f'<a href="#failure-{cell.finding.found.failure_id}">{drawn}</a>'
            yield drawn


def _drawn(matrix: Matrix, row: Row, number: int, cell: Cell, y: int) -> str:
    x = _x(matrix, number)
    square = f'x="{x}" y="{y}" width="{SIDE}" height="{SIDE}" rx="4"'
    inside = ""
    if cell.finding is not None:
        inside = _text(x + SIDE // 2, y + 15, str(cell.finding.preemptions), "in")
    return (
        f'<g><title>{escape(_told(matrix, row, number, cell))}</title><rect class="'
        f'{_class(cell)}" {square}/>{inside}</g>'
    )


def _class(cell: Cell) -> str:
    if cell.finding is None:
        return CLASSES[cell.state]
    shade = f"v{min(cell.finding.preemptions, SHADES - 1)}"
    more = " behind" if cell.state is State.BEHIND else " opened" if cell.opened else ""
    return shade + more


def _told(matrix: Matrix, row: Row, number: int, cell: Cell) -> str:
    """What a cell says when it is pointed at."""
    lines = [f"{row.variant.name}: {label_of(row)}", _patches(matrix, number), cell.state.value]
    if cell.opened:
        lines[-1] += "; opened: with some of these patches only, there is none"
    if cell.finding is not None:
        found, known = cell.finding.found, cell.finding
        lines.append(f"failure {found.failure_id}: {found.site}, at {found.step}")
        lines.append(
            f"minimal: {known.preemptions} preemptions, {known.switches} switches, "
            f"{known.threads} threads, {known.steps} steps"
        )
        lines.append(
            "found by exploring; fuzzing has not met it"
            if found.schedules is None
            else f"found by fuzzing in schedule {found.schedules:,} or before"
        )
    if cell.judged is not None:
        seen = "all" if cell.judged.exhausted else "seen"
        lines.append(
            f"{cell.judged.states:,} states, {seen}; {cell.judged.effort.schedules:,} schedules"
        )
        lines.append(cell.title)
    return "\n".join(lines)


def _patches(matrix: Matrix, number: int) -> str:
    column = matrix.columns[number]
    if column.omitted is not None:
        return f"all but patch {column.omitted}: {matrix.series.patches[column.omitted - 1].title}"
    if not column.patches:
        return "no patch"
    last = matrix.series.patches[len(column.patches) - 1]
    return f"up to patch {last.number}: {last.title}"


def _legend(matrix: Matrix) -> Iterator[str]:
    y = _bottom(matrix) + 2 * LEGEND_LINE
    entries = [
        ("v0 v1 v2 v3 v4", "violation; the number counts the preemptions of its minimum, 0 to 4"),
        ("v2 opened", "violation that is opened: with some of these patches only, there is none"),
        ("v2 behind", "violation behind the assertion: in the same column without its patch"),
        ("proved", "clean, proved: no reachable state is wrong"),
        ("bounded", "clean so far: not every state was seen"),
        ("absent", "the oracle is not there; empty: nor with any of these patches"),
        ("unknown", "not judged"),
    ]
    for classes, sentence in entries:
        shades = classes.split() if classes.startswith("v0") else [classes]
        for number, name in enumerate(shades):
            x = MARGIN + number * (SIDE - 4)
            yield f'<rect class="{name}" x="{x}" y="{y - 13}" width="16" height="16" rx="3"/>'
        yield _text(MARGIN + len(shades) * (SIDE - 4) + 8, y, sentence, "")
        y += LEGEND_LINE
    for patch in matrix.series.patches:
        yield _text(MARGIN, y, f"{patch.number}  {patch.title}", "faint")
        y += LEGEND_LINE


def _text(x: int, y: int, text: str, kind: str, *, hint: str = "") -> str:
    inside = f"<title>{escape(hint)}</title>" if hint else ""
    return f'<text class="{kind}" x="{x}" y="{y}">{inside}{escape(text)}</text>'
