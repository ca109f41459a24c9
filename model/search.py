"""The smallest interleavings of a program: exhaustive search in the order of their criteria.

Nodes are (state, threads that have stepped, last thread, last thread that is no daemon, could it
have gone on); their cost is the Measure so far. Costs only grow along an interleaving and equal
nodes have equal futures, so that taking nodes in order of cost meets, as the first violation of
each signature, its minimum of all criteria at once: everything cheaper has been searched, all
choices included. One search serves all signatures of a program, in whatever order they are asked
for: it goes on from where it is, and what it has met on the way is known.

A search behind known failures passes over the executions that contain one. What a node has shown of
them is then part of it, and a node that has shown all of one is dropped.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from dataclasses import astuple, dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.circuit.successors import Expanded, Successors
from model.circuit.visited import GROWTH, INDEX_BYTES, Visited
from model.exclusion import KNOWN, Exclusion
from model.interpreter import Machine, Trace, advance
from model.signature import Signature, signature_at, signature_of
from model.trace import Measure

THREADS_MAX = 46
# The last word of a row, from its lowest bit: the last thread, and the last that is no daemon
# (both + 1, in a byte each), whether that could have gone on, and a bit for each that has stepped.
BYTE = 255
OWN, WENT_ON, STEPPED = 8, 16, 17
# Of what a move adds to a cost: 64 (2 preempted + switched) + the threads that have stepped.
PREEMPTED, SWITCHED = 128, 64

Cost = tuple[int, int, int, int]
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
    """Nodes of one cost: their rows, and where each comes from."""

    rows: list[Rows] = field(default_factory=list)
    origins: list[Numbers] = field(default_factory=list)


@dataclass(slots=True)
class _Steps:
    """Steps in canonical order: by what they add to the cost, then by node and move.

    `order` sorts what `Expanded` holds; `words` are the last words of the next rows.
    """

    order: Numbers
    groups: Numbers
    nodes: Numbers
    moves: Numbers
    words: Numbers

    def where(self, kept: NDArray[np.bool_]) -> _Steps:
        """Some of them."""
        columns = (self.order, self.groups, self.nodes, self.moves, self.words)
        return _Steps(*(column[kept] for column in columns))


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
        more = np.full((1, 1), 0 if exclusion is None else exclusion.start, np.uint64)
        words = [successors.initial, *([] if exclusion is None else [more]), 0 * more]
        first = np.concatenate(words, axis=1)
        # Only addresses are reserved: our own bound is met before this one.
        self.visited = Visited(first.shape[1], memory=2 * bytes_max)
        self.thread = np.array([move.thread for move in successors.moves])
        self.daemon = np.array([self.program.threads[t].daemon for t in self.thread])
        self.layers: dict[Cost, _Layer] = {}
        self.queue: list[Cost] = []
        self.waiting = 0
        self.origins: list[Numbers] = []
        self.costs: list[Cost] = []
        self.counts = [0]
        self.limited_at: Cost | None = None
        self.best: dict[Signature, tuple[Cost, int]] = {}
        self.signatures: dict[int, Signature | None] = {}
        self._push((0, 0, 0, 0), first, np.full(1, -1))

    def minimum(self, signature: Signature, *, below: Measure | None = None) -> Found:
        """Search until the signature's minimum is known, all is searched, or the bound is met.

        Ends also when nothing of it is cheaper than `below`, the measure of what is known already.
        """
        limit = None if below is None else astuple(below)
        while not self._is_settled(signature, limit) and self._advance():
            pass
        return self._found(signature, below)

    @property
    def nodes(self) -> int:
        """How many have been searched."""
        return self.counts[-1]

    @property
    def bytes(self) -> int:
        """What the nodes take in memory; the same on every machine."""
        row = 8 * self.visited.words + 8
        return int(self.nodes * (row + GROWTH * INDEX_BYTES)) + self.waiting * row

    def _is_settled(self, signature: Signature, limit: Cost | None) -> bool:
        if not self.queue:
            return True
        front, candidate = self.queue[0], self.best.get(signature)
        known = candidate is not None and candidate[0] <= front
        return known or (limit is not None and limit <= front)

    def _found(self, signature: Signature, below: Measure | None) -> Found:
        front = self.queue[0] if self.queue else None
        cost, origin = self.best.get(signature, (None, -1))
        if cost is not None and (front is None or cost <= front):
            states = self.counts[bisect_left(self.costs, cost)]
            return Found(
                self._trace(signature, origin), Measure(*cost), False, states, self._limited(cost)
            )
        if front is None:
            reached = Measure(*self.costs[-1])
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

    def _advance(self) -> bool:
        """Take the nodes of the smallest cost; False where none is left or the bound is met."""
        if not self.queue or self.bytes > self.bytes_max:
            return False
        cost = heapq.heappop(self.queue)
        layer = self.layers.pop(cost)
        rows, origins = np.concatenate(layer.rows), np.concatenate(layer.origins)
        self.waiting -= len(rows)
        kept = self.visited.insert(rows)
        assert not self.visited.full
        rows, first = rows[kept], self.nodes
        self.origins.append(origins[kept])
        self.costs.append(cost)
        self.counts.append(first + len(rows))
        for begin in range(0, len(rows), self.successors.rows_max):
            part = rows[begin : begin + self.successors.rows_max]
            self._expand(cost, part, first + begin)
        return True

    def _expand(self, cost: Cost, rows: Rows, first: int) -> None:
        expanded = self.successors.expand(np.ascontiguousarray(rows[:, : self.successors.words]))
        if len(expanded.codes):
            self._note(cost, rows, expanded, first)
        if cost[3] + 1 >= self.program.steps_max:
            if self.limited_at is None and len(expanded.rows):
                self.limited_at = cost
            return
        steps = self._steps(rows, expanded.origins)
        after = np.empty((len(steps.order), rows.shape[1]), np.uint64)
        after[:, : self.successors.words] = expanded.rows[steps.order]
        after[:, -1] = steps.words
        if self.exclusion is not None:
            after[:, -2] = shown = self._shown(self.exclusion, rows, steps, ending=False)
            steps, after = steps.where(shown != KNOWN), after[shown != KNOWN]
        origins = first + steps.nodes << 16 | steps.moves
        changes = np.flatnonzero(steps.groups[1:] != steps.groups[:-1]) + 1
        ends = [*changes.tolist(), len(after)]
        for begin, end in zip([0, *ends], ends, strict=False):
            if begin < end:
                into = _into(cost, int(steps.groups[begin]))
                self._push(into, after[begin:end].copy(), origins[begin:end].copy())

    def _steps(self, rows: Rows, origins: Rows) -> _Steps:
        """What steps lead to beside the next states. Their own order depends on the machine."""
        found = origins.astype(np.int64)
        nodes, moves, goes_on = found & 0xFFFFFFFF, found >> 32 & 0xFFFF, found < 0
        who = rows[nodes, -1].astype(np.int64)
        thread, daemon = self.thread[moves], self.daemon[moves]
        number, last, own = thread + 1, who & BYTE, who >> OWN & BYTE
        away = (own != 0) & (own != number) & (who >> WENT_ON & 1 == 1)
        switched = (last != 0) & (last != number)
        ran = (who >> STEPPED | 1 << thread) << STEPPED | goes_on << WENT_ON | number << OWN
        words = np.where(daemon, who & ~BYTE, ran) | number
        groups = PREEMPTED * (away & ~daemon) + SWITCHED * switched
        groups += np.bitwise_count(words >> STEPPED)
        order = np.argsort(groups << 48 | nodes << 16 | moves)
        return _Steps(order, groups[order], nodes[order], moves[order], words[order])

    def _push(self, cost: Cost, rows: Rows, origins: Numbers) -> None:
        if cost not in self.layers:
            self.layers[cost] = _Layer()
            heapq.heappush(self.queue, cost)
        self.layers[cost].rows.append(rows)
        self.layers[cost].origins.append(origins)
        self.waiting += len(rows)

    def _note(self, cost: Cost, rows: Rows, expanded: Expanded, first: int) -> None:
        """Keep the violations that are the cheapest of their signature, the first of equal ones."""
        found = expanded.ends.astype(np.int64)
        nodes, threads = found & 0xFFFFFFFF, self.thread[found >> 32 & 0xFFFF]
        states = rows[nodes, : self.successors.words]
        pcs = self.successors.codes_of_steps(states, threads)
        kinds = (expanded.codes.astype(np.int64) - 1 << 16 | threads) << 16 | pcs
        wanted = [kind for kind in np.unique(kinds).tolist() if self._is_open(kind, cost)]
        if not wanted:
            return
        kept = np.isin(kinds, wanted)
        steps, kinds = self._steps(rows, expanded.ends[kept]), kinds[kept]
        if self.exclusion is not None:
            shown = self._shown(self.exclusion, rows, steps, ending=True)
            steps = steps.where(shown != KNOWN)
        kinds = kinds[steps.order]
        for i in np.sort(np.unique(steps.groups << 48 | kinds, return_index=True)[1]).tolist():
            signature, into = self.signatures[int(kinds[i])], _into(cost, int(steps.groups[i]))
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
        machine, events = Machine(self.program), []
        for move in (self.successors.moves[number] for number in reversed(path)):
            events.append(advance(machine, move.thread, move.chooser()))
        trace = Trace(self.program, tuple(events), machine.outcome, machine.site)
        assert trace.site is not None and signature_of(trace) == signature, (
            "the two engines disagree on a minimal interleaving"
        )
        return trace


def _into(cost: Cost, group: int) -> Cost:
    """The cost after a move that adds a group to it."""
    delta, threads = divmod(group, SWITCHED)
    return cost[0] + (delta >> 1), cost[1] + (delta & 1), threads, cost[3] + 1
