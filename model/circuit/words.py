"""Integers as bits of a circuit: two's complement with a sign of its own, as wide as needed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from model.circuit.netlist import FALSE, TRUE, Netlist
from model.expressions import Interval


@dataclass(frozen=True, slots=True)
class Word:
    """The number sum(bits[q] << q) - (sign << len(bits))."""

    bits: tuple[int, ...]
    sign: int = FALSE

    def bit(self, q: int) -> int:
        """Bit q of the infinite two's complement form."""
        return self.bits[q] if q < len(self.bits) else self.sign

    def padded(self, width: int) -> tuple[int, ...]:
        """The lowest `width` bits."""
        return tuple(self.bit(q) for q in range(width))


class Words:
    """Arithmetic on words over one netlist."""

    def __init__(self, net: Netlist) -> None:
        self.net = net

    @staticmethod
    def constant(value: int) -> Word:
        """A known number."""
        width = value.bit_length() if value >= 0 else (~value).bit_length()
        return Word(tuple(value >> q & 1 for q in range(width)), TRUE if value < 0 else FALSE)

    @staticmethod
    def fit(word: Word, bounds: Interval) -> Word:
        """The same number, in no more bits than its bounds need."""
        low, high = bounds
        width = max(
            high.bit_length() if high >= 0 else (~high).bit_length(),
            (~low).bit_length() if low < 0 else 0,
        )
        sign = FALSE if low >= 0 else TRUE if high < 0 else word.bit(max(width, len(word.bits)))
        return Word(word.padded(width), sign)

    def truth(self, word: Word) -> int:
        """True where the number is not 0."""
        return self.net.any((*word.bits, word.sign))

    def add(self, a: Word, b: Word, *, carry: int = FALSE) -> Word:
        """a + b + carry."""
        net, width = self.net, max(len(a.bits), len(b.bits)) + 1
        total = []
        for x, y in zip(a.padded(width + 1), b.padded(width + 1), strict=True):
            differ = net.xor(x, y)
            total.append(net.xor(differ, carry))
            carry = net.mux(differ, carry, x)
        return Word(tuple(total[:-1]), total[-1])

    def subtract(self, a: Word, b: Word) -> Word:
        """a - b."""
        return self.add(a, Word(tuple(bit ^ 1 for bit in b.bits), b.sign ^ 1), carry=TRUE)

    def bitwise(self, op: str, a: Word, b: Word) -> Word:
        """a & b, a | b, a ^ b."""
        gate = {"&": self.net.and_, "|": self.net.or_, "^": self.net.xor}[op]
        width = max(len(a.bits), len(b.bits))
        bits = tuple(gate(x, y) for x, y in zip(a.padded(width), b.padded(width), strict=True))
        return Word(bits, gate(a.sign, b.sign))

    def shift(self, a: Word, left: int) -> Word:
        """a << left, or a >> -left."""
        return Word((FALSE,) * left + a.bits, a.sign) if left >= 0 else Word(a.bits[-left:], a.sign)

    def scale(self, a: Word, factor: int) -> Word:
        """a * factor."""
        total, digits = self.constant(0), abs(factor)
        for q in range(digits.bit_length()):
            if digits >> q & 1:
                total = self.add(total, self.shift(a, q))
        return total if factor >= 0 else self.subtract(self.constant(0), total)

    def equal(self, a: Word, b: Word) -> int:
        """True where the numbers are equal."""
        width = max(len(a.bits), len(b.bits))
        pairs = zip((*a.padded(width), a.sign), (*b.padded(width), b.sign), strict=True)
        return self.net.all(self.net.xor(x, y) ^ 1 for x, y in pairs)

    def less(self, a: Word, b: Word) -> int:
        """True where a < b."""
        width, result = max(len(a.bits), len(b.bits)), FALSE
        for x, y in zip(a.padded(width), b.padded(width), strict=True):
            result = self.net.mux(self.net.xor(x, y), y, result)
        return self.net.mux(self.net.xor(a.sign, b.sign), a.sign, result)

    def mux(self, select: int, then: Word, orelse: Word) -> Word:
        """`then` where `select` holds, else `orelse`."""
        width = max(len(then.bits), len(orelse.bits))
        pairs = zip(then.padded(width), orelse.padded(width), strict=True)
        bits = tuple(self.net.mux(select, x, y) for x, y in pairs)
        return Word(bits, self.net.mux(select, then.sign, orelse.sign))

    def merge(self, entries: Sequence[tuple[int, Word]], width: int) -> Word:
        """The OR of masked words: equal literals are masked once, by the OR of their masks."""
        bits = []
        for q in range(width):
            lines: dict[int, list[int]] = defaultdict(list)
            for mask, word in entries:
                lines[word.bit(q)].append(mask)
            bits.append(
                self.net.any(self.net.and_(bit, self.net.any(m)) for bit, m in lines.items())
            )
        return Word(tuple(bits))
