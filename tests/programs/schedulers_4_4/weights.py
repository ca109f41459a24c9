"""URW on small programs, exactly: the probabilities of all its choices, over states and weights."""

from collections.abc import Sequence
from fractions import Fraction
from functools import cache

from model.program import UNBORN, Program
from model.schedulers.profile import children
from tests.programs.schedulers_4_4.enumeration import FAILING, Enumeration, Key


def urw_probability(program: Program, steps: Sequence[int]) -> Fraction:
    """The probability that URW fails a program; `steps` are what threads are expected to take."""
    enumeration, below = Enumeration(program), children(program)

    def weight(key: Key, left: tuple[int, ...], thread: int) -> int:
        unborn = (child for child in below[thread] if key[0][child] == UNBORN)
        return left[thread] + sum(weight(key, left, child) for child in unborn)

    @cache
    def failing(key: Key, left: tuple[int, ...]) -> Fraction:
        total, probability = 0, Fraction(0)
        for thread in enumeration.enabled(key):
            mine = weight(key, left, thread)
            after, outcome = enumeration.after(key, thread)
            fewer = tuple(max(1, n - (t == thread)) for t, n in enumerate(left))
            fails = failing(after, fewer) if outcome is None else Fraction(int(outcome in FAILING))
            total, probability = total + mine, probability + mine * fails
        return probability / total

    return failing(enumeration.initial, tuple(steps))
