"""Numbers of a few bits as literals, lowest bit first: what the schedulers' circuits count with."""

from __future__ import annotations

from collections.abc import Sequence

from model.circuit.netlist import FALSE, Netlist
from model.schedulers.scheduler import RandomBit

Bits = Sequence[int]


def constant(number: int, width: int) -> list[int]:
    """The literals of a known number."""
    assert number < 1 << width
    return [number >> q & 1 for q in range(width)]


def exceeds(net: Netlist, bits: Bits, number: int) -> int:
    """bits > number."""
    result = FALSE
    for q, bit in enumerate(bits):
        result = net.and_(bit, result) if number >> q & 1 else net.or_(bit, result)
    return result


def is_zero(net: Netlist, bits: Bits) -> int:
    """bits == 0."""
    return net.any(bits) ^ 1


def less(net: Netlist, a: Bits, b: Bits) -> int:
    """a < b; either may be longer."""
    result = FALSE
    for q in range(max(len(a), len(b))):
        x = a[q] if q < len(a) else FALSE
        y = b[q] if q < len(b) else FALSE
        result = net.mux(net.xor(x, y), y, result)
    return result


def equal(net: Netlist, a: Bits, b: Bits) -> int:
    """a == b, of the same length."""
    return net.all(net.xor(x, y) ^ 1 for x, y in zip(a, b, strict=True))


def added(net: Netlist, a: Bits, b: Bits, *, width: int) -> list[int]:
    """The lowest `width` bits of a + b."""
    total, carry = [], FALSE
    for q in range(width):
        x = a[q] if q < len(a) else FALSE
        y = b[q] if q < len(b) else FALSE
        differ = net.xor(x, y)
        total.append(net.xor(differ, carry))
        carry = net.mux(differ, carry, x)
    return total


def increased(net: Netlist, bits: Bits, one: int) -> list[int]:
    """bits + one, without the carry."""
    total = []
    for bit in bits:
        total.append(net.xor(bit, one))
        one = net.and_(bit, one)
    return total


def decreased(net: Netlist, bits: Bits, one: int) -> list[int]:
    """bits - one, without the borrow."""
    return [bit ^ 1 for bit in increased(net, [bit ^ 1 for bit in bits], one)]


def mux(net: Netlist, select: int, then: Bits, orelse: Bits) -> list[int]:
    """`then` where `select` holds, else `orelse`."""
    return [net.mux(select, x, y) for x, y in zip(then, orelse, strict=True)]


def selected(net: Netlist, lines: Bits, rows: Sequence[Bits]) -> list[int]:
    """The row whose line is true; 0 where none is."""
    return [
        net.any(net.and_(line, bit) for line, bit in zip(lines, column, strict=True))
        for column in zip(*rows, strict=True)
    ]


def highest(net: Netlist, lines: Bits, rows: Sequence[Bits]) -> list[int]:
    """Of the lines that are true, those whose number is the largest."""
    lines = list(lines)
    for q in reversed(range(len(rows[0]))):
        some = net.any(net.and_(line, row[q]) for line, row in zip(lines, rows, strict=True))
        lines = [
            net.and_(line, net.or_(row[q], some ^ 1)) for line, row in zip(lines, rows, strict=True)
        ]
    return lines


def first_of(net: Netlist, lines: Bits) -> list[int]:
    """Of the lines that are true, the first alone."""
    found, before = [], FALSE
    for line in lines:
        found.append(net.and_(line, before ^ 1))
        before = net.or_(before, line)
    return found


def draw_below(net: Netlist, count: Bits, random_bit: RandomBit) -> tuple[list[int], int]:
    """A number below `count`, uniform where the line that goes with it says that it is one.

    It takes one random bit fewer than `count` has, and ignores those that are not needed.
    """
    bits = [
        net.and_(random_bit(), exceeds(net, count, 1 << q)) for q in range(max(0, len(count) - 1))
    ]
    return bits, less(net, bits, count)


def drawn_below(count: int, width: int, random_bit: RandomBit) -> int | None:
    """The reference of `draw_below`, for a count of `width` bits; None where the draw fails."""
    number = sum(random_bit() << q for q in range(max(0, width - 1)))
    number &= (1 << max(0, (count - 1).bit_length())) - 1
    return number if number < count else None
