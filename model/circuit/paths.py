"""Paths through one step: each a line that holds where it is taken, and what was asked on the way.

What happens on several paths of a step holds on their union. Asked for as a tree, with what the
paths share asked once, it is smaller than the OR of the paths.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from model.circuit.code_sets import CodeSets
from model.circuit.netlist import TRUE, Netlist
from model.circuit.words import Word

Way = int | tuple[CodeSets, int]
"""What holds along a path: a line, or that a number is one of some."""
Trail = tuple[Way, ...]


class Paths:
    """Every path so far, by its line, with its trail from the beginning of the step."""

    def __init__(self, net: Netlist) -> None:
        self.net = net
        self._trails: dict[int, Trail] = {TRUE: ()}
        self._numbers: dict[tuple[Word, tuple[int, ...]], CodeSets] = {}

    def where(self, path: int, line: int) -> int:
        """The path that goes on where a line holds."""
        return self._on(path, line, line)

    def one_of(self, number: Word, values: Sequence[int]) -> CodeSets:
        """Lines over a number that has one of some values wherever it is asked for."""
        key = (number, tuple(values))
        if key not in self._numbers:
            self._numbers[key] = CodeSets(self.net, number.bits, values)
        return self._numbers[key]

    def where_equal(self, path: int, sets: CodeSets, value: int) -> int:
        """The path that goes on where a number has a value."""
        return self._on(path, sets.line([value]), (sets, value))

    def _on(self, path: int, line: int, way: Way) -> int:
        under = self.net.and_(path, line)
        self._trails.setdefault(under, (*self._trails[path], way))
        return under

    def any_of(self, taken: Sequence[int], every: Sequence[int]) -> int:
        """True on any of the paths taken, of all that the step has."""
        if len(taken) == len(every):
            return TRUE
        return self._any([self._trails[path] for path in taken])

    def _any(self, trails: Sequence[Trail]) -> int:
        if () in trails:
            return TRUE
        after: dict[Way, list[Trail]] = defaultdict(list)
        for way, *rest in trails:
            after[way].append(tuple(rest))
        lines: list[int] = []
        arms: dict[tuple[CodeSets, int], list[int]] = defaultdict(list)
        below = {way: self._any(rests) for way, rests in after.items()}
        for way, line in below.items():
            if isinstance(way, tuple):
                arms[way[0], line].append(way[1])
            elif way ^ 1 not in below:
                lines.append(self.net.and_(way, line))
            elif not way & 1:
                lines.append(self.net.mux(way, line, below[way ^ 1]))
        lines += [self.net.and_(line, sets.line(v)) for (sets, line), v in arms.items()]
        return self.net.any(lines)
