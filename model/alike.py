"""Nodes of a search that differ only in which of several interchangeable threads is which.

With a hundred threads of one body, what has happened so far is who stands where, and nearly all of
that is names. A node's canonical row has the threads of each group in ascending order of all that
the search knows of a thread: what it holds in the state, whether it has stepped, whether it was the
last to step. A thread that is not born stays where it is, since whoever spawns it names it.

The order is over the rows and nothing is kept of it: the way back to real threads is found by
executing (`Search`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.circuit.layout import Layout
from model.circuit.threads_alike import blocks_alike
from model.program import UNBORN
from model.symmetry import symmetry

THREADS_MIN = 8
"""With fewer that are interchangeable, sorting costs more than it saves."""
HELD_BITS_MAX = 60
NOBODY = np.uint64((1 << 64) - 1)

Rows = NDArray[np.uint64]
Numbers = NDArray[np.int64]
Bits = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Group:
    """Interchangeable threads; `places[q]` are the bits of a row that hold bit q of each.

    `unborn` is what a thread holds in the bits `unborn_mask` before it is spawned, or None.
    """

    threads: Numbers
    places: tuple[Numbers, ...]
    unborn: int | None
    unborn_mask: int

    def keys(self, nodes: Nodes) -> tuple[Rows, Rows]:
        """[node, thread]: all that is known of it, NOBODY where unborn; and what it holds."""
        held = np.zeros((len(nodes.bits), len(self.threads)), np.uint64)
        for q, places in enumerate(self.places):
            held |= nodes.bits[:, places].astype(np.uint64) << np.uint64(q)
        keys = held.copy()
        marks = (
            nodes.stepped[:, self.threads],
            nodes.last[:, None] == self.threads + 1,
            nodes.own[:, None] == self.threads + 1,
        )
        for q, mark in enumerate(marks, len(self.places)):
            keys |= mark.astype(np.uint64) << np.uint64(q)
        if self.unborn is not None:
            keys[held & np.uint64(self.unborn_mask) == np.uint64(self.unborn)] = NOBODY
        return keys, held


@dataclass(slots=True)
class Nodes:
    """Nodes as the canonical order sees them.

    `bits` [node, bit] are those of states, `stepped` [node, thread] says who has stepped; `last`
    and `own` [node] are the last thread, and the last that is no daemon, both + 1, or 0.
    """

    bits: Bits
    stepped: Bits
    last: Numbers
    own: Numbers


class Alike:
    """The groups of a program. `kept` are the planes that a row holds, in order."""

    def __init__(self, layout: Layout, kept: Sequence[int]) -> None:
        number = {plane: k for k, plane in enumerate(kept)}
        blocks = blocks_alike(layout, symmetry(layout.program, children=True))
        self.groups = tuple(
            _group(layout, number, block) for block in blocks if _is_worth_it(number, block)
        )

    def sort(self, nodes: Nodes) -> None:
        """Make nodes canonical, in place."""
        for group in self.groups:
            keys, held = group.keys(nodes)
            places, numbers = _places(keys), group.threads + 1
            held = _moved(held, *places)
            for q, bits in enumerate(group.places):
                nodes.bits[:, bits] = held >> np.uint64(q) & np.uint64(1)
            nodes.stepped[:, group.threads] = _moved(nodes.stepped[:, group.threads], *places)
            for column in (nodes.last, nodes.own):
                mark = _moved(column[:, None] == numbers, *places)
                among = mark.any(axis=1)
                column[among] = numbers[mark[among].argmax(axis=1)]

    def firsts(self, nodes: Nodes) -> NDArray[np.bool_]:
        """[node, thread]: false for a thread that is in everything like one before it."""
        first = np.ones(nodes.stepped.shape, np.bool_)
        for group in self.groups:
            keys, _ = group.keys(nodes)
            source, _ = _places(keys)
            ordered = np.take_along_axis(keys, source, axis=1)
            again = group.threads[source[:, 1:]]
            np.put_along_axis(first, again, ordered[:, 1:] != ordered[:, :-1], axis=1)
        return first

    def real_threads(self, node: Nodes) -> list[int]:
        """Who stands in each place of the canonical form of a single node."""
        real = list(range(node.stepped.shape[1]))
        for group in self.groups:
            source, target = _places(group.keys(node)[0])
            for place, thread in zip(target[0], source[0], strict=True):
                real[int(group.threads[place])] = int(group.threads[thread])
        return real


def _places(keys: Rows) -> tuple[Numbers, Numbers]:
    """The thread that stands in place source[i] goes to place target[i]. Unborn ones stay."""
    source = np.argsort(keys, axis=1, kind="stable")
    return source, np.argsort(keys == NOBODY, axis=1, kind="stable")


def _moved(column: NDArray[Any], source: Numbers, target: Numbers) -> NDArray[Any]:
    moved = np.empty_like(column)
    np.put_along_axis(moved, target, np.take_along_axis(column, source, axis=1), axis=1)
    return moved


def unpacked(rows: Rows) -> Bits:
    """[row, bit]."""
    return np.unpackbits(
        np.ascontiguousarray(rows).astype("<u8").view(np.uint8), axis=1, bitorder="little"
    )


def packed(bits: Bits) -> Rows:
    """The reverse of `unpacked`."""
    return np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def _is_worth_it(number: dict[int, int], block: dict[int, tuple[int, ...]]) -> bool:
    held = max(sum(plane in number for plane in planes) for planes in block.values())
    return len(block) >= THREADS_MIN and held <= HELD_BITS_MAX


def _group(layout: Layout, number: dict[int, int], block: dict[int, tuple[int, ...]]) -> Group:
    rows = [[plane for plane in planes if plane in number] for planes in block.values()]
    threads = list(block)
    first, mask, unborn = threads[0], 0, None
    if layout.program.threads[first].child:
        unborn = 0
        code = layout.code(first, UNBORN)
        for q, plane in enumerate(rows[0]):
            kind, owner, bit = layout.planes[plane]
            if kind == "pc" and owner == first:
                mask |= 1 << q
                unborn |= (code >> bit & 1) << q
    columns = zip(*rows, strict=True)
    return Group(
        np.array(threads),
        tuple(np.array([number[plane] for plane in column]) for column in columns),
        unborn,
        mask,
    )
