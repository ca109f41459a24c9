"""Random points among the first k steps at which threads compete, in gates and in Python.

Each is drawn from all k steps, whatever the others are; it is due from its step on until it is met.
"""

from __future__ import annotations

from collections.abc import Sequence

from model.circuit.netlist import FALSE, Netlist
from model.schedulers import numbers
from model.schedulers.scheduler import RandomBit


def initial(number: int, k: int) -> tuple[bool | None, ...]:
    """The planes of `number` points when an execution begins: not drawn, and none met."""
    return (*[None] * (number * (k - 1).bit_length()), *[False] * number)


class Points:
    """The points of one pass: how many steps there are to go to each, and which have been met."""

    def __init__(self, net: Netlist, kept: Sequence[int], number: int, k: int) -> None:
        width = (k - 1).bit_length()
        assert len(kept) == number * (width + 1)
        self.net, self.k = net, k
        self.to_go = [list(kept[i * width : (i + 1) * width]) for i in range(number)]
        self.met = list(kept[number * width :])

    def draw(self, beginning: int, random_bit: RandomBit) -> int:
        """Draw them at the beginning, and again what is too large; true where all are drawn."""
        net, last = self.net, self.k - 1
        for i, word in enumerate(self.to_go):
            fresh = [random_bit() for _ in word]
            draws = net.or_(beginning, numbers.exceeds(net, word, last))
            self.to_go[i] = numbers.mux(net, draws, fresh, word)
        return net.all(numbers.exceeds(net, word, last) ^ 1 for word in self.to_go)

    def due(self) -> list[int]:
        """For each point, whether its step has come and it is not met."""
        return [
            self.net.and_(met ^ 1, numbers.is_zero(self.net, word))
            for met, word in zip(self.met, self.to_go, strict=True)
        ]

    def after(self, counts: int, met: Sequence[int]) -> list[int]:
        """The planes after the pass: one step less where it `counts`; some points are now met."""
        net = self.net
        to_go = [
            numbers.decreased(net, word, net.and_(counts, numbers.is_zero(net, word) ^ 1))
            for word in self.to_go
        ]
        met = [net.or_(old, new) for old, new in zip(self.met, met, strict=True)]
        return [*(bit for word in to_go for bit in word), *met]


class PointsLane:
    """The reference form in one execution."""

    def __init__(self, number: int, k: int) -> None:
        self.k = k
        self.to_go: list[int | None] = [None] * number
        self.met: set[int] = set()

    def draw(self, random_bit: RandomBit) -> bool:
        """Draw what is not drawn yet; true where all are."""
        for i, steps in enumerate(self.to_go):
            fresh = sum(random_bit() << q for q in range((self.k - 1).bit_length()))
            if steps is None and fresh < self.k:
                self.to_go[i] = fresh
        return None not in self.to_go

    def due(self) -> list[int]:
        """The points whose step has come and that are not met."""
        return [i for i, steps in enumerate(self.to_go) if steps == 0 and i not in self.met]

    def count(self) -> None:
        """One step less to each."""
        self.to_go = [steps and steps - 1 for steps in self.to_go]


def at_least_two(net: Netlist, lines: Sequence[int]) -> int:
    """True where two of the lines or more are."""
    one, two = FALSE, FALSE
    for line in lines:
        two = net.or_(two, net.and_(one, line))
        one = net.or_(one, line)
    return two
