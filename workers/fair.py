"""Whose turn it is: shares of the workers' time by weight (Waldspurger and Weihl, OSDI 1995).

Stride scheduling with what was really used: a campaign's pass grows by its worker-seconds divided
by its weight, and the one with the smallest pass is served next. What a lease will take is charged
when it is given, and corrected when it has ended. No clock, no database, no processes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Shares:
    """The passes of campaigns by their numbers."""

    _passes: dict[int, float] = field(default_factory=dict)

    def keep(self, numbers: Iterable[int]) -> None:
        """These are the campaigns now; a new one begins where the least served stands."""
        kept = set(numbers)
        begin = min((self._passes[n] for n in kept & self._passes.keys()), default=0.0)
        self._passes = {n: self._passes.get(n, begin) for n in kept}

    def charge(self, number: int, seconds: float, *, weight: int) -> None:
        """So much of the workers' time was used, or given back where it is negative."""
        assert weight > 0
        if number in self._passes:
            self._passes[number] += seconds / weight

    def in_turn(self, numbers: Iterable[int]) -> list[int]:
        """These campaigns, the least served first."""
        return sorted(numbers, key=lambda number: (self._passes[number], number))
