"""URW: threads weighted by the steps they have left (Zhao et al., ASPLOS 2025).

A thread's weight is the number of steps that it is expected to take; the next thread is chosen
among the enabled ones with probability proportional to the weights, where a thread also has those
of the children that are not born yet; each step takes one off, down to 1. Where the numbers are
exact and nobody blocks, every interleaving is as likely as every other: the product of the choices
is 1 / multinomial.

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
from model.schedulers.profile import descendants, profile
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
        """Gates grow as T log T with T threads, and with the children that there are."""
        net, weights, planes = turn.net, profile(program).steps, iter(turn.kept)
        left = [[next(planes) for _ in range(weight.bit_length())] for weight in weights]
        below = descendants(program)
        total, largest = [], []
        for thread, word in enumerate(left):
            largest.append(weights[thread])
            for child in below[thread]:
                largest[-1] += weights[child]
                unborn = turn.pending()[child].unborn
                more = [net.and_(unborn, bit) for bit in numbers.constant(weights[child], 32)]
                word = numbers.added(net, word, more, width=largest[-1].bit_length())
            total.append([net.and_(bit, turn.enabled[thread]) for bit in word])

        def after(stepped: Stepped) -> list[int]:
            return [
                bit
                for word, steps in zip(left, stepped.threads, strict=True)
                for bit in numbers.decreased(
                    net, word, net.and_(steps, numbers.exceeds(net, word, 1))
                )
            ]

        return Choice(weighted_choice(net, total, largest, turn.random_bit), after)

    def reference(self, program: Program) -> UrwLane:
        """The reference form."""
        return UrwLane(profile(program).steps, descendants(program))


class UrwLane:
    """The reference form."""

    def __init__(self, weights: Sequence[int], below: Sequence[Sequence[int]]) -> None:
        self.left, self.below = list(weights), below
        self.largest = [
            own + sum(weights[child] for child in children)
            for own, children in zip(weights, below, strict=True)
        ]

    def choose(self, before: Before, random_bit: RandomBit) -> int | None:
        """One of the enabled threads, by the steps that it and its unborn children have left."""
        weights = [
            self._weight(thread, before.pending) if can else 0
            for thread, can in enumerate(before.enabled)
        ]
        return weighted(weights, self.largest, random_bit)

    def stepped(self, thread: int, *, yields: bool) -> None:
        """One step less, down to 1."""
        self.left[thread] = max(1, self.left[thread] - 1)

    def _weight(self, thread: int, pending: Sequence[Pending]) -> int:
        unborn = [child for child in self.below[thread] if pending[child].unborn]
        return self.left[thread] + sum(self.left[child] for child in unborn)
