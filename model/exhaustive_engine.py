"""Every schedule with at most c preemptions, in the order of preemptions, none of them at random.

Iterative context bounding (Musuvathi and Qadeer, PLDI 2007): first all schedules without a
preemption, then all with one, and so on. They form a tree of choices: who steps, and what its
choose() calls give. The tree is followed level by level until it has WIDTH prefixes; a block is
some of these with all that they lead to, so that what it executes follows from the program, c and
the block's number. A step that schedules share is executed once, and up to 4,096 are taken at once.

States are not remembered: schedules that meet in a state stay two, as in the paper, so that memory
is bounded and the count is that of schedules. Where the states fit into memory, `model.explore`
says more in less time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.circuit.successors import Expanded, Rows, Successors
from model.interpreter import Machine, Trace, advance
from model.program import DEADLOCK_SITE, Outcome, Program
from model.schedulers.exhaustive import Exhaustive
from model.step_pairs import BodyStep

WIDTH = 1 << 16
BLOCK_STEPS = 1 << 18
PROBES = 8
HITS_PER_SITE = 4
LOOKED_EVERY = 24

Numbers = NDArray[np.int64]
Moves = tuple[int, ...]
"""A schedule, as numbers of the moves of `Successors`."""


@dataclass(slots=True)
class Tally:
    """What was executed: schedules by outcome, violations by site, steps, and which there were.

    A step that schedules share counts once. `hits` has the first HITS_PER_SITE of each site. Which
    steps there were is looked at where `looks` is true: it takes as long as all else.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    sites: Counter[int] = field(default_factory=Counter)
    steps: int = 0
    reached: set[BodyStep] = field(default_factory=set)
    hits: list[tuple[int, Moves]] = field(default_factory=list)
    looks: bool = True

    @property
    def schedules(self) -> int:
        """All of them."""
        return self.outcomes.total()

    def copied(self) -> Tally:
        """The same, to be added to."""
        outcomes, sites = Counter(self.outcomes), Counter(self.sites)
        return replace(
            self, outcomes=outcomes, sites=sites, reached=set(self.reached), hits=[*self.hits]
        )


