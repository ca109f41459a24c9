"""URW: threads weighted by the steps they have left (Zhao et al., ASPLOS 2025).

A thread's weight is the number of steps that it is expected to take; the next thread is chosen
among the enabled ones with probability proportional to the weights, where a thread also has those
of the children that are not born yet, and of all that these will spawn; each step takes one off,
down to 1. Where the numbers are exact and nobody blocks, every interleaving is as likely as every
other: the product of the choices is 1 / multinomial.

The weights are the means over the walks of `profile`, rounded, at least 1. They are a thread's own:
what it has is not lessened by children that are born, while the paper's is counted in one number.

The choice is exact: a number below the sum of the weights, drawn again where it is too large, among
the sums of the weights before each thread. A lane whose draws all fail stands still for one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.program import Program
from model.schedulers import numbers
from model.schedulers.profile import children, profile
from model.schedulers.resources import Pending
from model.schedulers.scheduler import Before, Choice, RandomBit, Stepped, Turn
from model.schedulers.weighted import weighted, weighted_choice


@dataclass(frozen=True, slots=True)
class Urw:
    """The scheduler."""

    def prepared(self, program: Program) -> Urw:
        """The profile is looked up where it is needed."""
        return self

    def initial(self, program: Program) -> tuple[bool | None, ...]:
        """Every thread with the steps that it is expected to take."""
        return tuple(
            bool(bit)
            for weight in profile(program).steps
            for bit in numbers.constant(weight, weight.bit_length())
        )

    def circuit(self, program: Program, turn: Turn) -> Choice:
        """Gates grow as T log T with T threads: a child is looked at once, by its parent."""
        net, weights, planes = turn.net, profile(program).steps, iter(turn.kept)
        left = [[next(planes) for _ in range(weight.bit_length())] for weight in weights]
        below = children(program)
        whole = weights_with_children(weights, below)
        pending = turn.pending() if any(below) else ()
        total = []
        for thread, word in enumerate(left):
            bound = weights[thread]
            for child in below[thread]:
                bound += whole[child]
                width = bound.bit_length()
                more = [
                    net.and_(pending[child].unborn, bit)
                    for bit in numbers.constant(whole[child], width)
                ]
                word = numbers.added(net, word, more, width=width)
            total.append([net.and_(bit, turn.enabled[thread]) for bit in word])

        def after(stepped: Stepped) -> list[int]:
            return [
                bit
                for word, steps in zip(left, stepped.threads, strict=True)
                for bit in numbers.decreased(
                    net, word, net.and_(steps, numbers.exceeds(net, word, 1))
                )
            ]

        return Choice(weighted_choice(net, total, whole, turn.random_bit), after)

    def reference(self, program: Program) -> UrwLane:
        """The reference form."""
        return UrwLane(profile(program).steps, children(program))


def weights_with_children(weights: Sequence[int], below: Sequence[Sequence[int]]) -> list[int]:
    """For each thread its weight, with those of all that it spawns, and of all that these spawn."""

    def whole(thread: int) -> int:
        return weights[thread] + sum(map(whole, below[thread]))

    return [whole(thread) for thread in range(len(weights))]


class UrwLane:
    """The reference form."""

    def __init__(self, weights: Sequence[int], below: Sequence[Sequence[int]]) -> None:
        self.left, self.below = list(weights), below
        self.whole = weights_with_children(weights, below)

    def choose(self, before: Before, random_bit: RandomBit) -> int | None:
        """One of the enabled threads, by the steps that it and its unborn children have left."""
        weights = [
            self._weight(thread, before.pending) if can else 0
            for thread, can in enumerate(before.enabled)
        ]
        return weighted(weights, self.whole, random_bit)

    def stepped(self, thread: int, *, yields: bool) -> None:
        """One step less, down to 1."""
        self.left[thread] = max(1, self.left[thread] - 1)

    def _weight(self, thread: int, pending: Sequence[Pending]) -> int:
        unborn = [child for child in self.below[thread] if pending[child].unborn]
        return self.left[thread] + sum(self.whole[child] for child in unborn)
