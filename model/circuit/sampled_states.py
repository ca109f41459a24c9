"""The states that executions come through, as hashes that no machine changes.

Registers in which nothing is alive are left out, as the explorer leaves them out, so that what is
counted here is what the explorer counts: states from which an execution goes on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.circuit.layout import Layout
from model.program import UNBORN

# The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)

Hashes = NDArray[np.uint64]


class StateHashes:
    """Hashes of a program's states, each of them a few machine words with plane 0 as bit 0."""

    def __init__(self, layout: Layout) -> None:
        self._words = -(-len(layout.planes) // 64)
        self._threads = [
            self._kept_at(layout, number) for number in range(len(layout.program.threads))
        ]

    def of_states(self, states: Hashes) -> Hashes:
        """The hash of each state [n, words]."""
        # Executions come through few states: registers are left out of one of each.
        _, first, place = np.unique(hashed(states), return_index=True, return_inverse=True)
        different = states[first]
        kept = different.copy()
        for start, width, masks in self._threads:
            kept &= masks[_field(different, start, width)]
        return hashed(kept)[place]

    def counters(self, states: Hashes, threads: NDArray[np.int64]) -> NDArray[np.int64]:
        """The code of the program counter of one thread of each state."""
        codes = np.zeros(len(states), np.int64)
        for number, (start, width, _) in enumerate(self._threads):
            mine = np.nonzero(threads == number)[0]
            codes[mine] = _field(states[mine], start, width)
        return codes

    def _kept_at(self, layout: Layout, number: int) -> tuple[int, int, Hashes]:
        """The first plane and the width of a thread's program counter, and a mask for each code:
        all bits, but for those of its registers in which nothing is alive there.
        """
        thread = layout.program.threads[number]
        body, live = layout.bodies[thread.body], layout.program.live[thread.body]
        names = {code: pc for pc, code in body.codes.items()}
        # A child that has not been spawned holds what it will start with.
        alive = {**live, UNBORN: live[names[layout.entry_codes[number]]]}
        masks = np.full((1 << body.pc_width, self._words), 2**64 - 1, np.uint64)
        for pc, code in body.codes.items():
            for q in range(body.register_width):
                if not any(layout.holds(thread.body, name, q) for name in alive[pc]):
                    word, bit = divmod(layout.position["register", number, q], 64)
                    masks[code, word] &= np.uint64(2**64 - 1 ^ 1 << bit)
        return layout.position["pc", number, 0], body.pc_width, masks


def _field(states: Hashes, first: int, width: int) -> Hashes:
    """The bits [first, first + width) of each state, which may lie in two words."""
    word, bit = divmod(first, 64)
    field = states[:, word] >> np.uint64(bit)
    if bit + width > 64:
        field = field | states[:, word + 1] << np.uint64(64 - bit)
    return field & np.uint64((1 << width) - 1)


def hashed(rows: Hashes) -> Hashes:
    """A hash of each row [n, words]."""
    hashes = np.zeros(len(rows), np.uint64)
    for word in rows.T:
        hashes = mixed((hashes ^ word) + GOLDEN)
    return hashes


def mixed(words: Hashes) -> Hashes:
    """Every word with its bits spread over all of it; one to one."""
    words = (words ^ (words >> np.uint64(30))) * FIRST
    words = (words ^ (words >> np.uint64(27))) * SECOND
    return words ^ (words >> np.uint64(31))
