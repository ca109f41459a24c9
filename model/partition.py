"""Which states of a graph are branching bisimilar, for hundreds of thousands of them.

Blocks are refined by signatures (Blom and Orzan, STTT 7, 2005): what a state can do next, by which
action and into which block, after silent steps within its own block. Within a block each such
(action, block) gets a bit of its own, so that a signature is a row of words, and following the
silent steps is to OR what they lead to: over arrays, for all states at once. Blocks whose states
have different signatures are split; the largest part keeps its number, so that after the first
rounds only those blocks are looked at again from which something leads into a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SILENT = 0
WORD = 64

Numbers = NDArray[np.int64]
Words = NDArray[np.uint64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Graph:
    """What is seen of each state [states]; of each step [steps] whence, by what action, whither."""

    seen: Numbers
    sources: Numbers
    actions: Numbers
    targets: Numbers

    @classmethod
    def of(cls, graphs: Sequence[Graph]) -> Graph:
        """Several side by side."""
        first = np.cumsum([0, *(len(graph.seen) for graph in graphs[:-1])])
        pairs = list(zip(graphs, first, strict=True))
        return cls(
            np.concatenate([graph.seen for graph in graphs]),
            np.concatenate([graph.sources + begin for graph, begin in pairs]),
            np.concatenate([graph.actions for graph in graphs]),
            np.concatenate([graph.targets + begin for graph, begin in pairs]),
        )

    def quotient(self, blocks: Numbers) -> Graph:
        """The graph of the blocks of a bisimulation [states], numbered as they are."""
        seen = np.empty(blocks.max() + 1, np.int64)
        seen[blocks] = self.seen
        sources, targets = blocks[self.sources], blocks[self.targets]
        shown = (self.actions != SILENT) | (sources != targets)
        steps = (sources[shown], self.actions[shown], targets[shown])
        _, first = numbered(*steps)
        return Graph(seen, *(column[first] for column in steps))


def refined(graph: Graph) -> Numbers:
    """The block of each state [states]: the coarsest branching bisimulation."""
    order = np.argsort(graph.sources, kind="stable")
    steps = graph.sources[order], graph.actions[order], graph.targets[order]
    blocks, first = numbered(graph.seen)
    looked = np.ones(len(first), bool)
    while True:
        members = np.flatnonzero(looked[blocks])
        of_members = looked[blocks[steps[0]]]
        words = _signatures(blocks, *(column[of_members] for column in steps))
        moved = _apart(blocks, members, words)
        if not moved.any():
            return blocks
        looked = np.zeros(blocks.max() + 1, bool)
        looked[blocks[steps[0][moved[steps[2]]]]] = True


def numbered(*columns: Numbers | Words) -> tuple[Numbers, Numbers]:
    """A number for each distinct tuple [n], and where the first of each is [numbers]."""
    order = np.lexsort(columns)
    other = np.ones(len(order), bool)
    other[1:] = False
    for column in columns:
        other[1:] |= column[order[1:]] != column[order[:-1]]
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(other) - 1
    return numbers, order[other]


def _signatures(
    blocks: Numbers, sources: Numbers, actions: Numbers, targets: Numbers
) -> list[Words]:
    """Signatures [word][states] of the states of those blocks all of whose steps these are.

    Sources are sorted.
    """
    inert = (actions == SILENT) & (blocks[sources] == blocks[targets])
    seen = ~inert
    number, first = numbered(actions[seen], blocks[targets[seen]], blocks[sources[seen]])
    owner = blocks[sources[seen][first]]
    bit = (np.arange(len(owner)) - np.searchsorted(owner, owner))[number]
    made = []
    for word in range(int(bit.max(initial=0)) // WORD + 1):
        words = np.zeros(len(blocks), np.uint64)
        here = bit // WORD == word
        bits = np.uint64(1) << (bit[here] % WORD).astype(np.uint64)
        _gather(words, sources[seen][here], bits)
        _follow(words, sources[inert], targets[inert])
        made.append(words)
    return made


def _apart(blocks: Numbers, members: Numbers, words: Sequence[Words]) -> Flags:
    """Split, in place, blocks with these members, all of theirs, where words [states] differ.

    Gives which states [states] have another number now: those of all parts but the largest.
    """
    part, first = numbered(*(word[members] for word in words), blocks[members])
    size, block = np.bincount(part), blocks[members[first]]
    order = np.lexsort((-size, block))
    stays = np.ones(len(order), bool)
    stays[1:] = block[order[1:]] != block[order[:-1]]
    name = block.copy()
    parted = order[~stays]
    name[parted] = blocks.max() + 1 + np.arange(len(parted))
    moved = np.zeros(len(blocks), bool)
    moved[members] = name[part] != blocks[members]
    blocks[members] = name[part]
    return moved


def _follow(words: Words, sources: Numbers, targets: Numbers) -> None:
    """Give each state the bits of those to which silent steps lead, however many."""
    while len(sources):
        before = words.copy()
        _gather(words, sources, words[targets])
        if (words == before).all():
            return


def _gather(words: Words, sources: Numbers, bits: Words) -> None:
    """Give each state the bits of its steps; `sources` [n] are sorted."""
    if len(sources):
        starts = np.flatnonzero(np.diff(sources, prepend=-1))
        words[sources[starts]] |= np.bitwise_or.reduceat(bits, starts)
