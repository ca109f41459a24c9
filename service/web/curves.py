"""Discovery curves as pictures: what was found over how much was executed, logarithmically."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 560, 220, 56, 26, 12


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis, at a place along it."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve in the coordinates of its picture; `area` closes the line with the lower axis."""

    title: str
    line: str
    area: str
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    last: tuple[float, float]
    last_label: str


def curve(title: str, points: Sequence[tuple[int, float]], *, whole: float | None) -> Curve | None:
    """The picture of (blocks, found) pairs in order; None for fewer than two.

    `whole` is what can be found at all, where that is known: the axis then ends there.
    """
    if len(points) < 2:
        return None
    top = max(whole or 0.0, *(found for _, found in points)) or 1.0
    first, end = math.log10(max(points[0][0], 1)), math.log10(max(points[-1][0], 2))
    span = (end - first) or 1.0

    def x(blocks: int) -> float:
        share = (math.log10(max(blocks, 1)) - first) / span
        return round(LEFT + share * (WIDTH - LEFT - 12), 1)

    def y(found: float) -> float:
        return round(HEIGHT - BOTTOM - found / top * (HEIGHT - BOTTOM - TOP), 1)

    places = [(x(blocks), y(found)) for blocks, found in points]
    line = "M" + "L".join(f"{at} {height}" for at, height in places)
    decades = range(math.ceil(first), math.floor(end) + 1)
    step = max(1, math.ceil(len(decades) / 6))
    return Curve(
        title=title,
        line=line,
        area=f"{line}V{HEIGHT - BOTTOM}H{places[0][0]}Z",
        across=tuple(Tick(x(10**power), f"{10**power:,}") for power in decades[::step]),
        up=tuple(Tick(y(top * part), _label(top * part)) for part in (0.0, 0.5, 1.0)),
        last=places[-1],
        last_label=_label(points[-1][1]),
    )


def _label(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"
