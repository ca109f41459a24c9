"""Coverage of a block: its first executions, one a lane, followed step by step.

What is sampled is a function of the block, not of what was sampled before: the lanes are run again
from their start, each until its first execution has ended. In machine words throughout: planes are
turned into rows, rows into kinds of events, and those into classes and pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.circuit.block_circuit import BlockCircuit
from model.circuit.event_table import STEP, EventTable, Numbers, Words
from model.circuit.sampled_states import StateHashes
from model.circuit.trace_loops import TraceLoops
from model.circuit.transpose import WORD, rows_of
from model.class_sample import ClassSample
from model.coverage import Coverage, Shown, StatesSeen
from model.interpreter import Chooser
from model.step_pairs import possible_pairs

Bits = NDArray[np.uint8]
SLICE = 64
"""Passes that are turned into rows together: a long execution takes time, not memory."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Passes that follow each other, of one chunk of lanes, in planes [pass, line, word].

    `states` are those before each pass, `lines` the record lines of each, then the planes of the
    code with which an execution ended in it.
    """

    states: Words
    lines: Words


class Observer:
    """Gives the coverage of executions of one program; what it has learned speeds up what follows.

    `chooser` reads what the choose() calls of a step gave from its record lines.
    """

    def __init__(self, circuit: BlockCircuit, chooser: Callable[[Words], Chooser]) -> None:
        self._circuit, self._layout = circuit, circuit.layout
        self._table = EventTable(circuit, chooser)
        self._loops = TraceLoops(self._table)
        self._hashes = StateHashes(self._layout)
        self._possible = possible_pairs(self._layout.program)

    def coverage(self, chunks: Iterable[Iterable[Slice]], *, block: int) -> Coverage:
        """What the first executions of all lanes have shown, without those that were discarded."""
        kinds, hashes, lengths = [], [], []
        for slices in chunks:
            found = self._follow(slices)
            kinds.append(found[0])
            hashes.append(found[1])
            lengths.append(found[2])
        events, executions = np.concatenate(kinds), np.concatenate(lengths)
        starts = np.concatenate([[0], np.cumsum(executions)])
        classes, pairs = self._loops.follow(events, starts)
        steps = np.unique(self._table.kinds[np.unique(events), STEP])
        return Coverage(
            len(executions),
            frozenset(self._table.steps[step] for step in steps.tolist()),
            {pair: Shown(n, block) for pair, n in pairs.items() if pair in self._possible},
            ClassSample.of(classes, block=block),
            StatesSeen.of(np.concatenate(hashes)),
        )

    def _follow(self, slices: Iterable[Slice]) -> tuple[Numbers, Words, Numbers]:
        """One execution after the other: kinds of its events, states before them, its length."""
        kinds, hashes, lanes = [], [], []
        over: NDArray[np.bool_] | None = None
        discarded: NDArray[np.bool_] | None = None
        for each in slices:
            lines = _bits(each.lines)
            count = len(self._circuit.record)
            ending = np.logical_or.accumulate(lines[:, count - 1].astype(bool), axis=0)
            before = np.zeros_like(ending)
            before[1:] = ending[:-1]
            if over is None or discarded is None:
                over = np.zeros(ending.shape[1], bool)
                discarded = np.zeros(ending.shape[1], bool)
            stepping = lines[:, : len(self._layout.program.threads)]
            going = stepping.any(axis=1) & ~before & ~over
            at, lane = np.nonzero(going)
            last = ending[at, lane]
            codes = _numbers(lines[at[last], count:, lane[last]])
            discarded[lane[last]] = codes == self._circuit.codes.discarded
            found = self._events(each, at, lane, stepping.argmax(axis=1)[at, lane], last)
            kinds.append(found[0])
            hashes.append(found[1])
            lanes.append(lane)
            over |= ending[-1]
        assert over is not None and over.all(), "every execution has ended"
        assert discarded is not None
        whose = np.concatenate(lanes)
        order = np.argsort(whose, kind="stable")
        order = order[~discarded[whose[order]]]
        lengths = np.bincount(whose[order], minlength=len(discarded))[~discarded]
        return np.concatenate(kinds)[order], np.concatenate(hashes)[order], lengths

    def _events(
        self, each: Slice, at: Numbers, lane: Numbers, who: Numbers, last: NDArray[np.bool_]
    ) -> tuple[Numbers, Words]:
        """The kind of each event of a slice and the hash of the state before it."""
        place = at, slice(None), lane % WORD, lane // WORD
        states, record = rows_of(each.states)[place], rows_of(each.lines)[place]
        codes = self._hashes.counters(states, who)
        rows = np.concatenate([states, record], axis=1)
        return self._table.numbers_of(rows, who, codes, last), self._hashes.of_states(states)


def _bits(words: Words) -> Bits:
    """[..., word] to [..., lane]."""
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=-1, bitorder="little")


def _numbers(bits: Bits) -> Numbers:
    """[lane, bit], lowest bit first, to numbers."""
    numbers: Numbers = bits.astype(np.int64) @ (1 << np.arange(bits.shape[1]))
    return numbers
