"""The states that lanes are in at one pass of a block, as hashes that no machine changes.

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

Bits = NDArray[np.uint8]
Hashes = NDArray[np.uint64]


class StateHashes:
    """Hashes of a program's states, each of them a few machine words with plane 0 as bit 0."""

    def __init__(self, layout: Layout) -> None:
        self._planes = len(layout.planes)
        self._words = -(-self._planes // 64)
        self._threads = [
            self._kept_at(layout, number) for number in range(len(layout.program.threads))
        ]

    def of_samples(self, samples: Bits) -> Hashes:
        """The hashes of the lanes of samples [sample, planes and stepping threads, lane].

        A lane in which no thread steps is left out: its execution may have ended.
        """
        stepping = samples[:, self._planes :].any(axis=1).ravel()
        # Copied first: packing along an axis that does not lie together takes three times as long.
        planes = np.ascontiguousarray(samples[:, : self._planes].transpose(0, 2, 1))
        packed = np.packbits(planes, axis=2, bitorder="little")
        states = np.zeros((len(stepping), 8 * self._words), np.uint8)
        states[:, : packed.shape[2]] = packed.reshape(len(stepping), -1)
        return self.of_states(states.view("<u8")[stepping])

    def of_states(self, states: Hashes) -> Hashes:
        """The hash of each state [n, words]."""
        kept, hashes = states.copy(), np.zeros(len(states), np.uint64)
        for first, width, masks in self._threads:
            kept &= masks[_field(states, first, width)]
        for word in kept.T:
            hashes = _mixed((hashes ^ word) + GOLDEN)
        return hashes

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


def _mixed(words: Hashes) -> Hashes:
    words = (words ^ (words >> np.uint64(30))) * FIRST
    words = (words ^ (words >> np.uint64(27))) * SECOND
    return words ^ (words >> np.uint64(31))