class ExhaustiveEngine:
    """All schedules of a program with at most c preemptions, by blocks."""

    def __init__(self, program: Program, scheduler: Exhaustive) -> None:
        self.program, self.scheduler = program, scheduler
        self.successors = Successors(program, all_ends=True)
        threads = [move.thread for move in self.successors.moves]
        self._thread = np.array(threads, np.int64)
        self._daemon = np.array([program.threads[thread].daemon for thread in threads])

    @property
    def blocks(self) -> int:
        """How many there are."""
        return sum(cut.blocks for cut in self._cuts)

    def run_block(self, block: int) -> Tally:
        """Execute all schedules of a block: a pure function of the program, c and its number."""
        cut, number = self._place_of(block)
        tally = cut.ended.copied() if number == 0 else Tally(looks=number % LOOKED_EVERY == 0)
        begin = number * cut.block_prefixes
        part = cut.prefixes.part(begin, begin + cut.block_prefixes)
        self._follow(part, cut.preemptions, tally)
        return tally

    def preemptions_of(self, block: int) -> int:
        """How many preemptions the schedules of a block have."""
        return self._place_of(block)[0].preemptions

    def trace(self, moves: Moves) -> Trace:
        """A schedule, executed by the interpreter."""
        machine, events = Machine(self.program), []
        for move in (self.successors.moves[number] for number in moves):
            events.append(advance(machine, move.thread, move.chooser()))
        return Trace(self.program, tuple(events), machine.outcome, machine.site)

    @cached_property
    def _cuts(self) -> tuple[_Cut, ...]:
        return tuple(self._cut(number) for number in range(self.scheduler.c + 1))

    def _place_of(self, block: int) -> tuple[_Cut, int]:
        for cut in self._cuts:
            if block < cut.blocks:
                return cut, block
            block -= cut.blocks
        raise AssertionError("no such block")

    def _cut(self, preemptions: int) -> _Cut:
        """Level by level, until it is wide enough or all has ended."""
        first, none = self.successors.initial, np.zeros(1, np.int64)
        level, ended = _Prefixes(0, first, none, none), Tally()
        while 0 < len(level) < WIDTH:
            level = self._after(level, preemptions, ended)
        return _Cut(preemptions, level, ended, self._block_prefixes(level, preemptions))

    def _block_prefixes(self, prefixes: _Prefixes, preemptions: int) -> int:
        """As many as take about BLOCK_STEPS, told by a few that are spread over all of them."""
        tally, probes = Tally(looks=False), 0
        while probes < PROBES and tally.steps < BLOCK_STEPS and len(prefixes):
            begin = probes * len(prefixes) // PROBES
            part = prefixes.part(begin, begin + 1)
            self._follow(part, preemptions, tally, steps_max=BLOCK_STEPS)
            probes += 1
        wanted = BLOCK_STEPS * probes // max(1, tally.steps)
        return max(1, min(len(prefixes), wanted))

    # -- following prefixes ------------------------------------------------------------------------

    def _follow(
        self, prefixes: _Prefixes, most: int, tally: Tally, *, steps_max: int | None = None
    ) -> None:
        """All that prefixes lead to, the longest first; or until so many steps were executed."""
        waiting = [prefixes]
        while waiting and (steps_max is None or tally.steps < steps_max):
            longest = waiting.pop()
            if len(longest) > self.successors.rows_max:
                middle = len(longest) // 2
                waiting += [longest.part(middle, len(longest)), longest.part(0, middle)]
            elif len(longest):
                waiting.append(self._after(longest, most, tally))

    def _after(self, prefixes: _Prefixes, most: int, tally: Tally) -> _Prefixes:
        """Take every move of every prefix that makes at most so many preemptions.

        What goes on is given. What ends is counted where it has made as many.
        """
        parts = [_Taken.nothing(self.successors.words)]
        counts = np.bincount(prefixes.preemptions, minlength=most + 1).tolist()
        first = 0
        for count in counts:
            for begin in range(first, first + count, self.successors.rows_max):
                end = min(first + count, begin + self.successors.rows_max)
                parts.append(self._take(prefixes, begin, end, most, tally))
            first += count
        taken = _Taken.joined(parts)
        # The order in which they come depends on the machine.
        taken = taken.part(np.argsort(taken.preemptions << 56 | taken.nodes << 16 | taken.moves))
        self._count(prefixes, taken.nodes, taken.moves, tally)
        if prefixes.steps + 1 >= self.program.steps_max:
            tally.outcomes[Outcome.STEP_LIMIT] += int((taken.preemptions == most).sum())
            taken = taken.part(np.zeros(0, np.int64))
        own = np.where(
            self._daemon[taken.moves],
            prefixes.own[taken.nodes],
            self._thread[taken.moves] + 1 << 1 | taken.goes_on,
        )
        steps, preemptions = prefixes.steps + 1, taken.preemptions
        return _Prefixes(steps, taken.rows, own, preemptions, prefixes, taken.nodes, taken.moves)

    def _take(
        self, prefixes: _Prefixes, begin: int, end: int, most: int, tally: Tally
    ) -> _Taken:
        """The moves of some prefixes that have made as many preemptions."""
        rows = np.ascontiguousarray(prefixes.rows[begin:end])
        expanded = self.successors.expand(rows)
        before = int(prefixes.preemptions[begin])
        if len(expanded.codes):
            self._end(prefixes, begin, expanded, most, tally)
        nodes, moves, goes_on = self._came_from(expanded.origins, begin)
        preemptions = before + self._preempts(prefixes, nodes, moves)
        kept = preemptions <= most
        return _Taken(
            expanded.rows[kept], nodes[kept], moves[kept], goes_on[kept], preemptions[kept]
        )

    def _end(
        self, prefixes: _Prefixes, begin: int, expanded: Expanded, most: int, tally: Tally
    ) -> None:
        """Count what ends."""
        nodes, moves, _ = self._came_from(expanded.ends, begin)
        preemptions = prefixes.preemptions[nodes] + self._preempts(prefixes, nodes, moves)
        order = np.argsort(nodes << 16 | moves)
        order = order[preemptions[order] == most]
        nodes, moves, codes = nodes[order], moves[order], expanded.codes[order].astype(np.int64)
        self._count(prefixes, nodes, moves, tally)
        for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
            if code in (0, self.successors.circuit.codes.discarded):
                ending = Outcome.DISCARDED if code else Outcome.OK
                tally.outcomes[ending] += int(count)
                continue
            site = int(code) - 1
            fails = Outcome.DEADLOCK if site == DEADLOCK_SITE else Outcome.VIOLATION
            tally.outcomes[fails] += int(count)
            room = max(0, HITS_PER_SITE - tally.sites[site])
            tally.sites[site] += int(count)
            for i in np.nonzero(codes == code)[0][:room].tolist():
                path = (*prefixes.path(int(nodes[i])), int(moves[i]))
                tally.hits.append((site, path))

    def _came_from(self, origins: Rows, begin: int) -> tuple[Numbers, Numbers, Numbers]:
        """Prefix, move, and 1 where the thread could have gone on."""
        found = origins.astype(np.int64)
        return begin + (found & 0xFFFFFFFF), found >> 32 & 0xFFFF, (found < 0).astype(np.int64)

    def _preempts(self, prefixes: _Prefixes, nodes: Numbers, moves: Numbers) -> NDArray[np.bool_]:
        """Which steps preempt the last thread that is no daemon, as `model.trace` says."""
        own = prefixes.own[nodes]
        away = (own >> 1 != 0) & (own >> 1 != self._thread[moves] + 1) & (own & 1 == 1)
        preempts: NDArray[np.bool_] = away & ~self._daemon[moves]
        return preempts

    def _count(self, prefixes: _Prefixes, nodes: Numbers, moves: Numbers, tally: Tally) -> None:
        """Count steps, and note which of the program's they are."""
        tally.steps += len(moves)
        if not tally.looks:
            return
        threads = self._thread[moves]
        codes = self.successors.codes_of_steps(prefixes.rows[nodes], threads)
        for kind in np.unique(threads << 32 | codes).tolist():
            thread, code = kind >> 32, kind & 0xFFFFFFFF
            pc = self.successors.pc_of(thread, code)
            tally.reached.add((self.program.threads[thread].body, pc))


