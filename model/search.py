"""The smallest interleavings of a program: exhaustive search in the order of their criteria.

Nodes are (state, threads that have stepped, last thread, last thread that is no daemon, could it
have gone on); their cost is the Measure so far. Costs only grow along an interleaving and equal
nodes have equal futures, so that taking nodes in order of cost meets, as the first violation of
each signature, its minimum of all criteria at once: everything cheaper has been searched, all
choices included. One search serves all signatures of a program, in whatever order they are asked
for: it goes on from where it is, and what it has met on the way is known.

Nodes with as many preemptions, switches and steps are taken together, whatever the number of their
threads: which have stepped is part of a node, so that none stands for one with fewer.

Where many threads are interchangeable, a row is the canonical one of the nodes that differ only in
which is which (`model.alike`): they cost the same and have the same futures but for names.

A search behind known failures passes over the executions that contain one. What a node has shown of
them is then part of it, and a node that has shown all of one is dropped.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.alike import Alike, Nodes, packed, unpacked
from model.circuit.successors import WORD, Expanded, Successors
from model.circuit.visited import GROWTH, INDEX_BYTES, Visited
from model.exclusion import KNOWN, Exclusion
from model.interpreter import Event, Machine, Trace, advance
from model.signature import Signature, signature_at, signature_of
from model.trace import Measure

THREADS_MAX = 254
# Who of the first threads has stepped lies in the last word of a row, of more in words before it.
STEPPED_BITS = 46
ROWS_SORTED = 4096
# The last word of a row, from its lowest bit: the last thread, and the last that is no daemon
# (both + 1, in a byte each), whether that could have gone on, and a bit for each that has stepped.
BYTE = 255
OWN, WENT_ON, STEPPED = 8, 16, 17
# What a move adds to a cost.
PREEMPTED, SWITCHED = 2, 1

Cost = tuple[int, int, int, int]
Size = tuple[int, int, int]
"""Preemptions, switches and steps."""
Rows = NDArray[np.uint64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Found:
    """What a search knows of a signature.

    `trace` is its smallest known interleaving, or None. Nothing of the signature is cheaper than
    `reached`, or than the trace where that is cheaper; where `exhausted`, nothing exists at all.
    Where the step limit was met below that (`limited`), something smaller may have been hidden by
    what was passed over. `states` counts the nodes that were searched.
    """

    trace: Trace | None
    reached: Measure
    exhausted: bool
    states: int
    limited: bool = False


@dataclass(slots=True)
class _Layer:
    """Nodes of one size: their rows, where each comes from, and the fewest threads of one."""

    rows: list[Rows] = field(default_factory=list)
    origins: list[Numbers] = field(default_factory=list)
    threads: int = THREADS_MAX


@dataclass(slots=True)
class _Steps:
    """Steps in canonical order: by what they add to the cost, then by node and move.

    `order` sorts what `Expanded` holds; `words` are the last words of the next rows, `more` those
    of further threads that have stepped, and `threads` the numbers of threads that have stepped.
    """

    order: Numbers
    groups: Numbers
    nodes: Numbers
    moves: Numbers
    words: Numbers
    more: Rows
    threads: Numbers

    def where(self, kept: NDArray[np.bool_]) -> _Steps:
        """Some of them."""
        return _Steps(*(getattr(self, each.name)[kept] for each in fields(self)))


class Search:
    """One search of a program, which goes on whenever it is asked for more.

    A row is a node: the words of its state, and one that says who has stepped. `bytes_max` bounds
    what nodes take in memory, waiting ones included; once it is met, the search stands still for
    good. Where it stands depends on nothing but the program, the bound and what is excluded: the
    word before the last then says how much of that has been shown.
    """

    def __init__(
        self, successors: Successors, *, bytes_max: int, exclusion: Exclusion | None = None
    ) -> None:
        self.successors, self.program = successors, successors.program
        assert len(self.program.threads) <= THREADS_MAX
        self.bytes_max, self.exclusion = bytes_max, exclusion
        threads = len(self.program.threads)
        self.more = slice(
            successors.words, successors.words - -max(0, threads - STEPPED_BITS) // WORD
        )
        # Which threads have shown what of an excluded failure is not said of a group.
        alike = Alike(successors.layout, successors.kept)
        self.alike = alike if alike.groups and exclusion is None else None
        first = np.zeros((1, self.more.stop + (exclusion is not None) + 1), np.uint64)
        first[:, : successors.words] = successors.initial
        if exclusion is not None:
            first[:, -2] = exclusion.start
        # Only addresses are reserved: our own bound is met before this one.
        self.visited = Visited(first.shape[1], memory=2 * bytes_max)
        self.thread = np.array([move.thread for move in successors.moves])
        self.daemon = np.array([self.program.threads[t].daemon for t in self.thread])
        self.bit = np.array([1 << t if t < STEPPED_BITS else 0 for t in range(threads)])
        self.more_bits = np.zeros((threads, self.more.stop - self.more.start), np.uint64)
        for t in range(STEPPED_BITS, threads):
            word, bit = divmod(t - STEPPED_BITS, WORD)
            self.more_bits[t, word] = 1 << bit
        self.layers: dict[Size, _Layer] = {}
        self.queue: list[Size] = []
        self.waiting = 0
        self.nodes = 0
        self.origins: list[Numbers] = []
        self.counts = Counter[Cost]()
        self.limited_at: Cost | None = None
        self.best: dict[Signature, tuple[Cost, int]] = {}
        self.signatures: dict[int, Signature | None] = {}
        self._push((0, 0, 0), first, np.full(1, -1), 0)

    def minimum(self, signature: Signature, *, below: Measure | None = None) -> Found:
        """Search until the signature's minimum is known, all is searched, or the bound is met.

        Ends also when nothing of it is cheaper than `below`, the measure of what is known already.
        """
        limit = None if below is None else astuple(below)
        while not self._is_settled(signature, limit) and self.advance():
            pass
        return self._found(signature, below)

    @property
    def front(self) -> Cost | None:
        """What every node that is left costs at least; None where none is left."""
        if not self.queue:
            return None
        preemptions, switches, steps = self.queue[0]
        sizes = ((preemptions, switches, more) for more in range(steps, self.program.steps_max))
        left = [self.layers[size].threads for size in sizes if size in self.layers]
        return preemptions, switches, min(left), steps

    @property
    def bytes(self) -> int:
        """What the nodes take in memory; the same on every machine."""
        row = 8 * self.visited.words + 8
        return int(self.nodes * (row + GROWTH * INDEX_BYTES)) + self.waiting * row

    def _is_settled(self, signature: Signature, limit: Cost | None) -> bool:
        if not self.queue:
            return True
        candidate = self.best.get(signature)
        enough = [cost for cost in (limit, candidate and candidate[0]) if cost is not None]
        if not enough or min(enough)[:2] > self.queue[0][:2]:
            return False
        front = self.front
        return front is not None and min(enough) <= front

    def _found(self, signature: Signature, below: Measure | None) -> Found:
        front = self.front
        cost, origin = self.best.get(signature, (None, -1))
        if cost is not None and (front is None or cost <= front):
            states = sum(count for smaller, count in self.counts.items() if smaller < cost)
            return Found(
                self._trace(signature, origin), Measure(*cost), False, states, self._limited(cost)
            )
        if front is None:
            reached = Measure(*max(self.counts))
            return Found(None, reached, self.limited_at is None, self.nodes, self._limited(None))
        if below is not None and below <= Measure(*front):
            limited = self.limited_at is not None and Measure(*self.limited_at) < below
            return Found(None, below, False, self.nodes, limited)
        trace = None if cost is None else self._trace(signature, origin)
        return Found(trace, Measure(*front), False, self.nodes, self._limited(front))

    def _limited(self, cost: Cost | None) -> bool:
        """Whether a step limit was met below a cost."""
        return self.limited_at is not None and (cost is None or self.limited_at < cost)

    # -- going on ----------------------------------------------------------------------------------

    def advance(self) -> bool:
        """Take the nodes of the smallest size; False where none is left or the bound is met."""
        if not self.queue or self.bytes > self.bytes_max:
            return False
        size = heapq.heappop(self.queue)
        layer = self.layers.pop(size)
        rows, origins = np.concatenate(layer.rows), np.concatenate(layer.origins)
        self.waiting -= len(rows)
        kept = self.visited.insert(rows)
        assert not self.visited.full
        threads = self._threads(rows[kept])
        order = np.argsort(threads, kind="stable")
        kept, threads, first = kept[order], threads[order], self.nodes
        rows = rows[kept]
        self.origins.append(origins[kept])
        self.nodes += len(rows)
        for number, count in enumerate(np.bincount(threads).tolist()):
            if count:
                self.counts[_cost(size, number)] = count
        for begin in range(0, len(rows), self.successors.rows_max):
            self._expand(size, rows[begin : begin + self.successors.rows_max], first + begin)
        return True

    def _expand(self, size: Size, rows: Rows, first: int) -> None:
        """Take the steps of nodes, which are in order of their threads."""
        expanded = self.successors.expand(np.ascontiguousarray(rows[:, : self.successors.words]))
        if len(expanded.codes):
            self._note(size, rows, expanded, first)
        if size[2] + 1 >= self.program.steps_max:
            if len(expanded.rows):
                node = int((expanded.origins & 0xFFFFFFFF).min())
                limited = _cost(size, int(self._threads(rows[node : node + 1])[0]))
                self.limited_at = min(limited, self.limited_at or limited)
            return
        steps = self._steps(rows, expanded.origins)
        if self.alike is not None:
            steps = steps.where(
                self.alike.firsts(self._seen(rows))[steps.nodes, self.thread[steps.moves]]
            )
        after = np.empty((len(steps.order), rows.shape[1]), np.uint64)
        after[:, : self.successors.words] = expanded.rows[steps.order]
        after[:, self.more] = steps.more
        after[:, -1] = steps.words
        if self.alike is not None:
            for begin in range(0, len(after), ROWS_SORTED):
                self._sort(self.alike, after[begin : begin + ROWS_SORTED])
        if self.exclusion is not None:
            after[:, -2] = shown = self._shown(self.exclusion, rows, steps, ending=False)
            steps, after = steps.where(shown != KNOWN), after[shown != KNOWN]
        origins = first + steps.nodes << 16 | steps.moves
        begin = 0
        for group, count in enumerate(np.bincount(steps.groups).tolist()):
            part, begin = slice(begin, begin + count), begin + count
            if count:
                threads = int(steps.threads[part].min())
                self._push(_after(size, group), after[part].copy(), origins[part].copy(), threads)

    def _steps(self, rows: Rows, origins: Rows) -> _Steps:
        """What steps lead to beside the next states. Their own order depends on the machine."""
        found = origins.astype(np.int64)
        nodes, moves, goes_on = found & 0xFFFFFFFF, found >> 32 & 0xFFFF, found < 0
        who = rows[nodes, -1].astype(np.int64)
        thread, daemon = self.thread[moves], self.daemon[moves]
        number, last, own = thread + 1, who & BYTE, who >> OWN & BYTE
        away = (own != 0) & (own != number) & (who >> WENT_ON & 1 == 1)
        switched = (last != 0) & (last != number)
        ran = (who >> STEPPED | self.bit[thread]) << STEPPED | goes_on << WENT_ON | number << OWN
        words = np.where(daemon, who & ~BYTE, ran) | number
        more = rows[nodes, self.more] | self.more_bits[thread] * ~daemon[:, None]
        groups = PREEMPTED * (away & ~daemon) + SWITCHED * switched
        order = np.argsort(groups << 48 | nodes << 16 | moves)
        words, more = words[order], more[order]
        threads = _ones(words >> STEPPED) + _ones(more).sum(axis=1)
        return _Steps(order, groups[order], nodes[order], moves[order], words, more, threads)

    def _threads(self, rows: Rows) -> Numbers:
        """How many threads have stepped."""
        counts: Numbers = _ones(rows[:, -1] >> STEPPED) + _ones(rows[:, self.more]).sum(axis=1)
        return counts

    # -- threads that are alike --------------------------------------------------------------------

    def _seen(self, rows: Rows) -> Nodes:
        """Rows taken apart."""
        who, threads = rows[:, -1].astype(np.int64), len(self.program.threads)
        first = unpacked(rows[:, -1:])[:, STEPPED : STEPPED + STEPPED_BITS]
        stepped = np.concatenate([first, unpacked(rows[:, self.more])], axis=1)[:, :threads]
        bits = unpacked(rows[:, : self.successors.words])
        return Nodes(bits, stepped, who & BYTE, who >> OWN & BYTE)

    def _sort(self, alike: Alike, rows: Rows) -> None:
        """Make rows canonical, in place."""
        nodes = self._seen(rows)
        alike.sort(nodes)
        rows[:, : self.successors.words] = packed(nodes.bits)
        stepped = np.zeros((len(rows), STEPPED_BITS + WORD * self.more_bits.shape[1]), np.uint8)
        stepped[:, : nodes.stepped.shape[1]] = nodes.stepped
        rows[:, self.more] = packed(stepped[:, STEPPED_BITS:])
        who = np.pad(stepped[:, :STEPPED_BITS], ((0, 0), (STEPPED, WORD - STEPPED - STEPPED_BITS)))
        went_on = rows[:, -1] & np.uint64(1 << WENT_ON)
        rows[:, -1] = packed(who)[:, 0] | went_on
        rows[:, -1] |= (nodes.last | nodes.own << OWN).astype(np.uint64)

    def _push(self, size: Size, rows: Rows, origins: Numbers, threads: int) -> None:
        if size not in self.layers:
            self.layers[size] = _Layer()
            heapq.heappush(self.queue, size)
        layer = self.layers[size]
        layer.rows.append(rows)
        layer.origins.append(origins)
        layer.threads = min(layer.threads, threads)
        self.waiting += len(rows)

    def _note(self, size: Size, rows: Rows, expanded: Expanded, first: int) -> None:
        """Keep the violations that are the cheapest of their signature, the first of equal ones."""
        found = expanded.ends.astype(np.int64)
        nodes, threads = found & 0xFFFFFFFF, self.thread[found >> 32 & 0xFFFF]
        states = rows[nodes, : self.successors.words]
        pcs = self.successors.codes_of_steps(states, threads)
        kinds = (expanded.codes.astype(np.int64) - 1 << 16 | threads) << 16 | pcs
        cost = _cost(size, int(self._threads(rows[:1])[0]))
        wanted = [kind for kind in np.unique(kinds).tolist() if self._is_open(kind, cost)]
        if not wanted:
            return
        kept = np.isin(kinds, wanted)
        steps, kinds = self._steps(rows, expanded.ends[kept]), kinds[kept]
        if self.exclusion is not None:
            shown = self._shown(self.exclusion, rows, steps, ending=True)
            steps = steps.where(shown != KNOWN)
        kinds = kinds[steps.order]
        alike = (steps.groups << 8 | steps.threads) << 48 | kinds
        for i in np.sort(np.unique(alike, return_index=True)[1]).tolist():
            signature = self.signatures[int(kinds[i])]
            into = _cost(_after(size, int(steps.groups[i])), int(steps.threads[i]))
            assert signature is not None
            if signature not in self.best or into < self.best[signature][0]:
                origin = first + int(steps.nodes[i]) << 16 | int(steps.moves[i])
                self.best[signature] = into, origin

    def _is_open(self, kind: int, cost: Cost) -> bool:
        """Whether a step from a node of this cost may be the cheapest of its signature.

        A kind is a site, the thread that violates it, and the code of its step.
        """
        if kind not in self.signatures:
            site, thread, code = kind >> 32, kind >> 16 & 0xFFFF, kind & 0xFFFF
            self.signatures[kind] = (
                signature_at(self.program, site, thread, self.successors.pc_of(thread, code))
                if site < len(self.program.sites)
                else None
            )
        signature = self.signatures[kind]
        return signature is not None and (
            signature not in self.best or cost < self.best[signature][0]
        )

    def _shown(self, exclusion: Exclusion, rows: Rows, steps: _Steps, *, ending: bool) -> Numbers:
        """What has been shown of the excluded failures after each step."""
        states = rows[steps.nodes, : self.successors.words]
        before = rows[steps.nodes, -2].astype(np.int64)
        return exclusion.after(states, before, steps.moves, ending=ending)

    # -- telling -----------------------------------------------------------------------------------

    def _trace(self, signature: Signature, origin: int) -> Trace:
        """The interleaving that ends with a step, executed by the interpreter."""
        log, path = np.concatenate(self.origins), list[int]()
        while origin >= 0:
            path.append(origin & 0xFFFF)
            origin = int(log[origin >> 16])
        machine, events = Machine(self.program), list[Event]()
        for move in (self.successors.moves[number] for number in reversed(path)):
            thread = self._real_thread(machine, events, move.thread)
            events.append(advance(machine, thread, move.chooser()))
        trace = Trace(self.program, tuple(events), machine.outcome, machine.site)
        assert trace.site is not None and signature_of(trace) == signature, (
            "the two engines disagree on a minimal interleaving"
        )
        return trace

    def _real_thread(self, machine: Machine, events: Sequence[Event], place: int) -> int:
        """Who stands, after some events, where the canonical row has a thread."""
        if self.alike is None:
            return place
        own = [e.thread for e in events if not self.program.threads[e.thread].daemon]
        stepped = np.zeros((1, len(self.program.threads)), np.uint8)
        stepped[0, own] = 1
        last = [e.thread for e in events]
        node = Nodes(
            unpacked(self.successors.row_of(machine)),
            stepped,
            np.array([last[-1] + 1 if last else 0]),
            np.array([own[-1] + 1 if own else 0]),
        )
        return self.alike.real_threads(node)[place]


def _after(size: Size, group: int) -> Size:
    """The size after a move that adds a group to it."""
    return size[0] + group // PREEMPTED, size[1] + group % PREEMPTED, size[2] + 1


def _cost(size: Size, threads: int) -> Cost:
    return size[0], size[1], threads, size[2]


def _ones(words: Rows | Numbers) -> Numbers:
    """How many bits are set in each."""
    counts: NDArray[Any] = np.bitwise_count(words)
    return counts.astype(np.int64)
