"""The uniform walk: every enabled thread is as likely as the others, at every step, exactly.

With n threads enabled, a number r is drawn from as few random bits as tell n threads apart; where
r < n, the r-th enabled thread steps, else the draw is repeated. A lane whose draws all fail stands
still for one pass. What is rejected does not depend on which thread a number stands for, so the
choice given success is exactly uniform; only the speed depends on the number of draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.circuit.netlist import FALSE, Netlist
from model.program import Program
from model.schedulers.numbers import draw_below, drawn_below, increased
from model.schedulers.scheduler import Before, Choice, RandomBit, Turn

DRAWS = 2


@dataclass(frozen=True, slots=True)
class UniformWalk:
    """The scheduler."""

    def prepared(self, program: Program) -> UniformWalk:
        """Nothing is estimated."""
        return self

    def initial(self, program: Program) -> tuple[bool | None, ...]:
        """It keeps nothing."""
        return ()

    def circuit(self, program: Program, turn: Turn) -> Choice:
        """Gates grow as T log T with T threads."""
        return Choice(uniform_choice(turn.net, turn.enabled, turn.random_bit))

    def reference(self, program: Program) -> UniformLane:
        """The reference form."""
        return UniformLane()


@dataclass(frozen=True, slots=True)
class UniformLane:
    """The reference form; `draws` is the number of tries a pass."""

    draws: int = DRAWS

    def choose(self, before: Before, random_bit: RandomBit) -> int | None:
        """Any of the enabled threads."""
        return chosen_uniformly(before.enabled, random_bit, draws=self.draws)

    def stepped(self, thread: int, *, yields: bool) -> None:
        """Nothing is remembered."""


def chosen_uniformly(
    enabled: Sequence[int], random_bit: RandomBit, *, draws: int = DRAWS
) -> int | None:
    """The reference of `uniform_choice`.

    It always consumes `draws` times as many bits as tell all threads of the program apart; those
    that are not needed to tell the enabled ones apart are ignored.
    """
    ranks = [thread for thread, can in enumerate(enabled) if can]
    chosen: int | None = None
    for _ in range(draws):
        number = drawn_below(len(ranks), (len(enabled) - 1).bit_length() + 1, random_bit)
        if chosen is None and number is not None:
            chosen = ranks[number]
    return chosen


def uniform_choice(
    net: Netlist, enabled: Sequence[int], random_bit: RandomBit, *, draws: int = DRAWS
) -> list[int]:
    """A line for each thread: it is the one chosen. None is where all `draws` have failed."""
    width = (len(enabled) - 1).bit_length()
    ranks, count = _ranks(net, enabled, width + 1)
    number, accepted = [FALSE] * width, FALSE
    for _ in range(draws):
        bits, below = draw_below(net, count, random_bit)
        number = [net.mux(accepted, old, new) for old, new in zip(number, bits, strict=True)]
        accepted = net.or_(accepted, below)
    if width == 0:
        return [enabled[0]]
    return [
        net.all([can, accepted, *(net.xor(x, y) ^ 1 for x, y in zip(rank, number, strict=True))])
        for can, rank in zip(enabled, ranks, strict=True)
    ]


def _ranks(net: Netlist, enabled: Sequence[int], width: int) -> tuple[list[list[int]], list[int]]:
    """For each thread, how many enabled ones precede it (without the top bit); and their number."""
    count, ranks = [FALSE] * width, []
    for can in enabled:
        ranks.append(count[:-1])
        count = increased(net, count, can)
    return ranks, count
