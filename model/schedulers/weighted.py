"""One of several with probability proportional to its weight, exactly, in gates and in Python."""

from __future__ import annotations

from collections.abc import Sequence

from model.circuit.netlist import FALSE, Netlist
from model.schedulers import numbers
from model.schedulers.scheduler import RandomBit

DRAWS = 2


def weighted_choice(
    net: Netlist, weights: Sequence[Sequence[int]], largest: Sequence[int], random_bit: RandomBit
) -> list[int]:
    """A line for each: it is the one chosen. None is where all draws failed, or all weights are 0.

    `largest` bounds the weights. A number below their sum is drawn; it lies among the sums of the
    weights up to each. Gates grow as n log(sum of weights) with n weights.
    """
    sums: list[list[int]] = []
    total: list[int] = []
    bound = 0
    for word, most in zip(weights, largest, strict=True):
        bound += most
        total = numbers.added(net, total, word, width=bound.bit_length())
        sums.append(total)
    width = (bound - 1).bit_length()
    padded = [*total, *[FALSE] * (width + 1 - len(total))]
    number, accepted = [FALSE] * width, FALSE
    for _ in range(DRAWS):
        bits, below = numbers.draw_below(net, padded, random_bit)
        number = numbers.mux(net, accepted, number, bits)
        accepted = net.or_(accepted, below)
    lines, before = [], FALSE
    for up_to in sums:
        inside = numbers.less(net, number, up_to)
        lines.append(net.all([accepted, inside, before ^ 1]))
        before = inside
    return lines


def weighted(weights: Sequence[int], largest: Sequence[int], random_bit: RandomBit) -> int | None:
    """The reference of `weighted_choice`."""
    chosen: int | None = None
    for _ in range(DRAWS):
        width = (sum(largest) - 1).bit_length() + 1
        number = numbers.drawn_below(sum(weights), width, random_bit)
        if chosen is None and number is not None:
            chosen = next(i for i in range(len(weights)) if number < sum(weights[: i + 1]))
    return chosen
