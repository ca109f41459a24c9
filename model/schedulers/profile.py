"""What schedulers must know of a program before its first block: a few uniform walks of it.

The walks are executed by the interpreter with a generator of their own, so that a profile is a
function of the program and of nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from model.circuit.random_planes import Sfc64
from model.interpreter import Machine
from model.program import Program

WALKS = 16
SEED = (0x50, 0x52, 0x4F)


@dataclass(frozen=True, slots=True)
class Profile:
    """What the walks of a program have shown.

    `contested[w]` counts the steps of walk w before which more than one thread was enabled.
    """

    contested: tuple[int, ...]


@lru_cache(maxsize=4)
def profile(program: Program) -> Profile:
    """Walk a program WALKS times; some milliseconds for each hundred steps."""
    source = Sfc64(*SEED)

    def below(count: int) -> int:
        # Of 64 bits: what is uneven does not matter in an estimate.
        return source.next() % count

    return Profile(tuple(_walk(program, below) for _ in range(WALKS)))


def _walk(program: Program, below: Callable[[int], int]) -> int:
    machine, contested = Machine(program), 0
    while machine.outcome is None:
        enabled = machine.enabled()
        contested += len(enabled) > 1
        thread = enabled[below(len(enabled))]
        machine.step(thread, lambda options: options[below(len(options))])
    return contested
