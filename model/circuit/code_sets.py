"""Lines that are true at a set of program counters, out of as few gates as are found.

A counter holds one of few codes, so a line is free on all the others. Every line made so far is a
building block for the next: a set is put together from blocks that tell the most pairs of a wanted
and an unwanted code apart. A heuristic, deterministic, without a claim to be the best.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from model.circuit.netlist import FALSE, TRUE, Netlist

_AND, _OR, _SPLIT = range(3)


class CodeSets:
    """Lines over the bits of one program counter, which holds one of `codes`.

    A set of codes is an integer: bit i stands for the i-th code.
    """

    def __init__(self, net: Netlist, bits: Sequence[int], codes: Iterable[int]) -> None:
        self.net = net
        self.codes = sorted(set(codes))
        self.every = (1 << len(self.codes)) - 1
        self._place = {code: 1 << i for i, code in enumerate(self.codes)}
        # A set and its complement stand beside one another.
        self._blocks: dict[int, int] = {0: FALSE, self.every: TRUE}
        self._halves = [0]
        for q, bit in enumerate(bits):
            self._add(sum(self._place[code] for code in self.codes if code >> q & 1), bit)

    def line(self, wanted: Iterable[int], among: Iterable[int] | None = None) -> int:
        """True at the wanted codes, false at the others of `among`, by default of `codes`."""
        on = self._set(wanted)
        within = self.every if among is None else self._set(among)
        return self._blocks[self._separate(on, within & ~on)]

    def _set(self, codes: Iterable[int]) -> int:
        return sum(self._place[code] for code in set(codes))

    def _add(self, table: int, literal: int) -> int:
        if table not in self._blocks:
            self._halves.append(table)
            self._blocks[table] = literal
            self._blocks[self.every ^ table] = literal ^ 1
        return table

    def _separate(self, on: int, off: int) -> int:
        """A block that holds all of `on` and none of `off`, made where there is none."""
        if off == self.every ^ on and on in self._blocks:
            return on
        wanted, unwanted = on.bit_count(), off.bit_count()
        best, gain, how = 0, 0, _AND
        for half in self._halves:
            table, inside, outside = half, (on & half).bit_count(), (off & half).bit_count()
            for _ in range(2):
                if inside == wanted:
                    if not outside:
                        return table
                    found, way = 2 * wanted * (unwanted - outside), _AND
                elif not outside:
                    found, way = 2 * inside * unwanted, _OR
                else:
                    # Half as good, for its rest is two problems instead of one.
                    found, way = inside * (unwanted - outside), _SPLIT
                if found > gain:
                    best, gain, how = table, found, way
                table, inside, outside = self.every ^ half, wanted - inside, unwanted - outside
        if how == _AND:
            rest = self._separate(on, off & best)
            made = self.net.and_(self._blocks[best], self._blocks[rest])
            return self._add(best & rest, made)
        first = best if how == _OR else self._separate(on & best, off)
        rest = self._separate(on & ~best, off)
        made = self.net.or_(self._blocks[first], self._blocks[rest])
        return self._add(first | rest, made)
