"""The steps of a body as a picture: a box a step from top to bottom, arcs for what goes elsewhere.

An edge to the next step is drawn straight down; every other edge is an arc at the right, the longer
the further out. An edge to the end of the body leads into the bar below the last step.
"""

from dataclasses import dataclass

from model.program import END, Body, Goto, Step
from model.validation import leaves

ROW, TOP, ARC_FIRST, ARC_NEXT, CHARACTER = 26, 8, 14, 9, 7.3
TEXT_MAX = 72


@dataclass(frozen=True, slots=True)
class Node:
    """A step, with its place from the top; `waits` where it has a guard."""

    number: int
    y: int
    text: str
    where: str
    kinds: str
    waits: bool


@dataclass(frozen=True, slots=True)
class Arc:
    """An edge that is not to the next step, as an SVG path."""

    path: str
    back: bool


@dataclass(frozen=True, slots=True)
class StepGraph:
    """The picture of one body; all lengths are in its own units."""

    body: str
    threads: tuple[str, ...]
    nodes: tuple[Node, ...]
    straight: tuple[int, ...]
    arcs: tuple[Arc, ...]
    box_width: int
    width: int
    height: int
    end_y: int


def step_graph(body: Body, threads: tuple[str, ...]) -> StepGraph:
    """The picture of a body that `threads` execute."""
    steps = body.steps
    box_width = round(70 + CHARACTER * max((len(_text(step)) for step in steps), default=10))
    end = len(steps)
    edges = {
        (at, end if goto == END else goto)
        for at, step in enumerate(steps)
        for goto in _targets(step)
    }
    straight = tuple(_y(at) for at, to in sorted(edges) if to == at + 1)
    jumps = sorted(
        (edge for edge in edges if edge[1] != edge[0] + 1), key=lambda e: (abs(e[1] - e[0]), e)
    )
    columns = _columns(jumps)
    arcs = tuple(_arc(edge, columns[edge], box_width) for edge in jumps)
    widest = max(columns.values(), default=-1) + 1
    return StepGraph(
        body=body.name,
        threads=threads,
        nodes=tuple(_node(at, step, body.name) for at, step in enumerate(steps)),
        straight=straight,
        arcs=arcs,
        box_width=box_width,
        width=box_width + ARC_FIRST + ARC_NEXT * widest + 12,
        height=_y(end) + 16,
        end_y=_y(end),
    )


def _targets(step: Step) -> set[int]:
    return {op.step for op in leaves(step.ops) if isinstance(op, Goto)}


def _columns(jumps: list[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """The innermost column that each arc has for itself; short arcs choose first."""
    taken: list[list[tuple[int, int]]] = []
    columns = {}
    for edge in jumps:
        low, high = min(edge), max(edge)
        at = 0
        while at < len(taken) and any(low <= b and a <= high for a, b in taken[at]):
            at += 1
        if at == len(taken):
            taken.append([])
        taken[at].append((low, high))
        columns[edge] = at
    return columns


def _arc(edge: tuple[int, int], column: int, box_width: int) -> Arc:
    start, to = _y(edge[0]) + ROW // 2, _y(edge[1]) + ROW // 3
    out = box_width + ARC_FIRST + ARC_NEXT * column
    path = f"M{box_width} {start}H{out - 4}Q{out} {start} {out} {start + (4 if to > start else -4)}"
    turn = to - 4 if to > start else to + 4
    path += f"V{turn}Q{out} {to} {out - 4} {to}H{box_width + 5}"
    return Arc(path + "m0 -3l-5 3l5 3", back=edge[1] <= edge[0])


def _node(at: int, step: Step, body: str) -> Node:
    inlined = "" if step.function == body else f"{step.function}, "
    kinds = sorted({access.kind for access in step.accesses})
    return Node(
        number=at + 1,
        y=_y(at),
        text=_text(step),
        where=f"{inlined}line {step.line}",
        kinds=" ".join(kinds),
        waits=step.guard is not None,
    )


def _text(step: Step) -> str:
    text = step.label.text + (f" #{step.label.ordinal + 1}" if step.label.ordinal else "")
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"


def _y(at: int) -> int:
    return TOP + ROW * at
