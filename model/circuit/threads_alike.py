"""The canonical one of states that differ in the order of interchangeable threads.

What a thread holds (program counter, registers, its elements of arrays) is its block of planes. The
canonical state has the blocks of each group in ascending order, as numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

from model.circuit.layout import Layout
from model.circuit.netlist import Netlist
from model.circuit.words import Word, Words
from model.symmetry import Symmetry

Blocks = tuple[dict[int, tuple[int, ...]], ...]
"""For each group, for each of its threads, the planes of its block, lowest first."""


def blocks_alike(layout: Layout, symmetry: Symmetry) -> Blocks:
    """The blocks of each group whose planes can change in all of its threads alike."""
    groups = [
        {thread: _block(layout, thread, symmetry.arrays) for thread in group}
        for group in symmetry.groups
    ]
    return tuple(
        group
        for group in groups
        if all(
            len({plane in layout.always_zero for plane in column}) == 1
            for column in zip(*group.values(), strict=True)
        )
    )


def _block(layout: Layout, thread: int, arrays: Sequence[str]) -> tuple[int, ...]:
    elements = [layout.element_number[name, thread] for name in arrays]
    return tuple(
        number
        for number, (kind, owner, _) in enumerate(layout.planes)
        if (owner in elements if kind == "variable" else owner == thread)
    )


def canonical(state: int, alike: Blocks) -> int:
    """The canonical form of a state, bit q for plane q."""
    for group in alike:
        values = sorted(_value(state, block) for block in group.values())
        for block, value in zip(group.values(), values, strict=True):
            for q, plane in enumerate(block):
                state = state & ~(1 << plane) | (value >> q & 1) << plane
    return state


def _value(state: int, block: Sequence[int]) -> int:
    return sum((state >> plane & 1) << q for q, plane in enumerate(block))


def sort_alike(net: Netlist, planes: Sequence[int], alike: Blocks) -> list[int]:
    """The same as a circuit: neighbours that are out of order change places, round by round."""
    result, words = list(planes), Words(net)
    for group in alike:
        blocks = list(group.values())
        for turn in range(len(blocks)):
            for low, high in zip(blocks[turn % 2 :: 2], blocks[turn % 2 + 1 :: 2], strict=False):
                a, b = ([result[plane] for plane in block] for block in (low, high))
                swap = words.less(Word(tuple(b)), Word(tuple(a)))
                for q in range(len(low)):
                    result[low[q]] = net.mux(swap, b[q], a[q])
                    result[high[q]] = net.mux(swap, a[q], b[q])
    return result
