"""Boolean circuits: AND and XOR gates with complemented edges, shared and folded as they are built.

A literal is `2 * gate + complement`. Gate 0 is the constant false, so literal 0 is false and 1 is
true. Gates of equal structure are one gate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

FALSE, TRUE = 0, 1
INPUT, AND, XOR = 0, 1, 2


class Netlist:
    """Gates in topological order: `gates[g]` is (kind, left literal, right literal)."""

    def __init__(self) -> None:
        self.gates: list[tuple[int, int, int]] = [(INPUT, 0, 0)]
        self._known: dict[tuple[int, int, int], int] = {}

    def input(self) -> int:
        """The literal of a new input."""
        self.gates.append((INPUT, 0, 0))
        return 2 * (len(self.gates) - 1)

    def and_(self, a: int, b: int) -> int:
        """The conjunction of two literals."""
        if a > b:
            a, b = b, a
        if a <= TRUE:
            return b if a == TRUE else FALSE
        if a == b:
            return a
        if a == b ^ 1:
            return FALSE
        absorbed = self._absorb(a, b)
        if absorbed is None:
            absorbed = self._absorb(b, a)
        if absorbed is not None:
            return absorbed
        return self._gate(AND, a, b)

    def _absorb(self, a: int, b: int) -> int | None:
        """Absorption, or None where it does not apply.

        x & (x & y) is x & y; x & ~(x & y) is x & ~y; ~x & (x & y) is false; ~x & ~(x & y) is ~x.
        """
        kind, left, right = self.gates[b >> 1]
        if kind != AND:
            return None
        for this, other in ((left, right), (right, left)):
            if this == a:
                return b if not b & 1 else self.and_(a, other ^ 1)
            if this == a ^ 1:
                return FALSE if not b & 1 else a
        return None

    def xor(self, a: int, b: int) -> int:
        """The exclusive or of two literals."""
        complement = (a ^ b) & 1
        a, b = sorted((a & ~1, b & ~1))
        if a == FALSE:
            return b ^ complement
        if a == b:
            return complement
        for x, y in ((a, b), (b, a)):
            kind, left, right = self.gates[y >> 1]
            if kind == XOR and x in (left, right):
                return (right if x == left else left) ^ complement
        return self._gate(XOR, a, b) ^ complement

    def _gate(self, kind: int, a: int, b: int) -> int:
        gate = self._known.get((kind, a, b))
        if gate is None:
            gate = self._known[kind, a, b] = len(self.gates)
            self.gates.append((kind, a, b))
        return 2 * gate

    def or_(self, a: int, b: int) -> int:
        """The disjunction of two literals."""
        return self.and_(a ^ 1, b ^ 1) ^ 1

    def mux(self, select: int, then: int, orelse: int) -> int:
        """`then` where `select` holds, else `orelse`."""
        if then == orelse:
            return then
        if then == orelse ^ 1:
            return self.xor(select, orelse)
        if select <= TRUE:
            return then if select else orelse
        if then <= TRUE:
            return self.or_(select, orelse) if then else self.and_(select ^ 1, orelse)
        if orelse <= TRUE:
            return self.or_(select ^ 1, then) if orelse else self.and_(select, then)
        return self.xor(orelse, self.and_(select, self.xor(then, orelse)))

    def any(self, literals: Iterable[int]) -> int:
        """The disjunction of any number of literals, as a balanced tree."""
        return self.all(literal ^ 1 for literal in literals) ^ 1

    def all(self, literals: Iterable[int]) -> int:
        """The conjunction of any number of literals, as a balanced tree."""
        level = sorted(set(literals))
        while len(level) > 1:
            level = [
                self.and_(level[i], level[i + 1]) if i + 1 < len(level) else level[i]
                for i in range(0, len(level), 2)
            ]
        return level[0] if level else TRUE

    def equals(self, bits: Sequence[int], number: int) -> int:
        """True where the bits, lowest first, are a number."""
        if number >> len(bits):
            return FALSE
        return self.all(bit ^ (~number >> q & 1) for q, bit in enumerate(bits))
