"""PCT on small programs, exactly: every permutation of priorities with every change point."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import permutations, product

from model.program import Program
from tests.programs.schedulers_4_4.enumeration import FAILING, Enumeration


def pct_probability(
    program: Program, *, d: int, k: int, before: bool, published: bool = False
) -> Fraction:
    """The probability that PCT fails a program, by executing it under every draw.

    The published figures are of a variant: every step is counted, change points are distinct, and
    each lowers a thread below all others instead of to a place of its own.
    """
    enumeration, threads = Enumeration(program), len(program.threads)
    draws: Iterable[tuple[int, ...]] = product(range(1, k + 1), repeat=d - 1)
    if published:
        draws = permutations(range(1, k + 1), d - 1)
    points = list(draws)
    failing = sum(
        _fails(enumeration, list(order), drawn, before=before, published=published)
        for order in permutations(range(d, d + threads))
        for drawn in points
    )
    return Fraction(failing, len(points) * len(list(permutations(range(threads)))))


def _fails(
    enumeration: Enumeration,
    priorities: list[int],
    points: tuple[int, ...],
    *,
    before: bool,
    published: bool,
) -> bool:
    key, step, lowest = enumeration.initial, 0, 0

    def highest() -> int:
        return max(able, key=priorities.__getitem__)

    while True:
        able = enumeration.enabled(key)
        counted = published or len(able) > 1
        step += counted
        due = [i for i, point in enumerate(points, 1) if counted and point == step]
        for i in due if before else ():
            lowest -= 1
            priorities[highest()] = lowest if published else i
        thread = highest()
        after, outcome = enumeration.after(key, thread)
        if due and not before:
            lowest -= 1
            priorities[thread] = lowest if published else due[0]
        if outcome is not None:
            return outcome in FAILING
        key = after
