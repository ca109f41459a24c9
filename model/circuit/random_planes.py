"""SFC64 (Chris Doty-Humphrey): random 64-bit words, good in every bit, of which lane L sees bit L.

One generator a machine word of lanes, so that results do not depend on the vector width. The vector
form is emitted into the circuit's loop; this is the reference, which seeds it and which tests
compare with.
"""

from __future__ import annotations

from dataclasses import dataclass

MASK = (1 << 64) - 1
WARM_UP = 12


@dataclass(slots=True)
class Sfc64:
    """The state of one generator."""

    a: int
    b: int
    c: int
    counter: int = 1

    def next(self) -> int:
        """The next 64 random bits."""
        result = (self.a + self.b + self.counter) & MASK
        self.counter = (self.counter + 1) & MASK
        self.a = self.b ^ (self.b >> 11)
        self.b = (self.c + (self.c << 3)) & MASK
        self.c = (((self.c << 24) | (self.c >> 40)) + result) & MASK
        return result


def mix(value: int) -> int:
    """The output function of SplitMix64 (Steele, Lea, Flood 2014): a bijection of 64-bit words."""
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def generator(root_seed: int, block: int, word: int) -> Sfc64:
    """The generator of one machine word of lanes in one block: a pure function of the three."""
    key = 0
    for part in (root_seed & MASK, root_seed >> 64, block, word):
        key = mix(key ^ mix(part & MASK))
    made = Sfc64(mix(key), mix(key ^ 1), mix(key ^ 2))
    for _ in range(WARM_UP):
        made.next()
    return made