@dataclass(frozen=True, slots=True)
class _Prefixes:
    """Prefixes of one length, those with few preemptions first, and the states they lead to.

    `own` holds the last thread that is no daemon, + 1, above 1 where it could have gone on. Prefix
    i comes from prefix nodes[i] of `up`, by moves[i]; where there are no moves, it is that prefix.
    """

    steps: int
    rows: Rows
    own: Numbers
    preemptions: Numbers
    up: _Prefixes | None = None
    nodes: Numbers | None = None
    moves: Numbers | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, begin: int, end: int) -> _Prefixes:
        """Some of them."""
        these = slice(begin, end)
        return replace(
            self,
            rows=self.rows[these],
            own=self.own[these],
            preemptions=self.preemptions[these],
            up=self,
            nodes=np.arange(len(self))[these],
            moves=None,
        )

    def path(self, number: int) -> Moves:
        """The moves of one."""
        found: list[int] = []
        prefixes: _Prefixes | None = self
        while prefixes is not None and prefixes.nodes is not None:
            if prefixes.moves is not None:
                found.append(int(prefixes.moves[number]))
            number, prefixes = int(prefixes.nodes[number]), prefixes.up
        return tuple(reversed(found))


class _Taken(NamedTuple):
    """Moves that were taken, and where they lead to."""

    rows: Rows
    nodes: Numbers
    moves: Numbers
    goes_on: Numbers
    preemptions: Numbers

    @staticmethod
    def nothing(words: int) -> _Taken:
        none = np.zeros(0, np.int64)
        return _Taken(np.zeros((0, words), np.uint64), none, none, none, none)

    @staticmethod
    def joined(parts: Sequence[_Taken]) -> _Taken:
        rows, nodes, moves, goes_on, preemptions = map(np.concatenate, zip(*parts, strict=True))
        return _Taken(rows, nodes, moves, goes_on, preemptions)

    def part(self, which: Numbers) -> _Taken:
        return _Taken(
            self.rows[which],
            self.nodes[which],
            self.moves[which],
            self.goes_on[which],
            self.preemptions[which],
        )


@dataclass(frozen=True, slots=True)
class _Cut:
    """All schedules with so many preemptions: prefixes that go on, and what ended before them."""

    preemptions: int
    prefixes: _Prefixes
    ended: Tally
    block_prefixes: int

    @property
    def blocks(self) -> int:
        return max(1, -(-len(self.prefixes) // self.block_prefixes))
