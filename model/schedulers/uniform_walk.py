"""The uniform walk: every enabled thread is as likely as the others, at every step, exactly.

With n threads enabled, a number r is drawn from as few random bits as tell n threads apart; where
r < n, the r-th enabled thread steps, else the draw is repeated. A lane whose draws all fail stands
still for one pass. What is rejected does not depend on which thread a number stands for, so the
choice given success is exactly uniform; only the speed depends on the number of draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model.circuit.netlist import FALSE, Netlist


@dataclass(frozen=True, slots=True)
class UniformWalk:
    """The scheduler; `draws` is the number of tries a pass."""

    draws: int = 2

    @property
    def name(self) -> str:
        """How rows and reports call it."""
        return "uniform_walk"

    def reference(self, enabled: Sequence[int], random_bit: Callable[[], int]) -> int | None:
        """The thread that steps, or None where the lane stands still. `random_bit` gives 0 or 1.

        A pass always consumes `draws` times as many bits as tell all threads of the program apart;
        those that are not needed to tell the enabled ones apart are ignored.
        """
        ranks = [thread for thread, can in enumerate(enabled) if can]
        width = (len(enabled) - 1).bit_length()
        chosen: int | None = None
        for _ in range(self.draws):
            number = sum(random_bit() << q for q in range(width))
            number &= (1 << (len(ranks) - 1).bit_length()) - 1
            if chosen is None and number < len(ranks):
                chosen = ranks[number]
        return chosen

    def circuit(
        self, net: Netlist, enabled: Sequence[int], random_bit: Callable[[], int]
    ) -> list[int]:
        """A line for each thread: it steps. At most one is true.

        Gates grow as T log T with T threads.
        """
        width = (len(enabled) - 1).bit_length()
        ranks, count = _ranks(net, enabled, width + 1)
        number, accepted = [FALSE] * width, FALSE
        for _ in range(self.draws):
            bits = [net.and_(random_bit(), _exceeds(net, count, 1 << q)) for q in range(width)]
            below = _less(net, bits, count)
            number = [net.mux(accepted, old, new) for old, new in zip(number, bits, strict=True)]
            accepted = net.or_(accepted, below)
        if width == 0:
            return [enabled[0]]
        return [
            net.all(
                [can, accepted, *(net.xor(x, y) ^ 1 for x, y in zip(rank, number, strict=True))]
            )
            for can, rank in zip(enabled, ranks, strict=True)
        ]


def _ranks(net: Netlist, enabled: Sequence[int], width: int) -> tuple[list[list[int]], list[int]]:
    """For each thread, how many enabled ones precede it (without the top bit); and their number."""
    count, ranks = [FALSE] * width, []
    for can in enabled:
        ranks.append(count[:-1])
        carry, total = can, []
        for bit in count:
            total.append(net.xor(bit, carry))
            carry = net.and_(bit, carry)
        count = total
    return ranks, count


def _exceeds(net: Netlist, bits: Sequence[int], number: int) -> int:
    """bits > number."""
    result = FALSE
    for q, bit in enumerate(bits):
        result = net.and_(bit, result) if number >> q & 1 else net.or_(bit, result)
    return result


def _less(net: Netlist, a: Sequence[int], b: Sequence[int]) -> int:
    """a < b, lowest bits first; `b` may be longer."""
    result = FALSE
    for q, y in enumerate(b):
        x = a[q] if q < len(a) else FALSE
        result = net.mux(net.xor(x, y), y, result)
    return result
