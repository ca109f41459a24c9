"""The places that SURW may find interesting, how often each, and the weights of threads there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from model.program import Program
from model.schedulers.profile import touches_of_walks

SHARE_BITS = 6


@dataclass(frozen=True, slots=True)
class InterestingPlace:
    """A place by its number in `resources`; its share of 2^SHARE_BITS; each thread's weight."""

    group: int
    member: int
    share: int
    weights: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Interest:
    """What may be drawn; `largest` bounds the weight of each thread over all places."""

    places: tuple[InterestingPlace, ...]

    @property
    def largest(self) -> tuple[int, ...]:
        """For each thread, its largest weight."""
        return tuple(map(max, zip(*(each.weights for each in self.places), strict=True)))

    def of_share(self, number: int) -> InterestingPlace:
        """The place of a number below 2^SHARE_BITS."""
        for each in self.places:
            number -= each.share
            if number < 0:
                return each
        raise AssertionError("the shares are all there is")


@lru_cache(maxsize=4)
def interest(program: Program) -> Interest:
    """From the walks of a program. Where no threads compete, the place is none, (0, 0)."""
    walks, touched = touches_of_walks(program)
    total = Counter({place: sum(counts) for place, counts in touched.items()})
    if not total:
        nobody = (0,) * len(program.threads)
        return Interest((InterestingPlace(0, 0, 1 << SHARE_BITS, nobody),))
    shares = _shares([total[place] for place in touched])
    return Interest(
        tuple(
            # A thread that has touched it at all has a weight.
            InterestingPlace(*place, share, tuple(-(-n // walks) for n in counts))
            for (place, counts), share in zip(touched.items(), shares, strict=True)
            if share
        )
    )


def _shares(counts: list[int]) -> list[int]:
    """2^SHARE_BITS split in proportion, by the largest remainders."""
    whole, total = 1 << SHARE_BITS, sum(counts)
    shares = [whole * count // total for count in counts]
    rest = sorted(range(len(counts)), key=lambda i: (-(whole * counts[i] % total), i))
    for i in rest[: whole - sum(shares)]:
        shares[i] += 1
    return shares
