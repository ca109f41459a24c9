"""A circuit again, with fewer gates: what is computed twice in different ways is computed once.

Lines that agree over random inputs may be equal; they are, where they agree over every value of a
few lines that both depend on. Nothing is merged on the strength of the random inputs alone, so the
circuit means the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from model.circuit.netlist import AND, INPUT, Netlist

SAMPLE_BITS = 4096
CUT_MAX = 8
EXPANSIONS_MAX = 24


def input_table(number: int, inputs: int) -> int:
    """The values of input `number` over all 2^inputs cases: bit `number` of the case."""
    half = 1 << number
    block = ((1 << half) - 1) << half
    return block * (((1 << (1 << inputs)) - 1) // ((1 << 2 * half) - 1))


def sweep(net: Netlist, outputs: Iterable[int]) -> tuple[Netlist, dict[int, int]]:
    """A netlist of what the outputs need, and the new literal of every old even literal in it.

    Every input is kept, in order.
    """
    return _Sweep(net).copy(outputs)


class _Sweep:
    """The new netlist under construction, with the values of its gates over random inputs."""

    def __init__(self, old: Netlist) -> None:
        self.old, self.net = old, Netlist()
        self.every = (1 << SAMPLE_BITS) - 1
        self.samples = [0]
        self.known: dict[int, list[int]] = {}
        self.merged: dict[int, int] = {}

    def copy(self, outputs: Iterable[int]) -> tuple[Netlist, dict[int, int]]:
        """As `sweep` says."""
        needed, stack = set[int](), [literal >> 1 for literal in outputs]
        while stack:
            gate = stack.pop()
            if gate not in needed:
                needed.add(gate)
                kind, left, right = self.old.gates[gate]
                if kind != INPUT:
                    stack += (left >> 1, right >> 1)
        new = {0: 0}
        for gate, (kind, left, right) in enumerate(self.old.gates):
            if gate == 0:
                continue
            if kind == INPUT:
                new[2 * gate] = self.net.input()
                self._sample()
            elif gate in needed:
                a, b = new[left & ~1] ^ (left & 1), new[right & ~1] ^ (right & 1)
                made = self.net.and_(a, b) if kind == AND else self.net.xor(a, b)
                self._sample()
                new[2 * gate] = self.merged.get(made >> 1, made & ~1) ^ (made & 1)
        return self.net, new

    def _sample(self) -> None:
        """Simulate the gates made since, and look whether one is already there."""
        for gate in range(len(self.samples), len(self.net.gates)):
            kind, left, right = self.net.gates[gate]
            if kind == INPUT:
                drawn = hashlib.shake_128(b"input %d" % gate).digest(SAMPLE_BITS // 8)
                self.samples.append(int.from_bytes(drawn))
                continue
            value = _apply(kind, self._value(left), self._value(right))
            self.samples.append(value)
            polarity = value & 1
            key = value ^ (self.every if polarity else 0)
            rivals = self.known.setdefault(key, [])
            for rival in rivals[:1]:
                if key and _equal(self.net, rival >> 1, gate, (rival ^ polarity) & 1):
                    self.merged[gate] = rival ^ polarity
                    break
            else:
                rivals.append(2 * gate ^ polarity)

    def _value(self, literal: int) -> int:
        return self.samples[literal >> 1] ^ (self.every if literal & 1 else 0)


def _apply(kind: int, a: int, b: int) -> int:
    return a & b if kind == AND else a ^ b


def _equal(net: Netlist, a: int, b: int, differ: int) -> bool:
    """Whether gate b is gate a (or its complement) for every value of some lines below both."""
    cut, cone = {a, b}, list[int]()
    for _ in range(EXPANSIONS_MAX):
        top = max(cut)
        kind, left, right = net.gates[top]
        if kind == INPUT:
            return False
        cut.discard(top)
        cone.append(top)
        cut |= {left >> 1, right >> 1}
        cut.discard(0)
        if len(cut) <= CUT_MAX and _agree(net, sorted(cut), cone, a, b, differ):
            return True
    return False


def _agree(
    net: Netlist, cut: Sequence[int], cone: Sequence[int], a: int, b: int, differ: int
) -> bool:
    every = (1 << (1 << len(cut))) - 1
    table = {gate: input_table(k, len(cut)) for k, gate in enumerate(cut)}
    table[0] = 0
    for gate in reversed(cone):
        kind, left, right = net.gates[gate]
        values = [table[x >> 1] ^ (every if x & 1 else 0) for x in (left, right)]
        table[gate] = _apply(kind, *values)
    return table[a] ^ table[b] == (every if differ else 0)
